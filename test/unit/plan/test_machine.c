/* SPDX-License-Identifier: Apache-2.0 */
/* Rows SD-01 to SD-15: program, version, accelerator, CPU, machine, firmware. */
#include "plan/fixture.h"
#include "driver/driver.h"

#define FIRMWARE                                                                                   \
    "{\"firmware_files\": [\"/usr/share/OVMF/OVMF_CODE_4M.fd\", "                                  \
    "\"/usr/share/OVMF/OVMF_VARS_4M.fd\", \"/usr/share/AAVMF/AAVMF_CODE.fd\", "                    \
    "\"/usr/share/AAVMF/AAVMF32_CODE.fd\", "                                                       \
    "\"/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd\"]}"

Test(plan, SD_01_program_by_architecture)
{
    static const struct {
        const char *arch, *program, *variable;
    } rows[] = {{"x86_64", "qemu-system-x86_64", "QEMU_SYSTEM_X86_64"},
                {"aarch64", "qemu-system-aarch64", "QEMU_SYSTEM_AARCH64"},
                {"armv7l", "qemu-system-arm", "QEMU_SYSTEM_ARM"},
                {"ppc64le", "qemu-system-ppc64", "QEMU_SYSTEM_PPC64"},
                {"riscv64", "qemu-system-riscv64", "QEMU_SYSTEM_RISCV64"},
                {"s390x", "qemu-system-s390x", "QEMU_SYSTEM_S390X"}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *facts =
            xasprintf("{\"env\": {\"%s\": \"%s -no-reboot\"}, \"firmware_files\": "
                      "[\"/usr/share/OVMF/OVMF_CODE.fd\", \"/usr/share/AAVMF/AAVMF_CODE.fd\", "
                      "\"/usr/share/AAVMF/AAVMF32_CODE.fd\", "
                      "\"/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd\"]}",
                      rows[i].variable, rows[i].program);
        _cleanup_free_ char *path = xasprintf("@BINDIR@/%s", rows[i].program);

        PLAN(plain, rows[i].arch, "", FIRMWARE);
        cr_expect_str_eq(plain.argv.v[0], path);
        PLAN(more, rows[i].arch, "", facts);
        cr_expect_str_eq(more.argv.v[1], "-no-reboot");
        cr_expect(has_note(&more, "supported only for debugging"));
    }
    refused("", "{\"env\": {\"QEMU_SYSTEM_X86_64\": \"qemu '\"}}",
            "failed to parse QEMU_SYSTEM_X86_64 value");
    refused("", "{\"env\": {\"QEMU_SYSTEM_X86_64\": \"/nowhere/qemu\"}}", "/nowhere/qemu");
}

Test(plan, SD_02_what_the_binary_does_not_tell)
{
    refused("", "{\"qemu\": {\"fail\": [\"accel\"]}}", "asking");
    PLAN(r, "x86_64", BIOS "vmOpts: {qemu: {cpuType: {x86_64: whatever}}}",
         "{\"qemu\": {\"fail\": [\"cpu\", \"netdev\", \"machine\"]}}");
    cr_expect_str_eq(option(&r, "-cpu"), "whatever");
}

Test(plan, SD_03_04_versions)
{
    refused("", "{\"qemu\": {\"version\": \"3.1.0\"}}",
            "QEMU 3.1.0 is too old, 4.0.0 or later required");
    refused("vmOpts: {qemu: {minimumVersion: 9.0.0}}", "{}", "QEMU 7.2.22 is too old, template requires '9.0.0' or later");
    PLAN(old, "x86_64", BIOS, "{\"qemu\": {\"version\": \"6.1.0\"}}");
    cr_expect(has_note(&old, "6.2.0 or later is recommended"));
    PLAN(good, "x86_64", BIOS, "{\"qemu\": {\"version\": \"6.2.0\"}}");
    cr_expect_not(has_note(&good, "recommended"));
    PLAN(none, "x86_64", BIOS "vmOpts: {qemu: {minimumVersion: 9.0.0}}",
         "{\"qemu\": {\"version\": \"!Frob\"}}");
    cr_expect(has_note(&none, "could not be found out"));
}

Test(plan, SD_05_accelerator)
{
    PLAN(kvm, "x86_64", BIOS, "{\"kvm\": true}");
    cr_expect_str_eq(option(&kvm, "-accel"), "kvm");
    PLAN(no_device, "x86_64", BIOS, "{\"kvm_reason\": \"/dev/kvm is away\"}");
    cr_expect(has_note(&no_device, "/dev/kvm is away"));
    PLAN(foreign, "aarch64", "", FIRMWARE);
    cr_expect(str_starts(option(&foreign, "-accel"), "tcg"));
    PLAN(not_built, "x86_64", BIOS, "{\"kvm\": true, \"qemu\": {\"accels\": [\"tcg\"]}}");
    cr_expect(has_note(&not_built, "is built without KVM"));
    PLAN(list, "x86_64", BIOS "vmOpts: {qemu: {accel: \"kvm:tcg\"}}", "{\"kvm\": true}");
    cr_expect_str_eq(list.plan->accel, "kvm");
    PLAN(fallen, "x86_64", BIOS "vmOpts: {qemu: {accel: \"kvm:tcg\"}}", "{}");
    cr_expect_str_eq(fallen.plan->accel, "tcg");
    refused("", "{\"qemu\": {\"accels\": [\"kvm\"]}}", "accelerator 'tcg' is not supported by");
}

Test(plan, SD_06_words_of_the_environment_push_ours_out)
{
    static const char facts[] =
        "{\"env\": {\"QEMU_SYSTEM_X86_64\": \"qemu-system-x86_64 -m 3G --smp 1 -M pc -sandbox off\"}}";

    PLAN(r, "x86_64", BIOS, facts);
    cr_expect_str_eq(option(&r, "-m"), "3G");
    cr_expect_null(option_n(&r, "-m", 1));
    cr_expect_null(option(&r, "-smp"), "only theirs, with two dashes");
    cr_expect_null(option(&r, "-machine"));
    cr_expect_null(option_n(&r, "-sandbox", 1));
    cr_expect(has_note(&r, "Not adding QEMU argument `-m` `1024`"));
    cr_expect(has_note(&r, "as it conflicts with `-m` `3G`"));
}

Test(plan, SD_07_12_memory_and_cpus)
{
    PLAN(r, "x86_64", BIOS, "{}");
    cr_expect_str_eq(option(&r, "-m"), "1024");
    cr_expect_str_eq(option(&r, "-smp"), "cpus=2,sockets=1,cores=2,threads=1");
    refused("cpus: 300", "{}", "300");
}

Test(plan, SD_08_shared_memory_for_virtiofs)
{
    static const char yaml[] = BIOS "mountType: virtiofs\nmounts: [{location: /a}]";

    PLAN(r, "x86_64", yaml, "{\"virtiofsd\": \"rust\"}");
    cr_expect(str_starts(option(&r, "-object"), "memory-backend-memfd,id=ram,size=1G"));
    cr_expect(strstr(option(&r, "-machine"), "memory-backend=ram"));
    PLAN(no_memfd, "x86_64", yaml,
         "{\"virtiofsd\": \"rust\", \"qemu\": {\"objects\": [\"memory-backend-file\"]}}");
    cr_expect_str_eq(option(&no_memfd, "-object"),
                     "memory-backend-file,id=ram,size=1G,mem-path=/dev/shm,share=on");
    PLAN(old, "x86_64", yaml, "{\"virtiofsd\": \"rust\", \"qemu\": {\"version\": \"4.2.0\"}}");
    cr_expect_str_eq(option(&old, "-numa"), "node,memdev=ram");
    cr_expect_not(speaks_of(&old, "memory-backend=ram"));
}

Test(plan, SD_09_cpu_of_the_host)
{
    PLAN(kvm, "x86_64", BIOS, "{\"kvm\": true}");
    cr_expect_str_eq(option(&kvm, "-cpu"), "host");
    PLAN(tcg, "x86_64", BIOS, "{}");
    cr_expect_str_eq(option(&tcg, "-cpu"), "max");
    PLAN(own, "x86_64", BIOS "vmOpts: {qemu: {cpuType: {x86_64: \"Haswell,-rtm\", aarch64: x}}}", "{}");
    cr_expect_str_eq(option(&own, "-cpu"), "Haswell,-rtm");
    PLAN(riscv, "riscv64", "", "{\"qemu\": {\"cpus\": [\"any\", \"rv64\"]}, \"firmware_files\": "
                               "[\"/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd\"]}");
    cr_expect_str_eq(option(&riscv, "-cpu"), "rv64");
    refused_for("aarch64", "vmOpts: {qemu: {cpuType: {aarch64: cortex-a77}}}", FIRMWARE,
                "did you mean 'cortex-a57'");
    refused_for("s390x", "vmOpts: {qemu: {cpuType: {s390x: z99}}}", "{}", "did you mean");
}

Test(plan, B_NESTED_is_said)
{
    PLAN(tcg, "x86_64", BIOS "nestedVirtualization: true", "{}");
    cr_expect(has_note(&tcg, "nestedVirtualization"));
    PLAN(kvm, "x86_64", BIOS "nestedVirtualization: true", "{\"kvm\": true}");
    cr_expect_not(has_note(&kvm, "nestedVirtualization"));
    PLAN(model, "x86_64",
         BIOS "nestedVirtualization: true\nvmOpts: {qemu: {cpuType: {x86_64: Haswell}}}",
         "{\"kvm\": true}");
    cr_expect(has_note(&model, "+vmx"));
}

Test(plan, SD_10_11_machine_types)
{
    static const struct {
        const char *arch, *type;
    } rows[] = {{"aarch64", "virt-7.2"},   {"armv7l", "virt-7.2"}, {"riscv64", "virt"},
                {"ppc64le", "pseries-7.2"}, {"s390x", "s390-ccw-virtio-7.2"}};

    PLAN(x86, "x86_64", BIOS, "{}");
    cr_expect_str_eq(option(&x86, "-machine"), "pc-q35-7.2,vmport=off");
    cr_expect(str_starts(option(&x86, "-accel"), "tcg,thread=multi,tb-size="));
    cr_expect(has(&x86, "-global", "ICH9-LPC.disable_s3=1"));
    cr_expect(has(&x86, "-global", "ICH9-LPC.disable_s4=1"));
    PLAN(kvm, "x86_64", BIOS, "{\"kvm\": true}");
    cr_expect_str_eq(option(&kvm, "-machine"), "pc-q35-7.2");
    cr_expect_null(option(&kvm, "-global"));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        PLAN(r, rows[i].arch, "", FIRMWARE);
        cr_expect_str_eq(option(&r, "-machine"), rows[i].type);
    }
    PLAN(new, "riscv64", "", "{\"qemu\": {\"version\": \"8.0.0\"}, \"firmware_files\": "
                             "[\"/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd\"]}");
    cr_expect_str_eq(option(&new, "-machine"), "virt,acpi=off");
}

Test(plan, SD_13_firmware_or_bios)
{
    static const char *const without[] = {"ppc64le", "s390x"};

    for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
        PLAN(r, without[i], BIOS, "{\"firmware_files\": []}");
        cr_expect_not(speaks_of(&r, "pflash"));
        cr_expect(has_note(&r, "`firmware.legacyBIOS` is not supported"));
    }
    PLAN(arm, "armv7l", BIOS, "{\"firmware_files\": []}");
    cr_expect_not(speaks_of(&arm, "pflash"));
    PLAN(aarch64, "aarch64", BIOS, FIRMWARE);
    cr_expect(speaks_of(&aarch64, "AAVMF_CODE.fd"));
    cr_expect(has_note(&aarch64, "`firmware.legacyBIOS` is not supported"));
}

Test(plan, SD_14_B_FIRMWARE_4m_with_variables)
{
    PLAN(r, "x86_64", "", FIRMWARE);
    cr_expect(has(&r, "-drive", "if=pflash,unit=0,format=raw,readonly=on,"
                                "file=/usr/share/OVMF/OVMF_CODE_4M.fd"),
              "%s", option(&r, "-drive"));
    cr_expect(strstr(option_n(&r, "-drive", 1), "unit=1,format=qcow2"));
}

Test(plan, SD_14_firmware_images)
{
    static const char yaml[] =
        "firmware:\n  images:\n  - {location: /elsewhere/a.fd, arch: aarch64}\n"
        "  - {location: /gone/b.fd}\n  - {location: \"https://e/c.fd\", vmType: vz}\n"
        "  - {location: \"https://e/d.fd\", vmType: qemu}\n";

    PLAN(r, "x86_64", yaml, "{\"downloads\": {\"https://e/d.fd\": \"\"}}");
    cr_expect(speaks_of(&r, "@DIR@/qemu-efi-code.fd"));
    cr_expect(has_note(&r, "/gone/b.fd: '/gone/b.fd' does not exist; trying the next"));
    cr_expect_not(has_note(&r, "a.fd"));
    cr_expect_not(has_note(&r, "c.fd"));
}

Test(plan, SD_15_no_firmware)
{
    refused_for("x86_64", "", "{\"firmware_files\": []}", "firmware.legacyBIOS");
    refused_for("x86_64", "", "{\"firmware_files\": []}", "could not find firmware for 'x86_64'");
    refused_for("aarch64", "", "{\"firmware_files\": []}", "edk2-aarch64-code.fd");
    refused_for("riscv64", "", "{\"firmware_files\": []}", "could not find firmware for 'riscv64'");
    /* QEMU's own starts a kernel. */
    PLAN(r, "riscv64", "", "{\"firmware_files\": [], \"instance_files\": {\"kernel\": \"k\"}}");
    cr_expect_not(speaks_of(&r, "pflash"));
    cr_expect_str_eq(option(&r, "-kernel"), "@DIR@/kernel");
}

Test(plan, S1_01_64_no_port_for_the_agent)
{
    PLAN(r, "x86_64", BIOS, "{}");
    cr_expect_not(speaks_of(&r, "guest_agent"));
    cr_expect_not(speaks_of(&r, "ga.sock"));
    cr_expect(speaks_of(&r, "hostfwd=tcp:127.0.0.1:60022-:22"));
}

Test(plan, S1_02_63_the_drivers_name_and_port)
{
    PLAN(r, "x86_64", BIOS "ssh: {localPort: 60423}", "{}");
    cr_expect_eq(r.plan->ssh_port, 60423);
    cr_expect_str_eq(driver_find("qemu")->name, "qemu");
    cr_expect_null(driver_find("vz"));
}

Test(plan, S1_03_04_05_validation_needs_no_binary)
{
    refused_for("mips", "", "{}", "arch");
    /* Of two things that are wrong neither hides the other. */
    refused_for("mips", "vmOpts: {qemu: {minimumVersion: latest}}", "{}", "minimumVersion");
}

Test(plan, S1_06_08_09_20_mount_types_of_linux)
{
    static const char *const types[] = {"reverse-sshfs", "9p", "virtiofs"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        _cleanup_free_ char *yaml = xasprintf(BIOS "mountType: %s", types[i]);

        PLAN(r, "x86_64", yaml, "{}");
    }
    refused("mountType: virtiofs\nmountTypesUnsupported: [virtiofs]", "{}",
            "mountTypesUnsupported");
}

Test(plan, S1_15_options_of_the_driver_have_a_shape)
{
    refused("vmOpts: {qemu: [1]}", "{}", "vmOpts.qemu");
    PLAN(r, "x86_64", BIOS "vmOpts: {vz: {rosetta: {enabled: true}}, qemu: {cpuType: null}}", "{}");
    cr_expect_str_eq(option(&r, "-cpu"), "max");
}

Test(plan, S1_29_over_vsock_is_ignored)
{
    PLAN(r, "x86_64", BIOS "ssh: {overVsock: true}", "{}");
    cr_expect(has_note(&r, "`ssh.overVsock` is not implemented yet for QEMU driver"));
}

Test(plan, S1_60_no_templates_in_words)
{
    PLAN(r, "x86_64", BIOS "mountType: 9p\nmounts: [{location: \"/tmp/a}}\"}]\n"
                           "networks: [{socket: \"/run/{x.sock\"}]\n",
         "{}");
    cr_expect(speaks_of(&r, "path=/tmp/a}},"));
    cr_expect_str_eq(r.plan->fds[0].path, "/run/{x.sock");
}

Test(plan, S1_61_62_sockets_are_inherited_in_order)
{
    PLAN(r, "x86_64", BIOS "networks: [{socket: /run/a.sock}, {socket: /run/b.sock}]", "{}");
    cr_expect_eq(r.plan->fds[0].fd, 3);
    cr_expect_str_eq(r.plan->fds[0].path, "/run/a.sock");
    cr_expect_str_eq(r.plan->fds[1].path, "/run/b.sock");
    cr_expect_str_eq(r.plan->fds[1].field, "networks[1]", "what a failed connection is told with");
    cr_expect_not(r.plan->fds[0].listen);
    cr_expect(r.plan->fds[2].listen, "ours come behind");
}

/* vmOpts.qemu.extraArgs: what is taken stands at the end, word by word. */
Test(plan, extra_args_are_taken)
{
    PLAN(r, "x86_64",
         BIOS "vmOpts: {qemu: {extraArgs: [-device, pvpanic, -no-reboot, -machine, hpet=off]}}",
         "{}");
    cr_assert_geq(r.argv.n, 5);
    cr_expect_str_eq(r.argv.v[r.argv.n - 1], "hpet=off");
    cr_expect_str_eq(r.argv.v[r.argv.n - 5], "-device");
}

Test(plan, extra_args_are_checked)
{
    static const struct {
        const char *args, *why;
    } rows[] = {
        {"-daemonize", "watches the process"},
        {"--daemonize", "watches the process"},
        {"-pidfile, /x", "pid file"},
        {"-S", "nobody would let"},
        {"-qmp, \"unix:/x\"", "cima qmp"},
        {"-incoming, \"tcp:0:1\"", "wait for another"},
        {"-m, 3G", "`memory`"},
        {"-cpu, max", "cpuType"},
        {"-machine, pc", "'type'"},
        {"-M, \"q35,accel=kvm\"", "'type'"},
        {"-machine, accel=kvm", "'accel'"},
        {"-device, help", "prints a list"},
        {"disk.img", "is no option"},
        {"-no-reboot, -device, a, b", "is no option"},
        {"\"\"", "empty"},
        {"-device, \"a\\nb\"", "control character"},
        {"-chardev, \"socket,id=x,path=/home/tester/.cima/i/qmp.sock\"", "cima's"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *yaml =
            xasprintf("vmOpts: {qemu: {extraArgs: [%s]}}", rows[i].args);

        refused(yaml, "{}", rows[i].why);
        refused(yaml, "{}", "vmOpts.qemu.extraArgs[");
    }
}

Test(plan, sandbox_lets_bridges_be_made)
{
    PLAN(r, "x86_64",
         BIOS "vmOpts: {qemu: {extraArgs: [-netdev, \"bridge,id=b\", -device, \"e1000,netdev=b\"]}}",
         "{}");
    cr_expect(strstr(option(&r, "-sandbox"), "elevateprivileges=deny"));
    cr_expect_not(strstr(option(&r, "-sandbox"), "spawn=deny"));
    PLAN(tap, "x86_64", BIOS "vmOpts: {qemu: {extraArgs: [-netdev, \"tap,id=b,fd=9\"]}}", "{}");
    cr_expect(strstr(option(&tap, "-sandbox"), "spawn=deny"));
    PLAN(smb, "x86_64", BIOS "vmOpts: {qemu: {extraArgs: [-netdev, \"user,id=b,smb=/s\"]}}", "{}");
    cr_expect_not(strstr(option(&smb, "-sandbox"), "spawn=deny"));
    PLAN(user, "x86_64", BIOS "vmOpts: {qemu: {extraArgs: [-netdev, \"user,id=b\"]}}", "{}");
    cr_expect(strstr(option(&user, "-sandbox"), "spawn=deny"));
    PLAN(none, "x86_64", BIOS, "{\"qemu\": {\"sandbox\": false}}");
    cr_expect_null(option(&none, "-sandbox"));
}
