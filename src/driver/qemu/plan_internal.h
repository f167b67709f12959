/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that build a plan. */
#ifndef CIMA_DRIVER_QEMU_PLAN_INTERNAL_H
#define CIMA_DRIVER_QEMU_PLAN_INTERNAL_H

#include "driver/qemu/arch.h"
#include "driver/qemu/plan.h"

struct builder {
    const struct qemu_plan_input *in;
    const struct qemu_arch *arch;
    enum arch arch_id;
    struct qemu_plan *plan;
    struct diags *notes;
    struct err *err;
    int next_fd; /* of the next inherited socket */
};

/* Adds an option, unless the words of $QEMU_SYSTEM_… have it (SD-06: only for those options that
 * exist once). Takes over opts. */
void plan_opts(struct builder *b, const char *name, struct cima_opts *opts);
void plan_text(struct builder *b, const char *name, const char *text);
/* A device that the binary must have: ERR_UNSUPPORTED naming the field otherwise. Takes over opts.
 */
int plan_device(struct builder *b, const char *field, struct cima_opts *opts);
void plan_note(struct builder *b, const char *fmt, ...) PRINTF_FORMAT(2, 3);
struct qemu_step *plan_step(struct builder *b, enum qemu_step_kind kind, const char *path);
struct qemu_helper *plan_helper(struct builder *b, const char *name, const char *program,
                                const char *socket);
/* Number of the inherited socket. */
int plan_fd(struct builder *b, const char *path, bool listen, const char *field);
/* Path of a file of the instance; freed with the plan's cleanup by the caller. */
char *plan_path(const struct builder *b, enum inst_file f);

/* plan_extra.c */
int plan_extra(struct builder *b); /* checks vmOpts.qemu.extraArgs */
int plan_sandbox(struct builder *b);
/* plan_machine.c */
int plan_accel_and_cpu(struct builder *b);
int plan_machine(struct builder *b);
int plan_firmware(struct builder *b);
/* plan_block.c */
int plan_disks(struct builder *b);
/* plan_devices.c */
int plan_networks(struct builder *b);
int plan_consoles(struct builder *b);
int plan_tpm(struct builder *b);
/* plan_mounts.c */
int plan_mounts(struct builder *b);
/* plan_desktop.c */
int plan_desktop(struct builder *b);

#endif
