/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: what is asked of QEMU's monitor, what its answers mean; and in files, by qemu-img. */
#include "driver/monitor_script.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/tools.h"
#include "sys/spawn.h"
#include "tmpdir.h"
#include <fcntl.h>

static struct instance inst = {.name = (char *)"vm", .dir = (char *)"/nowhere"};
static const struct driver_ctx ctx = {.inst = &inst};

#define DISK(node, ro, drv, snapshots)                                                             \
    "{\"inserted\":{\"node-name\":\"" node "\",\"ro\":" ro ",\"drv\":\"" drv                       \
    "\",\"file\":\"/d/" node "\",\"image\":{\"snapshots\":[" snapshots "]}}}"
#define SNAP(tag, id, size)                                                                        \
    "{\"name\":\"" tag "\",\"id\":\"" id "\",\"vm-state-size\":" size                              \
    ",\"date-sec\":17" id ",\"vm-clock-sec\":3,\"vm-clock-nsec\":500000000}"
/* As QEMU lists them: the flash chip first, a CD without a disk, the seed read-only. */
#define TWO_DISKS                                                                                  \
    "[{\"device\":\"cd\"}," DISK("pflash1", "false", "qcow2", "") ","                              \
    DISK("boot-disk", "false", "qcow2", "") "," DISK("cidata", "true", "raw", "") "]"
#define WITH_SNAPSHOTS                                                                             \
    "[" DISK("pflash1", "false", "qcow2", SNAP("a", "1", "0") "," SNAP("both", "2", "0")) ","      \
    DISK("boot-disk", "false", "qcow2", SNAP("both", "2", "5000") "," SNAP("cold", "3", "0")) "]"
#define WITH_BOTH                                                                                  \
    "[" DISK("pflash1", "false", "qcow2", SNAP("s", "1", "0")) ","                                 \
    DISK("boot-disk", "false", "qcow2", SNAP("s", "1", "5000")) "]"
#define WITH_COLD                                                                                  \
    "[" DISK("boot-disk", "false", "qcow2", SNAP("s", "1", "0")) "]"
#define JOBS    "[{\"name\":\"stop\"},{\"name\":\"snapshot-save\"}]"
#define NO_JOBS "[{\"name\":\"stop\"},{\"name\":\"savevm\"}]"

static void expect_asked(const struct script *s, const char *text)
{
    cr_assert_not_null(strstr(sbuf_str(&s->asked), text), "'%s' is not in\n%s", text,
                       sbuf_str(&s->asked));
}

static void expect_not_asked(const struct script *s, const char *text)
{
    cr_assert_null(strstr(sbuf_str(&s->asked), text), "%s", sbuf_str(&s->asked));
}

static void expect_error(const struct err *err, enum err_kind kind, const char *text)
{
    _cleanup_free_ char *message = err_message(err);

    cr_assert_eq(err->kind, kind, "%s", message);
    cr_assert_not_null(strstr(message, text), "'%s' is not in '%s'", text, message);
}

/* The scripts don't know the id of the job; the answer to query-jobs has to have it. */
static char *job_id(const struct script *s)
{
    const char *at = strstr(sbuf_str(&s->asked), "\"job-id\":\"");

    cr_assert_not_null(at, "%s", sbuf_str(&s->asked));
    at += strlen("\"job-id\":\"");
    return xstrndup(at, strcspn(at, "\""));
}

struct job_monitor {
    struct script script;
    const char *states[4]; /* of the job, one after the other; the last one stays */
    unsigned asked;
    struct driver_monitor monitor;
};

static int execute_jobs(void *arg, const char *command, struct json *args, int timeout_ms,
                        struct json **ret, struct err *err)
{
    struct job_monitor *j = arg;

    if (!streq(command, "query-jobs"))
        return j->script.monitor.execute(&j->script, command, args, timeout_ms, ret, err);
    _cleanup_free_ char *id = job_id(&j->script);
    const char *state = j->states[j->asked];
    if (j->states[j->asked + 1])
        j->asked++;
    _cleanup_free_ char *text =
        xasprintf("[{\"id\":\"somebody's\",\"status\":\"concluded\"},"
                  "{\"id\":\"cima-snapshot-0-0\",\"status\":\"concluded\"},"
                  "{\"id\":\"%s\",%s}]", id, state);
    sbuf_addstr(&j->script.asked, "query-jobs -\n");
    *ret = json_parse(text, strlen(text), "jobs", NULL);
    return *ret ? 0 : -1;
}

static void job_monitor_init(struct job_monitor *j, const struct script_line *lines)
{
    script_init(&j->script, lines);
    j->monitor = (struct driver_monitor){.execute = execute_jobs, .arg = j};
}

/* ---- jobs ------------------------------------------------------------------------------------ */

Test(snapshot, SD_70_save_is_a_job_that_is_waited_for_and_dismissed)
{
    static const struct script_line lines[] = {{"query-block", TWO_DISKS},
                                               {"query-migrate", "{}"},
                                               {"query-commands", JOBS},
                                               {"snapshot-save", "{}"},
                                               {"job-dismiss", "{}"},
                                               {NULL, NULL}};
    struct job_monitor j = {.states = {"\"status\":\"created\"", "\"status\":\"running\"",
                                       "\"status\":\"concluded\"", NULL}};
    _cleanup_err_ struct err err = ERR_INIT;

    job_monitor_init(&j, lines);
    cr_assert_eq(qemu_snapshot_create(&ctx, &j.monitor, "s", &err), 0, "%s", err.msg);
    expect_asked(&j.script, "\"tag\":\"s\",\"vmstate\":\"boot-disk\","
                            "\"devices\":[\"pflash1\",\"boot-disk\"]}");
    _cleanup_free_ char *id = job_id(&j.script), *gone = xasprintf("job-dismiss {\"id\":\"%s\"}", id);
    expect_asked(&j.script, gone);
    expect_asked(&j.script, "job-dismiss {\"id\":\"cima-snapshot-0-0\"}"); /* of one that was killed */
    expect_not_asked(&j.script, "somebody's");
    script_release(&j.script);
}

Test(snapshot, SD_74_the_error_of_a_job_is_ours)
{
    static const struct script_line lines[] = {{"query-block", TWO_DISKS},
                                               {"query-migrate", "{}"},
                                               {"query-commands", JOBS},
                                               {"snapshot-save", "{}"},
                                               {"job-dismiss", "{}"},
                                               {NULL, NULL}};
    struct job_monitor j = {
        .states = {"\"status\":\"concluded\",\"error\":\"No space left on device\"", NULL}};
    _cleanup_err_ struct err err = ERR_INIT;

    job_monitor_init(&j, lines);
    cr_assert_eq(qemu_snapshot_create(&ctx, &j.monitor, "s", &err), -1);
    expect_error(&err, ERR_QEMU, "QEMU says: No space left on device");
    expect_asked(&j.script, "job-dismiss");
    script_release(&j.script);
}

Test(snapshot, SD_71_load_names_the_disk_with_the_memory)
{
    static const struct script_line lines[] = {
        {"query-block", WITH_BOTH},       {"query-migrate", "{}"}, {"query-commands", JOBS},
        {"query-status", "{\"running\":true}"}, {"snapshot-load", "{}"}, {"job-dismiss", "{}"},
        {NULL, NULL}};
    struct job_monitor j = {.states = {"\"status\":\"concluded\"", NULL}};
    _cleanup_err_ struct err err = ERR_INIT;

    job_monitor_init(&j, lines);
    cr_assert_eq(qemu_snapshot_apply(&ctx, &j.monitor, "s", &err), 0, "%s", err.msg);
    expect_asked(&j.script, "\"vmstate\":\"boot-disk\"");
    script_release(&j.script);
}

Test(snapshot, SD_71_a_load_that_fails_tells_that_the_machine_stands_still)
{
    static const struct script_line lines[] = {{"query-block", WITH_BOTH},
                                               {"query-migrate", "{}"},
                                               {"query-commands", JOBS},
                                               {"query-status", "{\"running\":true}"},
                                               {"query-status", "{\"running\":false}"},
                                               {"snapshot-load", "{}"},
                                               {"job-dismiss", "{}"},
                                               {NULL, NULL}};
    struct job_monitor j = {.states = {"\"status\":\"concluded\",\"error\":\"Error -22 while "
                                       "loading VM state\"", NULL}};
    _cleanup_err_ struct err err = ERR_INIT;

    job_monitor_init(&j, lines);
    cr_assert_eq(qemu_snapshot_apply(&ctx, &j.monitor, "s", &err), -1);
    expect_error(&err, ERR_QEMU, "Error -22 while loading VM state");
    cr_assert_not_null(strstr(err.hint, "`cima stop -f vm`"), "%s", err.hint);
    script_release(&j.script);
}

Test(snapshot, SD_72_delete_from_the_disks_that_have_it)
{
    static const struct script_line lines[] = {{"query-block", WITH_SNAPSHOTS},
                                               {"query-commands", JOBS},
                                               {"snapshot-delete", "{}"},
                                               {"job-dismiss", "{}"},
                                               {NULL, NULL}};
    struct job_monitor j = {.states = {"\"status\":\"concluded\"", NULL}};
    _cleanup_err_ struct err err = ERR_INIT;

    job_monitor_init(&j, lines);
    cr_assert_eq(qemu_snapshot_delete(&ctx, &j.monitor, "cold", &err), 0, "%s", err.msg);
    expect_asked(&j.script, "\"tag\":\"cold\",\"devices\":[\"boot-disk\"]}");
    cr_assert_eq(qemu_snapshot_delete(&ctx, &j.monitor, "none", &err), -1);
    expect_error(&err, ERR_NOT_FOUND, "no disk has a snapshot 'none'");
    script_release(&j.script);
}

/* ---- without jobs ---------------------------------------------------------------------------- */

Test(snapshot, SD_70_SD_71_SD_72_the_human_monitor_of_an_old_QEMU)
{
    static const struct script_line lines[] = {
        {"query-block", WITH_BOTH},   {"query-migrate", "{}"},
        {"query-commands", NO_JOBS},  {"query-status", "{\"running\":true}"},
        {"human-monitor-command", "\"\""}, {NULL, NULL}};
    _cleanup_script_ struct script s;
    _cleanup_err_ struct err err = ERR_INIT;

    script_init(&s, lines);
    cr_assert_eq(qemu_snapshot_create(&ctx, &s.monitor, "a \"b\" \\", &err), 0, "%s", err.msg);
    expect_asked(&s, "\"command-line\":\"savevm \\\"a \\\\\\\"b\\\\\\\" \\\\\\\\\\\"\"}");
    cr_assert_eq(qemu_snapshot_apply(&ctx, &s.monitor, "s", &err), 0, "%s", err.msg);
    expect_asked(&s, "{\"command-line\":\"loadvm \\\"s\\\"\"}");
    cr_assert_eq(qemu_snapshot_delete(&ctx, &s.monitor, "s", &err), 0, "%s", err.msg);
    expect_asked(&s, "{\"command-line\":\"delvm \\\"s\\\"\"}");
}

Test(snapshot, SD_74_text_of_the_human_monitor_is_an_error)
{
    static const struct script_line lines[] = {
        {"query-block", TWO_DISKS},
        {"query-migrate", "{}"},
        {"query-commands", NO_JOBS},
        {"human-monitor-command", "\"Error: Device 'x' is writable\\r\\n\""},
        {"human-monitor-command", "\"Could not open VM state file\""},
        {NULL, NULL}};
    _cleanup_script_ struct script s;
    _cleanup_err_ struct err first = ERR_INIT, second = ERR_INIT;

    script_init(&s, lines);
    cr_assert_eq(qemu_snapshot_create(&ctx, &s.monitor, "s", &first), -1);
    expect_error(&first, ERR_QEMU, "QEMU says: Device 'x' is writable");
    cr_assert_null(strchr(first.msg, '\r'));
    cr_assert_eq(qemu_snapshot_create(&ctx, &s.monitor, "s", &second), -1);
    expect_error(&second, ERR_QEMU, "QEMU says: Could not open VM state file");
}

Test(snapshot, SD_74_complaints_of_the_human_monitor)
{
    static const struct script_line lines[] = {
        {"human-monitor-command", "\"VM status: running\\r\\n\""},
        {"human-monitor-command", "\"unknown command: 'x'\\n\""},
        {"human-monitor-command", "\"info: extra characters at the end of line\\nTry \\\"help "
                                  "info\\\" for more information\\n\""},
        {"human-monitor-command", "!gone"},
        {NULL, NULL}};
    _cleanup_script_ struct script s;

    script_init(&s, lines);
    _cleanup_free_ char *text = qemu_hmp(&s.monitor, "info status", NULL);
    cr_assert_str_eq(text, "VM status: running\n");
    for (int i = 0; i < 3; i++) {
        _cleanup_err_ struct err err = ERR_INIT;

        cr_assert_null(qemu_hmp(&s.monitor, "x", &err));
        cr_assert_eq(err.kind, ERR_QEMU);
    }
}

/* The numbers are out of an image, which somebody may have made up. */
Test(snapshot, SD_71_clock_that_no_clock_shows)
{
    static const struct script_line lines[] = {
        {"query-block",
         "[" DISK("boot-disk", "false", "qcow2",
                  "{\"name\":\"s\",\"id\":\"1\",\"vm-state-size\":1,\"date-sec\":1,"
                  "\"vm-clock-sec\":18446744073,\"vm-clock-nsec\":709551615}") "]"},
        {NULL, NULL}};
    struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;
    _cleanup_script_ struct script s;

    script_init(&s, lines);
    cr_assert_eq(qemu_snapshot_list(&ctx, &s.monitor, &all, NULL), 0);
    cr_assert_eq(all.n, 1);
    cr_assert_eq(all.v[0].vm_clock, 0, "%lld", (long long)all.v[0].vm_clock);
    driver_snapshots_release(&all);
}

/* What reads an image that others have made has little to spend (F35). */
Test(snapshot, F35_qemu_img_is_limited)
{
    static const char script[] = "#!/bin/sh\necho \"{\\\"memory\\\": $(ulimit -v), "
                                 "\\\"core\\\": $(ulimit -c)}\"\n";
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *program = path_join(dir, "qemu-img");
    _cleanup_free_ char *path = xasprintf("%s:%s", dir, getenv("PATH"));
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(file_write_atomic(program, script, strlen(script), 0755, NULL), 0);
    setenv("PATH", path, 1);
    _cleanup_json_ struct json *info = snapshot_image_info("/d/disk", &err);
    cr_assert(info, "%s", err.msg);
    cr_assert_eq(json_get_int(info, "memory", 0), 2 << 20, "KiB");
    cr_assert_eq(json_get_int(info, "core", -1), 0);
}

/* ---- what can't be --------------------------------------------------------------------------- */

Test(snapshot, SD_70_a_raw_disk_is_named)
{
    static const struct script_line lines[] = {
        {"query-block", "[" DISK("boot-disk", "false", "qcow2", "") ","
                        DISK("data-disk-0", "false", "raw", "") "]"},
        {NULL, NULL}};
    _cleanup_script_ struct script s;
    _cleanup_err_ struct err err = ERR_INIT;

    script_init(&s, lines);
    cr_assert_eq(qemu_snapshot_create(&ctx, &s.monitor, "s", &err), -1);
    expect_error(&err, ERR_UNSUPPORTED,
                 "instance `vm` can't have snapshots: its disk '/d/data-disk-0' has the format raw");
}

Test(snapshot, SD_70_9p_mounts_are_named)
{
    static const struct script_line lines[] = {
        {"query-block", TWO_DISKS},
        {"query-migrate",
         "{\"blocked-reasons\":[\"Migration is disabled when VirtFS export path '/home/it's' is "
         "mounted in the guest using mount_tag 'mount0'\",\"Migration is disabled when VirtFS "
         "export path '/tmp' is mounted in the guest using mount_tag 'mount1'\"]}"},
        {NULL, NULL}};
    _cleanup_script_ struct script s;
    _cleanup_err_ struct err err = ERR_INIT;

    script_init(&s, lines);
    cr_assert_eq(qemu_snapshot_create(&ctx, &s.monitor, "s", &err), -1);
    expect_error(&err, ERR_STATE, "while its 9p mounts are in use: '/home/it's', '/tmp'");
    cr_assert_not_null(strstr(err.hint, "reverse-sshfs"), "%s", err.hint);
    expect_not_asked(&s, "snapshot-save");
}

Test(snapshot, SD_71_what_blocks_a_load_is_known_before_the_disks_go_back)
{
    static const struct script_line lines[] = {
        {"query-block", WITH_BOTH},
        {"query-migrate", "{\"blocked-reasons\":[\"non-migratable device: vhost-user-fs\"]}"},
        {NULL, NULL}};
    _cleanup_script_ struct script s;
    _cleanup_err_ struct err err = ERR_INIT;

    script_init(&s, lines);
    cr_assert_eq(qemu_snapshot_apply(&ctx, &s.monitor, "s", &err), -1);
    expect_error(&err, ERR_STATE, "non-migratable device: vhost-user-fs");
    expect_not_asked(&s, "snapshot-load");
}

Test(snapshot, SD_71_no_memory_no_load_and_every_disk_must_have_it)
{
    static const struct script_line cold[] = {{"query-block", WITH_COLD}, {NULL, NULL}};
    static const struct script_line partial[] = {{"query-block", WITH_SNAPSHOTS}, {NULL, NULL}};
    _cleanup_script_ struct script a, b;
    _cleanup_err_ struct err first = ERR_INIT, second = ERR_INIT;

    script_init(&a, cold);
    cr_assert_eq(qemu_snapshot_apply(&ctx, &a.monitor, "s", &first), -1);
    expect_error(&first, ERR_STATE, "was taken while the instance was stopped");
    script_init(&b, partial);
    cr_assert_eq(qemu_snapshot_apply(&ctx, &b.monitor, "a", &second), -1);
    expect_error(&second, ERR_STATE, "the disk '/d/boot-disk' does not have it");
}

Test(snapshot, SD_73_list_of_a_running_machine)
{
    static const struct script_line lines[] = {{"query-block", WITH_SNAPSHOTS}, {NULL, NULL}};
    _cleanup_driver_snapshots_ struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;
    _cleanup_script_ struct script s;

    script_init(&s, lines);
    cr_assert_eq(qemu_snapshot_list(&ctx, &s.monitor, &all, NULL), 0);
    cr_assert_eq(all.n, 3);
    cr_assert_str_eq(all.v[0].tag, "a");
    cr_assert_eq(all.v[0].missing.n, 1);
    cr_assert_str_eq(all.v[0].missing.v[0], "/d/boot-disk");
    cr_assert_str_eq(all.v[1].tag, "both");
    cr_assert_eq(all.v[1].missing.n, 0);
    cr_assert_eq(all.v[1].vm_size, 5000);
    cr_assert_eq(all.v[1].vm_clock, 3500000000);
    cr_assert_eq(all.v[1].date, 172);
    cr_assert_str_eq(all.v[2].tag, "cold");
    cr_assert_str_eq(all.v[2].missing.v[0], "/d/pflash1");
}

/* ---- consoles -------------------------------------------------------------------------------- */

Test(console, taken_or_free)
{
    static const struct script_line lines[] = {
        {"query-chardev",
         "[{\"label\":\"char-serial\",\"filename\":\"disconnected:unix:/s,server=on\"},"
         "{\"label\":\"char-serial-virtio\",\"filename\":\"unix:/v,server=on\"}]"},
        {NULL, NULL}};
    static const struct script_line silent[] = {{"query-chardev", "!no"}, {NULL, NULL}};
    _cleanup_script_ struct script a, b;

    script_init(&a, lines);
    cr_assert_not(qemu_tools.console_taken(&a.monitor, INST_SERIAL_SOCK));
    cr_assert(qemu_tools.console_taken(&a.monitor, INST_SERIALV_SOCK));
    cr_assert_not(qemu_tools.console_taken(&a.monitor, INST_SERIALP_SOCK));
    script_init(&b, silent);
    cr_assert_not(qemu_tools.console_taken(&b.monitor, INST_SERIAL_SOCK));
}

/* ---- files ----------------------------------------------------------------------------------- */

struct files {
    char *dir;
    struct instance inst;
    struct config_instance cfg;
    struct driver_ctx ctx;
};

static void qemu_img(const char *const *argv)
{
    struct spawn s = SPAWN_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(run_checked(&s, 60000, &err), 0, "%s %s", err.msg, err.detail);
}

static void make(const struct files *f, enum inst_file file, const char *format)
{
    _cleanup_free_ char *path = instance_path(&f->inst, file);
    const char *const argv[] = {"qemu-img", "create", "-q", "-f", format, path, "1M", NULL};

    qemu_img(argv);
}

static void facts(const struct files *f, const char *format)
{
    _cleanup_json_ struct json *all = json_object_new();
    struct json *mine = json_object_new();

    json_set_str(mine, "diskFormat", format);
    json_set(all, "qemu", mine);
    cr_assert_eq(instance_facts_write(&f->inst, all, NULL), 0);
}

/* The comma is for the option that names the file. */
static void set_up_files(struct files *f)
{
    char *dir = tmpdir_new();

    f->dir = dir;
    f->inst = (struct instance){.name = (char *)"vm", .dir = xasprintf("%s/a,b", dir)};
    cr_assert_eq(dir_make(f->inst.dir, 0700, NULL), 0);
    f->cfg = (struct config_instance){0};
    f->ctx = (struct driver_ctx){.inst = &f->inst, .cfg = &f->cfg};
    make(f, INST_DISK, "qcow2");
    make(f, INST_EFI_VARS, "qcow2");
    facts(f, "qcow2");
}

static void tear_down_files(struct files *f)
{
    free(f->inst.dir);
    tmpdir_remove(&f->dir);
}

static void write_at(const struct files *f, enum inst_file file, const char *pattern)
{
    _cleanup_free_ char *path = instance_path(&f->inst, file);
    _cleanup_free_ char *line = xasprintf("write -P %s 0 4096", pattern);
    const char *const argv[] = {"qemu-io", "-f", "qcow2", "-c", line, path, NULL};

    qemu_img(argv);
}

/* qemu-io exits with 1 when the pattern is another one. */
static bool has_at(const struct files *f, enum inst_file file, const char *pattern)
{
    _cleanup_free_ char *path = instance_path(&f->inst, file);
    _cleanup_free_ char *line = xasprintf("read -P %s 0 4096", pattern);
    const char *const argv[] = {"qemu-io", "-f", "qcow2", "-c", line, path, NULL};
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH;
    return run_checked(&s, 60000, NULL) == 0;
}

Test(snapshot_files, SD_70_SD_71_SD_72_SD_73_all_writable_disks)
{
    struct files f;
    struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up_files(&f);
    write_at(&f, INST_DISK, "1");
    write_at(&f, INST_EFI_VARS, "2");
    cr_assert_eq(qemu_snapshot_create(&f.ctx, NULL, "first one", &err), 0, "%s\n%s", err.msg,
                 err.detail);
    write_at(&f, INST_DISK, "3");
    write_at(&f, INST_EFI_VARS, "4");
    cr_assert_eq(qemu_snapshot_create(&f.ctx, NULL, "second", &err), 0, "%s", err.msg);
    cr_assert_eq(qemu_snapshot_list(&f.ctx, NULL, &all, &err), 0, "%s", err.msg);
    cr_assert_eq(all.n, 2);
    cr_assert_eq(all.v[0].vm_size, 0);
    driver_snapshots_release(&all);
    cr_assert(has_at(&f, INST_DISK, "3") && !has_at(&f, INST_DISK, "1"));
    cr_assert_eq(qemu_snapshot_apply(&f.ctx, NULL, "first one", &err), 0, "%s", err.msg);
    cr_assert(has_at(&f, INST_DISK, "1") && has_at(&f, INST_EFI_VARS, "2"));
    cr_assert_eq(qemu_snapshot_delete(&f.ctx, NULL, "first one", &err), 0, "%s", err.msg);
    cr_assert_eq(qemu_snapshot_list(&f.ctx, NULL, &all, &err), 0);
    cr_assert_eq(all.n, 1);
    cr_assert_str_eq(all.v[0].tag, "second");
    driver_snapshots_release(&all);
    tear_down_files(&f);
}

/*
 * What a QEMU that has the image open says to others: "nobody else writes" is a shared lock of
 * byte 201 (RAW_LOCK_SHARED_BASE + BLK_PERM_WRITE's bit, QEMU 7.2 block/file-posix.c). The test
 * takes it itself: a process that opens the image can be kept from it by whoever looks whether it
 * is there yet.
 */
static int hold_from_writers(const char *path)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 201, .l_len = 1};
    int fd = open(path, O_RDWR | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

Test(snapshot_files, SD_70_all_or_nothing)
{
    struct files f;
    struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up_files(&f);
    _cleanup_free_ char *vars = instance_path(&f.inst, INST_EFI_VARS);
    /* The second one can be looked at, and not be written. */
    int held = hold_from_writers(vars);
    cr_assert_eq(qemu_snapshot_create(&f.ctx, NULL, "s", &err), -1);
    expect_error(&err, ERR_IO, vars);
    cr_assert_eq(qemu_snapshot_list(&f.ctx, NULL, &all, NULL), 0);
    cr_assert_eq(all.n, 0, "the first disk kept it");
    close(held);
    tear_down_files(&f);
}

Test(snapshot_files, SD_70_S02_a_raw_disk_is_not_looked_into)
{
    struct files f;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up_files(&f);
    facts(&f, "raw"); /* its content looks like a qcow2: the guest may write what it likes */
    cr_assert_eq(qemu_snapshot_create(&f.ctx, NULL, "s", &err), -1);
    expect_error(&err, ERR_UNSUPPORTED, "has the format raw");
    tear_down_files(&f);
}
