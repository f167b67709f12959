/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the host agent: its one struct, shared by the files of this room.
 *
 * Theory of operation. The state of the agent is the stage of its line plus three facts: is there a
 * machine (vm), has somebody asked for the end (stopping), and what went wrong first (failure).
 *
 *   created ─► disk ready ─► vm running ─► … ─► running ─► stopping ─► gone
 *      │            │             │                │            ▲
 *      └────────────┴─────────────┴────────────────┴────────────┘
 *        a signal, an error before the machine runs, or the end of the machine
 *
 * Whatever ends it, the way out is one: agent_stop_begin() stops the services and asks the driver
 * for the end of the machine; when the machine is gone (at once, if there is none) the loop is
 * left, and hostagent_run() takes everything down and writes the last event. */
#ifndef CIMA_HOSTAGENT_AGENT_H
#define CIMA_HOSTAGENT_AGENT_H

#include "driver/driver.h"
#include "hostagent/event.h"
#include "hostagent/hostagent.h"
#include "hostagent/line.h"
#include "hostagent/rest.h"

struct hostagent {
    const struct hostagent_options *options;
    struct service_host host; /* first what services see: loop, store, inst, cfg, … */
    struct config config;
    bool config_loaded;
    struct loop *loop;
    char *pidfile, *socket;
    int lock_fd;
    int events_fd;   /* ha.stdout.log in the foreground; else -1 and events go to stdout alone */
    bool torn_event; /* the last event could not be written whole */
    bool own_pidfile;
    struct rest *rest;
    struct line *line; /* NULL until the configuration is there */
    const struct driver *driver;
    struct driver_ctx driver_ctx;
    struct vm *vm;
    bool vm_lives;     /* the process is there, also when we let go of it */
    bool stopping;
    unsigned stop_signals;
    char *crash;       /* how the machine has ended when nobody had asked for it, or NULL */
    char *paused_by;   /* the error that has made the machine stand still, or NULL */
    char *iid;
    struct event status; /* what the next event says */
    struct err failure;  /* what ended us, empty for a wanted end */
    struct loop_source *on_int, *on_term, *on_hup;
};

/* Writes status as an event. A log that can't be written (disk full) ends nothing. */
void agent_emit(struct hostagent *a);
/* Keeps the first error as the reason of the end, logs later ones. Empties err. */
void agent_fail(struct hostagent *a, struct err *err);
/* Adds to the errors of the status, keeps the first as its `error`, and emits when running. */
void agent_degrade(struct hostagent *a, struct err *err);
/* That error, as err_line() told it, is over: it is taken out of the status again. */
void agent_recover(struct hostagent *a, const char *error);
/* Services stop, the machine is asked to end, then the loop is left. Again: nothing. */
void agent_stop_begin(struct hostagent *a);

/* boot.c: configuration, plan, seed, machine (or adoption of one that runs). */
int boot_load(struct hostagent *a, struct err *err);
int boot_machine(struct hostagent *a, struct err *err);
/* Removes what boot.c has put down for a machine that is gone now. */
void boot_forget(const struct instance *inst);
/* Leaves there how it has ended instead: `list` tells it until the next start (F02). */
void boot_crashed(const struct instance *inst, const char *how);

/* machine.c: what the driver calls. */
extern const struct vm_callbacks machine_callbacks;

/* services.c: every service there is, NULL-terminated, in the order of their starts. */
extern const struct service_type *const agent_services[];

#endif
