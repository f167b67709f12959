/* SPDX-License-Identifier: Apache-2.0 */
/* Disks, flash chips and SCSI controllers. */
#include "qemu/making.h"

/* ---- the host's side ------------------------------------------------------------------------- */

/* QEMU refuses native AIO through the page cache (B-AIO-NATIVE). */
static bool direct(const struct cima_disk *x)
{
    return x->cache_direct || (x->aio && streq(x->aio, "native"));
}

static void set_cache(struct cima_opts *o, const struct cima_disk *x)
{
    struct cima_opts *cache;

    if (!direct(x) && !x->cache_no_flush)
        return;
    cache = cima_opts_nested(o, "cache");
    set_flag(cache, "direct", direct(x));
    set_flag(cache, "no-flush", x->cache_no_flush);
}

/* The node with the file in it. The cache's way has to be said to both: the option of the outer one
 * is not handed on to a file that is described inside it. */
static void make_blockdev(struct making *m, const struct cima_disk *x)
{
    const struct cima_block b = {
        .node = x->id,
        .format = x->format ? x->format : "raw",
        .path = x->file,
        .read_only = x->read_only,
        .discard = x->discard == CIMA_ON,
        .detect_zeroes = x->detect_zeroes,
    };
    struct cima_opts *o = cima_blockdev(&b), *file = cima_opts_inner(o, "file");

    if (x->host_device)
        cima_opts_str(file, "driver", "host_device");
    cima_opts_str(file, "aio", x->aio);
    set_switch_text(m, file, "locking", "locking", x->locking);
    set_cache(file, x);
    set_cache(o, x);
    part(m, "-blockdev", o);
}

/* S2-23; a device is always there, so the interface is none (B-BLOCK-IF). */
static void make_drive(struct making *m, const struct cima_disk *x)
{
    struct cima_opts *o = cima_opts_new(NULL, NULL);

    cima_opts_str(o, "id", x->id);
    cima_opts_str(o, "if", "none");
    cima_opts_str(o, "file", x->file);
    cima_opts_str(o, "format", x->format);
    cima_opts_str(o, "aio", x->aio);
    set_cache(o, x);
    set_flag(o, "readonly", x->read_only);
    if (x->discard == CIMA_ON)
        cima_opts_str(o, "discard", "unmap");
    if (x->detect_zeroes)
        cima_opts_str(o, "detect-zeroes", x->discard == CIMA_ON ? "unmap" : "on");
    set_switch_text(m, o, "file.locking", "locking", x->locking);
    unwanted(m, x->host_device, "host_device", "is for the form blockdev only");
    part(m, "-drive", o);
}

static void check_disk(struct making *m, const struct cima_disk *x)
{
    need_id(m, "id", x->id);
    has_text(m, "driver", x->driver);
    need_text(m, "file", x->file);
    has_text(m, "format", x->format);
    has_word(m, "aio", x->aio, "threads|native|io_uring");
    has_id(m, "iothread", x->iothread);
    if ((unsigned)x->form >= CIMA_DISK_FORM_COUNT)
        fault(m, "form", "must be blockdev or drive");
    if (!x->format && x->form == CIMA_DISK_BLOCKDEV)
        fault(m, "format", "is missing");
    else if (!x->format)
        doubtful(m, "format", "is missing: QEMU would guess it from what the guest wrote");
    if (x->form == CIMA_DISK_BLOCKDEV && x->id && strlen(x->id) > 31)
        fault(m, "id", "must have at most 31 bytes");
    if ((unsigned)x->discard >= CIMA_SWITCH_COUNT)
        fault(m, "discard", "must be on or off");
}

/* ---- the guest's side ------------------------------------------------------------------------ */

static bool is_cd(const struct cima_disk *x)
{
    return x->driver && (streq(x->driver, "scsi-cd") || streq(x->driver, "ide-cd"));
}

/* "virtio-blk", "virtio-blk-pci", …: what has the options of virtio. */
static bool is_virtio(const struct cima_disk *x)
{
    return !x->driver || str_starts(x->driver, "virtio-blk");
}

static void set_block_size(struct making *m, struct cima_opts *o, const char *key,
                           const char *field, unsigned size)
{
    if (!size)
        return;
    if (size < 512 || size > 2u << 20 || size & (size - 1))
        fault(m, field, "must be a power of two from 512 to 2 MiB, got %u", size);
    else
        cima_opts_int(o, key, size);
}

static void set_virtio(struct making *m, struct cima_opts *o, const struct cima_disk *x)
{
    if (!is_virtio(x)) {
        unwanted(m, x->config_wce != CIMA_UNSET, "config_wce", "is for virtio-blk only");
        unwanted(m, x->iothread, "iothread", "is for virtio-blk only");
        unwanted(m, x->queues, "queues", "is for virtio-blk only");
        return;
    }
    set_switch(m, o, "config-wce", "config_wce", x->config_wce);
    cima_opts_str(o, "iothread", x->iothread);
    set_number(m, o, "num-queues", "queues", x->queues, 1024);
    if (x->serial && strlen(x->serial) > 20)
        fault(m, "serial", "must have at most 20 bytes");
}

static void make_disk_device(struct making *m, const struct cima_disk *x)
{
    struct cima_opts *o = cima_virtio_blk(x->place.transport, x->id, 0);
    /* What sits on a controller has its id there: it has a bus, no slot. */
    unsigned has = is_virtio(x)                            ? PLACE_PCI | PLACE_VIRTIO
                   : x->driver && streq(x->driver, "nvme") ? PLACE_PCI
                                                           : 0;

    if (x->driver)
        cima_opts_str(o, "driver", x->driver);
    set_place(m, o, &x->place, has | PLACE_BOOT);
    set_virtio(m, o, x);
    set_text(m, o, "serial", "serial", x->serial);
    set_switch_text(m, o, "write-cache", "write_cache", x->write_cache);
    set_flag(o, "share-rw", x->share_rw);
    set_block_size(m, o, "logical_block_size", "logical_block_size", x->logical_block_size);
    set_block_size(m, o, "physical_block_size", "physical_block_size", x->physical_block_size);
    part(m, "-device", o);
}

/* S2-21, S2-22. */
void make_disk(struct making *m, const struct cima_disk *x)
{
    struct cima_disk cd;

    making_name(m, "disk", x->id);
    if (!good_transport(m, &x->place))
        return;
    check_disk(m, x);
    if (m->failed)
        return;
    if (is_cd(x) && !x->read_only) {
        /* A drive of discs can't write. */
        cd = *x;
        cd.read_only = true;
        x = &cd;
    }
    if (x->form == CIMA_DISK_DRIVE)
        make_drive(m, x);
    else
        make_blockdev(m, x);
    make_disk_device(m, x);
}

void make_flash(struct making *m, const struct cima_flash *x)
{
    making_name(m, "flash chip", NULL);
    if (x->unit > 1)
        fault(m, "unit", "must be 0 (code) or 1 (variables), got %u", x->unit);
    need_text(m, "file", x->file);
    has_word(m, "format", x->format ? x->format : "", "raw|qcow2");
    if (!m->failed)
        part(m, "-drive", cima_pflash((int)x->unit, x->format, x->file, x->read_only));
}

void make_scsi_controller(struct making *m, const struct cima_scsi_controller *x)
{
    struct cima_opts *o;

    making_name(m, "SCSI controller", x->place.id);
    if (!good_transport(m, &x->place) || !need_id(m, "id", x->place.id))
        return;
    o = cima_virtio_scsi(x->place.transport, x->place.id);
    if (has_id(m, "iothread", x->iothread))
        cima_opts_str(o, "iothread", x->iothread);
    set_number(m, o, "num_queues", "queues", x->queues, 1024);
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO);
    part(m, "-device", o);
}

DEFINE_ADD(disk)
DEFINE_ADD(flash)
DEFINE_ADD(scsi_controller)
