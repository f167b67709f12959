/* SPDX-License-Identifier: Apache-2.0 */
/* What people do to a machine beside starting and stopping it: snapshots, its screen, its console,
 * its monitor. As in instance.h: nothing here prints. */
#ifndef CIMA_INSTANCE_TOOLS_H
#define CIMA_INSTANCE_TOOLS_H

#include "driver/tools.h"
#include "instance/instance.h"

/* ---- monitor --------------------------------------------------------------------------------- */

/* A command for the monitor of the running machine: through its host agent, or directly when it has
 * lost that. args (may be NULL) are borrowed; timeout_ms -1: none. The machine's refusal is
 * ERR_QEMU. *ret is the caller's. */
int inst_monitor(const struct inst_env *env, const struct instance *i, const char *command,
                 const struct json *args, int timeout_ms, struct json **ret, struct err *err);
/* A line for the human monitor; what it answers. NULL on error, its complaints among them. Caller
 * frees. */
char *inst_monitor_line(const struct inst_env *env, const struct instance *i, const char *line,
                        struct err *err);

/* ---- screen ---------------------------------------------------------------------------------- */

/* A picture of the screen, in that format, appended to ret. ERR_STATE when it has none. */
int inst_screenshot(const struct inst_env *env, const struct instance *i,
                    enum picture_format format, struct sbuf *ret, struct err *err);

/* ---- console --------------------------------------------------------------------------------- */

enum inst_console { CONSOLE_SERIAL, CONSOLE_VIRTIO, CONSOLE_PCI, CONSOLE_COUNT };
ENUM_STRINGS_DECLARE(inst_console); /* "serial", "virtio", "pci" */

/* Connects to a console of the running machine. The lock in *ret_lock keeps others off it: both are
 * the caller's to close. ERR_BUSY when somebody is there already. */
int inst_console_open(const struct inst_env *env, const struct instance *i,
                      enum inst_console console, int *ret_fd, int *ret_lock, struct err *err);
/* The file with what came out of it since the last start. Caller frees. */
char *inst_console_log(const struct instance *i, enum inst_console console);
/* Is there a machine? */
bool inst_has_machine(const struct instance *i);

/* ---- snapshots ------------------------------------------------------------------------------- */

/* Why the text is no good tag for a snapshot, as the end of a sentence; NULL when it is one. */
const char *inst_snapshot_tag_problem(const char *tag);
int inst_snapshot_list(const struct inst_env *env, const struct instance *i,
                       struct driver_snapshots *ret, struct err *err);
/* All three take the operation lock. create: ERR_EXISTS when there is one of that tag. */
int inst_snapshot_create(const struct inst_env *env, const struct instance *i, const char *tag,
                         const struct inst_report *r, struct err *err);
/* ERR_NOT_FOUND, with the tags that there are, when there is none of that tag. */
int inst_snapshot_apply(const struct inst_env *env, const struct instance *i, const char *tag,
                        const struct inst_report *r, struct err *err);
int inst_snapshot_delete(const struct inst_env *env, const struct instance *i, const char *tag,
                         const struct inst_report *r, struct err *err);

#endif
