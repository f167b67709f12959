/* SPDX-License-Identifier: Apache-2.0 */
/* What the helper programs of this room say to cima: lines "WORD VALUE" on standard output.
 *   at N              so many bytes are done (a few times a second)
 *   done TEXT         the end, and all is well
 *   fail TEXT         the end: why not, for a person
 *   errno N TEXT      the same, with the errno of the system call TEXT ("cannot write")
 * cima-fetch has some more, see fetcher.c. */
#ifndef CIMA_IMAGE_HELPERIO_H
#define CIMA_IMAGE_HELPERIO_H

#include "base/macro.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define HELPER_LINE_MAX 4096u
#define HELPER_TICK_NS  INT64_C(100000000)

/* One line; control characters of the value become blanks, a long one is cut. Returns -1. */
static inline int say(const char *fmt, ...) PRINTF_FORMAT(1, 2);
static inline int say(const char *fmt, ...)
{
    char line[HELPER_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(line) - 2 ? (size_t)n : sizeof(line) - 2;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = ' ';
    line[len++] = '\n';
    for (size_t done = 0; done < len;) {
        ssize_t w = write(STDOUT_FILENO, line + done, len - done);
        if (w < 0 && errno == EINTR)
            continue;
        /* Nobody listens any more: there is nobody to work for. */
        if (w <= 0)
            _exit(1);
        done += (size_t)w;
    }
    return -1;
}

static inline int say_errno(const char *what)
{
    return say("errno %d %s", errno, what);
}

/* "at N", unless the last one was a moment ago. */
static inline void say_at(uint64_t n)
{
    static int64_t last;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    if (now - last < HELPER_TICK_NS)
        return;
    last = now;
    (void)say("at %" PRIu64, n);
}

/* These programs meet bytes from outside: a fault in a library should not get far. */
static inline void confine(void)
{
    const struct rlimit none = {0, 0};
    /* A file size limit is an error of the write, which we can tell, not our death. */
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

#endif
