/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"

/* ---- flags ----------------------------------------------------------------------------------- */

/* An empty text is one that was not given, but for --accel, --arch and --networking, where it means
 * something. */
static char *text_of(const struct args *args, const char *name)
{
    const char *text = args_str(args, name);

    return str_empty(text) ? NULL : xstrdup(text);
}

static int bad_flag(const struct args *args, const char *name, const char *value, struct err *err)
{
    _cleanup_free_ char *why = err_is_set(err) ? err_message(err) : xstrdup("must be a number");
    _cleanup_free_ char *hint = xstrdup0(err->hint);

    err_clear(err);
    err_set(err, ERR_USAGE, "invalid argument \"%s\" for \"--%s\" flag: %s", value, name, why);
    return hint ? err_hint(err, "%s", hint) : args_hint_help(args, err);
}

static int number_of(const struct args *args, const char *name, uint64_t *ret, struct err *err)
{
    const char *text = args_str(args, name);

    if (!text || run_parse_number(text, ret) == 0)
        return 0;
    return bad_flag(args, name, text, err);
}

static int disks_of(const struct args *args, struct run_request *r, struct err *err)
{
    const struct strv *disks = args_all(args, "disk");

    for (size_t i = 0; i < disks->n; i++)
        if (run_request_add_disk(r, disks->v[i], err) < 0)
            return bad_flag(args, "disk", disks->v[i], err);
    return 0;
}

int cli_run_request(const struct args *args, struct run_request *ret, struct err *err)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;

    r.gui = args_flag(args, "gui");
    r.usb = args_flag(args, "usb");
    r.detached = args_flag(args, "detached");
    r.iso = args_flag(args, "iso");
    r.kernel = args_flag(args, "kernel");
    r.squashfs = args_flag(args, "squashfs");
    r.uefi = args_flag(args, "uefi");
    r.data = text_of(args, "data");
    r.data_file = text_of(args, "data-file");
    r.fw = text_of(args, "fw");
    r.state = text_of(args, "state");
    r.qemu = text_of(args, "qemu");
    r.virtiofsd = text_of(args, "virtiofsd");
    r.accel = xstrdup0(args_str(args, "accel"));
    r.arch = xstrdup0(args_str(args, "arch"));
    r.networking = xstrdup0(args_str(args, "networking"));
    strv_extend(&r.publish, args_all(args, "publish"));
    strv_extend(&r.devices, args_all(args, "device"));
    strv_extend(&r.virtiofs, args_all(args, "virtiofs"));
    r.image = xstrdup(args_pos(args, 0));
    if (number_of(args, "cpus", &r.cpus, err) < 0 || number_of(args, "mem", &r.mem, err) < 0 ||
        disks_of(args, &r, err) < 0)
        return -1;
    *ret = r;
    r = (struct run_request)RUN_REQUEST_INIT;
    return 0;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* The answers of QEMU about itself are kept where those for instances are; no home is needed. */
static char *cache_dir(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && *cache == '/')
        return path_join(cache, "cima");
    return home && *home == '/' ? xasprintf("%s/.cache/cima", home) : NULL;
}

static void tell_detached(const struct run_plan *p, pid_t pid)
{
    log_info("QEMU runs in the background; its console is written to '%s', and can be used at the "
             "socket '%s'",
             p->console_log, p->console_socket);
    log_info("`kill %d` ends it at once; the pid is kept in '%s'", (int)pid, p->pid_file);
    printf("%d\n", (int)pid);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_run_request_ struct run_request request = RUN_REQUEST_INIT;
    _cleanup_run_facts_ struct run_facts facts = {0};
    _cleanup_run_plan_ struct run_plan *plan = NULL;
    _cleanup_diags_ struct diags notes = DIAGS_INIT;
    _cleanup_free_ char *cache = cache_dir();
    pid_t pid = 0;

    (void)cli;
    if (cli_run_request(args, &request, err) < 0 ||
        run_facts_gather(&request, cache, &facts, err) < 0 ||
        run_plan_build(&request, &facts, &plan, &notes, err) < 0)
        return -1;
    for (size_t i = 0; i < notes.n; i++)
        cli_warn_diag(NULL, &notes.v[i]);
    if (run_execute(plan, &pid, err) < 0)
        return -1;
    if (plan->detached)
        tell_detached(plan, pid);
    return 0;
}

static const struct cli_positional positional[] = {
    {"IMAGE", VALUE_FILE, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "accel",
     .kind = VALUE_TEXT,
     .metavar = "LIST",
     .default_text = "kvm:tcg where KVM works",
     .help = "Choose acceleration mode. Use 'tcg' to disable it. When it is empty, "
             "LINUXKIT_QEMU_ACCEL counts"},
    {.name = "arch",
     .kind = VALUE_TEXT,
     .metavar = "ARCH",
     .default_text = "the host's",
     .help = "Type of architecture to use, e.g. x86_64, aarch64, s390x, riscv64"},
    {.name = "cpus",
     .kind = VALUE_TEXT,
     .metavar = "N",
     .default_text = "1",
     .help = "Number of CPUs"},
    {.name = "data",
     .kind = VALUE_TEXT,
     .metavar = "TEXT",
     .help = "String of metadata to pass to VM: the file `config` of a CD"},
    {.name = "data-file",
     .kind = VALUE_FILE,
     .metavar = "FILE",
     .help = "Path to file containing metadata to pass to VM"},
    {.name = "detached",
     .kind = VALUE_BOOL,
     .help = "Run QEMU in the background; its pid is printed, its console is written to "
             "console.log of the state directory"},
    {.name = "device",
     .kind = VALUE_TEXT,
     .metavar = "DEVICE",
     .help = "Add USB host device(s). Format driver[,prop=value][,...]: add device, like --device "
             "on the QEMU command line",
     .flags = OPTION_REPEAT},
    {.name = "disk",
     .kind = VALUE_TEXT,
     .metavar = "DISK",
     .help = "Disk config, may be repeated. [file=]path[,size=1G][,format=qcow2]",
     .flags = OPTION_REPEAT},
    {.name = "fw",
     .kind = VALUE_FILE,
     .metavar = "FILE",
     .default_text = "/usr/share/ovmf/bios.bin",
     .help = "Path to OVMF firmware for UEFI boot"},
    {.name = "gui",
     .kind = VALUE_BOOL,
     .help = "Set QEMU to use video output instead of stdio"},
    {.name = "iso", .kind = VALUE_BOOL, .help = "Boot image is an ISO"},
    {.name = "kernel",
     .kind = VALUE_BOOL,
     .help = "Boot image is kernel+initrd+cmdline: IMAGE-kernel, IMAGE-initrd.img, IMAGE-cmdline"},
    {.name = "mem",
     .kind = VALUE_TEXT,
     .metavar = "MB",
     .default_text = "1024",
     .help = "Amount of memory in MB"},
    {.name = "networking",
     .kind = VALUE_TEXT,
     .metavar = "MODE",
     .default_text = "user",
     .help = "Networking mode. Valid options are 'default', 'user', 'bridge,NAME', 'tap,NAME' and "
             "'none'. 'user' uses QEMU's userspace networking. 'bridge' connects to a preexisting "
             "bridge. 'tap' uses a preexisting tap device. 'none' disables networking"},
    {.name = "publish",
     .kind = VALUE_TEXT,
     .metavar = "HOST:GUEST[/PROTO]",
     .help = "Publish a VM's port(s) to the host",
     .flags = OPTION_REPEAT},
    {.name = "qemu",
     .kind = VALUE_FILE,
     .metavar = "PATH",
     .help = "Path to the QEMU binary (otherwise look in $PATH)"},
    {.name = "squashfs",
     .kind = VALUE_BOOL,
     .help = "Boot image is kernel+squashfs+cmdline: IMAGE-kernel, IMAGE-squashfs.img, "
             "IMAGE-cmdline"},
    {.name = "state",
     .kind = VALUE_DIR,
     .metavar = "DIR",
     .default_text = "IMAGE-state, when one is needed",
     .help = "Path to directory to keep VM state in: MAC address, disks, pid"},
    {.name = "uefi", .kind = VALUE_BOOL, .help = "Use UEFI boot"},
    {.name = "usb", .kind = VALUE_BOOL, .help = "Enable USB controller"},
    {.name = "virtiofs",
     .kind = VALUE_DIR,
     .metavar = "DIR",
     .help = "Directory shared on virtiofs, as virtiofs0, virtiofs1, …",
     .flags = OPTION_REPEAT},
    {.name = "virtiofsd",
     .kind = VALUE_FILE,
     .metavar = "PATH",
     .help = "Path to virtiofsd binary (otherwise look in $PATH and beside QEMU)"},
    {.name = NULL},
};

const struct command cmd_run = {
    .name = "run",
    .group = GROUP_ADVANCED,
    .summary = "Run the virtual machine image with qemu",
    .description =
        "Run the virtual machine image with QEMU, its console on this terminal. Nothing is "
        "installed, nothing becomes an instance; the flags are those of `linuxkit run qemu`.\n\n"
        "IMAGE is a disk image, an ISO (by its name or with --iso), or the first part of the names "
        "of IMAGE-kernel, IMAGE-initrd.img and IMAGE-cmdline, or IMAGE-squashfs.img for the "
        "initrd.\n\n"
        "All keys go to the guest. Ctrl-a x ends QEMU, Ctrl-a c changes between console and QEMU's "
        "monitor. The exit code is 0 when QEMU ended well, else 1.\n\n"
        "With --detached QEMU runs on in the background: `kill` ends it like a power cut, logging "
        "in at its console ends it well.",
    .examples = "cima run disk.qcow2\n"
                "cima run --mem 2048 --publish 2222:22 disk.qcow2\n"
                "cima run --disk size=10G --state vm install.iso\n"
                "cima run --arch aarch64 linuxkit\n"
                "cima run --detached --state vm disk.qcow2\n",
    .positional = positional,
    .options = options,
    .run = run,
};
