/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages out of the command table. */
#ifndef CIMA_CLI_MANUAL_H
#define CIMA_CLI_MANUAL_H

#include "base/page.h"
#include "cli/command.h"

/* "cima-template-copy"; "cima" for NULL. Caller frees. */
char *manual_name(const struct command *c);
/* The page of a command, for NULL that of the program. Caller frees. */
char *manual_page(const struct command *c, enum page_format format);
/* Calls fn for every command that is not hidden, those of commands included, and first with NULL.
 * Stops when fn fails. */
typedef int manual_each_fn(const struct command *c, void *arg, struct err *err);
int manual_for_each(manual_each_fn *fn, void *arg, struct err *err);

#endif
