/* SPDX-License-Identifier: Apache-2.0 */
/* Event lines of the host agent (HA-14), written to ha.stdout.log and read back by commands. */
#ifndef CIMA_HOSTAGENT_EVENT_H
#define CIMA_HOSTAGENT_EVENT_H

#include "base/err.h"
#include "service/service.h"

struct event {
    char time[40];          /* RFC 3339, nanoseconds */
    bool running, degraded, exiting;
    uint16_t ssh_local_port; /* 0: not known yet */
    struct strv errors;
    /* ours, in fields Lima's readers ignore: */
    enum stage stage;
    struct err *error;      /* the very error that ended the start, or NULL */
};

void event_release(struct event *e);
char *event_to_json(const struct event *e); /* one line without newline */
int event_parse(const char *line, size_t len, struct event *ret, struct err *err);

#endif
