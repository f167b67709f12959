/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a plan needs to know, looked up: the only part of planning that touches the machine.
 */
#ifndef CIMA_DRIVER_QEMU_GATHER_H
#define CIMA_DRIVER_QEMU_GATHER_H

#include "driver/driver.h"
#include "driver/qemu/gather_virtiofsd.h"
#include "driver/qemu/plan.h"

struct qemu_facts {
    struct qemu_plan_input in; /* points into what follows */
    char *exe, *env_name;
    struct strv env_args;
    struct qemu_features features;
    struct qemu_firmware firmware;
    char *kvm_reason, *kernel_cmdline, *machine, *disk_format, *swtpm;
    struct qemu_virtiofsd virtiofsd;
    struct qemu_plan_disk *disks;
    size_t n_disks;
    struct json *frozen; /* the "qemu" object of cima.json, as it should be from now on */
    bool frozen_changed;
    bool vars_obsolete; /* the variable store is for other firmware: made anew */
};

#define QEMU_FACTS_INIT                                                                            \
    {                                                                                              \
        0                                                                                          \
    }
void qemu_facts_release(struct qemu_facts *f);
#define _cleanup_qemu_facts_ _cleanup_(qemu_facts_release)

/* "QEMU_SYSTEM_X86_64". Caller frees. */
char *qemu_env_name(enum arch arch);
/* The program to run (SD-01): the usual name, or the first word of the environment variable's
 * value; its further words, arguments for debugging, go to ret_args. NULL with err when the value
 * can't be split. Caller frees. */
char *qemu_program_name(const char *env_name, const char *value, enum arch arch,
                        struct strv *ret_args, struct err *err);

/* That this program is not there: -1. value: of the variable, NULL when it is not set. */
int qemu_binary_missing(const char *env_name, const char *value, const char *name, enum arch arch,
                        struct err *err);

/* The binary and what it can do: enough to create an instance. */
int qemu_gather_binary(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err);
/* Everything. */
int qemu_gather(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes,
                struct err *err);
/* Only the disk that is there. */
int qemu_gather_disk(const struct driver_ctx *ctx, struct qemu_facts *f, struct err *err);
/* Keeps what the YAML asks of the disk now (qemu_plan_input.disk_asked). */
void qemu_keep_disk_asked(const struct driver_ctx *ctx, struct qemu_facts *f);
/* Firmware for the machine, when it wants one; kept choices first. */
int qemu_gather_firmware(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes,
                         struct err *err);

#endif
