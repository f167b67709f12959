/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "base/fs.h"
#include "base/mem.h"
#include "ssh/ssh_service.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct fixture f;

static void setup(void)
{
    fixture_setup(&f);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

TestSuite(ssh_service, .init = setup, .fini = teardown, .timeout = 600);

static void guest_is_ready(void)
{
    fixture_write(&f, "guest/run/lima-ssh-ready", "iid-1\n");
    fixture_write(&f, "guest/run/lima-boot-done", "iid-1\n");
}

static char *path_of(const char *name)
{
    return path_join(f.dir, name);
}

Test(ssh_service, HA_23_from_banner_to_boot_done)
{
    guest_is_ready();
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 0);
    cr_assert_eq(fixture_calls(&f, "login", NULL), 1);
    cr_assert_eq(fixture_calls(&f, "master", NULL), 1);
    _cleanup_free_ char *config = path_of("ssh.config");
    cr_assert(path_exists(config), "HA-10: ssh.config is there");
}

static bool until_login_waits(struct fixture *fx)
{
    return fixture_calls(fx, "login", NULL) == 1;
}

static bool until_master(struct fixture *fx)
{
    return fixture_calls(fx, "master", NULL) >= 1;
}

Test(ssh_service, GS_08_markers_of_another_boot_do_not_count)
{
    fixture_write(&f, "guest/run/lima-ssh-ready", "iid-0\n");
    fixture_write(&f, "guest/run/lima-boot-done", "iid-0\n");
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_login_waits);
    cr_assert_eq(f.reached, STAGE_SSH_BANNER);
    fixture_write(&f, "guest/run/lima-ssh-ready", "iid-1\n");
    fixture_until(&f, until_user_session);
    fixture_until(&f, until_master);
    cr_assert_eq(f.reached, STAGE_USER_SESSION);
    fixture_write(&f, "guest/run/lima-boot-done", "iid-1"); /* no newline at its end */
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 0);
}

Test(ssh_service, an_unknown_boot_takes_any_marker)
{
    f.host.iid = NULL;
    fixture_write(&f, "guest/run/lima-ssh-ready", "whatever\n");
    fixture_write(&f, "guest/run/lima-boot-done", "");
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 0);
}

Test(ssh_service, plain_mode_waits_for_no_marker)
{
    f.cfg.plain = TRI_TRUE;
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 0);
}

Test(ssh_service, F25_the_report_is_read)
{
    guest_is_ready();
    fixture_write(&f, "mode", "noise\n");
    fixture_write(&f, "guest/run/cima-boot-report",
                  "script provision.system/00000000 0 0.10\n"
                  "script provision.system/00000001 7 1.00\n| line 49\n| line 50\nend 1\n");
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert_eq(f.degraded.kind, ERR_GUEST);
    cr_assert(strstr(f.degraded.msg, "'provision.system/00000001'"), "%s", f.degraded.msg);
    cr_assert(strstr(f.degraded.msg, "exit status 7"), "%s", f.degraded.msg);
    cr_assert_str_eq(f.degraded.detail,
                     "provision.system/00000001: exit status 7\nline 49\nline 50");
    cr_assert(strstr(f.degraded.hint, "left running"), "%s", f.degraded.hint);
}

static bool until_booted(struct fixture *fx)
{
    return fx->told[GUEST_BOOTED] > 0;
}

/* A report that goes on as if the guest had booted again and again. */
Test(ssh_service, S_a_boot_counts_once_per_connection)
{
    guest_is_ready();
    fixture_write(&f, "guest/run/cima-boot-report",
                  "end 0\ncima:report-end\ncima:boot-done\ncima:report-end\ncima:boot-done\n");
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_booted);
    fixture_sleep(&f, 300);
    cr_assert_eq(f.told[GUEST_BOOTED], 1);
}

/* cloud-init is over, and nothing in the guest will start the boot scripts any more. */
Test(ssh_service, F22_boot_scripts_that_never_come)
{
    fixture_write(&f, "guest/run/lima-ssh-ready", "iid-1\n");
    _cleanup_free_ char *dir = path_of("guest/run/cloud-init");
    cr_assert_eq(mkdir(dir, 0755), 0);
    fixture_write(&f, "guest/run/cloud-init/result.json", "{}\n");
    fixture_write(&f, "guest/run/cima-boot-running", "0\n");
    f.host.patience_ms = 60000;
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert_str_eq(f.degraded.msg, "cloud-init has finished in the guest, but the boot scripts have "
                                     "not come to their end");
    cr_assert(strstr(f.degraded.detail, "cloud-init: finished"), "%s", f.degraded.detail);
}

Test(ssh_service, F21_a_slow_greeting_is_waited_for)
{
    guest_is_ready();
    f.greeting = GREET_SLOWLY;
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 0);
}

/* Slower than a few tries in a row: some of them must live longer. */
Test(ssh_service, F21_a_greeting_that_takes_seconds_is_waited_for)
{
    guest_is_ready();
    f.greeting = GREET_SLOWLY;
    f.greet_ms = 1500;
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 0);
}

/* F21: what is wrong is in the text, stage by stage, and so many logins were tried. On a busy machine
 * it comes that far only with more patience: then all is prepared and begun once more. */
static void expect_timeout(void (*prepare)(void), const char *what, unsigned logins)
{
    for (int64_t patience = 2500;; patience *= 4) {
        prepare();
        f.host.patience_ms = patience;
        fixture_start(&f, &ssh_service);
        fixture_until(&f, until_boot_done);
        cr_assert_eq(f.n_degraded, 1);
        cr_assert_eq(f.degraded.kind, ERR_TIMEOUT);
        _cleanup_free_ char *text = err_text(&f.degraded);
        if (strstr(text, what) && fixture_calls(&f, "login", NULL) >= logins)
            return;
        cr_assert_lt(patience, 100000, "'%s' is not in: %s, or no %u logins", what, text, logins);
        teardown();
        setup();
    }
}

static void nobody_listens(void)
{
    f.accept = loop_source_free(f.accept);
    close(f.listener);
    f.listener = -1;
}

Test(ssh_service, F21_refused)
{
    expect_timeout(nobody_listens, "are refused", 0);
}

static void it_is_silent(void)
{
    f.greeting = GREET_SILENCE;
}

Test(ssh_service, F21_no_banner)
{
    expect_timeout(it_is_silent, "no banner", 0);
}

static void it_closes(void)
{
    f.greeting = GREET_CLOSE;
}

Test(ssh_service, F21_closed_before_the_banner)
{
    expect_timeout(it_closes, "closed before the ssh server says a word", 0);
}

static void it_speaks_http(void)
{
    f.greeting = GREET_HTTP;
}

Test(ssh_service, F21_another_service)
{
    expect_timeout(it_speaks_http, "is no ssh server: it says 'HTTP/1.1 400 Bad Request'", 0);
}

static void it_denies(void)
{
    fixture_write(&f, "mode", "denied\n");
}

Test(ssh_service, F21_wrong_key_or_user)
{
    /* It is tried again. */
    expect_timeout(it_denies, "the guest refuses our key or has no user 'lima' yet", 3);
    cr_assert(strstr(f.degraded.detail, "Permission denied (publickey)"));
}

static void it_resets(void)
{
    fixture_write(&f, "mode", "reset\n");
}

Test(ssh_service, F21_reset_in_the_key_exchange)
{
    expect_timeout(it_resets, "in the key exchange", 0);
}

static void it_hangs(void)
{
    fixture_write(&f, "mode", "hang\n");
}

Test(ssh_service, F21_a_login_that_hangs)
{
    /* A new one is tried. */
    expect_timeout(it_hangs, "could not log in to the guest", 2);
}

static void nothing(void)
{
}

Test(ssh_service, F21_user_session_never_ready)
{
    expect_timeout(nothing, "/run/lima-ssh-ready", 0);
}

static void no_master(void)
{
    guest_is_ready();
    fixture_write(&f, "mode", "nomaster\n");
}

Test(ssh_service, F21_master_does_not_start)
{
    expect_timeout(no_master, "the ssh master did not start", 0);
    cr_assert(strstr(f.degraded.detail, "cursed"));
}

static void it_does_not_boot(void)
{
    fixture_write(&f, "guest/run/lima-ssh-ready", "iid-1\n");
    fixture_write(&f, "serial.log", "[    1.0] early\r\n\x1b[31mYou are in emergency mode.\x1b[0m\r\n");
}

Test(ssh_service, F22_boot_never_done_shows_the_console)
{
    expect_timeout(it_does_not_boot, "the boot scripts have not finished", 0);
    cr_assert(strstr(f.degraded.detail, "\nYou are in emergency mode."), "%s", f.degraded.detail);
    cr_assert_null(strstr(f.degraded.detail, "x1b"));
}

Test(ssh_service, F21_it_goes_on_after_the_time_is_over)
{
    expect_timeout(it_denies, "refuses our key", 0);
    fixture_write(&f, "mode", "ok\n");
    guest_is_ready();
    fixture_until(&f, until_master);
}

Test(ssh_service, no_ssh_program)
{
    setenv("SSH", "/nonexistent/ssh", 1);
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert_eq(f.degraded.kind, ERR_NOT_FOUND);
}

static unsigned masters_wanted;

static bool until_masters(struct fixture *fx)
{
    return fixture_calls(fx, "master", NULL) >= masters_wanted;
}

Test(ssh_service, F24_a_killed_master_comes_back)
{
    int pid = 0;

    guest_is_ready();
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    fixture_calls(&f, "master", &pid);
    cr_assert_gt(pid, 0);
    kill(pid, SIGKILL);
    masters_wanted = 2;
    fixture_until(&f, until_masters);
    cr_assert_eq(fixture_calls(&f, "login", NULL), 1, "the session was ready before");
    cr_assert_eq(f.n_degraded, 0);
}

static void make_socket(bool alive)
{
    _cleanup_free_ char *path = path_of("ssh.sock");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(listen(fd, 4), 0);
    if (!alive)
        close(fd); /* else it lives as long as the test */
}

Test(ssh_service, F24_a_stale_control_socket_is_removed)
{
    guest_is_ready();
    make_socket(false);
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(fixture_calls(&f, "control", NULL), 0);
    _cleanup_free_ char *path = path_of("ssh.sock");
    cr_assert(!path_exists(path));
}

Test(ssh_service, F24_a_living_one_is_asked_to_step_aside)
{
    guest_is_ready();
    make_socket(true);
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(fixture_calls(&f, "control", NULL), 1);
    cr_assert_eq(f.n_degraded, 0);
}

Test(ssh_service, F06_a_file_in_the_way_is_kept_and_named)
{
    guest_is_ready();
    fixture_write(&f, "ssh.sock", "precious");
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.degraded.kind, ERR_EXISTS);
    _cleanup_free_ char *path = path_of("ssh.sock");
    _cleanup_free_ char *text = file_read(path, 100, NULL, NULL);
    cr_assert_str_eq(text, "precious");
}

Test(ssh_service, F07_a_reboot_of_the_guest_starts_over)
{
    guest_is_ready();
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    _cleanup_free_ char *ready = path_of("guest/run/lima-ssh-ready");
    cr_assert_eq(unlink(ready), 0);
    f.svc->type->event(f.svc, GUEST_RESET);
    f.svc->type->event(f.svc, GUEST_RESET);
    masters_wanted = 2;
    fixture_write(&f, "guest/run/lima-ssh-ready", "iid-1\n");
    fixture_until(&f, until_masters);
    cr_assert_eq(fixture_calls(&f, "login", NULL), 2, "the session is checked anew");
}

Test(ssh_service, SD_71_a_guest_that_went_back_to_a_snapshot_gets_a_new_master)
{
    guest_is_ready();
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_boot_done);
    masters_wanted = 2;
    f.svc->type->event(f.svc, GUEST_RESTORED);
    fixture_until(&f, until_masters);
    cr_assert_eq(fixture_calls(&f, "login", NULL), 1, "the session is that of the same boot");
    cr_assert_eq(f.n_degraded, 0);
}

Test(ssh_service, F25_a_reboot_in_the_middle_of_the_boot)
{
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_login_waits);
    f.svc->type->event(f.svc, GUEST_RESET);
    guest_is_ready();
    fixture_until(&f, until_boot_done);
    cr_assert_eq(f.n_degraded, 0);
}

Test(ssh_service, stopped_at_any_time)
{
    guest_is_ready();
    fixture_start(&f, &ssh_service);
    fixture_until(&f, until_banner);
    /* teardown stops and frees it in the middle of the login */
}
