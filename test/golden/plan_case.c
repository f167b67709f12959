/* SPDX-License-Identifier: Apache-2.0 */
#include "golden/plan_case.h"
#include "base/fs.h"
#include "base/mem.h"
#include "driver/qemu/arch.h"
#include "driver/qemu/gather.h"
#include "driver/qemu/gather_disks.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define USER_HOME "/home/tester"
#define PREFIX    "/opt/qemu"
#define FIXTURES  "/fixtures"

static const struct {
    const char *symbol, *path;
} places[] = {
    {"@USERHOME@", USER_HOME},
    {"@BINDIR@", PREFIX "/bin"},
    {"@PREFIX@", PREFIX},
    {"@WORK@", "/work-dir"},
    {"@QCOW2@", FIXTURES "/a.qcow2"},
    {"@RAW@", FIXTURES "/a.raw"},
    {"@ISO@", FIXTURES "/a.iso"},
    {"@KERNEL@", FIXTURES "/kernel"},
    {"@INITRD@", FIXTURES "/initrd"},
    {"@FIRMWARE@", FIXTURES "/firmware.fd"},
};

void plan_result_release(struct plan_result *r)
{
    qemu_plan_free(r->plan);
    strv_release(&r->argv);
    diags_release(&r->notes);
    err_clear(&r->err);
}

/* Caller frees; consumes text. */
static char *replace_all(char *text, const char *from, const char *to)
{
    struct sbuf out = SBUF_INIT;
    const char *at = text, *hit;

    while ((hit = strstr(at, from))) {
        sbuf_add(&out, at, (size_t)(hit - at));
        sbuf_addstr(&out, to);
        at = hit + strlen(from);
    }
    sbuf_addstr(&out, at);
    free(text);
    return sbuf_detach(&out);
}

static char *home_of(const struct plan_case *c)
{
    const char *home = json_get_str(c->facts, "lima_home");

    return xstrdup(home ? home : USER_HOME "/.cima");
}

char *plan_case_symbols(const struct plan_case *c, const char *text)
{
    _cleanup_free_ char *home = home_of(c), *dir = path_join(home, c->instance);
    char *out = replace_all(xstrdup(text), dir, "@DIR@");

    out = replace_all(out, home, "@HOME@");
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        out = replace_all(out, places[i].path, places[i].symbol);
    return out;
}

static char *real_places(const char *text)
{
    char *out = xstrdup(text);

    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        out = replace_all(out, places[i].symbol, places[i].path);
    return out;
}

/* ---- the host of the case -------------------------------------------------------------------- */

/* facts: host_arch, host_cpus, host_memory, machine_id */
static void make_host(const struct json *facts, struct host_facts *h)
{
    const char *arch = json_get_str(facts, "host_arch"), *id = json_get_str(facts, "machine_id");
    const char *memory = json_get_str(facts, "host_memory");

    *h = (struct host_facts){.arch_known = true,
                             .uid = 1000,
                             .gid = 1000,
                             .user = xstrdup("tester"),
                             .gecos = xstrdup("Tester"),
                             .home = xstrdup(USER_HOME),
                             .hostname = xstrdup("host"),
                             .timezone = xstrdup("Etc/UTC"),
                             .temp_dir = xstrdup("/tmp")};
    if (!arch || arch_from_string(arch, &h->arch) < 0)
        h->arch = ARCH_X86_64;
    h->machine_id = xstrdup(id ? id : "0123456789abcdef0123456789abcdef");
    h->cpus = (unsigned)json_get_int(facts, "host_cpus", 4);
    if (!memory || parse_size(memory, &h->memory_bytes) < 0)
        h->memory_bytes = UINT64_C(16) << 30;
}

/* ---- firmware: real files in a scratch root -------------------------------------------------- */

static int touch(const char *root, const char *path, const char *content, struct err *err)
{
    _cleanup_free_ char *full = xasprintf("%s%s", root, path), *dir = path_dirname(full);

    if (dir_make(dir, 0755, err) < 0)
        return -1;
    return file_write_atomic(full, content, strlen(content), 0644, err);
}

/* facts: firmware_files (paths), files (path → content), instance_files (name → content) */
static int make_root(const struct plan_case *c, const char *root, const char *inst_dir,
                     struct err *err)
{
    const struct json *list = json_get(c->facts, "firmware_files");
    const struct json *files = json_get(c->facts, "files");
    const struct json *inst = json_get(c->facts, "instance_files");

    for (size_t i = 0; i < json_len(list); i++) {
        _cleanup_free_ char *path = real_places(json_str(json_at(list, i)));

        if (touch(root, path, "firmware\n", err) < 0)
            return -1;
    }
    for (void *it = json_iter(files); it; it = json_iter_next(files, it))
        if (touch(root, json_iter_key(it), json_str(json_iter_value(it)), err) < 0)
            return -1;
    for (void *it = json_iter(inst); it; it = json_iter_next(inst, it)) {
        _cleanup_free_ char *path = path_join(inst_dir, json_iter_key(it));

        if (touch(root, path, json_str(json_iter_value(it)), err) < 0)
            return -1;
    }
    return touch(root, FIXTURES "/firmware.fd", "firmware\n", err);
}

static int make_disk(const char *path, const char *format, uint64_t size, struct err *err)
{
    _cleanup_free_ char *dir = path_dirname(path);
    _cleanup_close_ int fd = -1;

    if (dir_make(dir, 0755, err) < 0)
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, streq0(format, "raw") ? (off_t)size : 0) < 0)
        return err_set_errno(err, ERR_IO, "making '%s' failed", path);
    return streq0(format, "raw") ? 0 : qcow2_create(fd, size, NULL, NULL, err);
}

/* ---- the plan -------------------------------------------------------------------------------- */

struct state {
    const struct plan_case *c;
    struct host_facts host;
    struct config config;
    struct instance inst;
    struct qemu_features features;
    struct qemu_firmware firmware;
    struct store store;
    struct qemu_plan_disk *disks;
    char root[32]; /* files of the host of the case are made in there; "": no such directory */
    struct strv env_args;
    char *home, *env_name, *program, *exe;
};

static void state_release(struct state *s)
{
    host_facts_release(&s->host);
    instance_release(&s->inst);
    qemu_features_release(&s->features);
    qemu_firmware_release(&s->firmware);
    qemu_plan_disks_free(s->disks, s->config.v.additional_disks_count);
    if (*s->root)
        dir_remove(s->root, NULL);
    strv_release(&s->env_args);
    free(s->home);
    config_release(&s->config);
    free(s->env_name);
    free(s->program);
    free(s->exe);
}

static int load_config(struct state *s, struct plan_result *r)
{
    _cleanup_free_ char *yaml = real_places(s->c->yaml);
    _cleanup_diags_ struct diags ignored = DIAGS_INIT;
    const struct config_input in = {.instance = {"case.yaml", yaml, strlen(yaml), NULL}};
    const struct config_context ctx = {.host = &s->host,
                                       .instance_name = s->inst.name,
                                       .instance_dir = s->inst.dir,
                                       .home_dir = s->home,
                                       .networks_yaml = json_get_str(s->c->facts, "networks_yaml")};

    /* Warnings about the YAML have tests of their own. */
    return config_load(&in, &ctx, &s->config, &ignored, &r->err);
}

/* facts.env: variables such as QEMU_SYSTEM_X86_64. Programs called qemu-system-… exist, and those of
 * facts.programs. */
static int choose_program(struct state *s, enum arch arch, struct err *err)
{
    const struct json *programs = json_get(s->c->facts, "programs");
    _cleanup_free_ char *value = NULL;
    bool found;

    s->env_name = qemu_env_name(arch);
    value = real_places(json_get_str(json_get(s->c->facts, "env"), s->env_name)
                            ? json_get_str(json_get(s->c->facts, "env"), s->env_name)
                            : "");
    s->program = qemu_program_name(s->env_name, value, arch, &s->env_args, err);
    if (!s->program)
        return -1;
    found = str_starts(path_basename(s->program), "qemu-system-");
    for (size_t i = 0; i < json_len(programs); i++)
        found |= streq0(json_str(json_at(programs, i)), path_basename(s->program));
    if (!found)
        return qemu_binary_missing(s->env_name, *value ? value : NULL, s->program, arch, err);
    s->exe = strchr(s->program, '/') ? xstrdup(s->program)
                                     : xasprintf("%s/bin/%s", PREFIX, s->program);
    return 0;
}

/* A file of the case's host, or a URL of facts.downloads. */
static int fetch_firmware(void *arg, const struct config_firmware_image *image, const char *to,
                          struct err *err)
{
    const struct state *s = arg;
    _cleanup_free_ char *path = xasprintf("%s%s", s->root, image->location);

    (void)to;
    if (!path_exists(path) && !json_get(json_get(s->c->facts, "downloads"), image->location))
        return err_set(err, ERR_NOT_FOUND, "'%s' does not exist", image->location);
    return 0;
}

static int find_firmware(struct state *s, struct plan_result *r)
{
    enum arch arch = config_arch(&s->config.v);
    const struct qemu_firmware_search search = {
        .root = s->root,
        .arch = arch,
        .home = USER_HOME,
        .exe = s->exe,
        .machine = qemu_features_machine(&s->features, qemu_arch(arch)->machine),
        .inst = &s->inst,
        .cfg = &s->config.v,
        .fetch = fetch_firmware,
        .fetch_arg = s};
    _cleanup_err_ struct err e = ERR_INIT;

    if (!qemu_plan_wants_firmware(&s->config.v) ||
        qemu_firmware_find(&search, &s->firmware, &r->notes, &e) == 0)
        return 0;
    /* As gather.c: the plan says whether it can do without. */
    return qemu_arch(arch)->starts_kernels ? 0 : err_move(&r->err, &e);
}

/* facts.data_disks: [name, format, size] */
static int find_disks(struct state *s, struct err *err)
{
    const struct json *list = json_get(s->c->facts, "data_disks");
    _cleanup_json_ struct json *formats = json_object_new();
    const struct qemu_disk_search search = {.root = s->root,
                                            .store = &s->store,
                                            .inst = &s->inst,
                                            .cfg = &s->config.v,
                                            .formats = formats};

    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *d = json_at(list, i);
        _cleanup_free_ char *dir = store_disk_dir(&s->store, json_str(json_at(d, 0)));
        _cleanup_free_ char *path = xasprintf("%s%s/datadisk", s->root, dir);
        uint64_t size = 0;

        if (parse_size(json_str(json_at(d, 2)), &size) < 0 ||
            make_disk(path, json_str(json_at(d, 1)), size, err) < 0)
            return -1;
    }
    return qemu_find_disks(&search, &s->disks, err);
}

/* The entry of images[] that would be taken. */
static const struct config_image *chosen_image(const struct config_instance *cfg)
{
    for (unsigned i = 0; i < cfg->images_count; i++)
        if (!cfg->images[i].arch || streq(cfg->images[i].arch, arch_to_string(config_arch(cfg))))
            return &cfg->images[i];
    return NULL;
}

static uint64_t size_fact(const struct json *facts, const char *name)
{
    const char *text = json_get_str(facts, name);
    uint64_t bytes = 0;

    if (text)
        parse_size(text, &bytes);
    return bytes;
}

/* facts: kvm, kvm_reason, machine, disk_size, disk_minimum, disk_asked, has_vars; virtiofsd, swtpm
 * (default there) */
static void make_input(struct state *s, struct qemu_plan_input *in)
{
    const struct json *facts = s->c->facts;
    const struct config_image *im = chosen_image(&s->config.v);
    const char *reason = json_get_str(facts, "kvm_reason");
    const char *virtiofsd = json_get_str(facts, "virtiofsd");
    const struct json *inst = json_get(facts, "instance_files");

    *in = (struct qemu_plan_input){
        .cfg = &s->config.v,
        .host = &s->host,
        .inst = &s->inst,
        .store = &s->store,
        .features = &s->features,
        .exe = s->exe,
        .env_args = &s->env_args,
        .env_name = s->env_name,
        .accel_env = json_get_str(json_get(facts, "env"), "CIMA_QEMU_ACCEL"),
        .kvm_usable = json_get_bool(facts, "kvm", false),
        .kvm_reason = reason ? reason : "/dev/kvm does not exist",
        .machine = json_get_str(facts, "machine"),
        .disk_format = "qcow2",
        .disk_size = size_fact(facts, "disk_size"),
        .disk_minimum = size_fact(facts, "disk_minimum"),
        .disk_asked = size_fact(facts, "disk_asked"),
        .has_vars = json_get_bool(facts, "has_vars", false),
        .ssh_port = s->c->ssh_port,
        .firmware = s->firmware.code ? &s->firmware : NULL,
        .swtpm = json_get_bool(facts, "swtpm", true) ? "/usr/bin/swtpm" : NULL,
        .disks = s->disks,
        .n_disks = s->config.v.additional_disks_count,
    };
    if (virtiofsd && streq(virtiofsd, "legacy"))
        in->virtiofsd_problem = "'/usr/lib/qemu/virtiofsd' does not know --version";
    else if (virtiofsd)
        in->virtiofsd = "/usr/libexec/virtiofsd";
    in->virtiofsd_read_only = json_get_bool(facts, "virtiofsd_read_only", false);
    in->has_kernel = json_get(inst, "kernel") != NULL;
    in->has_initrd = json_get(inst, "initrd") != NULL;
    in->has_iso = json_get(inst, "iso") != NULL;
    in->kernel_cmdline = json_get_str(inst, "kernel.cmdline");
    if (im) {
        in->has_iso |= str_ends(im->location, ".iso");
        in->has_kernel |= im->kernel.location != NULL;
        in->has_initrd |= im->initrd.location != NULL;
        if (!in->kernel_cmdline)
            in->kernel_cmdline = im->kernel.cmdline;
    }
}

static bool fails(const struct json *facts, const char *what)
{
    const struct json *list = json_get(json_get(facts, "qemu"), "fail");
    bool found = false;

    for (size_t i = 0; i < json_len(list); i++)
        found |= streq0(json_str(json_at(list, i)), what);
    return found;
}

/* The planner alone, from facts to argv. */
static int plan_often(const struct plan_case *c, const struct qemu_plan_input *in, struct err *err)
{
    for (unsigned i = 0; i < c->times; i++) {
        _cleanup_diags_ struct diags notes = DIAGS_INIT;
        struct qemu_plan *plan = NULL;
        struct timespec from, to;

        clock_gettime(CLOCK_MONOTONIC, &from);
        if (qemu_plan_build(in, &plan, &notes, err) < 0)
            return -1;
        clock_gettime(CLOCK_MONOTONIC, &to);
        qemu_plan_free(plan);
        c->timed((uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u + (uint64_t)to.tv_nsec -
                 (uint64_t)from.tv_nsec);
    }
    return 0;
}

static int run(struct state *s, struct plan_result *r)
{
    struct qemu_plan_input in;
    enum arch arch;

    s->home = home_of(s->c);
    s->store.home = s->home;
    s->inst = (struct instance){.name = xstrdup(s->c->instance),
                                .dir = path_join(s->home, s->c->instance)};
    make_host(s->c->facts, &s->host);
    if (load_config(s, r) < 0)
        return -1;
    arch = config_arch(&s->config.v);
    if (choose_program(s, arch, &r->err) < 0)
        return -1;
    if (plan_case_features(s->c->facts, arch, &s->features) < 0)
        return err_set(&r->err, ERR_INTERNAL, "no recorded features");
    if (fails(s->c->facts, "accel")) /* without it there is no session (probe.c) */
        return err_set(&r->err, ERR_QEMU, "asking '%s' what it can do failed: accelerators", s->exe);
    strcpy(s->root, "/tmp/cima-plan-XXXXXX");
    if (!mkdtemp(s->root)) {
        s->root[0] = '\0';
        return err_set_errno(&r->err, ERR_IO, "making a scratch directory failed");
    }
    if (make_root(s->c, s->root, s->inst.dir, &r->err) < 0 || find_firmware(s, r) < 0 ||
        find_disks(s, &r->err) < 0)
        return -1;
    make_input(s, &in);
    if (s->c->times && plan_often(s->c, &in, &r->err) < 0)
        return -1;
    return qemu_plan_build(&in, &r->plan, &r->notes, &r->err);
}

int plan_case_run(const struct plan_case *c, struct plan_result *r)
{
    struct state s = {.c = c, .config = CONFIG_INIT};
    int ret = run(&s, r);

    for (size_t i = 0; ret == 0 && i < r->plan->argv.n; i++)
        strv_push_consume(&r->argv, plan_case_symbols(c, r->plan->argv.v[i]));
    state_release(&s);
    return ret;
}
