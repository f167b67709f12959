/* SPDX-License-Identifier: Apache-2.0 */
/* Whole devices: what they are on the command line, and what is said about wrong ones. Nothing is
 * appended then. */
#include "base/mem.h"
#include "cima/qemu/machine.h"
#include "qemu/qemu.h"
#include <criterion/criterion.h>

/* The words behind the program's name, joined by a blank. */
static char *words_of(const struct cima_cmdline *c)
{
    _cleanup_err_ struct err err = ERR_INIT;
    char **argv = cima_cmdline_argv(c, &err);
    struct sbuf out = SBUF_INIT;

    cr_assert(argv, "%s", err.msg);
    for (size_t i = 0; argv[i]; i++)
        sbuf_addf(&out, "%s%s", i ? " " : "", argv[i]);
    cima_strings_free(argv);
    return sbuf_detach(&out);
}

/* Adds a device twice over: once for its words, once behind a part that has to stay alone when it
 * is refused. */
static void check_device(struct cima_device d, const char *expected, const char *refused)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *words = NULL;
    int r;

    cima_cmdline_flag(c, "-S");
    r = cima_add_device(c, &d, &err);
    words = words_of(c);
    if (refused) {
        cr_assert(r < 0, "accepted: %s", words);
        cr_assert_eq(err.kind, ERR_CONFIG);
        cr_assert_str_eq(words, "-S");
        cr_assert_eq(cima_cmdline_fds(c, NULL), 0);
        cr_assert(strstr(err.msg, refused), "'%s' without '%s'", err.msg, refused);
        return;
    }
    cr_assert(r == 0, "%s", err.msg);
    cr_assert_str_eq(words + 3, expected);
}

#define DEVICE(KIND, name, ...)                                                                    \
    ((struct cima_device){CIMA_DEVICE_##KIND, {.as_##name = &(struct cima_##name){__VA_ARGS__}}})
#define IS(KIND, name, expected, ...) check_device(DEVICE(KIND, name, __VA_ARGS__), expected, NULL)
#define NOT(KIND, name, refused, ...) check_device(DEVICE(KIND, name, __VA_ARGS__), NULL, refused)

#define MIB ((uint64_t)1 << 20)

/* ---- memory, file systems -------------------------------------------------------------------- */

#define PMEM                                                                                       \
    {                                                                                              \
        .kind = CIMA_MEMORY_FILE, .id = "m0", .path = "/pmem,1", .size = 128 * MIB                 \
    }

Test(devices, S2_01_02_nvdimm)
{
    IS(DIMM, dimm,
       "-object memory-backend-file,id=m0,size=128M,mem-path=/pmem,,1 -device "
       "nvdimm,id=nv0,memdev=m0",
       .kind = CIMA_DIMM_NVDIMM, .id = "nv0", .memory = PMEM);
    IS(DIMM, dimm,
       "-object memory-backend-file,id=mem0,size=64K,mem-path=/root,readonly=on -device "
       "nvdimm,id=nv0,memdev=mem0,unarmed=on",
       .kind = CIMA_DIMM_NVDIMM, .id = "nv0",
       .memory = {.kind = CIMA_MEMORY_FILE,
                  .id = "mem0",
                  .path = "/root",
                  .size = 1 << 16,
                  .read_only = true});
    NOT(DIMM, dimm, "memory module 'nv0': `id` is missing", .kind = CIMA_DIMM_NVDIMM, .id = "nv0",
        .memory = {.kind = CIMA_MEMORY_FILE, .path = "/p", .size = 1});
    NOT(DIMM, dimm, "`path` is missing", .kind = CIMA_DIMM_NVDIMM,
        .memory = {.kind = CIMA_MEMORY_FILE, .id = "m", .size = 1});
    NOT(DIMM, dimm, "`size` is missing", .kind = CIMA_DIMM_NVDIMM,
        .memory = {.kind = CIMA_MEMORY_FILE, .id = "m", .path = "/p"});
    NOT(DIMM, dimm, "`memory.kind` must be memory-backend-file", .kind = CIMA_DIMM_NVDIMM,
        .memory = {.id = "m", .size = 1});
    NOT(DIMM, dimm, "`kind` must be pc-dimm or nvdimm", .kind = CIMA_DIMM_KIND_COUNT,
        .memory = PMEM);
    NOT(DIMM, dimm, "`label_size` is for an nvdimm only", .memory = {.id = "m", .size = 1},
        .label_size = 1);
}

Test(devices, S2_H3_objects)
{
    IS(MEMORY_BACKEND, memory_backend,
       "-object memory-backend-memfd,id=m,size=1G,share=on,hugetlb=on,hugetlbsize=2M",
       .kind = CIMA_MEMORY_MEMFD, .id = "m", .size = 1024 * MIB, .share = true,
       .hugetlb_size = 2 * MIB);
    NOT(MEMORY_BACKEND, memory_backend, "`path` is for memory out of a file only", .id = "m",
        .size = 1, .path = "/x");
    NOT(MEMORY_BACKEND, memory_backend, "`align` must be a power of two", .id = "m", .size = 1,
        .kind = CIMA_MEMORY_FILE, .path = "/x", .align = 3);
    IS(MEMORY_BACKEND, memory_backend, "-object memory-backend-epc,id=epc0,size=64K,prealloc=on",
       .kind = CIMA_MEMORY_EPC, .id = "epc0", .size = 1 << 16, .prealloc = true);
    IS(IOTHREAD, iothread, "-object iothread,id=io0", .id = "io0");
    NOT(IOTHREAD, iothread, "I/O thread: `id` is missing", .id = "");
    IS(SECRET, secret, "-object secret,id=s,file=/f,format=base64", .id = "s", .file = "/f",
       .base64 = true);
    IS(RNG, rng, "-object rng-random,id=r,filename=/dev/urandom -device virtio-rng-ccw,rng=r",
       .object = "r", .filename = "/dev/urandom", .place = {.transport = CIMA_TRANSPORT_CCW});
    IS(RNG, rng, "-object rng-builtin,id=r -device virtio-rng-pci,rng=r,max-bytes=10,period=5",
       .object = "r", .source = CIMA_RNG_BUILTIN, .max_bytes = 10, .period = 5);
    IS(RNG, rng, "-object rng-random,id=r -device virtio-rng-pci,rng=r,max-bytes=20,romfile=/r",
       .object = "r", .max_bytes = 20, .place = {.romfile = "/r"});
    IS(RNG, rng, "-object rng-random,id=r -device virtio-rng-pci,rng=r,period=500", .object = "r",
       .period = 500);
    NOT(RNG, rng, "`object` is missing", .filename = "/dev/urandom");
    NOT(RNG, rng, "`transport` must be pci, ccw or mmio", .object = "r",
        .place = {.transport = CIMA_TRANSPORT_COUNT});
}

Test(devices, S2_H3_protection)
{
    IS(PROTECTION, protection,
       "-object sev-guest,id=sev,cbitpos=51,reduced-phys-bits=1,policy=5,kernel-hashes=on,"
       "dh-cert-file=/c,,1,session-file=/s",
       .id = "sev", .c_bit = 51, .reduced_phys_bits = 1, .has_policy = true, .policy = 5,
       .kernel_hashes = true, .dh_cert_file = "/c,1", .session_file = "/s");
    IS(PROTECTION, protection,
       "-object sev-snp-guest,id=snp,cbitpos=51,reduced-phys-bits=1,policy=196608",
       .kind = CIMA_PROTECTION_SEV_SNP, .id = "snp", .c_bit = 51, .reduced_phys_bits = 1,
       .has_policy = true, .policy = 0x30000);
    IS(PROTECTION, protection, "-object tdx-guest,id=tdx", .kind = CIMA_PROTECTION_TDX,
       .id = "tdx");
    IS(PROTECTION, protection, "-object s390-pv-guest,id=pv0", .kind = CIMA_PROTECTION_S390_PV,
       .id = "pv0");
    IS(PROTECTION, protection, "-object pef-guest,id=pef0", .kind = CIMA_PROTECTION_PEF,
       .id = "pef0");
    NOT(PROTECTION, protection, "protection: `id` is missing", .kind = CIMA_PROTECTION_TDX);
    NOT(PROTECTION, protection, "`c_bit` is missing", .id = "s", .reduced_phys_bits = 1);
    NOT(PROTECTION, protection, "`reduced_phys_bits` must be from 1 to 63", .id = "s", .c_bit = 51,
        .reduced_phys_bits = 64);
    NOT(PROTECTION, protection, "`policy` must have at most 32 bits", .id = "s", .c_bit = 51,
        .reduced_phys_bits = 1, .has_policy = true, .policy = (uint64_t)1 << 32);
    NOT(PROTECTION, protection, "`session_file` is for SEV only", .kind = CIMA_PROTECTION_SEV_SNP,
        .id = "s", .c_bit = 51, .reduced_phys_bits = 1, .session_file = "/s");
    NOT(PROTECTION, protection, "are for SEV and SEV-SNP only", .kind = CIMA_PROTECTION_TDX,
        .id = "t", .c_bit = 51);
    NOT(PROTECTION, protection, "`kind` must be sev-guest, sev-snp-guest, tdx-guest, ", .id = "t",
        .kind = CIMA_PROTECTION_KIND_COUNT);
}

Test(devices, S2_H3_switch)
{
    IS(ROOT_PORT, root_port, "-device x3130-upstream,id=up0,bus=rp0", .kind = CIMA_PORT_UPSTREAM,
       .place = {.id = "up0", .bus = "rp0"});
    IS(ROOT_PORT, root_port, "-device xio3130-downstream,id=down0,bus=up0,chassis=3,slot=1",
       .kind = CIMA_PORT_DOWNSTREAM, .chassis = 3, .slot = 1,
       .place = {.id = "down0", .bus = "up0"});
    NOT(ROOT_PORT, root_port, "port 'up0': `bus` is missing", .kind = CIMA_PORT_UPSTREAM,
        .place = {.id = "up0"});
    NOT(ROOT_PORT, root_port, "`slot` is for ports with a place", .kind = CIMA_PORT_UPSTREAM,
        .slot = 1, .place = {.id = "up0", .bus = "rp0"});
    NOT(ROOT_PORT, root_port, "are for root ports only", .kind = CIMA_PORT_DOWNSTREAM,
        .pref64_reserve = MIB, .place = {.id = "d", .bus = "up0"});
    NOT(ROOT_PORT, root_port, "`kind` must be root, upstream or downstream",
        .kind = CIMA_PORT_KIND_COUNT, .place = {.id = "d"});
}

Test(devices, S2_H3_virtio_mem)
{
    IS(VIRTIO_MEM, virtio_mem,
       "-object memory-backend-ram,id=mem0,size=128M,share=on -device "
       "virtio-mem-pci,memdev=mem0,requested-size=64M,block-size=2M,id=vm0,bus=br0,addr=1",
       .memory = {.id = "mem0", .size = 128 * MIB, .share = true}, .requested = 64 * MIB,
       .block = 2 * MIB, .place = {.id = "vm0", .bus = "br0", .addr = "1"});
    NOT(VIRTIO_MEM, virtio_mem, "memory device: `id` is missing", .memory = {.id = "m", .size = 1});
    NOT(VIRTIO_MEM, virtio_mem, "`requested` must not be more", .place = {.id = "v"},
        .memory = {.id = "m", .size = MIB}, .requested = 2 * MIB);
    NOT(VIRTIO_MEM, virtio_mem, "`block` must be a power of two", .place = {.id = "v"},
        .memory = {.id = "m", .size = MIB}, .block = 3);
}

Test(devices, S2_03_04_05_9p)
{
    IS(9P, 9p,
       "-fsdev local,id=fs0,path=/a,,b,security_model=mapped-xattr,readonly=on,multidevs=remap "
       "-device virtio-9p-pci,fsdev=fs0,mount_tag=data,disable-modern=on",
       .id = "fs0", .path = "/a,b", .mount_tag = "data", .security_model = "mapped-xattr",
       .multidevs = "remap", .read_only = true, .place = {.disable_modern = true});
    NOT(9P, 9p, "file system: `id` is missing", .path = "/", .mount_tag = "t",
        .security_model = "none");
    NOT(9P, 9p, "file system 'f': `path` is missing", .id = "f", .mount_tag = "t",
        .security_model = "none");
    NOT(9P, 9p, "`mount_tag` is missing", .id = "f", .path = "/", .security_model = "none");
    NOT(9P, 9p, "`security_model` is missing: none,", .id = "f", .path = "/", .mount_tag = "t");
    NOT(9P, 9p, "must be none, passthrough, mapped-xattr or mapped-file, got 'mapped'", .id = "f",
        .path = "/", .mount_tag = "t", .security_model = "mapped");
    NOT(9P, 9p, "`mount_tag` must have at most 31 bytes", .id = "f", .path = "/",
        .mount_tag = "12345678901234567890123456789012", .security_model = "none");
    NOT(9P, 9p, "`driver` 'handle' is not in QEMU since 4.0", .id = "f", .path = "/",
        .mount_tag = "t", .driver = CIMA_9P_HANDLE);
    NOT(9P, 9p, "it wants `socket`", .id = "f", .path = "/", .mount_tag = "t",
        .driver = CIMA_9P_PROXY);
    IS(9P, 9p, "-fsdev proxy,id=f,socket=/s -device virtio-9p-ccw,fsdev=f,mount_tag=t", .id = "f",
       .socket = "/s", .mount_tag = "t", .driver = CIMA_9P_PROXY,
       .place = {.transport = CIMA_TRANSPORT_CCW});
    cr_assert_str_eq(cima_9p_driver_to_string(CIMA_9P_PROXY), "proxy");
}

/* ---- character devices ----------------------------------------------------------------------- */

Test(devices, S2_06_07_08_char_devices)
{
    IS(CHAR_DEVICE, char_device,
       "-chardev socket,id=ch0,path=/s,,1,server=on,wait=off "
       "-device virtserialport,chardev=ch0,name=org.example.0,id=port0,bus=vs0.0",
       .driver = CIMA_CHAR_VIRTSERIALPORT, .place = {.id = "port0", .bus = "vs0.0"},
       .name = "org.example.0", .chardev = {.id = "ch0", .path = "/s,1", .server = true});
    IS(CHAR_DEVICE, char_device,
       "-chardev pipe,id=ch0,path=/p -device virtconsole,chardev=ch0,id=port0",
       .place = {.id = "port0"}, .chardev = {.id = "ch0", .backend = CIMA_CHAR_PIPE, .path = "/p"});
    NOT(CHAR_DEVICE, char_device, "character device: `id` is missing", .chardev = {.path = "/s"});
    NOT(CHAR_DEVICE, char_device, "character device 'c': `path` is missing",
        .chardev = {.id = "c"});
    NOT(CHAR_DEVICE, char_device, "`path` is nothing that 'pty' has",
        .chardev = {.id = "c", .backend = CIMA_CHAR_PTY, .path = "/p"});
    NOT(CHAR_DEVICE, char_device, "'serial' is meant",
        .chardev = {.id = "c", .backend = CIMA_CHAR_TTY, .path = "/dev/ttyS0"});
    /* B-DISABLE-MODERN */
    NOT(CHAR_DEVICE, char_device, "`disable_modern` is for virtio PCI devices only",
        .chardev = {.id = "c", .path = "/s"}, .place = {.disable_modern = true});
}

Test(devices, S2_08_chardevs)
{
    IS(CHARDEV, chardev, "-chardev stdio,id=c,signal=off,mux=on", .id = "c",
       .backend = CIMA_CHAR_STDIO, .signal = CIMA_OFF, .mux = true);
    IS(CHARDEV, chardev,
       "-chardev socket,id=c,host=::1,port=22,reconnect=3,logfile=/l,logappend=on", .id = "c",
       .host = "::1", .port = 22, .reconnect = 3, .logfile = "/l", .logappend = CIMA_ON);
    IS(CHARDEV, chardev, "-chardev socket,id=c,path=/s,server=on,wait=on", .id = "c", .path = "/s",
       .server = true, .wait = true);
    IS(CHARDEV, chardev, "-chardev file,id=c,path=/f,append=on", .id = "c",
       .backend = CIMA_CHAR_FILE, .path = "/f", .append = true);
    IS(LEGACY_SERIAL, legacy_serial, "-chardev null,id=c -serial chardev:c",
       .chardev = {.id = "c", .backend = CIMA_CHAR_NULL});
    NOT(CHARDEV, chardev, "`path` is not the only one", .id = "c", .path = "/s", .fd = 5);
    NOT(CHARDEV, chardev, "`port` is missing", .id = "c", .host = "h");
    NOT(CHARDEV, chardev, "`server` is for a socket only", .id = "c", .backend = CIMA_CHAR_NULL,
        .server = true);
    NOT(CHARDEV, chardev, "`wait` is for a server only", .id = "c", .path = "/s", .wait = true);
    NOT(CHARDEV, chardev, "`backend` must be socket, pipe, ", .id = "c",
        .backend = CIMA_CHAR_BACKEND_COUNT);
    NOT(CHARDEV, chardev, "`append` is for a file only", .id = "c", .path = "/s", .append = true);
}

Test(devices, S2_09_driver_names)
{
    enum cima_char_driver d;
    enum cima_dimm_kind k;

    cr_assert_eq(cima_char_driver_from_string("virtconsole", &d), 0);
    cr_assert_eq(d, CIMA_CHAR_VIRTCONSOLE);
    cr_assert_eq(cima_char_driver_from_string("virtserialport", &d), 0);
    cr_assert_eq(d, CIMA_CHAR_VIRTSERIALPORT);
    cr_assert_eq(cima_char_driver_from_string("nvdimm", &d), -1);
    cr_assert_eq(cima_dimm_kind_from_string("nvdimm", &k), 0);
    cr_assert_eq(k, CIMA_DIMM_NVDIMM);
}

Test(devices, S2_20_serial_controller)
{
    IS(SERIAL_CONTROLLER, serial_controller,
       "-device virtio-serial-pci,max_ports=8,id=vs0,disable-modern=on",
       .place = {.id = "vs0", .disable_modern = true}, .max_ports = 8);
    IS(SERIAL_CONTROLLER, serial_controller, "-device virtio-serial-device,id=vs0",
       .place = {.id = "vs0", .transport = CIMA_TRANSPORT_MMIO});
    NOT(SERIAL_CONTROLLER, serial_controller, "serial controller: `id` is missing", .max_ports = 1);
    NOT(SERIAL_CONTROLLER, serial_controller, "`max_ports` must be from 1 to 511, got",
        .place = {.id = "vs0"}, .max_ports = -1);
    NOT(SERIAL_CONTROLLER, serial_controller, "`disable_modern` is for virtio PCI devices only",
        .place = {.id = "v", .transport = CIMA_TRANSPORT_CCW, .disable_modern = true});
}

/* ---- network --------------------------------------------------------------------------------- */

#define TAP  .id = "n0", .type = CIMA_NET_TAP, .ifname = "tap3", .mac = "02:11:22:33:44:55"
#define CARD "-device virtio-net-pci,netdev=n0,mac=02:11:22:33:44:55"

Test(devices, S2_10_11_12_13_16_19_net)
{
    enum cima_net_type t;

    IS(NET, net, "-netdev tap,id=n0,ifname=tap3 " CARD, TAP);
    IS(NET, net,
       "-netdev tap,id=n0,ifname=tap3,downscript=no,script=/up,,1 " CARD ",bus=pcie.0,addr=a", TAP,
       .script = "/up,1", .down_script = "no", .place = {.bus = "pcie.0", .addr = "10"});
    IS(NET, net, "-netdev tap,id=n0,vhost=on,ifname=tap3 " CARD ",disable-modern=on", TAP,
       .vhost = true, .place = {.disable_modern = true});
    NOT(NET, net, "network device: `id` is missing", .type = CIMA_NET_TAP, .ifname = "t");
    NOT(NET, net, "network device 'n': `ifname` is missing", .id = "n", .type = CIMA_NET_TAP);
    NOT(NET, net, "`type` must be user, tap, macvtap, bridge, stream or socket", .id = "n",
        .type = CIMA_NET_TYPE_COUNT);
    NOT(NET, net, "`mac` must be six octets such as 52:55:00:00:00:01, got 'x'", .id = "n",
        .mac = "x");
    /* A group address is one that QEMU takes. */
    IS(NET, net,
       "-netdev tap,id=tap0,vhost=on,ifname=ceth0,downscript=no,script=no -device "
       "virtio-net-pci,netdev=tap0,mac=01:02:de:ad:be:ef,bus=/pci-bus/pcie.0,addr=1f,"
       "disable-modern=on,romfile=efi-virtio.rom",
       .id = "tap0", .type = CIMA_NET_TAP, .ifname = "ceth0", .script = "no", .down_script = "no",
       .vhost = true, .mac = "01:02:de:ad:be:ef",
       .place = {.bus = "/pci-bus/pcie.0",
                 .addr = "31",
                 .disable_modern = true,
                 .romfile = "efi-virtio.rom"});
    NOT(NET, net, "`ifname` is for a tap only", .id = "n", .ifname = "t");
    cr_assert_eq(cima_net_type_from_string("ipvtap", &t), -1);
    cr_assert_eq(cima_net_type_from_string("vethtap", &t), -1);
    cr_assert_eq(cima_net_type_from_string("VFIO", &t), -1);
    cr_assert_eq(cima_net_type_from_string("vhostuser", &t), -1);
    cr_assert_eq(cima_net_type_from_string("macvtap", &t), 0);
}

Test(devices, S2_14_addr)
{
    static const struct {
        const char *addr, *written, *refused;
    } cases[] = {
        {"1", "1", NULL},
        {"31", "1f", NULL},
        {"10.2", "a.2", NULL},
        {"00:04.0", "4", NULL},
        {"00:1f.2", "1f.2", NULL},
        {"00:4.0", NULL, "'00:4.0'"},
        {"00:20.0", NULL, "'00:20.0'"},
        {"00:04.8", NULL, "'00:04.8'"},
        {"01:04.0", NULL, "'01:04.0'"},
        {"00:04", NULL, "'00:04'"},
        {"0x10", NULL, "'0x10'"},
        {"-1", NULL, "'-1'"},
        {"32", NULL, "'32'"},
        {"", NULL, "`addr` must"},
        {"1.8", NULL, "1.8"},
        {"1.", NULL, "'1.'"},
        {"0", NULL, "the host bridge is there"},
        {"4294967297", NULL, "`addr` must"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct cima_balloon x = {
            .place = {.id = "b", .bus = "pcie.0", .addr = cases[i].addr}};
        _cleanup_free_ char *expected =
            xasprintf("-device virtio-balloon-pci,id=b,bus=pcie.0,addr=%s",
                      cases[i].written ? cases[i].written : "");

        check_device((struct cima_device){CIMA_DEVICE_BALLOON, {.as_balloon = &x}}, expected,
                     cases[i].refused);
    }
    IS(BALLOON, balloon, "-device virtio-balloon-pci,id=b,bus=br0,addr=0",
       .place = {.id = "b", .bus = "br0", .addr = "0"});
    NOT(BALLOON, balloon, "`addr` is for PCI devices only",
        .place = {.id = "b", .transport = CIMA_TRANSPORT_CCW, .addr = "1"});
}

/* The places of s390x. */
Test(devices, S2_H3_ccw)
{
    static const char *const bad[] = {"",        "fe",      "fe.0",    "fe.0.", "fe.0.00001",
                                      "fe.10.1", "fe.0.1,", "0.0.0.1", "xx.0.1"};

    IS(9P, 9p,
       "-fsdev local,id=fs0,path=/a,security_model=none,multidevs=remap -device "
       "virtio-9p-ccw,fsdev=fs0,mount_tag=t,devno=fe.1.1234,iommu_platform=on",
       .id = "fs0", .path = "/a", .mount_tag = "t", .security_model = "none", .multidevs = "remap",
       .place = {.transport = CIMA_TRANSPORT_CCW, .devno = "fe.1.1234", .iommu_platform = true});
    IS(SCSI_CONTROLLER, scsi_controller, "-device virtio-scsi-ccw,id=foo,devno=fe.1.1234",
       .place = {.id = "foo", .transport = CIMA_TRANSPORT_CCW, .devno = "fe.1.1234"});
    IS(VSOCK, vsock, "-device vhost-vsock-ccw,guest-cid=4,id=v,devno=fe.1.1234", .guest_cid = 4,
       .place = {.id = "v", .transport = CIMA_TRANSPORT_CCW, .devno = "fe.1.1234"});
    IS(VFIO, vfio, "-device vfio-ccw,sysfsdev=/sys/d,devno=fe.0.0002", .kind = CIMA_VFIO_CCW,
       .sysfsdev = "/sys/d", .place = {.devno = "fe.0.0002"});
    NOT(BALLOON, balloon, "`devno` is for ccw devices only",
        .place = {.id = "b", .devno = "fe.0.0001"});
    NOT(PVPANIC, pvpanic, "`iommu_platform` is for virtio only", .place = {.iommu_platform = true});
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        NOT(BALLOON, balloon, "`devno` must be such as fe.0.0001, got '",
            .place = {.id = "b", .transport = CIMA_TRANSPORT_CCW, .devno = bad[i]});
}

Test(devices, S2_15_17_34_descriptors)
{
    static const int fds[] = {40, 41}, vhost[] = {42, 43};
    const struct cima_net first = {TAP,           .fds = fds,         .n_fds = 2,
                                   .vhost = true, .vhost_fds = vhost, .n_vhost_fds = 2};
    const struct cima_vsock second = {.place = {.id = "v0"}, .guest_cid = 3, .vhost_fd = 44};
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *words = NULL;
    const int *all;

    cr_assert_eq(cima_add_net(c, &first, &err), 0, "%s", err.msg);
    cr_assert_eq(cima_add_vsock(c, &second, &err), 0, "%s", err.msg);
    words = words_of(c);
    cr_assert_str_eq(words, "-netdev tap,id=n0,vhost=on,vhostfds=3:4,fds=5:6 " CARD
                            ",mq=on,vectors=6 -device vhost-vsock-pci,guest-cid=3,vhostfd=7,id=v0");
    cr_assert_eq(cima_cmdline_fds(c, &all), 5);
    cr_assert(all[0] == 42 && all[1] == 43 && all[2] == 40 && all[3] == 41 && all[4] == 44);
    NOT(NET, net, "`vhost_fds` is for `vhost` only", TAP, .fds = fds, .n_fds = 1,
        .vhost_fds = vhost, .n_vhost_fds = 1);
    NOT(NET, net, "`vhost_fds` must be as many as `fds`", TAP, .fds = fds, .n_fds = 2,
        .vhost = true, .vhost_fds = vhost, .n_vhost_fds = 1);
    NOT(NET, net, "`fds` must be open descriptors from 1 on, got -1", TAP, .fds = (int[]){-1},
        .n_fds = 1);
}

Test(devices, S2_18_macvtap)
{
    static const int fds[] = {9};

    NOT(NET, net, "`fds` is missing: a macvtap is handed over by descriptors", .id = "n0",
        .type = CIMA_NET_MACVTAP, .ifname = "tap3");
    IS(NET, net, "-netdev tap,id=n0,fds=3 -device virtio-net-pci,netdev=n0,mq=on,vectors=4",
       .id = "n0", .type = CIMA_NET_MACVTAP, .ifname = "tap3", .fds = fds, .n_fds = 1);
}

Test(devices, S2_H3_other_networks)
{
    static const int fds[] = {9};
    static const char *const fwd[] = {"tcp::1-:2", NULL};

    IS(NET, net,
       "-netdev user,id=n,net=10.0.0.0/8,restrict=on,ipv6=off,hostfwd=tcp::1-:2 "
       "-device virtio-net-pci,netdev=n,host_mtu=1400,romfile=,bootindex=2",
       .id = "n", .net = "10.0.0.0/8", .restrict_guest = true, .ipv6 = CIMA_OFF, .hostfwd = fwd,
       .mtu = 1400, .place = {.boot_index = 2, .romfile = CIMA_NO_ROM});
    IS(NET, net, "-netdev bridge,id=n,br=br0 -device e1000e,netdev=n", .id = "n",
       .type = CIMA_NET_BRIDGE, .bridge = "br0", .model = "e1000e");
    IS(NET, net,
       "-netdev stream,id=n,server=off,addr.type=unix,addr.path=/s -device virtio-net-ccw,netdev=n",
       .id = "n", .type = CIMA_NET_STREAM, .path = "/s",
       .place = {.transport = CIMA_TRANSPORT_CCW});
    IS(NET, net,
       "-netdev stream,id=n,server=off,addr.type=fd,addr.str=3 -device virtio-net-pci,netdev=n",
       .id = "n", .type = CIMA_NET_STREAM, .fds = fds, .n_fds = 1);
    IS(NET, net, "-netdev socket,id=n,fd=3 -device virtio-net-pci,netdev=n", .id = "n",
       .type = CIMA_NET_SOCKET, .fds = fds, .n_fds = 1);
    NOT(NET, net, "`fds` must be one connected socket", .id = "n", .type = CIMA_NET_SOCKET);
    NOT(NET, net, "`path` is missing", .id = "n", .type = CIMA_NET_STREAM);
    NOT(NET, net, "`mtu` is for virtio only", .id = "n", .model = "e1000", .mtu = 1);
}

Test(devices, S2_24_25_26_vhost_user)
{
    IS(VHOST_USER, vhost_user,
       "-chardev socket,id=vc0,path=/v -netdev "
       "vhost-user,id=vd0,chardev=vc0,vhostforce=on,queues=2 "
       "-device virtio-net-pci,netdev=vd0,mac=02:aa:00:00:00:01,mq=on,vectors=6",
       .id = "vd0", .chardev = "vc0", .socket_path = "/v", .mac = "02:aa:00:00:00:01", .queues = 2);
    IS(VHOST_USER, vhost_user,
       "-chardev socket,id=vc0,path=/v -device vhost-user-scsi-pci,chardev=vc0,id=vd0",
       .type = CIMA_VHOST_USER_SCSI, .id = "vd0", .chardev = "vc0", .socket_path = "/v");
    IS(VHOST_USER, vhost_user,
       "-chardev socket,id=vc0,fd=3 -device "
       "vhost-user-blk-pci,chardev=vc0,num-queues=4,queue-size=256,id=vd0",
       .type = CIMA_VHOST_USER_BLK, .id = "vd0", .chardev = "vc0", .fd = 8, .queues = 4,
       .queue_size = 256);
    IS(VHOST_USER, vhost_user,
       "-chardev socket,id=vc0,path=/v -device "
       "vhost-user-fs-ccw,queue-size=1024,chardev=vc0,tag=t,id=vd0",
       .type = CIMA_VHOST_USER_FS, .id = "vd0", .chardev = "vc0", .socket_path = "/v", .tag = "t",
       .queue_size = 1024, .place = {.transport = CIMA_TRANSPORT_CCW});
    /* Only what others mean by it needs an id. */
    IS(VHOST_USER, vhost_user,
       "-chardev socket,id=char2,path=/v -device vhost-user-blk-pci,chardev=char2,romfile=/r",
       .type = CIMA_VHOST_USER_BLK, .chardev = "char2", .socket_path = "/v",
       .place = {.romfile = "/r"});
    /* ccw has no vectors. */
    IS(VHOST_USER, vhost_user,
       "-chardev socket,id=vc0,path=/v -netdev "
       "vhost-user,id=vd0,chardev=vc0,vhostforce=on,queues=2 "
       "-device virtio-net-ccw,netdev=vd0,mac=02:aa:00:00:00:01,mq=on",
       .id = "vd0", .chardev = "vc0", .socket_path = "/v", .mac = "02:aa:00:00:00:01", .queues = 2,
       .place = {.transport = CIMA_TRANSPORT_CCW});
    NOT(VHOST_USER, vhost_user, "`id` is missing", .type = CIMA_VHOST_USER_SCSI, .chardev = "a",
        .socket_path = "/v");
    NOT(VHOST_USER, vhost_user, "`socket_path` is missing", .id = "a", .chardev = "b", .mac = "x");
    NOT(VHOST_USER, vhost_user, "`chardev` is missing", .id = "a", .socket_path = "/v");
    NOT(VHOST_USER, vhost_user, "`id` is missing", .chardev = "a", .socket_path = "/v");
    NOT(VHOST_USER, vhost_user, "vhost-user device 'a': `mac` is missing", .id = "a",
        .chardev = "b", .socket_path = "/v");
    NOT(VHOST_USER, vhost_user, "`tag` is missing", .type = CIMA_VHOST_USER_FS, .id = "a",
        .chardev = "b", .socket_path = "/v");
    /* B-VHOSTUSER-TYPE */
    NOT(VHOST_USER, vhost_user, "`type` must be net, scsi, blk or fs",
        .type = CIMA_VHOST_USER_TYPE_COUNT, .id = "a", .chardev = "b", .socket_path = "/v");
}

/* ---- block ----------------------------------------------------------------------------------- */

Test(devices, S2_21_22_23_block)
{
    IS(DISK, disk,
       "-drive id=d0,if=none,file=/a,,b,format=qcow2,aio=threads "
       "-device virtio-blk,drive=d0,config-wce=off",
       .form = CIMA_DISK_DRIVE, .driver = "virtio-blk", .id = "d0", .file = "/a,b",
       .format = "qcow2", .aio = "threads", .config_wce = CIMA_OFF);
    /* B-AIO-NATIVE */
    IS(DISK, disk,
       "-drive id=d0,if=none,file=/a,format=raw,aio=native,cache.direct=on -device "
       "virtio-blk-pci,drive=d0",
       .form = CIMA_DISK_DRIVE, .id = "d0", .file = "/a", .format = "raw", .aio = "native");
    IS(DISK, disk,
       "-blockdev "
       "raw,node-name=d0,read-only=on,file.driver=file,file.filename=/a,file.read-only=on "
       "-device scsi-cd,drive=d0,bus=scsi0.0,bootindex=1",
       .id = "d0", .file = "/a", .format = "raw", .driver = "scsi-cd",
       .place = {.bus = "scsi0.0", .boot_index = 1});
    IS(DISK, disk,
       "-blockdev "
       "raw,node-name=d0,file.driver=host_device,file.filename=/dev/sdb,file.aio=io_uring,"
       "file.cache.direct=on,cache.direct=on -device "
       "virtio-blk-pci,drive=d0,iothread=io,num-queues=2",
       .id = "d0", .file = "/dev/sdb", .format = "raw", .host_device = true, .aio = "io_uring",
       .cache_direct = true, .iothread = "io", .queues = 2);
    NOT(DISK, disk, "disk: `id` is missing", .file = "/a", .format = "raw");
    NOT(DISK, disk, "disk 'd': `file` is missing", .id = "d", .format = "raw");
    NOT(DISK, disk, "`driver` is empty", .id = "d", .file = "/a", .format = "raw", .driver = "");
    NOT(DISK, disk, "`format` is missing", .id = "d", .file = "/a");
    NOT(DISK, disk, "QEMU would guess it", .id = "d", .file = "/a", .form = CIMA_DISK_DRIVE);
    NOT(DISK, disk, "`aio` must be threads, native or io_uring, got 'fast'", .id = "d",
        .file = "/a", .format = "raw", .aio = "fast");
    NOT(DISK, disk, "`logical_block_size` must be a power of two from 512 to 2 MiB, got 100",
        .id = "d", .file = "/a", .format = "raw", .logical_block_size = 100);
    NOT(DISK, disk, "`serial` must have at most 20 bytes", .id = "d", .file = "/a", .format = "raw",
        .serial = "123456789012345678901");
    NOT(DISK, disk, "`config_wce` is for virtio-blk only", .id = "d", .file = "/a", .format = "raw",
        .driver = "scsi-hd", .config_wce = CIMA_ON);
}

Test(devices, S2_H3_flash_and_controllers)
{
    IS(FLASH, flash, "-drive if=pflash,unit=0,format=raw,readonly=on,file=/c,,1", .file = "/c,1",
       .format = "raw", .read_only = true);
    NOT(FLASH, flash, "`unit` must be 0 (code) or 1 (variables), got 2", .unit = 2, .file = "/c",
        .format = "raw");
    NOT(FLASH, flash, "`format` must be raw or qcow2", .file = "/c");
    IS(SCSI_CONTROLLER, scsi_controller, "-device virtio-scsi-pci,id=s,iothread=io,num_queues=3",
       .place = {.id = "s"}, .iothread = "io", .queues = 3);
    NOT(SCSI_CONTROLLER, scsi_controller, "`id` is missing", .queues = 1);
}

/* ---- buses and others ------------------------------------------------------------------------ */

Test(devices, S2_27_vfio)
{
    IS(VFIO, vfio, "-device vfio-pci,host=0000:02:10.1", .host = "0000:02:10.1");
    IS(VFIO, vfio, "-device vfio-pci,host=02:10.1,multifunction=on,id=v,bus=rp0,romfile=/r",
       .host = "02:10.1", .multifunction = true,
       .place = {.id = "v", .bus = "rp0", .romfile = "/r"});
    IS(VFIO, vfio,
       "-device vfio-pci,host=02:00.0,x-pci-vendor-id=0x10de,x-pci-device-id=0x15f8,"
       "iommufd=iommufd0,bus=rp1",
       .host = "02:00.0", .vendor_id = 0x10de, .device_id = 0x15f8, .iommufd = "iommufd0",
       .place = {.bus = "rp1"});
    IS(VFIO, vfio, "-device vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:00:02.0/a297,id=v",
       .sysfsdev = "/sys/bus/pci/devices/0000:00:02.0/a297", .place = {.id = "v"});
    IS(VFIO, vfio, "-device vfio-ap,sysfsdev=/sys/devices/vfio_ap/matrix/a297,id=test-id",
       .kind = CIMA_VFIO_AP, .sysfsdev = "/sys/devices/vfio_ap/matrix/a297",
       .place = {.id = "test-id"});
    IS(IOMMUFD, iommufd, "-object iommufd,id=iommufd0", .id = "iommufd0");
    IS(IOMMUFD, iommufd, "-object iommufd,id=iommufd0,fd=3", .id = "iommufd0", .fd = 7);
    NOT(VFIO, vfio, "`host` is there twice", .host = "02:10.1", .sysfsdev = "/sys/d");
    NOT(VFIO, vfio, "`host` is for the kind pci only", .kind = CIMA_VFIO_AP, .host = "02:10.1");
    NOT(VFIO, vfio, "`sysfsdev` is missing", .kind = CIMA_VFIO_CCW);
    NOT(VFIO, vfio, "`vendor_id` is for the kind pci only", .kind = CIMA_VFIO_AP,
        .sysfsdev = "/sys/d", .vendor_id = 1);
    NOT(VFIO, vfio, "`kind` must be pci, ccw or ap", .kind = CIMA_VFIO_KIND_COUNT, .host = "2:1.0");
    NOT(VFIO, vfio, "VFIO device: `host` is missing", .host = "");
    NOT(VFIO, vfio, "`host` must be a PCI address", .host = "02:10");
    NOT(VFIO, vfio, "`host` must be a PCI address", .host = "0000:02:10.9");
    NOT(VFIO, vfio, "`host` must be a PCI address", .host = "02:10.1,x=y");
}

Test(devices, S2_28_29_bridge)
{
    IS(BRIDGE, bridge, "-device pci-bridge,id=br0,bus=pcie.0,chassis_nr=2,shpc=off",
       .place = {.id = "br0", .bus = "pcie.0"}, .chassis = 2);
    IS(BRIDGE, bridge, "-device pcie-pci-bridge,id=br0,bus=pcie.0", .type = CIMA_BRIDGE_PCIE,
       .place = {.id = "br0", .bus = "pcie.0"});
    NOT(BRIDGE, bridge, "bridge: `id` is missing", .place = {.bus = "pcie.0"}, .chassis = 1);
    NOT(BRIDGE, bridge, "bridge 'b': `bus` is missing", .place = {.id = "b"}, .chassis = 1);
    NOT(BRIDGE, bridge, "`type` must be pci or pcie", .place = {.id = "b", .bus = "p"},
        .type = CIMA_BRIDGE_TYPE_COUNT);
    /* B-CHASSIS */
    NOT(BRIDGE, bridge, "`chassis` is missing", .place = {.id = "b", .bus = "p"});
    NOT(BRIDGE, bridge, "`chassis` must be from 1 to 255, got 256", .chassis = 256,
        .place = {.id = "b", .bus = "p"});
    NOT(BRIDGE, bridge, "`chassis` is for the type pci only", .type = CIMA_BRIDGE_PCIE,
        .chassis = 1, .place = {.id = "b", .bus = "p"});
}

Test(devices, S2_H3_small_devices)
{
    IS(ROOT_PORT, root_port,
       "-device pcie-root-port,id=rp0,bus=pcie.0,addr=5,chassis=1,slot=2,port=16,"
       "multifunction=on,pref64-reserve=32M",
       .place = {.id = "rp0", .bus = "pcie.0", .addr = "5"}, .chassis = 1, .slot = 2, .port = 16,
       .multifunction = true, .pref64_reserve = 32 * MIB);
    IS(ROOT_PORT, root_port, "-device pcie-root-port,id=rp1", .place = {.id = "rp1"});
    IS(ROOT_PORT, root_port,
       "-device pcie-root-port,id=rp2,bus=pcie.0,addr=2,romfile=efi-virtio.rom,slot=1,"
       "multifunction=on,bus-reserve=3,io-reserve=512M,mem-reserve=1G,pref64-reserve=16G",
       .place = {.id = "rp2", .bus = "pcie.0", .addr = "2", .romfile = "efi-virtio.rom"}, .slot = 1,
       .multifunction = true, .bus_reserve = 3, .pref64_reserve = 16384 * MIB,
       .mem_reserve = 1024 * MIB, .io_reserve = 512 * MIB);
    IS(ROOT_PORT, root_port, "-device pcie-root-port,id=r,pref32-reserve=256M",
       .place = {.id = "r"}, .pref32_reserve = 256 * MIB);
    NOT(ROOT_PORT, root_port, "`pref32_reserve` can't go with `pref64_reserve`",
        .place = {.id = "r"}, .pref32_reserve = 256 * MIB, .pref64_reserve = 16384 * MIB);
    NOT(ROOT_PORT, root_port, "port: `id` is missing", .slot = 1);
    NOT(ROOT_PORT, root_port, "`chassis` must be from 1 to 255", .place = {.id = "r"},
        .chassis = 300);
    IS(IOMMU, iommu, "-device intel-iommu,intremap=on,device-iotlb=on,caching-mode=on",
       .interrupt_remapping = CIMA_ON, .device_iotlb = true, .caching_mode = true);
    IS(BALLOON, balloon, "-device virtio-balloon-ccw,deflate-on-oom=on,id=b",
       .deflate_on_oom = true, .place = {.id = "b", .transport = CIMA_TRANSPORT_CCW});
    NOT(BALLOON, balloon, "balloon: `id` is missing", .deflate_on_oom = true);
    IS(VSOCK, vsock, "-device vhost-vsock-ccw,guest-cid=42,id=v", .guest_cid = 42,
       .place = {.id = "v", .transport = CIMA_TRANSPORT_CCW});
    NOT(VSOCK, vsock, "`guest_cid` must be from 3 to ", .guest_cid = 2, .place = {.id = "v"});
    NOT(VSOCK, vsock, "`guest_cid` must be from 3 to ", .guest_cid = (uint64_t)1 << 32,
        .place = {.id = "v"});
    NOT(VSOCK, vsock, "`guest_cid` is missing", .place = {.id = "v"});
    NOT(VSOCK, vsock, "vsock device: `id` is missing", .guest_cid = 3);
    IS(GPU, gpu, "-device virtio-gpu-pci,id=g", .place = {.id = "g"});
    IS(GPU, gpu, "-device virtio-gpu-gl-pci", .model = "virtio-gpu-gl-pci");
    NOT(GPU, gpu, "`iommu_platform` is for virtio only", .model = "VGA",
        .place = {.iommu_platform = true});
    NOT(GPU, gpu, "screen: `model` is empty", .model = "");
    IS(PVPANIC, pvpanic, "-device pvpanic-pci,addr=6", .place = {.addr = "6"});
    IS(PVPANIC, pvpanic, "-device pvpanic", .isa = true);
    IS(LOADER, loader,
       "-device loader,id=l,file=/f,,x,addr=0xffffffff80000000,cpu-num=0,force-raw=on", .id = "l",
       .file = "/f,x", .has_addr = true, .addr = 0xffffffff80000000, .has_cpu = true,
       .force_raw = true);
    NOT(LOADER, loader, "loader: `id` is missing", .file = "/f");
    NOT(LOADER, loader, "`file` is missing", .id = "l");
}

/* ---- hostile values -------------------------------------------------------------------------- */

Test(devices, hostile_ids)
{
    static const char *const bad[] = {"0a", "a b",      "a,b", "a=b", "a\nb", "-a",
                                      ".a", "\xc3\xa4", "a/b", "_a",  "a\x7f"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        NOT(IOTHREAD, iothread, "`id` must begin with a letter", .id = bad[i]);
        NOT(DISK, disk, "`id` must begin with a letter", .id = bad[i], .file = "/a",
            .format = "raw");
        NOT(NET, net, "`id` must begin with a letter", .id = bad[i]);
        NOT(CHARDEV, chardev, "`id` must begin with a letter", .id = bad[i], .path = "/s");
        NOT(BALLOON, balloon, "`id` must begin with a letter", .place = {.id = bad[i]});
    }
    IS(IOTHREAD, iothread, "-object iothread,id=a-b._1", .id = "a-b._1");
}

Test(devices, hostile_texts)
{
    NOT(DISK, disk, "`file` has a line break", .id = "d", .file = "/a\nb", .format = "raw");
    NOT(DISK, disk, "`format` is empty", .id = "d", .file = "/a", .format = "");
    NOT(DISK, disk, "`serial` has a control character", .id = "d", .file = "/a", .format = "raw",
        .serial = "\x1b[0m");
    NOT(9P, 9p, "`path` has a control character", .id = "f", .path = "/\t", .mount_tag = "t",
        .security_model = "none");
    NOT(NET, net, "`hostfwd` is missing", .id = "n", .hostfwd = (const char *const[]){"", NULL});
    NOT(NET, net, "got 'a\\nb'", .id = "n", .mac = "a\nb");
    IS(DISK, disk,
       "-blockdev "
       "raw,node-name=d,file.driver=file,file.filename=json:{\"driver\":\"nbd\"},,file.x=y "
       "-device virtio-blk-pci,drive=d",
       .id = "d", .file = "json:{\"driver\":\"nbd\"},file.x=y", .format = "raw");
    /* What the first key would be read from is written with its key. */
    IS(DISK, disk,
       "-blockdev driver=a=b,node-name=d,file.driver=file,file.filename=/a "
       "-device virtio-blk-pci,drive=d",
       .id = "d", .file = "/a", .format = "a=b");
}

Test(devices, an_id_is_there_once)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err err = ERR_INIT;
    const struct cima_iothread io = {.id = "x"};
    const struct cima_chardev ch = {.id = "x", .backend = CIMA_CHAR_NULL};
    const struct cima_disk d = {.id = "x", .file = "/a", .format = "raw"};
    const struct cima_disk drive = {
        .id = "x", .file = "/b", .format = "raw", .form = CIMA_DISK_DRIVE};

    /* Other kinds of things have ids of their own. */
    cr_assert_eq(cima_add_iothread(c, &io, &err), 0);
    cr_assert_eq(cima_add_chardev(c, &ch, &err), 0);
    cr_assert_eq(cima_add_disk(c, &d, &err), 0);
    cr_assert_eq(cima_cmdline_len(c), 4);
    cr_assert(cima_add_iothread(c, &io, &err) < 0);
    cr_assert_str_eq(err.msg, "I/O thread 'x': `id` must be new: 'x' is the id of another object");
    err_clear(&err);
    cr_assert(cima_add_disk(c, &drive, &err) < 0);
    cr_assert(strstr(err.msg, "'x' is the id of another block node"), "%s", err.msg);
    cr_assert_eq(cima_cmdline_len(c), 4);
}
