/* SPDX-License-Identifier: Apache-2.0 */
/* Rows SD-16 to SD-38: disks, networks, sound, display, consoles, mounts. */
#include "plan/fixture.h"

#define NETWORKS                                                                                   \
    "\"networks_yaml\": \"networks: {user-v2: {mode: user-v2, gateway: 192.168.104.1, "            \
    "netmask: 255.255.255.0}, lab: {mode: user-v2, gateway: 10.7.0.1, netmask: 255.255.255.0}}\""

/* How many links are made whose names end so. */
static size_t links(const struct qemu_plan *p, const char *end)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_steps; i++)
        n += p->steps[i].kind == QEMU_STEP_LINK && str_ends(p->steps[i].path, end);
    return n;
}

Test(plan, SD_16_20_data_disks_in_order)
{
    static const char facts[] =
        "{\"data_disks\": [[\"b\", \"raw\", \"1MiB\"], [\"a\", \"qcow2\", \"8MiB\"]]}";

    PLAN(r, "x86_64", BIOS "additionalDisks: [b, a]", facts);
    cr_expect(has(&r, "-blockdev",
                  "raw,node-name=data-disk-0,discard=unmap,file.driver=file,"
                  "file.filename=@HOME@/_disks/b/datadisk,file.discard=unmap"),
              "%s", option_n(&r, "-blockdev", 2));
    cr_expect(speaks_of(&r, "qcow2,node-name=data-disk-1"));
    cr_expect_eq(links(r.plan, "/_disks/a/in_use_by"), 1);
    cr_expect_eq(links(r.plan, "/_disks/b/in_use_by"), 1);
    refused("additionalDisks: [nowhere]", "{}", "could not load disk 'nowhere'");
    refused("additionalDisks: [nowhere]", "{}", "qemu-img create");
}

Test(plan, SD_17_usb_where_there_is_one)
{
    PLAN(x86, "x86_64", BIOS, "{}");
    cr_expect(has(&x86, "-device", "qemu-xhci,id=usb-bus"));
    PLAN(s390x, "s390x", "", "{}");
    cr_expect_not(speaks_of(&s390x, "xhci"));
}

Test(plan, SD_18_boot_disk)
{
    PLAN(x86, "x86_64", BIOS, "{}");
    cr_expect(has(&x86, "-device", "virtio-blk-pci,drive=boot-disk,bootindex=1"));
    PLAN(s390x, "s390x", "", "{}");
    cr_expect(has(&s390x, "-device", "virtio-blk-ccw,drive=boot-disk,bootindex=1"));
}

Test(plan, SD_19_iso)
{
    PLAN(x86, "x86_64", BIOS, "{\"instance_files\": {\"iso\": \"\"}}");
    cr_expect(has(&x86, "-device", "ide-cd,bus=ide.0,drive=iso,bootindex=1"));
    cr_expect(has(&x86, "-device", "virtio-blk-pci,drive=boot-disk,bootindex=2"));
    PLAN(s390x, "s390x", "", "{\"instance_files\": {\"iso\": \"\"}}");
    cr_expect_str_eq(option(&s390x, "-boot"), "order=d");
}

Test(plan, SD_21_seed)
{
    PLAN(r, "x86_64", BIOS, "{}");
    cr_expect(has(&r, "-device", "virtio-scsi-pci,id=scsi0"));
    cr_expect(has(&r, "-device", "scsi-cd,bus=scsi0.0,drive=cidata"));
    cr_expect(speaks_of(&r, "raw,node-name=cidata,read-only=on"));
}

Test(plan, SD_22_kernel)
{
    PLAN(none, "x86_64", BIOS, "{}");
    cr_expect_null(option(&none, "-kernel"));
    PLAN(all, "x86_64", BIOS,
         "{\"instance_files\": {\"kernel\": \"\", \"initrd\": \"\", "
         "\"kernel.cmdline\": \"a,b  c\"}}");
    cr_expect_str_eq(option(&all, "-kernel"), "@DIR@/kernel");
    cr_expect_str_eq(option(&all, "-append"), "a,b  c");
    cr_expect_str_eq(option(&all, "-initrd"), "@DIR@/initrd");
    PLAN(no_kernel, "x86_64", BIOS, "{\"instance_files\": {\"initrd\": \"\"}}");
    cr_expect_null(option(&no_kernel, "-initrd"));
}

Test(plan, SD_23_tpm)
{
    PLAN(x86, "x86_64", BIOS "tpm: true", "{}");
    cr_expect(has(&x86, "-device", "tpm-crb,tpmdev=tpm0"));
    cr_assert_eq(x86.plan->n_helpers, 1);
    cr_expect(strv_contains(&x86.plan->helpers[0].argv, "--tpm2"));
    PLAN(arm, "armv7l", BIOS "tpm: true", "{}");
    cr_expect(has(&arm, "-device", "tpm-tis-device,tpmdev=tpm0"));
    refused_for("s390x", "tpm: true", "{}", "`tpm`");
    refused("tpm: true", "{\"swtpm\": false}", "swtpm not found in PATH");
}

Test(plan, SD_23_tpm_beside_an_initrd)
{
    static const char boot[] = "{\"instance_files\": {\"kernel\": \"\", \"initrd\": \"\"}, "
                               "\"firmware_files\": [\"/usr/share/OVMF/OVMF_CODE_4M.fd\"]}";

    PLAN(bios, "x86_64", BIOS "tpm: true", boot);
    cr_expect(has_note(&bios, "nor its power button"));
    PLAN(uefi, "x86_64", "tpm: true", boot);
    cr_expect_not(has_note(&uefi, "nor its power button"));
    PLAN(disk, "x86_64", BIOS "tpm: true", "{}");
    cr_expect_not(has_note(&disk, "nor its power button"));
}

Test(plan, B_TPM_LOG)
{
    PLAN(r, "x86_64", BIOS "tpm: true", "{}");
    cr_expect(str_ends(r.plan->helpers[0].argv.v[r.plan->helpers[0].argv.n - 1], "/swtpm.log"));
}

Test(plan, SD_24_eth0)
{
    PLAN(slirp, "x86_64", BIOS, "{}");
    cr_expect(has(&slirp, "-netdev",
                  "user,id=net0,net=192.168.5.0/24,dhcpstart=192.168.5.15,"
                  "hostfwd=tcp:127.0.0.1:60022-:22"));
    PLAN(v2, "x86_64", BIOS "networks: [{lima: user-v2}]", "{" NETWORKS "}");
    cr_expect_not(speaks_of(&v2, "192.168.5"));
    cr_expect_str_eq(v2.plan->fds[0].path,
                     "/home/tester/.cima/_networks/user-v2/user-v2_qemu.sock");
    cr_expect_eq(v2.plan->ssh_port, 60022, "its daemon forwards that one");
    PLAN(s390x, "s390x", "", "{}");
    cr_expect(speaks_of(&s390x, "virtio-net-ccw,netdev=net0"));
    refused("", "{\"qemu\": {\"netdevs\": [\"socket\"]}}", "without user networking");
}

Test(plan, SD_25_B_DUP_NIC_one_card_per_network)
{
    size_t cards = 0;
    const char *device;

    PLAN(r, "x86_64",
         BIOS "networks: [{lima: user-v2, macAddress: \"52:55:55:00:00:01\"}, {socket: /run/s.sock}, "
              "{lima: lab}]",
         "{" NETWORKS "}");
    for (size_t n = 0; (device = option_n(&r, "-device", n)); n++)
        cards += str_starts(device, "virtio-net-pci");
    cr_expect_eq(cards, 3);
    cr_expect(speaks_of(&r, "netdev=net0,mac=52:55:55:00:00:01"), "B-USERV2-MAC");
    cr_expect(speaks_of(&r, "stream,id=net2,server=off,addr.type=fd,addr.str=4"));
    PLAN(old, "x86_64", BIOS "networks: [{socket: /run/s.sock}]",
         "{\"qemu\": {\"version\": \"7.1.0\"}}");
    cr_expect(has(&old, "-netdev", "socket,id=net1,fd=3"), "no stream before 7.2");
    refused("networks: [{}]", "{}", "networks[0]");
}

Test(plan, SD_26_random_numbers)
{
    PLAN(r, "x86_64", BIOS, "{}");
    cr_expect(has(&r, "-device", "virtio-rng-pci"));
}

Test(plan, SD_27_audio)
{
    PLAN(none, "x86_64", BIOS "audio: {device: none}", "{}");
    cr_expect_not(speaks_of(&none, "hda"));
    PLAN(unknown, "x86_64", BIOS "audio: {device: default}", "{}");
    cr_expect(has(&unknown, "-audiodev", "pa,id=snd0"));
    PLAN(first, "x86_64", BIOS "audio: {device: default}",
         "{\"qemu\": {\"audiodevs\": [\"alsa\", \"pipewire\"]}}");
    cr_expect(has(&first, "-audiodev", "pipewire,id=snd0"));
    PLAN(old, "x86_64", BIOS "audio: {device: alsa, interface: virtio}", "{}");
    cr_expect(has_note(&old, "virtio-sound requires QEMU 8.2.0"));
    cr_expect(has(&old, "-device", "ich9-intel-hda"));
    PLAN(new, "x86_64", BIOS "audio: {device: alsa, interface: virtio}",
         "{\"qemu\": {\"version\": \"8.2.0\"}}");
    cr_expect(has(&new, "-device", "virtio-sound-pci,audiodev=snd0"));
    refused("audio: {device: frob}", "{\"qemu\": {\"audiodevs\": [\"alsa\"]}}",
            "it offers: alsa");
}

Test(plan, SD_28_29_display)
{
    PLAN(none, "x86_64", BIOS, "{}");
    cr_expect_str_eq(option(&none, "-display"), "none");
    cr_expect_not(speaks_of(&none, "virtio-vga"));
    PLAN(vnc, "x86_64", BIOS "video: {display: vnc}", "{}");
    cr_expect_str_eq(option(&vnc, "-display"), "vnc=127.0.0.1:0,to=9,password=on");
    cr_expect(speaks_of(&vnc, "virtio-tablet-pci"));
    PLAN(open_door, "x86_64", BIOS "video: {display: vnc, vnc: {display: \"0.0.0.0:1,password=off\"}}",
         "{}");
    cr_expect_str_eq(option(&open_door, "-display"), "vnc=0.0.0.0:1,password=on");
    PLAN(gtk, "aarch64", "video: {display: \"gtk,gl=on\"}",
         "{\"firmware_files\": [\"/usr/share/AAVMF/AAVMF_CODE.fd\"]}");
    cr_expect_str_eq(option(&gtk, "-display"), "gtk,gl=on");
    cr_expect(has(&gtk, "-device", "virtio-gpu-pci"));
    cr_expect(speaks_of(&gtk, "virtio-mouse-pci"));
}

Test(plan, B_DISPLAY_default_is_one_that_is_there)
{
    PLAN(sdl, "x86_64", BIOS "video: {display: \"default,show-cursor=on\"}",
         "{\"qemu\": {\"displays\": [\"none\", \"sdl\"]}}");
    cr_expect_str_eq(option(&sdl, "-display"), "sdl,show-cursor=on");
    refused("video: {display: cocoa}", "{}", "macOS");
    refused("video: {display: default}", "{\"qemu\": {\"displays\": [\"none\"]}}", "vnc");
}

Test(plan, SD_30_31_32_33_consoles)
{
    PLAN(r, "x86_64", BIOS, "{}");
    cr_expect(strv_contains(&r.argv, "-nodefaults"), "no parallel port");
    cr_expect(strstr(option(&r, "-chardev"), "logfile=@DIR@/serial.log"));
    cr_expect_str_eq(option(&r, "-serial"), "chardev:char-serial");
    cr_expect(has(&r, "-device", "virtio-serial-pci,id=virtio-serial0,max_ports=1"));
    cr_expect_not(speaks_of(&r, "pci-serial"));
    PLAN(arm, "armv7l", BIOS, "{}");
    cr_expect(has(&arm, "-device", "pci-serial,chardev=char-serial-pci"));
    PLAN(s390x, "s390x", "", "{}");
    cr_expect(has(&s390x, "-device", "virtio-serial-ccw,id=virtio-serial0,max_ports=2"));
}

static bool makes_directory(const struct plan_result *r, const char *path)
{
    for (size_t i = 0; i < r->plan->n_steps; i++)
        if (r->plan->steps[i].kind == QEMU_STEP_MKDIR && streq(r->plan->steps[i].path, path))
            return r->plan->steps[i].mode == 0755;
    return false;
}

Test(plan, SD_34_9p)
{
    PLAN(r, "x86_64", BIOS "mountType: 9p\nmounts: [{location: \"/tmp/a,b\"}, {location: /tmp/w, "
                           "writable: true, 9p: {securityModel: mapped-xattr}}]", "{}");
    cr_expect(has(&r, "-fsdev", "local,id=fs0,path=/tmp/a,,b,security_model=none,multidevs=remap,"
                                "readonly=on"),
              "%s", option(&r, "-fsdev"));
    cr_expect(has(&r, "-fsdev", "local,id=fs1,path=/tmp/w,security_model=mapped-xattr,"
                                "multidevs=remap"));
    cr_expect(makes_directory(&r, "/tmp/a,b"));
    PLAN(old, "x86_64", BIOS "mountType: 9p\nmounts: [{location: /tmp/a}]",
         "{\"qemu\": {\"version\": \"4.1.0\"}}");
    cr_expect_not(speaks_of(&old, "multidevs"));
}

Test(plan, SD_35_virtiofs)
{
    static const char yaml[] = BIOS "mountType: virtiofs\nmounts: [{location: /tmp/a}, "
                                    "{location: /tmp/w, writable: true, virtiofs: {queueSize: 64}}]";

    PLAN(r, "x86_64", yaml, "{\"virtiofsd\": \"rust\", \"virtiofsd_read_only\": true}");
    cr_assert_eq(r.plan->n_helpers, 2);
    cr_expect(strv_contains(&r.plan->helpers[0].argv, "--readonly"));
    cr_expect_not(strv_contains(&r.plan->helpers[1].argv, "--readonly"));
    cr_expect(speaks_of(&r, "queue-size=1024"));
    cr_expect(speaks_of(&r, "queue-size=64"));
    refused("mountType: virtiofs\nmounts: [{location: /tmp/a}]", "{}",
            "failed to locate virtiofsd");
    refused("mountType: virtiofs\nmounts: [{location: /tmp/a}]", "{\"virtiofsd\": \"legacy\"}",
            "reverse-sshfs");
    refused("mountType: virtiofs\nmounts: [{location: /tmp/a}]",
            "{\"virtiofsd\": \"rust\", \"qemu\": {\"version\": \"4.1.0\"}}", "vhost-user-fs-pci");
}

Test(plan, SD_36_37_38_monitor_name_pidfile)
{
    PLAN(r, "x86_64", BIOS, "{}");
    cr_expect(has(&r, "-mon", "char-qmp,mode=control"));
    cr_expect_not(speaks_of(&r, "qga0"), "the agent is reached through ssh");
    cr_expect_str_eq(option(&r, "-name"), "lima-i");
    cr_expect_str_eq(option(&r, "-pidfile"), "@DIR@/qemu.pid");
}
