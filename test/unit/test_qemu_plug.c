/* SPDX-License-Identifier: Apache-2.0 */
/* A device exists once: every one that QEMU can have here is accepted on its command line, and the
 * same struct is plugged into a running machine and, where that needs no guest, taken away again.
 * The machine stands still before its first instruction. */
#include "base/mem.h"
#include "cima/qemu/commands.h"
#include "cima/qemu/launch.h"
#include "cima/qemu/machine.h"
#include "qemu/qemu.h"
#include <criterion/criterion.h>
#include "sys/clock.h"
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define QEMU    "/usr/bin/qemu-system-x86_64"
#define WAIT_MS 60000

enum {
    BOOT_ONLY = 1, /* QEMU has no command for it */
    BY_GUEST = 2,  /* the guest has to let go of it */
};

/* Adds one device, with files in dir. */
typedef int add_fn(struct cima_cmdline *c, const char *dir, struct err *err);

static char *in_dir(const char *dir, const char *name, size_t bytes)
{
    char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    cr_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    close(fd);
    return path;
}

/* ---- the devices ----------------------------------------------------------------------------- */

static int add_ram(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_memory_backend x = {.id = "m", .size = 16 << 20, .share = true};

    (void)dir;
    return cima_add_memory_backend(c, &x, err);
}

static int add_memfd(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_memory_backend x = {
        .kind = CIMA_MEMORY_MEMFD, .id = "m", .size = 16 << 20, .prealloc = true};

    (void)dir;
    return cima_add_memory_backend(c, &x, err);
}

/* 32 MiB of a file. */
static struct cima_dimm nvdimm(const char *path)
{
    return (struct cima_dimm){
        .kind = CIMA_DIMM_NVDIMM,
        .id = "nv0",
        .memory = {.kind = CIMA_MEMORY_FILE, .id = "m", .size = 32 << 20, .path = path},
    };
}

static int add_nvdimm(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "pmem,1", 32 << 20);
    struct cima_dimm x = nvdimm(path);

    x.memory.share = true;
    x.memory.align = 2 << 20;
    x.label_size = 128 << 10;
    return cima_add_dimm(c, &x, err);
}

static int add_dimm(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_dimm x = {.id = "dimm0", .memory = {.id = "m", .size = 128 << 20}};

    (void)dir;
    return cima_add_dimm(c, &x, err);
}

static int add_virtio_mem(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_virtio_mem x = {.place = {.id = "vmem0", .bus = "rp1"},
                                      .memory = {.id = "m", .size = 128 << 20},
                                      .requested = 64 << 20,
                                      .block = 4 << 20};

    (void)dir;
    return cima_add_virtio_mem(c, &x, err);
}

static int add_nvdimm_read_only(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "rom", 32 << 20);
    struct cima_dimm x = nvdimm(path);

    x.memory.read_only = true;
    return cima_add_dimm(c, &x, err);
}

static int add_iothread(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_iothread x = {.id = "io1", .poll_max_ns = 5000};

    (void)dir;
    return cima_add_iothread(c, &x, err);
}

static int add_secret(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "secret", 8);
    const struct cima_secret x = {.id = "s0", .file = path};

    return cima_add_secret(c, &x, err);
}

static int add_rng(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_rng x = {.object = "r0",
                               .place = {.id = "rng0", .bus = "rp1"},
                               .filename = "/dev/urandom",
                               .max_bytes = 1024,
                               .period = 1000};

    (void)dir;
    return cima_add_rng(c, &x, err);
}

static int add_rng_max_bytes(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_rng x = {
        .object = "r0", .place = {.id = "rng0", .bus = "rp1"}, .max_bytes = 1024};

    (void)dir;
    return cima_add_rng(c, &x, err);
}

static int add_rng_builtin(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_rng x = {
        .object = "r0", .place = {.id = "rng0", .bus = "rp1"}, .source = CIMA_RNG_BUILTIN};

    (void)dir;
    return cima_add_rng(c, &x, err);
}

static int add_9p(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_9p x = {.id = "fs0",
                              .path = dir,
                              .mount_tag = "a,b",
                              .security_model = "mapped-xattr",
                              .multidevs = "remap",
                              .read_only = true,
                              .place = {.id = "fsdev0", .bus = "rp1"}};

    return cima_add_9p(c, &x, err);
}

static int add_port(struct cima_cmdline *c, enum cima_char_driver driver,
                    const struct cima_chardev *chardev, struct err *err)
{
    bool virtio = driver == CIMA_CHAR_VIRTCONSOLE || driver == CIMA_CHAR_VIRTSERIALPORT;
    const struct cima_char_device x = {
        .driver = driver,
        .place = {.id = "port0", .bus = virtio ? "vs0.0" : NULL},
        .name = virtio ? "org.example.port" : NULL,
        .nr = virtio ? 3 : 0,
        .chardev = *chardev,
    };

    return cima_add_char_device(c, &x, err);
}

static int add_char_server(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/s,1=2", dir), *log = xasprintf("%s/log", dir);
    const struct cima_chardev x = {
        .id = "c0", .path = path, .server = true, .logfile = log, .logappend = CIMA_OFF};

    return add_port(c, CIMA_CHAR_VIRTSERIALPORT, &x, err);
}

static int add_char_client(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/nobody", dir);
    const struct cima_chardev x = {.id = "c0", .path = path, .reconnect = 5};

    return add_port(c, CIMA_CHAR_VIRTCONSOLE, &x, err);
}

static int add_char_tcp(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_chardev x = {.id = "c0", .host = "127.0.0.1", .port = 1, .reconnect = 5};

    (void)dir;
    return add_port(c, CIMA_CHAR_VIRTSERIALPORT, &x, err);
}

/* Closed when the test ends. */
static int add_char_fd(struct cima_cmdline *c, const char *dir, struct err *err)
{
    struct cima_chardev x = {.id = "c0"};
    int sv[2];

    (void)dir;
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    x.fd = sv[0];
    return add_port(c, CIMA_CHAR_VIRTSERIALPORT, &x, err);
}

static int add_char_pty(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_chardev x = {.id = "c0", .backend = CIMA_CHAR_PTY};

    (void)dir;
    return add_port(c, CIMA_CHAR_VIRTCONSOLE, &x, err);
}

static int add_char_pipe(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "pipe", 0);
    const struct cima_chardev x = {.id = "c0", .backend = CIMA_CHAR_PIPE, .path = path};

    return add_port(c, CIMA_CHAR_VIRTSERIALPORT, &x, err);
}

static int add_char_file(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "file", 0);
    const struct cima_chardev x = {
        .id = "c0", .backend = CIMA_CHAR_FILE, .path = path, .append = true};

    return add_port(c, CIMA_CHAR_PCI_SERIAL, &x, err);
}

static int add_char_null(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_chardev x = {.id = "c0", .backend = CIMA_CHAR_NULL};

    (void)dir;
    return add_port(c, CIMA_CHAR_ISA_SERIAL, &x, err);
}

static int add_char_serial(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_chardev x = {.id = "c0", .backend = CIMA_CHAR_SERIAL, .path = "/dev/null"};

    (void)dir;
    return cima_add_chardev(c, &x, err);
}

static int add_char_stdio(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_chardev x = {.id = "c0", .backend = CIMA_CHAR_STDIO, .signal = CIMA_OFF};

    (void)dir;
    return cima_add_chardev(c, &x, err);
}

static int add_char_ringbuf(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_chardev x = {.id = "c0", .backend = CIMA_CHAR_RINGBUF};

    (void)dir;
    return cima_add_chardev(c, &x, err);
}

static int add_serial(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_serial_controller x = {
        .place = {.id = "vs1", .bus = "rp1", .romfile = CIMA_NO_ROM}, .max_ports = 4};

    (void)dir;
    return cima_add_serial_controller(c, &x, err);
}

static int add_legacy_serial(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "serial", 0);
    const struct cima_legacy_serial x = {
        .chardev = {.id = "c0", .backend = CIMA_CHAR_FILE, .path = path}};

    return cima_add_legacy_serial(c, &x, err);
}

static int add_legacy_serial_by_id(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_chardev null = {.id = "c0", .backend = CIMA_CHAR_NULL};
    const struct cima_legacy_serial x = {.chardev_id = "c0"};

    (void)dir;
    return cima_add_chardev(c, &null, err) < 0 ? -1 : cima_add_legacy_serial(c, &x, err);
}

static int add_group_mac(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_net x = {.id = "n0",
                               .mac = "01:02:de:ad:be:ef",
                               .place = {.id = "nic0", .bus = "rp1", .iommu_platform = true}};

    (void)dir;
    return cima_add_net(c, &x, err);
}

static int add_user(struct cima_cmdline *c, const char *dir, struct err *err)
{
    static const char *const fwd[] = {"tcp:127.0.0.1:0-:22", "udp:127.0.0.1:0-:53", NULL};
    static const char *const search[] = {"a.example", "b.example", NULL};
    const struct cima_net x = {.id = "n0",
                               .place = {.id = "nic0", .bus = "rp1", .boot_index = 3},
                               .mac = "52:55:00:00:00:01",
                               .mtu = 1400,
                               .net = "192.168.77.0/24",
                               .dhcp_start = "192.168.77.20",
                               .hostname = "guest",
                               .hostfwd = fwd,
                               .dns_search = search,
                               .restrict_guest = true,
                               .ipv6 = CIMA_OFF};

    (void)dir;
    return cima_add_net(c, &x, err);
}

static int add_user_e1000e(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_net x = {.id = "n0",
                               .model = "e1000e",
                               .place = {.id = "nic0", .bus = "rp1", .romfile = CIMA_NO_ROM},
                               .mac = "52:55:00:00:00:01"};

    (void)dir;
    return cima_add_net(c, &x, err);
}

static int add_stream(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/switch", dir);
    const struct cima_net x = {.id = "n0",
                               .type = CIMA_NET_STREAM,
                               .path = path,
                               .server = true,
                               .place = {.id = "nic0", .bus = "rp1"}};

    return cima_add_net(c, &x, err);
}

static int add_by_fd(struct cima_cmdline *c, enum cima_net_type type, struct err *err)
{
    int sv[2];
    const struct cima_net x = {
        .id = "n0", .type = type, .fds = sv, .n_fds = 1, .place = {.id = "nic0", .bus = "rp1"}};

    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    return cima_add_net(c, &x, err);
}

static int add_stream_fd(struct cima_cmdline *c, const char *dir, struct err *err)
{
    (void)dir;
    return add_by_fd(c, CIMA_NET_STREAM, err);
}

static int add_socket_fd(struct cima_cmdline *c, const char *dir, struct err *err)
{
    (void)dir;
    return add_by_fd(c, CIMA_NET_SOCKET, err);
}

/* -1 where no tap can be made. */
static int open_tap(void)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "cimat%d", (int)(getpid() % 10000));
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int add_tap_fds(struct cima_cmdline *c, const char *dir, struct err *err)
{
    int fds[2] = {open_tap(), open_tap()};
    const struct cima_net x = {.id = "n0",
                               .type = CIMA_NET_TAP,
                               .ifname = "tap0",
                               .fds = fds,
                               .n_fds = 2,
                               .place = {.id = "nic0", .bus = "rp1"}};

    (void)dir;
    if (fds[0] < 0 || fds[1] < 0)
        return err_set(err, ERR_PERMISSION, "no tap can be made here");
    return cima_add_net(c, &x, err);
}

static int add_blockdev(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "disk,readonly=on", 1 << 20);
    const struct cima_disk x = {.id = "d0",
                                .place = {.id = "disk0", .bus = "rp1", .boot_index = 1},
                                .file = path,
                                .format = "raw",
                                .aio = "threads",
                                .cache_no_flush = true,
                                .discard = CIMA_ON,
                                .detect_zeroes = true,
                                .locking = CIMA_ON,
                                .config_wce = CIMA_OFF,
                                .write_cache = CIMA_ON,
                                .share_rw = true,
                                .serial = "a,b",
                                .iothread = "io0",
                                .queues = 2,
                                .logical_block_size = 512,
                                .physical_block_size = 4096};

    return cima_add_disk(c, &x, err);
}

static int add_drive(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "disk,format=qcow2", 1 << 20);
    const struct cima_disk x = {.id = "d0",
                                .form = CIMA_DISK_DRIVE,
                                .driver = "virtio-blk",
                                .place = {.id = "disk0", .bus = "rp1"},
                                .file = path,
                                .format = "raw",
                                .aio = "io_uring",
                                .discard = CIMA_ON,
                                .detect_zeroes = true,
                                .locking = CIMA_OFF,
                                .read_only = true};

    return cima_add_disk(c, &x, err);
}

static int add_scsi_hd(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "hd", 1 << 20);
    const struct cima_disk x = {.id = "d0",
                                .driver = "scsi-hd",
                                .place = {.id = "disk0", .bus = "scsi0.0"},
                                .file = path,
                                .format = "raw",
                                .serial = "12"};

    return cima_add_disk(c, &x, err);
}

static int add_scsi_cd(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "cd", 1 << 20);
    const struct cima_disk x = {.id = "d0",
                                .driver = "scsi-cd",
                                .place = {.id = "cd0", .bus = "scsi0.0", .boot_index = 2},
                                .file = path,
                                .format = "raw"};

    return cima_add_disk(c, &x, err);
}

static int add_nvme(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "nvme", 1 << 20);
    const struct cima_disk x = {.id = "d0",
                                .driver = "nvme",
                                .place = {.id = "disk0", .bus = "rp1"},
                                .file = path,
                                .format = "raw",
                                .serial = "1"};

    return cima_add_disk(c, &x, err);
}

static int add_scsi(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_scsi_controller x = {
        .place = {.id = "scsi1", .bus = "rp1"}, .iothread = "io0", .queues = 2};

    (void)dir;
    return cima_add_scsi_controller(c, &x, err);
}

static int add_flash(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "code", 1 << 20);
    const struct cima_flash x = {.file = path, .format = "raw", .read_only = true};

    return cima_add_flash(c, &x, err);
}

static int add_pci_bridge(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_bridge x = {.place = {.id = "br1", .bus = "br0", .addr = "4"},
                                  .chassis = 7,
                                  .shpc = true,
                                  .io_reserve = 4096,
                                  .mem_reserve = 1 << 20};

    (void)dir;
    return cima_add_bridge(c, &x, err);
}

static int add_pcie_bridge(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_bridge x = {.type = CIMA_BRIDGE_PCIE, .place = {.id = "br1", .bus = "rp1"}};

    (void)dir;
    return cima_add_bridge(c, &x, err);
}

static int add_root_port(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_root_port x = {.place = {.id = "rp9", .bus = "pcie.0", .addr = "20.1"},
                                     .chassis = 9,
                                     .slot = 9,
                                     .port = 9,
                                     .bus_reserve = 3,
                                     .pref64_reserve = 32 << 20};

    (void)dir;
    return cima_add_root_port(c, &x, err);
}

static int add_root_port_32(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_root_port x = {.place = {.id = "rp9"}, .pref32_reserve = 32 << 20};

    (void)dir;
    return cima_add_root_port(c, &x, err);
}

static int add_switch(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_root_port up = {.kind = CIMA_PORT_UPSTREAM,
                                      .place = {.id = "up0", .bus = "rp1"}};
    const struct cima_root_port down = {.kind = CIMA_PORT_DOWNSTREAM,
                                        .place = {.id = "down0", .bus = "up0"},
                                        .chassis = 8,
                                        .slot = 1};

    (void)dir;
    return cima_add_root_port(c, &up, err) < 0 ? -1 : cima_add_root_port(c, &down, err);
}

static int add_sev(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_protection x = {.id = "sev0",
                                      .c_bit = 51,
                                      .reduced_phys_bits = 1,
                                      .has_policy = true,
                                      .policy = 5,
                                      .kernel_hashes = true};

    (void)dir;
    return cima_add_protection(c, &x, err);
}

static int add_gpu(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_gpu x = {.place = {.id = "gpu0", .addr = "00:09.0"}};

    (void)dir;
    return cima_add_gpu(c, &x, err);
}

static int add_iommu(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_iommu x = {.id = "iommu0",
                                 .interrupt_remapping = CIMA_OFF,
                                 .device_iotlb = true,
                                 .caching_mode = true};

    (void)dir;
    return cima_add_iommu(c, &x, err);
}

static int add_balloon(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_balloon x = {
        .place = {.id = "balloon0", .bus = "br0", .addr = "5", .disable_modern = true},
        .deflate_on_oom = true,
        .free_page_reporting = true};

    (void)dir;
    return cima_add_balloon(c, &x, err);
}

static int add_pvpanic(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_pvpanic x = {.place = {.id = "panic0", .bus = "br0", .addr = "6"}};

    (void)dir;
    return cima_add_pvpanic(c, &x, err);
}

static int add_pvpanic_isa(struct cima_cmdline *c, const char *dir, struct err *err)
{
    const struct cima_pvpanic x = {.place = {.id = "panic0"}, .isa = true};

    (void)dir;
    return cima_add_pvpanic(c, &x, err);
}

static int add_loader(struct cima_cmdline *c, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = in_dir(dir, "blob,1", 512);
    const struct cima_loader x = {
        .id = "l0", .file = path, .has_addr = true, .addr = 0x100000, .force_raw = true};

    return cima_add_loader(c, &x, err);
}

static const struct device {
    const char *name;
    add_fn *add;
    unsigned how;
} devices[] = {
    {"memory-backend-ram", add_ram, 0},
    {"memory-backend-memfd", add_memfd, 0},
    {"nvdimm", add_nvdimm, BY_GUEST},
    {"nvdimm that is read only", add_nvdimm_read_only, BY_GUEST},
    {"pc-dimm", add_dimm, BY_GUEST},
    {"virtio-mem", add_virtio_mem, BY_GUEST},
    {"iothread", add_iothread, 0},
    {"secret", add_secret, 0},
    {"rng-random", add_rng, BY_GUEST},
    {"rng with max-bytes only", add_rng_max_bytes, BY_GUEST},
    {"rng-builtin", add_rng_builtin, BY_GUEST},
    {"9p", add_9p, BOOT_ONLY},
    {"server socket", add_char_server, 0},
    {"client socket", add_char_client, 0},
    {"TCP socket", add_char_tcp, 0},
    {"socket by descriptor", add_char_fd, 0},
    {"pty", add_char_pty, 0},
    {"pipe", add_char_pipe, 0},
    {"file", add_char_file, BOOT_ONLY},
    {"null", add_char_null, BOOT_ONLY},
    {"serial", add_char_serial, BOOT_ONLY},
    {"stdio", add_char_stdio, BOOT_ONLY},
    {"ringbuf", add_char_ringbuf, 0},
    {"serial controller", add_serial, BY_GUEST},
    {"legacy serial", add_legacy_serial, BOOT_ONLY},
    {"legacy serial by its id", add_legacy_serial_by_id, BOOT_ONLY},
    {"group address", add_group_mac, BY_GUEST},
    {"user network", add_user, BY_GUEST},
    {"e1000e", add_user_e1000e, BY_GUEST},
    {"stream", add_stream, BY_GUEST},
    {"stream by descriptor", add_stream_fd, BY_GUEST},
    {"socket network by descriptor", add_socket_fd, BY_GUEST},
    {"tap by descriptors", add_tap_fds, BY_GUEST},
    {"blockdev", add_blockdev, BY_GUEST},
    {"drive", add_drive, BOOT_ONLY},
    {"scsi-hd", add_scsi_hd, 0},
    {"scsi-cd", add_scsi_cd, 0},
    {"nvme", add_nvme, BY_GUEST},
    {"SCSI controller", add_scsi, BY_GUEST},
    {"flash", add_flash, BOOT_ONLY},
    {"pci-bridge", add_pci_bridge, BY_GUEST},
    {"pcie-pci-bridge", add_pcie_bridge, BY_GUEST},
    {"pcie-root-port", add_root_port, BOOT_ONLY},
    {"pcie-root-port without numbers", add_root_port_32, BOOT_ONLY},
    {"switch", add_switch, BOOT_ONLY},
    {"sev-guest", add_sev, BOOT_ONLY},
    {"virtio-gpu", add_gpu, BOOT_ONLY},
    {"intel-iommu", add_iommu, BOOT_ONLY},
    {"balloon", add_balloon, BY_GUEST},
    {"pvpanic-pci", add_pvpanic, BOOT_ONLY},
    {"pvpanic", add_pvpanic_isa, BOOT_ONLY},
    {"loader", add_loader, BOOT_ONLY},
};

/* ---- the machine ----------------------------------------------------------------------------- */

struct vm {
    char dir[64];
    struct cima_cmdline *c;
    struct cima_process *qemu;
    struct cima_qmp *q;
    int ours, theirs;
};

static void must(int r, const struct err *err, const char *what)
{
    _cleanup_free_ char *message = err_message(err);

    cr_assert(r == 0, "%s: %s%s%s", what, message, err->detail ? "\n" : "",
              err->detail ? err->detail : "");
}

/* A machine with places for everything. */
static void base_machine(struct vm *vm)
{
    static const char *const options[] = {"nvdimm=on", NULL}, *const accel[] = {"tcg", NULL};
    const struct cima_root_port port = {
        .place = {.id = "rp1", .bus = "pcie.0", .addr = "4"}, .chassis = 1, .slot = 1};
    const struct cima_root_port port2 = {
        .place = {.id = "rp2", .bus = "pcie.0", .addr = "5"}, .chassis = 2, .slot = 2};
    const struct cima_bridge bridge = {.place = {.id = "br0", .bus = "rp2"},
                                       .type = CIMA_BRIDGE_PCIE};
    const struct cima_serial_controller serial = {.place = {.id = "vs0"}};
    const struct cima_scsi_controller scsi = {.place = {.id = "scsi0"}};
    const struct cima_iothread io = {.id = "io0"};
    const struct cima_qmp_socket qmp = {.fd = vm->theirs};
    const struct cima_device list[] = {
        {CIMA_DEVICE_ROOT_PORT, {.as_root_port = &port}},
        {CIMA_DEVICE_ROOT_PORT, {.as_root_port = &port2}},
        {CIMA_DEVICE_BRIDGE, {.as_bridge = &bridge}},
        {CIMA_DEVICE_SERIAL_CONTROLLER, {.as_serial_controller = &serial}},
        {CIMA_DEVICE_SCSI_CONTROLLER, {.as_scsi_controller = &scsi}},
        {CIMA_DEVICE_IOTHREAD, {.as_iothread = &io}},
    };
    const struct cima_config config = {
        .machine = {.type = "q35", .options = options, .accelerations = accel},
        .memory = {.size = 128 << 20, .slots = 4, .max = 1 << 30},
        .qmp_sockets = &qmp,
        .n_qmp_sockets = 1,
        .devices = list,
        .n_devices = ARRAY_SIZE(list),
        .vga = "none",
        .display = "none",
        .knobs = {.no_user_config = true, .no_defaults = true, .stopped = true},
    };
    _cleanup_err_ struct err err = ERR_INIT;

    vm->c = cima_config_cmdline(&config, NULL, &err);
    must(vm->c ? 0 : -1, &err, "the machine");
}

static void vm_init(struct vm *vm)
{
    int sv[2];

    *vm = (struct vm){.dir = "/tmp/cima-plug-XXXXXX"};
    cr_assert(mkdtemp(vm->dir));
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    vm->ours = sv[0];
    vm->theirs = sv[1];
    base_machine(vm);
}

static void vm_start(struct vm *vm, const char *what)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct cima_launch l = {
        .program = QEMU, .cmdline = vm->c, .flags = CIMA_LAUNCH_DIE_WITH_CALLER};
    int r;

    vm->qemu = cima_launch(&l, &err);
    must(vm->qemu ? 0 : -1, &err, what);
    close(vm->theirs);
    vm->q = cima_qmp_new(vm->ours, NULL, NULL, WAIT_MS, monotonic_ms());
    r = cima_qmp_wait_ready(vm->q, WAIT_MS, &err);
    if (r < 0) {
        cima_process_wait(vm->qemu, WAIT_MS, NULL);
        cr_assert_fail("%s: QEMU ended: %s", what, cima_process_stderr(vm->qemu));
    }
}

static void vm_end(struct vm *vm)
{
    _cleanup_free_ char *rm = xasprintf("rm -rf %s", vm->dir);

    if (vm->q)
        cima_qmp_run(vm->q, cima_cmd_quit(), NULL, NULL);
    cima_qmp_free(vm->q);
    if (vm->qemu)
        cima_process_wait(vm->qemu, WAIT_MS, NULL);
    cima_process_free(vm->qemu);
    cima_cmdline_free(vm->c);
    cr_assert(system(rm) == 0);
}

/* What makes it impossible here, for the report; NULL: nothing. */
static bool add(const struct device *d, struct cima_cmdline *c, const char *dir)
{
    _cleanup_err_ struct err err = ERR_INIT;

    if (d->add(c, dir, &err) == 0)
        return true;
    cr_assert_eq(err.kind, ERR_PERMISSION, "%s: %s", d->name, err.msg);
    fprintf(stderr, "skipped: %s: %s\n", d->name, err.msg); /* a warning fails the program */
    return false;
}

/* All of QEMU's answers to one device on the command line. */
static void boots(const struct device *d)
{
    struct vm vm;

    vm_init(&vm);
    if (add(d, vm.c, vm.dir))
        vm_start(&vm, d->name);
    vm_end(&vm);
}

static void plugs(struct vm *vm, const struct device *d)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err err = ERR_INIT;

    if (!add(d, c, vm->dir))
        return;
    must(cima_qmp_plug(vm->q, c, &err), &err, d->name);
    if (d->how & BY_GUEST)
        return;
    must(cima_qmp_unplug(vm->q, c, WAIT_MS, &err), &err, d->name);
    /* Nothing is left: it can be had again. */
    if (!cima_cmdline_fds(c, NULL))
        must(cima_qmp_plug(vm->q, c, &err), &err, d->name);
}

static bool no_qemu(void)
{
    return access(QEMU, X_OK) < 0;
}

/* S2-H2, S2-H3: today's QEMU takes every form that is written. */
Test(devices, S2_H2_H3_accepted_on_the_command_line, .timeout = 1800)
{
    if (no_qemu())
        cr_skip_test("skipped: there is no " QEMU);
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        boots(&devices[i]);
}

/* The same structs, in a machine each, over QMP. */
Test(devices, S2_H3_plugged_into_a_running_machine, .timeout = 1800)
{
    if (no_qemu())
        cr_skip_test("skipped: there is no " QEMU);
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        struct vm vm;

        if (devices[i].how & BOOT_ONLY)
            continue;
        vm_init(&vm);
        vm_start(&vm, devices[i].name);
        plugs(&vm, &devices[i]);
        vm_end(&vm);
    }
}

/* Everything that is no device, in one machine; the descriptors of two settings, too. */
Test(machine, S2_H1_H2_H3_settings_accepted, .timeout = 1800)
{
    static const char *const options[] = {"kernel-irqchip=off", "vmport=off", NULL};
    static const char *const accel[] = {"tcg,thread=multi,tb-size=64,nvdimm", NULL};
    static const char *const features[] = {"+ssse3", "-svm", "vendor=GenuineIntel", NULL};
    static const char *const globals[] = {"virtio-net-pci.mac=52:55:00:00:00:01", NULL};
    struct vm vm;
    _cleanup_free_ char *pid = NULL, *log = NULL, *path = NULL, *human = NULL;
    const struct cima_fw_cfg fw = {.name = "opt/org.example", .string = "a,b"};
    struct cima_qmp_socket qmp[3] = {
        {.fd = 0}, {.server = true, .pretty = true}, {.server = true, .human = true}};
    struct cima_config config = {
        .identity = {.name = "one,two=3",
                     .uuid = "8d3c2b1a-0f0e-4d0d-8c0c-0b0a09080706",
                     .debug_threads = true},
        .machine = {.type = "q35", .options = options, .accelerations = accel},
        .cpu = {.model = "qemu64,+aes", .features = features},
        .memory = {.size = 128 << 20, .slots = 2, .max = 1 << 30, .memfd = true, .prealloc = true},
        .smp = {.cpus = 2, .cores = 2, .threads = 1, .sockets = 2, .max_cpus = 4},
        .qmp_sockets = qmp,
        .n_qmp_sockets = 3,
        .rtc = {.base = "2020-02-02T02:02:02", .clock = "vm", .drift_fix = "slew"},
        .globals = globals,
        .vga = "std",
        .display = "none",
        .knobs = {.no_user_config = true,
                  .no_defaults = true,
                  .no_reboot = true,
                  .no_shutdown = true,
                  .stopped = true},
        .fw_cfg = &fw,
        .n_fw_cfg = 1,
        .incoming = {.how = CIMA_INCOMING_DEFER},
        .sandbox = {.on = true,
                    .deny_obsolete = true,
                    .deny_elevate_privileges = true,
                    .deny_spawn = true,
                    .deny_resource_control = true},
    };
    _cleanup_err_ struct err err = ERR_INIT;

    if (no_qemu())
        cr_skip_test("skipped: there is no " QEMU);
    vm_init(&vm);
    config.pidfile = pid = xasprintf("%s/pid,1", vm.dir);
    config.logfile = log = xasprintf("%s/log,1", vm.dir);
    qmp[0].fd = vm.theirs;
    qmp[1].path = path = xasprintf("%s/q,mp=1", vm.dir);
    qmp[2].path = human = xasprintf("%s/hmp", vm.dir);
    cima_cmdline_free(vm.c);
    vm.c = cima_config_cmdline(&config, NULL, &err);
    must(vm.c ? 0 : -1, &err, "the settings");
    vm_start(&vm, "the settings");
    cr_assert(access(pid, F_OK) == 0 && access(log, F_OK) == 0 && access(path, F_OK) == 0 &&
              access(human, F_OK) == 0);
    vm_end(&vm);
}

/* What has no command says so, for all that BOOT_ONLY stands for here or QEMU itself refuses. */
Test(devices, parts_without_a_command)
{
    static const char *const names[] = {"-drive", "-fsdev", "-machine", "-smp", "-mon", "-tpmdev"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
        _cleanup_err_ struct err err = ERR_INIT;
        const char *command;
        struct json *args;

        cima_cmdline_opts(c, names[i], cima_opts_new("x", "y"));
        cr_assert(cima_cmdline_command(c, 0, &command, &args, &err) < 0);
        cr_assert_eq(err.kind, ERR_UNSUPPORTED);
        cr_assert(strstr(err.msg, names[i]), "%s", err.msg);
    }
}
