/* SPDX-License-Identifier: Apache-2.0 */
/* cima by its second name: `lima [CMD...]` is `cima shell "$LIMA_INSTANCE" CMD...`. */
#ifndef CIMA_CLI_LIMA_H
#define CIMA_CLI_LIMA_H

#include "base/strv.h"

/* Are we called `lima`? */
bool lima_is_name(const char *argv0);
/* `lima -h`, `lima --help` alone: anything behind a command word belongs to the command. */
bool lima_wants_help(int argc, char *const *argv);
/* The text of the help; instance is the value of LIMA_INSTANCE or NULL. Caller frees. */
char *lima_help(const char *instance);
/* The command line of cima that is meant. Options of `cima shell` may stand in front of the
 * command; they win against LIMA_SHELL and LIMA_WORKDIR, whose values shell and workdir are (NULL
 * or "": not set). `lima --version` stays `cima --version`. */
void lima_argv(int argc, char *const *argv, const char *instance, const char *shell,
               const char *workdir, struct strv *ret);

#endif
