/* SPDX-License-Identifier: Apache-2.0 */
#include "cima/qemu/device.h"
#include "base/mem.h"
#include "qemu/qemu.h"

static const char *const cima_transport_names[] = {
    [CIMA_TRANSPORT_PCI] = "pci",
    [CIMA_TRANSPORT_CCW] = "ccw",
    [CIMA_TRANSPORT_MMIO] = "device",
};

const char *cima_transport_to_string(enum cima_transport t)
{
    return (size_t)t < ARRAY_SIZE(cima_transport_names) ? cima_transport_names[t] : "?";
}

struct cima_opts *cima_virtio(enum cima_transport t, const char *kind)
{
    _cleanup_free_ char *driver = xasprintf("virtio-%s-%s", kind, cima_transport_to_string(t));

    return cima_opts_new("driver", driver);
}

static void set_boot_index(struct cima_opts *o, int boot_index)
{
    if (boot_index > 0)
        cima_opts_int(o, "bootindex", boot_index);
}

/* ---- block ----------------------------------------------------------------------------------- */

struct cima_opts *cima_blockdev(const struct cima_block *b)
{
    struct cima_opts *o = cima_opts_new("driver", b->format);
    struct cima_opts *file;

    cima_opts_str(o, "node-name", b->node);
    if (b->read_only)
        cima_opts_bool(o, "read-only", true);
    if (b->discard)
        cima_opts_str(o, "discard", "unmap");
    if (b->detect_zeroes)
        cima_opts_str(o, "detect-zeroes", "unmap");
    file = cima_opts_nested(o, "file");
    cima_opts_str(file, "driver", "file");
    cima_opts_str(file, "filename", b->path);
    if (b->read_only)
        cima_opts_bool(file, "read-only", true);
    if (b->discard)
        cima_opts_str(file, "discard", "unmap");
    return o;
}

struct cima_opts *cima_virtio_blk(enum cima_transport t, const char *node, int boot_index)
{
    struct cima_opts *o = cima_virtio(t, "blk");

    cima_opts_str(o, "drive", node);
    set_boot_index(o, boot_index);
    return o;
}

struct cima_opts *cima_virtio_scsi(enum cima_transport t, const char *id)
{
    struct cima_opts *o = cima_virtio(t, "scsi");

    cima_opts_str(o, "id", id);
    return o;
}

static struct cima_opts *cd(const char *driver, const char *bus, const char *node, int boot_index)
{
    struct cima_opts *o = cima_opts_new("driver", driver);

    cima_opts_str(o, "bus", bus);
    cima_opts_str(o, "drive", node);
    set_boot_index(o, boot_index);
    return o;
}

struct cima_opts *cima_scsi_cd(const char *bus, const char *node, int boot_index)
{
    return cd("scsi-cd", bus, node, boot_index);
}

struct cima_opts *cima_pflash(int unit, const char *format, const char *path, bool read_only)
{
    struct cima_opts *o = cima_opts_new(NULL, NULL);

    cima_opts_str(o, "if", "pflash");
    cima_opts_int(o, "unit", unit);
    cima_opts_str(o, "format", format);
    if (read_only)
        cima_opts_bool(o, "readonly", true);
    cima_opts_str(o, "file", path);
    return o;
}

struct cima_opts *cima_ide_cd(const char *bus, const char *node, int boot_index)
{
    return cd("ide-cd", bus, node, boot_index);
}

/* ---- network --------------------------------------------------------------------------------- */

struct cima_opts *cima_netdev_user(const struct cima_netdev_user *n)
{
    struct cima_opts *o = cima_opts_new("type", "user");

    cima_opts_str(o, "id", n->id);
    cima_opts_str(o, "net", n->net);
    cima_opts_str(o, "dhcpstart", n->dhcp_start);
    for (size_t i = 0; n->hostfwd && n->hostfwd[i]; i++)
        cima_opts_list(o, "hostfwd", n->hostfwd[i]);
    return o;
}

struct cima_opts *cima_netdev_socket_fd(const char *id, int fd)
{
    struct cima_opts *o = cima_opts_new("type", "socket");

    cima_opts_str(o, "id", id);
    cima_opts_int(o, "fd", fd);
    return o;
}

struct cima_opts *cima_netdev_stream_fd(const char *id, int fd)
{
    struct cima_opts *o = cima_opts_new("type", "stream"), *addr;

    cima_opts_str(o, "id", id);
    cima_opts_bool(o, "server", false);
    addr = cima_opts_nested(o, "addr");
    cima_opts_str(addr, "type", "fd");
    cima_opts_strf(addr, "str", "%d", fd);
    return o;
}

struct cima_opts *cima_netdev_tap(const char *id, const char *ifname)
{
    struct cima_opts *o = cima_opts_new("type", "tap");

    cima_opts_str(o, "id", id);
    cima_opts_str(o, "ifname", ifname);
    /* A word of QEMU's, no switch: it would run a program called off. */
    cima_opts_str(o, "script", "no");
    cima_opts_str(o, "downscript", "no");
    return o;
}

struct cima_opts *cima_netdev_bridge(const char *id, const char *bridge)
{
    struct cima_opts *o = cima_opts_new("type", "bridge");

    cima_opts_str(o, "id", id);
    cima_opts_str(o, "br", bridge);
    return o;
}

struct cima_opts *cima_nic(enum cima_transport t, const char *netdev, const char *mac)
{
    struct cima_opts *o = cima_virtio(t, "net");

    cima_opts_str(o, "netdev", netdev);
    cima_opts_str(o, "mac", mac);
    return o;
}

/* ---- character devices ----------------------------------------------------------------------- */

struct cima_opts *cima_chardev_listen_fd(const char *id, int fd, const char *log_path)
{
    struct cima_opts *o = cima_opts_new("backend", "socket");

    cima_opts_str(o, "id", id);
    cima_opts_int(o, "fd", fd);
    cima_opts_bool(o, "server", true);
    cima_opts_bool(o, "wait", false);
    cima_opts_str(o, "logfile", log_path);
    return o;
}

struct cima_opts *cima_chardev_unix(const char *id, const char *path)
{
    struct cima_opts *o = cima_opts_new("backend", "socket");

    cima_opts_str(o, "id", id);
    cima_opts_str(o, "path", path);
    return o;
}

struct cima_opts *cima_virtio_serial(enum cima_transport t, const char *id, int max_ports)
{
    struct cima_opts *o = cima_virtio(t, "serial");

    cima_opts_str(o, "id", id);
    cima_opts_int(o, "max_ports", max_ports);
    return o;
}

struct cima_opts *cima_virtconsole(const char *id, const char *chardev)
{
    struct cima_opts *o = cima_opts_new("driver", "virtconsole");

    cima_opts_str(o, "chardev", chardev);
    cima_opts_str(o, "id", id);
    return o;
}

struct cima_opts *cima_virtserialport(const char *chardev, const char *name)
{
    struct cima_opts *o = cima_opts_new("driver", "virtserialport");

    cima_opts_str(o, "chardev", chardev);
    cima_opts_str(o, "name", name);
    return o;
}

struct cima_opts *cima_pci_serial(const char *chardev)
{
    struct cima_opts *o = cima_opts_new("driver", "pci-serial");

    cima_opts_str(o, "chardev", chardev);
    return o;
}

struct cima_opts *cima_monitor_qmp(const char *chardev)
{
    struct cima_opts *o = cima_opts_new("chardev", chardev);

    cima_opts_str(o, "mode", "control");
    return o;
}

/* ---- file systems ---------------------------------------------------------------------------- */

struct cima_opts *cima_fsdev_local(const struct cima_fs_local *f)
{
    struct cima_opts *o = cima_opts_new("fsdriver", "local");

    cima_opts_str(o, "id", f->id);
    cima_opts_str(o, "path", f->path);
    cima_opts_str(o, "security_model", f->security_model ? f->security_model : "none");
    if (f->remap_inodes)
        cima_opts_str(o, "multidevs", "remap");
    if (f->read_only)
        cima_opts_bool(o, "readonly", true);
    return o;
}

struct cima_opts *cima_virtio_9p(enum cima_transport t, const char *fsdev, const char *mount_tag)
{
    struct cima_opts *o = cima_virtio(t, "9p");

    cima_opts_str(o, "fsdev", fsdev);
    cima_opts_str(o, "mount_tag", mount_tag);
    return o;
}

struct cima_opts *cima_vhost_user_fs(enum cima_transport t, const char *chardev, const char *tag,
                                     int64_t queue_size)
{
    _cleanup_free_ char *driver = xasprintf("vhost-user-fs-%s", cima_transport_to_string(t));
    struct cima_opts *o = cima_opts_new("driver", driver);

    if (queue_size > 0)
        cima_opts_int(o, "queue-size", queue_size);
    cima_opts_str(o, "chardev", chardev);
    cima_opts_str(o, "tag", tag);
    return o;
}

struct cima_opts *cima_memory_memfd(const char *id, uint64_t bytes)
{
    struct cima_opts *o = cima_opts_new("qom-type", "memory-backend-memfd");

    cima_opts_str(o, "id", id);
    cima_opts_size(o, "size", bytes);
    cima_opts_bool(o, "share", true);
    return o;
}

struct cima_opts *cima_memory_file(const char *id, uint64_t bytes, const char *path)
{
    struct cima_opts *o = cima_opts_new("qom-type", "memory-backend-file");

    cima_opts_str(o, "id", id);
    cima_opts_size(o, "size", bytes);
    cima_opts_str(o, "mem-path", path);
    cima_opts_bool(o, "share", true);
    return o;
}

struct cima_opts *cima_usb_xhci(const char *id)
{
    struct cima_opts *o = cima_opts_new("driver", "qemu-xhci");

    cima_opts_str(o, "id", id);
    return o;
}

/* ---- TPM, sound, display --------------------------------------------------------------------- */

struct cima_opts *cima_tpm_emulator(const char *id, const char *chardev)
{
    struct cima_opts *o = cima_opts_new("type", "emulator");

    cima_opts_str(o, "id", id);
    cima_opts_str(o, "chardev", chardev);
    return o;
}

struct cima_opts *cima_tpm_device(const char *driver, const char *tpmdev)
{
    struct cima_opts *o = cima_opts_new("driver", driver);

    cima_opts_str(o, "tpmdev", tpmdev);
    return o;
}

struct cima_opts *cima_audiodev(const char *driver, const char *id)
{
    struct cima_opts *o = cima_opts_new("driver", driver);

    cima_opts_str(o, "id", id);
    return o;
}

struct cima_opts *cima_sound(const char *driver, const char *audiodev)
{
    struct cima_opts *o = cima_opts_new("driver", driver);

    cima_opts_str(o, "audiodev", audiodev);
    return o;
}
