/* SPDX-License-Identifier: Apache-2.0 */
/* Settings, whole machines, checks of a command line, and parts as commands. */
#include "base/mem.h"
#include "cima/qemu/machine.h"
#include "qemu/qemu.h"
#include <criterion/criterion.h>
#include <time.h>

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

/* A configuration is written as this, and nothing is wrong with it. */
static void is(const struct cima_config *config, const char *expected)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_cmdline_ struct cima_cmdline *c = cima_config_cmdline(config, NULL, &err);
    _cleanup_free_ char *words = NULL;

    cr_assert(c, "%s", err.msg);
    words = words_of(c);
    cr_assert_str_eq(words, expected);
}

/* It is refused with these words; what is left of it is `left`. */
static void is_wrong(const struct cima_config *config, const char *where, const char *why,
                     const char *left)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct cima_problems *problems = cima_problems_new();
    _cleanup_cmdline_ struct cima_cmdline *c = cima_config_cmdline(config, problems, NULL);
    _cleanup_free_ char *words = words_of(c);
    const struct cima_problem *first = cima_problems_at(problems, 0);

    cr_assert(first, "nothing is wrong with: %s", words);
    cr_assert_str_eq(first->where, where);
    cr_assert(strstr(first->message, why), "'%s' without '%s'", first->message, why);
    cr_assert_str_eq(words, left);
    cr_assert_null(cima_config_cmdline(config, NULL, &err));
    cr_assert_eq(err.kind, ERR_CONFIG);
    cr_assert(strstr(err.msg, where) && strstr(err.msg, why), "%s", err.msg);
    cima_problems_free(problems);
}

#define CONFIG(...) (&(const struct cima_config){__VA_ARGS__})
#define LIST(...)   ((const char *const[]){__VA_ARGS__, NULL})

Test(machine, S2_35_36_name_uuid)
{
    is(CONFIG(.identity = {.name = "one,two", .uuid = "8d3c2b1a-0f0e-4d0d-8c0c-0b0a09080706"}),
       "-name one,,two -uuid 8d3c2b1a-0f0e-4d0d-8c0c-0b0a09080706");
    is(CONFIG(.identity = {.name = "a=b", .debug_threads = true}),
       "-name guest=a=b,debug-threads=on");
    is_wrong(CONFIG(.identity = {.name = "a", .uuid = "x"}), "identity.uuid", "must be a UUID",
             "-name a");
    is_wrong(CONFIG(.identity = {.name = "a\nb"}), "identity.name", "has a line break", "");
}

Test(machine, S2_37_H1_machine)
{
    is(CONFIG(.machine = {.type = "q35", .accelerations = LIST("kvm:tcg")}),
       "-machine q35 -accel kvm -accel tcg");
    /* B-ACCEL-DROPPED */
    is(CONFIG(.machine = {.accelerations = LIST("tcg,thread=multi,tb-size=64")}),
       "-accel tcg,thread=multi,tb-size=64");
    /* What stands behind -machine's accel= and is no accelerator's is the machine's. */
    is(CONFIG(.machine = {.type = "pc-lite",
                          .accelerations = LIST("kvm,kernel_irqchip,nvdimm"),
                          .options = LIST("gic-version=host", "usb=off")}),
       "-machine pc-lite,gic-version=host,usb=off,kernel_irqchip=on,nvdimm=on -accel kvm");
    is(CONFIG(.machine = {.type = "q35", .accelerations = LIST("kvm:tcg,nvdimm=off")}),
       "-machine q35,nvdimm=off -accel kvm -accel tcg");
    is(CONFIG(.machine = {.accelerations = LIST("kvm,dirty-ring-size=4096,usb=off")}),
       "-machine usb=off -accel kvm,dirty-ring-size=4096");
    is_wrong(CONFIG(.machine = {.type = "q35", .accelerations = LIST("kvm,=x")}),
             "machine.accelerations", "must be a name, or a name with '=' and a value", "");
    is(CONFIG(.machine = {.type = "q35", .options = LIST("nvdimm", "kernel-irqchip=split")}),
       "-machine q35,nvdimm=on,kernel-irqchip=split");
    is_wrong(CONFIG(.machine = {.type = "q35", .options = LIST("a,b=c")}), "machine.options",
             "must be a name, or a name with '=' and a value, got 'a,b=c'", "");
    is_wrong(CONFIG(.machine = {.options = LIST("=c")}), "machine.options", "must be a name", "");
    is_wrong(CONFIG(.machine = {.accelerations = LIST("")}), "machine.accelerations", "is missing",
             "");
}

Test(machine, S2_38_cpu)
{
    is(CONFIG(.cpu = {.model = "max"}), "-cpu max");
    is(CONFIG(.cpu = {.model = "max,-avx2,+vmx", .features = LIST("svm=off", "x2apic")}),
       "-cpu max,avx2=off,vmx=on,svm=off,x2apic=on");
    is_wrong(CONFIG(.cpu = {.features = LIST("x")}), "cpu.features", "go with a model only", "");
    is_wrong(CONFIG(.cpu = {.model = "max,,x"}), "cpu.features", "is missing", "");
    is_wrong(CONFIG(.cpu = {.model = ",x"}), "cpu.model", "is missing", "");
}

Test(machine, S2_39_45_46_47_memory)
{
    const uint64_t gib = (uint64_t)1 << 30;
    uint64_t n;

    is(CONFIG(.memory = {.size = gib}), "-m size=1G");
    is(CONFIG(.memory = {.size = gib, .slots = 3, .max = 4 * gib}), "-m size=1G,slots=3,maxmem=4G");
    is(CONFIG(.memory = {.size = gib, .hugepages = true}),
       "-m size=1G -object memory-backend-file,id=dimm1,size=1G,mem-path=/dev/hugepages,share=on,"
       "prealloc=on -machine memory-backend=dimm1");
    /* B-PREALLOC */
    is(CONFIG(.memory = {.size = gib / 2, .prealloc = true}),
       "-m size=512M -object memory-backend-ram,id=dimm1,size=512M,prealloc=on "
       "-machine memory-backend=dimm1");
    is(CONFIG(.memory = {.size = gib, .memfd = true, .id = "ram"}),
       "-m size=1G -object memory-backend-memfd,id=ram,size=1G,share=on -machine "
       "memory-backend=ram");
    is(CONFIG(.memory = {.size = gib, .file = "/m,1"}),
       "-m size=1G -object memory-backend-file,id=dimm1,size=1G,mem-path=/m,,1 "
       "-machine memory-backend=dimm1");
    is_wrong(CONFIG(.memory = {.hugepages = true, .prealloc = true}), "memory.size", "is missing",
             "");
    is_wrong(CONFIG(.memory = {.slots = 2, .max = gib}), "memory.size", "is missing", "");
    is_wrong(CONFIG(.memory = {.size = gib, .max = gib / 2, .slots = 1}), "memory.max",
             "not less than `size`", "");
    is_wrong(CONFIG(.memory = {.size = 1000}), "memory.size", "must be whole KiB", "");
    is_wrong(CONFIG(.memory = {.size = gib, .slots = 1}), "memory.max", "is missing",
             "-m size=1G,slots=1");
    is_wrong(CONFIG(.memory = {.size = gib, .memfd = true, .hugepages = true}), "memory.file",
             "must be the only one", "");
    cr_assert_eq(cima_parse_memory("768", &n, NULL), 0);
    cr_assert_eq(n, (uint64_t)768 << 20);
    cr_assert_eq(cima_parse_memory("4G", &n, NULL), 0);
    cr_assert_eq(n, 4 * gib);
    cr_assert_eq(cima_parse_memory("lots", &n, NULL), -1);
    cr_assert_eq(cima_parse_memory("99999999999999999999", &n, NULL), -1);
}

Test(machine, S2_40_H1_smp)
{
    is(CONFIG(.smp = {.cpus = 3}), "-smp cpus=3");
    is(CONFIG(.smp = {.cpus = 2, .cores = 2, .threads = 2, .sockets = 2, .max_cpus = 8}),
       "-smp cpus=2,cores=2,threads=2,sockets=2,maxcpus=8");
    is_wrong(CONFIG(.smp = {.cpus = 4, .max_cpus = 2}), "smp.max_cpus",
             "MaxCPUs 2 must be equal to or greater than CPUs 4", "");
    is_wrong(CONFIG(.smp = {.cores = 4}), "smp.cpus", "is missing", "");
    is_wrong(CONFIG(.smp = {.cpus = 4, .cores = 3, .sockets = 1, .threads = 1}), "smp.cores",
             "must be 4", "-smp cpus=4,cores=3,threads=1,sockets=1");
    is_wrong(CONFIG(.smp = {.cpus = 100000}), "smp.cpus", "must be from 1 to 65535, got 100000",
             "");
}

Test(machine, S2_30_31_rtc)
{
    is(CONFIG(.rtc = {.base = "utc", .drift_fix = "slew", .clock = "vm"}),
       "-rtc base=utc,driftfix=slew,clock=vm");
    is(CONFIG(.rtc = {.clock = "host"}), "-rtc clock=host");
    is(CONFIG(.rtc = {.base = NULL}), "");
    is_wrong(CONFIG(.rtc = {.base = "utc", .clock = "sundial"}), "rtc.clock",
             "must be host or vm, got 'sundial'", "");
    is_wrong(CONFIG(.rtc = {.drift_fix = "x"}), "rtc.drift_fix", "must be slew or none, got 'x'",
             "");
    is_wrong(CONFIG(.rtc = {.base = ""}), "rtc.base", "is empty", "");
}

Test(machine, S2_32_33_H2_qmp_sockets)
{
    const struct cima_qmp_socket good[] = {{.path = "/a,1", .server = true},
                                           {.path = "/b", .server = true, .wait = true},
                                           {.path = "/c", .pretty = true, .id = "mine"},
                                           {.fd = 7, .server = true},
                                           {.path = "/h", .server = true, .human = true}};
    const struct cima_qmp_socket bad[] = {{.path = "/a", .server = true},
                                          {.type = CIMA_QMP_SOCKET_TYPE_COUNT, .path = "x:1"},
                                          {.path = ""},
                                          {.path = "/h", .human = true, .pretty = true}};

    is(CONFIG(.qmp_sockets = good, .n_qmp_sockets = 5),
       "-chardev socket,id=qmp0,path=/a,,1,server=on,wait=off -mon qmp0,mode=control "
       "-chardev socket,id=qmp1,path=/b,server=on,wait=on -mon qmp1,mode=control "
       "-chardev socket,id=mine,path=/c -mon mine,mode=control,pretty=on "
       "-chardev socket,id=qmp2,fd=3,server=on,wait=off -mon qmp2,mode=control "
       "-chardev socket,id=qmp3,path=/h,server=on,wait=off -mon qmp3,mode=readline");
    is_wrong(CONFIG(.qmp_sockets = bad, .n_qmp_sockets = 2), "qmp_sockets[1].type", "must be unix",
             "-chardev socket,id=qmp0,path=/a,server=on,wait=off -mon qmp0,mode=control");
    is_wrong(CONFIG(.qmp_sockets = bad + 2, .n_qmp_sockets = 1), "qmp_sockets[0].path",
             "is missing", "");
    is_wrong(CONFIG(.qmp_sockets = bad + 3, .n_qmp_sockets = 1), "qmp_sockets[0].pretty",
             "is for QMP only", "-chardev socket,id=qmp0,path=/h -mon qmp0,mode=readline");
}

Test(machine, S2_42_global_vga_bios)
{
    is(CONFIG(.globals = LIST("kvm-pit.lost_tick_policy=discard", "a.b=c,d"), .vga = "std",
              .bios = "/b,1", .display = "gtk,gl=on"),
       "-global kvm-pit.lost_tick_policy=discard -global a.b=c,d -vga std -display gtk,gl=on "
       "-bios /b,1");
    is_wrong(CONFIG(.globals = LIST("a.b=c", "x")), "globals[1]", "must be DRIVER.PROPERTY=VALUE",
             "-global a.b=c");
    is_wrong(CONFIG(.bios = ""), "bios", "is missing", "");
}

Test(machine, S2_43_kernel)
{
    is(CONFIG(.kernel = {.path = "/k,1", .initrd = "/i", .params = "root=/dev/vda a,b=\"c d\""}),
       "-kernel /k,1 -initrd /i -append root=/dev/vda a,b=\"c d\"");
    is(CONFIG(.kernel = {.path = "/k"}), "-kernel /k");
    is_wrong(CONFIG(.kernel = {.params = "quiet"}), "kernel.params", "go with a kernel only", "");
    is_wrong(CONFIG(.kernel = {.path = "/k", .params = "a\nb"}), "kernel.params",
             "has a line break", "");
}

Test(machine, S2_44_48_49_H2_H3_knobs)
{
    is(CONFIG(.knobs = {.no_user_config = true, .no_defaults = true, .no_graphic = true}),
       "-no-user-config -nodefaults -nographic");
    is(CONFIG(.knobs = {.daemonize = true,
                        .no_reboot = true,
                        .no_shutdown = true,
                        .stopped = true,
                        .mem_lock = true}),
       "-daemonize -no-reboot -no-shutdown -S -overcommit mem-lock=on");
    is_wrong(CONFIG(.knobs = {.daemonize = true, .no_graphic = true}), "knobs.daemonize",
             "the terminal is gone", "-nographic -daemonize");
}

Test(machine, S2_H3_others)
{
    const struct cima_fw_cfg fw[] = {{.name = "opt/a", .string = "x,y"},
                                     {.name = "opt/b", .file = "/f"}};
    const struct cima_fw_cfg both = {.name = "opt/a", .string = "x", .file = "/f"};

    is(CONFIG(.fw_cfg = fw, .n_fw_cfg = 2, .pidfile = "/p,1", .logfile = "/l",
              .sandbox = {.on = true,
                          .deny_obsolete = true,
                          .deny_elevate_privileges = true,
                          .deny_spawn = true,
                          .deny_resource_control = true}),
       "-fw_cfg name=opt/a,string=x,,y -fw_cfg name=opt/b,file=/f -sandbox on,obsolete=deny,"
       "elevateprivileges=deny,spawn=deny,resourcecontrol=deny -pidfile /p,1 -D /l");
    is(CONFIG(.incoming = {.how = CIMA_INCOMING_DEFER}), "-S -incoming defer");
    is(CONFIG(.incoming = {.how = CIMA_INCOMING_EXEC, .command = "cat /x"}),
       "-S -incoming exec:cat /x");
    is(CONFIG(.incoming = {.how = CIMA_INCOMING_FD, .fd = 9}), "-S -incoming fd:3");
    is(CONFIG(.incoming = {.how = CIMA_INCOMING_DEFER, .go_on = true}), "-incoming defer");
    is(CONFIG(.incoming = {.how = CIMA_INCOMING_DEFER}, .knobs = {.stopped = true}),
       "-S -incoming defer");
    is_wrong(CONFIG(.incoming = {.how = CIMA_INCOMING_FD}), "incoming.fd",
             "must be an open descriptor from 1 on, got 0", "");
    is_wrong(CONFIG(.incoming = {.how = CIMA_INCOMING_EXEC}), "incoming.command", "is missing", "");
    is_wrong(CONFIG(.fw_cfg = &both, .n_fw_cfg = 1), "fw_cfg[0].file", "is not the only one", "");
    is_wrong(CONFIG(.sandbox = {.deny_spawn = true}), "sandbox.on", "nothing is denied", "");
}

/* ---- whole machines -------------------------------------------------------------------------- */

static const struct cima_iothread io = {.id = "io0"};
static const struct cima_iothread nameless = {0};
static const struct cima_chardev null_char = {.id = "c", .backend = CIMA_CHAR_NULL};
static const struct cima_net bad_addr = {
    .id = "n", .type = CIMA_NET_TAP, .ifname = "t", .place = {.addr = "0x10"}};

Test(machine, S2_41_problems_are_reported_in_order)
{
    const struct cima_device devices[] = {
        {CIMA_DEVICE_IOTHREAD, {.as_iothread = &io}},
        {CIMA_DEVICE_IOTHREAD, {.as_iothread = &nameless}},
        {CIMA_DEVICE_NET, {.as_net = &bad_addr}},
        {CIMA_DEVICE_KIND_COUNT, {.any = NULL}},
        {CIMA_DEVICE_CHARDEV, {.as_chardev = &null_char}},
        {CIMA_DEVICE_IOTHREAD, {.as_iothread = &io}},
    };
    static const struct cima_problem expected[] = {
        {"devices[1].id", "I/O thread: `id` is missing", CIMA_EFFECT_LEFT_OUT},
        {"devices[2].addr", "network device 'n': `addr` must be a slot",
         CIMA_EFFECT_FIELD_LEFT_OUT},
        {"devices[3].kind", "`kind` is none of the devices there are", CIMA_EFFECT_LEFT_OUT},
        {"devices[5].id", "'io0' is the id of another object", CIMA_EFFECT_LEFT_OUT},
    };
    struct cima_problems *problems = cima_problems_new();
    _cleanup_cmdline_ struct cima_cmdline *c = cima_config_cmdline(
        CONFIG(.devices = devices, .n_devices = ARRAY_SIZE(devices)), problems, NULL);
    _cleanup_free_ char *words = words_of(c);

    cr_assert_str_eq(words, "-object iothread,id=io0 -netdev tap,id=n,ifname=t "
                            "-device virtio-net-pci,netdev=n -chardev null,id=c");
    cr_assert_eq(cima_problems_len(problems), ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        const struct cima_problem *p = cima_problems_at(problems, i);

        cr_assert_str_eq(p->where, expected[i].where);
        cr_assert(strstr(p->message, expected[i].message), "%s", p->message);
        cr_assert_eq(p->effect, expected[i].effect);
    }
    cr_assert_str_eq(cima_effect_to_string(CIMA_EFFECT_REFUSED), "refused by QEMU");
    cima_problems_free(problems);
}

static const struct cima_device one_device[] = {{CIMA_DEVICE_IOTHREAD, {.as_iothread = &io}}};
static const struct cima_qmp_socket one_socket = {.path = "/q", .server = true};
static const struct cima_config everything = {
    .identity = {.name = "all", .uuid = "11111111-2222-4333-8444-555555555555"},
    .machine = {.type = "q35", .accelerations = LIST("tcg")},
    .cpu = {.model = "qemu64"},
    .qmp_sockets = &one_socket,
    .n_qmp_sockets = 1,
    .memory = {.size = 256 << 20},
    .smp = {.cpus = 2},
    .devices = one_device,
    .n_devices = 1,
    .rtc = {.base = "utc"},
    .globals = LIST("a.b=c"),
    .vga = "none",
    .knobs = {.no_defaults = true},
    .kernel = {.path = "/k"},
    .bios = "/b",
};

Test(machine, S2_50_60_order_and_from_empty_each_time)
{
    for (int i = 0; i < 2; i++)
        is(&everything,
           "-name all -uuid 11111111-2222-4333-8444-555555555555 -machine q35 -accel tcg "
           "-cpu qemu64 -chardev socket,id=qmp0,path=/q,server=on,wait=off -mon qmp0,mode=control "
           "-m size=256M -smp cpus=2 -object iothread,id=io0 -rtc base=utc -global a.b=c -vga none "
           "-nodefaults -kernel /k -bios /b");
    is(CONFIG(.vga = NULL), "");
}

Test(machine, parts_that_dont_fit_together)
{
    const struct cima_dimm nvdimm = {
        .kind = CIMA_DIMM_NVDIMM,
        .memory = {.kind = CIMA_MEMORY_FILE, .id = "m", .path = "/p", .size = 1 << 20}};
    const struct cima_device list[] = {{CIMA_DEVICE_DIMM, {.as_dimm = &nvdimm}}};
    struct cima_problems *problems = cima_problems_new();
    _cleanup_cmdline_ struct cima_cmdline *c =
        cima_config_cmdline(CONFIG(.devices = list, .n_devices = 1), problems, NULL);

    cr_assert_eq(cima_problems_len(problems), 2);
    cr_assert(strstr(cima_problems_at(problems, 0)->message, "nvdimm=on"));
    cr_assert(strstr(cima_problems_at(problems, 1)->message, "need slots and a maximum"));
    cima_cmdline_opts(c, "-device", cima_nic(CIMA_TRANSPORT_PCI, "nobody", NULL));
    cima_cmdline_opts(c, "-object", cima_memory_memfd("m", 4096));
    cima_cmdline_opts(c, "-object", cima_memory_memfd("0", 4096));
    cr_assert_eq(cima_cmdline_check(c, problems), 5);
    cr_assert(
        strstr(cima_problems_at(problems, 2)->message, "means 'nobody', which is no network"));
    cr_assert(strstr(cima_problems_at(problems, 3)->message, "the id 'm' is there twice"));
    cr_assert(strstr(cima_problems_at(problems, 4)->message, "does not accept '0' as an id"));
    cima_problems_free(problems);
}

/* What is in /dev/hugepages without hugetlbfs is a plain file. */
Test(machine, what_the_host_lacks)
{
    const struct cima_config config = {.memory = {.size = 1 << 30, .hugepages = true}};
    struct cima_problems *problems = cima_problems_new();
    _cleanup_cmdline_ struct cima_cmdline *c = cima_config_cmdline(&config, NULL, NULL);
    const struct cima_net net = {.id = "n", .type = CIMA_NET_TAP, .ifname = "t", .vhost = true};
    bool mounted = system("grep -q ' /dev/hugepages hugetlbfs ' /proc/mounts") == 0;
    bool vhost = access("/dev/vhost-net", R_OK | W_OK) == 0;

    cr_assert_eq(cima_add_net(c, &net, NULL), 0);
    cr_assert_eq(cima_cmdline_check_host(c, problems), (size_t)!mounted + (size_t)!vhost);
    cima_problems_free(problems);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* The commands of all parts, one on each line. */
static char *commands_of(const struct cima_cmdline *c, bool undo)
{
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < cima_cmdline_len(c); i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_json_ struct json *args = NULL;
        _cleanup_free_ char *text = NULL;
        const char *command;

        cr_assert_eq(
            (undo ? cima_cmdline_undo_command : cima_cmdline_command)(c, i, &command, &args, &err),
            0, "%s", err.msg);
        text = json_dump(args);
        sbuf_addf(&out, "%s%s %s", i ? "\n" : "", command, text);
    }
    return sbuf_detach(&out);
}

static void commands_are(struct cima_device d, const char *expected, const char *undo)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL, *back = NULL;

    cr_assert_eq(cima_add_device(c, &d, &err), 0, "%s", err.msg);
    text = commands_of(c, false);
    cr_assert_str_eq(text, expected);
    if (!undo)
        return;
    back = commands_of(c, true);
    cr_assert_str_eq(back, undo);
}

#define DEVICE(KIND, name, ...)                                                                    \
    ((struct cima_device){CIMA_DEVICE_##KIND, {.as_##name = &(struct cima_##name){__VA_ARGS__}}})

Test(commands, S2_23_disk)
{
    commands_are(
        DEVICE(DISK, disk, .id = "d", .file = "/a,b", .format = "qcow2", .discard = CIMA_ON,
               .config_wce = CIMA_OFF, .write_cache = CIMA_ON, .cache_direct = true,
               .place = {.id = "disk0", .bus = "rp0", .addr = "10", .boot_index = 2}),
        "blockdev-add {\"driver\":\"qcow2\",\"node-name\":\"d\",\"discard\":\"unmap\",\"file\":"
        "{\"driver\":\"file\",\"filename\":\"/"
        "a,b\",\"discard\":\"unmap\",\"cache\":{\"direct\":true}},"
        "\"cache\":{\"direct\":true}}\n"
        "device_add "
        "{\"driver\":\"virtio-blk-pci\",\"drive\":\"d\",\"id\":\"disk0\",\"bus\":\"rp0\","
        "\"addr\":\"a\",\"bootindex\":2,\"config-wce\":false,\"write-cache\":\"on\"}",
        "blockdev-del {\"node-name\":\"d\"}\ndevice_del {\"id\":\"disk0\"}");
}

Test(commands, S2_16_34_net_by_descriptors)
{
    static const int fds[] = {40, 41};

    commands_are(DEVICE(NET, net, .id = "n", .type = CIMA_NET_TAP, .ifname = "t", .fds = fds,
                        .n_fds = 2, .place = {.id = "nic"}),
                 "netdev_add {\"type\":\"tap\",\"id\":\"n\",\"fds\":\"cima-fd3:cima-fd4\"}\n"
                 "device_add {\"driver\":\"virtio-net-pci\",\"netdev\":\"n\",\"mq\":true,"
                 "\"vectors\":6,\"id\":\"nic\"}",
                 "netdev_del {\"id\":\"n\"}\ndevice_del {\"id\":\"nic\"}");
}

#define CHAR(...) DEVICE(CHARDEV, chardev, .id = "c", __VA_ARGS__)
#define BACKEND(type, data)                                                                        \
    "chardev-add {\"id\":\"c\",\"backend\":{\"type\":\"" type "\",\"data\":" data "}}"

Test(commands, S2_07_chardevs)
{
    commands_are(CHAR(.path = "/s,1", .server = true),
                 BACKEND("socket", "{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"/s,1\"}},"
                                   "\"server\":true,\"wait\":false}"),
                 "chardev-remove {\"id\":\"c\"}");
    commands_are(CHAR(.path = "/s", .reconnect = 2),
                 BACKEND("socket", "{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"/s\"}},"
                                   "\"server\":false,\"reconnect\":2}"),
                 NULL);
    commands_are(CHAR(.fd = 9, .server = true, .logfile = "/l"),
                 BACKEND("socket", "{\"addr\":{\"type\":\"fd\",\"data\":{\"str\":\"cima-fd3\"}},"
                                   "\"server\":true,\"wait\":false,\"logfile\":\"/l\"}"),
                 NULL);
    commands_are(CHAR(.host = "h", .port = 5),
                 BACKEND("socket", "{\"addr\":{\"type\":\"inet\",\"data\":{\"host\":\"h\","
                                   "\"port\":\"5\"}},\"server\":false}"),
                 NULL);
    commands_are(CHAR(.backend = CIMA_CHAR_FILE, .path = "/f", .append = true),
                 BACKEND("file", "{\"out\":\"/f\",\"append\":true}"), NULL);
    commands_are(CHAR(.backend = CIMA_CHAR_PIPE, .path = "/p"),
                 BACKEND("pipe", "{\"device\":\"/p\"}"), NULL);
    commands_are(CHAR(.backend = CIMA_CHAR_SERIAL, .path = "/dev/ttyS0"),
                 BACKEND("serial", "{\"device\":\"/dev/ttyS0\"}"), NULL);
    commands_are(CHAR(.backend = CIMA_CHAR_PTY), BACKEND("pty", "{}"), NULL);
    commands_are(CHAR(.backend = CIMA_CHAR_NULL), BACKEND("null", "{}"), NULL);
    commands_are(CHAR(.backend = CIMA_CHAR_STDIO, .signal = CIMA_OFF),
                 BACKEND("stdio", "{\"signal\":false}"), NULL);
}

Test(commands, objects)
{
    commands_are(DEVICE(MEMORY_BACKEND, memory_backend, .kind = CIMA_MEMORY_MEMFD, .id = "m",
                        .size = 1 << 20, .share = true),
                 "object-add {\"qom-type\":\"memory-backend-memfd\",\"id\":\"m\",\"size\":1048576,"
                 "\"share\":true}",
                 "object-del {\"id\":\"m\"}");
}

Test(commands, refused)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    const struct cima_chardev mux = {.id = "c", .backend = CIMA_CHAR_PTY, .mux = true};
    const struct cima_disk d = {.id = "d", .file = "/\xff", .format = "raw"};
    const char *command = "untouched";
    struct json *args = NULL;
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT, e3 = ERR_INIT, e4 = ERR_INIT;

    cr_assert_eq(cima_add_chardev(c, &mux, NULL), 0);
    cr_assert_eq(cima_add_disk(c, &d, NULL), 0);
    cr_assert(cima_cmdline_command(c, 0, &command, &args, &e1) < 0);
    cr_assert_eq(e1.kind, ERR_UNSUPPORTED);
    cr_assert(strstr(e1.msg, "a character device with 'mux'"), "%s", e1.msg);
    /* The path's byte is right on a command line. */
    cr_assert(cima_cmdline_command(c, 1, &command, &args, &e2) < 0);
    cr_assert(strstr(e2.msg, "option 'filename' is not valid UTF-8"), "%s", e2.msg);
    cr_assert(cima_cmdline_undo_command(c, 2, &command, &args, &e3) < 0);
    cr_assert(strstr(e3.msg, "'-device' without an id"), "%s", e3.msg);
    cr_assert(cima_cmdline_command(c, 99, &command, &args, &e4) < 0);
    cr_assert_str_eq(command, "untouched");
    cr_assert_null(args);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Well under 0.1 ms for 60 words; the limit here is that of a machine that does many other things.
 */
Test(machine, building_a_line_is_quick)
{
    enum { ROUNDS = 1000 };
    struct cima_balloon b[10];
    struct cima_device list[10];
    struct cima_config config = everything;
    struct timespec begin, end;
    char ids[10][4];
    double ms;

    for (int i = 0; i < 10; i++) {
        snprintf(ids[i], sizeof(ids[i]), "b%d", i);
        b[i] = (struct cima_balloon){.place = {.id = ids[i], .bus = "pcie.0", .addr = "5"}};
        list[i] = (struct cima_device){CIMA_DEVICE_BALLOON, {.as_balloon = &b[i]}};
    }
    config.devices = list;
    config.n_devices = 10;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (int i = 0; i < ROUNDS; i++) {
        _cleanup_cmdline_ struct cima_cmdline *c = cima_config_cmdline(&config, NULL, NULL);
        char **argv = cima_cmdline_argv(c, NULL);

        cr_assert(argv);
        cima_strings_free(argv);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
    cr_log_info("%.4f ms for one line", ms / ROUNDS);
    cr_assert_lt(ms / ROUNDS, 5.0);
}
