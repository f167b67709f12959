/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/holders.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

/* A process that is ended can have made another one meanwhile. */
enum { ROUNDS = 8, FDINFO_MAX = 65536 };

static void cleanup_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}
#define _cleanup_dir_ _cleanup_(cleanup_dir)

/* Is the flock of this open file ours? (proc(5), "fdinfo": lines "lock:\t1: FLOCK  ADVISORY  WRITE
 * …".) Who merely reads the file, or looks whether it is locked, has none. */
static bool has_flock(pid_t pid, const char *fd)
{
    _cleanup_free_ char *path = xasprintf("/proc/%d/fdinfo/%s", (int)pid, fd), *text = NULL;
    const char *lock;

    text = file_read(path, FDINFO_MAX, NULL, NULL);
    lock = text ? strstr(text, "lock:") : NULL;
    return lock && strstr(lock, "FLOCK");
}

static bool holds(pid_t pid, const struct stat *wanted)
{
    char path[64];
    struct dirent *e;
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    _cleanup_dir_ DIR *d = opendir(path);
    while (d && (e = readdir(d)))
        if (isdigit((unsigned char)*e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
            st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino && has_flock(pid, e->d_name))
            return true;
    return false;
}

size_t file_holders(const char *path, pid_t **ret)
{
    pid_t *pids = NULL;
    size_t n = 0, cap = 0;
    struct dirent *e;
    struct stat st;

    *ret = NULL;
    if (stat(path, &st) < 0)
        return 0;
    _cleanup_dir_ DIR *proc = opendir("/proc");
    while (proc && (e = readdir(proc))) {
        pid_t pid = isdigit((unsigned char)*e->d_name) ? (pid_t)atoi(e->d_name) : 0;

        if (pid <= 0 || pid == getpid() || !holds(pid, &st))
            continue;
        GROW_ARRAY(pids, n, cap);
        pids[n++] = pid;
    }
    *ret = pids;
    return n;
}

static void kill_one(pid_t pid, const struct stat *st, int64_t until)
{
    _cleanup_close_ int pidfd = pidfd_open_(pid);

    if (pidfd >= 0 && holds(pid, st) && pidfd_signal(pidfd, SIGKILL) == 0)
        pidfd_wait(pidfd, deadline_left(until));
}

int file_holders_kill(const char *path, int timeout_ms)
{
    int64_t until = deadline_in(timeout_ms);
    struct stat st;

    if (stat(path, &st) < 0)
        return 0;
    for (int round = 0; round < ROUNDS; round++) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = file_holders(path, &pids);

        if (!n)
            return 0;
        for (size_t i = 0; i < n; i++)
            kill_one(pids[i], &st, until);
        if (deadline_left(until) == 0)
            break;
    }
    return -1;
}
