/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/hostagent.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hostagent/agent.h"
#include "sys/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

/* A machine that a killed agent has just started. */
enum { BIRTH_MS = 20000 };
/* What a guest can make go wrong again and again may not fill our memory. */
enum { ERRORS_MAX = 64 };

/* ---- status and errors ------------------------------------------------------------------------- */

void agent_emit(struct hostagent *a)
{
    if (a->line)
        a->status.stage = line_stage(a->line);
    _cleanup_free_ char *json = event_to_json(&a->status);
    /* After a write that failed in the middle (F34) the next event still has a line of its own. */
    _cleanup_free_ char *line = xasprintf("%s%s\n", a->torn_event ? "\n" : "", json);

    a->torn_event =
        fd_write_all(a->events_fd >= 0 ? a->events_fd : STDOUT_FILENO, line, strlen(line)) < 0;
    if (a->torn_event)
        log_debug("could not write an event: %s", strerror(errno));
}

void agent_fail(struct hostagent *a, struct err *err)
{
    if (!err_is_set(&a->failure)) {
        err_move(&a->failure, err);
        return;
    }
    _cleanup_free_ char *text = err_line(err);
    log_error("%s", text);
    err_clear(err);
}

void agent_degrade(struct hostagent *a, struct err *err)
{
    _cleanup_free_ char *text = err_line(err);

    log_error("%s", text);
    a->host.troubled = true;
    a->status.degraded = true;
    if (a->status.errors.n >= ERRORS_MAX || strv_contains(&a->status.errors, text)) {
        err_clear(err);
        return;
    }
    strv_push(&a->status.errors, text);
    if (a->status.error) {
        err_clear(err);
    } else {
        a->status.error = xcalloc(1, sizeof(*a->status.error));
        err_move(a->status.error, err);
    }
    if (a->status.running && !a->stopping)
        agent_emit(a);
}

void agent_recover(struct hostagent *a, const char *error)
{
    struct strv left = STRV_INIT;

    for (size_t i = 0; i < a->status.errors.n; i++)
        if (!streq(a->status.errors.v[i], error))
            strv_push(&left, a->status.errors.v[i]);
    strv_release(&a->status.errors);
    a->status.errors = left;
    a->status.degraded = left.n > 0;
    _cleanup_free_ char *kept = a->status.error ? err_line(a->status.error) : NULL;
    if (streq0(kept, error)) {
        err_clear(a->status.error);
        free(a->status.error);
        a->status.error = NULL;
    }
    if (a->status.running && !a->stopping)
        agent_emit(a);
}

/* ---- what services call ------------------------------------------------------------------------ */

static struct hostagent *agent_of(struct service_host *h)
{
    return (struct hostagent *)((char *)h - offsetof(struct hostagent, host));
}

static void host_reached(struct service_host *h, enum stage stage)
{
    line_claim(agent_of(h)->line, stage);
}

static void host_degraded(struct service_host *h, const char *service, struct err *err)
{
    log_debug("service %s: degraded", service);
    agent_degrade(agent_of(h), err);
}

static void host_fatal(struct service_host *h, const char *service, struct err *err)
{
    struct hostagent *a = agent_of(h);

    log_debug("service %s: fatal", service);
    agent_fail(a, err);
    agent_stop_begin(a);
}

/* Once the instance runs nobody waits any more. */
static void host_waiting(struct service_host *h, const char *service, const char *text)
{
    struct hostagent *a = agent_of(h);

    if (a->stopping || a->status.running || streq0(text, a->status.waiting))
        return;
    log_debug("service %s waits: %s", service, text ? text : "no longer");
    free(a->status.waiting);
    a->status.waiting = xstrdup0(text);
    agent_emit(a);
}

static void host_hold(struct service_host *h, enum stage stage)
{
    line_hold(agent_of(h)->line, stage);
}

static void host_release(struct service_host *h, enum stage stage)
{
    line_release(agent_of(h)->line, stage);
}

static void host_tell(struct service_host *h, enum guest_event ev)
{
    log_debug("event: %s", guest_event_to_string(ev));
    line_event(agent_of(h)->line, ev);
}

static void host_port_forward(struct service_host *h, const struct port_forward_note *note)
{
    struct hostagent *a = agent_of(h);

    a->status.forward = (struct event_forward){
        .type = xstrdup(note->type),
        .protocol = xstrdup0(note->protocol),
        .guest_addr = xstrdup0(note->guest_addr),
        .host_addr = xstrdup0(note->host_addr),
        .error = xstrdup0(note->error),
    };
    agent_emit(a);
    event_forward_release(&a->status.forward);
}

/* ---- the line ---------------------------------------------------------------------------------- */

static void on_stage(void *arg, enum stage stage)
{
    struct hostagent *a = arg;

    log_debug("stage: %s", stage_to_string(stage));
    if (stage == STAGE_DISK_READY || stage >= STAGE_RUNNING) {
        free(a->status.waiting);
        a->status.waiting = stage == STAGE_DISK_READY
                                ? xstrdup("the monitor of the machine has not answered yet")
                                : NULL;
    }
    if (stage == STAGE_RUNNING) {
        a->status.running = true;
        log_info(a->status.degraded ? "The instance is running, degraded" : "The instance is ready");
    }
    if (stage != STAGE_GONE) /* the last event is written when everything is taken down */
        agent_emit(a);
    if (stage == STAGE_RUNNING)
        malloc_trim(0); /* what the start needed is garbage now, and we stay for long */
}

void agent_stop_begin(struct hostagent *a)
{
    if (a->stopping)
        return;
    a->stopping = true;
    if (a->line)
        line_stop(a->line);
    if (a->vm_lives && a->vm)
        a->driver->shutdown(a->vm);
    else
        loop_quit(a->loop);
}

static void on_signal(void *arg, int signo)
{
    struct hostagent *a = arg;

    if (a->stop_signals++ == 0) {
        log_info("Received SIG%s, shutting down the host agent", sigabbrev_np(signo));
        agent_stop_begin(a);
    } else if (a->vm_lives && a->vm) {
        log_warn("Received SIG%s again, ending the machine at once", sigabbrev_np(signo));
        a->driver->kill(a->vm);
    }
}

/* ---- up and down ------------------------------------------------------------------------------- */

static void raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_debug("could not raise the limit of open files: %s", strerror(errno));
}

static int busy_error(pid_t pid, const char *pidfile, struct err *err)
{
    err_set(err, ERR_BUSY, "another hostagent may already be running with pid %d (pidfile `%s`)",
            (int)pid, pidfile);
    return err_hint(err, "stop the instance first, or use the one that runs");
}

/* The lock is what counts; ha.pid is for other programs. */
static int take_instance(struct hostagent *a, struct err *err)
{
    _cleanup_free_ char *lock = instance_path(a->host.inst, INST_HA_LOCK);
    _cleanup_instance_state_ struct instance_state st = {0};
    struct err why = ERR_INIT;
    pid_t holder = 0;

    (void)instance_settle(a->host.inst, BIRTH_MS);
    instance_state_read(a->host.inst, &st);
    if (st.agent_pid && st.agent_foreign)
        return busy_error(st.agent_pid, a->pidfile, err);
    a->lock_fd = lock_take(lock, 0, &why);
    if (a->lock_fd >= 0) {
        /* Before our own files are there: the sweep could not tell them from stale ones. */
        if (!st.driver_pid)
            instance_sweep_runtime(a->host.inst);
        return 0;
    }
    if (why.kind != ERR_BUSY)
        return err_move(err, &why);
    err_clear(&why);
    if (lock_probe(lock, &holder) < 0)
        holder = 0;
    return busy_error(holder, a->pidfile, err);
}

static int write_pidfile(struct hostagent *a, struct err *err)
{
    _cleanup_free_ char *text = xasprintf("%d\n", (int)getpid());

    if (file_write_unsynced(a->pidfile, text, strlen(text), 0644, err))
        return -1;
    a->own_pidfile = true;
    return 0;
}

static int open_events(struct hostagent *a, struct err *err)
{
    _cleanup_free_ char *path = instance_path(a->host.inst, INST_HA_STDOUT);

    if (!a->options->foreground)
        return 0;
    a->events_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return a->events_fd < 0 ? err_set_errno(err, ERR_IO, "could not open '%s'", path) : 0;
}

/* From here on whoever follows the events learns of every failure. */
static int agent_open(struct hostagent *a, struct err *err)
{
    a->loop = a->host.loop = loop_new(err);
    if (!a->loop)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    if (!a->options->foreground)
        signal(SIGHUP, SIG_IGN);
    else
        a->on_hup = loop_add_signal(a->loop, SIGHUP, on_signal, a);
    a->on_int = loop_add_signal(a->loop, SIGINT, on_signal, a);
    a->on_term = loop_add_signal(a->loop, SIGTERM, on_signal, a);
    raise_fd_limit();
    if (write_pidfile(a, err))
        return -1;
    a->rest = rest_new(a->loop, a->socket, &a->status, err);
    if (!a->rest)
        return -1;
    log_info("hostagent socket created at %s", a->socket);
    return 0;
}

static int agent_start(struct hostagent *a, struct err *err)
{
    agent_emit(a);
    if (boot_load(a, err))
        return -1;
    a->line = line_new(on_stage, a);
    line_add_services(a->line, &a->host, agent_services);
    return boot_machine(a, err);
}

static void agent_close(struct hostagent *a)
{
    /* Who has asked the machine to end waits for its answer. */
    rest_attach(a->rest, a->host.inst, a->driver, NULL);
    if (a->loop)
        loop_turn(a->loop);
    if (a->line)
        line_gone(a->line);
    line_free(a->line);
    a->line = NULL;
    if (a->vm)
        a->driver->vm_free(a->vm);
    rest_free(a->rest);
    loop_source_free(a->on_int);
    loop_source_free(a->on_term);
    loop_source_free(a->on_hup);
    if (a->crash)
        boot_crashed(a->host.inst, a->crash);
    else if (!a->vm_lives)
        boot_forget(a->host.inst);
    if (a->own_pidfile)
        unlink(a->pidfile);
}

/* The end, with everything that went wrong on the way. */
static void emit_exiting(struct hostagent *a)
{
    struct event last = EVENT_INIT;

    last.exiting = true;
    last.stage = STAGE_GONE;
    last.ssh_local_port = a->status.ssh_local_port;
    for (size_t i = 0; i < a->status.errors.n; i++)
        strv_push(&last.errors, a->status.errors.v[i]);
    if (err_is_set(&a->failure)) {
        strv_push_consume(&last.errors, err_line(&a->failure));
        last.error = &a->failure; /* borrowed */
    }
    event_release(&a->status);
    a->status = last;
    agent_emit(a);
    a->status.error = NULL;
}

static void agent_release(struct hostagent *a)
{
    loop_free(a->loop);
    event_release(&a->status);
    if (a->config_loaded)
        config_release(&a->config);
    if (a->events_fd >= 0)
        close(a->events_fd);
    if (a->lock_fd >= 0)
        close(a->lock_fd);
    free(a->iid);
    free(a->crash);
    free(a->paused_by);
    free(a->pidfile);
    free(a->socket);
}

static void agent_init(struct hostagent *a, const struct store *s, const struct instance *i,
                       const struct host_facts *host, const struct hostagent_options *o)
{
    *a = (struct hostagent){
        .options = o,
        .host = {.store = s,
                 .inst = i,
                 .facts = host,
                 .patience_ms = o->patience_ms ? o->patience_ms : SERVICE_PATIENCE_MS,
                 .reached = host_reached,
                 .degraded = host_degraded,
                 .fatal = host_fatal,
                 .waiting = host_waiting,
                 .hold = host_hold,
                 .release = host_release,
                 .tell = host_tell,
                 .port_forward = host_port_forward},
        .lock_fd = -1,
        .events_fd = -1,
        .status = EVENT_INIT,
        .failure = ERR_INIT,
    };
    a->pidfile = o->pidfile ? xstrdup(o->pidfile) : instance_path(i, INST_HA_PID);
    a->socket = o->socket ? xstrdup(o->socket) : instance_path(i, INST_HA_SOCK);
}

int hostagent_run(const struct store *s, const struct instance *i, const struct host_facts *host,
                  const struct hostagent_options *o, struct err *err)
{
    struct hostagent a;
    struct err why = ERR_INIT;

    if (!o->foreground)
        log_set_format(LOG_FORMAT_JSON);
    agent_init(&a, s, i, host, o);
    if (take_instance(&a, err) || open_events(&a, err)) {
        agent_release(&a);
        return -1;
    }
    if (agent_open(&a, &why) || agent_start(&a, &why)) {
        agent_fail(&a, &why);
        agent_stop_begin(&a);
    }
    /* A machine that runs although the start has failed is brought down by the loop. */
    if (!a.stopping || a.vm_lives)
        loop_run(a.loop);
    agent_close(&a);
    emit_exiting(&a);
    int result = err_is_set(&a.failure) ? err_move(err, &a.failure) : 0;
    agent_release(&a);
    return result;
}
