/* SPDX-License-Identifier: Apache-2.0 */
/* What `cima run` decides, in the order in which it decides (S0-17): data, image, disks, network,
 * programs, architecture, ports, files. Here things are refused; parts.c says it to QEMU. */
#include "run/internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include <errno.h>

void run_plan_free(struct run_plan *p)
{
    if (!p)
        return;
    cima_cmdline_free(p->cmdline);
    strv_release(&p->argv);
    for (size_t i = 0; i < p->n_steps; i++) {
        free(p->steps[i].path);
        free(p->steps[i].text);
        free(p->steps[i].from);
        free(p->steps[i].format);
        strv_release(&p->steps[i].argv);
    }
    free(p->steps);
    for (size_t i = 0; i < p->n_helpers; i++) {
        strv_release(&p->helpers[i].argv);
        free(p->helpers[i].socket);
        free(p->helpers[i].log);
    }
    free(p->helpers);
    free(p->state);
    free(p->accel);
    free(p->kvm_problem);
    free(p->console_socket);
    free(p->console_log);
    free(p->monitor_socket);
    free(p->qemu_log);
    free(p->pid_file);
    free(p);
}

struct run_step *run_plan_step(struct run_plan *p, enum run_step_kind kind, const char *path)
{
    GROW_ARRAY(p->steps, p->n_steps, p->cap_steps);
    p->steps[p->n_steps] = (struct run_step){.kind = kind, .path = xstrdup0(path)};
    return &p->steps[p->n_steps++];
}

static void decided_release(struct run_decided *d)
{
    free(d->net);
    free(d->net_name);
    free(d->ports);
    free(d->firmware);
}

static void note(struct run_decided *d, const char *fmt, ...) PRINTF_FORMAT(2, 3);
static void note(struct run_decided *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    diags_add(d->notes, DIAG_WARNING, NULL, "%s", text);
}

/* 0: it is there; else the errno of looking. */
static int error_of(const struct run_decided *d, const char *path)
{
    const struct run_file *file = run_facts_file(d->f, path);

    return file ? file->error : ENOENT;
}

/* ---- data and image -------------------------------------------------------------------------- */

static int check_data(struct run_decided *d)
{
    const struct run_request *r = d->r;

    if (r->data && r->data_file) {
        err_set(d->err, ERR_USAGE, "cannot specify both -data and -data-file");
        return err_hint(d->err, "--data TEXT is the metadata itself, --data-file FILE names a file "
                                "with it");
    }
    return 0;
}

static int no_image(struct run_decided *d, int error)
{
    const char *image = d->r->image;

    errno = error;
    if (error != ENOENT)
        return err_set_errno(d->err, ERR_IO, "Boot disk image %s can't be used", image);
    err_set_errno(d->err, ERR_NOT_FOUND, "Boot disk image %s does not exist", image);
    return err_hint(d->err, "IMAGE is a disk image, an ISO, or the first part of the names of "
                            "IMAGE-kernel, IMAGE-initrd.img and IMAGE-cmdline");
}

static int need_file(struct run_decided *d, const char *what, const char *suffix)
{
    _cleanup_free_ char *path = run_boot_path(d->r, suffix);
    int error = error_of(d, path);

    errno = error;
    return error ? err_set_errno(d->err, error == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s '%s'", what,
                                 path)
                 : 0;
}

static bool has_file(const struct run_decided *d, const char *suffix)
{
    _cleanup_free_ char *path = run_boot_path(d->r, suffix);

    return error_of(d, path) == 0;
}

/* How it boots: as the flags say, else by what is there (S0-23, S0-L2). */
static int choose_boot(struct run_decided *d)
{
    const struct run_request *r = d->r;
    int error = error_of(d, r->image);
    int named = r->iso + r->kernel + r->squashfs;

    if (named > 1)
        return err_set(d->err, ERR_USAGE, "only one of --iso, --kernel and --squashfs can be used");
    d->squashfs = r->squashfs || (!named && error && has_file(d, "kernel") &&
                                  has_file(d, "squashfs.img"));
    d->kernel = r->kernel || (!named && error && !d->squashfs && has_file(d, "kernel"));
    d->iso = r->iso || (!named && !error && str_ends(r->image, ".iso"));
    if (d->kernel || d->squashfs) {
        if (need_file(d, "kernel", "kernel") < 0)
            return -1;
        return d->kernel ? need_file(d, "initial ramdisk", "initrd.img")
                         : need_file(d, "root file system", "squashfs.img");
    }
    if (error)
        return no_image(d, error);
    if (run_facts_file(d->f, r->image)->directory)
        return no_image(d, EISDIR);
    return 0;
}

static int check_disk_flags(struct run_decided *d)
{
    for (size_t i = 0; i < d->r->n_disks; i++) {
        if (d->r->disks[i].path || d->r->disks[i].mib)
            continue;
        err_set(d->err, ERR_USAGE, "disk specified with no size or name");
        return err_hint(d->err, "for example --disk size=10G or --disk file=data.img");
    }
    return 0;
}

/* ---- network --------------------------------------------------------------------------------- */

static int net_lacks_name(struct run_decided *d)
{
    err_set(d->err, ERR_USAGE, "Not enough arguments for \"%s\" networking mode", d->net);
    return err_hint(d->err, "name the %s: --networking %s,NAME",
                    streq(d->net, "tap") ? "tap device" : "bridge", d->net);
}

static int choose_network(struct run_decided *d)
{
    static const char *const modes[] = {"default", "user", "bridge", "tap", "none"};
    const char *text = d->r->networking ? d->r->networking : "user";
    const char *comma = strchr(text, ',');

    if (!*text || streq(text, "default"))
        text = "user";
    d->net = comma ? xstrndup(text, (size_t)(comma - text)) : xstrdup(text);
    d->net_name = comma ? xstrdup(comma + 1) : NULL;
    if (streq(d->net, "user"))
        return 0;
    bool tap = streq(d->net, "tap"), bridge = streq(d->net, "bridge");
    if (!tap && !bridge && !streq(d->net, "none")) {
        const char *near = comma ? NULL : str_nearest(d->net, modes, ARRAY_SIZE(modes));

        err_set(d->err, ERR_USAGE, "Invalid networking mode: %s", d->net);
        return near ? err_hint(d->err, "did you mean '%s'?", near)
                    : err_hint(d->err, "it is one of user, bridge,NAME, tap,NAME and none");
    }
    /* An empty tap name lets the kernel choose one (S0-31); there is no such bridge. */
    if ((tap && !d->net_name) || (bridge && str_empty(d->net_name)))
        return net_lacks_name(d);
    if (!d->r->publish.n)
        return 0;
    err_set(d->err, ERR_USAGE, "Port publishing requires \"user\" networking mode");
    return err_hint(d->err, "leave out --networking or --publish");
}

/* QEMU would only say that it can't be done. */
static int check_port_once(struct run_decided *d, size_t i)
{
    const struct run_port *port = &d->ports[i];

    for (size_t k = 0; k < i; k++)
        if (d->ports[k].host == port->host && d->ports[k].udp == port->udp)
            return err_set(d->err, ERR_USAGE,
                           "the host's port %u/%s can be published once only: got '%s' and '%s'",
                           port->host, port->udp ? "udp" : "tcp", d->r->publish.v[k],
                           d->r->publish.v[i]);
    return 0;
}

static int choose_ports(struct run_decided *d)
{
    const struct strv *publish = &d->r->publish;

    d->ports = xcalloc(publish->n + 1, sizeof(*d->ports));
    for (size_t i = 0; i < publish->n; i++, d->n_ports++)
        if (run_parse_port(publish->v[i], &d->ports[i], d->err) < 0 || check_port_once(d, i) < 0)
            return err_wrap(d->err, "--publish");
    return 0;
}

/* ---- programs and architecture --------------------------------------------------------------- */

static int missing_program(struct run_decided *d, const char *name, const char *hint)
{
    if (strchr(name, '/'))
        err_set(d->err, ERR_NOT_FOUND, "Unable to find %s", name);
    else
        err_set(d->err, ERR_NOT_FOUND, "Unable to find %s within the $PATH", name);
    return err_hint(d->err, "%s", hint);
}

static int check_programs(struct run_decided *d)
{
    _cleanup_free_ char *name = run_qemu_name(d->r, d->f);

    if (!d->f->qemu)
        return missing_program(d, name,
                               d->r->qemu ? "--qemu names the program to run"
                                          : "install the QEMU of that architecture (Debian: "
                                            "qemu-system-x86, -arm or -misc), or name it: --qemu");
    if (!d->f->qemu_img)
        return missing_program(d, "qemu-img", "it comes with QEMU (Debian: qemu-utils)");
    if (d->r->virtiofs.n && !d->f->virtiofsd)
        return missing_program(d, d->r->virtiofsd ? d->r->virtiofsd : "virtiofsd",
                               "install virtiofsd, or name it: --virtiofsd");
    return 0;
}

/* As Go calls it, for S0-55. */
static const char *go_arch(enum arch a)
{
    static const char *const names[ARCH_COUNT] = {
        [ARCH_X86_64] = "amd64",    [ARCH_AARCH64] = "arm64", [ARCH_ARMV7L] = "arm",
        [ARCH_PPC64LE] = "ppc64le", [ARCH_RISCV64] = "riscv64", [ARCH_S390X] = "s390x",
    };

    return names[a];
}

static int choose_arch(struct run_decided *d)
{
    const char *name = run_arch_name(d->r, d->f);

    if (!name || arch_from_string(name, &d->arch) < 0 ||
        (d->arch != ARCH_X86_64 && d->arch != ARCH_AARCH64 && d->arch != ARCH_S390X &&
         d->arch != ARCH_RISCV64)) {
        err_set(d->err, ERR_UNSUPPORTED, "%s is an unsupported architecture.", name ? name : "");
        return err_hint(d->err, "--arch takes x86_64, aarch64, riscv64 and s390x");
    }
    d->foreign = !d->f->arch_known || d->arch != d->f->arch;
    if (d->foreign)
        run_plan_step(d->plan, RUN_STEP_SAY, NULL)->text =
            xasprintf("Disable acceleration as %s != %s", name,
                      d->f->arch_known ? go_arch(d->f->arch) : "this host");
    return 0;
}

/* ---- acceleration ---------------------------------------------------------------------------- */

/* Why KVM can't be had; NULL: it can. */
static const char *no_kvm(const struct run_decided *d)
{
    if (!d->f->kvm_usable)
        return d->f->kvm_reason ? d->f->kvm_reason : "there is no /dev/kvm that works";
    return d->f->no_kvm_in_qemu ? "this QEMU is built without it" : NULL;
}

/* Without --accel: S0-19 to S0-22, but a KVM that is there and does not work is not tried. */
static const char *default_accel(struct run_decided *d)
{
    const char *why = no_kvm(d);

    if (d->f->arch_known && d->f->arch == ARCH_S390X)
        return "kvm";
    if (why && d->f->kvm_there && !d->foreign)
        note(d, "KVM is not used: %s", why);
    return why ? "" : "kvm:tcg";
}

/* The list without KVM, which is there but would hang or die. */
static char *without_kvm(const char *list)
{
    _cleanup_strv_ struct strv in = STRV_INIT, out = STRV_INIT;

    strv_split(&in, list, ':');
    for (size_t i = 0; i < in.n; i++)
        if (!streq(in.v[i], "kvm"))
            strv_push(&out, in.v[i]);
    return strv_join(&out, ":");
}

static bool names_kvm(const char *list)
{
    _cleanup_strv_ struct strv in = STRV_INIT;

    strv_split(&in, list, ':');
    return strv_contains(&in, "kvm");
}

/* A flag that is not empty, its default included, wins over LINUXKIT_QEMU_ACCEL (S0-16). */
static void choose_accel(struct run_decided *d)
{
    const char *text = d->r->accel ? d->r->accel : default_accel(d), *why = no_kvm(d);

    if (!*text)
        text = d->f->accel_env;
    if (str_empty(text) || d->foreign)
        return;
    d->kvm_used = names_kvm(text) && !why;
    if (streq(text, "kvm") && why)
        d->plan->kvm_problem = xstrdup(why);
    else if (names_kvm(text) && why) {
        note(d, "KVM is not used: %s", why);
        if (d->f->kvm_there) {
            d->plan->accel = without_kvm(text);
            return;
        }
    }
    d->plan->accel = xstrdup(text);
}

/* ---- files ----------------------------------------------------------------------------------- */

static int check_disk_file(struct run_decided *d, size_t i)
{
    const struct run_disk *disk = &d->r->disks[i];
    _cleanup_free_ char *path = run_disk_path(d->r, i);
    const struct run_file *file = run_facts_file(d->f, path);
    int error = error_of(d, path);

    if (error == ENOENT && !disk->mib) {
        err_set(d->err, ERR_NOT_FOUND,
                "Error creating disk [%s] format %s: it does not exist, and no size is given", path,
                disk->format ? disk->format : "");
        return err_hint(d->err, "--disk file=%s,size=10G makes it", path);
    }
    errno = error == 0 && file && file->directory ? EISDIR : error;
    if (errno && errno != ENOENT)
        return err_set_errno(d->err, ERR_IO, "disk '%s'", path);
    return 0;
}

/* A guest that owns a raw disk can write the header of another format into it, and with that the
 * names of other files. The name tells what it was. */
static int check_raw_name(struct run_decided *d, const char *path)
{
    const struct run_file *file = run_facts_file(d->f, path);

    if (!file || !file->format || streq(file->format, "raw"))
        return 0;
    if (str_ends(path, ".raw")) {
        err_set(d->err, ERR_UNSUPPORTED, "'%s' is named as a raw disk, but its content is %s", path,
                file->format);
        return err_hint(d->err, "the guest may have written that; if you made it so, rename it");
    }
    if (file->has_backing)
        note(d, "'%s' reads from another file, which it names", path);
    return 0;
}

static int check_disk_files(struct run_decided *d)
{
    const struct run_request *r = d->r;

    if (!d->iso && !d->kernel && !d->squashfs && check_raw_name(d, r->image) < 0)
        return -1;
    for (size_t i = 0; i < r->n_disks; i++) {
        _cleanup_free_ char *path = run_disk_path(r, i);

        if (check_disk_file(d, i) < 0 ||
            (!r->disks[i].format && !r->disks[i].mib && check_raw_name(d, path) < 0))
            return -1;
    }
    return 0;
}

static int choose_firmware(struct run_decided *d)
{
    const char *path = d->r->fw ? d->r->fw : RUN_FIRMWARE;
    int error = error_of(d, path);

    if (!d->r->uefi)
        return 0;
    d->firmware_named = d->r->fw != NULL;
    if (error == ENOENT && !d->r->fw && d->f->firmware) {
        d->firmware = xstrdup(d->f->firmware);
        return 0;
    }
    if (error == ENOENT) {
        err_set(d->err, ERR_NOT_FOUND, "file [%s] does not exist, please ensure OVMF is installed",
                path);
        return err_hint(d->err, "install the firmware (Debian: ovmf, qemu-efi-aarch64), or name "
                                "the file: --fw");
    }
    errno = error;
    if (error)
        return err_set_errno(d->err, ERR_IO, "firmware '%s'", path);
    d->firmware = xstrdup(path);
    return 0;
}

static int check_shares(struct run_decided *d)
{
    for (size_t i = 0; i < d->r->virtiofs.n; i++) {
        const char *path = d->r->virtiofs.v[i];
        const struct run_file *file = run_facts_file(d->f, path);

        errno = !file ? ENOENT : file->error ? file->error : file->directory ? 0 : ENOTDIR;
        if (errno)
            return err_set_errno(d->err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                                 "--virtiofs: directory '%s'", path);
        /* Its option is a list: what is behind the comma would be another option. */
        if (d->f->virtiofsd_old && strchr(file->real ? file->real : path, ','))
            return err_set(d->err, ERR_UNSUPPORTED,
                           "--virtiofs: '%s' can't share a directory with a comma: '%s'",
                           d->f->virtiofsd, path);
    }
    return 0;
}

int run_plan_build(const struct run_request *r, const struct run_facts *f, struct run_plan **ret,
                   struct diags *notes, struct err *err)
{
    _cleanup_run_plan_ struct run_plan *plan = xcalloc(1, sizeof(*plan));
    _cleanup_(decided_release) struct run_decided d = {
        .r = r, .f = f, .plan = plan, .notes = notes, .err = err};

    plan->cmdline = cima_cmdline_new();
    plan->console_fd = plan->monitor_fd = -1;
    plan->gui = r->gui;
    plan->detached = r->detached;
    if (check_data(&d) < 0 || choose_boot(&d) < 0 || check_disk_flags(&d) < 0 ||
        choose_network(&d) < 0 || check_programs(&d) < 0 || choose_arch(&d) < 0 ||
        choose_ports(&d) < 0 || check_disk_files(&d) < 0 || choose_firmware(&d) < 0 ||
        check_shares(&d) < 0)
        return -1;
    choose_accel(&d);
    if (run_plan_machine(&d) < 0)
        return -1;
    *ret = TAKE_PTR(plan);
    return 0;
}
