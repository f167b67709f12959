/* SPDX-License-Identifier: Apache-2.0 */
/* Values of flags: what is read out of them, and what is said of bad ones. */
#include "cli/run.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <errno.h>

static int parse(struct run_request *ret, struct err *err, const char *const *words)
{
    _cleanup_args_ struct args args = ARGS_INIT;
    char *argv[32] = {(char *)"cima", (char *)"run"};
    int argc = 2;

    for (; words[argc - 2]; argc++)
        argv[argc] = (char *)words[argc - 2];
    return args_parse(argc, argv, &args, err) < 0 ? -1 : cli_run_request(&args, ret, err);
}
#define PARSE(r, err, ...) parse((r), (err), (const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *words, const char *const *argv)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert(parse(&r, &err, argv) == -1, "accepted");
    _cleanup_free_ char *line = err_line(&err);
    cr_assert(strstr(line, words), "'%s' is not in: %s", words, line);
    cr_assert(err.kind == ERR_USAGE);
    cr_assert(err_exit_code(&err) == 1);
}
#define REFUSED(words, ...) refused((words), (const char *const[]){__VA_ARGS__, NULL})

Test(run_request, S0_01_exactly_one_image)
{
    refused("received 0", (const char *const[]){NULL});
    REFUSED("received 2", "a", "b");
    cr_assert(strstr(command_find(commands, "run")->summary,
                     "Run the virtual machine image with qemu"));
}

Test(run_request, S0_02_04_05_06_07_08_09_10_11_12_13_14_defaults)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert(PARSE(&r, &err, "disk.raw") == 0);
    cr_assert(streq(r.image, "disk.raw"));
    cr_assert(!r.gui && !r.usb && !r.detached && !r.iso && !r.kernel && !r.squashfs && !r.uefi);
    cr_assert(!r.data && !r.data_file && !r.accel && !r.arch && !r.qemu && !r.networking);
    cr_assert(!r.state && !r.fw && !r.virtiofsd);
    cr_assert(r.cpus == 1 && r.mem == 1024);
    cr_assert(r.publish.n == 0 && r.devices.n == 0 && r.virtiofs.n == 0 && r.n_disks == 0);
}

Test(run_request, S0_02_04_05_06_07_08_09_10_11_12_13_14_all_flags)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert(PARSE(&r, &err, "--gui", "--data", "d", "--accel", "tcg", "--arch=s390x", "--cpus",
                    "4", "--mem=0x800", "--qemu", "/q", "--detached", "--networking", "none",
                    "--publish", "1:2", "--publish", "3:4", "--usb", "--device", "a,b=c",
                    "--device", "d", "disk") == 0);
    cr_assert(r.gui && r.usb && r.detached);
    cr_assert(streq(r.data, "d") && streq(r.accel, "tcg") && streq(r.arch, "s390x"));
    cr_assert(r.cpus == 4 && r.mem == 2048);
    cr_assert(streq(r.qemu, "/q") && streq(r.networking, "none"));
    cr_assert(r.publish.n == 2 && streq(r.publish.v[1], "3:4"));
    cr_assert(r.devices.n == 2 && streq(r.devices.v[0], "a,b=c"));
}

Test(run_request, S0_07_08_numbers)
{
    REFUSED("invalid argument \"-1\" for \"--cpus\" flag", "--cpus=-1", "disk");
    REFUSED("invalid argument \"two\" for \"--mem\" flag", "--mem", "two", "disk");
    REFUSED("invalid argument \"\" for \"--mem\" flag", "--mem", "", "disk");
    REFUSED("invalid argument \"1G\" for \"--mem\" flag", "--mem", "1G", "disk");
    REFUSED("for \"--mem\" flag", "--mem", "99999999999999", "disk");
}

/* path, format, MiB */
static void disk(const char *text, const char *path, const char *format, uint64_t mib)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert(run_request_add_disk(&r, text, &err) == 0, "'%s' is refused: %s", text, err.msg);
    cr_assert(r.n_disks == 1);
    cr_assert(streq0(r.disks[0].path, path), "'%s': path '%s'", text, r.disks[0].path);
    cr_assert(streq0(r.disks[0].format, format), "'%s': format '%s'", text, r.disks[0].format);
    cr_assert(r.disks[0].mib == mib, "'%s': %llu MiB", text, (unsigned long long)r.disks[0].mib);
}

Test(run_request, S0_03_80_disks)
{
    disk("a.img", "a.img", NULL, 0);
    disk("file=a.img", "a.img", NULL, 0);
    disk("file=a=b.img", "a=b.img", NULL, 0);
    disk("size=1G", NULL, NULL, 1024);
    disk("size=512M", NULL, NULL, 512);
    disk("size=2", NULL, NULL, 2048);
    disk("size=0", NULL, NULL, 0);
    disk("size=", NULL, NULL, 0);
    disk("a.img,size=3G,format=raw", "a.img", "raw", 3072);
    disk("format=vmdk,size=1M,file=b", "b", "vmdk", 1);
    disk("a,b", "b", NULL, 0);
    disk("", NULL, NULL, 0);
    disk("file=", NULL, NULL, 0);
}

Test(run_request, S0_80_bad_disks)
{
    REFUSED("Unknown disk config: bus", "--disk", "x.img,bus=scsi", "disk");
    REFUSED("did you mean 'size='", "--disk", "siz=1G", "disk");
    REFUSED("disk size '1T'", "--disk", "size=1T", "disk");
    REFUSED("disk size '-1'", "--disk", "size=-1", "disk");
    REFUSED("disk size '1.5G'", "--disk", "size=1.5G", "disk");
    REFUSED("disk size 'G'", "--disk", "size=G", "disk");
    REFUSED("disk size '99999999999999999999'", "--disk", "size=99999999999999999999", "disk");
    REFUSED("disk size '9007199254740992G'", "--disk", "size=9007199254740992G", "disk");
}

static void port(const char *text, uint16_t host, uint16_t guest, bool udp)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct run_port p;

    cr_assert(run_parse_port(text, &p, &err) == 0, "'%s' is refused: %s", text, err.msg);
    cr_assert(p.host == host && p.guest == guest && p.udp == udp, "'%s': %u:%u", text, p.host,
              p.guest);
}

static void bad_port(const char *text, const char *words)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct run_port p;

    cr_assert(run_parse_port(text, &p, &err) == -1, "'%s' is accepted", text);
    _cleanup_free_ char *line = err_line(&err);
    cr_assert(strstr(line, words), "'%s': %s", text, line);
    cr_assert(strstr(line, text) && err.hint, "'%s': %s", text, line);
}

Test(run_request, S0_78_ports)
{
    port("8080:80", 8080, 80, false);
    port("1:65535/tcp", 1, 65535, false);
    port("53:53/udp", 53, 53, true);
    port("53:53/UDP", 53, 53, true);
    port("53:53/ Tcp ", 53, 53, false);
    port("0080:080", 80, 80, false);
}

Test(run_request, S0_79_bad_ports)
{
    const char *form = "Unable to parse the ports to be published, should be in format "
                       "<host>:<guest> or <host>:<guest>/<tcp|udp>";

    bad_port("8080", form);
    bad_port("", form);
    bad_port("1:2:3", form);
    bad_port("127.0.0.1:80:80", form);
    bad_port("x:80", "The provided hostPort can't be converted to uint16");
    bad_port(":80", "The provided hostPort can't be converted to uint16");
    bad_port("65536:80", "The provided hostPort can't be converted to uint16");
    bad_port(" 80:80", "The provided hostPort can't be converted to uint16");
    bad_port("80:", "The provided guestPort can't be converted to uint16");
    bad_port("80:-1", "The provided guestPort can't be converted to uint16");
    bad_port("80:99999/udp", "The provided guestPort can't be converted to uint16");
    bad_port("80:80/sctp", "Provided protocol is not valid, valid options are: udp and tcp");
    bad_port("80:80/", "Provided protocol is not valid, valid options are: udp and tcp");
    bad_port("80:80/tcp/udp", "Provided protocol is not valid, valid options are: udp and tcp");
    bad_port("0:80", "Invalid hostPort: 0");
    bad_port("80:0", "Invalid guestPort: 0");
}

/* ---- what is drawn by lot -------------------------------------------------------------------- */

static uint8_t byte;
static ssize_t all_the_same(void *buf, size_t len)
{
    memset(buf, byte, len);
    return (ssize_t)len;
}

static ssize_t too_few(void *buf, size_t len)
{
    memset(buf, 0, len);
    return 4;
}

static ssize_t none(void *buf, size_t len)
{
    (void)buf, (void)len;
    errno = EIO;
    return -1;
}

Test(run_request, S0_73_mac_is_local_and_of_one_machine)
{
    byte = 0xff;
    _cleanup_free_ char *ones = run_make_mac(all_the_same, NULL);
    byte = 0;
    _cleanup_free_ char *zeros = run_make_mac(all_the_same, NULL);

    cr_assert(streq(ones, "fe:ff:ff:ff:ff:ff"), "%s", ones);
    cr_assert(streq(zeros, "02:00:00:00:00:00"), "%s", zeros);
}

Test(run_request, S0_74_no_randomness)
{
    _cleanup_err_ struct err few = ERR_INIT, failed = ERR_INIT;

    cr_assert(run_make_mac(too_few, &few) == NULL);
    cr_assert(streq(few.msg, "generated 4 bytes for random mac address"), "%s", few.msg);
    cr_assert(run_make_mac(none, &failed) == NULL);
    cr_assert(strstr(failed.msg, "failed to generate random mac address"), "%s", failed.msg);
}

Test(run_request, S0_15_uuid_version_4)
{
    byte = 0xff;
    _cleanup_free_ char *ones = run_make_uuid(all_the_same, NULL);
    byte = 0;
    _cleanup_free_ char *zeros = run_make_uuid(all_the_same, NULL);

    cr_assert(streq(ones, "ffffffff-ffff-4fff-bfff-ffffffffffff"), "%s", ones);
    cr_assert(streq(zeros, "00000000-0000-4000-8000-000000000000"), "%s", zeros);
}
