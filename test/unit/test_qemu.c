/* SPDX-License-Identifier: Apache-2.0 */
/* The option builder and the command line: what goes in comes out as QEMU reads it. */
#include "cima/qemu/device.h"
#include "qemu/launch.h"
#include "qemu/qemu.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static void is_argv(struct cima_opts *o, const char *expected)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = cima_opts_to_argv(o, &err);

    cr_assert(text, "%s", err.msg);
    cr_assert_str_eq(text, expected);
    cima_opts_free(o);
}

static void is_json(struct cima_opts *o, const char *expected)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *j = cima_opts_to_json(o, &err);
    _cleanup_free_ char *text = NULL;

    cr_assert(j, "%s", err.msg);
    text = json_dump(j);
    cr_assert_str_eq(text, expected);
    cima_opts_free(o);
}

static void is_refused(struct cima_opts *o, const char *word)
{
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;

    cr_assert_null(cima_opts_to_argv(o, &e1));
    cr_assert_null(cima_opts_to_json(o, &e2));
    cr_assert(strstr(e1.msg, word), "'%s' without '%s'", e1.msg, word);
    cr_assert_str_eq(e1.msg, e2.msg);
    cima_opts_free(o);
}

static struct cima_opts *all_kinds(void)
{
    struct cima_opts *o = cima_opts_new("driver", "thing"), *inner;

    cima_opts_str(o, "text", "a,b");
    cima_opts_str(o, "absent", NULL);
    cima_opts_int(o, "n", -3);
    cima_opts_size(o, "size", UINT64_C(3) << 30);
    cima_opts_size(o, "odd", 1000);
    cima_opts_bool(o, "yes", true);
    cima_opts_bool(o, "no", false);
    cima_opts_list(o, "fwd", "x,1");
    cima_opts_list(o, "fwd", "y");
    inner = cima_opts_nested(o, "file");
    cima_opts_str(inner, "driver", "file");
    cima_opts_str(inner, "filename", "/p,q");
    cima_opts_nested(inner, "deep");
    cima_opts_strf(o, "last", "%s-%d", "x", 1);
    return o;
}

Test(opts, kinds_as_argv)
{
    is_argv(all_kinds(), "thing,text=a,,b,n=-3,size=3G,odd=1000,yes=on,no=off,fwd=x,,1,fwd=y,"
                         "file.driver=file,file.filename=/p,,q,last=x-1");
}

Test(opts, kinds_as_json)
{
    is_json(all_kinds(),
            "{\"driver\":\"thing\",\"text\":\"a,b\",\"n\":-3,\"size\":3221225472,\"odd\":1000,"
            "\"yes\":true,\"no\":false,\"fwd\":[{\"str\":\"x,1\"},{\"str\":\"y\"}],"
            "\"file\":{\"driver\":\"file\",\"filename\":\"/p,q\",\"deep\":{}},\"last\":\"x-1\"}");
}

/* S10, B-COMMA: nothing that a value says becomes another option. */
struct hostile {
    const char *value, *written;
};
static const struct hostile hostile[] = {
    {"/x,readonly=off", "/x,,readonly=off"},
    {",", ",,"},
    {",,", ",,,,"},
    {"a=b", "a=b"},
    {"=,=", "=,,="},
    {"help", "help"},
    {"/tmp/\xc3\xa4 \"'\\$(id)`", "/tmp/\xc3\xa4 \"'\\$(id)`"},
    {"json:{\"driver\":\"nbd\"}", "json:{\"driver\":\"nbd\"}"},
    {"on", "on"},
};

Test(opts, hostile_values)
{
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        struct cima_opts *o = cima_opts_new("driver", "d"), *back;
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_free_ char *text = NULL, *expected = NULL;

        cima_opts_str(o, "path", hostile[i].value);
        cima_opts_bool(o, "readonly", true);
        text = cima_opts_to_argv(o, &err);
        expected = xasprintf("d,path=%s,readonly=on", hostile[i].written);
        cr_assert_str_eq(text, expected);
        back = cima_opts_parse(text, "driver", &err);
        cr_assert(back);
        cr_assert_str_eq(cima_opts_get(back, "path"), hostile[i].value);
        cr_assert_str_eq(cima_opts_get(back, "readonly"), "on");
        cr_assert_str_eq(cima_opts_get(back, "driver"), "d");
        cima_opts_free(back);
        cima_opts_free(o);
    }
}

/* A value with '=' in the place of the implied key would be read as another key. */
Test(opts, implied_key_is_written_when_needed)
{
    is_argv(cima_opts_new("guest", "a=b,c"), "guest=a=b,,c");
    is_argv(cima_opts_new("guest", "a,b"), "a,,b");
}

Test(opts, refusals)
{
    struct cima_opts *o = cima_opts_new("driver", "virtio-blk-pci"), *inner;

    cima_opts_str(o, "serial", "a\nb");
    cima_opts_str(o, "other", "");
    is_refused(
        o, "'virtio-blk-pci' can't be handed to QEMU: option 'serial': its value has a line break");
    o = cima_opts_new("driver", "");
    is_refused(o, "option 'driver': its value is empty");
    o = cima_opts_new(NULL, NULL);
    cima_opts_str(o, "a b", "x");
    is_refused(o, "option 'a b': not a valid name");
    o = cima_opts_new("driver", "d");
    inner = cima_opts_nested(o, "file");
    cima_opts_str(inner, "filename", "\x1b[31m");
    is_refused(o, "option 'filename': its value has a control character");
    o = cima_opts_new("driver", "d");
    cima_opts_nested(o, "bad key");
    is_refused(o, "option 'bad key'");
    o = cima_opts_new("driver", "d");
    cima_opts_size(o, "size", UINT64_MAX);
    is_refused(o, "63 bits");
    o = cima_opts_new("driver", "d");
    cima_opts_list(o, "hostfwd", "");
    is_refused(o, "option 'hostfwd'");
}

Test(opts, replaced_in_place)
{
    struct cima_opts *o = cima_opts_new("driver", "a");

    cima_opts_int(o, "x", 1);
    cima_opts_str(o, "driver", "b");
    cima_opts_str(o, "x", "two");
    is_argv(o, "b,x=two");
}

Test(opts, parse)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct cima_opts *o = cima_opts_parse("gtk,gl=on,show-cursor,title=a,,b", "type", &err);

    cr_assert(o, "%s", err.msg);
    is_argv(o, "gtk,gl=on,show-cursor=on,title=a,,b");
    cr_assert_null(cima_opts_parse("", "type", &err));
    cr_assert(strstr(err.msg, "empty"));
    err_clear(&err);
    cr_assert_null(cima_opts_parse("gtk,=x", "type", &err));
    err_clear(&err);
    cr_assert_null(cima_opts_parse("gtk,a\tb", "type", &err));
}

Test(cmdline, words)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *line = NULL;
    char **argv;

    cima_cmdline_flag(c, "-nodefaults");
    cima_cmdline_text(c, "-append", "root=/dev/vda1 a,b");
    cima_cmdline_opts(c, "-device", cima_virtio_blk(CIMA_TRANSPORT_CCW, "disk", 1));
    argv = cima_cmdline_argv(c, &err);
    cr_assert(argv);
    line = strv_join(&(struct strv){argv, 5, 6}, "|");
    cr_assert_str_eq(line, "-nodefaults|-append|root=/dev/vda1 a,b|-device|"
                           "virtio-blk-ccw,drive=disk,bootindex=1");
    cima_cmdline_opts(c, "-name", cima_opts_new("guest", "a\rb"));
    cr_assert_null(cima_cmdline_argv(c, &err));
    free(line);
    line = err_message(&err);
    cima_strings_free(argv);
    cr_assert(strstr(line, "QEMU option '-name'"), "%s", line);
}

Test(device, blocks)
{
    const struct cima_block ro = {
        .node = "cd", .format = "raw", .path = "/a,b.iso", .read_only = true};
    const struct cima_block rw = {
        .node = "d", .format = "qcow2", .path = "fat:/etc", .discard = true};

    is_argv(cima_blockdev(&ro), "raw,node-name=cd,read-only=on,file.driver=file,"
                                "file.filename=/a,,b.iso,file.read-only=on");
    is_argv(cima_blockdev(&rw), "qcow2,node-name=d,discard=unmap,file.driver=file,"
                                "file.filename=fat:/etc,file.discard=unmap");
    is_json(cima_blockdev(&rw),
            "{\"driver\":\"qcow2\",\"node-name\":\"d\",\"discard\":\"unmap\",\"file\":"
            "{\"driver\":\"file\",\"filename\":\"fat:/etc\",\"discard\":\"unmap\"}}");
    is_argv(cima_pflash(1, "qcow2", "/v,w", false), "if=pflash,unit=1,format=qcow2,file=/v,,w");
    is_argv(cima_ide_cd("ide.0", "iso", 1), "ide-cd,bus=ide.0,drive=iso,bootindex=1");
    is_argv(cima_scsi_cd("scsi0.0", "cd", 0), "scsi-cd,bus=scsi0.0,drive=cd");
}

Test(device, network)
{
    static const char *const fwd[] = {"tcp:127.0.0.1:0-:22", "udp::53-:53", NULL};
    struct cima_netdev_user n = {.id = "net0", .net = "192.168.5.0/24", .hostfwd = fwd};

    is_argv(cima_netdev_user(&n), "user,id=net0,net=192.168.5.0/24,hostfwd=tcp:127.0.0.1:0-:22,"
                                  "hostfwd=udp::53-:53");
    is_json(cima_netdev_user(&n),
            "{\"type\":\"user\",\"id\":\"net0\",\"net\":\"192.168.5.0/24\",\"hostfwd\":"
            "[{\"str\":\"tcp:127.0.0.1:0-:22\"},{\"str\":\"udp::53-:53\"}]}");
    is_argv(cima_nic(CIMA_TRANSPORT_PCI, "net0", NULL), "virtio-net-pci,netdev=net0");
    is_argv(cima_netdev_socket_fd("net1", 4), "socket,id=net1,fd=4");
}

Test(device, others)
{
    const struct cima_fs_local fs = {
        .id = "fs0", .path = "/x,readonly=off", .read_only = true, .remap_inodes = true};

    is_argv(cima_fsdev_local(&fs), "local,id=fs0,path=/x,,readonly=off,security_model=none,"
                                   "multidevs=remap,readonly=on");
    is_argv(cima_virtio_9p(CIMA_TRANSPORT_PCI, "fs0", "lima-1"),
            "virtio-9p-pci,fsdev=fs0,mount_tag=lima-1");
    is_argv(cima_chardev_listen_fd("c", 3, "/l,1"),
            "socket,id=c,fd=3,server=on,wait=off,logfile=/l,,1");
    is_argv(cima_chardev_unix("c", "/s"), "socket,id=c,path=/s");
    is_argv(cima_monitor_qmp("c"), "c,mode=control");
    is_argv(cima_memory_memfd("m", 1 << 20), "memory-backend-memfd,id=m,size=1M,share=on");
    is_argv(cima_vhost_user_fs(CIMA_TRANSPORT_CCW, "c", "t", 1024),
            "vhost-user-fs-ccw,queue-size=1024,chardev=c,tag=t");
    is_argv(cima_virtio(CIMA_TRANSPORT_MMIO, "rng"), "virtio-rng-device");
}

/* S28: no secrets in the environment. */
Test(launch, environment)
{
    _cleanup_strv_ struct strv plain = STRV_INIT, desktop = STRV_INIT;

    setenv("SECRET_TOKEN", "x", 1);
    setenv("DISPLAY", ":0", 1);
    setenv("PATH", "/usr/bin:/bin", 1);
    qemu_launch_env(false, &plain);
    qemu_launch_env(true, &desktop);
    for (size_t i = 0; i < desktop.n; i++)
        cr_assert(!strstr(desktop.v[i], "SECRET"));
    cr_assert(strv_contains(&plain, "PATH=/usr/bin:/bin"));
    cr_assert_not(strv_contains(&plain, "DISPLAY=:0"));
    cr_assert(strv_contains(&desktop, "DISPLAY=:0"));
}

Test(launch, log_tail)
{
    char path[] = "/tmp/cima-tail-XXXXXX";
    int fd = mkstemp(path);
    _cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL;

    cr_assert_eq(write(fd, "old\nfirst\nsecond\n", 17), 17);
    a = qemu_log_tail(path, 4, 100);
    cr_assert_str_eq(a, "first\nsecond\n");
    b = qemu_log_tail(path, 4, 9);
    cr_assert_str_eq(b, "second\n", "%s", b);
    c = qemu_log_tail(path, 17, 9);
    cr_assert_str_eq(c, "");
    d = qemu_log_tail("/nonexistent", 0, 9);
    cr_assert_str_eq(d, "");
    close(fd);
    unlink(path);
}

Test(launch, hints)
{
    cr_assert(qemu_death_hint(
        "qemu-system-x86_64: -netdev user: Could not set up host forwarding rule 'x'"));
    /* Of users who have no instance, no YAML and no environment variable of cima. */
    cr_assert_str_eq(qemu_death_hint("Could not set up host forwarding rule 'x'"),
                     "the port is in use: take another one");
    cr_assert_str_eq(qemu_death_hint("cannot set up guest memory 'pc.ram'"),
                     "give the machine less memory");
    cr_assert_null(qemu_death_hint("something new"));
}
