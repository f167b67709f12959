/* SPDX-License-Identifier: Apache-2.0 */
/* The decided machine as parts of QEMU's command line, in the order of S0-49, and as steps. */
#include "run/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cima/qemu/machine.h"
#include <errno.h>
#include <inttypes.h>

/* Descriptors that QEMU inherits begin behind the standard ones. */
enum { CONSOLE_FD = 3, MONITOR_FD = 4 };

static void add_text(struct run_decided *d, const char *name, const char *text)
{
    cima_cmdline_text(d->plan->cmdline, name, text);
}

static void add_opts(struct run_decided *d, const char *name, struct cima_opts *o)
{
    cima_cmdline_opts(d->plan->cmdline, name, o);
}

static void add_number(struct run_decided *d, const char *name, uint64_t v)
{
    _cleanup_free_ char *text = xasprintf("%" PRIu64, v);

    add_text(d, name, text);
}

static struct run_step *add_step(struct run_decided *d, enum run_step_kind kind, const char *path)
{
    return run_plan_step(d->plan, kind, path);
}

/* A path that QEMU's programs take as one, not as an option or as PROTOCOL:… */
static char *plain_path(const char *path)
{
    return *path != '/' && (*path == '-' || strchr(path, ':')) ? xasprintf("./%s", path)
                                                               : xstrdup(path);
}

static enum cima_transport transport(const struct run_decided *d)
{
    return d->arch == ARCH_S390X ? CIMA_TRANSPORT_CCW : CIMA_TRANSPORT_PCI;
}

/* ---- state ----------------------------------------------------------------------------------- */

/* There is a state directory when it was asked for, or when something must lie somewhere. */
static void plan_state(struct run_decided *d)
{
    const struct run_request *r = d->r;

    if (!r->state && !r->data && !r->data_file && !r->virtiofs.n && !r->detached)
        return;
    d->plan->state = run_state_path(r);
    d->plan->state_holder = d->f->state_holder;
    add_step(d, RUN_STEP_DIR, d->plan->state);
    if (!r->state && !r->detached)
        return;
    d->plan->pid_file = path_join(d->plan->state, RUN_PID_FILE);
    add_text(d, "-pidfile", d->plan->pid_file);
}

/* ---- the board ------------------------------------------------------------------------------- */

static const char *machine_type(enum arch a)
{
    return a == ARCH_X86_64 ? "q35" : a == ARCH_S390X ? "s390-ccw-virtio" : "virt";
}

/* S0-52 to S0-60. An ARM host without KVM can't have `-cpu host`, nor its interrupt controller:
 * QEMU would refuse to start. */
static int plan_board(struct run_decided *d)
{
    struct run_plan *p = d->plan;
    bool arm = d->arch == ARCH_AARCH64;
    _cleanup_strv_ struct strv options = STRV_INIT;
    struct cima_machine machine = {.type = machine_type(d->arch)};
    struct cima_cpu cpu = {.model = NULL};

    if (arm && d->foreign)
        cpu.model = "cortex-a57";
    else if (arm)
        cpu.model = d->kvm_used || p->kvm_problem ? "host" : "max";
    if (p->accel && arm && (d->kvm_used || p->kvm_problem))
        strv_push(&options, "gic-version=host");
    if (p->accel) /* where linuxkit has it */
        strv_pushf(&options, "accel=%s", p->accel);
    if (d->r->virtiofs.n)
        strv_push(&options, "memory-backend=mem");
    machine.options = (const char *const *)strv_argv(&options);
    if (cima_add_cpu(p->cmdline, &cpu, d->err) < 0 ||
        cima_add_machine(p->cmdline, &machine, d->err) < 0)
        return -1;
    if (d->r->virtiofs.n)
        add_opts(d, "-object", cima_memory_memfd("mem", d->r->mem << 20));
    return 0;
}

static int plan_rng(struct run_decided *d)
{
    const struct cima_rng rng = {
        .place.transport = transport(d), .object = "rng0", .filename = "/dev/urandom"};

    return cima_add_rng(d->plan->cmdline, &rng, d->err);
}

/* What a process that emulates hardware needs not. A bridge is entered by a setuid helper; windows
 * bring along drivers that set their threads' priorities and start programs. */
static int plan_sandbox(struct run_decided *d)
{
    bool bridge = streq(d->net, "bridge"), window = d->r->gui;
    const struct cima_knobs knobs = {.no_user_config = true};
    const struct cima_sandbox s = {
        .on = d->f->sandbox,
        .deny_obsolete = d->f->sandbox,
        .deny_elevate_privileges = d->f->sandbox && !bridge,
        .deny_spawn = d->f->sandbox && !bridge && !window,
        .deny_resource_control = d->f->sandbox && !bridge && !window,
    };

    if (cima_add_knobs(d->plan->cmdline, &knobs, d->err) < 0)
        return -1;
    return cima_add_sandbox(d->plan->cmdline, &s, d->err);
}

/* ---- disks ----------------------------------------------------------------------------------- */

/* The file by its name alone, whatever the name looks like; the format where it is known
 * (B-FORMAT). */
static void add_drive(struct run_decided *d, const char *path, const char *format, size_t index,
                      const char *media)
{
    const struct run_file *file = run_facts_file(d->f, path);
    struct cima_opts *o = cima_opts_new(NULL, NULL);

    if (!format && file && !file->error)
        format = file->format;
    cima_opts_str(o, "file.driver", file && file->device ? "host_device" : "file");
    cima_opts_str(o, "file.filename", path);
    cima_opts_str(o, "format", format);
    cima_opts_int(o, "index", (int64_t)index);
    cima_opts_str(o, "media", media);
    add_opts(d, "-drive", o);
}

static void make_disk(struct run_decided *d, const char *path, const char *format, uint64_t mib)
{
    struct run_step *s = add_step(d, RUN_STEP_DISK, path);
    _cleanup_free_ char *plain = plain_path(path);

    s->format = xstrdup(format);
    strv_pushl(&s->argv, d->f->qemu_img, "create", "-f", format, plain, NULL);
    strv_pushf(&s->argv, "%" PRIu64 "M", mib);
}

/* S0-41 */
static void say_existing(struct run_decided *d, const char *path, const char *format)
{
    add_step(d, RUN_STEP_SAY, NULL)->text =
        xasprintf("Using existing disk [%s] format %s", path, format ? format : "");
}

/* The third place is that of the CD drive when it boots from one (S0-L2). */
static size_t disk_index(const struct run_decided *d, size_t i)
{
    return d->iso && i >= 2 ? i + 1 : i;
}

/* Returns the first place that is free for a CD: at least the third. */
static size_t plan_disks(struct run_decided *d)
{
    const struct run_request *r = d->r;
    size_t n = 0;

    if (d->squashfs) {
        _cleanup_free_ char *path = run_boot_path(r, "squashfs.img");

        add_drive(d, path, NULL, n++, "disk");
    } else if (!d->iso && !d->kernel) {
        say_existing(d, r->image, run_facts_file(d->f, r->image)->format);
        add_drive(d, r->image, NULL, n++, "disk");
    }
    for (size_t i = 0; i < r->n_disks; i++, n++) {
        const struct run_disk *disk = &r->disks[i];
        _cleanup_free_ char *path = run_disk_path(r, i);
        const struct run_file *file = run_facts_file(d->f, path);
        const char *format = disk->format ? disk->format : disk->mib ? "qcow2" : NULL;

        if (!file || file->error)
            make_disk(d, path, format ? format : "qcow2", disk->mib);
        else
            say_existing(d, path, format ? format : file->format);
        add_drive(d, path, format, disk_index(d, n), "disk");
    }
    if (d->iso)
        return n > 2 ? n + 1 : 3;
    return n > 2 ? n : 2;
}

static int plan_data(struct run_decided *d, size_t index)
{
    const struct run_request *r = d->r;
    const struct run_file *file = r->data_file ? run_facts_file(d->f, r->data_file) : NULL;
    _cleanup_free_ char *iso = NULL;

    if (!r->data && !r->data_file)
        return 0;
    if (r->data_file && (!file || file->error)) {
        errno = file ? file->error : ENOENT;
        return err_set_errno(d->err, ERR_NOT_FOUND, "--data-file: '%s'", r->data_file);
    }
    iso = path_join(d->plan->state, RUN_ISO_FILE);
    struct run_step *s = add_step(d, RUN_STEP_ISO, iso);
    if (r->data)
        s->text = xstrdup(r->data);
    else
        s->from = xstrdup(r->data_file);
    add_drive(d, iso, "raw", index, "cdrom");
    return 0;
}

static int plan_storage(struct run_decided *d)
{
    size_t cd = plan_disks(d);

    if (d->iso) {
        struct cima_opts *boot = cima_opts_new("order", "d");

        add_opts(d, "-boot", boot);
        add_drive(d, d->r->image, "raw", 2, "cdrom");
    }
    return plan_data(d, cd);
}

/* A system file is nobody's to write into; a file of the user's own keeps the guest's settings. */
static void plan_firmware(struct run_decided *d)
{
    const struct run_file *file = d->firmware ? run_facts_file(d->f, d->firmware) : NULL;
    bool own = d->firmware_named && file && file->writable && !str_starts(d->firmware, "/usr/");

    if (d->firmware)
        add_opts(d, "-drive", cima_pflash(0, "raw", d->firmware, !own));
}

/* ---- kernel ---------------------------------------------------------------------------------- */

/* IMAGE-cmdline without the line's end; NULL when there is none. */
static char *read_cmdline(struct run_decided *d)
{
    _cleanup_free_ char *path = run_boot_path(d->r, "cmdline");
    const struct run_file *file = run_facts_file(d->f, path);
    char *text, *end;

    if (!file || file->error || !file->text) {
        diags_add(d->notes, DIAG_WARNING, NULL, "Cannot open cmdline file: '%s': %s", path,
                  strerror(file && file->error ? file->error : EFBIG));
        return NULL;
    }
    text = xstrdup(file->text);
    for (end = text + strlen(text); end > text && (end[-1] == '\n' || end[-1] == '\r');)
        *--end = '\0';
    return text;
}

/* The line may be several, which cima_add_kernel refuses: a file of the user's, handed on. */
static void plan_kernel(struct run_decided *d)
{
    _cleanup_free_ char *kernel = run_boot_path(d->r, "kernel"),
                        *initrd = run_boot_path(d->r, "initrd.img"), *cmdline = NULL;

    if (!d->kernel && !d->squashfs)
        return;
    add_text(d, "-kernel", kernel);
    if (d->kernel)
        add_text(d, "-initrd", initrd);
    cmdline = read_cmdline(d);
    if (d->squashfs) {
        _cleanup_free_ char *root = xasprintf("%s%sroot=/dev/sda", cmdline ? cmdline : "",
                                              str_empty(cmdline) ? "" : " ");

        add_text(d, "-append", root);
    } else if (!str_empty(cmdline)) {
        add_text(d, "-append", cmdline);
    }
}

/* ---- network --------------------------------------------------------------------------------- */

static struct cima_opts *user_net(const struct run_decided *d)
{
    _cleanup_strv_ struct strv forwards = STRV_INIT;

    for (size_t i = 0; i < d->n_ports; i++)
        strv_pushf(&forwards, "%s::%u-:%u", d->ports[i].udp ? "udp" : "tcp", d->ports[i].host,
                   d->ports[i].guest);
    return cima_netdev_user(&(struct cima_netdev_user){
        .id = "t0", .hostfwd = (const char *const *)strv_argv(&forwards)});
}

static struct cima_opts *host_net(const struct run_decided *d)
{
    if (streq(d->net, "tap"))
        return cima_netdev_tap("t0", *d->net_name ? d->net_name : NULL);
    return cima_netdev_bridge("t0", d->net_name);
}

/* The address in the state directory, else a fresh one, which is kept there (S0-73, S0-L3). */
static char *choose_mac(struct run_decided *d)
{
    _cleanup_free_ char *path = d->r->state ? path_join(d->r->state, RUN_MAC_FILE) : NULL;
    const struct run_file *file = path ? run_facts_file(d->f, path) : NULL;
    uint8_t mac[6];

    if (!file || file->error == ENOENT || file->error == ENOTDIR) {
        if (path)
            add_step(d, RUN_STEP_MAC, path)->text = xstrdup(d->f->mac);
        return xstrdup(d->f->mac);
    }
    _cleanup_free_ char *text = xstrdup(file->text ? file->text : "");
    text[strcspn(text, " \t\r\n")] = '\0'; /* B-MAC-NEWLINE */
    if (!file->error && parse_mac(text, mac) == 0)
        return format_mac(mac);
    errno = file->error;
    if (file->error)
        err_set_errno(d->err, ERR_IO, "failed to read mac-addr file '%s'", path);
    else
        err_set(d->err, ERR_CONFIG, "failed to parse mac-addr file '%s': '%s' is no MAC address",
                path, text);
    err_hint(d->err, "remove the file to get a new address");
    return NULL;
}

static int plan_network(struct run_decided *d)
{
    _cleanup_free_ char *mac = NULL;

    if (streq(d->net, "none")) {
        add_text(d, "-net", "none");
        return 0;
    }
    mac = choose_mac(d);
    if (!mac)
        return -1;
    add_opts(d, "-device", cima_nic(transport(d), "t0", mac));
    add_opts(d, "-netdev", streq(d->net, "user") ? user_net(d) : host_net(d));
    return 0;
}

/* ---- console --------------------------------------------------------------------------------- */

static char *state_file(const struct run_decided *d, const char *name)
{
    return path_join(d->plan->state, name);
}

/* In the background: the serial port is a socket with a log, a monitor tells us when it is up. */
static void plan_detached(struct run_decided *d)
{
    struct run_plan *p = d->plan;

    p->console_fd = CONSOLE_FD;
    p->monitor_fd = MONITOR_FD;
    p->console_socket = state_file(d, "console.sock");
    p->console_log = state_file(d, "console.log");
    p->monitor_socket = state_file(d, "qmp.sock");
    p->qemu_log = state_file(d, "qemu.log");
    add_opts(d, "-chardev", cima_chardev_listen_fd("console", CONSOLE_FD, p->console_log));
    add_text(d, "-serial", "chardev:console");
    add_opts(d, "-chardev", cima_chardev_listen_fd("qmp", MONITOR_FD, NULL));
    add_opts(d, "-mon", cima_monitor_qmp("qmp"));
    if (d->r->gui)
        return;
    add_text(d, "-display", "none");
    add_text(d, "-parallel", "none");
}

static void plan_usb(struct run_decided *d)
{
    bool virt = d->arch == ARCH_AARCH64 || d->arch == ARCH_RISCV64;

    if (!d->r->usb)
        return;
    if (virt) /* its -usb brings no controller (B-USB-VIRT) */
        add_opts(d, "-device", cima_usb_xhci("usb"));
    else
        cima_cmdline_flag(d->plan->cmdline, "-usb");
}

/* S0-14, S0-77: the user's own text is handed on. */
static int plan_devices(struct run_decided *d)
{
    for (size_t i = 0; i < d->r->devices.n; i++) {
        const char *text = d->r->devices.v[i];

        if (*text != '{') {
            struct cima_opts *o = cima_opts_parse(text, "driver", d->err);

            if (!o)
                return err_wrap(d->err, "--device");
            cima_opts_free(o);
        }
        add_text(d, "-device", text);
    }
    return 0;
}

/* ---- shared directories ---------------------------------------------------------------------- */

static void plan_helper(struct run_decided *d, size_t i, const char *socket)
{
    struct run_plan *p = d->plan;
    const struct run_file *file = run_facts_file(d->f, d->r->virtiofs.v[i]);
    const char *dir = file && file->real ? file->real : d->r->virtiofs.v[i];
    _cleanup_free_ char *log = xasprintf("virtiofsd%zu.log", i);

    GROW_ARRAY(p->helpers, p->n_helpers, p->cap_helpers);
    struct run_helper *h = &p->helpers[p->n_helpers++];
    *h = (struct run_helper){.socket = xstrdup(socket), .log = state_file(d, log)};
    strv_push(&h->argv, d->f->virtiofsd);
    strv_pushf(&h->argv, "--socket-path=%s", socket);
    if (d->f->virtiofsd_old) {
        strv_push(&h->argv, "-o");
        strv_pushf(&h->argv, "source=%s", dir);
    } else {
        strv_pushf(&h->argv, "--shared-dir=%s", dir);
    }
}

static void plan_shares(struct run_decided *d)
{
    for (size_t i = 0; i < d->r->virtiofs.n; i++) {
        _cleanup_free_ char *id = xasprintf("char%zu", i), *tag = xasprintf("virtiofs%zu", i),
                            *socket = state_file(d, tag);

        plan_helper(d, i, socket);
        add_opts(d, "-chardev", cima_chardev_unix(id, socket));
        add_opts(d, "-device", cima_vhost_user_fs(transport(d), id, tag, 0));
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int complete(struct run_decided *d)
{
    char **words = cima_cmdline_argv(d->plan->cmdline, d->err);

    if (!words)
        return -1;
    strv_push(&d->plan->argv, d->f->qemu);
    for (size_t i = 0; words[i]; i++)
        strv_push(&d->plan->argv, words[i]);
    cima_strings_free(words);
    return 0;
}

int run_plan_machine(struct run_decided *d)
{
    add_number(d, "-smp", d->r->cpus);
    add_number(d, "-m", d->r->mem);
    add_text(d, "-uuid", d->f->uuid);
    plan_state(d);
    if (plan_board(d) < 0 || plan_sandbox(d) < 0 || plan_rng(d) < 0 || plan_storage(d) < 0)
        return -1;
    plan_firmware(d);
    plan_kernel(d);
    if (plan_network(d) < 0)
        return -1;
    if (d->r->detached)
        plan_detached(d);
    else if (!d->r->gui)
        cima_cmdline_flag(d->plan->cmdline, "-nographic");
    plan_shares(d);
    plan_usb(d);
    if (plan_devices(d) < 0)
        return -1;
    return complete(d);
}
