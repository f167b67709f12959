/* SPDX-License-Identifier: Apache-2.0 */
/* What the makers of commands share. */
#ifndef CIMA_QEMU_COMMANDS_INTERNAL_H
#define CIMA_QEMU_COMMANDS_INTERNAL_H

#include "cima/qemu/commands.h"
#include "base/mem.h"
#include "qemu/qemu.h"

/* A command with its arguments, which are taken over; NULL: none. */
struct cima_qmp_call qmp_command(const char *name, struct json *args);
/* One with a single text. */
struct cima_qmp_call qmp_command_str(const char *name, const char *key, const char *value);
/* Notes in a call why it can't be sent. */
struct err *qmp_problem(struct cima_qmp_call *call);
/* ["a", "b"] out of "a", "b", NULL. */
struct json *qmp_texts(const char *const *texts);

#endif
