/* SPDX-License-Identifier: Apache-2.0 */
/* The whole agent, from agent_spawn() to its last event, with a machine that is a small process. */
#include "home.h"
#include "base/fs.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/stat.h>

static struct home h;

static void setup(void)
{
    home_setup(&h);
}

static void teardown(void)
{
    home_teardown(&h);
}

TestSuite(agent, .init = setup, .fini = teardown, .timeout = 600);

static bool private_socket(enum inst_file file)
{
    _cleanup_free_ char *path = instance_path(&h.inst, file);
    struct stat st;

    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600;
}

Test(agent, HA_12_start_and_HA_13_stop)
{
    _cleanup_event_ struct event up = EVENT_INIT, last = EVENT_INIT;
    uint16_t port = 0;

    home_start(&h, &up);
    cr_assert(up.running && !up.degraded && !up.exiting, "%s", up.errors.n ? up.errors.v[0] : "");
    cr_assert_gt(up.ssh_local_port, 0);
    cr_assert_eq(up.stage, STAGE_RUNNING);
    _cleanup_free_ char *pidfile = home_read(&h, INST_HA_PID);
    cr_assert_eq(atoi(pidfile), home_agent(&h), "HA-11");
    cr_assert(private_socket(INST_HA_SOCK), "HA-15");
    cr_assert(home_has(&h, INST_CIDATA_ISO) && home_has(&h, INST_CLOUD_CONFIG) &&
              home_has(&h, INST_SSH_CONFIG), "HA-10");
    cr_assert_eq(agent_info(&h.inst, LONG_MS, &port, NULL), 0);
    cr_assert_eq(port, up.ssh_local_port);

    pid_t agent = home_agent(&h), machine = home_machine(&h);
    cr_assert_gt(machine, 0);
    home_stop(&h);
    home_wait_gone(agent);
    home_wait_gone(machine);
    home_last_event(&h, &last);
    cr_assert(last.exiting && !last.running);
    cr_assert_null(last.error);
    cr_assert(!home_has(&h, INST_HA_PID) && !home_has(&h, INST_HA_SOCK) && !home_has(&h, INST_BOOT));
}

static int collect_stages(void *arg, const struct event *e)
{
    unsigned *stages = arg;

    *stages |= 1U << e->stage;
    return e->running;
}

Test(agent, HA_14_events_tell_every_stage)
{
    struct err err = ERR_INIT;
    unsigned stages = 0;

    cr_assert_eq(agent_spawn(h.self, &h.inst, true, 0, &err), 0, "%s", err.msg);
    cr_assert_eq(agent_follow(&h.inst, LONG_MS, collect_stages, NULL, 0, &stages, &err), 1);
    cr_assert_eq(stages, (1U << (STAGE_RUNNING + 1)) - 1);
}

/* What the start waits for is in the events while it lasts, and in none after. */
static int until_waiting_for(void *arg, const struct event *e)
{
    return e->exiting ? -2 : e->waiting && strstr(e->waiting, arg) ? 1 : 0;
}

static int until_running(void *arg, const struct event *e)
{
    (void)arg;
    return e->running ? (e->waiting ? 2 : 1) : 0;
}

static void expect_waiting(const char *words)
{
    struct err err = ERR_INIT;

    cr_assert_eq(agent_follow(&h.inst, LONG_MS, until_waiting_for, NULL, 0, (void *)words, &err), 1,
                 "%s: %s", words, err.msg);
}

Test(agent, F21_events_tell_that_our_key_is_refused)
{
    struct err err = ERR_INIT;

    home_write(&h, "mode", "denied\n");
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), 0, "%s", err.msg);
    expect_waiting("the monitor of the machine");
    expect_waiting("the guest refuses our key or has no user 'lima' yet");
    home_write(&h, "mode", "any-boot\n");
    cr_assert_eq(agent_follow(&h.inst, LONG_MS, until_running, NULL, 0, NULL, &err), 1, "%s", err.msg);
}

Test(agent, a_person_who_waits_longer_is_not_given_up_on)
{
    struct instance_state st = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 45 * 60 * 1000, &err), 0, "%s", err.msg);
    instance_state_read(&h.inst, &st);
    _cleanup_free_ char *path = xasprintf("/proc/%d/cmdline", (int)st.agent_pid);
    size_t len = 0;
    _cleanup_free_ char *cmdline = file_read(path, 65536, &len, &err);
    cr_assert_not_null(cmdline, "%s", err.msg);
    cr_assert_not_null(memmem(cmdline, len, "--patience=2700s", strlen("--patience=2700s")));
    instance_state_release(&st);
}

Test(agent, F22_events_tell_which_requirement_is_not_met)
{
    struct err err = ERR_INIT;

    _cleanup_free_ char *ready = path_join(h.dir, "guest/run/lima-ssh-ready");
    _cleanup_free_ char *done = path_join(h.dir, "guest/run/lima-boot-done");
    unlink(ready);
    unlink(done);
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), 0, "%s", err.msg);
    expect_waiting("/run/lima-ssh-ready");
    home_write(&h, "guest/run/lima-ssh-ready", "any\n");
    expect_waiting("/run/lima-boot-done");
    home_write(&h, "guest/run/lima-boot-done", "any\n");
    cr_assert_eq(agent_follow(&h.inst, LONG_MS, until_running, NULL, 0, NULL, &err), 1, "%s", err.msg);
}

Test(agent, HA_11_a_second_one_is_refused)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_err_ struct err err = ERR_INIT, direct = ERR_INIT;
    _cleanup_run_result_ struct run_result r = {0};
    const char *const argv[] = {h.self, "hostagent", "x", NULL};
    struct spawn s = SPAWN_INIT;

    home_start(&h, &up);
    _cleanup_free_ char *before = home_read(&h, INST_HA_STDOUT);
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), -1);
    cr_assert_eq(err.kind, ERR_BUSY);
    _cleanup_free_ char *after = home_read(&h, INST_HA_STDOUT);
    cr_assert_str_eq(before, after, "the log of the first one is untouched");

    s.argv = argv;
    cr_assert_eq(run_capture(&s, NULL, 65536, LONG_MS, &r, &direct), 0);
    cr_assert_eq(wait_status_exit_code(r.status), 1);
    cr_assert(strstr(sbuf_str(&r.err_out), "another hostagent may already be running with pid"),
              "%s", sbuf_str(&r.err_out));
    cr_assert_eq(r.out.len, 0, "no event");
    cr_assert_eq(agent_info(&h.inst, LONG_MS, &(uint16_t){0}, NULL), 0, "the first one lives");
}

Test(agent, F25_failed_provisioning_leaves_it_running_degraded)
{
    _cleanup_event_ struct event up = EVENT_INIT;

    home_write(&h, "guest/run/cima-boot-report",
               "script provision.system/00000001 7 0.10\n| line 50\nend 1\n");
    home_start(&h, &up);
    cr_assert(up.running && up.degraded);
    cr_assert_eq(up.errors.n, 1);
    cr_assert_eq(up.error->kind, ERR_GUEST);
    cr_assert(strstr(up.error->msg, "provision.system/00000001"));
    cr_assert(strstr(up.error->msg, "exit status 7"));
    cr_assert_str_eq(up.error->detail, "provision.system/00000001: exit status 7\nline 50");
    cr_assert_gt(home_machine(&h), 0);
}

Test(agent, F01_the_machine_outlives_it_and_is_adopted)
{
    _cleanup_event_ struct event up = EVENT_INIT, again = EVENT_INIT;

    home_start(&h, &up);
    pid_t agent = home_agent(&h), machine = home_machine(&h);
    _cleanup_free_ char *boot = home_read(&h, INST_BOOT);
    cr_assert_not_null(strstr(boot, "iid-"));
    home_kill(agent, SIGKILL);
    home_wait_gone(agent);
    cr_assert_eq(home_machine(&h), machine);

    home_start(&h, &again);
    cr_assert(again.running && !again.degraded, "%s", again.errors.n ? again.errors.v[0] : "");
    cr_assert_neq(home_agent(&h), agent);
    cr_assert_eq(home_machine(&h), machine);
    cr_assert_eq(again.ssh_local_port, up.ssh_local_port);
    _cleanup_free_ char *same = home_read(&h, INST_BOOT);
    cr_assert_str_eq(boot, same);
    home_stop(&h);
    home_wait_gone(machine);
}

Test(agent, F02_a_killed_machine_ends_it)
{
    _cleanup_event_ struct event up = EVENT_INIT, last = EVENT_INIT;

    home_start(&h, &up);
    pid_t agent = home_agent(&h);
    home_kill(home_machine(&h), SIGKILL);
    home_wait_gone(agent);
    home_last_event(&h, &last);
    cr_assert(last.exiting);
    cr_assert_not_null(last.error);
    _cleanup_free_ char *text = err_line(last.error);
    cr_assert(strstr(text, "driver stopped due to error") && strstr(text, "signal 9"), "%s", text);
    cr_assert(!home_has(&h, INST_HA_PID) && !home_has(&h, INST_HA_SOCK) && !home_has(&h, INST_SSH_SOCK));
}

Test(agent, F03_everything_killed_start_just_works)
{
    _cleanup_event_ struct event up = EVENT_INIT, again = EVENT_INIT;

    home_start(&h, &up);
    pid_t agent = home_agent(&h), machine = home_machine(&h);
    home_kill(agent, SIGKILL);
    home_kill(machine, SIGKILL);
    home_wait_gone(agent);
    home_wait_gone(machine);
    cr_assert(home_has(&h, INST_HA_PID) && home_has(&h, INST_HA_SOCK));
    home_start(&h, &again);
    cr_assert(again.running && !again.degraded);
}

Test(agent, F04_a_pid_file_of_somebody_else_means_nothing)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_free_ char *pid = xasprintf("%d\n", (int)getpid());

    home_write(&h, "x/ha.pid", pid);
    home_write(&h, "x/qemu.pid", pid);
    home_start(&h, &up);
    cr_assert(up.running);
}

Test(agent, F06_a_directory_in_place_of_the_socket_is_kept_and_named)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_SOCK);

    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), -1);
    cr_assert(strstr(err.msg, "ha.sock"), "%s", err.msg);
    struct stat st;
    cr_assert(lstat(path, &st) == 0 && S_ISDIR(st.st_mode));
    cr_assert_eq(home_machine(&h), 0);
    cr_assert(!home_has(&h, INST_HA_PID));
}

Test(agent, F07_the_guest_powers_itself_off)
{
    _cleanup_event_ struct event up = EVENT_INIT, last = EVENT_INIT;

    home_start(&h, &up);
    pid_t agent = home_agent(&h);
    home_kill(home_machine(&h), SIGUSR1);
    home_wait_gone(agent);
    home_last_event(&h, &last);
    cr_assert(last.exiting);
    cr_assert_null(last.error);
}

Test(agent, F07_poweroff_before_it_is_ready_is_an_error)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    struct err err = ERR_INIT;

    home_write(&h, "mode", "denied\n");
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), 0);
    home_wait_machine(&h);
    home_kill(home_machine(&h), SIGUSR1);
    home_wait_up(&h, &e);
    cr_assert(e.exiting && e.error);
    cr_assert(strstr(e.error->msg, "before it was ready"), "%s", e.error->msg);
}

Test(agent, F07_panic_ends_the_wait_and_keeps_the_machine)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    struct err err = ERR_INIT;

    home_write(&h, "mode", "denied\n");
    home_write(&h, "x/serial.log", "Kernel panic - not syncing\n");
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), 0);
    home_wait_machine(&h);
    home_vm_event(&h, "panic");
    home_wait_up(&h, &e);
    cr_assert(e.running && e.degraded && e.error);
    cr_assert(strstr(e.error->msg, "panicked"));
    cr_assert(strstr(e.error->detail, "not syncing"));
    cr_assert_gt(home_machine(&h), 0);
}

static int until_degraded(void *arg, const struct event *e)
{
    (void)arg;
    return e->running && e->degraded ? 1 : 0;
}

/* … and then not any more. */
static int until_recovered(void *arg, const struct event *e)
{
    bool *degraded = arg;

    *degraded = *degraded || e->degraded;
    return *degraded && e->running && !e->degraded && !e->errors.n && !e->error;
}

Test(agent, F34_an_io_error_is_told_until_the_machine_goes_on)
{
    _cleanup_event_ struct event up = EVENT_INIT, last = EVENT_INIT;
    struct err err = ERR_INIT;
    bool degraded = false;

    home_start(&h, &up);
    home_vm_event(&h, "io-error");
    cr_assert_eq(agent_follow(&h.inst, LONG_MS, until_degraded, NULL, 0, NULL, &err), 1, "%s", err.msg);
    home_vm_event(&h, "resumed");
    cr_assert_eq(agent_follow(&h.inst, LONG_MS, until_recovered, NULL, 0, &degraded, &err), 1, "%s",
                 err.msg);
    home_last_event(&h, &last);
    cr_assert(last.running && !last.degraded);
}

Test(agent, a_plan_that_fails_is_the_very_same_error)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    struct err err = ERR_INIT;

    setenv("FAKE_DRIVER", "plan", 1);
    /* It may end before or after its first event is seen. */
    if (agent_spawn(h.self, &h.inst, false, 0, &err) == 0)
        home_wait_up(&h, &e);
    else
        home_last_event(&h, &e);
    cr_assert(e.exiting && e.error);
    cr_assert_eq(e.error->kind, ERR_QEMU);
    cr_assert_str_eq(e.error->msg, "the fake plan does not work");
    cr_assert_str_eq(e.error->hint, "use another one");
    err_clear(&err);
}

Test(agent, F15_a_machine_that_ends_at_once)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    struct err err = ERR_INIT;

    setenv("FAKE_DRIVER", "die", 1);
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), 0, "%s", err.msg);
    home_wait_up(&h, &e);
    cr_assert(e.exiting && e.error);
    cr_assert(strstr(e.error->msg, "exited with status 1"), "%s", e.error->msg);
}

Test(agent, F12_stopped_while_it_starts)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    struct err err = ERR_INIT;

    home_write(&h, "mode", "denied\n");
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), 0);
    home_wait_machine(&h);
    pid_t machine = home_machine(&h);
    home_stop(&h);
    home_wait_gone(machine);
    home_last_event(&h, &e);
    cr_assert(e.exiting && !e.error);
}

Test(agent, F20_a_second_signal_kills)
{
    _cleanup_event_ struct event up = EVENT_INIT;

    setenv("FAKE_DRIVER", "stubborn", 1);
    home_start(&h, &up);
    pid_t agent = home_agent(&h), machine = home_machine(&h);
    home_kill(agent, SIGTERM);
    usleep(300000);
    cr_assert_eq(home_machine(&h), machine);
    home_kill(agent, SIGINT);
    home_wait_gone(agent);
    home_wait_gone(machine);
}

Test(agent, broken_yaml_is_told_with_its_place)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    struct err err = ERR_INIT;

    home_write(&h, "x/lima.yaml", "images:\n- location: /x\ncpus: many\n");
    if (agent_spawn(h.self, &h.inst, false, 0, &err) == 0)
        home_wait_up(&h, &e);
    else
        home_last_event(&h, &e);
    err_clear(&err);
    cr_assert(e.exiting && e.error);
    cr_assert_eq(e.error->kind, ERR_CONFIG);
    cr_assert_geq(e.error->diags.n, 1);
    cr_assert_eq(e.error->diags.v[0].line, 3);
}

Test(agent, F30_the_limit_of_open_files_is_raised)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    struct err err = ERR_INIT;

    home_start(&h, &up);
    _cleanup_free_ char *path = xasprintf("/proc/%d/limits", (int)home_agent(&h));
    _cleanup_free_ char *text = file_read(path, 65536, NULL, &err);
    const char *line = strstr(text, "Max open files");
    unsigned long soft = 0, hard = 1;
    cr_assert_eq(sscanf(line, "Max open files %lu %lu", &soft, &hard), 2);
    cr_assert_eq(soft, hard);
}
