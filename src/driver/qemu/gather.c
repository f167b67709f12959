/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/gather.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/arch.h"
#include "driver/qemu/foreign.h"
#include "driver/qemu/gather_disks.h"
#include "sys/spawn.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define CMDLINE_MAX 65536

void qemu_facts_release(struct qemu_facts *f)
{
    free(f->exe);
    free(f->env_name);
    strv_release(&f->env_args);
    qemu_features_release(&f->features);
    qemu_firmware_release(&f->firmware);
    free(f->kvm_reason);
    free(f->kernel_cmdline);
    free(f->machine);
    free(f->disk_format);
    qemu_virtiofsd_release(&f->virtiofsd);
    qemu_plan_disks_free(f->disks, f->n_disks);
    free(f->swtpm);
    json_free(f->frozen);
    *f = (struct qemu_facts)QEMU_FACTS_INIT;
}

/* ---- the binary ------------------------------------------------------------------------------ */

char *qemu_env_name(enum arch arch)
{
    char *name = xasprintf("QEMU_SYSTEM_%s", qemu_arch(arch)->exe);

    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return name;
}

char *qemu_program_name(const char *env_name, const char *value, enum arch arch,
                        struct strv *ret_args, struct err *err)
{
    _cleanup_strv_ struct strv words = STRV_INIT;

    if (str_empty(value))
        return xasprintf("qemu-system-%s", qemu_arch(arch)->exe);
    if (strv_split_shell(&words, value) < 0 || words.n == 0) {
        err_set(err, ERR_USAGE, "failed to parse %s value '%s': unbalanced quotes or empty",
                env_name, value);
        return NULL;
    }
    for (size_t i = 1; i < words.n; i++)
        strv_push(ret_args, words.v[i]);
    return xstrdup(words.v[0]);
}

int qemu_binary_missing(const char *env_name, const char *value, const char *name, enum arch arch,
                        struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "the QEMU binary '%s' was not found or can't be executed", name);
    if (value)
        return err_hint(err, "the name comes from $%s", env_name);
    return err_hint(err, "install the package '%s', or set $%s to the path of the binary",
                    qemu_arch(arch)->package, env_name);
}

static int find_binary(struct qemu_facts *f, enum arch arch, struct err *err)
{
    _cleanup_free_ char *name =
        qemu_program_name(f->env_name, getenv(f->env_name), arch, &f->env_args, err);

    if (!name)
        return -1;
    f->exe = find_program(name);
    if (f->exe)
        return 0;
    if (strchr(name, '/') && path_exists(name)) {
        err_set(err, ERR_NOT_FOUND, "the QEMU binary '%s' can't be executed: %s", name,
                strerror(access(name, X_OK) < 0 ? errno : EACCES));
        return err_hint(err, "the name comes from $%s; is the file a program?", f->env_name);
    }
    return qemu_binary_missing(f->env_name, getenv(f->env_name), name, arch, err);
}

static int read_frozen(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err)
{
    _cleanup_json_ struct json *all = instance_facts_read(ctx->inst, err);
    struct json *mine;

    if (!all)
        return -1;
    mine = json_get(all, "qemu");
    f->frozen = json_is_object(mine) ? json_copy(mine) : json_object_new();
    f->machine = xstrdup0(json_get_str(f->frozen, "machine"));
    f->disk_format = xstrdup0(json_get_str(f->frozen, "diskFormat"));
    return 0;
}

int qemu_gather_binary(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err)
{
    enum arch arch = config_arch(ctx->cfg);
    const struct qemu_arch *a = qemu_arch(arch);

    f->env_name = qemu_env_name(arch);
    if (find_binary(f, arch, err) < 0 || read_frozen(ctx, f, err) < 0 ||
        qemu_probe(f->exe, arch, ctx->store->cache, &f->features, err) < 0)
        return -1;
    if (!f->machine) {
        f->machine = xstrdup0(qemu_features_machine(&f->features, a->machine));
        json_set_str(f->frozen, "machine", f->machine);
        f->frozen_changed = true;
    }
    f->in = (struct qemu_plan_input){.cfg = ctx->cfg,
                                     .host = ctx->host,
                                     .inst = ctx->inst,
                                     .store = ctx->store,
                                     .features = &f->features,
                                     .exe = f->exe,
                                     .env_args = &f->env_args,
                                     .env_name = f->env_name,
                                     .machine = f->machine};
    return 0;
}

/* ---- firmware -------------------------------------------------------------------------------- */

/* The pair that was chosen before, while its code is still there: the variables belong to it. */
static bool kept_firmware(struct qemu_facts *f)
{
    const char *code = json_get_str(f->frozen, "firmwareCode");
    const char *vars = json_get_str(f->frozen, "firmwareVars");
    const char *format = json_get_str(f->frozen, "firmwareFormat");

    if (!code || !path_exists(code))
        return false;
    f->firmware = (struct qemu_firmware){.code = xstrdup(code),
                                         .code_format = xstrdup(format ? format : "raw")};
    if (vars && path_exists(vars)) {
        f->firmware.vars = xstrdup(vars);
        f->firmware.vars_format = xstrdup(format ? format : "raw");
    }
    return true;
}

/* Variables that were made for a flash chip of another size: the new firmware could not use them.
 */
static bool vars_misfit(const char *vars, const char *template_)
{
    _cleanup_close_ int fd = open(vars, O_RDONLY | O_CLOEXEC);
    _cleanup_err_ struct err ignored = ERR_INIT;
    struct image_info info;
    struct stat st;

    if (!template_ || fd < 0 || stat(template_, &st) < 0 ||
        image_inspect_fd(fd, vars, &info, &ignored) < 0)
        return false;
    return info.virtual_size != (uint64_t)st.st_size;
}

static void keep_firmware(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes)
{
    _cleanup_free_ char *vars = instance_path(ctx->inst, INST_EFI_VARS);

    if (json_get_str(f->frozen, "firmwareCode") && vars_misfit(vars, f->firmware.vars)) {
        diags_add(notes, DIAG_WARNING, NULL,
                  "the firmware '%s' is gone; '%s' takes its place, with empty variables",
                  json_get_str(f->frozen, "firmwareCode"), f->firmware.code);
        f->vars_obsolete = true;
    }
    json_set_str(f->frozen, "firmwareCode", f->firmware.code);
    json_del(f->frozen, "firmwareVars");
    json_set_str(f->frozen, "firmwareVars", f->firmware.vars);
    json_set_str(f->frozen, "firmwareFormat", f->firmware.code_format);
    f->frozen_changed = true;
}

static void tell(void *arg, enum log_level level, const char *text)
{
    (void)arg;
    log_at(level, "%s", text);
}

static int fetch_firmware(void *arg, const struct config_firmware_image *image, const char *to,
                          struct err *err)
{
    const struct driver_ctx *ctx = arg;

    const struct image_report report = {.note = tell};

    return image_fetch_firmware(ctx->store, image->location, image->digest,
                                arch_to_string(config_arch(ctx->cfg)), ctx->inst->dir, &report, to,
                                err);
}

int qemu_gather_firmware(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes,
                         struct err *err)
{
    const struct qemu_firmware_search s = {.arch = config_arch(ctx->cfg),
                                           .home = ctx->host->home,
                                           .exe = f->exe,
                                           .machine = f->machine,
                                           .inst = ctx->inst,
                                           .cfg = ctx->cfg,
                                           .fetch = fetch_firmware,
                                           .fetch_arg = (void *)ctx};
    _cleanup_free_ char *own = instance_path(ctx->inst, INST_EFI_CODE);

    if (!qemu_plan_wants_firmware(ctx->cfg))
        return 0;
    if (path_exists(own) || !kept_firmware(f)) {
        _cleanup_err_ struct err e = ERR_INIT;

        if (qemu_firmware_find(&s, &f->firmware, notes, &e) < 0)
            return qemu_arch(config_arch(ctx->cfg))->starts_kernels && instance_has(ctx->inst, INST_KERNEL)
                       ? 0
                       : err_move(err, &e);
        if (!streq(f->firmware.code, own))
            keep_firmware(ctx, f, notes);
    }
    f->in.firmware = f->firmware.code ? &f->firmware : NULL;
    return 0;
}

/* ---- the directory --------------------------------------------------------------------------- */

/* Format and size of the disk. The format was kept at creation; a disk that Lima made is inspected
 * once, and then kept too: later its content belongs to the guest (S02). */
static int look_at_disk(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err)
{
    _cleanup_free_ char *path = qemu_disk_path(ctx->inst);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct image_info info;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        bool missing = errno == ENOENT;

        err_set_errno(err, missing ? ERR_STATE : ERR_IO, "opening the disk '%s' failed", path);
        if (missing && lstat(path, &st) == 0)
            return err_hint(err, "it is a link to a file that is not there: is its drive mounted?");
        return missing ? err_hint(err, "the instance is damaged: delete and create it again") : -1;
    }
    if (!f->disk_format) {
        f->disk_format = xstrdup0(qemu_disk_foreign_format(ctx->inst, fd, path, err));
        if (!f->disk_format)
            return -1;
        json_set_str(f->frozen, "diskFormat", f->disk_format);
        f->frozen_changed = true;
    }
    if (streq(f->disk_format, "raw")) {
        f->in.disk_size = (uint64_t)st.st_size;
    } else {
        if (qemu_disk_inspect(fd, path, &info, err) < 0)
            return -1;
        f->in.disk_size = info.virtual_size;
    }
    f->in.disk_format = f->disk_format;
    f->in.disk_minimum = (uint64_t)json_get_int(f->frozen, "diskMinimum", 0);
    f->in.disk_asked = (uint64_t)json_get_int(f->frozen, "diskAsked", 0);
    f->in.old_disk = qemu_disk_is_old(ctx->inst);
    f->in.old_iso = qemu_iso_is_old(ctx->inst);
    return 0;
}

/* What the machine boots was there once: without it the firmware would look for a boot loader, and
 * nobody would know why there is none. */
static int look_at_kernel(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err)
{
    static const struct {
        const char *fact;
        enum inst_file file;
    } files[] = {{"kernel", INST_KERNEL}, {"initrd", INST_INITRD}};

    for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
        _cleanup_free_ char *path = instance_path(ctx->inst, files[k].file);
        bool there = path_exists(path), known = json_get_bool(f->frozen, files[k].fact, false);

        if (known && !there) {
            err_set(err, ERR_STATE, "the %s of the instance is missing: '%s'", files[k].fact, path);
            return err_hint(err, "put the file back, or delete and create the instance again");
        }
        if (there && !known) {
            json_set_bool(f->frozen, files[k].fact, true);
            f->frozen_changed = true;
        }
    }
    f->in.has_kernel = instance_has(ctx->inst, INST_KERNEL);
    f->in.has_initrd = instance_has(ctx->inst, INST_INITRD);
    return 0;
}

int qemu_gather_disk(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err)
{
    f->in.cfg = ctx->cfg;
    return read_frozen(ctx, f, err) < 0 || look_at_disk(ctx, f, err) < 0 ? -1 : 0;
}

void qemu_keep_disk_asked(const struct driver_ctx *ctx, struct qemu_facts *f)
{
    uint64_t wanted = config_disk_bytes(ctx->cfg);

    if (f->in.disk_asked >= wanted)
        return;
    json_set_int(f->frozen, "diskAsked", (int64_t)wanted);
    f->frozen_changed = true;
}

static int read_cmdline(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err)
{
    _cleanup_free_ char *path = instance_path(ctx->inst, INST_KERNEL_CMDLINE);
    size_t len;

    if (!path_exists(path))
        return 0;
    f->kernel_cmdline = file_read(path, CMDLINE_MAX, &len, err);
    if (!f->kernel_cmdline)
        return -1;
    while (len && strchr("\r\n", f->kernel_cmdline[len - 1]))
        f->kernel_cmdline[--len] = '\0';
    f->in.kernel_cmdline = f->kernel_cmdline;
    return 0;
}

static void look_at_host(const struct driver_ctx *ctx, struct qemu_facts *f)
{
    f->in.accel_env = getenv("CIMA_QEMU_ACCEL");
    if (ctx->host->arch_known && ctx->host->arch == config_arch(ctx->cfg))
        f->in.kvm_usable = host_kvm_usable(&f->kvm_reason);
    f->in.kvm_reason = f->kvm_reason;
    if (ctx->cfg->tpm == TRI_TRUE)
        f->in.swtpm = f->swtpm = find_program("swtpm");
    if (qemu_plan_wants_desktop(ctx->cfg))
        qemu_probe_desktop(f->exe, &f->features);
}

static int look_at_disks(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err)
{
    const struct json *kept = json_get(f->frozen, "dataDisks");
    _cleanup_json_ struct json *formats =
        json_is_object(kept) ? json_copy(kept) : json_object_new();
    const struct qemu_disk_search s = {
        .store = ctx->store, .inst = ctx->inst, .cfg = ctx->cfg, .formats = formats};

    if (!ctx->cfg->additional_disks_count)
        return 0;
    if (qemu_find_disks(&s, &f->disks, err) < 0)
        return -1;
    for (unsigned i = 0; i < ctx->cfg->additional_disks_count; i++)
        log_info("Mounting disk '%s' on '/mnt/lima-%s'", ctx->cfg->additional_disks[i].name,
                 ctx->cfg->additional_disks[i].name);
    f->in.disks = f->disks;
    f->in.n_disks = f->n_disks = ctx->cfg->additional_disks_count;
    if (!kept || !json_equal(kept, formats)) {
        json_set(f->frozen, "dataDisks", TAKE_PTR(formats));
        f->frozen_changed = true;
    }
    return 0;
}

static void look_for_virtiofsd(const struct driver_ctx *ctx, struct qemu_facts *f)
{
    if (!ctx->cfg->mounts_count || !streq0(ctx->cfg->mount_type, "virtiofs"))
        return;
    qemu_find_virtiofsd("", ctx->host->home, f->exe, &f->virtiofsd);
    f->in.virtiofsd = f->virtiofsd.path;
    f->in.virtiofsd_problem = f->virtiofsd.problem;
    f->in.virtiofsd_read_only = f->virtiofsd.read_only;
}

int qemu_gather(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes,
                struct err *err)
{
    if (qemu_gather_binary(ctx, f, err) < 0 ||
        qemu_plan_check_version(&f->in, notes, err) < 0 || look_at_disk(ctx, f, err) < 0 ||
        look_at_kernel(ctx, f, err) < 0 || read_cmdline(ctx, f, err) < 0 ||
        qemu_gather_firmware(ctx, f, notes, err) < 0 || look_at_disks(ctx, f, err) < 0)
        return -1;
    look_for_virtiofsd(ctx, f);
    f->in.has_iso = instance_has(ctx->inst, INST_ISO) || f->in.old_iso;
    f->in.has_vars = instance_has(ctx->inst, INST_EFI_VARS) && !f->vars_obsolete;
    look_at_host(ctx, f);
    return 0;
}
