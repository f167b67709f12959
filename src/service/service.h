/* SPDX-License-Identifier: Apache-2.0 */
/* The stage line and what happens along it. Every concern of the host agent (ssh, mounts, forwards,
 * dns, …) is a service in a room of its own; hostagent/ owns the line and knows services only as a
 * table. What start() has done, stop() undoes; stops run in reverse order of the starts. */
#ifndef CIMA_SERVICE_SERVICE_H
#define CIMA_SERVICE_SERVICE_H

#include "base/enum.h"
#include "base/err.h"
#include "config/config.h"
#include "store/store.h"
#include "sys/loop.h"

enum stage {
    STAGE_CREATED, STAGE_DISK_READY, STAGE_VM_RUNNING, STAGE_SSH_BANNER, STAGE_USER_SESSION,
    STAGE_AGENT_HELLO, STAGE_BOOT_DONE, STAGE_RUNNING, STAGE_STOPPING, STAGE_GONE,
    STAGE_COUNT,
};
ENUM_STRINGS_DECLARE(stage);

/* What happens to the guest besides the stages. */
enum guest_event {
    GUEST_RESET,   /* it boots again: nothing that was set up inside it holds any more */
    GUEST_PAUSED,  /* its CPUs stand still (by the monitor, or the host's disk is full) */
    GUEST_RESUMED,
    GUEST_RESTORED, /* its memory is what it was once: connections to it are dead, unnoticed */
    GUEST_LINK_UP,   /* the ssh master is up (again): what lives in it is to be made anew */
    GUEST_LINK_DOWN, /* it has ended, and everything that went through it */
    GUEST_BOOTED,    /* behind GUEST_LINK_UP, unless plain: the boot scripts are over */
    GUEST_EVENT_COUNT,
};
ENUM_STRINGS_DECLARE(guest_event);

/* What became of one port forward (HA-14). Borrowed texts; NULL is left out. */
struct port_forward_note {
    const char *type;     /* "forwarding", "not-forwarding", "stopping", "failed" */
    const char *protocol; /* "tcp", "udp", "unix" */
    const char *guest_addr, *host_addr, *error;
};

/* HA-21: 200 tries, 3 s apart. */
#define SERVICE_PATIENCE_MS (600 * 1000)

/* What a service may see and do. Its functions may be called from anywhere in the loop, also from
 * within the service's own functions. Owned by the host agent, outlives every service. */
struct service_host {
    struct loop *loop;
    const struct store *store;
    const struct instance *inst;
    const struct config_instance *cfg;
    const struct host_facts *facts;
    uint16_t ssh_port;      /* valid from STAGE_VM_RUNNING on */
    const char *iid;        /* id of this boot of the guest; what its markers must hold. NULL when it
                             * is not known (a machine that another program started) */
    int64_t patience_ms;    /* how long a requirement or a probe may take */
    bool troubled;          /* somebody has reported degraded(): don't make the user wait longer */
    /* The line may go on to `stage` (never backwards; stages between are reached too). After
     * STAGE_BOOT_DONE the line goes on to STAGE_RUNNING by itself. */
    void (*reached)(struct service_host *h, enum stage stage);
    /* The service can't do its work; the machine stays. Consumes the content of err. */
    void (*degraded)(struct service_host *h, const char *service, struct err *err);
    /* The start has failed. Consumes the content of err. */
    void (*fatal)(struct service_host *h, const char *service, struct err *err);
    /* See service_waiting(). */
    void (*waiting)(struct service_host *h, const char *service, const char *text);
    /* The line does not enter `stage` until the service says `release` (counted): for a service
     * whose work must be over before the instance counts as RUNNING. To be called from create(), or
     * from start() for a stage after start_at. */
    void (*hold)(struct service_host *h, enum stage stage);
    void (*release)(struct service_host *h, enum stage stage);
    /* Passes an event on to all started services (from the one that finds it out). */
    void (*tell)(struct service_host *h, enum guest_event ev);
    /* Writes an event line about a port forward. */
    void (*port_forward)(struct service_host *h, const struct port_forward_note *note);
};

struct service; /* each service's own state starts with this struct */

struct service_type {
    const char *name;
    enum stage start_at;
    /* NULL when the configuration does not ask for it; never blocks. */
    struct service *(*create)(struct service_host *h);
    void (*start)(struct service *s);
    /* Called at every later stage; may be NULL. */
    void (*stage)(struct service *s, enum stage stage);
    /* Between start and stop; may be NULL. */
    void (*event)(struct service *s, enum guest_event ev);
    /* Undo what start did, without waiting: the loop runs on for children to end. */
    void (*stop)(struct service *s);
    /* After stop, or without a start at all. Ends what is still there. */
    void (*free)(struct service *s);
};

struct service {
    const struct service_type *type;
    struct service_host *host;
};

/* What the start waits for because of this service, as one clause: "no banner on 127.0.0.1:60022".
 * People see it while they wait, and in the error when they do not any longer. Copied; saying the
 * same again costs nothing; NULL: for nothing now. The text may come from outside. */
void service_waiting(const struct service *s, const char *text);

#endif
