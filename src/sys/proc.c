/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/proc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/strv.h"
#include "sys/clock.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>

enum { PROC_FILE_MAX = 1 << 16, STAT_FIELD_STATE = 3, STAT_FIELD_START = 22 };

/* Where the kernel keeps its boot id from us, all processes count as of the same boot. */
static const char unknown_boot_id[] = "00000000-0000-0000-0000-000000000000";

/* The id of this boot; it can't change while we live. */
static const char *boot_id(void)
{
    static char id[37];

    if (!id[0]) {
        _cleanup_free_ char *text = file_read("/proc/sys/kernel/random/boot_id", 4096, NULL, NULL);
        bool ok = text && strlen(text) >= 36;

        memcpy(id, ok ? text : unknown_boot_id, 36);
        id[36] = '\0';
    }
    return id;
}

/* State letter and start time out of the text of /proc/PID/stat. The name in parentheses may hold
 * anything, so the fields count from the last one that closes. */
static int parse_stat(const char *text, char *ret_state, uint64_t *ret_start)
{
    const char *p = strrchr(text, ')');
    char state = '\0';

    for (int field = 2; p && field < STAT_FIELD_START; field++) {
        p = strchr(p, ' ');
        if (p && *++p && field + 1 == STAT_FIELD_STATE)
            state = *p;
    }
    if (!p || !state)
        return -1;
    _cleanup_free_ char *start = xstrndup(p, strcspn(p, " \n"));
    if (parse_uint(start, UINT64_MAX, ret_start) < 0)
        return -1;
    *ret_state = state;
    return 0;
}

int proc_id_of(pid_t pid, struct proc_id *ret)
{
    _cleanup_free_ char *path = xasprintf("/proc/%d/stat", (int)pid);
    _cleanup_free_ char *text = pid > 0 ? file_read(path, PROC_FILE_MAX, NULL, NULL) : NULL;
    uint64_t start;
    char state;

    if (!text || parse_stat(text, &state, &start) < 0 || state == 'Z' || state == 'X') {
        errno = ESRCH;
        return -1;
    }
    *ret = (struct proc_id){.pid = pid, .start_time = start};
    memcpy(ret->boot_id, boot_id(), sizeof(ret->boot_id));
    return 0;
}

bool proc_id_alive(const struct proc_id *id)
{
    struct proc_id now;

    return proc_id_of(id->pid, &now) == 0 && now.start_time == id->start_time &&
           streq(now.boot_id, id->boot_id);
}

int proc_id_open(const struct proc_id *id)
{
    _cleanup_close_ int fd = pidfd_open_(id->pid);

    if (fd < 0)
        return -1;
    /* The pidfd pins whoever has the pid now; whether that is the right one is seen after. */
    if (!proc_id_alive(id)) {
        errno = ESRCH;
        return -1;
    }
    return TAKE_FD(fd);
}

char *proc_id_format(const struct proc_id *id)
{
    return xasprintf("%d %" PRIu64 " %s", (int)id->pid, id->start_time, id->boot_id);
}

static bool is_boot_id(const char *s)
{
    return strlen(s) == 36 && s[strspn(s, "0123456789abcdefABCDEF-")] == '\0';
}

int proc_id_parse(const char *text, struct proc_id *ret)
{
    _cleanup_strv_ struct strv words = STRV_INIT;
    _cleanup_free_ char *line = xstrndup(text, strcspn(text, "\n"));
    uint64_t pid, start;

    if (strlen(line) > 128)
        return -1;
    strv_split(&words, line, ' ');
    if (words.n != 3 || parse_uint(words.v[0], INT_MAX, &pid) < 0 || pid == 0 ||
        parse_uint(words.v[1], UINT64_MAX, &start) < 0 || !is_boot_id(words.v[2]))
        return -1;
    *ret = (struct proc_id){.pid = (pid_t)pid, .start_time = start};
    memcpy(ret->boot_id, words.v[2], 37);
    return 0;
}

int pidfd_open_(pid_t pid)
{
    /* The kernel sets close-on-exec. */
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

int pidfd_signal(int pidfd, int sig)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0U);
}

int pidfd_wait(int pidfd, int timeout_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int64_t deadline = deadline_in(timeout_ms);

    for (;;) {
        int n = poll(&p, 1, deadline_left(deadline));

        if (n > 0 && (p.revents & POLLNVAL)) {
            errno = EBADF;
            return -1;
        }
        if (n >= 0)
            return n > 0;
        if (errno != EINTR)
            return -1;
    }
}

char *proc_exe(pid_t pid)
{
    char exe[PATH_MAX];
    _cleanup_free_ char *link = xasprintf("/proc/%d/exe", (int)pid);
    _cleanup_free_ char *cmdline = xasprintf("/proc/%d/cmdline", (int)pid);
    ssize_t n = readlink(link, exe, sizeof(exe) - 1);

    if (n > 0) {
        static const char deleted[] = " (deleted)"; /* replaced by an upgrade */

        exe[n] = '\0';
        if (str_ends(exe, deleted))
            exe[(size_t)n - (sizeof(deleted) - 1)] = '\0';
        return xstrdup(exe);
    }
    /* Another user's process shows its command line only. */
    _cleanup_free_ char *args = file_read(cmdline, PROC_FILE_MAX * 4, NULL, NULL);
    return args && *args ? xstrdup(args) : NULL;
}
