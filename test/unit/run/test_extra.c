/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware, kernels, ISOs, the state directory, metadata, shared directories, the background. */
#include "fixture.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <errno.h>

static struct fixture f;

static void begin(void)
{
    fixture_init(&f);
}

static void end(void)
{
    fixture_release(&f);
}

TestSuite(run_extra, .init = begin, .fini = end);

static void text(char **at, const char *value)
{
    free(*at);
    *at = xstrdup(value);
}

static void option_is(const char *name, size_t nth, const char *want)
{
    const char *got = fixture_option(&f, name, nth);

    cr_assert(streq0(got, want), "%s: '%s', not '%s'", name, got, want);
}

static void disk(const char *spec)
{
    cr_assert(run_request_add_disk(&f.request, spec, &f.err) == 0);
}

/* ---- firmware -------------------------------------------------------------------------------- */

Test(run_extra, S0_L1_usual_firmware)
{
    f.request.uefi = true;
    fixture_file(&f, "/usr/share/ovmf/bios.bin", "x\n");
    fixture_plan(&f);
    option_is("-drive", 1,
              "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/ovmf/bios.bin");
}

Test(run_extra, S0_L1_firmware_of_the_distribution)
{
    f.request.uefi = true;
    f.facts.firmware = xstrdup("/usr/share/OVMF/OVMF_CODE_4M.fd");
    fixture_plan(&f);
    cr_assert(strstr(fixture_option(&f, "-drive", 1), "file=/usr/share/OVMF/OVMF_CODE_4M.fd"));
}

Test(run_extra, S0_L1_named_firmware)
{
    f.request.uefi = true;
    f.request.fw = xstrdup("ovmf.fd");
    fixture_file(&f, "ovmf.fd", "x\n");
    fixture_plan(&f);
    cr_assert(strstr(fixture_option(&f, "-drive", 1), "file=ovmf.fd"));
}

Test(run_extra, S0_L1_missing_firmware)
{
    f.request.uefi = true;
    f.request.fw = xstrdup("ovmf.fd");
    f.facts.firmware = xstrdup("/usr/share/OVMF/OVMF_CODE_4M.fd");
    fixture_refused(&f, "file [ovmf.fd] does not exist, please ensure OVMF is installed", "--fw");
}

/* ---- kernels and ISOs ------------------------------------------------------------------------ */

static void kernel_files(const char *cmdline)
{
    text(&f.request.image, "lk");
    fixture_file(&f, "lk-kernel", "k");
    if (cmdline)
        fixture_file(&f, "lk-cmdline", cmdline);
}

Test(run_extra, S0_L2_kernel)
{
    kernel_files("console=ttyS0 a=b\n");
    fixture_file(&f, "lk-initrd.img", "i");
    fixture_plan(&f);
    option_is("-kernel", 0, "lk-kernel");
    option_is("-initrd", 0, "lk-initrd.img");
    option_is("-append", 0, "console=ttyS0 a=b");
    cr_assert(fixture_count(&f, "-drive") == 0);
}

Test(run_extra, S0_L2_kernel_without_its_command_line)
{
    kernel_files(NULL);
    fixture_file(&f, "lk-initrd.img", "i");
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-append") == 0);
    cr_assert(f.notes.n == 1 && strstr(f.notes.v[0].msg, "Cannot open cmdline file: 'lk-cmdline'"));
}

Test(run_extra, S0_L2_kernel_without_its_ramdisk)
{
    kernel_files("x");
    fixture_refused(&f, "initial ramdisk 'lk-initrd.img'", "no such file");
}

Test(run_extra, S0_L2_kernel_by_flag_beside_an_image)
{
    f.request.kernel = true;
    fixture_file(&f, "disk.raw-kernel", "k");
    fixture_file(&f, "disk.raw-initrd.img", "i");
    fixture_file(&f, "disk.raw-cmdline", "c");
    fixture_plan(&f);
    option_is("-kernel", 0, "disk.raw-kernel");
    cr_assert(fixture_count(&f, "-drive") == 0);
}

Test(run_extra, S0_L2_image_beats_kernel_files)
{
    fixture_file(&f, "disk.raw-kernel", "k");
    fixture_plan(&f);
    cr_assert(fixture_count(&f, "-kernel") == 0 && fixture_count(&f, "-drive") == 1);
}

Test(run_extra, S0_L2_squashfs)
{
    kernel_files("console=ttyS0\n");
    fixture_file(&f, "lk-squashfs.img", "s");
    fixture_plan(&f);
    option_is("-append", 0, "console=ttyS0 root=/dev/sda");
    option_is("-drive", 0, "file.driver=file,file.filename=lk-squashfs.img,index=0,media=disk");
    cr_assert(fixture_count(&f, "-initrd") == 0);
}

Test(run_extra, S0_L2_one_way_to_boot)
{
    f.request.kernel = f.request.iso = true;
    fixture_refused(&f, "only one of --iso, --kernel and --squashfs", "");
}

Test(run_extra, S0_66_L2_iso_by_name)
{
    text(&f.request.image, "boot.iso");
    fixture_file(&f, "boot.iso", "x\n");
    disk("size=1G");
    disk("size=1G");
    disk("size=1G");
    fixture_plan(&f);
    option_is("-boot", 0, "d");
    option_is("-drive", 0,
              "file.driver=file,file.filename=disk.img,format=qcow2,index=0,media=disk");
    cr_assert(strstr(fixture_option(&f, "-drive", 2), "disk2.img,format=qcow2,index=3,"));
    option_is("-drive", 3,
              "file.driver=file,file.filename=boot.iso,format=raw,index=2,media=cdrom");
}

Test(run_extra, S0_L2_iso_by_flag)
{
    f.request.iso = true;
    fixture_plan(&f);
    option_is("-drive", 0, "file.driver=file,file.filename=disk.raw,format=raw,index=2,media=cdrom");
}

Test(run_extra, S0_L2_iso_with_metadata)
{
    text(&f.request.image, "boot.iso");
    fixture_file(&f, "boot.iso", "x\n");
    f.request.data = xstrdup("x");
    fixture_plan(&f);
    option_is("-drive", 1,
              "file.driver=file,file.filename=boot-state/data.iso,format=raw,index=3,media=cdrom");
}

/* ---- state and metadata ---------------------------------------------------------------------- */

Test(run_extra, S0_L3_no_state_where_none_is_needed)
{
    fixture_plan(&f);
    cr_assert(!f.plan->state && !fixture_step(&f, RUN_STEP_DIR) && !fixture_step(&f, RUN_STEP_MAC));
    cr_assert(fixture_count(&f, "-pidfile") == 0);
}

Test(run_extra, S0_L3_first_run)
{
    f.request.state = xstrdup("st");
    disk("size=1G");
    fixture_plan(&f);
    cr_assert(streq(fixture_step(&f, RUN_STEP_DIR)->path, "st"));
    cr_assert(streq(fixture_step(&f, RUN_STEP_DISK)->path, "st/disk.img"));
    cr_assert(streq(fixture_step(&f, RUN_STEP_MAC)->path, "st/mac-addr"));
    cr_assert(streq(fixture_step(&f, RUN_STEP_MAC)->text, "02:00:00:00:00:01"));
    option_is("-pidfile", 0, "st/qemu.pid");
}

Test(run_extra, S0_L3_mac_stays)
{
    f.request.state = xstrdup("st");
    fixture_file(&f, "st/mac-addr", "02:AB:cd:00:11:22\n"); /* B-MAC-NEWLINE */
    fixture_plan(&f);
    option_is("-device", 1, "virtio-net-pci,netdev=t0,mac=02:ab:cd:00:11:22");
    cr_assert(!fixture_step(&f, RUN_STEP_MAC));
}

Test(run_extra, S0_L3_mac_that_is_none)
{
    f.request.state = xstrdup("st");
    fixture_file(&f, "st/mac-addr", "hello");
    fixture_refused(&f, "failed to parse mac-addr file 'st/mac-addr'", "remove the file");
}

Test(run_extra, S0_L3_state_that_is_in_use)
{
    f.request.state = xstrdup("st");
    f.facts.state_holder = 4711;
    fixture_plan(&f);
    pid_t pid;
    cr_assert(run_execute(f.plan, &pid, &f.err) == -1);
    cr_assert(strstr(f.err.msg, "'st' is in use by another QEMU (pid 4711)"), "%s", f.err.msg);
}

Test(run_extra, S0_04_L4_metadata)
{
    f.request.data = xstrdup("hello=1");
    fixture_plan(&f);
    cr_assert(streq(fixture_step(&f, RUN_STEP_ISO)->text, "hello=1"));
    cr_assert(streq(fixture_step(&f, RUN_STEP_ISO)->path, "disk.raw-state/data.iso"));
    option_is("-drive", 1,
              "file.driver=file,file.filename=disk.raw-state/data.iso,format=raw,index=2,"
              "media=cdrom");
}

Test(run_extra, S0_66_L4_next_free_place)
{
    /* B-CDROM-CLASH */
    f.request.data = xstrdup("x");
    disk("size=1G");
    disk("size=1G");
    disk("size=1G");
    fixture_plan(&f);
    cr_assert(strstr(fixture_option(&f, "-drive", 4), "index=4,media=cdrom"));
}

Test(run_extra, S0_L4_metadata_twice)
{
    f.request.data = xstrdup("a");
    f.request.data_file = xstrdup("b");
    text(&f.request.image, "gone");
    fixture_refused(&f, "cannot specify both -data and -data-file", "--data-file FILE");
}

Test(run_extra, S0_L4_metadata_from_a_missing_file)
{
    f.request.data_file = xstrdup("b");
    fixture_refused(&f, "--data-file: 'b'", "no such file");
}

Test(run_extra, S0_L4_metadata_from_a_file)
{
    f.request.data_file = xstrdup("b");
    fixture_file(&f, "b", "x");
    fixture_plan(&f);
    cr_assert(streq(fixture_step(&f, RUN_STEP_ISO)->from, "b"));
}

/* ---- shared directories ---------------------------------------------------------------------- */

static void share(const char *dir)
{
    strv_push(&f.request.virtiofs, dir);
    fixture_file(&f, dir, NULL);
}

Test(run_extra, S0_L5_virtiofs)
{
    share("one");
    share("two");
    f.facts.virtiofsd = xstrdup("/bin/virtiofsd");
    f.request.mem = 512;
    fixture_plan(&f);
    option_is("-machine", 0, "q35,memory-backend=mem");
    option_is("-object", 0, "memory-backend-memfd,id=mem,size=512M,share=on");
    option_is("-chardev", 1, "socket,id=char1,path=disk.raw-state/virtiofs1");
    option_is("-device", 3, "vhost-user-fs-pci,chardev=char1,tag=virtiofs1");
    cr_assert(f.plan->n_helpers == 2);
    _cleanup_free_ char *line = strv_join(&f.plan->helpers[1].argv, " ");
    cr_assert(streq(line, "/bin/virtiofsd --socket-path=disk.raw-state/virtiofs1 "
                          "--shared-dir=two"), "%s", line);
}

Test(run_extra, S0_L5_old_virtiofsd)
{
    share("one");
    f.facts.virtiofsd = xstrdup("/bin/virtiofsd");
    f.facts.virtiofsd_old = true;
    fixture_plan(&f);
    cr_assert(streq(f.plan->helpers[0].argv.v[2], "-o"));
    cr_assert(streq(f.plan->helpers[0].argv.v[3], "source=one"));
}

Test(run_extra, S0_L5_old_virtiofsd_and_a_comma)
{
    share("one,cache=always");
    f.facts.virtiofsd = xstrdup("/bin/virtiofsd");
    f.facts.virtiofsd_old = true;
    fixture_refused(&f, "can't share a directory with a comma: 'one,cache=always'",
                    "/bin/virtiofsd");
}

Test(run_extra, S0_L5_no_virtiofsd)
{
    share("one");
    fixture_refused(&f, "Unable to find virtiofsd within the $PATH", "--virtiofsd");
}

Test(run_extra, S0_L5_no_directory)
{
    strv_push(&f.request.virtiofs, "none");
    f.facts.virtiofsd = xstrdup("/bin/virtiofsd");
    fixture_refused(&f, "--virtiofs: directory 'none'", "no such file");
}

/* ---- the background -------------------------------------------------------------------------- */

Test(run_extra, S0_10_37_detached)
{
    /* Ours: linuxkit refuses it outside of a container (B-DETACHED). */
    f.request.detached = true;
    fixture_plan(&f);
    cr_assert(f.plan->detached);
    cr_assert(fixture_count(&f, "-nographic") == 0);
    option_is("-pidfile", 0, "disk.raw-state/qemu.pid");
    option_is("-serial", 0, "chardev:console");
    option_is("-display", 0, "none");
    cr_assert(strstr(fixture_option(&f, "-chardev", 0), "logfile=disk.raw-state/console.log"));
    cr_assert(!fixture_step(&f, RUN_STEP_MAC), "a MAC is kept although no state was asked for");
}

Test(run_extra, S0_L3_S0_28_hostile_paths_are_values)
{
    /* B-COMMA */
    f.request.state = xstrdup("a,b=c");
    f.request.data = xstrdup("x");
    fixture_plan(&f);
    cr_assert(strstr(fixture_option(&f, "-drive", 1), "file.filename=a,,b=c/data.iso,"));
    option_is("-pidfile", 0, "a,b=c/qemu.pid");
}
