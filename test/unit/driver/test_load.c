/* SPDX-License-Identifier: Apache-2.0 */
/* SD-71: when the machine goes back to a snapshot of its memory, and when it only goes on. */
#include "driver_fixture.h"
#include "driver/log_capture.h"
#include "driver/tools.h"

/* As the fixture writes VM_EVENT_RESTORED and VM_EVENT_RESUMED. */
#define WENT_BACK "6:;3:;"
#define WENT_ON   "3:;"

static void begin(struct fixture *f)
{
    set_up(f, "firmware: {legacyBIOS: true}\n", "run");
    capture_log(f->dir);
    start(f);
    f->quit_when_running = true;
    loop_run(f->loop);
    cr_assert_eq(f->running, 1, "%s\n%s", f->end.msg, f->end.detail);
}

static void end(struct fixture *f)
{
    f->driver->kill(f->vm);
    loop_run(f->loop);
    tear_down(f);
}

struct answer {
    struct loop *loop;
    bool refused;
};

static void on_answer(void *arg, const struct json *ret, const struct err *err)
{
    struct answer *a = arg;

    a->refused = !ret && err;
    loop_quit(a->loop);
}

static uint64_t send_text(struct fixture *f, const char *command, const char *args,
                          driver_reply_fn *done, void *arg)
{
    struct json *given = args ? json_parse(args, strlen(args), "args", NULL) : NULL;

    cr_assert(given || !args);
    return f->driver->tools->send(f->vm, command, given, done, arg);
}

static bool ask(struct fixture *f, const char *command, const char *args)
{
    struct answer a = {.loop = f->loop};

    cr_assert_gt(send_text(f, command, args, on_answer, &a), 0);
    loop_run(f->loop);
    return !a.refused;
}

static bool load_by_line(struct fixture *f, const char *tag)
{
    _cleanup_free_ char *args = xasprintf("{\"command-line\": \"loadvm %s\"}", tag);

    return ask(f, "human-monitor-command", args);
}

/* What the job tells comes before the answer to the next question. */
static bool load_by_job(struct fixture *f, const char *tag)
{
    _cleanup_free_ char *args = xasprintf("{\"job-id\": \"j-%s\", \"tag\": \"%s\"}", tag, tag);

    return ask(f, "snapshot-load", args) && ask(f, "query-version", NULL);
}

static void expect_events(struct fixture *f, const char *events)
{
    cr_assert_str_eq(f->events, events);
    f->events[0] = '\0';
}

static void check_way(bool (*load)(struct fixture *f, const char *tag))
{
    struct fixture f;

    begin(&f);
    cr_assert(load(&f, "good"));
    expect_events(&f, WENT_BACK);
    cr_assert(ask(&f, "cont", NULL));
    expect_events(&f, WENT_ON);
    /* The machine stood still before: it goes back when it goes on, also when another one fails. */
    cr_assert(load(&f, "still"));
    cr_assert(load(&f, "bad"));
    expect_events(&f, "");
    cr_assert(ask(&f, "cont", NULL));
    expect_events(&f, WENT_BACK);
    cr_assert(load(&f, "bad"));
    cr_assert(ask(&f, "cont", NULL));
    expect_events(&f, WENT_ON);
    end(&f);
}

Test(load, SD_71_by_line)
{
    check_way(load_by_line);
}

Test(load, SD_71_by_job)
{
    check_way(load_by_job);
}

Test(load, SD_71_SD_74_refused)
{
    struct fixture f;

    begin(&f);
    cr_assert_not(load_by_job(&f, "refused"));
    cr_assert(ask(&f, "cont", NULL));
    expect_events(&f, WENT_ON);
    end(&f);
}

static void leave(struct fixture *f, const char *command, const char *args)
{
    f->driver->tools->cancel(f->vm, send_text(f, command, args, on_answer, NULL));
}

/* Nobody waits for the answer: of a job it is seen nevertheless, otherwise it is expected. */
Test(load, SD_71_cancelled)
{
    struct fixture f;

    begin(&f);
    leave(&f, "snapshot-load", "{\"job-id\": \"j\", \"tag\": \"bad\"}");
    leave(&f, "human-monitor-command", "{\"command-line\": \"loadvm still\"}");
    cr_assert(ask(&f, "cont", NULL));
    expect_events(&f, WENT_BACK);
    end(&f);
}

/* The machine ends while one is under way. */
Test(load, SD_71_ends_meanwhile)
{
    struct fixture f;

    begin(&f);
    cr_assert_gt(
        send_text(&f, "snapshot-load", "{\"job-id\": \"j\", \"tag\": \"still\"}", NULL, NULL), 0);
    end(&f);
}
