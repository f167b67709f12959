/* SPDX-License-Identifier: Apache-2.0 */
/* Disks, CD-ROMs, kernel: what the machine boots from. */
#include "driver/qemu/plan_internal.h"
#include "base/mem.h"

#define SCSI_BUS "scsi0"

static void blockdev(struct builder *b, const char *node, const char *format, const char *path,
                     bool read_only)
{
    const struct cima_block block = {.node = node,
                                     .format = format,
                                     .path = path,
                                     .read_only = read_only,
                                     .discard = !read_only};

    cima_cmdline_opts(b->plan->cmdline, "-blockdev", cima_blockdev(&block));
}

static void device(struct builder *b, struct cima_opts *opts)
{
    cima_cmdline_opts(b->plan->cmdline, "-device", opts);
}

static bool is_windows(const struct builder *b)
{
    return streq0(b->in->cfg->os, "Windows");
}

/* A drive that an installer finds without drivers of ours; number: 0, 1, … */
static void cdrom(struct builder *b, const char *node, const char *path, int number, int boot_index)
{
    _cleanup_free_ char *ide_bus = xasprintf("ide.%d", number);

    blockdev(b, node, "raw", path, true);
    switch (b->arch->cd_bus) {
    case QEMU_CD_IDE:
        device(b, cima_ide_cd(ide_bus, node, boot_index));
        break;
    case QEMU_CD_SCSI:
        device(b, cima_scsi_cd(SCSI_BUS ".0", node, boot_index));
        break;
    case QEMU_CD_VIRTIO:
        device(b, cima_virtio_blk(b->arch->transport, node, boot_index));
        break;
    }
}

/* The seed: on a bus of its own, so that it is no /dev/vd* and not the installer's first CD. */
static void cidata(struct builder *b)
{
    _cleanup_free_ char *path = plan_path(b, INST_CIDATA_ISO);

    device(b, cima_virtio_scsi(b->arch->transport, SCSI_BUS));
    blockdev(b, "cidata", "raw", path, true);
    device(b, cima_scsi_cd(SCSI_BUS ".0", "cidata", 0));
}

static void boot_disk(struct builder *b, int boot_index)
{
    _cleanup_free_ char *path = plan_path(b, INST_DISK);

    blockdev(b, "boot-disk", b->in->disk_format, path, false);
    device(b, cima_virtio_blk(b->arch->transport, "boot-disk", boot_index));
}

static void installer(struct builder *b)
{
    _cleanup_free_ char *iso = plan_path(b, INST_ISO), *seed = plan_path(b, INST_CIDATA_ISO);

    cdrom(b, "iso", iso, 0, 1);
    if (is_windows(b)) /* knows no virtio before it is installed */
        cdrom(b, "cidata", seed, 1, 0);
    /* For firmware that does not look at boot indexes of such disks. */
    if (b->arch->cd_bus == QEMU_CD_VIRTIO) {
        struct cima_opts *boot = cima_opts_new(NULL, NULL);

        cima_opts_str(boot, "order", "d");
        plan_opts(b, "-boot", boot);
    }
}

static void data_disks(struct builder *b)
{
    for (size_t i = 0; i < b->in->n_disks; i++) {
        _cleanup_free_ char *node = xasprintf("data-disk-%zu", i);

        blockdev(b, node, b->in->disks[i].format, b->in->disks[i].path, false);
        device(b, cima_virtio_blk(b->arch->transport, node, 0));
        plan_step(b, QEMU_STEP_REMOVE, b->in->disks[i].lock);
        plan_step(b, QEMU_STEP_LINK, b->in->disks[i].lock)->from = xstrdup(b->in->inst->dir);
    }
}

static void kernel(struct builder *b)
{
    _cleanup_free_ char *image = plan_path(b, INST_KERNEL), *initrd = plan_path(b, INST_INITRD);

    if (!b->in->has_kernel)
        return;
    plan_text(b, "-kernel", image);
    if (!str_empty(b->in->kernel_cmdline))
        plan_text(b, "-append", b->in->kernel_cmdline);
    if (b->in->has_initrd)
        plan_text(b, "-initrd", initrd);
}

static uint64_t wanted_size(const struct qemu_plan_input *in)
{
    return (config_disk_bytes(in->cfg) + 511) / 512 * 512;
}

/* The image was larger than what the YAML says all along: its size is the least. */
static bool is_at_minimum(const struct qemu_plan_input *in)
{
    return in->disk_minimum && in->disk_size <= in->disk_minimum;
}

int qemu_plan_check_disk(const struct qemu_plan_input *in, struct err *err)
{
    uint64_t wanted = wanted_size(in), have = in->disk_size;

    /* What has grown since the YAML was last followed was enlarged by hand, and no wish to shrink
     * it (F36). */
    if (wanted >= have || is_at_minimum(in) || (in->disk_asked && wanted >= in->disk_asked))
        return 0;
    _cleanup_free_ char *from = format_size(have), *to = format_size(wanted);
    err_set(err, ERR_CONFIG,
            "field `disk` says %s, the disk has %s: disk shrinking is not supported", to, from);
    return err_hint(err, "set `disk: %s`", from);
}

/* A larger `disk:` makes the disk grow at the next start; a smaller one can't be done (SD-64). */
static int check_size(struct builder *b)
{
    uint64_t wanted = wanted_size(b->in), have = b->in->disk_size;
    _cleanup_free_ char *path = plan_path(b, INST_DISK), *from = format_size(have);
    _cleanup_free_ char *to = format_size(wanted);
    struct qemu_step *s;

    if (have == 0 || wanted == have)
        return 0;
    if (wanted < have) {
        if (qemu_plan_check_disk(b->in, b->err) < 0)
            return -1;
        if (!is_at_minimum(b->in))
            plan_note(b, "the disk was enlarged to %s, field `disk` says %s: it stays at %s", from,
                      to, from);
        return 0;
    }
    if (!streq(b->in->disk_format, "qcow2") && !streq(b->in->disk_format, "raw")) {
        plan_note(b, "the disk stays at %s: its format %s can't be resized", from,
                  b->in->disk_format);
        return 0;
    }
    plan_note(b, "Resize instance %s's disk from %s to %s", b->in->inst->name, from, to);
    s = plan_step(b, QEMU_STEP_GROW, path);
    s->format = xstrdup(b->in->disk_format);
    s->size = wanted;
    return 0;
}

/* The order matters: as long as `disk` is not there both are looked for again (SD-65). */
static void rename_old(struct builder *b)
{
    _cleanup_free_ char *iso = plan_path(b, INST_ISO), *disk = plan_path(b, INST_DISK);

    if (b->in->old_iso)
        plan_step(b, QEMU_STEP_LINK, iso)->from = xstrdup(inst_file_name(INST_OLD_BASE));
    if (b->in->old_disk)
        plan_step(b, QEMU_STEP_LINK, disk)->from = xstrdup(inst_file_name(INST_OLD_DIFF));
}

int plan_disks(struct builder *b)
{
    rename_old(b);
    if (check_size(b) < 0)
        return -1;
    if (b->arch->usb && plan_device(b, "arch", cima_usb_xhci("usb-bus")) < 0)
        return -1;
    if (b->in->has_iso) {
        if (!is_windows(b))
            cidata(b);
        boot_disk(b, 2);
        installer(b);
    } else {
        boot_disk(b, 1);
        cidata(b);
    }
    data_disks(b);
    kernel(b);
    return 0;
}
