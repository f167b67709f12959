/* SPDX-License-Identifier: Apache-2.0 */
/* A QMP server that follows a script: forked, on a socket pair. */
#ifndef CIMA_TEST_QMP_SERVER_H
#define CIMA_TEST_QMP_SERVER_H

#include <stddef.h>
#include <sys/types.h>

enum qmp_step_kind {
    QS_END,        /* closes and exits with 0 */
    QS_SEND,       /* text as it is */
    QS_EXPECT,     /* reads a line; its "execute" must be text, else exit 1 */
    QS_REPLY,      /* text is the content of "return" (JSON); id of the last command */
    QS_ERROR,      /* text is the description */
    QS_FLOOD,      /* n bytes without a newline */
    QS_FDS,        /* the last command must have come with n descriptors, else exit 1 */
    QS_HAS,        /* the last command's line must contain text, else exit 1 */
    QS_KEEP,       /* notes the id of the last command in slot n (0 to 3) */
    QS_REPLY_KEPT, /* as QS_REPLY, with the id in slot n */
    QS_DRIP,       /* text as it is, byte by byte with pauses of n microseconds */
    QS_REPEAT,     /* text as it is, n times */
    QS_SLEEP,      /* n milliseconds */
    QS_SIGNAL,     /* waits for SIGUSR1 from the test */
    QS_SHUT,       /* reads no more: the client's writing fails, its reading does not end */
    QS_HANG,       /* until the client is gone */
};

struct qmp_step {
    enum qmp_step_kind kind;
    const char *text;
    size_t n;
};

#define QS_GREETING                                                                                \
    {                                                                                              \
        QS_SEND,                                                                                   \
            "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "     \
            "\"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}\r\n",                         \
            0                                                                                      \
    }
#define QS_HELLO                                                                                   \
    QS_GREETING, {QS_EXPECT, "qmp_capabilities", 0},                                               \
    {                                                                                              \
        QS_REPLY, "{}", 0                                                                          \
    }

/* Returns the client's end. */
int qmp_server_start(const struct qmp_step *steps, pid_t *ret_pid);
/* Closes nothing; waits for its end and returns its exit status, 128 + n for a signal. */
int qmp_server_end(pid_t pid);

#endif
