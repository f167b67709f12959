/* SPDX-License-Identifier: Apache-2.0 */
/* Other people's processes: identity that survives pid reuse. */
#ifndef CIMA_SYS_PROC_H
#define CIMA_SYS_PROC_H

#include "base/err.h"
#include <sys/types.h>

/* A process: its pid counts only together with its start time and the boot it belongs to. */
struct proc_id {
    pid_t pid;
    uint64_t start_time; /* field 22 of /proc/PID/stat, clock ticks after boot */
    char boot_id[37];    /* /proc/sys/kernel/random/boot_id */
};

/* Of a living process. -1 when there is none. */
int proc_id_of(pid_t pid, struct proc_id *ret);
/* The same process, still alive (a zombie is not)? */
bool proc_id_alive(const struct proc_id *id);
/* pidfd for exactly that process, or -1 (ESRCH when it is gone or another one). */
int proc_id_open(const struct proc_id *id);
/* "PID START BOOTID" and back. */
char *proc_id_format(const struct proc_id *id);
int proc_id_parse(const char *text, struct proc_id *ret);
int pidfd_open_(pid_t pid);
int pidfd_signal(int pidfd, int sig);
/* Waits until the process behind pidfd has ended. 1 ended, 0 timeout, -1 errno. */
int pidfd_wait(int pidfd, int timeout_ms);
/* Name of the program of pid ("/usr/bin/limactl"), from /proc/PID/exe or cmdline; NULL when it
 * can't be seen. Caller frees. */
char *proc_exe(pid_t pid);

#endif
