/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/probes.h"
#include "base/log.h"
#include "base/mem.h"
#include "ssh/failure.h"
#include "ssh/requirements.h"
#include "ssh/ssh_job.h"
#include <signal.h>
#include <sys/wait.h>

#define RETRY_FIRST_MS 200
#define RETRY_LAST_MS 3000
#define LAST_TRY_MS 30000

struct probe_service {
    struct service base;
    struct ssh_target target;
    unsigned at;  /* index in cfg->probes */
    int64_t retry_ms;
    struct job *job;
    struct loop_source *timer, *deadline;
    bool timed_out, cut_short, stopped;
    char *last_reason, *last_errors; /* of the last try that ended by itself */
};

static void try_probe(struct probe_service *s);

static struct probe_service *self(struct service *base)
{
    return (struct probe_service *)base;
}

static const struct config_probe *current(const struct probe_service *s)
{
    return &s->base.host->cfg->probes[s->at];
}

static const char *description(const struct config_probe *p)
{
    return str_empty(p->description) ? "user probe" : p->description;
}

static void begin_probe(struct probe_service *s);

static void forget_tries(struct probe_service *s)
{
    free(s->last_reason);
    free(s->last_errors);
    s->last_reason = s->last_errors = NULL;
}

static void next_probe(struct probe_service *s)
{
    forget_tries(s);
    s->deadline = loop_source_free(s->deadline);
    s->timer = loop_source_free(s->timer);
    s->at++;
    if (s->at < s->base.host->cfg->probes_count) {
        begin_probe(s);
        return;
    }
    service_waiting(&s->base, NULL);
    s->base.host->release(s->base.host, STAGE_RUNNING);
}

static void fail_probe(struct probe_service *s, const char *reason, const char *errors)
{
    const struct config_probe *p = current(s);
    struct service_host *h = s->base.host;
    struct err err = ERR_INIT;

    err_set(&err, ERR_GUEST, "probe '%s' did not succeed: %s", description(p), reason);
    err_detail(&err, errors);
    if (!str_empty(p->hint))
        err_hint(&err, "%s", p->hint);
    h->degraded(h, probe_service.name, &err);
    next_probe(s);
}

static void on_retry(void *arg)
{
    struct probe_service *s = arg;

    s->timer = loop_source_free(s->timer);
    try_probe(s);
}

/* 255 is ssh's own: the guest was not reached, or the script has an odd idea of failing. Caller
 * frees. */
static char *end_reason(const struct probe_service *s, int wait_status, const char *errors)
{
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 255)
        return xasprintf("exit status %d", WEXITSTATUS(wait_status));
    return ssh_exit_problem(&s->target, wait_status, errors);
}

/* What the tries before said is worth more than that we have ended the last one. */
static void give_up(struct probe_service *s)
{
    const char *reason = s->last_reason ? s->last_reason : "it does not end";
    _cleanup_free_ char *text =
        xasprintf("%s, tried for %lld s", reason, (long long)(s->base.host->patience_ms / 1000));

    fail_probe(s, text, s->last_errors ? s->last_errors : "");
}

static void on_ended(void *arg, int wait_status, const char *errors)
{
    struct probe_service *s = arg;

    s->job = NULL;
    if (s->stopped)
        return;
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
        log_info("The optional requirement %u of %u is satisfied", s->at + 1,
                 s->base.host->cfg->probes_count);
        next_probe(s);
        return;
    }
    if (!s->cut_short) {
        forget_tries(s);
        s->last_reason = end_reason(s, wait_status, errors);
        s->last_errors = xstrdup(errors);
        log_debug("probe '%s': %s", description(current(s)), s->last_reason);
    }
    if (s->timed_out) {
        give_up(s);
    } else if (s->base.host->troubled) {
        /* Something else has gone wrong already, most likely what the probe waits for. */
        fail_probe(s, s->last_reason, s->last_errors);
    } else {
        s->timer = loop_add_timer(s->base.host->loop, s->retry_ms, on_retry, s);
        s->retry_ms = s->retry_ms * 2 < RETRY_LAST_MS ? s->retry_ms * 2 : RETRY_LAST_MS;
    }
}

static void on_deadline(void *arg);

/* The time was over between two tries: one more, with a limit of its own. */
static void last_try(struct probe_service *s)
{
    int64_t patience = s->base.host->patience_ms;

    s->deadline = loop_add_timer(s->base.host->loop,
                                 patience < LAST_TRY_MS ? patience : LAST_TRY_MS, on_deadline, s);
    on_retry(s);
}

static void on_deadline(void *arg)
{
    struct probe_service *s = arg;

    s->deadline = loop_source_free(s->deadline);
    s->timed_out = true;
    s->cut_short = s->job != NULL;
    if (s->job)
        job_terminate(s->job);
    else
        last_try(s);
}

/* A line that the script does not hold, for the here-document that it travels in. */
static char *delimiter_for(const char *script)
{
    char *delimiter = NULL;
    unsigned n = 0;

    do {
        free(delimiter);
        delimiter = xasprintf("CIMA_PROBE_%u", n++);
    } while (strstr(script, delimiter));
    return delimiter;
}

static void try_probe(struct probe_service *s)
{
    const struct config_probe *p = current(s);
    _cleanup_free_ char *delimiter = delimiter_for(p->script);
    _cleanup_free_ char *script = remote_user_script(p->script, delimiter);
    struct err err = ERR_INIT;

    s->job = ssh_job_start(s->base.host->loop, &s->target, SSH_MASTER_USE, NULL,
                           &(struct job_spec){.input = script, .ended = on_ended, .arg = s}, &err);
    if (s->job)
        return;
    s->base.host->degraded(s->base.host, probe_service.name, &err);
    next_probe(s);
}

static void begin_probe(struct probe_service *s)
{
    struct service_host *h = s->base.host;
    const struct config_probe *p = current(s);

    log_info("Waiting for the optional requirement %u of %u: `%s`", s->at + 1, h->cfg->probes_count,
             description(p));
    if (str_empty(p->script)) {
        next_probe(s);
        return;
    }
    _cleanup_free_ char *waiting = xasprintf("probe '%s' has not succeeded yet", description(p));
    service_waiting(&s->base, waiting);
    s->retry_ms = RETRY_FIRST_MS;
    s->timed_out = s->cut_short = false;
    s->deadline = loop_add_timer(h->loop, h->patience_ms, on_deadline, s);
    try_probe(s);
}

/* ---- as a service ------------------------------------------------------------------------------ */

static struct service *probe_create(struct service_host *h)
{
    if (!h->cfg->probes_count)
        return NULL;
    struct probe_service *s = xcalloc(1, sizeof(*s));
    s->base = (struct service){.type = &probe_service, .host = h};
    return &s->base;
}

static void probe_start(struct service *base)
{
    struct probe_service *s = self(base);
    struct service_host *h = base->host;

    ssh_target_init(&s->target, h->store, h->inst, h->cfg, h->ssh_port);
    h->hold(h, STAGE_RUNNING);
    begin_probe(s);
}

static void probe_stop(struct service *base)
{
    struct probe_service *s = self(base);

    s->stopped = true;
    s->timer = loop_source_free(s->timer);
    s->deadline = loop_source_free(s->deadline);
    if (s->job)
        job_terminate(s->job);
}

static void probe_free(struct service *base)
{
    struct probe_service *s = self(base);

    job_free(s->job);
    loop_source_free(s->timer);
    loop_source_free(s->deadline);
    forget_tries(s);
    ssh_target_release(&s->target);
    free(s);
}

const struct service_type probe_service = {
    .name = "probes",
    .start_at = STAGE_BOOT_DONE,
    .create = probe_create,
    .start = probe_start,
    .stop = probe_stop,
    .free = probe_free,
};
