/* SPDX-License-Identifier: Apache-2.0 */
/* What `shell` asks the guest's login shell to do. Pure. */
#ifndef CIMA_CLI_SHELLWORDS_H
#define CIMA_CLI_SHELLWORDS_H

#include "base/strv.h"
#include "config/config.h"

/* Where the host directory `dir` is in the guest by the mounts of the configuration: the longest
 * mount that holds it. NULL when none does. Caller frees. */
char *shell_guest_dir(const struct config_instance *cfg, const char *dir);

struct shell_request {
    const char *workdir;         /* --workdir: failing to go there ends the command; may be NULL */
    const char *const *try_dirs; /* else: the first that is there; the guest's shell says so when
                                  * one is not. NULL-terminated, may be NULL */
    const char *shell;           /* --shell; NULL: $SHELL of the guest */
    const char *user_shell;      /* what $SHELL of the guest should be; may be NULL */
    const struct strv *env;      /* NAME=value entries to set; may be NULL */
    const char *const *argv;     /* the command, n_argv words; none: a login shell */
    size_t n_argv;
};

/* One line for the guest's shell: `cd '/there' || exit 1; exec "$SHELL" -l -c '…'`. Words are
 * quoted so that the command gets them byte for byte; leading NAME=value words stay assignments.
 *
 * sshd runs the line with the very shell that would be started again by it only to read the
 * profiles. Where that is bash it reads them itself and goes on with the command, which saves the
 * guest a process. The line says `test "$SHELL" = …` for a user whose shell has changed since; all
 * of it is understood by other shells, too. Caller frees. */
char *shell_script(const struct shell_request *r);

#endif
