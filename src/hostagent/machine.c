/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver tells us about the machine. */
#include "hostagent/agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/json.h"
#include "service/serial.h"

static void on_running(void *arg, uint16_t ssh_port)
{
    struct hostagent *a = arg;

    a->host.ssh_port = ssh_port;
    a->status.ssh_local_port = ssh_port;
    log_info("The machine runs (pid %d); SSH Local Port: %u", (int)a->driver->pid(a->vm), ssh_port);
    if (!a->stopping)
        line_claim(a->line, STAGE_VM_RUNNING);
}

/* The start can't succeed any more; the machine stays for inspection. */
static void give_up_start(struct hostagent *a, struct err *err)
{
    agent_degrade(a, err);
    if (line_stage(a->line) < STAGE_RUNNING)
        line_force_running(a->line);
}

static void on_panic(struct hostagent *a)
{
    struct err err = ERR_INIT;

    err_set(&err, ERR_GUEST, "the kernel of the guest has panicked");
    serial_add_tail(a->host.inst, &err);
    err_hint(&err, "the machine is left as it is; `cima stop -f %s` ends it", a->host.inst->name);
    give_up_start(a, &err);
}

static void on_io_error(struct hostagent *a, const char *detail)
{
    struct err err = ERR_INIT;

    err_set(&err, ERR_IO, "the machine could not access its disk%s%s", str_empty(detail) ? "" : ": ",
            detail ? detail : "");
    err_hint(&err, "is the host's disk full? The machine stands still until it is told to go on");
    if (!a->paused_by) {
        a->paused_by = err_line(&err);
        agent_degrade(a, &err);
    } else {
        err_clear(&err); /* one event for each request that was under way */
    }
}

static void on_resumed(struct hostagent *a)
{
    _cleanup_free_ char *paused_by = TAKE_PTR(a->paused_by);

    log_info("The machine goes on");
    if (paused_by)
        agent_recover(a, paused_by);
    line_event(a->line, GUEST_RESUMED);
}

static void on_event(void *arg, enum vm_event ev, const char *detail)
{
    struct hostagent *a = arg;

    if (a->stopping)
        return;
    switch (ev) {
    case VM_EVENT_POWERDOWN:
        log_info("The guest was asked to power off");
        break;
    case VM_EVENT_RESET:
        log_info("The guest boots again");
        line_event(a->line, GUEST_RESET);
        break;
    case VM_EVENT_PAUSED:
        log_warn("The machine is paused%s%s", str_empty(detail) ? "" : ": ", detail ? detail : "");
        line_event(a->line, GUEST_PAUSED);
        break;
    case VM_EVENT_RESUMED:
        on_resumed(a);
        break;
    case VM_EVENT_GUEST_PANICKED:
        on_panic(a);
        break;
    case VM_EVENT_IO_ERROR:
        on_io_error(a, detail);
        break;
    case VM_EVENT_RESTORED:
        log_info("The machine has gone back to a snapshot");
        line_event(a->line, GUEST_RESTORED);
        break;
    }
}

/* Nobody has asked for it: the guest powered itself off, or the machine was killed. */
static void explain_end(struct hostagent *a, const struct err *cause)
{
    bool was_running = a->status.running;
    struct err err = ERR_INIT;

    if (cause) {
        if (line_stage(a->line) >= STAGE_VM_RUNNING)
            a->crash = err_line(cause);
        err_copy(&err, cause);
        err_wrap(&err, "driver stopped due to error");
        if (!was_running)
            serial_add_tail(a->host.inst, &err);
        agent_fail(a, &err);
    } else if (!was_running) {
        err_set(&err, ERR_GUEST, "the guest powered itself off before it was ready");
        serial_add_tail(a->host.inst, &err);
        agent_fail(a, &err);
    } else {
        log_info("driver stopped: the guest has powered itself off");
    }
}

static void log_end(int wait_status)
{
    _cleanup_free_ char *text = wait_status == -1 ? NULL : wait_status_text(wait_status);

    log_info("The machine has ended%s%s", text ? ": its process " : "", text ? text : "");
}

/* We have asked for the end, and it was not as it should be: the guest had to be forced. */
static void note_forced_end(struct hostagent *a, const struct err *cause)
{
    struct err err = ERR_INIT;

    err_copy(&err, cause);
    agent_fail(a, &err);
}

static void on_exited(void *arg, int wait_status, const struct err *cause)
{
    struct hostagent *a = arg;

    log_end(wait_status);
    a->vm_lives = false;
    if (!a->stopping)
        explain_end(a, cause);
    else if (cause)
        note_forced_end(a, cause);
    if (a->stopping)
        loop_quit(a->loop);
    else
        agent_stop_begin(a);
}

/* A helper of the machine has ended; the machine goes on. */
static void on_degraded(void *arg, const struct err *why)
{
    struct hostagent *a = arg;
    struct err err = ERR_INIT;

    if (a->stopping)
        return;
    err_copy(&err, why);
    agent_degrade(a, &err);
}

const struct vm_callbacks machine_callbacks = {
    .running = on_running,
    .event = on_event,
    .degraded = on_degraded,
    .exited = on_exited,
};
