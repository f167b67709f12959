/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a command line as commands of a running machine. A part's keys and types are already
 * those of QAPI; only a character device is said in another form there. */
#include "qemu/making.h"

/* ---- chardev-add ----------------------------------------------------------------------------- */

/* Moves a key from one object to the other, perhaps under another name. */
static void move_key(struct json *from, const char *key, struct json *to, const char *name)
{
    struct json *value = json_get(from, key);

    if (value) {
        json_set(to, name, json_ref(value));
        json_del(from, key);
    }
}

/* {"type": "unix", "data": {"path": …}} */
static struct json *socket_address(struct json *flat)
{
    struct json *addr = json_object_new(), *data = json_object_new();

    if (json_get(flat, "fd")) {
        json_set_str(addr, "type", "fd");
        move_key(flat, "fd", data, "str");
    } else if (json_get(flat, "path")) {
        json_set_str(addr, "type", "unix");
        move_key(flat, "path", data, "path");
    } else {
        json_set_str(addr, "type", "inet");
        move_key(flat, "host", data, "host");
        move_key(flat, "port", data, "port");
    }
    json_set(addr, "data", data);
    return addr;
}

static const struct backend {
    const char *name;
    const char *path; /* what QMP calls the path; NULL: the backend has none */
    const char *rest; /* other keys it has in QMP, separated by '|' */
} backends[] = {
    {"socket", NULL, "|server|wait|reconnect|logfile|logappend|"},
    {"file", "out", "|append|logfile|logappend|"},
    {"pipe", "device", "|logfile|logappend|"},
    {"serial", "device", "|logfile|logappend|"},
    {"parallel", "device", "|logfile|logappend|"},
    {"pty", NULL, "|logfile|logappend|"},
    {"null", NULL, "|logfile|logappend|"},
    {"console", NULL, "|logfile|logappend|"},
    {"stdio", NULL, "|signal|logfile|logappend|"},
    {"vc", NULL, "|logfile|logappend|"},
    {"ringbuf", NULL, "|logfile|logappend|"},
};

static const struct backend *find_backend(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(backends); i++)
        if (streq(backends[i].name, name))
            return &backends[i];
    return NULL;
}

static bool all_known(const struct json *flat, const struct backend *b, struct err *err)
{
    for (void *it = json_iter(flat); it; it = json_iter_next(flat, it)) {
        _cleanup_free_ char *word = xasprintf("|%s|", json_iter_key(it));

        if (!strstr(b->rest, word)) {
            err_set(err, ERR_UNSUPPORTED,
                    "a running machine can't be given a character device with '%s'",
                    json_iter_key(it));
            return false;
        }
    }
    return true;
}

/* From {"backend": "socket", "id": …, "path": …, …}. */
static struct json *chardev_args(struct json *flat, struct err *err)
{
    _cleanup_json_ struct json *data = json_object_new(), *id = NULL;
    const char *name = json_get_str(flat, "backend");
    const struct backend *b = find_backend(name);
    struct json *args, *backend;

    if (!b) {
        err_set(err, ERR_UNSUPPORTED,
                "a running machine can't be given a character device of the kind '%s'",
                name ? name : "");
        return NULL;
    }
    if (streq(b->name, "socket")) {
        json_set(data, "addr", socket_address(flat));
        /* QMP's default is a server. */
        if (!json_get(flat, "server"))
            json_set_bool(data, "server", false);
    } else if (b->path) {
        move_key(flat, "path", data, b->path);
    }
    id = json_ref(json_get(flat, "id"));
    json_del(flat, "backend");
    json_del(flat, "id");
    if (!all_known(flat, b, err))
        return NULL;
    for (void *it = json_iter(flat); it; it = json_iter_next(flat, it))
        json_set(data, json_iter_key(it), json_ref(json_iter_value(it)));
    backend = json_object_new();
    json_set_str(backend, "type", b->name);
    json_set(backend, "data", TAKE_PTR(data));
    args = json_object_new();
    if (id)
        json_set(args, "id", TAKE_PTR(id));
    json_set(args, "backend", backend);
    return args;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *option, *add;
    const char *undo, *key, *undo_key; /* the part's key, and the command's */
    bool chardev;
} commands[] = {
    {"-device", "device_add", "device_del", "id", "id", false},
    {"-netdev", "netdev_add", "netdev_del", "id", "id", false},
    {"-object", "object-add", "object-del", "id", "id", false},
    {"-blockdev", "blockdev-add", "blockdev-del", "node-name", "node-name", false},
    {"-chardev", "chardev-add", "chardev-remove", "id", "id", true},
};

/* Its row, or -1. */
static int command_of(const struct cima_cmdline *c, size_t i, struct err *err)
{
    const char *name = i < cima_cmdline_len(c) ? cima_cmdline_name(c, i) : "";

    for (size_t k = 0; k < ARRAY_SIZE(commands); k++)
        if (streq(commands[k].option, name) && cima_cmdline_value(c, i))
            return (int)k;
    return err_set(err, ERR_UNSUPPORTED, "'%s' is for machines that are not running yet", name);
}

int cima_cmdline_command(const struct cima_cmdline *c, size_t i, const char **ret_command,
                         struct json **ret_args, struct err *error)
{
    _cleanup_json_ struct json *flat = NULL;
    struct json *args;
    int k = command_of(c, i, error);

    if (k < 0)
        return -1;
    flat = cima_opts_to_json(cima_cmdline_value(c, i), error);
    if (!flat)
        return err_wrap(error, "QEMU option '%s'", commands[k].option);
    args = commands[k].chardev ? chardev_args(flat, error) : TAKE_PTR(flat);
    if (!args)
        return -1;
    *ret_command = commands[k].add;
    *ret_args = args;
    return 0;
}

int cima_cmdline_undo_command(const struct cima_cmdline *c, size_t i, const char **ret_command,
                              struct json **ret_args, struct err *error)
{
    int k = command_of(c, i, error);
    const char *id;
    struct json *args;

    if (k < 0)
        return -1;
    id = cima_opts_get(cima_cmdline_value(c, i), commands[k].key);
    if (!id)
        return err_set(error, ERR_UNSUPPORTED, "'%s' without an id can't be taken away again",
                       commands[k].option);
    args = json_object_new();
    json_set_str(args, commands[k].undo_key, id);
    *ret_command = commands[k].undo;
    *ret_args = args;
    return 0;
}
