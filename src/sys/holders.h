/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a file open: for the rare case that a lock is held and nobody has written by whom. */
#ifndef CIMA_SYS_HOLDERS_H
#define CIMA_SYS_HOLDERS_H

#include <stddef.h>
#include <sys/types.h>

/* Processes that hold a flock on the file, as far as they may be looked at (those of this user),
 * without this one. All that share the descriptor hold it. Looks through /proc: some milliseconds.
 * *ret is allocated; returns how many. */
size_t file_holders(const char *path, pid_t **ret);
/* Ends them with SIGKILL and waits for their ends, timeout_ms at most. Signals go through pidfds
 * that were opened before the second look, so no other process is hit. Returns 0 when nobody holds
 * it any more, -1 otherwise. */
int file_holders_kill(const char *path, int timeout_ms);

#endif
