/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts out of the command table. No line is longer than HELP_COLUMNS. */
#ifndef CIMA_CLI_HELP_H
#define CIMA_CLI_HELP_H

#include "base/sbuf.h"
#include "cli/command.h"

#define HELP_COLUMNS 80

/* "Usage:  cima stop [OPTIONS] [INST...]". Caller frees. */
char *help_usage_line(const struct command *c);
/* "-f, --force", with its metavar; and its help with choices and default. Caller frees. */
char *help_option_names(const struct cli_option *o);
char *help_option_text(const struct cli_option *o);
/* What `cima NAME --help` prints. */
void help_command(const struct command *c, struct sbuf *out);
/* What `cima --help` prints. */
void help_overview(struct sbuf *out);
/* Appends text as lines of at most `columns`, each behind `indent` blanks but the first, which
 * starts where the caller stands (`at` columns are taken). '\n' in text begins a new line. */
void help_wrap(struct sbuf *out, const char *text, size_t at, size_t indent, size_t columns);

#endif
