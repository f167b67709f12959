/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "hostagent/event.h"
#include <criterion/criterion.h>

static struct event parse(const char *line)
{
    struct event e = EVENT_INIT;
    struct err err = ERR_INIT;

    cr_assert_eq(event_parse(line, strlen(line), &e, &err), 0, "%s: %s", line, err.msg);
    return e;
}

Test(event, HA_14_nothing_known_is_an_empty_status)
{
    struct event e = EVENT_INIT;
    strcpy(e.time, "2026-01-02T03:04:05.000000006Z");
    _cleanup_free_ char *json = event_to_json(&e);

    cr_assert_str_eq(json, "{\"time\":\"2026-01-02T03:04:05.000000006Z\","
                           "\"status\":{\"stage\":\"created\"}}");
}

Test(event, HA_14_round_trip_with_the_error_object)
{
    _cleanup_event_ struct event e = {.running = true, .degraded = true, .ssh_local_port = 60022,
                                      .stage = STAGE_RUNNING};
    strv_push(&e.errors, "one \"quoted\"\nline");
    strv_push(&e.errors, "two");
    e.error = xcalloc(1, sizeof(*e.error));
    err_set(e.error, ERR_GUEST, "the script 'provision.system/00000002' failed");
    err_hint(e.error, "look around");
    err_detail(e.error, "line 1\nline 2");
    err_wrap(e.error, "starting 'x'");
    _cleanup_free_ char *json = event_to_json(&e);
    cr_assert_null(strchr(json, '\n'), "an event is one line");

    _cleanup_event_ struct event back = parse(json);
    cr_assert(back.running && back.degraded && !back.exiting);
    cr_assert_eq(back.ssh_local_port, 60022);
    cr_assert_eq(back.stage, STAGE_RUNNING);
    cr_assert_eq(back.errors.n, 2);
    cr_assert_str_eq(back.errors.v[0], "one \"quoted\"\nline");
    cr_assert_eq(back.error->kind, ERR_GUEST);
    cr_assert_str_eq(back.error->detail, "line 1\nline 2");
    _cleanup_free_ char *line = err_line(back.error), *want = err_line(e.error);
    cr_assert_str_eq(line, want);
    cr_assert_gt(strlen(back.time), 25, "time was filled in");
}

/* S21: the text may be a guest's. */
Test(event, S21_what_is_waited_for)
{
    _cleanup_event_ struct event e = {.stage = STAGE_VM_RUNNING};
    e.waiting = xstrdup("it says '\x1b[31m\n\"}'");
    _cleanup_free_ char *json = event_to_json(&e);
    cr_assert_null(strchr(json, '\n'));
    cr_assert_null(strchr(json, '\x1b'));

    _cleanup_event_ struct event back = parse(json);
    cr_assert_str_eq(back.waiting, e.waiting);
    _cleanup_event_ struct event none = parse("{\"status\":{\"waitingFor\":[1]}}");
    cr_assert_null(none.waiting);
}

Test(event, HA_14_lima_writes_no_stage_and_more_keys)
{
    _cleanup_event_ struct event up =
        parse("{\"time\":\"2026-01-02T03:04:05.6+01:00\",\"status\":{\"running\":true,"
              "\"sshLocalPort\":40123,\"portForward\":{\"type\":\"forwarding\"}},\"x\":[1]}");
    _cleanup_event_ struct event down = parse("{\"status\":{\"exiting\":true}}");

    cr_assert_eq(up.stage, STAGE_RUNNING);
    cr_assert_eq(up.ssh_local_port, 40123);
    cr_assert_eq(down.stage, STAGE_GONE);
    cr_assert(down.exiting);
}

Test(event, garbage_is_an_error_or_ignored)
{
    static const char *const bad[] = {"", "{", "[]", "7", "{}", "{\"status\":3}", "\xff\xfe",
                                      "{\"status\":{}}x"};
    struct event e = EVENT_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_err_ struct err err = ERR_INIT;

        cr_assert_eq(event_parse(bad[i], strlen(bad[i]), &e, &err), -1, "%s", bad[i]);
        cr_assert(err_is_set(&err));
    }
    _cleanup_event_ struct event odd =
        parse("{\"time\":7,\"status\":{\"running\":\"yes\",\"sshLocalPort\":99999,\"errors\":{},"
              "\"stage\":\"no such\",\"error\":{\"kind\":\"nonsense\"}}}");
    cr_assert(!odd.running && odd.ssh_local_port == 0 && odd.errors.n == 0);
    cr_assert_eq(odd.stage, STAGE_CREATED);
}

Test(event, a_line_over_the_cap_is_refused)
{
    size_t len = EVENT_LINE_MAX + 1;
    _cleanup_free_ char *line = xmalloc(len);
    struct event e = EVENT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    memset(line, ' ', len);
    cr_assert_eq(event_parse(line, len, &e, &err), -1);
    cr_assert_eq(err.kind, ERR_PROTOCOL);
}

Test(stage, every_stage_has_a_name)
{
    for (int i = 0; i < STAGE_COUNT; i++) {
        enum stage back = STAGE_COUNT;

        cr_assert_eq(stage_from_string(stage_to_string((enum stage)i), &back), 0);
        cr_assert_eq((int)back, i);
    }
}

Test(event, HA_14_a_port_forward)
{
    struct event e = EVENT_INIT, back = EVENT_INIT;
    struct err err = ERR_INIT;

    e.running = true;
    e.forward = (struct event_forward){.type = (char *)"failed",
                                       .protocol = (char *)"tcp",
                                       .guest_addr = (char *)"127.0.0.1:80",
                                       .host_addr = (char *)"127.0.0.1:8080",
                                       .error = (char *)"it is busy"};
    _cleanup_free_ char *json = event_to_json(&e);
    cr_assert(strstr(json, "\"portForward\":{\"type\":\"failed\",\"protocol\":\"tcp\","
                           "\"guestAddr\":\"127.0.0.1:80\",\"hostAddr\":\"127.0.0.1:8080\","
                           "\"error\":\"it is busy\"}"), "%s", json);
    cr_assert_eq(event_parse(json, strlen(json), &back, &err), 0);
    cr_assert(back.running, "a forward's event repeats the status");
    cr_assert_str_eq(back.forward.error, "it is busy");
    event_release(&back);
    /* None when there is none. */
    e.forward = (struct event_forward){0};
    _cleanup_free_ char *without = event_to_json(&e);
    cr_assert_null(strstr(without, "portForward"));
}
