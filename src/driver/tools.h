/* SPDX-License-Identifier: Apache-2.0 */
/* What people do to a machine beside starting and stopping it: look at it, talk to its monitor,
 * take it back to an earlier state. A driver that can't has no such table. */
#ifndef CIMA_DRIVER_TOOLS_H
#define CIMA_DRIVER_TOOLS_H

#include "driver/driver.h"
#include "json/json.h"

/* ---- the monitor ----------------------------------------------------------------------------- */

/* The monitor of a running machine for callers that wait: through the host agent or directly. */
struct driver_monitor {
    /* args (may be NULL) are taken over; timeout_ms -1: none. *ret (ret may be NULL) is the
     * caller's. A refusal of the machine is ERR_QEMU. */
    int (*execute)(void *arg, const char *command, struct json *args, int timeout_ms,
                   struct json **ret, struct err *err);
    void (*close)(void *arg); /* NULL: nothing to do */
    void *arg;
};
#define DRIVER_MONITOR_INIT                                                                        \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
void driver_monitor_close(struct driver_monitor *m);
#define _cleanup_driver_monitor_ _cleanup_(driver_monitor_close)

/* Exactly one of ret and err is there. */
typedef void driver_reply_fn(void *arg, const struct json *ret, const struct err *err);

/* ---- snapshots ------------------------------------------------------------------------------- */

struct driver_snapshot {
    char *tag, *id;
    int64_t date;     /* seconds since 1970 */
    uint64_t vm_size; /* bytes of memory and devices; 0: it was taken of a stopped machine */
    int64_t vm_clock; /* nanoseconds that the machine had run */
    struct strv missing; /* disks that don't have it: it can't be applied */
};
struct driver_snapshots {
    struct driver_snapshot *v;
    size_t n;
};
#define DRIVER_SNAPSHOTS_INIT                                                                      \
    {                                                                                              \
        NULL, 0                                                                                    \
    }
void driver_snapshots_release(struct driver_snapshots *s);
#define _cleanup_driver_snapshots_ _cleanup_(driver_snapshots_release)

/* ---- pictures of the screen ------------------------------------------------------------------ */

enum picture_format { PICTURE_PNG, PICTURE_BMP, PICTURE_FORMAT_COUNT };
ENUM_STRINGS_DECLARE(picture_format); /* "png", "bmp" */

/* One picture under way: a command for the monitor, and the file that the machine writes. */
struct driver_shot {
    enum picture_format format;
    const char *name; /* of the instance, borrowed */
    bool plain; /* the machine can't write this format itself */
    char *path;
    const char *command;
};
#define DRIVER_SHOT_INIT                                                                           \
    {                                                                                              \
        0                                                                                          \
    }
/* Removes the file. */
void driver_shot_release(struct driver_shot *s);
#define _cleanup_driver_shot_ _cleanup_(driver_shot_release)

/* ---- the table ------------------------------------------------------------------------------- */

/* `m` below: the monitor of the running machine; NULL: nothing of it runs, and the caller holds the
 * operation lock. */
struct driver_tools {
    /* Sends a command to the monitor of a machine that this process supervises; args are taken
     * over. done is called once from the loop, unless it is cancelled. Returns its number (> 0). */
    uint64_t (*send)(struct vm *vm, const char *command, struct json *args, driver_reply_fn *done,
                     void *arg);
    void (*cancel)(struct vm *vm, uint64_t number);
    /* The monitor of a machine that nobody supervises. ERR_BUSY when another program has it. */
    int (*open)(const struct instance *inst, struct driver_monitor *ret, struct err *err);
    /* What the machine answers to a line as people type it. NULL and err when it says that this was
     * an error. Caller frees. */
    char *(*command_line)(const struct driver_monitor *m, const char *line, struct err *err);

    /* The snapshots that there are, oldest first. m NULL: needs no lock. */
    int (*snapshot_list)(const struct driver_ctx *ctx, const struct driver_monitor *m,
                         struct driver_snapshots *ret, struct err *err);
    /* Of all its disks, and with a running machine of that, too. The tag is free (the caller has
     * looked). All or nothing. */
    int (*snapshot_create)(const struct driver_ctx *ctx, const struct driver_monitor *m,
                           const char *tag, struct err *err);
    int (*snapshot_apply)(const struct driver_ctx *ctx, const struct driver_monitor *m,
                          const char *tag, struct err *err);
    /* From every disk that has it. */
    int (*snapshot_delete)(const struct driver_ctx *ctx, const struct driver_monitor *m,
                           const char *tag, struct err *err);

    /* Fills command, path and *ret_args for the monitor. */
    int (*shot_begin)(const struct instance *inst, struct driver_shot *s, struct json **ret_args,
                      struct err *err);
    /* After its answer (failure: NULL for a good one): the picture. Returns 1 when it must be asked
     * for in another way: shot_begin again. ERR_STATE when the machine has no screen. */
    int (*shot_end)(struct driver_shot *s, const struct err *failure, struct sbuf *ret,
                    struct err *err);

    /* Is a client connected to the console behind this socket? */
    bool (*console_taken)(const struct driver_monitor *m, enum inst_file sock);
};

#endif
