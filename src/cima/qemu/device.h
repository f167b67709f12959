/* SPDX-License-Identifier: Apache-2.0 */
/* The things a machine is made of, each as one typed value. Every constructor returns a new struct
 * cima_opts; optional texts may be NULL. Ids connect them. Property names are those of QEMU's
 * manual (qemu(1)) and its QAPI schema, so that the same value can go to blockdev-add, device_add,
 * … */
#ifndef CIMA_QEMU_DEVICE_H
#define CIMA_QEMU_DEVICE_H

#include "cima/qemu/opts.h"

/* The bus that virtio devices of a machine sit on: the suffix of their names. */
enum cima_transport {
    CIMA_TRANSPORT_PCI,
    CIMA_TRANSPORT_CCW,
    CIMA_TRANSPORT_MMIO,
    CIMA_TRANSPORT_COUNT
};
/* "pci", "ccw", "device": static text. */
const char *cima_transport_to_string(enum cima_transport t);

/* A virtio device by the middle of its name: "net" gives virtio-net-pci. */
struct cima_opts *cima_virtio(enum cima_transport t, const char *kind);

/* ---- block ----------------------------------------------------------------------------------- */
struct cima_block {
    const char *node;   /* node-name */
    const char *format; /* always explicit: "qcow2", "raw", … (S02) */
    const char *path;   /* a plain file, whatever its name looks like */
    bool read_only;
    bool discard;       /* hand the guest's discards through */
    bool detect_zeroes; /* turn written zeroes into discards */
};
/* -blockdev, blockdev-add. */
struct cima_opts *cima_blockdev(const struct cima_block *b);
/* -device for a node; boot_index 0: none. */
struct cima_opts *cima_virtio_blk(enum cima_transport t, const char *node, int boot_index);
struct cima_opts *cima_virtio_scsi(enum cima_transport t, const char *id);
struct cima_opts *cima_scsi_cd(const char *bus, const char *node, int boot_index);
/* -drive of a flash chip: 0 is the firmware's code, 1 its variables. */
struct cima_opts *cima_pflash(int unit, const char *format, const char *path, bool read_only);
struct cima_opts *cima_ide_cd(const char *bus, const char *node, int boot_index);

/* ---- network --------------------------------------------------------------------------------- */
struct cima_netdev_user {
    const char *id, *net, *dhcp_start;
    const char *const *hostfwd; /* "tcp:127.0.0.1:0-:22", …, NULL; NULL: none */
};
struct cima_opts *cima_netdev_user(const struct cima_netdev_user *n);
/* A stream to a switch, over a connected socket that QEMU inherits. */
struct cima_opts *cima_netdev_socket_fd(const char *id, int fd);
struct cima_opts *cima_nic(enum cima_transport t, const char *netdev, const char *mac);

/* ---- character devices ----------------------------------------------------------------------- */
/* A server on a listening unix socket that QEMU inherits; never waits for a client. log_path NULL:
 * none. */
struct cima_opts *cima_chardev_listen_fd(const char *id, int fd, const char *log_path);
/* A client of a unix socket. */
struct cima_opts *cima_chardev_unix(const char *id, const char *path);
struct cima_opts *cima_virtio_serial(enum cima_transport t, const char *id, int max_ports);
struct cima_opts *cima_virtconsole(const char *id, const char *chardev);
struct cima_opts *cima_virtserialport(const char *chardev, const char *name);
struct cima_opts *cima_pci_serial(const char *chardev);
/* -mon in control mode. */
struct cima_opts *cima_monitor_qmp(const char *chardev);

/* ---- file systems ---------------------------------------------------------------------------- */
struct cima_fs_local {
    const char *id, *path;
    const char *security_model; /* none, passthrough, mapped-xattr, mapped-file */
    bool read_only;
    /* Files of two host file systems never share an inode number in the guest (QEMU 4.2 and later).
     */
    bool remap_inodes;
};
struct cima_opts *cima_fsdev_local(const struct cima_fs_local *f);
struct cima_opts *cima_virtio_9p(enum cima_transport t, const char *fsdev, const char *mount_tag);
struct cima_opts *cima_vhost_user_fs(enum cima_transport t, const char *chardev, const char *tag,
                                     int64_t queue_size);
/* RAM that helpers such as virtiofsd can map. */
struct cima_opts *cima_memory_memfd(const char *id, uint64_t bytes);

struct cima_opts *cima_usb_xhci(const char *id);

/* ---- TPM, sound, display --------------------------------------------------------------------- */
struct cima_opts *cima_tpm_emulator(const char *id, const char *chardev);
/* driver: "tpm-crb", "tpm-tis-device", … */
struct cima_opts *cima_tpm_device(const char *driver, const char *tpmdev);
struct cima_opts *cima_audiodev(const char *driver, const char *id);
/* A device with an audiodev: "hda-output", "virtio-sound-pci". */
struct cima_opts *cima_sound(const char *driver, const char *audiodev);

#endif
