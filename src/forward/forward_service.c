/* SPDX-License-Identifier: Apache-2.0 */
#include "forward/forward_service.h"
#include "base/log.h"
#include "base/mem.h"
#include "forward/listen.h"
#include "forward/rules.h"
#include "json/json.h"
#include "ssh/ssh_job.h"
#include <sys/stat.h>
#include <sys/wait.h>

#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 30000
/* A master that does not answer is on its way out. */
#define JOB_MS 20000
/* Forwards in one command; a command line has its limits. */
#define BATCH_MAX 128

enum link_state { LINK_DOWN, LINK_UP, LINK_STOPPED };

enum item_state {
    ITEM_WANTED, /* to be asked for in this round */
    ITEM_ASKED,  /* in the command that runs */
    ITEM_ALONE,  /* a command with others has failed: to be asked for by itself */
    ITEM_FAILED, /* until the next round */
    ITEM_UP,
};

struct item {
    const struct forward *f;
    enum item_state state;
    char *problem;  /* as it was told last, NULL when it was not */
    bool announced; /* its first time up was told */
};

struct forward_service {
    struct service base;
    struct ssh_target target;
    struct forward_plan plan;
    struct item *items; /* plan.n of them */
    enum link_state link;
    bool held;          /* STAGE_RUNNING waits for the first round */
    bool boot_done;     /* nothing but the likes of us is waited for */
    bool guest_cleared; /* dead sockets of reverse rules were removed from the guest */
    struct job *job;
    struct loop_source *limit, *retry, *deferred;
    int64_t retry_ms;
};

static void next(struct forward_service *s);

static struct forward_service *self(struct service *base)
{
    return (struct forward_service *)base;
}

/* ---- what is told ------------------------------------------------------------------------------ */

static const char *label(const struct forward *f)
{
    return streq(forward_protocol(f), "tcp") ? "TCP" : "UNIX";
}

static void note(struct forward_service *s, const struct forward *f, const char *type,
                 const char *error)
{
    struct service_host *h = s->base.host;

    h->port_forward(h, &(struct port_forward_note){.type = type,
                                                   .protocol = forward_protocol(f),
                                                   .guest_addr = f->guest_addr,
                                                   .host_addr = f->host_addr,
                                                   .error = error});
}

static void item_up(struct forward_service *s, struct item *it)
{
    const struct forward *f = it->f;

    it->state = ITEM_UP;
    if (it->announced && !it->problem)
        return; /* back after the master was */
    if (f->reverse)
        log_info("Forwarding %s from \"%s\" (host) to \"%s\" (guest)", label(f), f->host_addr,
                 f->guest_addr);
    else
        log_info("Forwarding %s from %s to %s", label(f), f->guest_addr, f->host_addr);
    if (forward_port_shadowed(f))
        log_warn("Another program listens on port %u of the other loopback address: a client that "
                 "says `localhost` may reach that instead of the guest", f->host_port);
    it->announced = true;
    free(it->problem);
    it->problem = NULL;
    note(s, f, "forwarding", NULL);
}

/* Said when it is news; empties err. */
static void item_failed(struct forward_service *s, struct item *it, struct err *err)
{
    char *problem = err_message(err), *line = err_line(err);

    it->state = ITEM_FAILED;
    if (!streq0(problem, it->problem)) {
        log_warn("portForwards[%u]: failed to listen %s: %s: %s", it->f->rule,
                 forward_protocol(it->f), it->f->reverse ? it->f->guest_addr : it->f->host_addr,
                 line);
        note(s, it->f, "failed", problem);
    }
    free(it->problem);
    it->problem = problem;
    free(line);
    err_clear(err);
}

/* ---- jobs -------------------------------------------------------------------------------------- */

static void on_limit(void *arg)
{
    struct forward_service *s = arg;

    s->limit = loop_source_free(s->limit);
    job_terminate(s->job);
}

/* input: for `sh -s` in the guest; NULL: the options are all there is. 0, or the error is filled. */
static int start_job(struct forward_service *s, const struct strv *options, const char *input,
                     void (*ended)(void *, int, const char *), struct err *err)
{
    s->job = ssh_job_start(s->base.host->loop, &s->target, SSH_MASTER_USE, options,
                           &(struct job_spec){.input = input, .ended = ended, .arg = s}, err);
    if (!s->job)
        return -1;
    loop_source_free(s->limit);
    s->limit = loop_add_timer(s->base.host->loop, JOB_MS, on_limit, s);
    return 0;
}

static void job_over(struct forward_service *s)
{
    s->job = NULL;
    s->limit = loop_source_free(s->limit);
}

static bool succeeded(int wait_status)
{
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

static void add_spec(struct strv *options, const struct forward *f)
{
    strv_pushl(options, f->reverse ? "-R" : "-L", f->spec, NULL);
}

/* What ssh said in the end; the line before "master forward request failed" has the reason. */
static char *ssh_reason(const char *errors)
{
    static const char prefix[] = "mux_client_forward: forwarding request failed: ";
    const char *at = strstr(errors, prefix);

    if (!at)
        return xstrdup(*errors ? errors : "it gives no reason");
    at += strlen(prefix);
    return xstrndup(at, strcspn(at, "\n"));
}

static void on_asked(void *arg, int wait_status, const char *errors)
{
    struct forward_service *s = arg;
    size_t n = 0;

    job_over(s);
    for (size_t i = 0; i < s->plan.n; i++)
        n += s->items[i].state == ITEM_ASKED;
    for (size_t i = 0; i < s->plan.n; i++) {
        struct item *it = &s->items[i];

        if (it->state != ITEM_ASKED)
            continue;
        if (succeeded(wait_status)) {
            item_up(s, it);
        } else if (n > 1) {
            it->state = ITEM_ALONE; /* ssh does not tell which of them */
        } else {
            _cleanup_free_ char *reason = ssh_reason(errors);
            struct err err = ERR_INIT;

            err_set(&err, ERR_NET, "ssh does not forward it: %s", reason);
            item_failed(s, it, &err);
        }
    }
    next(s);
}

/* Takes into the command what can be had; the rest has failed. */
static void pick(struct forward_service *s, enum item_state from, size_t max, struct strv *options)
{
    size_t n = 0;

    for (size_t i = 0; i < s->plan.n && n < max; i++) {
        struct item *it = &s->items[i];
        struct err err = ERR_INIT;

        if (it->state != from)
            continue;
        /* After a command that failed in parts it may be up: ssh answers that a second time, too. */
        if (from == ITEM_WANTED && forward_check_host(it->f, &err)) {
            item_failed(s, it, &err);
            continue;
        }
        it->state = ITEM_ASKED;
        add_spec(options, it->f);
        n++;
    }
}

static void fail_asked(struct forward_service *s, struct err *err)
{
    for (size_t i = 0; i < s->plan.n; i++)
        if (s->items[i].state == ITEM_ASKED) {
            struct err copy = ERR_INIT;

            err_copy(&copy, err);
            item_failed(s, &s->items[i], &copy);
        }
    err_clear(err);
}

static bool ask(struct forward_service *s)
{
    _cleanup_strv_ struct strv options = STRV_INIT;
    struct err err = ERR_INIT;

    strv_pushl(&options, "-O", "forward", NULL);
    pick(s, ITEM_WANTED, BATCH_MAX, &options);
    if (options.n == 2)
        pick(s, ITEM_ALONE, 1, &options);
    if (options.n == 2)
        return false;
    if (start_job(s, &options, NULL, on_asked, &err))
        fail_asked(s, &err);
    return s->job != NULL;
}

/* ---- sockets in the guest ---------------------------------------------------------------------- */

/* sshd does not listen on a path that is there. What is no socket stays, and the forward fails. */
static char *clear_script(const struct forward_service *s)
{
    struct sbuf b = SBUF_INIT;

    sbuf_addstr(&b, "clear() {\n"
                    "    if [ -S \"$1\" ] && [ ! -L \"$1\" ]; then rm -f \"$1\"; fi\n"
                    "    d=${1%/*}\n"
                    "    [ -z \"$d\" ] || [ -d \"$d\" ] || mkdir -p \"$d\"\n"
                    "}\n");
    for (size_t i = 0; i < s->plan.n; i++)
        if (s->plan.v[i].reverse && s->items[i].state != ITEM_UP) {
            sbuf_addstr(&b, "clear ");
            sbuf_add_shell_quoted(&b, s->plan.v[i].guest_socket);
            sbuf_addch(&b, '\n');
        }
    sbuf_addstr(&b, "exit 0\n");
    return sbuf_detach(&b);
}

static bool wants_reverse(const struct forward_service *s)
{
    for (size_t i = 0; i < s->plan.n; i++)
        if (s->plan.v[i].reverse && s->items[i].state == ITEM_WANTED)
            return true;
    return false;
}

static void on_cleared(void *arg, int wait_status, const char *errors)
{
    struct forward_service *s = arg;

    job_over(s);
    if (!succeeded(wait_status) || *errors)
        log_debug("forward: clearing sockets in the guest: %s", errors);
    next(s);
}

static bool clear_guest(struct forward_service *s)
{
    _cleanup_strv_ struct strv none = STRV_INIT;
    struct err ignored = ERR_INIT;

    if (s->guest_cleared || !wants_reverse(s))
        return false;
    s->guest_cleared = true;
    _cleanup_free_ char *script = clear_script(s);
    if (start_job(s, &none, script, on_cleared, &ignored))
        err_clear(&ignored); /* the forward itself will tell */
    return s->job != NULL;
}

/* ---- rounds ------------------------------------------------------------------------------------ */

static void release_hold(struct forward_service *s)
{
    if (!s->held)
        return;
    s->held = false;
    s->base.host->release(s->base.host, STAGE_RUNNING);
}

static void begin_round(struct forward_service *s)
{
    for (size_t i = 0; i < s->plan.n; i++)
        if (s->items[i].state == ITEM_FAILED)
            s->items[i].state = ITEM_WANTED;
    s->guest_cleared = false;
    next(s);
}

static void on_retry(void *arg)
{
    struct forward_service *s = arg;

    s->retry = loop_source_free(s->retry);
    begin_round(s);
}

static void end_round(struct forward_service *s)
{
    bool all = true;

    for (size_t i = 0; i < s->plan.n; i++)
        all = all && s->items[i].state == ITEM_UP;
    if (!all && !s->retry) {
        s->retry = loop_add_timer(s->base.host->loop, s->retry_ms, on_retry, s);
        s->retry_ms = s->retry_ms * 2 < RETRY_LAST_MS ? s->retry_ms * 2 : RETRY_LAST_MS;
    }
    release_hold(s);
}

static void next(struct forward_service *s)
{
    if (s->job || s->link != LINK_UP)
        return;
    if (!clear_guest(s) && !ask(s))
        end_round(s);
}

static void on_deferred(void *arg)
{
    struct forward_service *s = arg;

    s->deferred = loop_source_free(s->deferred);
    begin_round(s);
}

static void link_up(struct forward_service *s)
{
    s->link = LINK_UP;
    s->retry_ms = RETRY_FIRST_MS;
    /* Not from within the line's own walk. */
    if (!s->deferred)
        s->deferred = loop_defer(s->base.host->loop, on_deferred, s);
}

static void quieten(struct forward_service *s)
{
    s->job = job_free(s->job);
    s->limit = loop_source_free(s->limit);
    s->retry = loop_source_free(s->retry);
    s->deferred = loop_source_free(s->deferred);
}

/* Whatever was up went with the master. */
static void link_down(struct forward_service *s)
{
    s->link = LINK_DOWN;
    quieten(s);
    for (size_t i = 0; i < s->plan.n; i++)
        s->items[i].state = ITEM_WANTED;
    if (s->boot_done)
        release_hold(s); /* nobody knows when there will be another master */
}

/* ---- as a service ------------------------------------------------------------------------------ */

static struct service *forward_create(struct service_host *h)
{
    _cleanup_forward_plan_ struct forward_plan plan = FORWARD_PLAN_INIT;

    forward_plan(h->cfg, h->ssh_port, &plan);
    if (!plan.n)
        return NULL;
    struct forward_service *s = xcalloc(1, sizeof(*s));
    s->base = (struct service){.type = &forward_service, .host = h};
    s->held = true;
    h->hold(h, STAGE_RUNNING);
    return &s->base;
}

static void on_old_cancelled(void *arg, int wait_status, const char *errors)
{
    struct forward_service *s = arg;

    (void)wait_status;
    (void)errors;
    job_over(s);
    next(s);
}

/* The master of an agent that was killed lives on while somebody's session uses it, and would keep
 * the ports. */
static void cancel_old(struct forward_service *s)
{
    _cleanup_strv_ struct strv options = STRV_INIT;
    struct err ignored = ERR_INIT;
    struct stat st;

    if (lstat(s->target.control_path, &st) || !S_ISSOCK(st.st_mode))
        return;
    strv_pushl(&options, "-O", "cancel", NULL);
    for (size_t i = 0; i < s->plan.n; i++)
        if (s->plan.v[i].spec)
            add_spec(&options, &s->plan.v[i]);
    if (start_job(s, &options, NULL, on_old_cancelled, &ignored))
        err_clear(&ignored);
}

static void forward_start(struct service *base)
{
    struct forward_service *s = self(base);
    struct service_host *h = base->host;

    ssh_target_init(&s->target, h->store, h->inst, h->cfg, h->ssh_port);
    forward_plan(h->cfg, h->ssh_port, &s->plan); /* the port is known only now */
    s->items = xcalloc(s->plan.n + 1, sizeof(*s->items));
    for (size_t i = 0; i < s->plan.n; i++)
        s->items[i].f = &s->plan.v[i];
    cancel_old(s);
}

static void forward_stage(struct service *base, enum stage stage)
{
    struct forward_service *s = self(base);

    if (stage != STAGE_BOOT_DONE)
        return;
    s->boot_done = true;
    /* The start is over, and there is no master: nobody waits for us. */
    if (s->link != LINK_UP)
        release_hold(s);
}

static void forward_event(struct service *base, enum guest_event ev)
{
    struct forward_service *s = self(base);

    if (ev == GUEST_LINK_UP)
        link_up(s);
    else if (ev == GUEST_LINK_DOWN || ev == GUEST_RESET)
        link_down(s);
}

static void on_cancelled(void *arg, int wait_status, const char *errors)
{
    struct forward_service *s = arg;

    (void)wait_status;
    (void)errors;
    job_over(s);
}

static void forward_stop(struct service *base)
{
    struct forward_service *s = self(base);
    _cleanup_strv_ struct strv options = STRV_INIT;
    struct err ignored = ERR_INIT;

    bool was_up = s->link == LINK_UP;
    s->link = LINK_STOPPED;
    quieten(s);
    strv_pushl(&options, "-O", "cancel", NULL);
    for (size_t i = 0; i < s->plan.n; i++) {
        const struct forward *f = &s->plan.v[i];

        if (!was_up || s->items[i].state != ITEM_UP)
            continue;
        log_info("Stopping forwarding %s from %s to %s", label(f), f->guest_addr, f->host_addr);
        note(s, f, "stopping", NULL);
        add_spec(&options, f);
    }
    if (options.n > 2 && start_job(s, &options, NULL, on_cancelled, &ignored))
        err_clear(&ignored); /* they end with the master */
}

static void forward_free(struct service *base)
{
    struct forward_service *s = self(base);

    for (size_t i = 0; i < s->plan.n; i++) {
        if (s->items[i].announced)
            forward_remove_socket(&s->plan.v[i]);
        free(s->items[i].problem);
    }
    quieten(s);
    free(s->items);
    forward_plan_release(&s->plan);
    ssh_target_release(&s->target);
    free(s);
}

const struct service_type forward_service = {
    .name = "forwards",
    .start_at = STAGE_VM_RUNNING,
    .create = forward_create,
    .start = forward_start,
    .stage = forward_stage,
    .event = forward_event,
    .stop = forward_stop,
    .free = forward_free,
};
