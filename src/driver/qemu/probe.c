/* SPDX-License-Identifier: Apache-2.0 */
/* One QMP session on a machine that has nothing (`-M none`): 70 to 130 ms, so its result is kept.
 */
#include "driver/qemu/features.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/arch.h"
#include "qemu/qemu.h"
#include "sys/clock.h"
#include "sys/spawn.h"
#include "qemu/qmp_message.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PROBE_MS       60000
#define CACHE_FORMAT   2
#define CACHE_FILE_MAX (4U << 20)
#define STDERR_MAX     4096

/* ---- the session ----------------------------------------------------------------------------- */

struct probe {
    struct child child;
    struct cima_qmp *qmp;
    int stderr_fd;
    int64_t until;
};

static int left_ms(const struct probe *p)
{
    int left = deadline_left(p->until);

    return left > 0 ? left : 1;
}

static int probe_begin(struct probe *p, const char *exe, struct err *err)
{
    const char *argv[] = {exe,        "-M",   "none", "-nodefaults", "-no-user-config",
                          "-display", "none", "-qmp", "stdio",       NULL};
    struct spawn s = SPAWN_INIT;
    int pair[2], r;

    p->stderr_fd = memfd_create("qemu-stderr", MFD_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set_errno(err, ERR_IO, "making a socket pair failed");
    s.argv = argv;
    s.stdin_fd = s.stdout_fd = pair[1];
    s.stderr_fd = p->stderr_fd;
    s.flags = SPAWN_DIE_WITH_PARENT | SPAWN_NO_CORE | SPAWN_NEW_GROUP;
    r = spawn_child(&s, &p->child, err);
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        return -1;
    }
    p->qmp = cima_qmp_new(pair[0], NULL, NULL, PROBE_MS, monotonic_ms());
    return cima_qmp_wait_ready(p->qmp, left_ms(p), err);
}

static void probe_end(struct probe *p)
{
    int status;

    cima_qmp_free(p->qmp);
    if (p->child.pid) {
        /* End of file on its monitor does not end it. */
        child_kill(&p->child, SIGKILL);
        child_wait(&p->child, -1, &status);
    }
    child_release(&p->child);
    if (p->stderr_fd >= 0)
        close(p->stderr_fd);
}

/* What it said on stderr, as detail of the error. */
static void add_stderr(struct probe *p, struct err *err)
{
    char buf[STDERR_MAX + 1];
    ssize_t n;
    int status;

    if (p->child.pid && child_wait(&p->child, 200, &status) == 1) {
        _cleanup_free_ char *how = wait_status_text(status);

        p->child.pid = 0;
        err_detail(err, how);
    }
    n = p->stderr_fd >= 0 ? pread(p->stderr_fd, buf, STDERR_MAX, 0) : -1;
    if (n > 0) {
        buf[n] = '\0';
        err_detail(err, buf);
    }
}

static int ask(struct probe *p, const char *command, struct json *args, struct json **ret,
               struct err *err)
{
    return cima_qmp_execute(p->qmp, command, args, left_ms(p), ret, err);
}

static struct json *one_arg(const char *key, const char *value)
{
    struct json *args = json_object_new();

    json_set_str(args, key, value);
    return args;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static int ask_version(struct probe *p, struct qemu_features *f, struct err *err)
{
    _cleanup_json_ struct json *r = NULL;
    unsigned v[3];

    if (ask(p, "query-version", NULL, &r, err) < 0)
        return -1;
    if (qmp_version(r, v) == 0) {
        f->version_known = true;
        f->version.major = v[0];
        f->version.minor = v[1];
        f->version.patch = v[2];
    }
    return 0;
}

static int ask_machines(struct probe *p, struct qemu_features *f, struct err *err)
{
    _cleanup_json_ struct json *r = NULL;
    size_t n;

    if (ask(p, "query-machines", NULL, &r, err) < 0)
        return -1;
    n = json_is_array(r) ? json_len(r) : 0;
    f->machines = xcalloc(n + 1, sizeof(*f->machines));
    for (size_t i = 0; i < n; i++) {
        const struct json *m = json_at(r, i);
        int64_t cpus = json_get_int(m, "cpu-max", 0);

        if (json_get_str(m, "name"))
            f->machines[f->n_machines++] = (struct qemu_machine_type){
                .name = xstrdup(json_get_str(m, "name")),
                .alias = xstrdup0(json_get_str(m, "alias")),
                .max_cpus = cpus > 0 && cpus < INT32_MAX ? (unsigned)cpus : 0,
            };
    }
    return 0;
}

/* Adds the names of a list of objects, without suffix where they have it. */
static void add_names(const struct json *list, const char *suffix, struct strv *ret)
{
    for (size_t i = 0; json_is_array(list) && i < json_len(list); i++) {
        const char *name = json_get_str(json_at(list, i), "name");
        size_t len = name ? strlen(name) : 0;

        if (!name)
            continue;
        if (suffix && str_ends(name, suffix))
            len -= strlen(suffix);
        else if (suffix)
            continue;
        if (len)
            strv_push_consume(ret, xstrndup(name, len));
    }
}

static int ask_types(struct probe *p, const char *implements, const char *suffix, struct strv *ret,
                     struct err *err)
{
    _cleanup_json_ struct json *r = NULL;
    struct json *args = one_arg("implements", implements);

    json_set_bool(args, "abstract", false);
    if (ask(p, "qom-list-types", args, &r, err) < 0)
        return -1;
    add_names(r, suffix, ret);
    return 0;
}

/* Some targets lack query-cpu-definitions (riscv64 in 7.2): then by the types' names. */
static int ask_cpus(struct probe *p, const struct qemu_arch *a, struct qemu_features *f,
                    struct err *err)
{
    _cleanup_err_ struct err ignored = ERR_INIT;
    _cleanup_json_ struct json *r = NULL;

    if (ask(p, "query-cpu-definitions", NULL, &r, &ignored) == 0) {
        add_names(r, NULL, &f->cpus);
        return 0;
    }
    return ask_types(p, "cpu", a->cpu_suffix, &f->cpus, err);
}

/* The object type of the schema whose variants are the members of a union. */
static const struct json *schema_entity(const struct json *schema, const char *name)
{
    for (size_t i = 0; name && json_is_array(schema) && i < json_len(schema); i++)
        if (streq0(json_get_str(json_at(schema, i), "name"), name))
            return json_at(schema, i);
    return NULL;
}

/* The types that netdev_add takes ("user", "socket", "stream", …): nothing else lists them. */
static void ask_netdevs(struct probe *p, struct qemu_features *f)
{
    _cleanup_err_ struct err ignored = ERR_INIT;
    _cleanup_json_ struct json *schema = NULL;
    const struct json *variants;

    if (ask(p, "query-qmp-schema", NULL, &schema, &ignored) < 0)
        return;
    variants = json_get(
        schema_entity(schema, json_get_str(schema_entity(schema, "netdev_add"), "arg-type")),
        "variants");
    for (size_t i = 0; json_is_array(variants) && i < json_len(variants); i++)
        if (json_get_str(json_at(variants, i), "case"))
            strv_push(&f->netdevs, json_get_str(json_at(variants, i), "case"));
}

static void ask_backends(struct probe *p, struct qemu_features *f)
{
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    _cleanup_json_ struct json *chardevs = NULL;

    if (ask(p, "query-chardev-backends", NULL, &chardevs, &e1) == 0)
        add_names(chardevs, NULL, &f->chardevs);
    ask_types(p, "user-creatable", NULL, &f->objects, &e2);
    ask_netdevs(p, f);
}

/* What a QEMU may lack without being useless: a refusal means no. */
static void ask_optional(struct probe *p, const struct qemu_arch *a, struct qemu_features *f)
{
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT, e3 = ERR_INIT;
    _cleanup_json_ struct json *sandbox = NULL, *props = NULL;
    const char *machine = qemu_features_machine(f, a->machine);
    struct json *netdev = one_arg("type", "user");

    if (ask(p, "query-command-line-options", one_arg("option", "sandbox"), &sandbox, &e1) == 0)
        f->sandbox = json_len(json_get(json_at(sandbox, 0), "parameters")) > 1;
    json_set_str(netdev, "id", "probe");
    f->netdev_user = ask(p, "netdev_add", netdev, NULL, &e2) == 0;
    if (machine) {
        _cleanup_free_ char *type = xasprintf("%s-machine", machine);

        if (ask(p, "qom-list-properties", one_arg("typename", type), &props, &e3) == 0)
            add_names(props, NULL, &f->machine_props);
    }
}

static int ask_all(struct probe *p, enum arch arch, struct qemu_features *f, struct err *err)
{
    const struct qemu_arch *a = qemu_arch(arch);

    if (ask_version(p, f, err) < 0 || ask_machines(p, f, err) < 0 ||
        ask_types(p, "accel", "-accel", &f->accels, err) < 0 || ask_cpus(p, a, f, err) < 0 ||
        ask_types(p, "device", NULL, &f->devices, err) < 0)
        return -1;
    ask_optional(p, a, f);
    ask_backends(p, f);
    return 0;
}

static int probe_binary(const char *exe, enum arch arch, struct qemu_features *ret, struct err *err)
{
    struct probe p = {.child = CHILD_INIT, .stderr_fd = -1, .until = deadline_in(PROBE_MS)};
    struct qemu_features f = QEMU_FEATURES_INIT;
    int r = probe_begin(&p, exe, err);

    if (r == 0)
        r = ask_all(&p, arch, &f, err);
    if (r < 0) {
        add_stderr(&p, err);
        err_wrap(err, "asking '%s' what it can do", exe);
        if (strcasestr(err->msg, strerror(ENOEXEC)) && !err->hint)
            err_hint(err, "it is no program for this machine: install QEMU for this architecture");
        qemu_features_release(&f);
    } else {
        *ret = f;
    }
    probe_end(&p);
    return r;
}

/* ---- the cache ------------------------------------------------------------------------------- */

/* What identifies the binary; NULL for a script: what it runs may change under it. */
static struct json *identity(const char *exe, enum arch arch)
{
    _cleanup_close_ int fd = open(exe, O_RDONLY | O_CLOEXEC);
    struct json *id;
    char magic[4];
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        pread(fd, magic, sizeof(magic), 0) != sizeof(magic) || memcmp(magic, "\177ELF", 4) != 0)
        return NULL;
    id = json_object_new();
    json_set_int(id, "format", CACHE_FORMAT);
    json_set_str(id, "path", exe);
    json_set_str(id, "arch", arch_to_string(arch));
    json_set_int(id, "device", (int64_t)st.st_dev);
    json_set_int(id, "inode", (int64_t)st.st_ino);
    json_set_int(id, "size", (int64_t)st.st_size);
    json_set_int(id, "mtime", (int64_t)st.st_mtim.tv_sec);
    json_set_int(id, "mtimeNs", (int64_t)st.st_mtim.tv_nsec);
    return id;
}

/* One file per path of a binary: "qemu-system-x86_64-0123456789abcdef.json". */
static char *cache_path(const char *cache_dir, const char *exe)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (const char *c = exe; *c; c++)
        h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    return xasprintf("%s/qemu-features/%s-%016" PRIx64 ".json", cache_dir, path_basename(exe), h);
}

static int cache_read(const char *path, const struct json *id, struct qemu_features *ret)
{
    _cleanup_err_ struct err ignored = ERR_INIT;
    _cleanup_free_ char *text = NULL;
    _cleanup_json_ struct json *j = NULL;
    size_t len;

    text = file_read(path, CACHE_FILE_MAX, &len, &ignored);
    if (!text)
        return -1;
    j = json_parse(text, len, path, &ignored);
    if (!json_equal(json_get(j, "binary"), id))
        return -1;
    return qemu_features_from_json(json_get(j, "features"), ret);
}

/* A cache that can't be written costs time, nothing else. */
static void cache_write(const char *path, struct json *id, const struct qemu_features *f)
{
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_json_ struct json *j = json_object_new();
    _cleanup_free_ char *text = NULL, *dir = path_dirname(path);

    json_set(j, "binary", json_ref(id));
    json_set(j, "features", qemu_features_to_json(f));
    text = json_dump(j);
    if (dir_make(dir, 0700, &e) < 0 || file_write_atomic(path, text, strlen(text), 0600, &e) < 0)
        log_debug("the features of QEMU are not kept: %s", e.msg);
}

int qemu_probe(const char *exe, enum arch arch, const char *cache_dir, struct qemu_features *ret,
               struct err *err)
{
    _cleanup_json_ struct json *id = cache_dir ? identity(exe, arch) : NULL;
    _cleanup_free_ char *path = id ? cache_path(cache_dir, exe) : NULL;

    if (id && cache_read(path, id, ret) == 0)
        return 0;
    if (probe_binary(exe, arch, ret, err) < 0)
        return -1;
    if (id)
        cache_write(path, id, ret);
    return 0;
}

/* ---- windows and sound ----------------------------------------------------------------------- */

/* `-display help`: a line that ends with ':', then one name per line. */
static void ask_help(const char *exe, const char *option, struct strv *ret)
{
    const char *argv[] = {exe, option, "help", NULL};
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_strv_ struct strv lines = STRV_INIT;
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    if (run_capture(&s, NULL, 65536, PROBE_MS, &r, &e) < 0 || wait_status_exit_code(r.status) != 0)
        return;
    strv_split(&lines, sbuf_str(&r.out), '\n');
    for (size_t i = 0; i < lines.n; i++) {
        const char *l = lines.v[i];

        if (*l && !strchr(l, ' ') && !strchr(l, ':'))
            strv_push(ret, l);
    }
}

void qemu_probe_desktop(const char *exe, struct qemu_features *f)
{
    ask_help(exe, "-display", &f->displays);
    ask_help(exe, "-audiodev", &f->audiodevs);
}
