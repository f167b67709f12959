/* SPDX-License-Identifier: Apache-2.0 */
/* What the typed commands do to a real QEMU that stands before its first instruction. */
#include "base/mem.h"
#include "cima/qemu/commands.h"
#include "real_qemu.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define Q35 "-M", "q35,accel=tcg", "-m", "128M,slots=4,maxmem=1G", "-smp", "1,maxcpus=4"

static const char *const plain[] = {Q35,
                                    "-device",
                                    "virtio-scsi-pci,id=scsi0",
                                    "-device",
                                    "virtio-serial-pci,id=ser0",
                                    "-device",
                                    "pcie-root-port,id=rp0,chassis=1",
                                    "-device",
                                    "pcie-root-port,id=rp1,chassis=2",
                                    NULL};

#define OK(call)                                                                                   \
    do {                                                                                           \
        _cleanup_err_ struct err e_ = ERR_INIT;                                                    \
                                                                                                   \
        if ((call) < 0) {                                                                          \
            _cleanup_free_ char *text_ = err_text(&e_);                                            \
            cr_assert(false, #call ": %s", text_);                                                 \
        }                                                                                          \
    } while (0)
#define RUN(r, maker) OK(cima_qmp_run((r).q, maker, NULL, &e_))

static void make_file(const char *path, off_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, size), 0);
    close(fd);
}

static bool has_object(struct real_qemu *r, const char *id)
{
    struct cima_qom_properties all = {.json = NULL};
    bool found = false;

    OK(cima_qom_list(r->q, "/objects", &all, &e_));
    for (size_t i = 0; i < all.n; i++)
        found = found || streq(all.v[i].name, id);
    cima_qom_properties_release(&all);
    return found;
}

static bool has_device(struct real_qemu *r, const char *id)
{
    struct cima_qom_properties all = {.json = NULL};
    bool found = false;

    OK(cima_qom_list(r->q, "/machine/peripheral", &all, &e_));
    for (size_t i = 0; i < all.n; i++)
        found = found || streq(all.v[i].name, id);
    cima_qom_properties_release(&all);
    return found;
}

/* a SCSI disk comes and goes; DEVICE_DELETED follows at once on this bus. */
Test(qmp_real, Q_11_Q_13_scsi_disk_comes_and_goes)
{
    struct real_qemu r;
    struct cima_scsi_unit unit = {.driver = "scsi-hd",
                                  .id = "d0",
                                  .bus = "scsi0.0",
                                  .node = "disk0",
                                  .has_target = true,
                                  .target = 3,
                                  .has_lun = true,
                                  .share_rw = true};
    struct cima_block block = {.node = "disk0", .format = "raw"};
    _cleanup_err_ struct err busy = ERR_INIT;

    real_qemu_start(&r, plain, NULL, NULL, false);
    block.path = real_qemu_path(&r, "a,b=c disk.img");
    make_file(block.path, 1 << 20);
    RUN(r, cima_cmd_blockdev_add(cima_blockdev(&block)));
    RUN(r, cima_cmd_scsi_add(&unit));
    cr_assert(has_device(&r, "d0"));
    cr_assert_eq(cima_qmp_run(r.q, cima_cmd_blockdev_del("disk0"), NULL, &busy), -1);
    cr_assert_eq(busy.kind, ERR_QEMU);
    cr_assert(str_starts(busy.msg, "QMP command failed: "), "%s", busy.msg);
    RUN(r, cima_cmd_device_del("d0"));
    cr_assert_not(has_device(&r, "d0"));
    RUN(r, cima_cmd_blockdev_del("disk0"));
    real_qemu_end(&r);
}

/* A whole typed device, or nothing of it. */
Test(qmp_real, Q_13_device_is_plugged_whole_or_not_at_all)
{
    struct cima_disk disk = {.place = {.id = "d0", .bus = "scsi0.0"},
                             .id = "disk0",
                             .driver = "scsi-hd",
                             .format = "raw"};
    const struct cima_device device = {CIMA_DEVICE_DISK, {.as_disk = &disk}};
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err no_bus = ERR_INIT, no_file = ERR_INIT, twice = ERR_INIT;
    struct real_qemu r;

    real_qemu_start(&r, plain, NULL, NULL, false);
    disk.file = real_qemu_path(&r, "disk.img");
    cr_assert_eq(cima_qmp_plug_device(r.q, &device, &no_file), -1);
    cr_assert(strstr(no_file.msg, "No such file"), "%s", no_file.msg);
    make_file(disk.file, 1 << 20);
    disk.place.bus = "nowhere";
    cr_assert_eq(cima_qmp_plug_device(r.q, &device, &no_bus), -1);
    cr_assert(strstr(no_bus.msg, "nowhere"), "%s", no_bus.msg);
    cr_assert_null(no_bus.detail, "%s", no_bus.detail);
    disk.place.bus = "scsi0.0";
    /* The node of the failed one is gone: its name is free. */
    OK(cima_add_disk(c, &disk, &e_));
    OK(cima_qmp_plug(r.q, c, &e_));
    cr_assert(has_device(&r, "d0"));
    cr_assert_eq(cima_qmp_plug_device(r.q, &device, &twice), -1);
    cr_assert(has_device(&r, "d0"));
    OK(cima_qmp_unplug(r.q, c, 0, &e_));
    cr_assert_not(has_device(&r, "d0"));
    OK(cima_qmp_plug(r.q, c, &e_));
    real_qemu_end(&r);
}

/* networks by descriptors with names, and their cards. */
Test(qmp_real, Q_12_Q_14_network_by_descriptor)
{
    struct cima_net net = {.type = CIMA_NET_STREAM,
                           .id = "n1",
                           .place = {.id = "net1", .bus = "rp0"},
                           .mac = "52:54:00:00:00:01"};
    struct cima_card card = {
        .place = {.id = "net0", .bus = "rp1"}, .netdev = "n0", .mac = "52:54:00:00:00:02"};
    const char *const names[] = {"sock", NULL};
    struct cima_opts *o;
    int pair[2], more[2];
    struct real_qemu r;
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err gone = ERR_INIT;

    real_qemu_start(&r, plain, NULL, NULL, false);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, more), 0);
    RUN(r, cima_cmd_getfd(names[0], pair[0]));
    close(pair[0]); /* QEMU has its own */
    o = cima_opts_new("type", "socket");
    cima_opts_str(o, "id", "n0");
    cima_opts_str(o, "fd", names[0]);
    RUN(r, cima_cmd_netdev_add(o));
    RUN(r, cima_cmd_card_add(&card));
    cr_assert(has_device(&r, "net0"));
    cr_assert_eq(cima_qmp_run(r.q, cima_cmd_closefd(names[0]), NULL, &gone), -1, "it was taken");
    /* The same by a whole device, whose descriptor goes along by itself. */
    net.fds = &more[0];
    net.n_fds = 1;
    OK(cima_add_net(c, &net, &e_));
    OK(cima_qmp_plug(r.q, c, &e_));
    cr_assert(has_device(&r, "net1"));
    real_qemu_end(&r);
    close(pair[1]);
    close(more[0]);
    close(more[1]);
}

/* A refused device leaves no descriptor with a name behind. */
Test(qmp_real, Q_12_descriptors_of_a_refused_device)
{
    struct cima_net net = {.type = CIMA_NET_STREAM,
                           .id = "n1",
                           .place = {.id = "net1", .bus = "nowhere"},
                           .mac = "52:54:00:00:00:01"};
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    _cleanup_free_ char *name = cima_cmdline_fd_name(3);
    struct real_qemu r;
    int pair[2];
    char byte;

    real_qemu_start(&r, plain, NULL, NULL, false);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    net.fds = &pair[0];
    net.n_fds = 1;
    OK(cima_add_net(c, &net, &e_));
    cr_assert_eq(cima_qmp_plug(r.q, c, &e1), -1);
    cr_assert_null(e1.detail, "%s", e1.detail);
    cr_assert_eq(cima_qmp_run(r.q, cima_cmd_closefd(name), NULL, &e2), -1);
    close(pair[0]);
    cr_assert_eq(read(pair[1], &byte, 1), 0, "nobody holds the other end");
    close(pair[1]);
    real_qemu_end(&r);
}

/* a disk out of a set of descriptors. */
Test(qmp_real, Q_12_add_fd)
{
    struct cima_block block = {.node = "disk0", .format = "raw"};
    char path[32];
    int set = -1, fd;
    struct real_qemu r;

    real_qemu_start(&r, plain, NULL, NULL, false);
    make_file(real_qemu_path(&r, "disk.img"), 1 << 20);
    fd = open(real_qemu_path(&r, "disk.img"), O_RDWR | O_CLOEXEC);
    unlink(real_qemu_path(&r, "disk.img"));
    OK(cima_qmp_add_fd(r.q, -1, fd, "a disk without a name", &set, &e_));
    close(fd);
    snprintf(path, sizeof(path), "/dev/fdset/%d", set);
    block.path = path;
    RUN(r, cima_cmd_blockdev_add(cima_blockdev(&block)));
    RUN(r, cima_cmd_blockdev_del("disk0"));
    RUN(r, cima_cmd_remove_fd(set, -1));
    real_qemu_end(&r);
}

Test(qmp_real, Q_15_chardev_and_port)
{
    struct cima_char_device port = {.driver = CIMA_CHAR_VIRTSERIALPORT,
                                    .place = {.id = "p0", .bus = "ser0.0"},
                                    .name = "org.example.0",
                                    .chardev = {.id = "c0", .backend = CIMA_CHAR_RINGBUF}};
    struct cima_opts *o = cima_opts_new("backend", "null");
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    struct real_qemu r;

    real_qemu_start(&r, plain, NULL, NULL, false);
    cima_opts_str(o, "id", "c1");
    RUN(r, cima_cmd_chardev_add(o));
    RUN(r, cima_cmd_chardev_remove("c1"));
    OK(cima_add_char_device(c, &port, &e_));
    OK(cima_qmp_plug(r.q, c, &e_));
    cr_assert(has_device(&r, "p0"));
    OK(cima_qmp_unplug(r.q, c, 0, &e_));
    cr_assert_not(has_device(&r, "p0"));
    real_qemu_end(&r);
}

Test(qmp_real, Q_15_processors)
{
    struct cima_hotpluggable_cpus slots = {.json = NULL};
    struct cima_cpus_fast cpus = {.json = NULL};
    _cleanup_err_ struct err full = ERR_INIT;
    struct real_qemu r;
    size_t taken = 0;

    real_qemu_start(&r, plain, NULL, NULL, false);
    OK(cima_query_hotpluggable_cpus(r.q, &slots, &e_));
    cr_assert_eq(slots.n, 4);
    for (size_t i = 0; i < slots.n; i++) {
        taken += slots.v[i].qom_path != NULL;
        cr_assert_str_eq(slots.v[i].type, "qemu64-x86_64-cpu");
        cr_assert_geq(slots.v[i].place.core + slots.v[i].place.socket, 0);
    }
    cr_assert_eq(taken, 1);
    cima_hotpluggable_cpus_release(&slots);
    for (int i = 1; i < 4; i++) {
        char id[16];

        snprintf(id, sizeof(id), "cpu%d", i);
        OK(cima_qmp_plug_cpu(r.q, id, &e_));
        cr_assert(has_device(&r, id));
    }
    OK(cima_query_cpus_fast(r.q, &cpus, &e_));
    cr_assert_eq(cpus.n, 4);
    for (size_t i = 0; i < cpus.n; i++) {
        cr_assert_gt(cpus.v[i].thread_id, 0);
        cr_assert_str_eq(cpus.v[i].target, "x86_64");
    }
    cima_cpus_fast_release(&cpus);
    cr_assert_eq(cima_qmp_plug_cpu(r.q, "cpu4", &full), -1);
    cr_assert_eq(full.kind, ERR_NOT_FOUND);
    real_qemu_end(&r);
}

Test(qmp_real, Q_15_memory_modules)
{
    struct cima_dimm dimm = {.id = "dimm0", .memory = {.id = "mem0", .size = 128 << 20}};
    struct cima_dimm nvdimm = {
        .kind = CIMA_DIMM_NVDIMM,
        .id = "nv0",
        .memory = {.kind = CIMA_MEMORY_FILE, .id = "nvmem0", .size = 32 << 20, .share = true}};
    struct cima_dimm odd = {.id = "dimm1", .memory = {.id = "mem1", .size = (128 << 20) + 4096}};
    static const char *const words[] = {"-M", "q35,accel=tcg,nvdimm=on", "-m",
                                        "128M,slots=4,maxmem=1G", NULL};
    struct cima_memory_devices all = {.json = NULL};
    _cleanup_err_ struct err err = ERR_INIT;
    struct real_qemu r;

    real_qemu_start(&r, words, NULL, NULL, false);
    OK(cima_qmp_plug_dimm(r.q, &dimm, &e_));
    nvdimm.memory.path = real_qemu_path(&r, "nvdimm.img");
    make_file(nvdimm.memory.path, 32 << 20);
    OK(cima_qmp_plug_dimm(r.q, &nvdimm, &e_));
    OK(cima_query_memory_devices(r.q, &all, &e_));
    cr_assert_eq(all.n, 2);
    cr_assert_str_eq(all.v[0].type, "dimm");
    cr_assert_str_eq(all.v[0].id, "dimm0");
    cr_assert_str_eq(all.v[0].memdev, "/objects/mem0");
    cr_assert_eq(all.v[0].size, 128 << 20);
    cr_assert(all.v[0].hotplugged);
    cr_assert_str_eq(all.v[1].type, "nvdimm");
    cima_memory_devices_release(&all);
    /* Refused: the object goes again, and its id is free. */
    cr_assert_eq(cima_qmp_plug_dimm(r.q, &odd, &err), -1);
    cr_assert_null(err.detail, "%s", err.detail);
    cr_assert_not(has_object(&r, "mem1"));
    odd.memory.size = 128 << 20;
    OK(cima_qmp_plug_dimm(r.q, &odd, &e_));
    cr_assert(has_object(&r, "mem1"));
    real_qemu_end(&r);
}

Test(qmp_real, Q_15_balloon_and_objects)
{
    static const char *const words[] = {Q35, "-device", "virtio-balloon-pci,id=b0", NULL};
    struct cima_balloon_size size = {.json = NULL};
    _cleanup_json_ struct json *value = NULL;
    _cleanup_err_ struct err none = ERR_INIT, unknown = ERR_INIT;
    struct real_qemu r;

    real_qemu_start(&r, words, NULL, NULL, false);
    OK(cima_query_balloon(r.q, &size, &e_));
    cr_assert_eq(size.actual, 128 << 20);
    cima_balloon_size_release(&size);
    RUN(r, cima_cmd_balloon(64 << 20));
    RUN(r, cima_cmd_object_add(cima_memory_memfd("m0", 1 << 20)));
    RUN(r, cima_cmd_qom_set("/machine/peripheral/b0", "guest-stats-polling-interval",
                            json_int_new(7)));
    OK(cima_qmp_run(r.q, cima_cmd_qom_get("/machine/peripheral/b0", "guest-stats-polling-interval"),
                    &value, &e_));
    cr_assert_eq(json_int(value, 0), 7);
    cr_assert(has_object(&r, "m0"));
    RUN(r, cima_cmd_object_del("m0"));
    cr_assert_not(has_object(&r, "m0"));
    cr_assert_eq(cima_qmp_run(r.q, cima_cmd_device_del("nothing"), NULL, &none), -1);
    cr_assert_eq(none.kind, ERR_NOT_FOUND);
    cr_assert_eq(cima_qmp_execute(r.q, "no-such-command", NULL, 0, NULL, &unknown), -1);
    cr_assert_eq(unknown.kind, ERR_UNSUPPORTED);
    real_qemu_end(&r);
}

/* the machine's states, with the events that belong to them. */
Test(qmp_real, Q_08_Q_10_states_and_events)
{
    struct cima_status s = {.json = NULL};
    struct cima_qmp_watch *w;
    struct cima_qmp_event e;
    struct real_qemu r;

    real_qemu_start(&r, plain, NULL, NULL, false);
    OK(cima_query_status(r.q, &s, &e_));
    cr_assert_str_eq(s.state, "prelaunch");
    cr_assert_not(s.running);
    cima_status_release(&s);
    w = cima_qmp_watch_new(r.q, "STOP", NULL, NULL);
    RUN(r, cima_cmd_cont());
    RUN(r, cima_cmd_stop());
    OK(cima_qmp_watch_wait(w, CIMA_CMD_MS, &e, &e_));
    cr_assert_str_eq(e.name, "STOP");
    cr_assert_gt(e.seconds, 1700000000);
    cr_assert(e.microseconds >= 0 && e.microseconds < 1000000);
    cima_qmp_watch_free(w);
    OK(cima_query_status(r.q, &s, &e_));
    cr_assert_str_eq(s.state, "paused");
    cima_status_release(&s);
    RUN(r, cima_cmd_system_reset());
    RUN(r, cima_cmd_cont());
    RUN(r, cima_cmd_system_powerdown()); /* ends by POWERDOWN, whatever the guest does */
    real_qemu_end(&r);
}

Test(qmp_real, Q_12_out_of_band)
{
    struct cima_qmp_call oob = {.command = "query-yank", .out_of_band = true};
    struct cima_qmp_call no = {.command = "query-status", .out_of_band = true};
    _cleanup_err_ struct err refused = ERR_INIT, without = ERR_INIT;
    _cleanup_json_ struct json *list = NULL;
    struct real_qemu r, plain_one;

    real_qemu_start(&r, plain, NULL, NULL, true);
    cr_assert(cima_qmp_has_oob(r.q));
    OK(cima_qmp_run(r.q, oob, &list, &e_));
    cr_assert(json_is_array(list));
    cr_assert_eq(cima_qmp_run(r.q, no, NULL, &refused), -1);
    cr_assert(strstr(refused.msg, "OOB"), "%s", refused.msg);
    real_qemu_end(&r);
    real_qemu_start(&plain_one, plain, NULL, NULL, false);
    cr_assert_eq(cima_qmp_run(plain_one.q, oob, NULL, &without), -1);
    cr_assert_eq(without.kind, ERR_UNSUPPORTED);
    real_qemu_end(&plain_one);
}

Test(qmp_real, Q_15_migration)
{
    struct cima_migration m = {.json = NULL};
    _cleanup_free_ char *uri = NULL;
    bool over = false;
    struct real_qemu from, to;
    static const char *const incoming[] = {Q35, "-incoming", "defer", NULL};
    static const char *const words[] = {Q35, NULL};

    real_qemu_start(&from, words, NULL, NULL, false);
    real_qemu_start(&to, incoming, NULL, NULL, false);
    OK(cima_query_migrate(from.q, &m, &e_));
    cr_assert_null(m.status);
    cima_migration_release(&m);
    uri = xasprintf("unix:%s", real_qemu_path(&from, "migrate"));
    RUN(to, cima_cmd_migrate_incoming(uri));
    RUN(from, cima_cmd_migrate_set_capabilities((const char *const[]){"events", NULL}, true));
    struct cima_qmp_watch *w = cima_qmp_watch_new(from.q, "MIGRATION", NULL, NULL);

    RUN(from, cima_cmd_migrate(uri));
    while (!over) {
        struct cima_qmp_event e;

        OK(cima_qmp_watch_wait(w, CIMA_CMD_MS, &e, &e_));
        over = streq0(json_get_str(e.data, "status"), "completed");
        cr_assert_not(streq0(json_get_str(e.data, "status"), "failed"));
    }
    cima_qmp_watch_free(w);
    OK(cima_query_migrate(from.q, &m, &e_));
    cr_assert_str_eq(m.status, "completed");
    cr_assert_gt(m.transferred, 0);
    cr_assert_geq(m.total_ms, 0);
    cima_migration_release(&m);
    real_qemu_end(&from);
    real_qemu_end(&to);
}

/* SD-73: a job with its end, and its error. */
Test(qmp_real, Q_15_snapshot_jobs)
{
    struct cima_snapshot s = {"job0", "first", "disk0", (const char *const[]){"disk0", NULL}};
    struct cima_block block = {.node = "disk0", .format = "qcow2"};
    _cleanup_err_ struct err unknown = ERR_INIT;
    struct cima_jobs left = {.json = NULL};
    struct real_qemu r;
    struct json *args, *options;

    real_qemu_start(&r, plain, NULL, NULL, false);
    block.path = real_qemu_path(&r, "disk.qcow2");
    make_file(block.path, 0);
    /* An image, made by QEMU itself: blockdev-create, a job of another kind. */
    RUN(r, cima_cmd_blockdev_add(cima_blockdev(
               &(struct cima_block){.node = "file0", .format = "raw", .path = block.path})));
    options = json_object_new();
    json_set_str(options, "driver", "qcow2");
    json_set_str(options, "file", "file0");
    json_set_int(options, "size", 1 << 20);
    args = json_object_new();
    json_set_str(args, "job-id", "create0");
    json_set(args, "options", options);
    OK(cima_qmp_run_job(r.q, (struct cima_qmp_call){.command = "blockdev-create", .args = args},
                        "create0", 2 * CIMA_CMD_MS, &e_));
    RUN(r, cima_cmd_blockdev_del("file0"));
    RUN(r, cima_cmd_blockdev_add(cima_blockdev(&block)));
    OK(cima_qmp_run_job(r.q, cima_cmd_snapshot_save(&s), "job0", 4 * CIMA_CMD_MS, &e_));
    OK(cima_qmp_run_job(r.q, cima_cmd_snapshot_load(&s), "job0", 4 * CIMA_CMD_MS, &e_));
    OK(cima_qmp_run_job(r.q, cima_cmd_snapshot_delete(&s), "job0", 4 * CIMA_CMD_MS, &e_));
    cr_assert_eq(
        cima_qmp_run_job(r.q, cima_cmd_snapshot_load(&s), "job0", 4 * CIMA_CMD_MS, &unknown), -1);
    cr_assert(strstr(unknown.msg, "QMP job 'job0' failed: "), "%s", unknown.msg);
    cr_assert(strstr(unknown.msg, "first"), "%s", unknown.msg);
    OK(cima_query_jobs(r.q, &left, &e_));
    cr_assert_eq(left.n, 0, "all are dismissed");
    cima_jobs_release(&left);
    real_qemu_end(&r);
}

/* Waits in vain can be ended. */
Test(qmp_real, Q_02_Q_06_canceled_by_caller)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct cima_qmp_watch *w;
    struct real_qemu r;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    real_qemu_start(&r, plain, NULL, NULL, false);
    w = cima_qmp_watch_new(r.q, "POWERDOWN", NULL, NULL);
    cima_qmp_set_cancel_fd(r.q, fd);
    cr_assert_eq(cima_qmp_watch_wait(w, -1, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_INTERRUPTED);
    cr_assert_str_eq(err.msg, "canceled by caller");
    cima_qmp_set_cancel_fd(r.q, -1);
    cima_qmp_watch_free(w);
    real_qemu_end(&r);
    close(fd);
}

Test(qmp_real, Q_15_screen_keys_passwords)
{
    static const char *const words[] = {Q35,    "-device",          "VGA,id=vga0",
                                        "-vnc", "none,password=on", NULL};
    struct cima_vnc vnc = {.json = NULL};
    struct real_qemu r;
    _cleanup_free_ char *hmp = NULL, *bad = NULL, *protocol = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    char head[8] = "";
    int fd;

    real_qemu_start(&r, words, NULL, NULL, false);
    RUN(r, cima_cmd_change_vnc_password("geheim"));
    RUN(r, cima_cmd_set_password("vnc", "geheim2", NULL));
    RUN(r, cima_cmd_expire_password("vnc", "never"));
    OK(cima_query_vnc(r.q, &vnc, &e_));
    cr_assert_eq(vnc.clients, 0);
    cima_vnc_release(&vnc);
    RUN(r, cima_cmd_send_key((const char *const[]){"ctrl", "alt", "delete", NULL}, 0));
    RUN(r, cima_cmd_screendump(real_qemu_path(&r, "s.png"), "png", "vga0", 0));
    fd = open(real_qemu_path(&r, "s.png"), O_RDONLY | O_CLOEXEC);
    cr_assert_eq(read(fd, head, 4), 4);
    close(fd);
    cr_assert_eq(memcmp(head, "\x89PNG", 4), 0);
    protocol = xasprintf("file:%s", real_qemu_path(&r, "core"));
    RUN(r, cima_cmd_dump_guest_memory(&(struct cima_guest_dump){.protocol = protocol}));
    fd = open(real_qemu_path(&r, "core"), O_RDONLY | O_CLOEXEC);
    cr_assert_eq(read(fd, head, 4), 4);
    close(fd);
    cr_assert_eq(memcmp(head,
                        "\x7f"
                        "ELF",
                        4),
                 0);
    hmp = cima_qmp_execute_hmp(r.q, "info status", CIMA_CMD_MS, &err);
    cr_assert(hmp && strstr(hmp, "VM status: paused"), "%s", hmp);
    OK(cima_hmp_check(hmp, &e_));
    bad = cima_qmp_execute_hmp(r.q, "nonsense", CIMA_CMD_MS, &err);
    cr_assert_eq(cima_hmp_check(bad, &err), -1);
    cr_assert(strstr(err.msg, "unknown command: 'nonsense'"), "%s", err.msg);
    real_qemu_end(&r);
}
