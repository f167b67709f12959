/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided and refused, in which order; the command line row by row. The recorded cases
 * (test/golden/argv-cases/run) compare whole lines. */
#include "fixture.h"
#include "base/mem.h"
#include "image/image.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>

static struct fixture f;

static void begin(void)
{
    fixture_init(&f);
}

static void end(void)
{
    fixture_release(&f);
}

TestSuite(run_plan, .init = begin, .fini = end);

static void text(char **at, const char *value)
{
    free(*at);
    *at = xstrdup(value);
}

static void arch(const char *name, enum arch host)
{
    text(&f.request.arch, name);
    f.facts.arch = host;
}

static void option_is(const char *name, size_t nth, const char *want)
{
    const char *got = fixture_option(&f, name, nth);

    cr_assert(streq0(got, want), "%s: '%s', not '%s'", name, got, want);
}

static bool noted(const char *words)
{
    for (size_t i = 0; i < f.notes.n; i++)
        if (strstr(f.notes.v[i].msg, words))
            return true;
    return false;
}

/* ---- acceleration ---------------------------------------------------------------------------- */

Test(run_plan, S0_16_20_flag_beats_environment)
{
    /* The choice: as linuxkit does, not as its comment says. */
    f.facts.kvm_there = f.facts.kvm_usable = true;
    f.facts.accel_env = xstrdup("tcg");
    fixture_plan(&f);
    option_is("-machine", 0, "q35,accel=kvm:tcg");
}

Test(run_plan, S0_16_environment_when_the_flag_is_empty)
{
    f.facts.kvm_there = f.facts.kvm_usable = true;
    f.request.accel = xstrdup("");
    f.facts.accel_env = xstrdup("tcg");
    fixture_plan(&f);
    option_is("-machine", 0, "q35,accel=tcg");
}

Test(run_plan, S0_16_22_60_nothing_at_all)
{
    f.request.accel = xstrdup("");
    fixture_plan(&f);
    option_is("-machine", 0, "q35");
}

Test(run_plan, S0_19_s390x_without_looking)
{
    arch("s390x", ARCH_S390X);
    fixture_plan(&f);
    option_is("-machine", 0, "s390-ccw-virtio,accel=kvm");
    cr_assert(f.plan->kvm_problem);
}

Test(run_plan, S0_20_kvm_that_does_not_work_is_not_tried)
{
    f.facts.kvm_there = true;
    f.facts.kvm_reason = xstrdup("the CPU has no vmx");
    fixture_plan(&f);
    option_is("-machine", 0, "q35");
    cr_assert(noted("KVM is not used: the CPU has no vmx"));
}

Test(run_plan, S0_20_qemu_without_kvm)
{
    f.facts.kvm_there = f.facts.kvm_usable = f.facts.no_kvm_in_qemu = true;
    fixture_plan(&f);
    option_is("-machine", 0, "q35");
    cr_assert(noted("this QEMU is built without it"));
}

Test(run_plan, S0_05_kvm_tcg_falls_back)
{
    f.facts.kvm_there = true;
    f.facts.kvm_reason = xstrdup("permission denied");
    f.request.accel = xstrdup("kvm:tcg");
    fixture_plan(&f);
    option_is("-machine", 0, "q35,accel=tcg");
    cr_assert(noted("permission denied"));
    cr_assert(!f.plan->kvm_problem);
}

Test(run_plan, S0_05_kvm_alone_is_an_error_of_the_start)
{
    f.facts.kvm_there = true;
    f.facts.kvm_reason = xstrdup("permission denied");
    f.request.accel = xstrdup("kvm");
    fixture_plan(&f);
    cr_assert(streq0(f.plan->kvm_problem, "permission denied"));
    pid_t pid;
    cr_assert(run_execute(f.plan, &pid, &f.err) == -1);
    cr_assert(strstr(f.err.msg, "KVM was asked for: permission denied"), "%s", f.err.msg);
    cr_assert(strstr(f.err.hint, "--accel tcg"));
}

Test(run_plan, S0_55_other_architecture)
{
    f.facts.kvm_there = f.facts.kvm_usable = true;
    text(&f.request.arch, "aarch64");
    f.request.accel = xstrdup("kvm");
    fixture_plan(&f);
    option_is("-machine", 0, "virt");
    _cleanup_free_ char *said = fixture_said(&f);
    cr_assert(strstr(said, "Disable acceleration as aarch64 != amd64"), "%s", said);
    cr_assert(!f.plan->kvm_problem && f.notes.n == 0);
}

/* ---- machines -------------------------------------------------------------------------------- */

Test(run_plan, S0_18_architecture_of_the_host)
{
    cr_assert(streq0(run_arch_name(&f.request, &f.facts), "x86_64"));
    f.facts.arch = ARCH_AARCH64;
    cr_assert(streq0(run_arch_name(&f.request, &f.facts), "aarch64"));
    f.facts.arch = ARCH_S390X;
    cr_assert(streq0(run_arch_name(&f.request, &f.facts), "s390x"));
    f.facts.arch = ARCH_PPC64LE;
    cr_assert(run_arch_name(&f.request, &f.facts) == NULL);
}

Test(run_plan, S0_45_host_without_a_default)
{
    f.facts.arch = ARCH_PPC64LE;
    free(f.facts.qemu);
    f.facts.qemu = NULL;
    fixture_refused(&f, "Unable to find qemu-system- within the $PATH", "--qemu");
}

Test(run_plan, S0_52_57_arm_on_arm)
{
    arch("aarch64", ARCH_AARCH64);
    f.facts.kvm_there = f.facts.kvm_usable = true;
    fixture_plan(&f);
    option_is("-cpu", 0, "host");
    option_is("-machine", 0, "virt,gic-version=host,accel=kvm:tcg");
}

Test(run_plan, S0_52_57_arm_on_arm_without_kvm)
{
    /* QEMU refuses `-cpu host` and gic-version=host without KVM. */
    arch("aarch64", ARCH_AARCH64);
    f.request.accel = xstrdup("tcg");
    fixture_plan(&f);
    option_is("-cpu", 0, "max");
    option_is("-machine", 0, "virt,accel=tcg");
}

Test(run_plan, S0_53_60_arm_elsewhere)
{
    arch("aarch64", ARCH_X86_64);
    fixture_plan(&f);
    option_is("-cpu", 0, "cortex-a57");
    option_is("-machine", 0, "virt");
}

Test(run_plan, S0_53_56_63_68_s390x)
{
    arch("s390x", ARCH_S390X);
    f.facts.kvm_there = f.facts.kvm_usable = true;
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-cpu") == 0);
    option_is("-machine", 0, "s390-ccw-virtio,accel=kvm");
    option_is("-device", 0, "virtio-rng-ccw,rng=rng0");
    option_is("-device", 1, "virtio-net-ccw,netdev=t0,mac=02:00:00:00:00:01");
}

Test(run_plan, S0_58_59_61_62_x86_on_linux)
{
    /* S0-58 and the other half of S0-61 are of hosts that are no Linux. */
    f.request.accel = xstrdup("tcg");
    fixture_plan(&f);
    option_is("-machine", 0, "q35,accel=tcg");
    option_is("-object", 0, "rng-random,id=rng0,filename=/dev/urandom");
    option_is("-device", 0, "virtio-rng-pci,rng=rng0");
    cr_assert(!strstr(fixture_line(&f), "highmem"));
}

Test(run_plan, S0_21_no_macos)
{
    /* hvf is never chosen; who names it gets QEMU's answer. */
    fixture_plan(&f);
    cr_assert(!strstr(fixture_line(&f), "hvf"));
}

Test(run_plan, S0_54_unsupported)
{
    text(&f.request.arch, "m68k");
    fixture_refused(&f, "m68k is an unsupported architecture.", "x86_64, aarch64, riscv64");
}

Test(run_plan, S0_54_emulated_but_not_here)
{
    text(&f.request.arch, "ppc64le");
    fixture_refused(&f, "ppc64le is an unsupported architecture.", "--arch");
}

Test(run_plan, S0_L5_riscv64)
{
    arch("riscv64", ARCH_X86_64);
    fixture_plan(&f);
    option_is("-machine", 0, "virt");
}

Test(run_plan, S0_49_order)
{
    static const char *const order[] = {"-smp",    "-m",     "-uuid",      "-cpu", "-machine",
                                        "-object", "-drive", "-netdev",    "-nographic"};
    const char *at;

    arch("aarch64", ARCH_X86_64);
    strv_push(&f.request.devices, "usb-tablet");
    fixture_plan(&f);
    at = fixture_line(&f);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        const char *next = strstr(at, order[i]);

        cr_assert(next, "%s is not behind the one before it: %s", order[i], fixture_line(&f));
        at = next;
    }
    cr_assert(strstr(at, "-device usb-tablet"));
}

Test(run_plan, S0_07_08_15_50_51_plain_numbers)
{
    f.request.cpus = 3;
    f.request.mem = 2000;
    fixture_plan(&f);
    option_is("-smp", 0, "3");
    option_is("-m", 0, "2000");
    option_is("-uuid", 0, "00000000-0000-4000-8000-000000000000");
}

Test(run_plan, S0_47_75_console)
{
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-nographic") == 1 && !f.plan->gui);
}

Test(run_plan, S0_02_47_75_window)
{
    f.request.gui = true;
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-nographic") == 0 && f.plan->gui);
}

Test(run_plan, S0_13_76_usb)
{
    f.request.usb = true;
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-usb") == 1);
}

Test(run_plan, S0_13_76_usb_on_virt)
{
    f.request.usb = true;
    arch("aarch64", ARCH_X86_64);
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-usb") == 0);
    cr_assert(strstr(fixture_line(&f), "-device qemu-xhci"));
}

Test(run_plan, S0_14_77_devices_as_they_are)
{
    strv_push(&f.request.devices, "usb-host,vendorid=0x1234,productid=0x0001");
    strv_push(&f.request.devices, "{\"driver\":\"usb-tablet\"}");
    fixture_plan(&f);
    option_is("-device", 2, "usb-host,vendorid=0x1234,productid=0x0001");
    option_is("-device", 3, "{\"driver\":\"usb-tablet\"}");
    cr_assert(streq(f.plan->argv.v[f.plan->argv.n - 1], "{\"driver\":\"usb-tablet\"}"));
}

Test(run_plan, S0_14_empty_device)
{
    strv_push(&f.request.devices, "");
    fixture_refused(&f, "--device", "");
}

/* ---- sandbox --------------------------------------------------------------------------------- */

Test(run_plan, S0_49_sandbox)
{
    f.facts.sandbox = true;
    fixture_plan(&f);
    option_is("-sandbox", 0,
              "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

Test(run_plan, S0_33_sandbox_lets_the_bridge_helper_run)
{
    f.facts.sandbox = true;
    text(&f.request.networking, "bridge,br0");
    fixture_plan(&f);
    option_is("-sandbox", 0, "on,obsolete=deny");
}

/* ---- disks ----------------------------------------------------------------------------------- */

static void disk(const char *spec)
{
    cr_assert(run_request_add_disk(&f.request, spec, &f.err) == 0);
}

Test(run_plan, S0_23_image_is_missing)
{
    text(&f.request.image, "gone.img");
    fixture_refused(&f, "Boot disk image gone.img does not exist: no such file or directory",
                    "IMAGE-kernel");
}

Test(run_plan, S0_23_image_can_not_be_read)
{
    text(&f.request.image, "secret.img");
    fixture_error(&f, "secret.img", EACCES);
    fixture_refused(&f, "secret.img", "permission denied");
}

Test(run_plan, S0_23_image_is_a_directory)
{
    text(&f.request.image, "dir");
    fixture_file(&f, "dir", NULL);
    fixture_refused(&f, "Boot disk image dir", "is a directory");
}

Test(run_plan, S0_24_25_27_64_65_names_formats_places)
{
    disk("size=1G");
    fixture_file(&f, "extra.img", "x\n");
    disk("extra.img,format=raw");
    disk("size=300M,format=vmdk");
    disk("other.img,size=2G");
    fixture_plan(&f);
    option_is("-drive", 0, "file.driver=file,file.filename=disk.raw,index=0,media=disk");
    option_is("-drive", 1,
              "file.driver=file,file.filename=disk.img,format=qcow2,index=1,media=disk");
    option_is("-drive", 2, "file.driver=file,file.filename=extra.img,format=raw,index=2,media=disk");
    option_is("-drive", 3,
              "file.driver=file,file.filename=disk2.img,format=vmdk,index=3,media=disk");
    option_is("-drive", 4,
              "file.driver=file,file.filename=other.img,format=qcow2,index=4,media=disk");
}

Test(run_plan, S0_26_neither_size_nor_name)
{
    disk("format=qcow2");
    fixture_refused(&f, "disk specified with no size or name", "--disk size=10G");
}

Test(run_plan, S0_38_how_disks_are_made)
{
    disk("data.img,size=512M,format=raw");
    fixture_plan(&f);
    const struct run_step *s = fixture_step(&f, RUN_STEP_DISK);
    _cleanup_free_ char *line = strv_join((struct strv *)&s->argv, " ");
    cr_assert(streq(line, "/bin/qemu-img create -f raw data.img 512M"), "%s", line);
}

Test(run_plan, S0_38_names_that_look_like_something_else)
{
    disk("-o.img,size=1G");
    disk("nbd:x.img,size=1G");
    fixture_plan(&f);
    cr_assert(streq(f.plan->steps[1].argv.v[4], "./-o.img"), "%s", f.plan->steps[1].argv.v[4]);
    cr_assert(streq(f.plan->steps[2].argv.v[4], "./nbd:x.img"));
    cr_assert(strstr(fixture_option(&f, "-drive", 2), "file.driver=file,file.filename=nbd:x.img"));
}

Test(run_plan, S0_40_disk_that_can_not_be_looked_at)
{
    disk("x.img,size=1G");
    fixture_error(&f, "x.img", EACCES);
    fixture_refused(&f, "disk 'x.img'", "permission denied");
}

Test(run_plan, S0_41_existing_disks)
{
    disk("old.img,size=9G,format=raw");
    fixture_file(&f, "old.img", "x\n");
    fixture_plan(&f);
    _cleanup_free_ char *said = fixture_said(&f);
    cr_assert(streq(said, "Using existing disk [disk.raw] format \n"
                          "Using existing disk [old.img] format raw\n"), "%s", said);
    cr_assert(!fixture_step(&f, RUN_STEP_DISK), "it is made again");
}

Test(run_plan, S0_42_missing_disk_without_size)
{
    disk("nope.img");
    fixture_refused(&f, "Error creating disk [nope.img] format : it does not exist, and no size",
                    "--disk file=nope.img,size=10G");
}

static void qcow2(const char *path, bool backing)
{
    int fd = memfd_create("qcow2", MFD_CLOEXEC);

    cr_assert(fd >= 0 && qcow2_create(fd, 1 << 20, backing ? "base" : NULL, backing ? "raw" : NULL,
                                      &f.err) == 0);
    run_facts_add_file(&f.facts, path, 0, fd);
    close(fd);
}

Test(run_plan, S0_27_65_format_is_named_where_it_is_known)
{
    text(&f.request.image, "web.img");
    qcow2("web.img", false);
    fixture_plan(&f);
    cr_assert(strstr(fixture_option(&f, "-drive", 0), ",format=qcow2,"), "%s",
              fixture_option(&f, "-drive", 0));
    cr_assert(f.notes.n == 0);
}

Test(run_plan, S0_27_raw_by_name_but_not_by_content)
{
    text(&f.request.image, "web.raw");
    qcow2("web.raw", true);
    fixture_refused(&f, "'web.raw' is named as a raw disk, but its content is qcow2",
                    "the guest may have written that");
}

Test(run_plan, S0_27_backing_file_is_told)
{
    text(&f.request.image, "web.img");
    qcow2("web.img", true);
    fixture_plan(&f);
    cr_assert(noted("'web.img' reads from another file"));
}

/* ---- network --------------------------------------------------------------------------------- */

Test(run_plan, S0_28_default_is_user)
{
    text(&f.request.networking, "default");
    fixture_plan(&f);
    option_is("-netdev", 0, "user,id=t0");
}

Test(run_plan, S0_28_empty_is_user)
{
    text(&f.request.networking, "");
    fixture_plan(&f);
    option_is("-netdev", 0, "user,id=t0");
}

Test(run_plan, S0_28_36_default_takes_no_name)
{
    text(&f.request.networking, "default,x");
    fixture_refused(&f, "Invalid networking mode: default", "user");
}

Test(run_plan, S0_29_suffix_of_user_is_ignored)
{
    text(&f.request.networking, "user,net=1.2.3.4/8");
    fixture_plan(&f);
    option_is("-netdev", 0, "user,id=t0");
}

Test(run_plan, S0_30_tap_without_a_name)
{
    text(&f.request.networking, "tap");
    fixture_refused(&f, "Not enough arguments for \"tap\" networking mode", "--networking tap,NAME");
}

Test(run_plan, S0_31_tap)
{
    text(&f.request.networking, "tap,tap7,x");
    fixture_plan(&f);
    option_is("-netdev", 0, "tap,id=t0,ifname=tap7,,x,script=no,downscript=no");
}

Test(run_plan, S0_31_tap_with_an_empty_name)
{
    text(&f.request.networking, "tap,");
    fixture_plan(&f);
    option_is("-netdev", 0, "tap,id=t0,script=no,downscript=no");
}

Test(run_plan, S0_32_bridge_without_a_name)
{
    text(&f.request.networking, "bridge");
    fixture_refused(&f, "Not enough arguments for \"bridge\" networking mode",
                    "--networking bridge,NAME");
}

Test(run_plan, S0_33_bridge)
{
    text(&f.request.networking, "bridge,br0");
    fixture_plan(&f);
    option_is("-netdev", 0, "bridge,id=t0,br=br0");
}

Test(run_plan, S0_34_67_none)
{
    text(&f.request.networking, "none");
    fixture_plan(&f);
    option_is("-net", 0, "none");
    cr_assert(fixture_count(&f, "-netdev") == 0 && !strstr(fixture_line(&f), "virtio-net"));
}

static void publish_with(const char *mode)
{
    begin();
    text(&f.request.networking, mode);
    strv_push(&f.request.publish, "80:80");
    fixture_refused(&f, "Port publishing requires \"user\" networking mode", "--publish");
    end();
}

Test(run_plan, S0_35_ports_need_user_mode)
{
    end();
    publish_with("none");
    publish_with("tap,t");
    publish_with("bridge,b");
    begin();
}

Test(run_plan, S0_35_30_the_name_is_missed_first)
{
    text(&f.request.networking, "tap");
    strv_push(&f.request.publish, "80:80");
    fixture_refused(&f, "Not enough arguments", "tap");
}

Test(run_plan, S0_36_unknown_mode)
{
    text(&f.request.networking, "wormhole,a");
    fixture_refused(&f, "Invalid networking mode: wormhole", "bridge,NAME");
}

Test(run_plan, S0_12_69_71_ports_in_order)
{
    strv_push(&f.request.publish, "2222:22/tcp");
    strv_push(&f.request.publish, "5353:53/udp");
    fixture_plan(&f);
    option_is("-netdev", 0, "user,id=t0,hostfwd=tcp::2222-:22,hostfwd=udp::5353-:53");
}

Test(run_plan, S0_68_nic_before_its_network)
{
    fixture_plan(&f);
    const char *line = fixture_line(&f);
    cr_assert(strstr(line, "virtio-net-pci,netdev=t0,mac=02:00:00:00:00:01") <
              strstr(line, "-netdev"));
}

Test(run_plan, S0_70_bad_port_stops_it)
{
    /* Ours: linuxkit logs it and runs without any forwarding (B-PUBLISH). */
    strv_push(&f.request.publish, "80:80");
    strv_push(&f.request.publish, "8080");
    fixture_refused(&f, "--publish: Unable to parse the ports to be published", "'8080'");
}

Test(run_plan, S0_70_a_port_published_twice)
{
    strv_push(&f.request.publish, "80:80");
    strv_push(&f.request.publish, "80:80/udp");
    strv_push(&f.request.publish, "80:81");
    fixture_refused(&f, "--publish: the host's port 80/tcp can be published once only",
                    "got '80:80' and '80:81'");
}

Test(run_plan, S0_72_no_containers)
{
    /* Ports of a container are a helper's work there; here QEMU alone publishes. */
    strv_push(&f.request.publish, "80:80");
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-p") == 0);
}

/* ---- order of what is wrong (S0-17) ---------------------------------------------------------- */

Test(run_plan, S0_17_each_fault_hides_the_later_ones)
{
    /* Everything is wrong; one thing after the other is put right. */
    text(&f.request.image, "gone");
    text(&f.request.arch, "m68k");
    text(&f.request.networking, "wormhole");
    strv_push(&f.request.publish, "x");
    disk("format=raw");
    disk("nope.img");
    f.request.uefi = true;
    char *qemu = f.facts.qemu;
    f.facts.qemu = NULL;
    fixture_refused(&f, "Boot disk image gone", "");
    err_clear(&f.err);
    text(&f.request.image, "disk.raw");
    fixture_refused(&f, "disk specified with no size or name", "");
    err_clear(&f.err);
    f.request.disks[0].mib = 1;
    fixture_refused(&f, "Invalid networking mode", "");
    err_clear(&f.err);
    text(&f.request.networking, "user");
    fixture_refused(&f, "Unable to find qemu-system-m68k within the $PATH", "");
    err_clear(&f.err);
    f.facts.qemu = qemu;
    fixture_refused(&f, "m68k is an unsupported architecture.", "");
    err_clear(&f.err);
    text(&f.request.arch, "x86_64");
    fixture_refused(&f, "Unable to parse the ports", "");
    err_clear(&f.err);
    text(&f.request.publish.v[0], "1:1");
    fixture_refused(&f, "Error creating disk [nope.img]", "");
    err_clear(&f.err);
    f.request.disks[1].mib = 1;
    fixture_refused(&f, "please ensure OVMF is installed", "");
}

Test(run_plan, S0_09_43_programs)
{
    free(f.facts.qemu_img);
    f.facts.qemu_img = NULL;
    fixture_refused(&f, "Unable to find qemu-img within the $PATH", "qemu-utils");
}

Test(run_plan, S0_09_44_qemu_by_path)
{
    /* Ours: the path counts (B-QEMU-PATH). */
    f.request.qemu = xstrdup("/opt/qemu");
    _cleanup_free_ char *name = run_qemu_name(&f.request, &f.facts);
    cr_assert(streq(name, "/opt/qemu"));
    text(&f.facts.qemu, "/opt/qemu");
    fixture_plan(&f);
    cr_assert(streq(f.plan->argv.v[0], "/opt/qemu"));
}

Test(run_plan, S0_09_44_qemu_by_path_that_is_not_there)
{
    f.request.qemu = xstrdup("/opt/qemu");
    free(f.facts.qemu);
    f.facts.qemu = NULL;
    fixture_refused(&f, "Unable to find /opt/qemu", "--qemu");
}
