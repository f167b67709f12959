/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms above know of a hypervisor. Only driver/qemu says its name. */
#ifndef CIMA_DRIVER_DRIVER_H
#define CIMA_DRIVER_DRIVER_H

#include "config/config.h"
#include "image/image.h"
#include "store/store.h"
#include "sys/loop.h"

/* What a driver works on; borrowed for the whole life of a plan or a machine. */
struct driver_ctx {
    const struct store *store;
    const struct instance *inst;
    const struct config_instance *cfg;
    const struct host_facts *host;
};

struct driver_tools;
struct driver_plan; /* everything decided, nothing done */
struct vm;          /* a machine that runs */

enum vm_event { VM_EVENT_POWERDOWN, VM_EVENT_RESET, VM_EVENT_PAUSED, VM_EVENT_RESUMED,
                VM_EVENT_GUEST_PANICKED, VM_EVENT_IO_ERROR,
                /* It runs on from a snapshot of its memory. */
                VM_EVENT_RESTORED };

/* Called from the loop. */
struct vm_callbacks {
    /* Once: the machine runs, its monitor answers, its ssh port is known. */
    void (*running)(void *arg, uint16_t ssh_port);
    void (*event)(void *arg, enum vm_event ev, const char *detail);
    /* A part of the machine does not work any more (a helper process has ended), the rest goes on.
     * May be NULL. */
    void (*degraded)(void *arg, const struct err *why);
    /* Once, last: the process has ended. wait_status as of waitpid, or -1 when it was not our
     * child. err is NULL for an end that was asked for or that the guest chose, else what went
     * wrong (also: that the guest did not follow shutdown() and was ended by force), with the last
     * lines of its stderr as detail. */
    void (*exited)(void *arg, int wait_status, const struct err *err);
};

struct driver {
    const char *name; /* vmType */
    /* At creation, in the draft: the disk out of the image that image_prepare put there, and the
     * facts to freeze (machine type, formats, firmware) into `facts`. Idempotent: an existing disk
     * is left alone. */
    int (*create_disk)(const struct driver_ctx *ctx, const struct image_result *image,
                       struct json *facts, struct err *err);
    /* Can the disk that is there be what the configuration asks for? ERR_CONFIG when it would have
     * to shrink. Fine when there is none. */
    int (*check_disk)(const struct driver_ctx *ctx, struct err *err);
    /* Probes the host (cached), decides everything, refuses what can't work: before anything runs.
     * notes: lines worth an info or a warning (why TCG, disk will be grown, …). */
    int (*plan)(const struct driver_ctx *ctx, struct driver_plan **ret, struct diags *notes,
                struct err *err);
    /* The plan's command line as one shell-quoted line. Caller frees. */
    char *(*plan_text)(const struct driver_plan *plan);
    void (*plan_free)(struct driver_plan *plan);
    /* Executes the plan. Returns when the process exists; running() or exited() follows. The
     * machine outlives us. */
    int (*start)(const struct driver_ctx *ctx, const struct driver_plan *plan, struct loop *loop,
                 const struct vm_callbacks *cb, void *arg, struct vm **ret, struct err *err);
    /* Takes over a machine that a dead supervisor left running; running() follows. */
    int (*adopt)(const struct driver_ctx *ctx, struct loop *loop, const struct vm_callbacks *cb,
                 void *arg, struct vm **ret, struct err *err);
    /* Begins a graceful end: power button (again after a while), quit, kill at the time limits.
     * exited() follows. Calling it again does nothing. */
    void (*shutdown)(struct vm *vm);
    void (*kill)(struct vm *vm);
    pid_t (*pid)(const struct vm *vm);
    /* Lets go of the machine without ending it. */
    void (*vm_free)(struct vm *vm);
    /* Ends what a machine that was killed has left behind (helper processes). Only when it and its
     * agent are gone, with the operation lock. */
    void (*sweep)(const struct instance *inst);
    const struct driver_tools *tools; /* tools.h; NULL: none */
};

/* By vmType; NULL when there is none. */
const struct driver *driver_find(const char *vm_type);
/* sweep() of every driver. */
void driver_sweep(const struct instance *inst);
/* NULL-terminated list of names. */
const char *const *driver_names(void);

#endif
