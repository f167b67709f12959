/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/lock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

enum {
    IDENTITY_MAX = 128,
    /* lock_probe holds a shared lock for some microseconds, or as long as its process is kept from
     * the processor: who does not want to wait for a holder must still not take a probe for one. */
    HOLDER_MS = 10,
    PROBE_MS = 5000,
    POLL_FIRST_MS = 1,
    POLL_LAST_MS = 50,
};

static void sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

/* The identity that a holder has written; false when there is none that lives. */
static bool read_holder(int fd, struct proc_id *ret)
{
    char text[IDENTITY_MAX];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    struct proc_id id;

    if (n <= 0)
        return false;
    text[n] = '\0';
    if (proc_id_parse(text, &id) < 0 || !proc_id_alive(&id))
        return false;
    *ret = id;
    return true;
}

/* For messages only: a full disk is no reason to fail. */
static void write_holder(int fd)
{
    struct proc_id me;

    if (proc_id_of(getpid(), &me) < 0)
        return;
    _cleanup_free_ char *id = proc_id_format(&me);
    _cleanup_free_ char *line = xasprintf("%s\n", id);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, line, strlen(line), 0) < 0)
        return;
}

/* Is it locked by probes alone (or others who share it)? */
static bool is_shared(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) == 0 && flock(fd, LOCK_UN) == 0;
}

/* flock with a time limit. There is no call that does this; a blocked flock could only be woken by
 * a signal, which a library must not set up. So: block without limit, else ask again in growing
 * steps. Returns 0, or -1 with errno (EWOULDBLOCK at the end of the time). */
static int flock_within(int fd, int operation, int wait_ms)
{
    int64_t deadline = deadline_in(wait_ms < 0 ? -1 : wait_ms ? wait_ms : HOLDER_MS);
    int64_t probes = wait_ms < 0 ? deadline : deadline + PROBE_MS;
    int step = POLL_FIRST_MS;

    for (;;) {
        if (flock(fd, wait_ms < 0 ? operation : operation | LOCK_NB) == 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return -1;
        int left = deadline_left(deadline);
        if (left == 0 && is_shared(fd))
            left = deadline_left(probes);
        if (left == 0) {
            errno = EWOULDBLOCK;
            return -1;
        }
        sleep_ms(left < step ? left : step);
        step = step * 2 < POLL_LAST_MS ? step * 2 : POLL_LAST_MS;
    }
}

static int take(const char *path, int operation, int wait_ms, struct err *err)
{
    int64_t deadline = deadline_in(wait_ms);

    for (;;) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
            return err_set_errno(err, errno == EACCES ? ERR_PERMISSION : ERR_IO,
                                 "opening the lock file '%s'", path);
        if (flock_within(fd, operation, deadline_left(deadline)) < 0) {
            struct proc_id holder;

            if (errno != EWOULDBLOCK)
                return err_set_errno(err, ERR_IO, "locking '%s'", path);
            if (read_holder(fd, &holder))
                return err_set(err, ERR_BUSY, "'%s' is locked by process %d", path,
                               (int)holder.pid);
            return err_set(err, ERR_BUSY, "'%s' is locked by another process", path);
        }
        if (!fd_is_at(fd, path))
            continue;
        if (operation == LOCK_EX)
            write_holder(fd);
        return TAKE_FD(fd);
    }
}

int lock_take(const char *path, int wait_ms, struct err *err)
{
    return take(path, LOCK_EX, wait_ms, err);
}

int lock_take_shared(const char *path, int wait_ms, struct err *err)
{
    return take(path, LOCK_SH, wait_ms, err);
}

int lock_probe(const char *path, pid_t *ret_holder)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct proc_id holder = {0};

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    /* Shared, so that two probes do not see each other. */
    while (flock(fd, LOCK_SH | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return -1;
        if (ret_holder)
            *ret_holder = read_holder(fd, &holder) ? holder.pid : 0;
        return 1;
    }
    return 0;
}

pid_t lock_posix_holder(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    if (fcntl(fd, F_GETLK, &lock) < 0)
        return -1;
    if (lock.l_type == F_UNLCK)
        return 0;
    /* An open-file-description lock has no pid (-1), a holder outside our pid namespace shows 0. */
    if (lock.l_pid <= 0) {
        errno = EOWNERDEAD;
        return -1;
    }
    return lock.l_pid;
}
