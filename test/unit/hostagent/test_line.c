/* SPDX-License-Identifier: Apache-2.0 */
/* The stage line with services that write down what happens to them. */
#include "base/mem.h"
#include "base/sbuf.h"
#include "hostagent/line.h"
#include <criterion/criterion.h>

static struct sbuf diary;
static struct line *line;

struct fake {
    struct service base;
    int letter;
};

static void note(struct service *s, const char *what)
{
    sbuf_addf(&diary, "%c:%s ", ((struct fake *)s)->letter, what);
}

static void on_stage(void *arg, enum stage stage)
{
    (void)arg;
    sbuf_addf(&diary, "[%s] ", stage_to_string(stage));
}

static void fake_start(struct service *s)
{
    note(s, "start");
}

static void fake_stage(struct service *s, enum stage stage)
{
    note(s, stage_to_string(stage));
}

static void fake_event(struct service *s, enum guest_event ev)
{
    note(s, guest_event_to_string(ev));
}

static void fake_stop(struct service *s)
{
    note(s, "stop");
}

static void fake_free(struct service *s)
{
    note(s, "free");
    free(s);
}

static struct service *make(const struct service_type *type, struct service_host *h, int letter)
{
    struct fake *f = xcalloc(1, sizeof(*f));

    f->base = (struct service){.type = type, .host = h};
    f->letter = letter;
    return &f->base;
}

static struct service *create_none(struct service_host *h)
{
    (void)h;
    return NULL;
}

/* Each letter has a type of its own for its create function to know. */
static struct service *create_a(struct service_host *h);
static struct service *create_b(struct service_host *h);
static struct service *create_c(struct service_host *h);

#define FAKE_TYPE(l, at, start_fn)                                                              \
    static const struct service_type type_##l = {                                               \
        .name = #l, .start_at = at, .create = create_##l, .start = start_fn,                    \
        .stage = fake_stage, .event = fake_event, .stop = fake_stop, .free = fake_free};        \
    static struct service *create_##l(struct service_host *h)                                   \
    {                                                                                           \
        return make(&type_##l, h, *#l);                                                         \
    }

static void start_and_claim_all(struct service *s)
{
    fake_start(s);
    line_claim(line, STAGE_BOOT_DONE);
}

static void start_and_end(struct service *s)
{
    fake_start(s);
    line_stop(line);
}

FAKE_TYPE(a, STAGE_VM_RUNNING, fake_start)
FAKE_TYPE(b, STAGE_USER_SESSION, start_and_claim_all)
FAKE_TYPE(c, STAGE_USER_SESSION, start_and_end)

static const struct service_type type_none = {
    .name = "none", .start_at = STAGE_VM_RUNNING, .create = create_none};

static void setup(const struct service_type *const *types)
{
    static struct service_host host;

    line = line_new(on_stage, NULL);
    line_add_services(line, &host, types);
}

static void expect(const char *want)
{
    cr_assert_str_eq(sbuf_str(&diary), want);
    sbuf_clear(&diary);
}

static void teardown(void)
{
    sbuf_release(&diary);
}

TestSuite(line, .fini = teardown);

Test(line, walks_through_the_stages_between)
{
    setup((const struct service_type *const[]){&type_a, &type_none, NULL});
    line_claim(line, STAGE_DISK_READY);
    expect("[disk ready] ");
    line_claim(line, STAGE_SSH_BANNER);
    expect("[vm running] a:start [ssh banner] a:ssh banner ");
    line_claim(line, STAGE_VM_RUNNING);
    expect("");
    cr_assert_eq(line_stage(line), STAGE_SSH_BANNER);
    line_claim(line, STAGE_BOOT_DONE);
    expect("[user session] a:user session [agent hello] a:agent hello [boot done] a:boot done "
           "[running] a:running ");
    line_stop(line);
    line_stop(line);
    line_gone(line);
    expect("[stopping] a:stop [gone] ");
    line_free(line);
    expect("a:free ");
}

Test(line, a_service_may_claim_while_it_starts)
{
    setup((const struct service_type *const[]){&type_b, &type_a, NULL});
    line_claim(line, STAGE_USER_SESSION);
    expect("[disk ready] [vm running] a:start [ssh banner] a:ssh banner [user session] b:start "
           "a:user session [agent hello] a:agent hello b:agent hello [boot done] a:boot done "
           "b:boot done [running] a:running b:running ");
    line_gone(line);
    expect("[stopping] b:stop a:stop [gone] ");
    line_free(line);
}

Test(line, holds_are_counted)
{
    setup((const struct service_type *const[]){&type_a, NULL});
    line_hold(line, STAGE_RUNNING);
    line_hold(line, STAGE_RUNNING);
    line_claim(line, STAGE_BOOT_DONE);
    cr_assert_eq(line_stage(line), STAGE_BOOT_DONE);
    line_release(line, STAGE_RUNNING);
    cr_assert_eq(line_stage(line), STAGE_BOOT_DONE);
    line_release(line, STAGE_RUNNING);
    cr_assert_eq(line_stage(line), STAGE_RUNNING);
    line_free(line);
}

Test(line, a_forced_start_drops_holds_whose_owners_release_later)
{
    setup((const struct service_type *const[]){&type_a, NULL});
    line_hold(line, STAGE_BOOT_DONE);
    line_claim(line, STAGE_VM_RUNNING);
    line_force_running(line);
    cr_assert_eq(line_stage(line), STAGE_RUNNING);
    line_release(line, STAGE_BOOT_DONE);
    cr_assert_eq(line_stage(line), STAGE_RUNNING);
    line_free(line);
}

Test(line, a_service_may_end_the_walk_while_it_starts)
{
    setup((const struct service_type *const[]){&type_c, &type_a, &type_b, NULL});
    line_claim(line, STAGE_BOOT_DONE);
    expect("[disk ready] [vm running] a:start [ssh banner] a:ssh banner [user session] c:start "
           "[stopping] c:stop a:stop ");
    line_claim(line, STAGE_RUNNING);
    line_release(line, STAGE_RUNNING);
    line_event(line, GUEST_RESET);
    expect("");
    line_free(line);
    expect("b:free a:free c:free ");
}

Test(line, events_go_to_those_that_run)
{
    setup((const struct service_type *const[]){&type_a, &type_b, NULL});
    line_event(line, GUEST_RESET);
    line_claim(line, STAGE_VM_RUNNING);
    sbuf_clear(&diary);
    line_event(line, GUEST_RESET);
    line_event(line, GUEST_PAUSED);
    expect("a:reset a:paused ");
    line_gone(line);
    line_free(line);
}

Test(line, stopped_before_anything_has_started)
{
    setup((const struct service_type *const[]){&type_a, NULL});
    line_gone(line);
    expect("[stopping] [gone] ");
    line_free(line);
    expect("a:free ");
}
