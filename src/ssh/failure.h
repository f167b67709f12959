/* SPDX-License-Identifier: Apache-2.0 */
/* Why ssh did not get through, in words (F21). */
#ifndef CIMA_SSH_FAILURE_H
#define CIMA_SSH_FAILURE_H

#include "base/err.h"
#include "ssh/banner.h"
#include "ssh/ssh.h"

/* One clause about a try that got no greeting. Caller frees. */
char *ssh_banner_problem(const struct ssh_target *t, enum banner_result result, const char *text);
/* One clause about an ssh that ended too early: by what it wrote on stderr, else by its exit.
 * Caller frees. */
char *ssh_exit_problem(const struct ssh_target *t, int wait_status, const char *errors);

#endif
