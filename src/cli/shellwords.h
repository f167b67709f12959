/* SPDX-License-Identifier: Apache-2.0 */
/* What `shell` asks the guest's login shell to do. Pure. */
#ifndef CIMA_CLI_SHELLWORDS_H
#define CIMA_CLI_SHELLWORDS_H

#include "config/config.h"

/* Where the host directory `dir` is in the guest by the mounts of the configuration: the longest
 * mount that holds it. NULL when none does. Caller frees. */
char *shell_guest_dir(const struct config_instance *cfg, const char *dir);

struct shell_request {
    const char *workdir;     /* --workdir: failing to go there ends the command; may be NULL */
    const char *try_dir;     /* else: there if possible, with a warning if not; may be NULL */
    const char *shell;       /* --shell; NULL: $SHELL of the guest */
    const char *const *argv; /* the command, n_argv words; none: a login shell */
    size_t n_argv;
};

/* One line for the guest's shell: `cd '/there' || exit 1; exec "$SHELL" -l -c '…'`. Words are
 * quoted so that the command gets them byte for byte; leading NAME=value words stay assignments.
 * Caller frees. */
char *shell_script(const struct shell_request *r);

#endif
