/* SPDX-License-Identifier: Apache-2.0 */
/* The QMP client against a scripted server: rows. */
#include "qmp_peer.h"
#include "base/mem.h"
#include "cima/qemu/commands.h"
#include "qemu/qmp_message.h"
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

/* events may come before the greeting; commands wait for READY. */
Test(qmp, Q_01_greeting_after_event)
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
    cr_assert_eq(p.seconds, 1);
    cr_assert_eq(p.microseconds, 2);
    cr_assert_str_eq(p.order, "fine;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp, Q_02_no_version)
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

Test(qmp, Q_04_Q_05_fifo_one_in_flight)
{
    static const struct qmp_step steps[] = {{QS_SEND, "{\"return\": {}}\r\n", 0},
                                            QS_HELLO,
                                            {QS_EXPECT, "a", 0},
                                            {QS_SEND, "{\"return\": {}, \"id\": 999}\r\n", 0},
                                            {QS_SEND, "{\"strange\": 1}\r\n", 0},
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
    cr_assert_eq(p.skipped, 3, "two stray replies, and what is neither");
    cr_assert_str_eq(p.last_skipped, "a message of no known kind");
    cr_assert_eq(end(&p), 0);
}

/* A peer that does not say the ids back is understood all the same, for one command is in flight at
 * a time: QEMU itself leaves the id out of its answer to a line that it could not parse. */
Test(qmp, Q_04_Q_05_Q_06_replies_without_an_id)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_EXPECT, "a", 0},
        {QS_SLEEP, NULL, 50},
        {QS_SEND, "{\"return\": {\"is\": \"1\"}}\r\n", 0},
        {QS_EXPECT, "b", 0},
        {QS_SEND, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n",
         0},
        {QS_EXPECT, "c", 0},
        {QS_SEND, "{\"error\": null}\r\n", 0},
        {QS_EXPECT, "d", 0},
        {QS_SEND, "{\"return\": null}\r\n", 0},
        {QS_END, NULL, 0}};
    struct peer p = {0};
    uint64_t a;

    begin(&p, steps, 0);
    a = ask(&p, "a", 0);
    ask(&p, "b", 0);
    ask(&p, "c", 0);
    ask(&p, "d", 0);
    RUN_UNTIL(&p, p.ready);
    cima_qmp_cancel(p.q, a); /* its reply is not the next one's */
    RUN_UNTIL(&p, p.replies == 3);
    cr_assert_str_eq(p.order, "b: QMP command failed: JSON parse error;"
                              "c: QMP command failed: no reason given;ok;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp, Q_06_cancel)
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

Test(qmp, Q_07_lost_socket_fails_everything)
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

Test(qmp, Q_09_shutdown_twice)
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
    ask_call(p, (struct cima_qmp_call){.command = command,
                                       .timeout_ms = timeout_ms,
                                       .until_event = event,
                                       .until_value = value});
}

Test(qmp, Q_10_powerdown_ends_with_its_event)
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

Test(qmp, Q_10_event_before_reply)
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

Test(qmp, Q_11_device_deleted_of_that_device)
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

Test(qmp, Q_11_event_never_comes)
{
    static const struct qmp_step steps[] = {
        QS_HELLO, {QS_EXPECT, "device_del", 0}, {QS_REPLY, "{}", 0}, {QS_HANG, NULL, 0}};
    bool answered = false;

    /* On a busy machine the reply, too, comes only within a longer time. */
    for (int ms = 150; !answered; ms *= 4) {
        struct peer p = {0};

        cr_assert_lt(ms, LONG_MS, "the reply does not come");
        begin(&p, steps, 0);
        RUN_UNTIL(&p, p.ready);
        ask_until(&p, "device_del", "DEVICE_DELETED", "mine", ms);
        RUN_UNTIL(&p, p.replies == 1);
        answered = !strstr(p.order, "was not answered in time");
        if (answered)
            cr_assert(strstr(p.order,
                             "device_del: the event 'DEVICE_DELETED' did not follow in time"),
                      "%s", p.order);
        int status = end(&p);
        cr_assert(!answered || status == HANG_STATUS, "%d", status);
    }
}

Test(qmp, Q_12_descriptor_comes_along)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "getfd", 0},
                                            {QS_FDS, NULL, 1},
                                            {QS_REPLY, "{}", 0},
                                            {QS_EXPECT, "query-status", 0},
                                            {QS_FDS, NULL, 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_call(&p, cima_cmd_getfd("name", STDERR_FILENO));
    ask(&p, "query-status", 0);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert_eq(end(&p), 0);
}

/* ---- the version ----------------------------------------------------------------------- */

static void refused_version(const char *version, const char *why)
{
    _cleanup_free_ char *greeting =
        xasprintf("{\"QMP\": {\"version\": {\"qemu\": {%s}}, \"capabilities\": []}}\r\n", version);
    const struct qmp_step steps[] = {{QS_SEND, greeting, 0}, {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    RUN_UNTIL(&p, p.closed);
    cr_assert_str_eq(p.why, why);
    cr_assert_eq(p.ready, 0);
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, Q_02_versions)
{
    static const char none[] = "failed to find QMP version information";

    refused_version("\"major\": 4, \"minor\": 2, \"micro\": 1",
                    "cima requires qemu version 5.0 or later, this is qemu (4.2)");
    refused_version("\"major\": 0, \"minor\": 0, \"micro\": 0",
                    "cima requires qemu version 5.0 or later, this is qemu (0.0)");
    refused_version("\"major\": \"7\", \"minor\": 2, \"micro\": 1", none);
    refused_version("\"major\": -7, \"minor\": 2, \"micro\": 1", none);
    refused_version("", none);
}

Test(qmp, Q_02_oldest_version)
{
    static const struct qmp_step steps[] = {
        {QS_SEND,
         "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 5, \"minor\": 0, \"micro\": 0}}}}\n", 0},
        {QS_EXPECT, "qmp_capabilities", 0},
        {QS_REPLY, "{}", 0},
        {QS_HANG, NULL, 0}};
    _cleanup_err_ struct err err = ERR_INIT;
    unsigned v[3] = {0};
    struct peer p = {0};

    p.q = cima_qmp_new(qmp_server_start(steps, &p.pid), NULL, NULL, LONG_MS, monotonic_ms());
    cr_assert_eq(cima_qmp_version(p.q, v), -1);
    cr_assert_null(cima_qmp_greeting(p.q));
    cr_assert_eq(cima_qmp_wait_ready(p.q, LONG_MS, &err), 0, "%s", err.msg);
    cr_assert_eq(cima_qmp_version(p.q, v), 0);
    cr_assert(v[0] == 5 && v[1] == 0);
    cr_assert_not(cima_qmp_has_oob(p.q));
    cr_assert_eq(end(&p), HANG_STATUS);
}

Test(qmp, Q_02_lost_before_it_was_ready)
{
    static const struct qmp_step at_once[] = {{QS_END, NULL, 0}},
                                 greeted[] = {QS_GREETING, {QS_END, NULL, 0}};
    struct peer p = {0}, g = {0};

    begin(&p, at_once, 0);
    RUN_UNTIL(&p, p.closed);
    cr_assert_str_eq(p.why, "lost connection to VM: QEMU closed the monitor");
    end(&p);
    begin(&g, greeted, 0);
    RUN_UNTIL(&g, g.closed);
    cr_assert(strstr(g.why, "lost connection to VM: "), "%s", g.why);
    end(&g);
}

/* ---- what is left to cancel ------------------------------------------------------------ */

/* Answered, waiting for its event: over at once, and the event means nothing to it. */
Test(qmp, Q_06_cancel_of_one_that_waits_for_its_event)
{
    static const struct qmp_step steps[] = {QS_HELLO,
                                            {QS_EXPECT, "system_powerdown", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_EXPECT, "next", 0},
                                            {QS_REPLY, "{\"is\": \"next\"}", 0},
                                            {QS_SIGNAL, NULL, 0},
                                            {QS_SEND, "{\"event\": \"POWERDOWN\"}\n", 0},
                                            {QS_HANG, NULL, 0}};
    struct cima_qmp_call down = {.command = "system_powerdown", .until_event = "POWERDOWN"};
    struct peer p = {0};
    uint64_t id;

    begin(&p, steps, 0);
    id = ask_call(&p, down);
    ask(&p, "next", 0);
    RUN_UNTIL(&p, p.replies);
    cima_qmp_cancel(p.q, id);
    kill(p.pid, SIGUSR1);
    RUN_UNTIL(&p, p.events);
    cr_assert_str_eq(p.order, "next;");
    cr_assert_eq(end(&p), HANG_STATUS);
}

/* ---- events ---------------------------------------------------------------------------- */

static char event_order[64];

static void note_event(void *arg, const struct cima_qmp_event *e)
{
    size_t used = strlen(event_order);
    struct peer *p = arg;

    p->events++;
    p->seconds = e->seconds;
    p->microseconds = e->microseconds;
    snprintf(event_order + used, sizeof(event_order) - used, "%s%s ", e->name,
             e->data ? json_get_str(e->data, "k") : "");
}

Test(qmp, Q_08_events_in_order_with_their_time)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_SEND,
         "{\"timestamp\": {\"seconds\": 1763790000, \"microseconds\": 999999}, \"event\": \"A\", "
         "\"data\": {\"k\": \"1\"}}\n{\"event\": \"B\", \"data\": []}\r\n"
         "{\"event\": \"A\", \"data\": {\"k\": \"2\"}, \"timestamp\": {\"seconds\": -1, "
         "\"microseconds\": -1}}\n",
         0},
        {QS_SIGNAL, NULL, 0},
        {QS_SEND,
         "{\"event\": \"C\", \"timestamp\": {\"seconds\": 1763790000, \"microseconds\": 7}}\n", 0},
        {QS_END, NULL, 0}};
    static const struct cima_qmp_handlers h = {.event = note_event};
    struct peer p = {0};

    p.q = cima_qmp_new(qmp_server_start(steps, &p.pid), &h, &p, LONG_MS, monotonic_ms());
    RUN_UNTIL(&p, p.events == 3);
    cr_assert_eq(p.seconds, -1);
    kill(p.pid, SIGUSR1);
    RUN_UNTIL(&p, p.events == 4);
    cr_assert_eq(p.seconds, 1763790000);
    cr_assert_eq(p.microseconds, 7);
    cr_assert_str_eq(event_order, "A1 B A2 C ");
    RUN_UNTIL(&p, cima_qmp_state(p.q) == CIMA_QMP_DEAD);
    cr_assert_eq(end(&p), 0);
}

/* ---- the guest refuses ----------------------------------------------------------------- */

Test(qmp, Q_11_guest_refuses)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,
        {QS_EXPECT, "device_del", 0},
        {QS_REPLY, "{}", 0},
        {QS_SEND, "{\"event\": \"DEVICE_UNPLUG_GUEST_ERROR\", \"data\": {\"device\": \"other\"}}\n",
         0},
        {QS_SEND, "{\"event\": \"DEVICE_UNPLUG_GUEST_ERROR\", \"data\": {\"device\": \"d\"}}\n", 0},
        {QS_HANG, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_call(&p, cima_cmd_device_del("d"));
    RUN_UNTIL(&p, p.replies);
    cr_assert_str_eq(p.order,
                     "device_del: QMP command failed: event 'DEVICE_UNPLUG_GUEST_ERROR' came;");
    cr_assert_eq(end(&p), HANG_STATUS);
}

/* ---- descriptors and out-of-band commands ---------------------------------------------- */

/* The line does not fit into the socket's buffer: it goes in many pieces, the descriptor once. */
Test(qmp, Q_12_descriptor_goes_once_with_a_line_in_pieces)
{
    static const struct qmp_step steps[] = {
        QS_HELLO,          {QS_SIGNAL, NULL, 0}, {QS_EXPECT, "add-fd", 0},
        {QS_FDS, NULL, 1}, {QS_REPLY, "{}", 0},  {QS_EXPECT, "next", 0},
        {QS_FDS, NULL, 0}, {QS_REPLY, "{}", 0},  {QS_END, NULL, 0}};
    struct cima_qmp_call call = {.command = "add-fd", .args = json_object_new(), .with_fd = true};
    _cleanup_free_ char *text = xcalloc(1, (1 << 20) + 1);
    struct peer p = {0};
    int small = 4096, fd;

    memset(text, 'x', 1 << 20);
    json_set_str(call.args, "opaque", text);
    begin(&p, steps, 0);
    setsockopt(cima_qmp_fd(p.q), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    RUN_UNTIL(&p, p.ready);
    fd = dup(STDERR_FILENO);
    call.fd = fd;
    ask_call(&p, call);
    close(fd); /* the client has its own */
    ask(&p, "next", -1);
    step(&p);
    cr_assert(cima_qmp_wants(p.q) & POLLOUT, "there is more to write");
    kill(p.pid, SIGUSR1);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert_str_eq(p.order, "ok;ok;");
    cr_assert_eq(end(&p), 0);
}

Test(qmp, Q_12_descriptor_that_is_none)
{
    static const struct qmp_step steps[] = {
        QS_HELLO, {QS_EXPECT, "next", 0}, {QS_REPLY, "{}", 0}, {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_call(&p, cima_cmd_getfd("name", 99999));
    cr_assert_eq(p.replies, 0, "never from within");
    cr_assert_eq(cima_qmp_deadline(p.q), 0);
    ask(&p, "next", 0);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert(strstr(p.order, "getfd: the descriptor 99999 can't go along: "), "%s", p.order);
    cr_assert_eq(end(&p), 0);
}

/* They pass the queue, several are in flight, and answers come in any order. */
Test(qmp, Q_12_out_of_band_passes_the_queue)
{
    static const struct qmp_step steps[] = {QS_GREETING,
                                            {QS_EXPECT, "qmp_capabilities", 0},
                                            {QS_HAS, "\"enable\":[\"oob\"]", 0},
                                            {QS_REPLY, "{}", 0},
                                            {QS_EXPECT, "slow", 0},
                                            {QS_KEEP, NULL, 0},
                                            {QS_HAS, "\"execute\"", 0},
                                            {QS_EXPECT, "one", 0},
                                            {QS_KEEP, NULL, 1},
                                            {QS_HAS, "\"exec-oob\"", 0},
                                            {QS_EXPECT, "two", 0},
                                            {QS_KEEP, NULL, 2},
                                            {QS_REPLY_KEPT, "{\"is\": \"2\"}", 2},
                                            {QS_REPLY_KEPT, "{\"is\": \"1\"}", 1},
                                            {QS_REPLY_KEPT, "{\"is\": \"again\"}", 1},
                                            {QS_REPLY_KEPT, "{\"is\": \"slow\"}", 0},
                                            {QS_EXPECT, "queued", 0},
                                            {QS_REPLY, "{\"is\": \"queued\"}", 0},
                                            {QS_END, NULL, 0}};
    struct peer p = {0};

    begin(&p, steps, 0);
    cima_qmp_want_oob(p.q);
    RUN_UNTIL(&p, p.ready);
    cr_assert(cima_qmp_has_oob(p.q));
    ask(&p, "slow", 0);
    ask(&p, "queued", 0);
    step(&p);
    ask_call(&p, (struct cima_qmp_call){.command = "one", .out_of_band = true});
    ask_call(&p, (struct cima_qmp_call){.command = "two", .out_of_band = true});
    RUN_UNTIL(&p, p.replies == 4);
    cr_assert_str_eq(p.order, "2;1;slow;queued;");
    cr_assert_eq(p.skipped, 1, "the second answer to the same");
    cr_assert_eq(end(&p), 0);
}

/* Not offered, or not asked for: an answer, no waiting; before and after the handshake. */
Test(qmp, Q_12_no_out_of_band)
{
    static const struct qmp_step steps[] = {QS_HELLO, {QS_HANG, NULL, 0}};
    const struct cima_qmp_call call = {.command = "yank", .out_of_band = true};
    struct peer p = {0};

    begin(&p, steps, 0);
    ask_call(&p, call);
    RUN_UNTIL(&p, p.ready && p.replies == 1);
    ask_call(&p, call);
    RUN_UNTIL(&p, p.replies == 2);
    cr_assert_str_eq(p.order, "yank: there is no out-of-band execution on this connection;"
                              "yank: there is no out-of-band execution on this connection;");
    cr_assert_eq(end(&p), HANG_STATUS);
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
