/* SPDX-License-Identifier: Apache-2.0 */
#include "forward/agent_service.h"
#include "base/log.h"
#include "base/mem.h"
#include "ssh/failure.h"
#include "ssh/ssh_job.h"

#define LINKED "cima:linked"

static const char link_script[] =
    "d=/run/host-services\n"
    "if [ -z \"${SSH_AUTH_SOCK:-}\" ]; then\n"
    "    echo 'the ssh server of the guest does not forward agents' >&2\n"
    "    exit 1\n"
    "fi\n"
    "sudo -n mkdir -p $d </dev/null && "
    "sudo -n ln -sfn \"$SSH_AUTH_SOCK\" $d/ssh-auth.sock </dev/null || exit 1\n"
    "echo " LINKED "\n"
    "exec cat >/dev/null\n";

struct ssh_agent_service {
    struct service base;
    struct ssh_target target;
    struct job *job;
    struct loop_source *deferred;
    bool linked, stopped;
};

static struct ssh_agent_service *self(struct service *base)
{
    return (struct ssh_agent_service *)base;
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct ssh_agent_service *s = arg;

    if (len < strlen(LINKED) || strncmp(line, LINKED, strlen(LINKED)) != 0 || s->linked)
        return;
    s->linked = true;
    log_info("The ssh agent of the host is /run/host-services/ssh-auth.sock in the guest");
}

static void on_ended(void *arg, int wait_status, const char *errors)
{
    struct ssh_agent_service *s = arg;
    bool was_linked = s->linked;

    s->job = NULL;
    s->linked = false;
    if (s->stopped || was_linked) /* it went with its master */
        return;
    _cleanup_free_ char *why = *errors ? xstrdup(errors)
                                       : ssh_exit_problem(&s->target, wait_status, errors);
    log_warn("field `ssh.forwardAgent`: could not link the agent in the guest: %s", why);
}

static void on_deferred(void *arg)
{
    struct ssh_agent_service *s = arg;
    struct err err = ERR_INIT;

    s->deferred = loop_source_free(s->deferred);
    s->job = ssh_job_start(s->base.host->loop, &s->target, SSH_MASTER_USE, NULL,
                           &(struct job_spec){.input = link_script,
                                              .keep_stdin_open = true,
                                              .line = on_line,
                                              .ended = on_ended,
                                              .arg = s},
                           &err);
    if (s->job)
        return;
    _cleanup_free_ char *text = err_line(&err);
    log_warn("field `ssh.forwardAgent`: %s", text);
    err_clear(&err);
}

static void let_go(struct ssh_agent_service *s)
{
    s->deferred = loop_source_free(s->deferred);
    s->job = job_free(s->job);
    s->linked = false;
}

/* ---- as a service ------------------------------------------------------------------------------ */

static struct service *agent_create(struct service_host *h)
{
    if (h->cfg->ssh.forward_agent != TRI_TRUE)
        return NULL;
    if (h->cfg->plain == TRI_TRUE) {
        log_warn("field `ssh.forwardAgent`: no /run/host-services/ssh-auth.sock in plain mode; "
                 "sessions of their own have the agent");
        return NULL;
    }
    if (str_empty(getenv("SSH_AUTH_SOCK"))) {
        log_warn("field `ssh.forwardAgent`: there is no ssh agent on the host (SSH_AUTH_SOCK is not "
                 "set)");
        return NULL;
    }
    struct ssh_agent_service *s = xcalloc(1, sizeof(*s));
    s->base = (struct service){.type = &ssh_agent_service, .host = h};
    return &s->base;
}

static void agent_start(struct service *base)
{
    struct ssh_agent_service *s = self(base);
    struct service_host *h = base->host;

    ssh_target_init(&s->target, h->store, h->inst, h->cfg, h->ssh_port);
}

static void agent_event(struct service *base, enum guest_event ev)
{
    struct ssh_agent_service *s = self(base);

    if (ev == GUEST_LINK_DOWN || ev == GUEST_RESET) {
        let_go(s);
    } else if (ev == GUEST_BOOTED) {
        let_go(s);
        /* Not from within the line's own walk. */
        s->deferred = loop_defer(base->host->loop, on_deferred, s);
    }
}

/* The session goes with its master. */
static void agent_stop(struct service *base)
{
    struct ssh_agent_service *s = self(base);

    s->stopped = true;
    s->deferred = loop_source_free(s->deferred);
    if (s->job)
        job_terminate(s->job);
}

static void agent_free(struct service *base)
{
    struct ssh_agent_service *s = self(base);

    let_go(s);
    ssh_target_release(&s->target);
    free(s);
}

const struct service_type ssh_agent_service = {
    .name = "ssh agent",
    .start_at = STAGE_VM_RUNNING,
    .create = agent_create,
    .start = agent_start,
    .event = agent_event,
    .stop = agent_stop,
    .free = agent_free,
};
