/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the client: the log files of an agent, read from outside. */
#ifndef CIMA_HOSTAGENT_LOGS_H
#define CIMA_HOSTAGENT_LOGS_H

#include "hostagent/event.h"
#include "store/store.h"

/* ha.stdout.log, read from its beginning as it grows. */
struct event_log {
    int fd, notify_fd; /* notify_fd is readable when there may be more */
    struct sbuf buf;
    size_t at;         /* what is before was handed out */
};

#define EVENT_LOG_INIT {.fd = -1, .notify_fd = -1, .buf = SBUF_INIT}
#define _cleanup_event_log_ _cleanup_(event_log_close)

int event_log_open(struct event_log *l, const struct instance *i, struct err *err);
void event_log_close(struct event_log *l);
/* The next event, into a released *ret. 1, or 0 when there is none now. Lines that are no events
 * are skipped. */
int event_log_next(struct event_log *l, struct event *ret);

/* Fills err with why the agent has ended: last_error (may be NULL), else the error of its last
 * event, else what ha.stderr.log says last. Returns -1. */
int agent_death_error(const struct instance *i, const struct err *last_error, struct err *err);

#endif
