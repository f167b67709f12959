/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a plan needs to know, looked up: the only part of planning that touches the machine. */
#ifndef CIMA_DRIVER_QEMU_GATHER_H
#define CIMA_DRIVER_QEMU_GATHER_H

#include "driver/driver.h"
#include "driver/qemu/plan.h"

struct qemu_facts {
    struct qemu_plan_input in; /* points into what follows */
    char *exe, *env_name;
    struct strv env_args;
    struct qemu_features features;
    struct qemu_firmware firmware;
    char *kvm_reason, *kernel_cmdline, *machine, *disk_format, *virtiofsd, *swtpm;
    struct json *frozen; /* the "qemu" object of cima.json, as it should be from now on */
    bool frozen_changed;
};

#define QEMU_FACTS_INIT {0}
void qemu_facts_release(struct qemu_facts *f);
#define _cleanup_qemu_facts_ _cleanup_(qemu_facts_release)

/* The binary and what it can do: enough to create an instance. */
int qemu_gather_binary(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes,
                       struct err *err);
/* Everything. */
int qemu_gather(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes,
                struct err *err);
/* Firmware for the machine, when it wants one; kept choices first. */
int qemu_gather_firmware(const struct driver_ctx *ctx, struct qemu_facts *f, struct diags *notes,
                         struct err *err);

#endif
