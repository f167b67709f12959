/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of a machine that runs: vm.c (its life and its end), vm_monitor.c (the monitor,
 * coming up, events), vm_load.c (who loads snapshots), vm_extra.c (what runs along with it: VNC, the
 * user-v2 network, Windows). */
#ifndef CIMA_DRIVER_QEMU_VM_INTERNAL_H
#define CIMA_DRIVER_QEMU_VM_INTERNAL_H

#include "driver/qemu/vm.h"

#define VM_MONITOR_MS 5000

/* See vm.h. */
enum vm_state { VM_STARTING, VM_UP, VM_POWERDOWN, VM_QUIT, VM_KILL, VM_GONE };

/* What runs along with it (vm_extra.c). */
struct vm_extra {
    struct vm_extra_options o;
    struct usernet *usernet;
    struct loop_source *keys; /* NULL: none are pressed */
    unsigned presses;
};

struct vm {
    struct instance inst;
    struct loop *loop;
    struct vm_callbacks cb;
    void *arg;
    enum vm_state state;
    pid_t pid;
    struct child child;
    int pidfd; /* of ours: a second one to signal through; of others: the only one */
    struct qemu_helpers *helpers; /* NULL: none */
    struct follow *words;         /* its stderr in our debug log */
    struct vm_extra extra;
    struct loop_source *end, *monitor, *deadline, *timer;
    struct loop_source *repeat; /* the next press of the button, or try to connect again */
    struct cima_qmp *qmp; /* NULL: lost, and not yet connected to again */
    bool reconnects;      /* it is a second connection, not READY yet */
    int64_t reconnect_until;
    struct qemu_vm_limits limits;
    int64_t log_offset;
    uint16_t ssh_port;
    int port_fd; /* keeps it until QEMU listens there; -1: none */
    bool status_known, port_known; /* what running() waits for */
    struct vm_load *loads;         /* commands that load a snapshot of its memory (vm_load.c) */
    bool goes_back;                /* one has, and the machine has not gone on yet */
    bool guest_shutdown;           /* the guest or we ended it in order */
    bool asked;                    /* shutdown() or kill() */
    bool forced;                   /* the guest did not follow shutdown() */
    bool ended_before_kill;        /* there was nothing left to kill */
    struct err failure;            /* what we ended it for */
    unsigned busy;
    bool freed;
};

/* Around everything that calls back: a vm that is freed meanwhile goes when the last one leaves. */
void vm_enter(struct vm *vm);
void vm_leave(struct vm *vm);
/* The process has ended, and the loop has perhaps not told us yet (F19). */
bool vm_has_ended(const struct vm *vm);
/* The machine can't be used (any more): ends the process; exited() will say why. */
void vm_fail(struct vm *vm, const struct err *why);
/* What was asked for does not happen: the machine is killed, unless it is gone already. */
void vm_force(struct vm *vm);
/* Presses the power button, and again at the times in `limits`. */
void vm_power_down(struct vm *vm);

/* vm_monitor.c */
int vm_connect_monitor(struct vm *vm, struct err *err);
/* The handshake is waited for here, so that a monitor which does not answer is the caller's error
 * and not the machine's end. */
int vm_adopt_monitor(struct vm *vm, struct err *err);
bool vm_monitor_lost(const struct vm *vm);
/* Connects again, from the loop; then vm_power_down(), or vm_force() after a warning. */
void vm_reconnect(struct vm *vm);
void vm_watch_monitor(struct vm *vm);
/* Lets the client work, then waits for what it wants. The caller has entered. */
void vm_pump(struct vm *vm);
/* The next step from the loop, at once. */
void vm_wake(struct vm *vm);
void vm_tell_event(struct vm *vm, enum vm_event ev, const char *detail);

/* vm_load.c */
bool vm_is_load(const struct cima_qmp_call *call);
/* Sends one, and follows what becomes of it. */
uint64_t vm_load_send(struct vm *vm, const struct cima_qmp_call *call);
/* After cima_qmp_cancel(); of any command. */
void vm_load_cancelled(struct vm *vm, uint64_t number);
/* Tells VM_EVENT_RESTORED when the machine goes on from a snapshot. */
void vm_load_event(struct vm *vm, const struct cima_qmp_event *e);
void vm_load_release(struct vm *vm);

/* vm_extra.c */
/* The monitor answers. */
void vm_extra_ready(struct vm *vm);
/* The machine is up (for who takes it over, too). */
void vm_extra_up(struct vm *vm);
void vm_extra_event(struct vm *vm, enum vm_event ev);
/* shutdown() was called. */
void vm_extra_shutdown(struct vm *vm);
/* The process has ended. */
void vm_extra_gone(struct vm *vm);
void vm_extra_release(struct vm *vm);

#endif
