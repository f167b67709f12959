/* SPDX-License-Identifier: Apache-2.0 */
/* The QMP client against a scripted server: rows and fault F18. */
#include "qemu/qemu.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake/qmp_server.h"
#include "sys/clock.h"
#include "qemu/qmp_message.h"
#include <criterion/criterion.h>
#include <poll.h>
#include <unistd.h>

#define HANG_STATUS 2 /* the server was still waiting when we closed */

struct peer {
    struct cima_qmp *q;
    pid_t pid;
    unsigned ready, events, closed, replies;
    char last_event[64], order[256], why[512];
    enum err_kind why_kind;
};

static void on_ready(void *arg, const struct json *greeting)
{
    struct peer *p = arg;
    unsigned v[3];

    p->ready++;
    cr_assert_eq(qmp_version(greeting, v), 0);
    cr_assert_eq(v[0], 7);
    cr_assert_eq(v[2], 22);
}

static void on_event(void *arg, const struct cima_qmp_event *e)
{
    struct peer *p = arg;

    p->events++;
    snprintf(p->last_event, sizeof(p->last_event), "%s", e->name);
}

static void on_closed(void *arg, const struct err *why)
{
    struct peer *p = arg;

    p->closed++;
    p->why_kind = why->kind;
    snprintf(p->why, sizeof(p->why), "%s", why->msg);
}

static const struct cima_qmp_handlers handlers = {
    .ready = on_ready, .event = on_event, .closed = on_closed};

static void begin(struct peer *p, const struct qmp_step *steps, int step_ms)
{
    int fd = qmp_server_start(steps, &p->pid);

    log_set_level(LOG_ERROR);
    p->q = cima_qmp_new(fd, &handlers, p, step_ms, monotonic_ms());
}

static int end(struct peer *p)
{
    cima_qmp_free(p->q);
    return qmp_server_end(p->pid);
}

/* Until cond holds or 5 s have passed. */
#define RUN_UNTIL(p, cond)                                                                         \
    do {                                                                                           \
        for (int64_t until_ = deadline_in(5000); !(cond);) {                                       \
            cr_assert(monotonic_ms() < until_, "timed out: " #cond);                               \
            step(p);                                                                               \
        }                                                                                          \
    } while (0)

static void step(struct peer *p)
{
    struct pollfd f = {.fd = cima_qmp_fd(p->q), .events = cima_qmp_wants(p->q)};
    int64_t next = cima_qmp_deadline(p->q), now = monotonic_ms();
    int ms = next < 0 ? 100 : next <= now ? 0 : (int)(next - now);

    poll(&f, 1, ms > 100 ? 100 : ms);
    cima_qmp_process(p->q, monotonic_ms());
}

static void on_reply(void *arg, const struct json *ret, const struct err *err)
{
    struct peer *p = arg;
    size_t used = strlen(p->order);
    _cleanup_free_ char *why = err ? err_message(err) : NULL;

    p->replies++;
    cr_assert((ret != NULL) != (err != NULL));
    snprintf(p->order + used, sizeof(p->order) - used, "%s;",
             err                       ? why
             : json_get_str(ret, "is") ? json_get_str(ret, "is")
                                       : "ok");
}

static uint64_t ask(struct peer *p, const char *command, int timeout_ms)
{
    struct cima_qmp_call call = {
        .command = command, .timeout_ms = timeout_ms, .done = on_reply, .arg = p};

    return cima_qmp_send(p->q, &call, monotonic_ms());
}

/* events may come before the greeting; commands wait for READY. */
Test(qmp, Q01_greeting_after_event)
{
    static const struct qmp_step steps[] = {
        {QS_SEND,
         "{\"event\": \"RESUME\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 2}}\r\n", 0},
        QS_HELLO,
        {QS_EXPECT, "query-status", 0},
        {QS_REPLY, "{\"is\": \"fine\"}", 0},
        {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask(&p, "query-status", 0);
    cr_assert_eq(cima_qmp_state(p.q), CIMA_QMP_GREETING);
    RUN_UNTIL(&p, p.replies);
    cr_assert_eq(p.ready, 1);
    cr_assert_eq(p.events, 1);
    cr_assert_str_eq(p.last_event, "RESUME");
    cr_assert_str_eq(p.order, "fine;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp, Q02_no_version)
{
    static const struct qmp_step steps[] = {
        {QS_SEND, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}}}\r\n", 0},
        {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_PROTOCOL);
    cr_assert_str_eq(p.why, "failed to find QMP version information");
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, Q04_fifo_one_in_flight)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_EXPECT, "a", 0},
        {QS_SEND, "{\"return\": {}, \"id\": 999}\r\n", 0},
        {QS_SEND, "{\"return\": {}}\r\n{\"strange\": 1}\r\n", 0},
        {QS_REPLY, "{\"is\": \"1\"}", 0},
        {QS_EXPECT, "b", 0},
        {QS_ERROR, "no such thing", 0},
        {QS_EXPECT, "c", 0},
        {QS_REPLY, "{\"is\": \"3\"}", 0},
        {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask(&p, "a", 0);
    ask(&p, "b", 0);
    ask(&p, "c", 0);
    RUN_UNTIL(&p, p.replies == 3);
    cr_assert_str_eq(p.order, "1;b: QMP command failed: no such thing;3;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp, Q06_cancel)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "a", 0},
                                            {QS_SLEEP, NULL, 50},
                                            {QS_REPLY, "{\"is\": \"1\"}", 0},
                                            {QS_EXPECT, "c", 0},
                                            {QS_REPLY, "{\"is\": \"3\"}", 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};
    uint64_t a, b;

    begin(&p, steps, 0);
    a = ask(&p, "a", 0);
    b = ask(&p, "b", 0);
    ask(&p, "c", 0);
    RUN_UNTIL(&p, p.ready); /* and a is sent */
    cima_qmp_cancel(p.q, a);
    cima_qmp_cancel(p.q, b);
    cima_qmp_cancel(p.q, 4711);
    RUN_UNTIL(&p, p.replies == 1);
    cr_assert_str_eq(p.order, "3;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp, Q07_lost_socket_fails_everything)
{
    static const struct qmp_step steps[] = {
        QS_HELLO, {QS_EXPECT, "a", 0}, {QS_SEND, "{\"retu", 0}, {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask(&p, "a", -1);
    ask(&p, "b", -1);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.replies, 2);
    cr_assert(
        strstr(p.order,
               "a: exitting QMP loop, command cancelled: QEMU closed the monitor in the middle"),
        "%s", p.order);
    cr_assert_eq(cima_qmp_state(p.q), CIMA_QMP_DEAD);
    cr_assert_eq(cima_qmp_fd(p.q), -1);
    cr_assert_eq(cima_qmp_deadline(p.q), -1);
    ask(&p, "late", 0);
    cr_assert_eq(p.replies, 2, "never from within");
    cr_assert_eq(cima_qmp_deadline(p.q), 0);
    step(&p);
    cr_assert_eq(p.replies, 3);
    cr_assert_eq(p.closed, 1);
    cr_assert_eq(end(&p), 0);
}

Test(qmp, Q09_shutdown_twice)
{
    static const struct qmp_step steps[] = {QS_HELLO, {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.ready);
    ask(&p, "a", 0);
    cima_qmp_shutdown(p.q);
    cima_qmp_shutdown(p.q);
    step(&p);
    cr_assert_eq(p.replies, 1);
    cr_assert_eq(p.closed, 1);
    cr_assert_eq(end(&p), HANG_STATUS);
}

static void ask_until(struct peer *p, const char *command, const char *event, const char *value,
                      int timeout_ms)
{
    struct cima_qmp_call call = {.command = command,
                                 .timeout_ms = timeout_ms,
                                 .until_event = event,
                                 .until_value = value,
                                 .done = on_reply,
                                 .arg = p};

    cima_qmp_send(p->q, &call, monotonic_ms());
}

Test(qmp, Q10_powerdown_ends_with_its_event)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "system_powerdown", 0},
                                            {QS_REPLY, "{\"is\": \"down\"}", 0},
                                            {QS_EXPECT, "next", 0},
                                            {QS_REPLY, "{\"is\": \"next\"}", 0},
                                            {QS_SEND, "{\"event\": \"POWERDOWN\"}\r\n", 0},
                                            {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_until(&p, "system_powerdown", "POWERDOWN", NULL, 0);
    ask(&p, "next", 0);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert_str_eq(p.order, "next;down;");
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, Q10_event_before_reply)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "system_powerdown", 0},
                                            {QS_SEND, "{\"event\": \"POWERDOWN\"}\r\n", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_until(&p, "system_powerdown", "POWERDOWN", NULL, 0);
    RUN_UNTIL(&p, p.replies == 1);
    cr_assert_str_eq(p.order, "ok;");
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, Q11_device_deleted_of_that_device)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_EXPECT, "device_del", 0},
        {QS_REPLY, "{}", 0},
        {QS_SEND, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"other\"}}\r\n", 0},
        {QS_SEND, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/x\"}}\r\n", 0},
        {QS_EXPECT, "query-status", 0},
        {QS_REPLY, "{\"is\": \"first\"}", 0},
        {QS_SEND, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"mine\"}}\r\n", 0},
        {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_until(&p, "device_del", "DEVICE_DELETED", "mine", 0);
    ask(&p, "query-status", 0);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert_str_eq(p.order, "first;ok;");
    cr_assert_eq(p.events, 3);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, Q11_event_never_comes)
{
    static const struct qmp_step steps[] = {
        QS_HELLO, {QS_EXPECT, "device_del", 0}, {QS_REPLY, "{}", 0}, {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_until(&p, "device_del", "DEVICE_DELETED", "mine", 150);
    RUN_UNTIL(&p, p.replies == 1);
    cr_assert(strstr(p.order, "device_del: the event 'DEVICE_DELETED' did not follow in time"),
              "%s", p.order);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, Q12_descriptor_comes_along)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "getfd", 0},
                                            {QS_FDS, NULL, 1},
                                            {QS_REPLY, "{}", 0},
                                            {QS_EXPECT, "query-status", 0},
                                            {QS_FDS, NULL, 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_END, NULL, 0}};
    struct cima_qmp_call call = {.with_fd = true};
    struct peer p = {0};

    begin(&p, steps, 0);
    call.command = "getfd";
    call.fd = STDERR_FILENO;
    call.done = on_reply;
    call.arg = &p;
    cima_qmp_send(p.q, &call, monotonic_ms());
    ask(&p, "query-status", 0);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert_eq(end(&p), 0);
}

/* ---- F18 ------------------------------------------------------------------------------------- */

Test(qmp, F18_no_greeting)
{
    static const struct qmp_step steps[] = {{QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 150);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_TIMEOUT);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, F18_capabilities_unanswered)
{
    static const struct qmp_step steps[] = {
        QS_GREETING, {QS_EXPECT, "qmp_capabilities", 0}, {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 150);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_TIMEOUT);
    cr_assert(strstr(p.why, "qmp_capabilities"), "%s", p.why);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, F18_capabilities_refused)
{
    static const struct qmp_step steps[] = {QS_GREETING,
                                            {QS_EXPECT, "qmp_capabilities", 0},
                                            {QS_ERROR, "not today", 0},
                                            {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.closed);
    cr_assert(strstr(p.why, "not today"), "%s", p.why);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, F18_half_lines)
{
    static const struct qmp_step steps[] = {
        {QS_SEND, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"min", 0},
        {QS_SLEEP, NULL, 30},
        {QS_SEND, "or\": 2, \"major\": 7}}}}\r", 0},
        {QS_SLEEP, NULL, 30},
        {QS_SEND, "\n", 0},
        {QS_EXPECT, "qmp_capabilities", 0},
        {QS_REPLY, "{}", 0},
        {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.ready);
    cr_assert_eq(end(&p), 0);
}

Test(qmp, F18_ten_megabytes_in_a_line)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "big", 0},
                                            {QS_SEND, "{\"event\": \"", 0},
                                            {QS_FLOOD, NULL, 10 << 20},
                                            {QS_SEND, "\"}\n", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask(&p, "big", 0);
    RUN_UNTIL(&p, p.replies);
    cr_assert_eq(p.events, 1);
    cr_assert_str_eq(p.order, "ok;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp, F18_line_without_end)
{
    static const struct qmp_step steps[] = {
        QS_HELLO, {QS_FLOOD, NULL, 20 << 20}, {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_PROTOCOL);
    cr_assert(strstr(p.why, "16 MiB"), "%s", p.why);
    end(&p);
}

Test(qmp, F18_garbage)
{
    static const char *const garbage[] = {"HTTP/1.1 400 Bad Request\r\n", "{\"return\": {}\n",
                                          "[1]\n", "{\"a\": \"\xff\"}\n", "\"\n"};

    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
        const struct qmp_step steps[] = {QS_HELLO, {QS_SEND, garbage[i], 0}, {QS_HANG, NULL, 0}};
        struct peer p = {0};

        begin(&p, steps, 0);
        RUN_UNTIL(&p, p.closed);
        cr_assert_eq(p.why_kind, ERR_PROTOCOL);
        cr_assert_eq(end(&p), HANG_STATUS);
    }
}

Test(qmp, F18_never_answers)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "slow", 0},
                                            {QS_SLEEP, NULL, 400},
                                            {QS_REPLY, "{\"is\": \"late\"}", 0},
                                            {QS_EXPECT, "next", 0},
                                            {QS_REPLY, "{\"is\": \"next\"}", 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask(&p, "slow", 150);
    RUN_UNTIL(&p, p.replies == 1);
    cr_assert(strstr(p.order, "slow: the QMP command was not answered in time"), "%s", p.order);
    /* The late reply is nobody else's. */
    ask(&p, "next", 0);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert(strstr(p.order, ";next;"), "%s", p.order);
    cr_assert_eq(end(&p), 0);
}

/* ---- working inside callbacks ---------------------------------------------------------------- */

static void process_in_event(void *arg, const struct cima_qmp_event *e)
{
    struct peer *p = arg;

    (void)e;
    if (p->events++ == 0)
        ask(p, "a", 0);
    cima_qmp_process(p->q, monotonic_ms());
}

/* Several lines in one packet, and a callback that wants the next step at once. */
Test(qmp, process_in_callback)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_SEND, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n{\"event\": \"C\"}\n", 0},
        {QS_EXPECT, "a", 0},
        {QS_REPLY, "{}", 0},
        {QS_END, NULL, 0}};
    static const struct cima_qmp_handlers h = {.event = process_in_event};
    struct peer p = {0};
    int fd = qmp_server_start(steps, &p.pid);

    p.q = cima_qmp_new(fd, &h, &p, 0, monotonic_ms());
    RUN_UNTIL(&p, p.replies);
    cr_assert_eq(p.events, 3);
    cr_assert_eq(end(&p), 0);
}

/* ---- freeing inside callbacks ---------------------------------------------------------------- */

static void free_in_reply(void *arg, const struct json *ret, const struct err *err)
{
    struct peer *p = arg;

    (void)ret;
    (void)err;
    p->replies++;
    cima_qmp_free(p->q);
    p->q = NULL;
}

Test(qmp, free_in_reply)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "a", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_SEND, "{\"event\": \"X\"}\n", 0},
                                            {QS_END, NULL, 0}};
    struct cima_qmp_call call = {.command = "a", .done = free_in_reply};
    struct peer p = {0};

    begin(&p, steps, 0);
    call.arg = &p;
    cima_qmp_send(p.q, &call, monotonic_ms());
    call.command = "b";
    cima_qmp_send(p.q, &call, monotonic_ms());
    RUN_UNTIL(&p, !p.q);
    cr_assert_eq(p.replies, 1);
    qmp_server_end(p.pid);
}

static void free_in_closed(void *arg, const struct err *why)
{
    struct peer *p = arg;

    (void)why;
    cima_qmp_free(p->q);
    p->q = NULL;
}

Test(qmp, free_in_closed)
{
    static const struct qmp_step steps[] = {{QS_SEND, "nonsense\n", 0}, {QS_HANG, NULL, 0}};
    static const struct cima_qmp_handlers h = {.closed = free_in_closed};
    struct peer p = {0};
    int fd = qmp_server_start(steps, &p.pid);

    p.q = cima_qmp_new(fd, &h, &p, 0, monotonic_ms());
    RUN_UNTIL(&p, !p.q);
    cr_assert_eq(qmp_server_end(p.pid), HANG_STATUS);
}

/* ---- without a loop -------------------------------------------------------------------------- */

Test(qmp, blocking_calls)
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
    cr_assert_eq(cima_qmp_wait_ready(p.q, 5000, &e1), 0, "%s", e1.msg);
    cr_assert_eq(cima_qmp_execute(p.q, "query-version", NULL, 5000, &ret, &e1), 0);
    cr_assert_eq(json_get_int(ret, "is", 0), 1);
    hmp = cima_qmp_execute_hmp(p.q, "info usernet", 5000, &e1);
    cr_assert_str_eq(hmp, "text\r\n");
    cr_assert_eq(cima_qmp_execute(p.q, "bad", NULL, 5000, NULL, &e2), -1);
    cr_assert_eq(e2.kind, ERR_QEMU);
    cr_assert_eq(cima_qmp_execute(p.q, "slow", NULL, 100, NULL, &e3), -1);
    cr_assert_eq(e3.kind, ERR_TIMEOUT);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, wait_ready_tells_why)
{
    static const struct qmp_step gone[] = {{QS_END, NULL, 0}}, mute[] = {{QS_HANG, NULL, 0}};
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    struct peer p = {0}, m = {0};

    begin(&p, gone, 0);
    cr_assert_eq(cima_qmp_wait_ready(p.q, 5000, &e1), -1);
    cr_assert_str_eq(e1.msg, "lost connection to VM: QEMU closed the monitor");
    end(&p);
    begin(&m, mute, 60000);
    cr_assert_eq(cima_qmp_wait_ready(m.q, 100, &e2), -1);
    cr_assert_eq(e2.kind, ERR_TIMEOUT);
    end(&m);
}

Test(qmp, usernet)
{
    static const char text[] =
        "Hub -1 (net0):\r\n"
        "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
        "  TCP[ESTABLISHED]   31       127.0.0.1 22     192.168.5.15    22     0     0\r\n"
        "  UDP[HOST_FORWARD]  12       127.0.0.1 5353     10.0.2.15    22     0     0\r\n"
        "  TCP[HOST_FORWARD]  12       127.0.0.1 8080     10.0.2.15    80     0     0\r\n"
        "  TCP[HOST_FORWARD]  13       127.0.0.1 40937    10.0.2.15    22     0     0\r\n";

    cr_assert_eq(qmp_usernet_port(text, 22), 40937);
    cr_assert_eq(qmp_usernet_port(text, 80), 8080);
    cr_assert_eq(qmp_usernet_port(text, 443), 0);
    cr_assert_eq(qmp_usernet_port("", 22), 0);
    cr_assert_eq(qmp_usernet_port("TCP[HOST_FORWARD] 1 * 70000 x 22 0", 22), 0);
    cr_assert_eq(qmp_usernet_port("TCP[HOST_FORWARD] 1 * 7", 22), 0);
}
