/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/line.h"
#include "base/log.h"
#include "base/mem.h"
#include <assert.h>

struct line {
    enum stage now, target;
    unsigned holds[STAGE_COUNT];
    bool walking; /* a service may claim or release from within its start() */
    struct service **services;
    size_t n_services, cap_services;
    struct service **started; /* in the order of their starts */
    size_t n_started;
    line_fn *entered;
    void *arg;
};

struct line *line_new(line_fn *entered, void *arg)
{
    struct line *l = xcalloc(1, sizeof(*l));

    l->now = l->target = STAGE_CREATED;
    l->entered = entered;
    l->arg = arg;
    return l;
}

void line_add_services(struct line *l, struct service_host *host,
                       const struct service_type *const *types)
{
    assert(l->target == STAGE_CREATED && !l->started);
    for (; *types; types++) {
        struct service *s = (*types)->create(host);

        if (!s)
            continue;
        GROW_ARRAY(l->services, l->n_services, l->cap_services);
        l->services[l->n_services++] = s;
    }
    l->started = xcalloc(l->n_services + 1, sizeof(l->started[0]));
}

void line_free(struct line *l)
{
    if (!l)
        return;
    for (size_t i = l->n_services; i > 0; i--)
        l->services[i - 1]->type->free(l->services[i - 1]);
    free(l->services);
    free(l->started);
    free(l);
}

enum stage line_stage(const struct line *l)
{
    return l->now;
}

static void enter(struct line *l, enum stage stage)
{
    size_t running = l->n_started;

    l->now = stage;
    l->entered(l->arg, stage);
    /* The observer or a service may have ended the walk: then nothing more is started. */
    for (size_t i = 0; i < l->n_services && l->now == stage; i++)
        if (l->services[i]->type->start_at == stage) {
            log_debug("service %s starts", l->services[i]->type->name);
            l->started[l->n_started++] = l->services[i];
            l->services[i]->type->start(l->services[i]);
        }
    for (size_t i = 0; i < running && l->now == stage; i++)
        if (l->started[i]->type->stage)
            l->started[i]->type->stage(l->started[i], stage);
}

static void walk(struct line *l)
{
    if (l->walking)
        return;
    l->walking = true;
    for (;;) {
        if (l->now == STAGE_BOOT_DONE && l->target == STAGE_BOOT_DONE)
            l->target = STAGE_RUNNING;
        if (l->now >= l->target || l->holds[l->now + 1])
            break;
        enter(l, l->now + 1);
    }
    l->walking = false;
}

void line_claim(struct line *l, enum stage stage)
{
    assert(stage <= STAGE_RUNNING);
    if (l->now >= STAGE_RUNNING)
        return;
    if (stage > l->target)
        l->target = stage;
    walk(l);
}

void line_hold(struct line *l, enum stage stage)
{
    l->holds[stage]++;
}

void line_release(struct line *l, enum stage stage)
{
    /* line_force_running() has dropped holds that their owners will still release. */
    if (l->holds[stage])
        l->holds[stage]--;
    if (l->now < STAGE_RUNNING)
        walk(l);
}

void line_force_running(struct line *l)
{
    memset(l->holds, 0, sizeof(l->holds));
    line_claim(l, STAGE_RUNNING);
}

void line_event(struct line *l, enum guest_event ev)
{
    for (size_t i = 0; i < l->n_started && l->now < STAGE_STOPPING; i++)
        if (l->started[i]->type->event)
            l->started[i]->type->event(l->started[i], ev);
}

void line_stop(struct line *l)
{
    if (l->now >= STAGE_STOPPING)
        return;
    l->now = l->target = STAGE_STOPPING;
    l->entered(l->arg, STAGE_STOPPING);
    for (size_t i = l->n_started; i > 0; i--) {
        log_debug("service %s stops", l->started[i - 1]->type->name);
        l->started[i - 1]->type->stop(l->started[i - 1]);
    }
}

void line_gone(struct line *l)
{
    line_stop(l);
    if (l->now == STAGE_GONE)
        return;
    l->now = l->target = STAGE_GONE;
    l->entered(l->arg, STAGE_GONE);
}
