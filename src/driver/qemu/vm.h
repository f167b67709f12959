/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that runs: its process, its monitor, and how it comes to an end.
 *
 *   STARTING ──greeting, capabilities, status, ssh port──► UP ──shutdown()──► POWERDOWN
 *      │                                                    │                    │ time limit
 *      │                                                    │                    ▼
 *      └──────────────── process ends, any time ────────────┴──► GONE ◄── KILL ◄── QUIT
 *
 * A monitor that was lost is connected to again in POWERDOWN, and at no other time.
 * kill() leads to KILL from everywhere. GONE is the process's end and nothing else: exited() is
 * called then, once. */
#ifndef CIMA_DRIVER_QEMU_VM_H
#define CIMA_DRIVER_QEMU_VM_H

#include "driver/driver.h"
#include "qemu/qemu.h"

/* Milliseconds. */
struct qemu_vm_limits {
    int greeting;        /* from the start of the process to the monitor's greeting */
    int powerdown_first; /* until the power button is pressed again */
    int powerdown_again; /* and again */
    int powerdown;       /* until `quit` (S1-42) */
    int quit;            /* from there to SIGKILL */
};

struct qemu_helpers;
struct usernet_target;

/* What runs along with a machine. Zero-initialised: nothing. */
struct vm_extra_options {
    struct usernet_target *usernet; /* taken over; NULL: on no user-v2 network */
    bool vnc;                       /* has a VNC display; its password is in `vncpassword` */
    bool vnc_by_command;            /* … and QEMU is to be told it over the monitor */
    struct strv disk_locks;         /* in_use_by links of data disks, removed at its end (SD-16) */
    bool press_enter;               /* "Press any key to boot from CD": an installation of Windows */
};

/* Removes these links where they name the instance. */
void qemu_unlock_disks(const struct instance *inst, const struct strv *locks);

struct vm_start {
    const struct instance *inst;
    struct loop *loop;
    const struct vm_callbacks *cb;
    void *arg;
    struct child child; /* taken over; pid 0: not ours */
    int pidfd;          /* of a process that is not our child, taken over; -1 */
    pid_t pid;
    struct qemu_helpers *helpers; /* taken over: ended when the machine has ended; NULL: none */
    struct vm_extra_options extra;
    int port_fd;        /* taken over: keeps the ssh port until QEMU listens there; -1: none */
    int64_t log_offset; /* where its words begin in its log */
    uint16_t ssh_port;  /* fixed by the YAML; 0: to be asked for */
};

/* Takes over s->child, s->pidfd, s->helpers and what s->extra owns, also when it fails: that it can only for a process
 * that is not our child and whose monitor does not answer. running() or exited() follow from the
 * loop. */
struct vm *qemu_vm_new(const struct vm_start *s, struct err *err);
void qemu_vm_set_limits(struct vm *vm, const struct qemu_vm_limits *limits);
void qemu_vm_shutdown(struct vm *vm);
void qemu_vm_kill(struct vm *vm);
pid_t qemu_vm_pid(const struct vm *vm);
/* Sends a command of somebody else's; done is called once, from the loop. Returns its number, by
 * which it can be cancelled: then done is not called any more. */
uint64_t qemu_vm_send(struct vm *vm, const struct cima_qmp_call *call);
void qemu_vm_cancel(struct vm *vm, uint64_t number);
void qemu_vm_free(struct vm *vm);

#endif
