/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the scripted server that notes what it is told. */
#ifndef CIMA_TEST_QMP_PEER_H
#define CIMA_TEST_QMP_PEER_H

#include "fake/qmp_server.h"
#include "qemu/qemu.h"
#include "sys/clock.h"
#include <criterion/criterion.h>

#define HANG_STATUS 2 /* the server was still waiting when we closed */

struct peer {
    struct cima_qmp *q;
    pid_t pid;
    unsigned ready, events, closed, replies, skipped;
    char last_event[64], order[512], why[512], last_skipped[128];
    int64_t seconds, microseconds; /* of the last event */
    enum err_kind why_kind;
    unsigned turns; /* steps of the loop */
};

extern const struct cima_qmp_handlers peer_handlers;

/* Milliseconds for what has to happen, on any machine. */
enum { LONG_MS = 240000 };

/* Starts the server and the client; step_ms as for cima_qmp_new, but 0 is a long time: it is also
 * that of commands without a time of their own. */
void begin(struct peer *p, const struct qmp_step *steps, int step_ms);
/* The server's exit status. */
int end(struct peer *p);
/* One turn of a loop, at most 100 ms. */
void step(struct peer *p);
/* Queues a command; its answer goes to `order`: "is" of what is returned, or the error, and ';'. */
uint64_t ask(struct peer *p, const char *command, int timeout_ms);
uint64_t ask_call(struct peer *p, struct cima_qmp_call call);

/* Until cond holds. */
#define RUN_UNTIL(p, cond)                                                                         \
    do {                                                                                           \
        for (int64_t until_ = deadline_in(LONG_MS); !(cond);) {                                      \
            cr_assert(monotonic_ms() < until_, "timed out: " #cond);                               \
            step(p);                                                                               \
        }                                                                                          \
    } while (0)

#endif
