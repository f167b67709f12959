/* SPDX-License-Identifier: Apache-2.0 */
/* The QMP client for programs without a loop: waiting, cancelling, watches; what a log sees. */
#include "qmp_peer.h"
#include "base/mem.h"
#include "cima/qemu/commands.h"
#include "qemu/qmp_message.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- without a loop -------------------------------------------------------------------------- */

Test(qmp_sync, blocking_calls)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "query-version", 0},
                                            {QS_REPLY, "{\"is\": 1}", 0},
                                            {QS_EXPECT, "human-monitor-command", 0},
                                            {QS_REPLY, "\"text\\r\\n\"", 0},
                                            {QS_EXPECT, "bad", 0},
                                            {QS_ERROR, "nope", 0},
                                            {QS_EXPECT, "slow", 0},
                                            {QS_HANG, NULL, 0}};
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT, e3 = ERR_INIT;
    _cleanup_json_ struct json *ret = NULL;
    _cleanup_free_ char *hmp = NULL;
    struct peer p = {0};

    begin(&p, steps, 0);
    cr_assert_eq(cima_qmp_wait_ready(p.q, LONG_MS, &e1), 0, "%s", e1.msg);
    cr_assert_eq(cima_qmp_execute(p.q, "query-version", NULL, LONG_MS, &ret, &e1), 0);
    cr_assert_eq(json_get_int(ret, "is", 0), 1);
    hmp = cima_qmp_execute_hmp(p.q, "info usernet", LONG_MS, &e1);
    cr_assert_str_eq(hmp, "text\r\n");
    cr_assert_eq(cima_qmp_execute(p.q, "bad", NULL, LONG_MS, NULL, &e2), -1);
    cr_assert_eq(e2.kind, ERR_QEMU);
    cr_assert_eq(cima_qmp_execute(p.q, "slow", NULL, 100, NULL, &e3), -1);
    cr_assert_eq(e3.kind, ERR_TIMEOUT);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp_sync, wait_ready_tells_why)
{
    static const struct qmp_step gone[] = {{QS_END, NULL, 0}}, mute[] = {{QS_HANG, NULL, 0}};
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    struct peer p = {0}, m = {0};

    begin(&p, gone, 0);
    cr_assert_eq(cima_qmp_wait_ready(p.q, LONG_MS, &e1), -1);
    cr_assert_str_eq(e1.msg, "lost connection to VM: QEMU closed the monitor");
    end(&p);
    begin(&m, mute, LONG_MS);
    cr_assert_eq(cima_qmp_wait_ready(m.q, 100, &e2), -1);
    cr_assert_eq(e2.kind, ERR_TIMEOUT);
    end(&m);
}

/* ---- canceled by caller ---------------------------------------------------------- */

Test(qmp_sync, Q_02_Q_06_canceled_by_caller)
{
    static const struct qmp_step mute[] = {{QS_HANG, NULL, 0}};
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "slow", 0},
                                            {QS_SIGNAL, NULL, 0},
                                            {QS_REPLY, "{\"is\": \"late\"}", 0},
                                            {QS_EXPECT, "next", 0},
                                            {QS_REPLY, "{\"is\": \"next\"}", 0},
                                            {QS_END, NULL, 0}};
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT, e3 = ERR_INIT;
    _cleanup_json_ struct json *ret = NULL;
    _cleanup_free_ char *text = NULL;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct peer p = {0}, m = {0};

    begin(&m, mute, LONG_MS);
    cima_qmp_set_cancel_fd(m.q, fd);
    cr_assert_eq(cima_qmp_wait_ready(m.q, -1, &e1), -1);
    cr_assert_eq(e1.kind, ERR_INTERRUPTED);
    cr_assert_str_eq(e1.msg, "canceled by caller");
    cr_assert_eq(end(&m), HANG_STATUS);

    begin(&p, steps, 0);
    cr_assert_eq(cima_qmp_wait_ready(p.q, LONG_MS, &e2), 0, "%s", e2.msg);
    cima_qmp_set_cancel_fd(p.q, fd);
    cr_assert_eq(cima_qmp_execute(p.q, "slow", NULL, -1, NULL, &e3), -1);
    text = err_message(&e3);
    cr_assert_str_eq(text, "slow: canceled by caller");
    /* It was sent: its answer is not the next one's. */
    cima_qmp_set_cancel_fd(p.q, -1);
    kill(p.pid, SIGUSR1);
    cr_assert_eq(cima_qmp_execute(p.q, "next", NULL, LONG_MS, &ret, &e2), 0, "%s", e2.msg);
    cr_assert_str_eq(json_get_str(ret, "is"), "next");
    cr_assert_eq(end(&p), 0);
    close(fd);
}

/* ---- Q-07 ------------------------------------------------------------------------------------ */

Test(qmp_sync, Q_07_later_commands_end_at_once)
{
    static const struct qmp_step steps[] = {QS_HELLO, {QS_EXPECT, "a", 0}, {QS_END, NULL, 0}};
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    _cleanup_free_ char *text = NULL;
    struct peer p = {0};

    begin(&p, steps, 0);
    cr_assert_eq(cima_qmp_execute(p.q, "a", NULL, -1, NULL, &e1), -1);
    cr_assert_eq(e1.kind, ERR_QEMU);
    cr_assert_eq(cima_qmp_execute(p.q, "b", NULL, -1, NULL, &e2), -1);
    text = err_message(&e2);
    cr_assert_str_eq(text, "b: exitting QMP loop, command cancelled: QEMU closed the monitor");
    end(&p);
}

/* ---- inside callbacks ------------------------------------------------------------------------ */

static void wait_in_event(void *arg, const struct cima_qmp_event *e)
{
    struct cima_qmp_watch *w;
    struct peer *p = arg;
    struct err err[3] = {ERR_INIT};

    (void)e;
    w = cima_qmp_watch_new(p->q, "X", NULL, NULL);
    cr_assert_eq(cima_qmp_execute(p->q, "a", json_object_new(), -1, NULL, &err[0]), -1);
    cr_assert_eq(cima_qmp_wait_ready(p->q, -1, &err[1]), -1);
    cr_assert_eq(cima_qmp_watch_wait(w, -1, NULL, &err[2]), -1);
    for (size_t i = 0; i < ARRAY_SIZE(err); i++) {
        cr_assert_eq(err[i].kind, ERR_STATE);
        cr_assert_str_eq(err[i].msg, "a callback of the client can't wait for it");
        err_clear(&err[i]);
    }
    cima_qmp_watch_free(w);
    p->events++;
}

Test(qmp_sync, waiting_inside_a_callback_is_refused)
{
    static const struct qmp_step steps[] = {
        QS_HELLO, {QS_SEND, "{\"event\": \"A\"}\n", 0}, {QS_END, NULL, 0}};
    static const struct cima_qmp_handlers h = {.event = wait_in_event};
    struct peer p = {0};

    p.q = cima_qmp_new(qmp_server_start(steps, &p.pid), &h, &p, LONG_MS, monotonic_ms());
    RUN_UNTIL(&p, p.events);
    cr_assert_eq(end(&p), 0);
}

static void free_in_event(void *arg, const struct cima_qmp_event *e)
{
    struct peer *p = arg;

    (void)e;
    cima_qmp_free(p->q);
}

/* The client goes away under a function that waits on it. */
Test(qmp_sync, freed_while_waited_for)
{
    static const struct qmp_step steps[] = {
        QS_HELLO, {QS_EXPECT, "a", 0}, {QS_SEND, "{\"event\": \"A\"}\n", 0}, {QS_HANG, NULL, 0}};
    static const struct cima_qmp_handlers h = {.event = free_in_event};
    _cleanup_err_ struct err err = ERR_INIT, later = ERR_INIT;
    struct cima_qmp_watch *w;
    struct peer p = {0};

    p.q = cima_qmp_new(qmp_server_start(steps, &p.pid), &h, &p, LONG_MS, monotonic_ms());
    w = cima_qmp_watch_new(p.q, "B", NULL, NULL);
    cr_assert_eq(cima_qmp_execute(p.q, "a", NULL, -1, NULL, &err), -1);
    cr_assert_str_eq(err.msg, "a: the client was freed");
    cr_assert_eq(cima_qmp_watch_wait(w, -1, NULL, &later), -1);
    cr_assert_eq(later.kind, ERR_STATE);
    cima_qmp_watch_free(w);
    cr_assert_eq(qmp_server_end(p.pid), HANG_STATUS);
}

/* The same between the commands of a longer piece of work. */
Test(qmp_sync, freed_between_commands)
{
    static const struct qmp_step plug[] = {QS_HELLO,
                                           {QS_EXPECT, "object-add", 0},
                                           {QS_SEND, "{\"event\": \"A\"}\n", 0},
                                           {QS_HANG, NULL, 0}};
    static const struct qmp_step job[] = {QS_HELLO,
                                          {QS_EXPECT, "snapshot-save", 0},
                                          {QS_REPLY, "{}", 0},
                                          {QS_EXPECT, "query-jobs", 0},
                                          {QS_SEND, "{\"event\": \"A\"}\n", 0},
                                          {QS_HANG, NULL, 0}};
    static const struct cima_qmp_handlers h = {.event = free_in_event};
    struct cima_qmp_call save = {.command = "snapshot-save"};
    _cleanup_err_ struct err first = ERR_INIT, second = ERR_INIT;
    const struct cima_rng rng = {.object = "rng0"};
    struct cima_cmdline *c = cima_cmdline_new();
    struct peer p = {0};

    cr_assert_eq(cima_add_rng(c, &rng, NULL), 0);
    p.q = cima_qmp_new(qmp_server_start(plug, &p.pid), &h, &p, LONG_MS, monotonic_ms());
    cr_assert_eq(cima_qmp_plug(p.q, c, &first), -1);
    cr_assert_str_eq(first.msg, "object-add: the client was freed");
    cr_assert_null(first.detail, "%s", first.detail);
    cr_assert_eq(qmp_server_end(p.pid), HANG_STATUS);
    p.q = cima_qmp_new(qmp_server_start(job, &p.pid), &h, &p, LONG_MS, monotonic_ms());
    cr_assert_eq(cima_qmp_run_job(p.q, save, "j", INT_MAX, &second), -1);
    cr_assert_str_eq(second.msg, "query-jobs: the client was freed");
    cr_assert_eq(qmp_server_end(p.pid), HANG_STATUS);
    cima_cmdline_free(c);
}

/* ---- watches --------------------------------------------------------------------------------- */

Test(qmp_sync, Q_08_watch_keeps_what_came_before_the_wait)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_EXPECT, "a", 0},
        {QS_SEND,
         "{\"event\": \"JOB\", \"data\": {\"id\": \"other\"}}\n{\"event\": \"X\"}\n"
         "{\"event\": \"JOB\", \"data\": {\"id\": \"mine\", \"n\": 1}, \"timestamp\": "
         "{\"seconds\": 5, \"microseconds\": 6}}\n",
         0},
        {QS_REPLY, "{}", 0},
        {QS_SIGNAL, NULL, 0},
        {QS_SEND, "{\"event\": \"JOB\", \"data\": {\"id\": \"mine\", \"n\": 2}}\n", 0},
        {QS_END, NULL, 0}};
    _cleanup_err_ struct err none = ERR_INIT, late = ERR_INIT, gone = ERR_INIT;
    struct cima_qmp_watch *w;
    struct cima_qmp_event e;
    struct peer p = {0};

    begin(&p, steps, 0);
    w = cima_qmp_watch_new(p.q, "JOB", "id", "mine");
    cr_assert_eq(cima_qmp_execute(p.q, "a", NULL, LONG_MS, NULL, &none), 0, "%s", none.msg);
    cr_assert_eq(cima_qmp_watch_wait(w, LONG_MS, &e, &none), 0, "%s", none.msg);
    cr_assert_eq(json_get_int(e.data, "n", 0), 1);
    cr_assert(e.seconds == 5 && e.microseconds == 6);
    cr_assert_eq(cima_qmp_watch_wait(w, 50, &e, &late), -1);
    cr_assert_eq(late.kind, ERR_TIMEOUT);
    cr_assert_str_eq(late.msg, "the event 'JOB' did not come in time");
    kill(p.pid, SIGUSR1);
    cr_assert_eq(cima_qmp_watch_wait(w, LONG_MS, &e, &none), 0, "%s", none.msg);
    cr_assert_eq(json_get_int(e.data, "n", 0), 2);
    cr_assert_eq(cima_qmp_watch_wait(w, LONG_MS, &e, &gone), -1);
    cr_assert(strstr(gone.msg, "QEMU closed the monitor"), "%s", gone.msg);
    cr_assert_eq(cima_qmp_watch_dropped(w), 0);
    cr_assert_eq(end(&p), 0);
    cima_qmp_watch_free(w);
}

/* A flood of events: what is kept has a limit, and it is the newest. */
Test(qmp_sync, F18_watch_is_bounded)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "a", 0},
                                            {QS_REPEAT, "{\"event\": \"FLOOD\"}\n", 100000},
                                            {QS_SEND, "{\"event\": \"LAST\"}\n", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_END, NULL, 0}};
    _cleanup_err_ struct err err = ERR_INIT;
    struct cima_qmp_watch *w;
    struct cima_qmp_event e;
    struct peer p = {0};
    unsigned kept = 0;

    begin(&p, steps, 0);
    w = cima_qmp_watch_new(p.q, NULL, NULL, NULL);
    cr_assert_eq(cima_qmp_execute(p.q, "a", NULL, -1, NULL, &err), 0, "%s", err.msg);
    do {
        cr_assert_eq(cima_qmp_watch_wait(w, LONG_MS, &e, &err), 0, "%s", err.msg);
        kept++;
    } while (!streq(e.name, "LAST"));
    cr_assert_eq(kept, 64);
    cr_assert_eq(cima_qmp_watch_dropped(w), 100001 - 64);
    cr_assert_eq(p.events, 100001);
    cr_assert_eq(end(&p), 0);
    cima_qmp_watch_free(w);
}

/* ---- what a log sees ------------------------------------------------------------------------- */

static char log_text[4096];

static void log_line(void *arg, bool out, const char *text, size_t len)
{
    size_t used = strlen(log_text);

    (void)arg;
    snprintf(log_text + used, sizeof(log_text) - used, "%s%.*s\n", out ? "> " : "< ", (int)len,
             text);
}

Test(qmp_sync, log_has_lines_but_no_passwords)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "set_password", 0},
                                            {QS_HAS, "geheim", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_EXPECT, "human-monitor-command", 0},
                                            {QS_HAS, "geheim", 0},
                                            {QS_REPLY, "\"\"", 0},
                                            {QS_EXPECT, "object-add", 0},
                                            {QS_HAS, "geheim", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_EXPECT, "qom-set", 0},
                                            {QS_HAS, "geheim", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_END, NULL, 0}};
    static const struct cima_qmp_handlers h = {.line = log_line};
    struct cima_opts *secret = cima_opts_new("qom-type", "secret");
    _cleanup_err_ struct err err = ERR_INIT;
    struct peer p = {0};

    p.q = cima_qmp_new(qmp_server_start(steps, &p.pid), &h, &p, LONG_MS, monotonic_ms());
    cima_opts_str(secret, "id", "s0");
    cima_opts_str(secret, "data", "geheim");
    cr_assert_eq(cima_qmp_run(p.q, cima_cmd_set_password("vnc", "geheim", NULL), NULL, &err), 0);
    free(cima_qmp_execute_hmp(p.q, "set_password vnc geheim", LONG_MS, &err));
    cr_assert_eq(cima_qmp_run(p.q, cima_cmd_object_add(secret), NULL, &err), 0, "%s", err.msg);
    cr_assert_eq(cima_qmp_run(p.q, cima_cmd_qom_set("/x", "password", json_string_new("geheim")),
                              NULL, &err),
                 0);
    cr_assert(strstr(log_text, "< {\"QMP\""), "%s", log_text);
    cr_assert(strstr(log_text,
                     "> {\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"vnc\","
                     "\"password\":\"***\"}"),
              "%s", log_text);
    cr_assert(strstr(log_text, "\"command-line\":\"set_password ***\""), "%s", log_text);
    cr_assert_not(strstr(log_text, "geheim"), "%s", log_text);
    cr_assert_eq(end(&p), 0);
}

/* ---- connecting ------------------------------------------------------------------------------ */

Test(qmp_sync, Q_01_connect_by_path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    _cleanup_err_ struct err none = ERR_INIT, dead = ERR_INIT, mute = ERR_INIT, longer = ERR_INIT;
    char dir[] = "/tmp/cima-qmp.XXXXXX", path[300];
    struct cima_qmp *q;
    int fd;

    cr_assert(mkdtemp(dir));
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/qmp.sock", dir);
    snprintf(path, sizeof(path), "%s", addr.sun_path);
    cr_assert_null(cima_qmp_connect(path, NULL, NULL, 1000, &none));
    cr_assert_eq(none.kind, ERR_NOT_FOUND);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_null(cima_qmp_connect(path, NULL, NULL, 1000, &dead));
    cr_assert_eq(dead.kind, ERR_NET);
    /* Listens, and never accepts. */
    cr_assert_eq(listen(fd, 8), 0);
    q = cima_qmp_connect(path, NULL, NULL, 100, &none);
    cr_assert(q);
    cr_assert_eq(cima_qmp_wait_ready(q, -1, &mute), -1);
    cr_assert_str_eq(mute.msg, "no greeting from QEMU's monitor within 100 ms");
    cima_qmp_free(q);
    close(fd);
    unlink(path);
    rmdir(dir);
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    cr_assert_null(cima_qmp_connect(path, NULL, NULL, 1000, &longer));
    cr_assert(strstr(longer.msg, "107"), "%s", longer.msg);
}

Test(qmp_sync, hmp_errors)
{
    static const struct {
        const char *printed, *why;
    } bad[] = {{"Error: no such snapshot\r\n", "QEMU says: no such snapshot"},
               {"unknown command: 'x'\r\n", "QEMU says: unknown command: 'x'"},
               {"Error while loading VM state\r\n", "QEMU says: Error while loading VM state"},
               {"savevm: extraneous characters\r\nTry \"help savevm\" for more\r\n",
                "QEMU says: savevm: extraneous characters"}};
    _cleanup_err_ struct err none = ERR_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_err_ struct err err = ERR_INIT;

        cr_assert_eq(cima_hmp_check(bad[i].printed, &err), -1);
        cr_assert_str_eq(err.msg, bad[i].why);
    }
    cr_assert_eq(cima_hmp_check("", &none), 0);
    cr_assert_eq(cima_hmp_check("VM status: running\r\n", &none), 0);
}
