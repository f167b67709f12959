/* SPDX-License-Identifier: Apache-2.0 */
/* How a machine comes to its end: every way, what the log says, and what is left. */
#include "driver_fixture.h"
#include "driver/log_capture.h"
#include "driver/qemu/start.h"
#include "driver/qemu/vm_internal.h"
#include "driver/qemu/vnc.h"
#include "driver/qemu/windows.h"
#include "fake/usernet_server.h"
#include "sys/sock.h"

#define BIOS "firmware: {legacyBIOS: true}\n"

/* Milliseconds; the greeting has time on any machine. */
static const struct qemu_vm_limits limits = {.greeting = LONG_MS,
                                             .powerdown_first = 100,
                                             .powerdown_again = 100,
                                             .powerdown = 400,
                                             .quit = 200};

static void begin(struct fixture *f, const char *yaml, const char *mode)
{
    set_up(f, yaml, mode);
    capture_log(f->dir);
}

static void run_up(struct fixture *f)
{
    f->quit_when_running = true;
    loop_run(f->loop);
    cr_assert_eq(f->running, 1, "%s\n%s", f->end.msg, f->end.detail);
    f->quit_when_running = false;
}

static void in_dir(const struct fixture *f, const char *name, const char *text)
{
    write_file(f->inst.dir, name, text, 0600);
}

static void nothing_left(const struct fixture *f)
{
    static const enum inst_file files[] = {INST_QEMU_PID,    INST_QMP_SOCK,     INST_SERIAL_SOCK,
                                           INST_VNC_DISPLAY, INST_VNC_PASSWORD, INST_SWTPM_SOCK};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        cr_assert_not(has(f, files[i]), "%s", inst_file_name(files[i]));
}

/* ---- in order -------------------------------------------------------------------------------- */

Test(stop, S1_42_S1_47_S1_51_S1_53_power_button)
{
    struct fixture f;

    begin(&f, BIOS, "run");
    start(&f);
    run_up(&f);
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(err_is_set(&f.end), "%s", f.end.msg);
    expect_log(f.dir, "Starting QEMU (hint: to watch the boot progress, see "); /* S1-39 */
    expect_log(f.dir, "serial*.log");
    expect_log(f.dir, "QEMU: ");
    expect_log(f.dir, "Shutting down QEMU with the power button");
    expect_log(f.dir, "Sending QMP system_powerdown command");
    expect_log(f.dir, "QEMU has exited");
    expect_no_log(f.dir, "forcibly");
    nothing_left(&f);
    tear_down(&f);
}

/* S1-40, S1-52, S1-54: the end is told once; asking for it again does nothing. */
Test(stop, S1_40_S1_52_told_once)
{
    struct fixture f;

    begin(&f, BIOS, "guest");
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    f.driver->shutdown(f.vm);
    f.driver->kill(f.vm);
    cr_assert_eq(f.exited, 1);
    expect_log(f.dir, "QEMU wait channel was closed: QEMU has already exited");
    expect_no_log(f.dir, "Sending QMP");
    tear_down(&f);
}

/* The loop has not told us yet that it is gone. */
Test(stop, S1_54_reaped_already)
{
    struct fixture f;

    begin(&f, BIOS, "run");
    start(&f);
    run_up(&f);
    kill(f.driver->pid(f.vm), SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)f.driver->pid(f.vm), &info, WEXITED | WNOWAIT);
    f.driver->kill(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    expect_log(f.dir, "QEMU has already exited");
    expect_no_log(f.dir, "after killing forcibly");
    tear_down(&f);
}

/* ---- by force -------------------------------------------------------------------------------- */

Test(stop, S1_55_F20_limit)
{
    struct qemu_vm_limits l = limits;
    struct fixture f;

    begin(&f, BIOS, "deaf");
    start(&f);
    l.powerdown = 180000;
    qemu_vm_set_limits(f.vm, &l);
    run_up(&f);
    l.powerdown = 300;
    qemu_vm_set_limits(f.vm, &l);
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    expect_log(f.dir, "QEMU did not exit in 0m0s, forcibly killing QEMU");
    expect_log(f.dir, "QEMU has exited, after killing forcibly"); /* S1-56 */
    cr_assert(strstr(f.end.msg, "ended by force"), "%s", f.end.msg);
    nothing_left(&f); /* S1-57 */
    tear_down(&f);
}

Test(stop, S1_56_S1_57_killed)
{
    struct fixture f;

    begin(&f, BIOS, "run");
    start(&f);
    run_up(&f);
    in_dir(&f, "vncdisplay", "127.0.0.1:0");
    in_dir(&f, "vncpassword", "x");
    f.driver->kill(f.vm);
    loop_run(f.loop);
    expect_log(f.dir, "QEMU has exited, after killing forcibly");
    nothing_left(&f);
    tear_down(&f);
}

/* The monitor is lost while the machine runs, and there is nobody to open it again. */
static void lose_monitor(struct fixture *f)
{
    _cleanup_free_ char *sock = instance_path(&f->inst, INST_QMP_SOCK);

    start(f);
    qemu_vm_set_limits(f->vm, &limits);
    run_up(f);
    cr_assert_eq(unlink(sock), 0);
}

static void on_time(void *arg)
{
    loop_quit(arg);
}

static void run_for(struct fixture *f, int ms)
{
    struct loop_source *timer = loop_add_timer(f->loop, ms, on_time, f->loop);

    loop_run(f->loop);
    loop_source_free(timer);
}

static void wait_until_lost(struct fixture *f)
{
    for (int i = 0; i < LONG_MS / 50 && !vm_monitor_lost(f->vm); i++)
        run_for(f, 50);
    cr_assert(vm_monitor_lost(f->vm));
}

Test(stop, S1_49_no_socket)
{
    struct fixture f;

    begin(&f, BIOS, "drop");
    lose_monitor(&f);
    wait_until_lost(&f);
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    expect_log(f.dir, "failed to open the QMP socket '");
    expect_log(f.dir, "forcibly killing QEMU");
    nothing_left(&f);
    tear_down(&f);
}

/* The power button has all the time it needs; the monitor has its own. */
static void lose_connection(struct fixture *f)
{
    struct qemu_vm_limits l = limits;

    l.powerdown = 180000;
    start(f);
    qemu_vm_set_limits(f->vm, &l);
    run_up(f);
    wait_until_lost(f);
}

/* Nobody waits for the answer: the loop goes on meanwhile. */
Test(stop, S1_50_no_greeting)
{
    struct fixture f;

    begin(&f, BIOS, "drop");
    lose_connection(&f);
    f.driver->shutdown(f.vm);
    expect_no_log(f.dir, "QMP socket");
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    expect_log(f.dir, "failed to connect to the QMP socket '");
    expect_log(f.dir, "QEMU has exited, after killing forcibly");
    tear_down(&f);
}

/* Others are connected already, as many as the queue of the socket takes. */
Test(stop, S1_49_no_room)
{
    struct fixture f;
    int waiting[64];
    size_t n = 0;

    begin(&f, BIOS, "drop");
    lose_connection(&f);
    _cleanup_free_ char *sock = instance_path(&f.inst, INST_QMP_SOCK);
    for (; n < ARRAY_SIZE(waiting); n++) {
        waiting[n] = unix_connect(sock, 0, NULL);
        if (waiting[n] < 0)
            break;
    }
    cr_assert(n > 0 && n < ARRAY_SIZE(waiting));
    f.driver->shutdown(f.vm);
    expect_no_log(f.dir, "QMP socket");
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    expect_log(f.dir, "failed to open the QMP socket '");
    while (n > 0)
        close(waiting[--n]);
    tear_down(&f);
}

/* The connection was lost, and the next one is served. */
Test(stop, S1_47_S1_51_over_a_second_connection)
{
    struct fixture f;

    begin(&f, BIOS, "lapse");
    lose_connection(&f);
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(err_is_set(&f.end), "%s", f.end.msg);
    expect_log(f.dir, "Sending QMP system_powerdown command");
    expect_no_log(f.dir, "forcibly");
    nothing_left(&f);
    tear_down(&f);
}

/* It closes the connection while it starts, and the next one as well: nothing may be left in the
 * loop that speaks of the machine later (seen by the sanitizers). */
Test(stop, S1_49_closed_twice_at_the_start)
{
    struct fixture f;

    begin(&f, BIOS, "fickle");
    start(&f);
    for (int i = 0; i < LONG_MS / 50 && !f.exited && !vm_monitor_lost(f.vm); i++)
        run_for(&f, 50);
    cr_assert_eq(f.running, 0);
    f.driver->shutdown(f.vm);
    if (!f.exited) /* it is given up two seconds later */
        loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    f.driver->vm_free(f.vm);
    f.vm = NULL;
    run_for(&f, 2500);
    tear_down(&f);
}

/* The command can't be sent: the connection ends under it. */
Test(stop, S1_51_F18_button_not_sent)
{
    struct fixture f;

    begin(&f, BIOS, "nobutton");
    start(&f);
    qemu_vm_set_limits(f.vm, &limits);
    run_up(&f);
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    expect_log(f.dir, "failed to send system_powerdown command via the QMP socket '");
    nothing_left(&f);
    tear_down(&f);
}

/* ---- S1-28, S1-H2: helpers, on every way ----------------------------------------------------- */

static void fake_swtpm(struct fixture *f, const char *mode)
{
    _cleanup_free_ char *stub =
        xasprintf("%s/helper-stub", getenv("builddir") ? getenv("builddir") : ".");
    _cleanup_free_ char *real = realpath(stub, NULL);
    _cleanup_free_ char *script = xasprintf("#!/bin/sh\nexec %s %s \"$@\"\n", real, mode);
    _cleanup_free_ char *path = xasprintf("%s:%s", f->dir, getenv("PATH"));

    cr_assert(real, "helper-stub is not built");
    write_file(f->dir, "swtpm", script, 0700);
    setenv("PATH", path, 1);
}

static bool swtpm_lives(const struct fixture *f)
{
    _cleanup_free_ char *lock = path_join(f->inst.dir, "swtpm.lock");

    return lock_probe(lock, NULL) > 0;
}

Test(stop, S1_H2_ends_with_the_machine)
{
    struct fixture f;

    begin(&f, BIOS "tpm: true", "run");
    fake_swtpm(&f, "run");
    start(&f);
    run_up(&f);
    cr_assert(swtpm_lives(&f));
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_not(swtpm_lives(&f));
    nothing_left(&f);
    tear_down(&f);
}

Test(stop, S1_28_S1_H2_ends_when_the_machine_cant_be_started)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;

    begin(&f, BIOS "tpm: true\nnetworks: [{socket: /nonexistent/gone.sock}]", "run");
    fake_swtpm(&f, "run");
    make_disk(&f, "x");
    cr_assert_eq(f.driver->plan(&f.ctx, &f.plan, &f.notes, &err), 0, "%s", err.msg);
    cr_assert_eq(f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &f.vm, &err), -1);
    expect_log(f.dir, "Try waiting for ");
    cr_assert_not(swtpm_lives(&f));
    tear_down(&f);
}

Test(stop, S1_H2_ends_when_the_machine_is_refused)
{
    struct fixture f;

    begin(&f, BIOS "tpm: true", "reject");
    fake_swtpm(&f, "run");
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(swtpm_lives(&f));
    tear_down(&f);
}

Test(stop, S1_H2_ends_after_a_crash)
{
    struct fixture f;

    begin(&f, BIOS "tpm: true", "run");
    fake_swtpm(&f, "fork");
    start(&f);
    run_up(&f);
    kill(f.driver->pid(f.vm), SIGKILL);
    loop_run(f.loop);
    cr_assert_not(swtpm_lives(&f));
    tear_down(&f);
}

/* Agent killed, machine taken over, and then stopped. */
Test(stop, S1_H2_F01_ends_when_it_was_taken_over)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;

    begin(&f, BIOS "tpm: true", "run");
    fake_swtpm(&f, "run");
    start(&f);
    run_up(&f);
    pid_t pid = f.driver->pid(f.vm);
    f.driver->vm_free(f.vm);
    f.vm = NULL;
    cr_assert(swtpm_lives(&f));
    if (f.driver->adopt(&f.ctx, f.loop, &callbacks, &f, &f.vm, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    f.shutdown_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(swtpm_lives(&f));
    waitpid(pid, NULL, 0);
    tear_down(&f);
}

/* Agent and machine killed: `stop -f` and the next start sweep. */
Test(stop, S1_H2_F03_swept)
{
    struct fixture f;

    begin(&f, BIOS "tpm: true", "run");
    fake_swtpm(&f, "run");
    start(&f);
    run_up(&f);
    in_dir(&f, "vncpassword", "x");
    driver_sweep(&f.inst);
    cr_assert(swtpm_lives(&f), "not while the machine lives");
    cr_assert(has(&f, INST_VNC_PASSWORD));
    pid_t pid = f.driver->pid(f.vm);
    f.driver->vm_free(f.vm);
    f.vm = NULL;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    driver_sweep(&f.inst);
    cr_assert_not(swtpm_lives(&f));
    cr_assert_not(has(&f, INST_VNC_PASSWORD));
    tear_down(&f);
}

Test(stop, S1_38_F42_helper_lost_is_told)
{
    struct fixture f;
    _cleanup_free_ char *lock = NULL, *text = NULL;

    begin(&f, BIOS "tpm: true", "run");
    fake_swtpm(&f, "run");
    start(&f);
    run_up(&f);
    lock = path_join(f.inst.dir, "swtpm.lock");
    text = file_read(lock, 256, NULL, NULL);
    kill(atoi(text), SIGKILL);
    f.quit_when_degraded = true;
    loop_run(f.loop);
    cr_assert_eq(f.degraded, 1);
    cr_assert(strstr(f.trouble.msg, "swtpm was killed by signal 9"), "%s", f.trouble.msg);
    cr_assert(strstr(f.trouble.msg, "TPM does not work"), "%s", f.trouble.msg);
    cr_assert_eq(f.exited, 0, "the machine goes on");
    tear_down(&f);
}

/* ---- S1-31, S1-32: the process --------------------------------------------------------------- */

Test(stop, S1_31_group_of_its_own)
{
    struct fixture f;

    begin(&f, BIOS, "run");
    start(&f);
    cr_assert_eq(getpgid(f.driver->pid(f.vm)), f.driver->pid(f.vm));
    cr_assert_neq(getsid(f.driver->pid(f.vm)), getsid(0));
    tear_down(&f);
}

Test(stop, S1_32_words_of_the_machine)
{
    struct fixture f;

    begin(&f, BIOS, "die");
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    expect_log(f.dir, "qemu[stderr]: qemu-stub: something dreadful");
    tear_down(&f);
}

/* ---- S1-41, S1-48: on a user-v2 network ------------------------------------------------------ */

struct usernet {
    struct usernet_server *api;
    char *log;
    int qemu; /* where QEMU connects */
};

static void usernet_up(struct fixture *f, struct usernet *u, const struct usernet_orders *orders)
{
    _cleanup_free_ char *dir = xasprintf("%s/_networks/user-v2", f->dir);
    _cleanup_free_ char *ep = path_join(dir, "user-v2_ep.sock");
    _cleanup_free_ char *qemu = path_join(dir, "user-v2_qemu.sock");
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(dir_make(dir, 0700, &err), 0, "%s", err.msg);
    u->log = path_join(f->dir, "requests");
    u->api = usernet_server_new(ep, u->log, orders);
    u->qemu = unix_listen(qemu, 1, &err);
    cr_assert_geq(u->qemu, 0, "%s", err.msg);
}

static void usernet_down(struct usernet *u)
{
    usernet_server_free(u->api);
    close(u->qemu);
    free(u->log);
}

static bool requested(const struct usernet *u, const char *what)
{
    _cleanup_free_ char *text = file_read(u->log, 1 << 20, NULL, NULL);

    return text && strstr(text, what);
}

static void await_request(struct fixture *f, const struct usernet *u, const char *what)
{
    int64_t until = deadline_in(LONG_MS);

    while (!requested(u, what) && deadline_left(until) && !f->exited)
        run_for(f, 50);
    /* The last one is not waited for by us: the server may get to it later. */
    while (!requested(u, what) && deadline_left(until) && f->exited)
        usleep(10000);
    cr_assert(requested(u, what), "%s\n%s", what, f->end.msg);
}

Test(stop, S1_41_S1_48_user_v2)
{
    struct usernet_orders orders = {0};
    struct usernet u;
    struct fixture f;

    begin(&f, BIOS "networks: [{lima: user-v2}]\nssh: {localPort: 40022}", "run");
    _cleanup_free_ char *mac = config_mac_address(&f.host, f.inst.dir);
    _cleanup_free_ char *leases = xasprintf("{\"192.168.104.5\": \"%s\"}", mac);
    orders.leases = leases;
    usernet_up(&f, &u, &orders);
    start(&f);
    run_up(&f);
    await_request(&f, &u, "/services/dns/add");
    cr_assert(requested(&u, "\"local\":\"127.0.0.1:40022\",\"remote\":\"192.168.104.5:22\""));
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(err_is_set(&f.end), "%s", f.end.msg);
    await_request(&f, &u, "/services/forwarder/unexpose");
    usernet_down(&u);
    tear_down(&f);
}

/* Without an address nobody can reach the guest: the machine is ended, and says why. */
Test(stop, S1_41_error_ends_the_machine)
{
    struct usernet_orders orders = {.refuse = "/services/dhcp/leases"};
    struct usernet u;
    struct fixture f;

    begin(&f, BIOS "networks: [{lima: user-v2}]\nssh: {localPort: 40022}", "run");
    usernet_up(&f, &u, &orders);
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert(strstr(f.end.msg, "status 500"), "%s", f.end.msg);
    nothing_left(&f);
    usernet_down(&u);
    tear_down(&f);
}

Test(stop, S1_41_no_daemon)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;

    begin(&f, BIOS "networks: [{lima: user-v2}]\nssh: {localPort: 40022}", "run");
    make_disk(&f, "x");
    cr_assert_eq(f.driver->plan(&f.ctx, &f.plan, &f.notes, &err), 0, "%s", err.msg);
    cr_assert_eq(f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &f.vm, &err), -1);
    _cleanup_free_ char *text = err_text(&err);
    cr_assert(strstr(text, "network 'user-v2': its daemon does not answer"), "%s", text);
    cr_assert(strstr(text, "user network without it"), "%s", text);
    tear_down(&f);
}

/* ---- what a driver has nothing to do for ----------------------------------------------------- */

/* S1-26: no registration, no scripts, no status of its own: the lock of the pid file tells it, and
 * a machine that was never started leaves nothing to sweep. */
Test(stop, S1_26_status_by_the_lock)
{
    struct instance_state st = {0};
    struct fixture f;

    begin(&f, BIOS, "run");
    make_disk(&f, "x");
    driver_sweep(&f.inst);
    write_file(f.inst.dir, "lima.yaml", "{}", 0600);
    instance_state_read(&f.inst, &st);
    cr_assert_eq(st.status, INST_STOPPED);
    instance_state_release(&st);
    start(&f);
    run_up(&f);
    instance_state_read(&f.inst, &st);
    cr_assert_eq(st.driver_pid, f.driver->pid(f.vm));
    instance_state_release(&st);
    f.driver->kill(f.vm);
    loop_run(f.loop);
    instance_state_read(&f.inst, &st);
    cr_assert_eq(st.driver_pid, 0);
    instance_state_release(&st);
    tear_down(&f);
}

/* S1-59: where the guest's agent is reached from the host, by whatever way its socket comes there.
 */
Test(stop, S1_59_place_of_the_agents_socket)
{
    struct fixture f;

    begin(&f, BIOS, "run");
    _cleanup_free_ char *path = instance_path(&f.inst, INST_GA_SOCK);
    _cleanup_free_ char *wanted = path_join(f.inst.dir, "ga.sock");
    cr_assert_str_eq(path, wanted);
    tear_down(&f);
}

/* ---- SD-16: data disks ----------------------------------------------------------------------- */

Test(stop, SD_16_locked_while_it_runs)
{
    struct fixture f;

    begin(&f, BIOS "additionalDisks: [data]", "run");
    _cleanup_free_ char *dir = xasprintf("%s/_disks/data", f.dir);
    _cleanup_free_ char *disk = path_join(dir, "datadisk"), *lock = path_join(dir, "in_use_by");
    char owner[256] = "";
    cr_assert_eq(dir_make(dir, 0700, NULL), 0);
    write_file(dir, "datadisk", "raw", 0600);
    cr_assert_eq(truncate(disk, 1 << 20), 0);
    start(&f);
    run_up(&f);
    cr_assert_gt(readlink(lock, owner, sizeof(owner) - 1), 0);
    cr_assert_str_eq(owner, f.inst.dir);
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_lt(readlink(lock, owner, sizeof(owner) - 1), 0, "still locked");
    tear_down(&f);
}

/* ---- S1-43 to S1-45: VNC --------------------------------------------------------------------- */

Test(vnc, S1_44_display)
{
    static const struct {
        const char *answer, *display, *service;
    } cases[] = {
        {"{\"enabled\": true, \"host\": \"127.0.0.1\", \"service\": \"5901\", \"family\": "
         "\"ipv4\"}",
         "127.0.0.1:1", "5901"},
        {"{\"enabled\": true, \"host\": \"::1\", \"service\": \"5900\", \"family\": \"ipv6\"}",
         "[::1]:0", "5900"},
        {"{\"enabled\": true, \"service\": \"/tmp/v.sock\", \"host\": \"\", \"family\": \"unix\"}",
         "unix:/tmp/v.sock", NULL},
        {"{\"enabled\": false}", NULL, NULL},
        {"{\"enabled\": true, \"host\": \"127.0.0.1\", \"service\": \"80\"}", NULL, NULL},
        {"{\"enabled\": true, \"host\": \"127.0.0.1\", \"service\": \"x\"}", NULL, NULL},
        {"[]", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ struct json *j =
            json_parse(cases[i].answer, strlen(cases[i].answer), "", NULL);
        _cleanup_free_ char *display = NULL, *service = NULL;
        _cleanup_err_ struct err err = ERR_INIT;
        int r = vnc_display_of(j, &display, &service, &err);

        cr_assert_eq(r, cases[i].display ? 0 : -1, "%s", cases[i].answer);
        cr_assert(streq0(display, cases[i].display) || (!display && !cases[i].display));
        cr_assert(streq0(service, cases[i].service) || (!service && !cases[i].service));
    }
}

Test(vnc, S1_45_files)
{
    struct fixture f;
    _cleanup_free_ char *one = NULL, *two = NULL, *path = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    struct stat st;

    begin(&f, BIOS, "run");
    vnc_remove_files(&f.inst); /* absent ones are fine */
    cr_assert_eq(vnc_make_password(&f.inst, &err), 0, "%s", err.msg);
    one = vnc_read_password(&f.inst, &err);
    cr_assert_eq(vnc_make_password(&f.inst, &err), 0, "%s", err.msg);
    two = vnc_read_password(&f.inst, &err);
    cr_assert_eq(strlen(one), 8);
    cr_assert_str_neq(one, two);
    path = instance_path(&f.inst, INST_VNC_PASSWORD);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(vnc_write_display(&f.inst, "127.0.0.1:3", &err), 0);
    cr_assert(has(&f, INST_VNC_DISPLAY));
    vnc_remove_files(&f.inst);
    cr_assert_not(has(&f, INST_VNC_DISPLAY));
    cr_assert_not(has(&f, INST_VNC_PASSWORD));
    tear_down(&f);
}

/* ---- S1-H3: Windows -------------------------------------------------------------------------- */

Test(windows, S1_H3_enter_once)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;

    begin(&f, "os: Windows", "run");
    cr_assert_not(windows_wants_key(&f.inst, &f.config.v), "no CD");
    in_dir(&f, "iso", "x");
    cr_assert(windows_wants_key(&f.inst, &f.config.v));
    cr_assert_eq(windows_mark_installation(&f.inst, &err), 0);
    cr_assert_not(windows_wants_key(&f.inst, &f.config.v));
    _cleanup_json_ struct json *args = windows_enter_key();
    _cleanup_free_ char *text = json_dump(args);
    cr_assert_str_eq(text, "{\"keys\":[{\"type\":\"qcode\",\"data\":\"ret\"}]}");
    tear_down(&f);
}

Test(windows, S1_H3_not_for_others)
{
    struct fixture f;

    begin(&f, "os: Linux", "run");
    in_dir(&f, "iso", "x");
    cr_assert_not(windows_wants_key(&f.inst, &f.config.v));
    tear_down(&f);
}
