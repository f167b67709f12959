/* SPDX-License-Identifier: Apache-2.0 */
/* Option texts of people, and any text as a value: what is read is written so that it is read as
 * the same again; a device whose fields are any texts is refused, or is there with just these, on
 * the command line and in JSON. Also what HMP may print about the user network. */
#include "base/mem.h"
#include "cima/qemu/machine.h"
#include "qemu/qemu.h"
#include "qemu/qmp_message.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const char *text)
{
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    _cleanup_opts_ struct cima_opts *a = cima_opts_parse(text, "type", &e1), *b = NULL;
    _cleanup_free_ char *first = NULL, *second = NULL;

    if (!a) {
        assert(err_is_set(&e1));
        return;
    }
    first = cima_opts_to_argv(a, &e1);
    b = cima_opts_parse(first, "type", &e2);
    assert(first && b);
    second = cima_opts_to_argv(b, &e2);
    assert(second && streq(first, second));
}

/* A value can never become more than the value. */
static void as_value(const char *text)
{
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    _cleanup_opts_ struct cima_opts *o = cima_opts_new("driver", "d"), *back = NULL;
    _cleanup_free_ char *argv = NULL;

    cima_opts_str(o, "path", text);
    cima_opts_str(o, "last", "z");
    argv = cima_opts_to_argv(o, &e1);
    if (!argv)
        return;
    back = cima_opts_parse(argv, "driver", &e2);
    assert(back);
    assert(streq(cima_opts_get(back, "driver"), "d"));
    assert(streq(cima_opts_get(back, "path"), text));
    assert(streq(cima_opts_get(back, "last"), "z"));
}

/* ---- devices --------------------------------------------------------------------------------- */

/* The option that is written is read back with this value; NULL: it is not there. */
static void is_read_back(const struct cima_cmdline *c, const char *option, const char *implied,
                         const char *key, const char *value)
{
    _cleanup_err_ struct err written = ERR_INIT;
    char **argv = cima_cmdline_argv(c, &written);

    if (!argv)
        fprintf(stderr, "'%s': %s\n", value, written.msg);
    assert(argv);
    for (size_t i = 0; argv[i]; i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_opts_ struct cima_opts *back = NULL;

        if (!streq(argv[i], option))
            continue;
        back = cima_opts_parse(argv[i + 1], implied, &err);
        assert(back);
        assert(streq0(cima_opts_get(back, key), value));
        break;
    }
    cima_strings_free(argv);
}

/* Every part is a command with valid JSON, or says why it is none. */
static void are_commands(const struct cima_cmdline *c)
{
    for (size_t i = 0; i < cima_cmdline_len(c); i++) {
        _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
        _cleanup_json_ struct json *args = NULL, *back = NULL;
        _cleanup_free_ char *text = NULL;
        const char *command = NULL;

        if (cima_cmdline_command(c, i, &command, &args, &e1) < 0) {
            assert(err_is_set(&e1) && !args);
            continue;
        }
        text = json_dump(args);
        back = json_parse(text, strlen(text), "arguments", &e2);
        assert(back && json_equal(args, back));
    }
}

static void as_device(struct cima_device d, const char *option, const char *implied,
                      const char *key, const char *value)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err err = ERR_INIT;

    if (cima_add_device(c, &d, &err) < 0) {
        assert(err_is_set(&err) && !cima_cmdline_len(c));
        return;
    }
    assert(!err_is_set(&err));
    is_read_back(c, option, implied, key, value);
    are_commands(c);
}

#define AS(KIND, name, option, implied, key, text, ...)                                            \
    as_device((struct cima_device){CIMA_DEVICE_##KIND,                                             \
                                   {.as_##name = &(struct cima_##name){__VA_ARGS__}}},             \
              option, implied, key, text)

static void as_fields(const char *t)
{
    AS(DISK, disk, "-blockdev", "driver", "file.filename", t, .id = "d", .file = t,
       .format = "raw");
    AS(DISK, disk, "-drive", NULL, "file", t, .form = CIMA_DISK_DRIVE, .id = "d", .file = t,
       .format = "raw");
    AS(DISK, disk, "-blockdev", "driver", "driver", t, .id = "d", .file = "/f", .format = t);
    AS(DISK, disk, "-device", "driver", "driver", t, .id = "d", .file = "/f", .format = "raw",
       .driver = t);
    AS(DISK, disk, "-device", "driver", "serial", t, .id = "d", .file = "/f", .format = "raw",
       .serial = t);
    AS(9P, 9p, "-fsdev", "fsdriver", "path", t, .id = "f", .path = t, .mount_tag = "t",
       .security_model = "none");
    AS(9P, 9p, "-device", "driver", "mount_tag", t, .id = "f", .path = "/", .mount_tag = t,
       .security_model = "none");
    AS(CHARDEV, chardev, "-chardev", "backend", "path", t, .id = "c", .path = t, .server = true);
    AS(CHARDEV, chardev, "-chardev", "backend", "id", t, .id = t, .backend = CIMA_CHAR_NULL);
    AS(NET, net, "-netdev", "type", "ifname", t, .id = "n", .type = CIMA_NET_TAP, .ifname = t);
    AS(NET, net, "-device", "driver", "mac", t, .id = "n", .mac = t);
    AS(NET, net, "-netdev", "type", "hostname", t, .id = "n", .hostname = t);
    AS(VFIO, vfio, "-device", "driver", "host", t, .host = t);
    AS(DIMM, dimm, "-object", "qom-type", "mem-path", t, .kind = CIMA_DIMM_NVDIMM,
       .memory = {.kind = CIMA_MEMORY_FILE, .id = "m", .path = t, .size = 1});
    AS(VHOST_USER, vhost_user, "-device", "driver", "tag", t, .type = CIMA_VHOST_USER_FS, .id = "v",
       .chardev = "c", .socket_path = "/s", .tag = t);
    AS(BALLOON, balloon, "-device", "driver", "bus", t, .place = {.id = "b", .bus = t});
    AS(BALLOON, balloon, "-device", "driver", "driver", "virtio-balloon-pci",
       .place = {.id = "b", .addr = t});
    AS(BALLOON, balloon, "-device", "driver", "devno", t,
       .place = {.id = "b", .transport = CIMA_TRANSPORT_CCW, .devno = t});
    AS(VFIO, vfio, "-device", "driver", "sysfsdev", t, .kind = CIMA_VFIO_AP, .sysfsdev = t);
    AS(GPU, gpu, "-device", "driver", "driver", t, .model = t);
}

/* A machine that has the text everywhere: what is left of it can be written. */
static void as_machine(const char *t)
{
    const char *const list[] = {t, NULL};
    const struct cima_qmp_socket socket = {.id = t, .path = t};
    const struct cima_fw_cfg fw = {.name = t, .string = t};
    const struct cima_config config = {
        .identity = {.name = t, .uuid = t},
        .machine = {.type = t, .options = list, .accelerations = list},
        .cpu = {.model = t, .features = list},
        .qmp_sockets = &socket,
        .n_qmp_sockets = 1,
        .memory = {.size = 1 << 20, .file = t, .id = t},
        .rtc = {.base = t, .clock = t, .drift_fix = t},
        .globals = list,
        .vga = t,
        .display = t,
        .kernel = {.path = t, .params = t},
        .fw_cfg = &fw,
        .n_fw_cfg = 1,
        .incoming = {.how = CIMA_INCOMING_EXEC, .command = t},
    };
    struct cima_problems *problems = cima_problems_new();
    _cleanup_cmdline_ struct cima_cmdline *c = cima_config_cmdline(&config, problems, NULL);

    is_read_back(c, "-name", "guest", "guest", t);
    is_read_back(c, "-fw_cfg", NULL, "string", t);
    for (size_t i = 0; i < cima_problems_len(problems); i++)
        for (const char *m = cima_problems_at(problems, i)->message; *m; m++)
            assert((unsigned char)*m >= 0x20 && *m != 0x7f);
    cima_problems_free(problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    uint64_t n;

    round_trip(text);
    as_value(text);
    as_fields(text);
    as_machine(text);
    cima_parse_memory(text, &n, NULL);
    (void)qmp_usernet_port(text, 22);
    return 0;
}
