/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef CIMA_RUN_INTERNAL_H
#define CIMA_RUN_INTERNAL_H

#include "run/run.h"

/* Files of the state directory (S0-L3). */
#define RUN_PID_FILE "qemu.pid"
#define RUN_MAC_FILE "mac-addr"
#define RUN_ISO_FILE "data.iso"

/* Where UEFI firmware is looked for without --fw (S0-L1). */
#define RUN_FIRMWARE "/usr/share/ovmf/bios.bin"

/* The state directory: --state, or the one named after the image. Caller frees. */
char *run_state_path(const struct run_request *r);
/* Where disk i is, also when the user gave only a size (S0-25); NULL: neither was given (S0-26).
 * Caller frees. */
char *run_disk_path(const struct run_request *r, size_t i);
/* The directory, or where a file that stands for the rest of its name begins: "P-kernel". Caller
 * frees. */
char *run_boot_path(const struct run_request *r, const char *suffix);

/* Everything that can be refused was checked: adds the parts of the command line and the steps. */
struct run_decided {
    const struct run_request *r;
    const struct run_facts *f;
    struct run_plan *plan;
    struct diags *notes;
    struct err *err;
    enum arch arch;
    bool foreign;    /* the guest's architecture is not the host's */
    bool iso, kernel, squashfs; /* how it boots; none: from its disk */
    bool kvm_used;   /* KVM is what will run it, as far as can be told */
    char *net;       /* mode of --networking; "user", … */
    char *net_name;  /* … and what stands behind its comma; NULL: nothing */
    struct run_port *ports;
    size_t n_ports;
    char *firmware;      /* file for the flash chip; NULL: none */
    bool firmware_named; /* by --fw */
};
int run_plan_machine(struct run_decided *d);
/* A further step; valid until the next one. */
struct run_step *run_plan_step(struct run_plan *p, enum run_step_kind kind, const char *path);

/* ---- execution ---- */

/* Runs QEMU on our terminal (or, with a window, without it) until it ends. ERR_QEMU when it failed,
 * ERR_INTERRUPTED when we were told to end. */
int run_in_front(const struct run_plan *p, struct err *err);
/* Starts QEMU in a session of its own and returns when its monitor answers. */
int run_in_background(const struct run_plan *p, pid_t *ret_pid, struct err *err);

#endif
