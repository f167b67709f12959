/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' side, and the REST socket under clients that are not ours. */
#include "home.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include "sys/sock.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct home h;

static void setup(void)
{
    home_setup(&h);
}

static void teardown(void)
{
    home_teardown(&h);
}

TestSuite(client, .init = setup, .fini = teardown, .timeout = 600);
TestSuite(rest, .init = setup, .fini = teardown, .timeout = 600);

Test(client, spawn_of_a_missing_program)
{
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(agent_spawn("/nonexistent/cima", &h.inst, false, 0, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
}

Test(client, HA_04_an_early_death_shows_its_last_words)
{
    _cleanup_err_ struct err err = ERR_INIT;

    setenv("FAKE_AGENT", "silent", 1);
    cr_assert_eq(agent_spawn(h.self, &h.inst, false, 0, &err), -1);
    cr_assert(strstr(err.msg, "host agent process has exited"), "%s", err.msg);
    cr_assert_str_eq(err.detail, "no words of any format");
    cr_assert(strstr(err.hint, "ha.stderr.log"));
}

Test(client, logs_are_private_whoever_made_them)
{
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_STDERR);
    _cleanup_err_ struct err err = ERR_INIT;
    struct stat st;

    home_write(&h, "x/ha.stderr.log", "old");
    chmod(path, 0644);
    setenv("FAKE_AGENT", "silent", 1);
    agent_spawn(h.self, &h.inst, false, 0, &err);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
}

Test(client, without_an_agent)
{
    _cleanup_err_ struct err stop = ERR_INIT, info = ERR_INIT, follow = ERR_INIT;
    uint16_t port;

    cr_assert_eq(agent_open(&h.inst), -1);
    cr_assert_eq(agent_stop(&h.inst, 1000, &stop), -1);
    cr_assert_eq(stop.kind, ERR_STATE);
    cr_assert_eq(agent_kill(&h.inst, 1000, NULL), 0);
    cr_assert_eq(agent_info(&h.inst, 1000, &port, &info), -1);
    cr_assert_eq(info.kind, ERR_NOT_FOUND);
    cr_assert_eq(agent_follow(&h.inst, 1000, NULL, NULL, 0, NULL, &follow), -1);
    cr_assert_eq(follow.kind, ERR_NOT_FOUND);
}

static int never(void *arg, const struct event *e)
{
    (void)arg;
    (void)e;
    return 0;
}

static unsigned ticks;

static int count_ticks(void *arg)
{
    (void)arg;
    return ++ticks == 3 ? 42 : 0;
}

Test(client, HA_05_follow_has_a_time_limit_and_ticks)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    home_start(&h, &up);
    int64_t before = monotonic_ms();
    cr_assert_eq(agent_follow(&h.inst, 300, never, NULL, 0, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_TIMEOUT);
    cr_assert_geq(monotonic_ms() - before, 300);
    cr_assert_eq(agent_follow(&h.inst, LONG_MS, never, count_ticks, 20, NULL, NULL), 42);
}

Test(client, follow_ends_with_the_agent)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    home_start(&h, &up);
    home_kill(home_agent(&h), SIGKILL);
    cr_assert_eq(agent_follow(&h.inst, -1, never, NULL, 0, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_STATE);
    cr_assert(strstr(err.msg, "has exited"));
}

Test(client, F08_an_agent_that_is_stopped_does_not_hang_us)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    uint16_t port;

    home_start(&h, &up);
    home_kill(home_agent(&h), SIGSTOP);
    cr_assert_eq(agent_info(&h.inst, 400, &port, &err), -1);
    cr_assert_eq(err.kind, ERR_TIMEOUT);
    home_kill(home_agent(&h), SIGCONT);
    cr_assert_eq(agent_info(&h.inst, LONG_MS, &port, NULL), 0);
}

Test(client, F20_stop_has_a_time_limit)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    setenv("FAKE_DRIVER", "stubborn", 1);
    home_start(&h, &up);
    cr_assert_eq(agent_stop(&h.inst, 300, &err), -1);
    cr_assert_eq(err.kind, ERR_TIMEOUT);
    cr_assert(strstr(err.msg, "did not receive an event with the `exiting` status"));
    cr_assert(strstr(err.hint, "stop -f"));
}

Test(client, a_pid_that_was_used_again_gets_no_signal)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    struct proc_id me;

    home_start(&h, &up);
    cr_assert_eq(proc_id_of(getpid(), &me), 0);
    me.start_time--; /* the one who had this pid before us */
    _cleanup_free_ char *id = proc_id_format(&me);
    /* In place: a new file would not be the locked one. */
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_LOCK);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC);
    cr_assert_eq(fd_write_all(fd, id, strlen(id)), 0);
    cr_assert_eq(agent_open(&h.inst), -1);
}

/* ---- REST ---------------------------------------------------------------------------------------- */

/* Sends text, reads what comes until the end. Caller frees. */
static char *ask(const char *text, size_t len)
{
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_SOCK);
    _cleanup_close_ int fd = unix_connect(path, LONG_MS, NULL);
    struct sbuf out = SBUF_INIT;
    int64_t end = monotonic_ms() + LONG_MS;

    cr_assert_geq(fd, 0);
    fd_set_nonblock(fd, false);
    send(fd, text, len, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    while (monotonic_ms() < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char buf[4096];

        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n <= 0)
            return sbuf_detach(&out);
        sbuf_add(&out, buf, (size_t)n);
    }
    sbuf_release(&out);
    return NULL;
}

static void expect_status(const char *request, int want)
{
    _cleanup_free_ char *answer = ask(request, strlen(request));
    int code = 0;

    cr_assert_not_null(answer, "no end of the answer to: %s", request);
    sscanf(answer, "HTTP/1.%*d %d", &code);
    cr_assert_eq(code, want, "%s\n%s", request, answer);
    if (want >= 400)
        cr_assert(strstr(answer, "{\"message\":"), "%s", answer);
}

Test(rest, HA_15_routes_and_errors)
{
    _cleanup_event_ struct event up = EVENT_INIT;

    home_start(&h, &up);
    expect_status("GET /v1/info HTTP/1.0\r\n\r\n", 200);
    expect_status("GET /v1/info HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    expect_status("GET /v1/info?x=1 HTTP/1.0\r\n\r\n", 200);
    expect_status("GET /v1/screenshot HTTP/1.0\r\n\r\n", 200);
    /* The fake machine's screen can be seen once. */
    expect_status("GET /v1/screenshot?format=png HTTP/1.0\r\n\r\n", 422);
    expect_status("GET /v1/screenshot?format=gif HTTP/1.0\r\n\r\n", 400);
    expect_status("POST /v1/info HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 405);
    expect_status("DELETE /v1/info HTTP/1.0\r\n\r\n", 405);
    expect_status("PUT /v1/screenshot HTTP/1.0\r\nContent-Length: 2\r\n\r\nxx", 405);
    expect_status("GET / HTTP/1.0\r\n\r\n", 404);
    expect_status("GET /v2/info HTTP/1.0\r\n\r\n", 404);
}

Test(rest, S_garbage_does_not_hurt)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    static const char *const garbage[] = {"\r\n\r\n", "GET", "\x16\x03\x01\x02", "GET  HTTP/9.9\r\n\r\n",
                                          "GET /v1/info HTTP/1.0\r\nA\r\n\r\n",
                                          "POST /v1/info HTTP/1.1\r\nContent-Length: 999999999\r\n\r\nx",
                                          "POST /v1/info HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    size_t big = 4 << 20;
    _cleanup_free_ char *flood = xmalloc(big);

    home_start(&h, &up);
    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
        free(ask(garbage[i], strlen(garbage[i])));
    memset(flood, 'A', big);
    memcpy(flood, "GET /", 5);
    free(ask(flood, big));
    expect_status("GET /v1/info HTTP/1.0\r\n\r\n", 200);
}

Test(rest, many_idle_connections)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_SOCK);
    int fds[200];

    home_start(&h, &up);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = unix_connect(path, 1000, NULL);
    expect_status("GET /v1/info HTTP/1.0\r\n\r\n", 200);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    expect_status("GET /v1/info HTTP/1.0\r\n\r\n", 200);
}

Test(rest, S_other_users_are_not_answered)
{
    _cleanup_event_ struct event up = EVENT_INIT;
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_SOCK);

    if (geteuid() != 0)
        cr_skip_test("another user is needed, which takes root");
    home_start(&h, &up);
    /* As if somebody had opened every door on the way. */
    cr_assert_eq(chmod(h.dir, 0711), 0);
    cr_assert_eq(chmod(h.inst.dir, 0711), 0);
    cr_assert_eq(chmod(path, 0666), 0);
    pid_t pid = fork();
    if (pid == 0) {
        uint16_t port = 0;
        struct err err = ERR_INIT;

        if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(2);
        _exit(agent_info(&h.inst, LONG_MS, &port, &err) == -1 && err.msg && strstr(err.msg, "403") ? 0 : 1);
    }
    int status = -1;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}
