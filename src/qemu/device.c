/* SPDX-License-Identifier: Apache-2.0 */
#include "qemu/device.h"
#include "base/mem.h"

static const char *const qemu_transport_names[] = {
    [QEMU_TRANSPORT_PCI] = "pci",
    [QEMU_TRANSPORT_CCW] = "ccw",
    [QEMU_TRANSPORT_MMIO] = "device",
};
ENUM_STRINGS_DEFINE(qemu_transport, QEMU_TRANSPORT_COUNT)

struct qemu_opts *qemu_virtio(enum qemu_transport t, const char *kind)
{
    _cleanup_free_ char *driver = xasprintf("virtio-%s-%s", kind, qemu_transport_to_string(t));

    return qemu_opts_new("driver", driver);
}

static void set_boot_index(struct qemu_opts *o, int boot_index)
{
    if (boot_index > 0)
        qemu_opts_int(o, "bootindex", boot_index);
}

/* ---- block ----------------------------------------------------------------------------------- */

struct qemu_opts *qemu_blockdev(const struct qemu_block *b)
{
    struct qemu_opts *o = qemu_opts_new("driver", b->format);
    struct qemu_opts *file;

    qemu_opts_str(o, "node-name", b->node);
    if (b->read_only)
        qemu_opts_bool(o, "read-only", true);
    if (b->discard)
        qemu_opts_str(o, "discard", "unmap");
    if (b->detect_zeroes)
        qemu_opts_str(o, "detect-zeroes", "unmap");
    file = qemu_opts_nested(o, "file");
    qemu_opts_str(file, "driver", "file");
    qemu_opts_str(file, "filename", b->path);
    if (b->read_only)
        qemu_opts_bool(file, "read-only", true);
    if (b->discard)
        qemu_opts_str(file, "discard", "unmap");
    return o;
}

struct qemu_opts *qemu_virtio_blk(enum qemu_transport t, const char *node, int boot_index)
{
    struct qemu_opts *o = qemu_virtio(t, "blk");

    qemu_opts_str(o, "drive", node);
    set_boot_index(o, boot_index);
    return o;
}

struct qemu_opts *qemu_virtio_scsi(enum qemu_transport t, const char *id)
{
    struct qemu_opts *o = qemu_virtio(t, "scsi");

    qemu_opts_str(o, "id", id);
    return o;
}

static struct qemu_opts *cd(const char *driver, const char *bus, const char *node, int boot_index)
{
    struct qemu_opts *o = qemu_opts_new("driver", driver);

    qemu_opts_str(o, "bus", bus);
    qemu_opts_str(o, "drive", node);
    set_boot_index(o, boot_index);
    return o;
}

struct qemu_opts *qemu_scsi_cd(const char *bus, const char *node, int boot_index)
{
    return cd("scsi-cd", bus, node, boot_index);
}

struct qemu_opts *qemu_pflash(int unit, const char *format, const char *path, bool read_only)
{
    struct qemu_opts *o = qemu_opts_new(NULL, NULL);

    qemu_opts_str(o, "if", "pflash");
    qemu_opts_int(o, "unit", unit);
    qemu_opts_str(o, "format", format);
    if (read_only)
        qemu_opts_bool(o, "readonly", true);
    qemu_opts_str(o, "file", path);
    return o;
}

struct qemu_opts *qemu_ide_cd(const char *bus, const char *node, int boot_index)
{
    return cd("ide-cd", bus, node, boot_index);
}

/* ---- network --------------------------------------------------------------------------------- */

struct qemu_opts *qemu_netdev_user(const struct qemu_netdev_user *n)
{
    struct qemu_opts *o = qemu_opts_new("type", "user");

    qemu_opts_str(o, "id", n->id);
    qemu_opts_str(o, "net", n->net);
    qemu_opts_str(o, "dhcpstart", n->dhcp_start);
    for (size_t i = 0; n->hostfwd && i < n->hostfwd->n; i++)
        qemu_opts_list(o, "hostfwd", n->hostfwd->v[i]);
    return o;
}

struct qemu_opts *qemu_netdev_socket_fd(const char *id, int fd)
{
    struct qemu_opts *o = qemu_opts_new("type", "socket");

    qemu_opts_str(o, "id", id);
    qemu_opts_int(o, "fd", fd);
    return o;
}

struct qemu_opts *qemu_nic(enum qemu_transport t, const char *netdev, const char *mac)
{
    struct qemu_opts *o = qemu_virtio(t, "net");

    qemu_opts_str(o, "netdev", netdev);
    qemu_opts_str(o, "mac", mac);
    return o;
}

/* ---- character devices ----------------------------------------------------------------------- */

struct qemu_opts *qemu_chardev_listen_fd(const char *id, int fd, const char *log_path)
{
    struct qemu_opts *o = qemu_opts_new("backend", "socket");

    qemu_opts_str(o, "id", id);
    qemu_opts_int(o, "fd", fd);
    qemu_opts_bool(o, "server", true);
    qemu_opts_bool(o, "wait", false);
    qemu_opts_str(o, "logfile", log_path);
    return o;
}

struct qemu_opts *qemu_chardev_unix(const char *id, const char *path)
{
    struct qemu_opts *o = qemu_opts_new("backend", "socket");

    qemu_opts_str(o, "id", id);
    qemu_opts_str(o, "path", path);
    return o;
}

struct qemu_opts *qemu_virtio_serial(enum qemu_transport t, const char *id, int max_ports)
{
    struct qemu_opts *o = qemu_virtio(t, "serial");

    qemu_opts_str(o, "id", id);
    qemu_opts_int(o, "max_ports", max_ports);
    return o;
}

struct qemu_opts *qemu_virtconsole(const char *id, const char *chardev)
{
    struct qemu_opts *o = qemu_opts_new("driver", "virtconsole");

    qemu_opts_str(o, "chardev", chardev);
    qemu_opts_str(o, "id", id);
    return o;
}

struct qemu_opts *qemu_virtserialport(const char *chardev, const char *name)
{
    struct qemu_opts *o = qemu_opts_new("driver", "virtserialport");

    qemu_opts_str(o, "chardev", chardev);
    qemu_opts_str(o, "name", name);
    return o;
}

struct qemu_opts *qemu_pci_serial(const char *chardev)
{
    struct qemu_opts *o = qemu_opts_new("driver", "pci-serial");

    qemu_opts_str(o, "chardev", chardev);
    return o;
}

struct qemu_opts *qemu_monitor_qmp(const char *chardev)
{
    struct qemu_opts *o = qemu_opts_new("chardev", chardev);

    qemu_opts_str(o, "mode", "control");
    return o;
}

/* ---- file systems ---------------------------------------------------------------------------- */

struct qemu_opts *qemu_fsdev_local(const struct qemu_fs_local *f)
{
    struct qemu_opts *o = qemu_opts_new("fsdriver", "local");

    qemu_opts_str(o, "id", f->id);
    qemu_opts_str(o, "path", f->path);
    qemu_opts_str(o, "security_model", f->security_model ? f->security_model : "none");
    if (f->remap_inodes)
        qemu_opts_str(o, "multidevs", "remap");
    if (f->read_only)
        qemu_opts_bool(o, "readonly", true);
    return o;
}

struct qemu_opts *qemu_virtio_9p(enum qemu_transport t, const char *fsdev, const char *mount_tag)
{
    struct qemu_opts *o = qemu_virtio(t, "9p");

    qemu_opts_str(o, "fsdev", fsdev);
    qemu_opts_str(o, "mount_tag", mount_tag);
    return o;
}

struct qemu_opts *qemu_vhost_user_fs(enum qemu_transport t, const char *chardev, const char *tag,
                                     int64_t queue_size)
{
    _cleanup_free_ char *driver = xasprintf("vhost-user-fs-%s", qemu_transport_to_string(t));
    struct qemu_opts *o = qemu_opts_new("driver", driver);

    if (queue_size > 0)
        qemu_opts_int(o, "queue-size", queue_size);
    qemu_opts_str(o, "chardev", chardev);
    qemu_opts_str(o, "tag", tag);
    return o;
}

struct qemu_opts *qemu_memory_memfd(const char *id, uint64_t bytes)
{
    struct qemu_opts *o = qemu_opts_new("qom-type", "memory-backend-memfd");

    qemu_opts_str(o, "id", id);
    qemu_opts_size(o, "size", bytes);
    qemu_opts_bool(o, "share", true);
    return o;
}

struct qemu_opts *qemu_usb_xhci(const char *id)
{
    struct qemu_opts *o = qemu_opts_new("driver", "qemu-xhci");

    qemu_opts_str(o, "id", id);
    return o;
}

/* ---- TPM, sound, display --------------------------------------------------------------------- */

struct qemu_opts *qemu_tpm_emulator(const char *id, const char *chardev)
{
    struct qemu_opts *o = qemu_opts_new("type", "emulator");

    qemu_opts_str(o, "id", id);
    qemu_opts_str(o, "chardev", chardev);
    return o;
}

struct qemu_opts *qemu_tpm_device(const char *driver, const char *tpmdev)
{
    struct qemu_opts *o = qemu_opts_new("driver", driver);

    qemu_opts_str(o, "tpmdev", tpmdev);
    return o;
}

struct qemu_opts *qemu_audiodev(const char *driver, const char *id)
{
    struct qemu_opts *o = qemu_opts_new("driver", driver);

    qemu_opts_str(o, "id", id);
    return o;
}

struct qemu_opts *qemu_sound(const char *driver, const char *audiodev)
{
    struct qemu_opts *o = qemu_opts_new("driver", driver);

    qemu_opts_str(o, "audiodev", audiodev);
    return o;
}
