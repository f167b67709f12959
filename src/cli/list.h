/* SPDX-License-Identifier: Apache-2.0 */
/* The table that `list` prints, and what it says below it. Pure: from facts to text. */
#ifndef CIMA_CLI_LIST_H
#define CIMA_CLI_LIST_H

#include "cli/output.h"
#include "instance/instance.h"

/* The table. columns: width of the terminal, 0 when it is none; then, and with all_fields, every
 * column is there. Otherwise VMTYPE, ARCH and DIR give way in narrow terminals (spec row `list`).
 */
void list_table(const struct inst_info *const *infos, size_t n, const struct host_facts *host,
                unsigned columns, bool all_fields, struct sbuf *out);
/* What a person should know of a row besides its status, as lines: what goes on, or why it is
 * broken, with the next step. */
typedef void list_note_fn(void *arg, enum log_level level, const char *text);
void list_notes(const struct inst_info *info, list_note_fn *fn, void *arg);

#endif
