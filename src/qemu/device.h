/* SPDX-License-Identifier: Apache-2.0 */
/* The things a machine is made of, each as one typed value. Every constructor returns a new struct
 * qemu_opts; optional texts may be NULL. Ids connect them. Property names are those of QEMU's
 * manual (qemu(1)) and its QAPI schema, so that the same value can go to blockdev-add, device_add,
 * … */
#ifndef CIMA_QEMU_DEVICE_H
#define CIMA_QEMU_DEVICE_H

#include "base/enum.h"
#include "qemu/opts.h"

/* The bus that virtio devices of a machine sit on: the suffix of their names. */
enum qemu_transport {
    QEMU_TRANSPORT_PCI,
    QEMU_TRANSPORT_CCW,
    QEMU_TRANSPORT_MMIO,
    QEMU_TRANSPORT_COUNT
};
ENUM_STRINGS_DECLARE(qemu_transport); /* "pci", "ccw", "device" */

/* A virtio device by the middle of its name: "net" gives virtio-net-pci. */
struct qemu_opts *qemu_virtio(enum qemu_transport t, const char *kind);

/* ---- block ----------------------------------------------------------------------------------- */
struct qemu_block {
    const char *node;   /* node-name */
    const char *format; /* always explicit: "qcow2", "raw", … (S02) */
    const char *path;   /* a plain file, whatever its name looks like */
    bool read_only;
    bool discard;       /* hand the guest's discards through */
    bool detect_zeroes; /* turn written zeroes into discards */
};
/* -blockdev, blockdev-add. */
struct qemu_opts *qemu_blockdev(const struct qemu_block *b);
/* -device for a node; boot_index 0: none. */
struct qemu_opts *qemu_virtio_blk(enum qemu_transport t, const char *node, int boot_index);
struct qemu_opts *qemu_virtio_scsi(enum qemu_transport t, const char *id);
struct qemu_opts *qemu_scsi_cd(const char *bus, const char *node, int boot_index);
/* -drive of a flash chip: 0 is the firmware's code, 1 its variables. */
struct qemu_opts *qemu_pflash(int unit, const char *format, const char *path, bool read_only);
struct qemu_opts *qemu_ide_cd(const char *bus, const char *node, int boot_index);

/* ---- network --------------------------------------------------------------------------------- */
struct qemu_netdev_user {
    const char *id, *net, *dhcp_start;
    const struct strv *hostfwd; /* "tcp:127.0.0.1:0-:22"; NULL: none */
};
struct qemu_opts *qemu_netdev_user(const struct qemu_netdev_user *n);
/* A stream to a switch, over a connected socket that QEMU inherits. */
struct qemu_opts *qemu_netdev_socket_fd(const char *id, int fd);
struct qemu_opts *qemu_nic(enum qemu_transport t, const char *netdev, const char *mac);

/* ---- character devices ----------------------------------------------------------------------- */
/* A server on a listening unix socket that QEMU inherits; never waits for a client. log_path NULL:
 * none. */
struct qemu_opts *qemu_chardev_listen_fd(const char *id, int fd, const char *log_path);
/* A client of a unix socket. */
struct qemu_opts *qemu_chardev_unix(const char *id, const char *path);
struct qemu_opts *qemu_virtio_serial(enum qemu_transport t, const char *id, int max_ports);
struct qemu_opts *qemu_virtconsole(const char *id, const char *chardev);
struct qemu_opts *qemu_virtserialport(const char *chardev, const char *name);
struct qemu_opts *qemu_pci_serial(const char *chardev);
/* -mon in control mode. */
struct qemu_opts *qemu_monitor_qmp(const char *chardev);

/* ---- file systems ---------------------------------------------------------------------------- */
struct qemu_fs_local {
    const char *id, *path;
    const char *security_model; /* none, passthrough, mapped-xattr, mapped-file */
    bool read_only;
    /* Files of two host file systems never share an inode number in the guest (QEMU 4.2 and later).
     */
    bool remap_inodes;
};
struct qemu_opts *qemu_fsdev_local(const struct qemu_fs_local *f);
struct qemu_opts *qemu_virtio_9p(enum qemu_transport t, const char *fsdev, const char *mount_tag);
struct qemu_opts *qemu_vhost_user_fs(enum qemu_transport t, const char *chardev, const char *tag,
                                     int64_t queue_size);
/* RAM that helpers such as virtiofsd can map. */
struct qemu_opts *qemu_memory_memfd(const char *id, uint64_t bytes);

struct qemu_opts *qemu_usb_xhci(const char *id);

/* ---- TPM, sound, display --------------------------------------------------------------------- */
struct qemu_opts *qemu_tpm_emulator(const char *id, const char *chardev);
/* driver: "tpm-crb", "tpm-tis-device", … */
struct qemu_opts *qemu_tpm_device(const char *driver, const char *tpmdev);
struct qemu_opts *qemu_audiodev(const char *driver, const char *id);
/* A device with an audiodev: "hda-output", "virtio-sound-pci". */
struct qemu_opts *qemu_sound(const char *driver, const char *audiodev);

#endif
