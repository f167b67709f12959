/* SPDX-License-Identifier: Apache-2.0 */
/* A QEMU that misbehaves: as a program (F14), on its monitor (F18), at its end (F19, F20). */
#include "driver_fixture.h"
#include <time.h>

#define BIOS "firmware: {legacyBIOS: true}"

/* ---- F14: a program that is not the right one ------------------------------------------------ */

static char *plan_error(struct fixture *f)
{
    struct err err = ERR_INIT;

    if (f->driver->plan(&f->ctx, &f->plan, &f->notes, &err) == 0)
        return NULL;
    char *text = err_text(&err);

    err_clear(&err);
    return text;
}

static void expect_error(struct fixture *f, const char *wanted)
{
    _cleanup_free_ char *text = plan_error(f);

    cr_assert_not_null(text, "no error");
    cr_assert(strstr(text, wanted), "%s", text);
}

static char *use_file(struct fixture *f, const void *content, size_t len, mode_t mode)
{
    char *path = path_join(f->dir, "qemu");

    cr_assert_eq(file_write_atomic(path, content, len, mode, NULL), 0);
    setenv("QEMU_SYSTEM_X86_64", path, 1);
    return path;
}

Test(driver_faults, F14_missing)
{
    struct fixture f;

    set_up(&f, BIOS, NULL);
    setenv("QEMU_SYSTEM_X86_64", "/nonexistent/qemu", 1);
    expect_error(&f, "the QEMU binary '/nonexistent/qemu' was not found");
    tear_down(&f);
}

Test(driver_faults, F14_not_executable)
{
    struct fixture f;

    set_up(&f, BIOS, NULL);
    free(use_file(&f, "#!/bin/sh\n", 10, 0644));
    expect_error(&f, "qemu' can't be executed: Permission denied");
    tear_down(&f);
}

/* The head of a program for another architecture, and a text. */
Test(driver_faults, F14_wrong_architecture)
{
    static const unsigned char aarch64[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0,
                                              0,    0,   0,   0,   0, 2, 0, 0xb7};
    struct fixture f;

    set_up(&f, BIOS, NULL);
    free(use_file(&f, aarch64, sizeof(aarch64), 0755));
    expect_error(&f, "exec format error");
    expect_error(&f, "no program for this machine");
    tear_down(&f);
    set_up(&f, BIOS, NULL);
    free(use_file(&f, "just a text\n", 12, 0755));
    expect_error(&f, "exec format error");
    tear_down(&f);
}

static void with_version(const char *yaml, const char *version, const char *error, const char *note)
{
    _cleanup_sbuf_ struct sbuf notes = SBUF_INIT;
    struct fixture f;

    set_up(&f, yaml, "run");
    _cleanup_free_ char *disk = instance_path(&f.inst, INST_DISK);
    write_file(f.inst.dir, "disk", "raw", 0600);
    cr_assert_eq(truncate(disk, 64 << 20), 0);
    write_file(f.dir, "qemu-stub.version", version, 0600);
    _cleanup_free_ char *text = plan_error(&f);
    for (size_t i = 0; i < f.notes.n; i++)
        sbuf_addf(&notes, "%s\n", f.notes.v[i].msg);
    if (error)
        cr_assert(text && strstr(text, error), "%s: %s", version, text ? text : "no error");
    else
        cr_assert_null(text, "%s: %s", version, text);
    if (note)
        cr_assert(strstr(sbuf_str(&notes), note), "%s: %s", version, sbuf_str(&notes));
    else
        cr_assert_not(strstr(sbuf_str(&notes), "too old"), "%s: %s", version, sbuf_str(&notes));
    tear_down(&f);
}

/* Numbers are compared as numbers, whatever a distribution adds. */
Test(driver_faults, F14_versions)
{
    static const char ten[] = "{\"qemu\": {\"major\": 10, \"minor\": 1, \"micro\": 2}, "
                              "\"package\": \"v10.1.2\"}";
    static const char debian[] = "{\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 0}, "
                                 "\"package\": \"Debian 1:7.2+dfsg-7+deb12u16\"}";

    with_version(BIOS "\nvmOpts: {qemu: {minimumVersion: 9.2.0}}", ten, NULL, NULL);
    with_version(BIOS "\nvmOpts: {qemu: {minimumVersion: 7.2.0}}", debian, NULL, NULL);
    with_version(BIOS "\nvmOpts: {qemu: {minimumVersion: 10.1.0}}", debian,
                 "QEMU 7.2.0 is too old, template requires '10.1.0' or later", NULL);
    with_version(BIOS,
                 "{\"qemu\": {\"major\": 5, \"minor\": 2, \"micro\": 0}, \"package\": \"\"}", NULL,
                 "QEMU 5.2.0 is too old, 6.2.0 or later is recommended");
}

Test(driver_faults, F14_garbage_for_a_version)
{
    static const char *const garbage[] = {
        "{\"qemu\": \"10.1.2\"}", "{\"qemu\": {\"major\": \"7\"}}", "[]", "\"7.2.0 (Debian)\"",
        "{\"qemu\": {\"major\": -1, \"minor\": 1e99, \"micro\": null}}", "null"};

    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
        with_version(BIOS, garbage[i], NULL, "could not be found out");
}

/* ---- F18: the monitor ------------------------------------------------------------------------ */

/* Ends with an error that holds the text, at a limit of so many milliseconds for the greeting and
 * for each answer. False: no greeting has come within it. */
static bool ends_badly(const char *mode, const char *text, int limit)
{
    struct qemu_vm_limits limits = short_limits;
    struct fixture f;

    set_up(&f, BIOS, mode);
    start(&f);
    limits.greeting = limit;
    qemu_vm_set_limits(f.vm, &limits);
    loop_run(f.loop);
    cr_assert_eq(f.running, 0, "%s", mode);
    cr_assert_eq(f.exited, 1, "%s", mode);
    cr_assert(err_is_set(&f.end), "%s", mode);
    bool greeted = strstr(text, "no greeting") || !strstr(f.end.msg, "no greeting");
    if (greeted)
        cr_assert(strstr(f.end.msg, text), "%s: %s", mode, f.end.msg);
    cr_assert(WIFSIGNALED(f.status), "%s: the machine is not left behind", mode);
    cr_assert_not(has(&f, INST_QMP_SOCK));
    tear_down(&f);
    return greeted;
}

/* On a busy machine the greeting itself may come too late for the limit: then with a longer one. */
static void bad_monitor(const char *mode, const char *text)
{
    int limit = 300;

    while (!ends_badly(mode, text, limit)) {
        cr_assert_lt(limit, LONG_MS, "%s: it never greets", mode);
        limit *= 4;
    }
}

Test(driver_faults, F18_connection_never_taken)
{
    bad_monitor("noaccept", "no greeting");
}

Test(driver_faults, F18_half_a_line)
{
    bad_monitor("half", "was not answered in time");
}

Test(driver_faults, F18_ten_megabytes_in_a_line)
{
    bad_monitor("long", "was not answered in time");
}

Test(driver_faults, F18_closed_in_the_middle_of_a_command)
{
    bad_monitor("hangup", "QEMU closed the monitor");
}

/* ---- F19: gone before it is asked ------------------------------------------------------------ */

static void gone_before(const char *mode, int signo)
{
    struct fixture f;

    set_up(&f, BIOS, mode);
    start(&f);
    f.quit_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.running, 1);
    cr_assert_eq(kill(f.driver->pid(f.vm), signo), 0);
    /* It is dead, and the loop does not know yet. */
    siginfo_t info;
    cr_assert_eq(waitid(P_PID, (id_t)f.driver->pid(f.vm), &info, WEXITED | WNOWAIT), 0);
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(err_is_set(&f.end), "a stop that finds nothing to stop: %s", f.end.msg);
    cr_assert_not(has(&f, INST_QEMU_PID));
    tear_down(&f);
}

Test(driver_faults, F19_killed_before_the_button)
{
    gone_before("run", SIGKILL);
}

/* At the limit `quit` is sent to one that has just ended. */
Test(driver_faults, F19_gone_when_quit_is_sent)
{
    struct qemu_vm_limits limits = short_limits;
    struct fixture f;

    set_up(&f, BIOS, "stubborn");
    start(&f);
    limits.greeting = LONG_MS;
    qemu_vm_set_limits(f.vm, &limits);
    f.quit_when_running = true;
    loop_run(f.loop);
    f.driver->shutdown(f.vm);
    cr_assert_eq(kill(f.driver->pid(f.vm), SIGKILL), 0);
    siginfo_t info;
    cr_assert_eq(waitid(P_PID, (id_t)f.driver->pid(f.vm), &info, WEXITED | WNOWAIT), 0);
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL); /* past the limit */
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(err_is_set(&f.end), "%s", f.end.msg);
    tear_down(&f);
}

/* ---- F20: a guest that does not follow ------------------------------------------------------- */

static void follows_nothing(const char *mode)
{
    struct qemu_vm_limits limits = short_limits;
    struct fixture f;

    set_up(&f, BIOS, mode);
    start(&f);
    limits.greeting = LONG_MS;
    qemu_vm_set_limits(f.vm, &limits);
    f.quit_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.running, 1, "%s", f.end.msg);
    if (streq(mode, "deaf-term"))
        cr_assert_eq(kill(f.driver->pid(f.vm), SIGTERM), 0); /* nothing happens */
    f.quit_when_running = false;
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_eq(f.end.kind, ERR_GUEST);
    cr_assert_str_eq(f.end.msg,
                     "the guest did not power itself off, the machine was ended by force");
    cr_assert(strstr(f.end.hint, "what it did not write to its disk is lost"));
    cr_assert_eq(WIFSIGNALED(f.status) ? WTERMSIG(f.status) : 0, SIGKILL);
    tear_down(&f);
}

Test(driver_faults, F20_ignores_the_button_and_quit)
{
    follows_nothing("deaf");
}

Test(driver_faults, F20_ignores_sigterm_too)
{
    follows_nothing("deaf-term");
}

/* ---- the lock that is held from birth on ----------------------------------------------------- */

Test(driver_faults, F01_a_machine_that_is_being_born_is_in_the_way)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct fixture f;
    struct vm *second = NULL;
    int64_t until = deadline_in(LONG_MS);

    set_up(&f, BIOS, "slowpid");
    start(&f);
    cr_assert_not(has(&f, INST_QEMU_PID), "it has a lock on its pid file only later");
    cr_assert_not(instance_settle(&f.inst, 0));
    write_file(f.dir, "qemu-stub.go", "", 0600);
    /* A start waits some seconds for it to be born; on a busy machine that may take longer. */
    do {
        err_clear(&err);
        cr_assert_eq(f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &second, &err), -1);
    } while (err.kind == ERR_BUSY && deadline_left(until));
    cr_assert_eq(err.kind, ERR_STATE, "%s", err.msg);
    cr_assert(strstr(err.msg, "is running already"), "%s", err.msg);
    cr_assert(instance_settle(&f.inst, LONG_MS));
    _cleanup_free_ char *pid_file = instance_path(&f.inst, INST_QEMU_PID);
    cr_assert_eq(lock_posix_holder(pid_file), f.driver->pid(f.vm));
    f.shutdown_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    tear_down(&f);
}

Test(driver_faults, F03_something_that_a_machine_has_left_behind)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct fixture f;
    struct vm *vm = NULL;

    set_up(&f, BIOS, "run");
    make_disk(&f, "x");
    _cleanup_free_ char *path = instance_path(&f.inst, INST_QEMU_LOCK);
    _cleanup_close_ int lock = lock_take(path, 0, &err);
    cr_assert_geq(lock, 0, "%s", err.msg);
    cr_assert_eq(f.driver->plan(&f.ctx, &f.plan, &f.notes, &err), 0, "%s", err.msg);
    cr_assert_eq(f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &vm, &err), -1);
    cr_assert_eq(err.kind, ERR_BUSY, "%s", err.msg);
    cr_assert(strstr(err.msg, "has left behind still holds '"), "%s", err.msg);
    cr_assert(strstr(err.hint, "fuser -v"), "%s", err.hint);
    tear_down(&f);
}
