/* SPDX-License-Identifier: Apache-2.0 */
/* Locks that die with their holder. */
#ifndef CIMA_SYS_LOCK_H
#define CIMA_SYS_LOCK_H

#include "base/err.h"
#include <sys/types.h>

/* Takes an exclusive lock (flock) on a file that is made when missing (0600), and writes the
 * holder's identity (proc.h) into it for messages. Waits at most wait_ms for a holder (-1: for ever,
 * 0: 10 ms), and some seconds more for those who only share it, as a probe does for a moment; a timed
 * wait asks again in steps of up to 50 ms. Returns the fd that holds it: closing it, or death,
 * releases. ERR_BUSY names the holder's pid. The file stays. */
int lock_take(const char *path, int wait_ms, struct err *err);
/* Shared with others who share. */
int lock_take_shared(const char *path, int wait_ms, struct err *err);
/* Does somebody hold it exclusively? Never blocks, never creates the file. Returns 1 held (with the
 * pid that was written, 0 when unknown), 0 free or missing, -1 error. */
int lock_probe(const char *path, pid_t *ret_holder);
/* The pid that holds a POSIX record lock on the file (QEMU's -pidfile), by F_GETLK; 0 when nobody
 * does or the file is missing, -1 with errno otherwise (EOWNERDEAD: held by a process that has no
 * pid here, of another pid namespace). Not for files that this process itself has locked. */
pid_t lock_posix_holder(const char *path);

#endif
