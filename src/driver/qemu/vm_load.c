/* SPDX-License-Identifier: Apache-2.0 */
/* Who loads a snapshot of the machine's memory (loadvm, snapshot-load), and whether it came to
 * that: QEMU has no event for it. The machine goes back where it resumes while such a command is
 * under way, or for the first time after one that was done to a machine that stood still. */
#include "base/mem.h"
#include "driver/qemu/vm_internal.h"
#include "sys/clock.h"

struct vm_load {
    struct vm_load *next;
    struct vm *vm;
    uint64_t number; /* of the command; 0: it is answered */
    char *job;       /* its id; NULL: the answer is the end */
    bool over;
    bool resumed; /* meanwhile: that was told */
    cima_qmp_reply_fn *done;
    void *arg;
};

static void forget(struct vm_load *l)
{
    struct vm_load **at = &l->vm->loads;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l->job);
    free(l);
}

static void end(struct vm_load *l, bool loaded)
{
    l->vm->goes_back = l->vm->goes_back || (loaded && !l->resumed);
    l->over = true;
    if (!l->number)
        forget(l);
}

static void on_answer(void *arg, const struct json *ret, const struct err *err)
{
    struct vm_load *l = arg;
    cima_qmp_reply_fn *done = l->done;
    void *done_arg = l->arg;
    const char *printed = ret ? json_str(ret) : NULL; /* loadvm says something only on failure */

    l->number = 0;
    if (l->over)
        forget(l);
    else if (err || !l->job)
        end(l, !err && (!printed || cima_hmp_check(printed, NULL) == 0));
    if (done)
        done(done_arg, ret, err);
}

bool vm_is_load(const struct cima_qmp_call *call)
{
    const char *line = json_get_str(call->args, "command-line");

    return streq(call->command, "snapshot-load") ||
           (streq(call->command, "human-monitor-command") && line && str_starts(line, "loadvm "));
}

uint64_t vm_load_send(struct vm *vm, const struct cima_qmp_call *call)
{
    struct vm_load *l = xcalloc(1, sizeof(*l));
    struct cima_qmp_call sent = *call;

    *l = (struct vm_load){.next = vm->loads,
                          .vm = vm,
                          .job = xstrdup0(json_get_str(call->args, "job-id")),
                          .done = call->done,
                          .arg = call->arg};
    vm->loads = l;
    sent.done = on_answer;
    sent.arg = l;
    l->number = cima_qmp_send(vm->qmp, &sent, monotonic_ms());
    return l->number;
}

/* Whether it was sent and what became of it is not known then, except of a job. */
void vm_load_cancelled(struct vm *vm, uint64_t number)
{
    for (struct vm_load *l = vm->loads; l; l = l->next)
        if (l->number == number) {
            l->number = 0;
            if (l->over)
                forget(l);
            else if (!l->job)
                end(l, true);
            return;
        }
}

static void job_ended(struct vm *vm, const char *job, bool loaded)
{
    for (struct vm_load *l = vm->loads; l; l = l->next)
        if (!l->over && l->job && streq0(job, l->job)) {
            end(l, loaded);
            return;
        }
}

static void resumed(struct vm *vm)
{
    bool back = vm->goes_back;

    vm->goes_back = false;
    for (struct vm_load *l = vm->loads; l; l = l->next) {
        back = back || !l->over;
        l->resumed = true;
    }
    if (back)
        vm_tell_event(vm, VM_EVENT_RESTORED, NULL);
}

void vm_load_event(struct vm *vm, const struct cima_qmp_event *e)
{
    const char *job = json_get_str(e->data, "id"), *status = json_get_str(e->data, "status");

    if (streq(e->name, "RESUME"))
        resumed(vm);
    else if (streq(e->name, "JOB_STATUS_CHANGE") && streq0(status, "aborting"))
        job_ended(vm, job, /* loaded= */ false);
    else if (streq(e->name, "JOB_STATUS_CHANGE") && streq0(status, "concluded"))
        job_ended(vm, job, /* loaded= */ true);
}

void vm_load_release(struct vm *vm)
{
    while (vm->loads)
        forget(vm->loads);
}
