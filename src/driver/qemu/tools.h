/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's tools (driver/tools.h), file by file. */
#ifndef CIMA_DRIVER_QEMU_TOOLS_H
#define CIMA_DRIVER_QEMU_TOOLS_H

#include "driver/tools.h"

extern const struct driver_tools qemu_tools;

/* tools.c: asks QEMU's human monitor; ERR_QEMU when the text is an error of it. NULL on error;
 * carriage returns are taken out. Caller frees. */
char *qemu_hmp(const struct driver_monitor *m, const char *line, struct err *err);
/* A text as one word of a line for the human monitor. Caller frees. */
char *qemu_hmp_quote(const char *text);

/* snapshot.c (SD-70 to SD-74) */
int qemu_snapshot_list(const struct driver_ctx *ctx, const struct driver_monitor *m,
                       struct driver_snapshots *ret, struct err *err);
int qemu_snapshot_create(const struct driver_ctx *ctx, const struct driver_monitor *m,
                         const char *tag, struct err *err);
int qemu_snapshot_apply(const struct driver_ctx *ctx, const struct driver_monitor *m,
                        const char *tag, struct err *err);
int qemu_snapshot_delete(const struct driver_ctx *ctx, const struct driver_monitor *m,
                         const char *tag, struct err *err);

/* snapshot_disks.c: the writable disks of the machine. */
struct snapshot_disk {
    char *node;   /* name of its block node; NULL when nothing runs */
    char *path;
    char *format;
    struct json *snapshots; /* as QEMU lists them: an array, or NULL */
};
struct snapshot_disks {
    struct snapshot_disk *v; /* the first one is the boot disk when nothing runs */
    size_t n;
};
#define SNAPSHOT_DISKS_INIT                                                                        \
    {                                                                                              \
        NULL, 0                                                                                    \
    }
void snapshot_disks_release(struct snapshot_disks *d);
#define _cleanup_snapshot_disks_ _cleanup_(snapshot_disks_release)
int snapshot_disks_read(const struct driver_ctx *ctx, const struct driver_monitor *m,
                        struct snapshot_disks *ret, struct err *err);
/* ERR_UNSUPPORTED that names the first disk which can't have snapshots. */
int snapshot_disks_check(const struct driver_ctx *ctx, const struct snapshot_disks *d,
                         struct err *err);
/* One item of a disk's list by its tag; NULL when there is none. */
const struct json *snapshot_disk_find(const struct snapshot_disk *d, const char *tag);

/* snapshot_job.c: jobs of QEMU's, which take as long as they take. */
/* Does this QEMU have snapshots as jobs (6.0 and later)? -1 when it can't be asked. */
int snapshot_jobs_known(const struct driver_monitor *m, struct err *err);
/* Runs snapshot-save, -load or -delete on the disks, to its end. The job's own error is ours.
 * vmstate: node of the disk with the memory of the guest; NULL for snapshot-delete. */
int snapshot_job_run(const struct driver_monitor *m, const char *command,
                     const struct snapshot_disks *d, const char *vmstate, const char *tag,
                     struct err *err);

/* screenshot.c */
int qemu_shot_begin(const struct instance *inst, struct driver_shot *s, struct json **ret_args,
                    struct err *err);
int qemu_shot_end(struct driver_shot *s, const struct err *failure, struct sbuf *ret,
                  struct err *err);

#endif
