/* SPDX-License-Identifier: Apache-2.0 */
/* The things a machine is made of, each as one typed value, on two levels. Below are whole devices:
 * structs that are checked and become all parts of a device at once (cima_add_NAME). They are made
 * of the single parts that come first here, for those who connect parts themselves: every
 * constructor returns a new struct cima_opts, which cima_cmdline_opts takes over or cima_opts_free
 * frees; optional texts may be NULL. A value that can't be written is reported when the part
 * becomes text. Ids connect them. Property names are those of QEMU's manual (qemu(1)) and its QAPI
 * schema (qemu-qmp-ref(7)), so that the same value can go to blockdev-add, device_add, … */
#ifndef CIMA_QEMU_DEVICE_H
#define CIMA_QEMU_DEVICE_H

#include "cima/qemu/cmdline.h"

#ifdef __cplusplus
extern "C" {
#endif

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
/* -device virtio-scsi: its bus is "ID.0". */
struct cima_opts *cima_virtio_scsi(enum cima_transport t, const char *id);
/* -device scsi-cd on such a bus; boot_index 0: none. */
struct cima_opts *cima_scsi_cd(const char *bus, const char *node, int boot_index);
/* -drive of a flash chip: 0 is the firmware's code, 1 its variables. */
struct cima_opts *cima_pflash(int unit, const char *format, const char *path, bool read_only);
/* -device ide-cd on a bus of the machine ("ide.2"); boot_index 0: none. */
struct cima_opts *cima_ide_cd(const char *bus, const char *node, int boot_index);

/* ---- network --------------------------------------------------------------------------------- */
struct cima_netdev_user {
    const char *id, *net, *dhcp_start;
    const char *const *hostfwd; /* "tcp:127.0.0.1:0-:22", …, NULL; NULL: none */
};
/* -netdev user (netdev_add): a network of QEMU's own, without privileges. */
struct cima_opts *cima_netdev_user(const struct cima_netdev_user *n);
/* A stream to a switch, over a connected socket that QEMU inherits. */
struct cima_opts *cima_netdev_socket_fd(const char *id, int fd);
/* The same that also tells of the stream's end (QEMU 7.2). */
struct cima_opts *cima_netdev_stream_fd(const char *id, int fd);
/* A tap device by its name, without scripts; ifname NULL: a new one that the kernel names. */
struct cima_opts *cima_netdev_tap(const char *id, const char *ifname);
/* A tap on a bridge of the host, made by QEMU's setuid helper. */
struct cima_opts *cima_netdev_bridge(const char *id, const char *bridge);
/* -device virtio-net for a netdev; mac NULL: QEMU's choice. */
struct cima_opts *cima_nic(enum cima_transport t, const char *netdev, const char *mac);

/* ---- character devices ----------------------------------------------------------------------- */
/* A server on a listening unix socket that QEMU inherits; never waits for a client. log_path NULL:
 * none. */
struct cima_opts *cima_chardev_listen_fd(const char *id, int fd, const char *log_path);
/* A client of a unix socket. */
struct cima_opts *cima_chardev_unix(const char *id, const char *path);
/* -device virtio-serial: the controller of the ports below; max_ports with the reserved port 0. */
struct cima_opts *cima_virtio_serial(enum cima_transport t, const char *id, int max_ports);
/* -device virtconsole: hvc0, … in the guest. */
struct cima_opts *cima_virtconsole(const char *id, const char *chardev);
/* -device virtserialport: /dev/virtio-ports/NAME in the guest. */
struct cima_opts *cima_virtserialport(const char *chardev, const char *name);
/* -device pci-serial: a 16550 on a PCI card. */
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
/* -fsdev local: the back end of a 9p device. */
struct cima_opts *cima_fsdev_local(const struct cima_fs_local *f);
/* -device virtio-9p for an fsdev; the guest mounts it by its tag. */
struct cima_opts *cima_virtio_9p(enum cima_transport t, const char *fsdev, const char *mount_tag);
/* -device vhost-user-fs, served by a virtiofsd behind the character device; the memory has to be
 * shared. queue_size in requests, a power of two. */
struct cima_opts *cima_vhost_user_fs(enum cima_transport t, const char *chardev, const char *tag,
                                     int64_t queue_size);
/* -object memory-backend-memfd (object-add): RAM that helpers such as virtiofsd can map. */
struct cima_opts *cima_memory_memfd(const char *id, uint64_t bytes);
/* The same out of a file, or a directory for one that is gone with QEMU ("/dev/shm"). */
struct cima_opts *cima_memory_file(const char *id, uint64_t bytes, const char *path);

/* -device qemu-xhci: a controller for USB devices. */
struct cima_opts *cima_usb_xhci(const char *id);

/* ---- TPM, sound, display --------------------------------------------------------------------- */
/* -tpmdev emulator: a swtpm behind the character device. */
struct cima_opts *cima_tpm_emulator(const char *id, const char *chardev);
/* -device of a TPM for a tpmdev; driver: "tpm-crb", "tpm-tis-device", … */
struct cima_opts *cima_tpm_device(const char *driver, const char *tpmdev);
/* -audiodev; driver: "none", "pa", "pipewire", "alsa", … */
struct cima_opts *cima_audiodev(const char *driver, const char *id);
/* A device with an audiodev: "hda-output", "virtio-sound-pci". */
struct cima_opts *cima_sound(const char *driver, const char *audiodev);

/* ---- whole devices --------------------------------------------------------------------------- */
/* Each struct is one device with all its parts; a field that is zero is not said, and QEMU's
 * default applies. Texts are borrowed for the time of the call. cima_add_NAME checks the fields and
 * appends the parts, back ends first; or it appends nothing and says which field is wrong and what
 * is accepted ("config"). Ids begin with a letter and go on with letters, digits and "-._"; an id
 * that the command line has already is an error.
 *
 * Descriptors (fd, fds, …) are those of the caller, 0 for none; QEMU gets them by
 * cima_cmdline_inherit. */

enum cima_switch { CIMA_UNSET, CIMA_ON, CIMA_OFF, CIMA_SWITCH_COUNT };

/* What any device may have. */
struct cima_place {
    enum cima_transport transport; /* virtio and vhost-user devices only */
    const char *id;                /* what device_del names */
    const char *bus;               /* "pcie.0", "br0", "scsi0.0" */
    const char *addr;              /* PCI slot 0 to 31, or SLOT.FUNCTION: decimal; or as lspci
                                    * has it: "00:1f.2" */
    const char *devno;             /* ccw devices only: "fe.0.0001" */
    bool disable_modern;           /* virtio PCI devices only */
    bool iommu_platform;           /* virtio only: memory is reached by the platform's rules */
    const char *romfile;           /* PCI devices; CIMA_NO_ROM: none */
    int boot_index;                /* from 1; 0: none */
};
#define CIMA_NO_ROM "-"

/* ---- memory ---------------------------------------------------------------------------------- */
enum cima_memory_kind {
    CIMA_MEMORY_RAM,
    CIMA_MEMORY_FILE,
    CIMA_MEMORY_MEMFD,
    CIMA_MEMORY_EPC, /* pages of an SGX enclave: the machine's option sgx-epc.0.memdev names it */
    CIMA_MEMORY_KIND_COUNT
};
/* "memory-backend-ram", … (QEMU's names). */
const char *cima_memory_kind_to_string(enum cima_memory_kind k);
int cima_memory_kind_from_string(const char *name, enum cima_memory_kind *ret);

struct cima_memory_backend {
    enum cima_memory_kind kind;
    const char *id;
    uint64_t size;    /* bytes */
    const char *path; /* file only, and needed there: a file, or a directory of hugetlbfs */
    bool share, prealloc;
    bool read_only, pmem;  /* file only */
    uint64_t align;        /* file only; bytes, a power of two */
    uint64_t hugetlb_size; /* memfd only: pages of that size */
};

enum cima_dimm_kind { CIMA_DIMM_PC, CIMA_DIMM_NVDIMM, CIMA_DIMM_KIND_COUNT };
const char *cima_dimm_kind_to_string(enum cima_dimm_kind k); /* "pc-dimm", "nvdimm" */
int cima_dimm_kind_from_string(const char *name, enum cima_dimm_kind *ret);

/* A memory module with its memory. An nvdimm's is a file; the machine needs nvdimm=on, slots and
 * maxmem. */
struct cima_dimm {
    enum cima_dimm_kind kind;
    const char *id;
    struct cima_memory_backend memory;
    uint64_t label_size; /* nvdimm only */
    bool unarmed;        /* nvdimm only: the guest is not to rely on it; so it is with memory that
                          * is read only */
};

/* Memory that a running machine is given and takes back in small blocks; the machine needs maxmem.
 * qom-set changes "requested-size" of it. */
struct cima_virtio_mem {
    struct cima_place place; /* the id is needed */
    struct cima_memory_backend memory;
    uint64_t requested; /* bytes that the guest is to have now */
    uint64_t block;     /* bytes of a block, a power of two; 0: QEMU's */
};

/* ---- objects --------------------------------------------------------------------------------- */
struct cima_iothread {
    const char *id;
    int64_t poll_max_ns; /* 0: QEMU's */
};

/* A secret out of a file. One in the text of an argument could be read by every user. */
struct cima_secret {
    const char *id, *file;
    bool base64;
};

enum cima_protection_kind {
    CIMA_PROTECTION_SEV,
    CIMA_PROTECTION_SEV_SNP,
    CIMA_PROTECTION_TDX,
    CIMA_PROTECTION_S390_PV,
    CIMA_PROTECTION_PEF,
    CIMA_PROTECTION_KIND_COUNT
};
/* "sev-guest", "sev-snp-guest", "tdx-guest", "s390-pv-guest", "pef-guest". */
const char *cima_protection_kind_to_string(enum cima_protection_kind k);
int cima_protection_kind_from_string(const char *name, enum cima_protection_kind *ret);

/* How the guest's memory is kept from the host: the machine's option confidential-guest-support
 * names it. */
struct cima_protection {
    enum cima_protection_kind kind;
    const char *id;
    /* SEV and SEV-SNP: */
    unsigned c_bit, reduced_phys_bits; /* those of the host's processor; needed */
    bool has_policy;
    uint64_t policy;
    bool kernel_hashes;                      /* kernel, initrd and parameters are measured */
    const char *dh_cert_file, *session_file; /* SEV only */
};

enum cima_rng_source { CIMA_RNG_RANDOM, CIMA_RNG_BUILTIN, CIMA_RNG_SOURCE_COUNT };
struct cima_rng {
    struct cima_place place;
    const char *object; /* id of the source */
    enum cima_rng_source source;
    const char *filename; /* of RANDOM; NULL: QEMU's /dev/urandom */
    uint64_t max_bytes;   /* per period */
    uint64_t period;      /* milliseconds; 0: QEMU's, some 65 s */
};

/* ---- character devices ----------------------------------------------------------------------- */
enum cima_char_backend {
    CIMA_CHAR_SOCKET,
    CIMA_CHAR_PIPE,
    CIMA_CHAR_PTY,
    CIMA_CHAR_SERIAL,
    CIMA_CHAR_TTY, /* QEMU's old name of serial */
    CIMA_CHAR_PARALLEL,
    CIMA_CHAR_CONSOLE,
    CIMA_CHAR_STDIO,
    CIMA_CHAR_FILE,
    CIMA_CHAR_NULL,
    CIMA_CHAR_VC,
    CIMA_CHAR_RINGBUF,
    CIMA_CHAR_BACKEND_COUNT
};
const char *cima_char_backend_to_string(enum cima_char_backend b); /* "socket", … */
int cima_char_backend_from_string(const char *name, enum cima_char_backend *ret);

struct cima_chardev {
    const char *id;
    enum cima_char_backend backend;
    /* Of a socket: exactly one of path, fd and host with port. Of pipe, serial, tty, parallel and
     * file: the path. The others have none. */
    const char *path;
    int fd; /* a socket: a connected one, or with server a listening one */
    const char *host;
    uint16_t port;
    bool server;             /* socket: listens */
    bool wait;               /* server: QEMU waits for a client before the machine starts */
    unsigned reconnect;      /* socket, not server: seconds between attempts */
    bool append;             /* file: what is there stays */
    bool mux;                /* several front ends share it; not in a running machine */
    enum cima_switch signal; /* stdio: Ctrl-C ends QEMU */
    const char *logfile;
    enum cima_switch logappend;
};

enum cima_char_driver {
    CIMA_CHAR_VIRTCONSOLE,
    CIMA_CHAR_VIRTSERIALPORT,
    CIMA_CHAR_PCI_SERIAL,
    CIMA_CHAR_ISA_SERIAL,
    CIMA_CHAR_USB_SERIAL,
    CIMA_CHAR_DRIVER_COUNT
};
const char *cima_char_driver_to_string(enum cima_char_driver d); /* "virtconsole", … */
int cima_char_driver_from_string(const char *name, enum cima_char_driver *ret);

/* A port of the guest with its character device. */
struct cima_char_device {
    enum cima_char_driver driver;
    struct cima_place place;
    const char *name; /* virtserialport, virtconsole */
    unsigned nr;      /* the same; 0: QEMU's choice */
    struct cima_chardev chardev;
};

/* virtio-serial, the controller of such ports. */
struct cima_serial_controller {
    struct cima_place place; /* the id is needed */
    int max_ports;           /* 1 to 31; 0: QEMU's */
};

/* The machine's own serial port (-serial): the first one added is the first port. */
struct cima_legacy_serial {
    struct cima_chardev chardev;
    const char *chardev_id; /* instead: that of one which is there */
};

/* ---- file systems ---------------------------------------------------------------------------- */
enum cima_9p_driver {
    CIMA_9P_LOCAL,
    CIMA_9P_PROXY,  /* wants a socket; gone since QEMU 9.0 */
    CIMA_9P_HANDLE, /* gone since QEMU 4.0 */
    CIMA_9P_SYNTH,
    CIMA_9P_DRIVER_COUNT
};
/* QEMU's names: "local", "proxy", "handle", "synth". */
const char *cima_9p_driver_to_string(enum cima_9p_driver d);
int cima_9p_driver_from_string(const char *name, enum cima_9p_driver *ret);

struct cima_9p {
    struct cima_place place;
    const char *id; /* of the fsdev */
    enum cima_9p_driver driver;
    const char *path;           /* local: the directory */
    const char *socket;         /* proxy */
    const char *mount_tag;      /* at most 31 bytes */
    const char *security_model; /* none, passthrough, mapped-xattr, mapped-file; needed for local */
    const char *multidevs;      /* remap, forbid, warn */
    bool read_only;
};

/* ---- network --------------------------------------------------------------------------------- */
enum cima_net_type {
    CIMA_NET_USER,
    CIMA_NET_TAP,
    CIMA_NET_MACVTAP,
    CIMA_NET_BRIDGE,
    CIMA_NET_STREAM, /* a switch behind a stream socket (QEMU 7.2) */
    CIMA_NET_SOCKET, /* the same in older versions: by descriptor only */
    CIMA_NET_TYPE_COUNT
};
const char *cima_net_type_to_string(enum cima_net_type t); /* "user", "tap", "macvtap", … */
int cima_net_type_from_string(const char *name, enum cima_net_type *ret);

struct cima_net {
    enum cima_net_type type;
    const char *id;          /* of the network; the card's is place.id */
    struct cima_place place; /* of the card */
    const char *model;       /* NULL: virtio-net of the transport; "e1000e", … */
    const char *mac;
    unsigned mtu; /* what the guest is told */

    /* tap: ifname, or fds (one per queue). macvtap: fds, and ifname for those who read it. */
    const char *ifname;
    const int *fds;
    size_t n_fds;
    bool vhost;
    const int *vhost_fds; /* with vhost only: as many as fds */
    size_t n_vhost_fds;
    const char *script, *down_script; /* tap by ifname; "no": none */
    const char *bridge, *helper;      /* bridge */

    /* stream: path or one of fds. socket: one of fds. */
    const char *path;
    bool server;

    /* user */
    const char *net, *host, *dhcp_start, *dns, *hostname, *domain;
    const char *const *hostfwd, *const *dns_search; /* "tcp:127.0.0.1:0-:22", …, NULL */
    const char *tftp, *bootfile;
    bool restrict_guest; /* no way out */
    enum cima_switch ipv6;
};

/* ---- devices of another process -------------------------------------------------------------- */
enum cima_vhost_user_type {
    CIMA_VHOST_USER_NET,
    CIMA_VHOST_USER_SCSI,
    CIMA_VHOST_USER_BLK,
    CIMA_VHOST_USER_FS,
    CIMA_VHOST_USER_TYPE_COUNT
};
const char *cima_vhost_user_type_to_string(enum cima_vhost_user_type t); /* "net", "scsi", … */
int cima_vhost_user_type_from_string(const char *name, enum cima_vhost_user_type *ret);

/* The machine's memory has to be shared for it (cima_memory.share). */
struct cima_vhost_user {
    enum cima_vhost_user_type type;
    struct cima_place place;
    const char *id;          /* of the device; net: of the network. Needed for net and scsi */
    const char *chardev;     /* id of its character device */
    const char *socket_path; /* or a connected socket: */
    int fd;
    const char *mac;     /* net: needed */
    const char *tag;     /* fs: needed, at most 36 bytes */
    unsigned queues;     /* 0: QEMU's */
    unsigned queue_size; /* fs, blk */
};

enum cima_vfio_kind { CIMA_VFIO_PCI, CIMA_VFIO_CCW, CIMA_VFIO_AP, CIMA_VFIO_KIND_COUNT };
const char *cima_vfio_kind_to_string(enum cima_vfio_kind k); /* "pci", "ccw", "ap" */
int cima_vfio_kind_from_string(const char *name, enum cima_vfio_kind *ret);

struct cima_vfio {
    struct cima_place place;
    const char *host; /* pci: the address there, "0000:02:10.1"; or: */
    bool multifunction;
    enum cima_vfio_kind kind;
    const char *sysfsdev;          /* a device by its directory in /sys, such as a mediated one */
    const char *iommufd;           /* id of one that is there */
    uint16_t vendor_id, device_id; /* pci: what the guest sees; 0: the device's own */
};

/* How VFIO devices reach the host's IOMMU; several may share one. QEMU 9.0. */
struct cima_iommufd {
    const char *id;
    int fd; /* of /dev/iommu; 0: QEMU opens it */
};

/* ---- block ----------------------------------------------------------------------------------- */
enum cima_disk_form {
    CIMA_DISK_BLOCKDEV, /* can be plugged into a running machine */
    CIMA_DISK_DRIVE,
    CIMA_DISK_FORM_COUNT
};
struct cima_disk {
    enum cima_disk_form form;
    struct cima_place place;
    const char *id;     /* of the node */
    const char *driver; /* NULL: virtio-blk of the transport; "scsi-hd", "scsi-cd", "ide-cd", … */
    const char *file;
    const char *format; /* "qcow2", "raw", …: needed, or the guest could choose it */
    bool host_device;   /* the file is a block device (blockdev only) */
    bool read_only;
    const char *aio;             /* threads, native (adds cache.direct=on), io_uring */
    bool cache_direct;           /* around the host's page cache */
    bool cache_no_flush;         /* the guest's flushes are dropped */
    enum cima_switch discard;    /* CIMA_ON: unmap */
    bool detect_zeroes;          /* written zeroes are discarded */
    enum cima_switch locking;    /* of the image file */
    enum cima_switch config_wce; /* virtio-blk: the guest may switch the write cache */
    enum cima_switch write_cache;
    bool share_rw;
    const char *serial;   /* at most 20 bytes for virtio-blk */
    const char *iothread; /* id of one; virtio-blk */
    unsigned queues;      /* virtio-blk, 0: QEMU's */
    unsigned logical_block_size, physical_block_size;
};

/* A flash chip with firmware: 0 holds the code, 1 its variables. */
struct cima_flash {
    unsigned unit;
    const char *file, *format;
    bool read_only;
};

struct cima_scsi_controller {
    struct cima_place place; /* the id is needed */
    const char *iothread;
    unsigned queues;
};

/* ---- buses ----------------------------------------------------------------------------------- */
enum cima_bridge_type { CIMA_BRIDGE_PCI, CIMA_BRIDGE_PCIE, CIMA_BRIDGE_TYPE_COUNT };
const char *cima_bridge_type_to_string(enum cima_bridge_type t); /* "pci", "pcie" */
int cima_bridge_type_from_string(const char *name, enum cima_bridge_type *ret);

struct cima_bridge {
    enum cima_bridge_type type;
    struct cima_place place;                          /* id and bus are needed */
    unsigned chassis;                                 /* pci only, and needed: 1 to 255 */
    bool shpc;                                        /* pci only: hot-plug controller */
    uint64_t io_reserve, mem_reserve, pref64_reserve; /* bytes; pci only */
};

enum cima_port_kind {
    CIMA_PORT_ROOT,
    CIMA_PORT_UPSTREAM,   /* a switch: below a root port */
    CIMA_PORT_DOWNSTREAM, /* of a switch: below its upstream port */
    CIMA_PORT_KIND_COUNT
};
const char *cima_port_kind_to_string(enum cima_port_kind k); /* "root", "upstream", … */
int cima_port_kind_from_string(const char *name, enum cima_port_kind *ret);

/* A place for PCI Express devices, also for some that come later. */
struct cima_root_port {
    enum cima_port_kind kind;
    struct cima_place place; /* the id is needed; of a switch the bus, too */
    unsigned chassis;        /* 1 to 255; with slot unlike those of other ports */
    unsigned slot;
    unsigned port;
    bool multifunction;
    /* Root ports only: */
    uint64_t io_reserve, mem_reserve, pref64_reserve; /* bytes */
    uint64_t pref32_reserve;                          /* bytes; not with pref64_reserve */
    unsigned bus_reserve; /* numbers of buses, for bridges that are plugged in below */
};

struct cima_iommu {
    const char *id;
    enum cima_switch interrupt_remapping; /* wants kernel-irqchip=split in the machine */
    bool device_iotlb, caching_mode;
};

/* ---- others ---------------------------------------------------------------------------------- */
struct cima_balloon {
    struct cima_place place; /* the id is needed */
    bool deflate_on_oom, free_page_reporting;
};

struct cima_vsock {
    struct cima_place place; /* the id is needed */
    uint64_t guest_cid;      /* from 3 on */
    int vhost_fd;            /* of /dev/vhost-vsock */
};

struct cima_pvpanic {
    struct cima_place place;
    bool isa; /* the old one, at an I/O port */
};

/* A screen of the guest; where it is seen is cima_add_display's. */
struct cima_gpu {
    struct cima_place place;
    const char *model; /* NULL: virtio-gpu of the transport; "virtio-gpu-gl-pci", "VGA", … */
};

/* A file, put into the guest's memory before it starts. */
struct cima_loader {
    const char *id, *file; /* both are needed */
    bool has_addr;
    uint64_t addr;
    bool has_cpu;
    unsigned cpu; /* whose program counter is set */
    bool force_raw;
};

/* Every device there is, once: X(KIND, name) for struct cima_name and cima_add_name. */
#define CIMA_DEVICES(X)                                                                            \
    X(MEMORY_BACKEND, memory_backend)                                                              \
    X(DIMM, dimm)                                                                                  \
    X(VIRTIO_MEM, virtio_mem)                                                                      \
    X(IOTHREAD, iothread)                                                                          \
    X(SECRET, secret)                                                                              \
    X(PROTECTION, protection)                                                                      \
    X(RNG, rng)                                                                                    \
    X(CHARDEV, chardev)                                                                            \
    X(CHAR_DEVICE, char_device)                                                                    \
    X(SERIAL_CONTROLLER, serial_controller)                                                        \
    X(LEGACY_SERIAL, legacy_serial)                                                                \
    X(9P, 9p)                                                                                      \
    X(NET, net)                                                                                    \
    X(VHOST_USER, vhost_user)                                                                      \
    X(VFIO, vfio)                                                                                  \
    X(IOMMUFD, iommufd)                                                                            \
    X(DISK, disk)                                                                                  \
    X(FLASH, flash)                                                                                \
    X(SCSI_CONTROLLER, scsi_controller)                                                            \
    X(BRIDGE, bridge)                                                                              \
    X(ROOT_PORT, root_port)                                                                        \
    X(IOMMU, iommu)                                                                                \
    X(BALLOON, balloon)                                                                            \
    X(VSOCK, vsock)                                                                                \
    X(PVPANIC, pvpanic)                                                                            \
    X(GPU, gpu)                                                                                    \
    X(LOADER, loader)

#define CIMA_DECLARE_ADD_(KIND, name)                                                              \
    int cima_add_##name(struct cima_cmdline *c, const struct cima_##name *x,                       \
                        struct cima_error *error);
/* Each checks *x and appends the parts of the device, options of qemu(1); -1 with "config" naming
 * the field, and nothing appended. */
CIMA_DEVICES(CIMA_DECLARE_ADD_)
#undef CIMA_DECLARE_ADD_

/* Any of them, for lists: the kind says which pointer is meant. */
enum cima_device_kind {
#define CIMA_DEVICE_KIND_(KIND, name) CIMA_DEVICE_##KIND,
    CIMA_DEVICES(CIMA_DEVICE_KIND_)
#undef CIMA_DEVICE_KIND_
        CIMA_DEVICE_KIND_COUNT
};
struct cima_device {
    enum cima_device_kind kind;
    union {
#define CIMA_DEVICE_POINTER_(KIND, name) const struct cima_##name *as_##name;
        CIMA_DEVICES(CIMA_DEVICE_POINTER_)
#undef CIMA_DEVICE_POINTER_
        const void *any;
    } is;
};
/* What cima_add_NAME of its kind does. "config" also for a kind that is none. */
int cima_add_device(struct cima_cmdline *c, const struct cima_device *d, struct cima_error *error);

#ifdef __cplusplus
}
#endif
#endif
