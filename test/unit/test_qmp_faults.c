/* SPDX-License-Identifier: Apache-2.0 */
/* A monitor that is broken or hostile (F18), and callbacks that do what they want. */
#include "qmp_peer.h"
#include "base/mem.h"
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

/* ---- F18 ------------------------------------------------------------------------------------- */

Test(qmp_faults, F18_no_greeting)
{
    static const struct qmp_step steps[] = {{QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 150);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_TIMEOUT);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp_faults, Q_03_F18_capabilities_unanswered)
{
    static const struct qmp_step steps[] = {
        QS_GREETING, {QS_EXPECT, "qmp_capabilities", 0}, {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, cima_qmp_state(p.q) == CIMA_QMP_NEGOTIATING);
    cima_qmp_set_step(p.q, 150, monotonic_ms());
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_TIMEOUT);
    cr_assert(strstr(p.why, "qmp_capabilities"), "%s", p.why);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp_faults, F18_capabilities_refused)
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

Test(qmp_faults, F18_half_lines)
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

Test(qmp_faults, F18_ten_megabytes_in_a_line)
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

Test(qmp_faults, F18_line_without_end)
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

Test(qmp_faults, F18_garbage)
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

Test(qmp_faults, F18_never_answers)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "slow", 0},
                                            {QS_SIGNAL, NULL, 0},
                                            {QS_REPLY, "{\"is\": \"late\"}", 0},
                                            {QS_EXPECT, "next", 0},
                                            {QS_REPLY, "{\"is\": \"next\"}", 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.ready);
    ask(&p, "slow", 150);
    RUN_UNTIL(&p, p.replies == 1);
    cr_assert(strstr(p.order, "slow: the QMP command was not answered in time"), "%s", p.order);
    /* The late reply is nobody else's. */
    ask(&p, "next", -1);
    kill(p.pid, SIGUSR1);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert(strstr(p.order, ";next;"), "%s", p.order);
    cr_assert_eq(end(&p), 0);
}

Test(qmp_faults, F18_byte_by_byte)
{
    static const struct qmp_step steps[] = {
        {QS_DRIP,
         "{\"event\": \"A\"}\r\n{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, "
         "\"minor\": 2, \"major\": 7}}}}\r\n",
         200},
        {QS_EXPECT, "qmp_capabilities", 0},
        {QS_REPLY, "{}", 0},
        {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, LONG_MS);
    RUN_UNTIL(&p, p.ready);
    cr_assert_eq(p.events, 1);
    cr_assert_eq(end(&p), 0);
}

/* 15 MB are within the limit of a line, but as values they would be gigabytes. */
Test(qmp_faults, F18_too_many_values)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_SEND, "{\"event\": \"A\", \"data\": {\"a\": [1", 0},
                                            {QS_REPEAT, ",[]", 5000000},
                                            {QS_SEND, "]}}\n", 0},
                                            {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_PROTOCOL);
    cr_assert(strstr(p.why, "more than 500000 values"), "%s", p.why);
    end(&p);
}

/* Commas in a text are no values. */
Test(qmp_faults, F18_long_text_of_commas)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_EXPECT, "a", 0},
        {QS_SEND, "{\"event\": \"A\", \"data\": {\"a\": \"\\\\\\\"", 0},
        {QS_REPEAT, ",{[", 1000000},
        {QS_SEND, "\"}}\n", 0},
        {QS_REPLY, "{}", 0},
        {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask(&p, "a", -1);
    RUN_UNTIL(&p, p.replies);
    cr_assert_eq(p.events, 1);
    cr_assert_str_eq(p.order, "ok;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp_faults, F18_deep_nesting)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_SEND, "{\"event\": \"A\", \"data\": ", 0},
                                            {QS_REPEAT, "{\"a\":", 100000},
                                            {QS_SEND, "\n", 0},
                                            {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.why_kind, ERR_PROTOCOL);
    end(&p);
}

/* Replies to nothing, without a command, with ids of every kind: all are skipped. */
Test(qmp_faults, F18_replies_to_nothing)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_SEND,
         "{\"return\": {}}\n{\"return\": {}, \"id\": 7}\n{\"return\": {}, \"id\": \"2\"}\n"
         "{\"return\": {}, \"id\": -1}\n{\"return\": {}, \"id\": null}\n"
         "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\n"
         "{\"error\": {}, \"id\": {}}\n",
         0},
        {QS_EXPECT, "a", 0},
        {QS_REPLY, "{}", 0},
        {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.skipped == 7);
    ask(&p, "a", 0);
    RUN_UNTIL(&p, p.replies);
    cr_assert_str_eq(p.order, "ok;");
    cr_assert_eq(end(&p), 0);
}

/* A reply must not come before its command was written: the rest of the line would be taken for the
 * next one. */
Test(qmp_faults, F18_reply_to_half_a_command)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_SEND, "{\"return\": {}, \"id\": 1}\n", 0},
                                            {QS_SIGNAL, NULL, 0},
                                            {QS_EXPECT, "big", 0},
                                            {QS_REPLY, "{\"is\": \"right\"}", 0},
                                            {QS_END, NULL, 0}};
    struct cima_qmp_call call = {.command = "big", .args = json_object_new()};
    _cleanup_free_ char *text = xcalloc(1, (1 << 20) + 1);
    struct peer p = {0};
    int small = 4096;

    memset(text, 'x', 1 << 20);
    json_set_str(call.args, "x", text);
    begin(&p, steps, 0);
    setsockopt(cima_qmp_fd(p.q), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    cr_assert_eq(ask_call(&p, call), 1, "the id that the server guesses");
    RUN_UNTIL(&p, p.skipped);
    kill(p.pid, SIGUSR1);
    RUN_UNTIL(&p, p.replies);
    cr_assert_str_eq(p.order, "right;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp_faults, F18_reads_nothing)
{
    static const struct qmp_step steps[] = {QS_HELLO, {QS_SIGNAL, NULL, 0}, {QS_END, NULL, 0}};
    struct cima_qmp_call call = {.command = "big", .args = json_object_new(), .timeout_ms = 200};
    _cleanup_free_ char *text = xcalloc(1, (1 << 20) + 1);
    struct peer p = {0};
    int small = 4096;

    memset(text, 'x', 1 << 20);
    json_set_str(call.args, "x", text);
    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.ready);
    setsockopt(cima_qmp_fd(p.q), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    ask_call(&p, call);
    ask(&p, "behind", 200);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert_str_eq(p.order, "big: the QMP command was not answered in time;"
                              "behind: the QMP command was not answered in time;");
    kill(p.pid, SIGUSR1);
    cr_assert_eq(end(&p), 0);
}

/* Half closed: reading never ends, writing fails. */
Test(qmp_faults, F18_takes_no_more)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_SHUT, NULL, 0},
                                            {QS_SEND, "{\"event\": \"NOW\"}\n", 0},
                                            {QS_SIGNAL, NULL, 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.events);
    ask(&p, "a", -1);
    RUN_UNTIL(&p, p.closed);
    cr_assert(strstr(p.why, "writing to the monitor failed"), "%s", p.why);
    cr_assert_eq(p.replies, 1);
    kill(p.pid, SIGUSR1);
    cr_assert_eq(end(&p), 0);
}

/* While nothing happens nothing is done. */
Test(qmp_faults, F18_no_busy_loop)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "slow", 0},
                                            {QS_SLEEP, NULL, 1000},
                                            {QS_REPLY, "{}", 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};
    int64_t begun = monotonic_ms();

    begin(&p, steps, 0);
    ask(&p, "slow", -1);
    ask(&p, "behind", LONG_MS);
    RUN_UNTIL(&p, p.replies);
    /* A turn lasts 100 ms at most: some ten while it waits, and those that had something to do. */
    int64_t ms = monotonic_ms() - begun;
    cr_assert_lt(p.turns, 60 + ms / 50, "%u turns in %lld ms", p.turns, (long long)ms);
    end(&p);
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
Test(qmp_faults, process_in_callback)
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

    p.q = cima_qmp_new(fd, &h, &p, LONG_MS, monotonic_ms());
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

Test(qmp_faults, free_in_reply)
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

Test(qmp_faults, free_in_closed)
{
    static const struct qmp_step steps[] = {{QS_SEND, "nonsense\n", 0}, {QS_HANG, NULL, 0}};
    static const struct cima_qmp_handlers h = {.closed = free_in_closed};
    struct peer p = {0};
    int fd = qmp_server_start(steps, &p.pid);

    p.q = cima_qmp_new(fd, &h, &p, LONG_MS, monotonic_ms());
    RUN_UNTIL(&p, !p.q);
    cr_assert_eq(qmp_server_end(p.pid), HANG_STATUS);
}

static void try_again(void *arg, const struct json *ret, const struct err *err)
{
    struct peer *p = arg;
    struct cima_qmp_call call = {.command = "a", .done = try_again, .arg = p};

    (void)ret;
    if (err && ++p->replies < 1000)
        cima_qmp_send(p->q, &call, monotonic_ms());
}

/* A callback that tries again for ever does not hold its owner: one attempt for a step. */
Test(qmp_faults, Q_07_retry_in_reply)
{
    static const struct qmp_step steps[] = {QS_HELLO, {QS_END, NULL, 0}};
    struct cima_qmp_call call = {.command = "a", .done = try_again};
    struct peer p = {0};

    begin(&p, steps, 0);
    call.arg = &p;
    cima_qmp_send(p.q, &call, monotonic_ms());
    RUN_UNTIL(&p, p.closed);
    cr_assert_eq(p.replies, 1);
    step(&p);
    cr_assert_eq(p.replies, 2);
    end(&p);
}

static void cancel_others(void *arg, const struct json *ret, const struct err *err)
{
    struct peer *p = arg;

    (void)ret;
    (void)err;
    p->replies++;
    for (uint64_t id = 1; id < 10; id++)
        cima_qmp_cancel(p->q, id);
}

/* Q-06 while everything ends: what is cancelled is not answered any more. */
Test(qmp_faults, Q_06_cancel_in_reply)
{
    static const struct qmp_step steps[] = {QS_HELLO, {QS_END, NULL, 0}};
    struct cima_qmp_call call = {.command = "a", .done = cancel_others};
    struct peer p = {0};

    begin(&p, steps, 0);
    call.arg = &p;
    for (int i = 0; i < 5; i++)
        cima_qmp_send(p.q, &call, monotonic_ms());
    RUN_UNTIL(&p, p.closed);
    /* The one that was in flight stays until it is answered, if it was not the first. */
    cr_assert_leq(p.replies, 2);
    cr_assert_geq(p.replies, 1);
    end(&p);
}
