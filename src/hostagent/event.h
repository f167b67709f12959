/* SPDX-License-Identifier: Apache-2.0 */
/* Event lines of the host agent (HA-14), written to ha.stdout.log and read back by commands. */
#ifndef CIMA_HOSTAGENT_EVENT_H
#define CIMA_HOSTAGENT_EVENT_H

#include "base/err.h"
#include "service/service.h"

/* Longest line that a reader accepts. */
#define EVENT_LINE_MAX (1024 * 1024)

struct event_forward {
    char *type, *protocol, *guest_addr, *host_addr, *error; /* type NULL: there is none */
};

struct event {
    char time[40];          /* RFC 3339, nanoseconds; "" is written as now */
    bool running, degraded, exiting;
    uint16_t ssh_local_port; /* 0: not known yet */
    struct strv errors;
    struct event_forward forward;
    /* ours, in fields Lima's readers ignore: */
    enum stage stage;
    char *waiting;          /* what the start waits for, one clause, or NULL; owned */
    struct err *error;      /* the very error that ended or spoiled the start, or NULL; owned */
};

#define EVENT_INIT {.stage = STAGE_CREATED}
#define _cleanup_event_ _cleanup_(event_release)

void event_release(struct event *e);
void event_forward_release(struct event_forward *f);
/* One line without newline. Caller frees. */
char *event_to_json(const struct event *e);
/* Fields that are not there keep their zero; unknown ones are ignored (Lima writes more).
 * ERR_PROTOCOL when it is no event at all. */
int event_parse(const char *line, size_t len, struct event *ret, struct err *err);
/* "2026-01-02T03:04:05.123456789Z" of now. */
void event_time_now(char ret[40]);

#endif
