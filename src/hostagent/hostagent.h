/* SPDX-License-Identifier: Apache-2.0 */
/* The per-instance supervisor (`cima hostagent NAME`), spec HA-10 to HA-15, HA-90, HA-91. */
#ifndef CIMA_HOSTAGENT_HOSTAGENT_H
#define CIMA_HOSTAGENT_HOSTAGENT_H

#include "base/err.h"
#include "store/store.h"

struct driver;

struct hostagent_options {
    const char *pidfile;  /* default <dir>/ha.pid */
    const char *socket;   /* default <dir>/ha.sock */
    bool foreground;      /* log lines keep their format, SIGHUP ends it; events go to ha.stdout.log */
    int64_t patience_ms;  /* for each requirement; 0: SERVICE_PATIENCE_MS */
    /* For tests. */
    const struct driver *driver; /* NULL: by vmType */
};

/* Runs until the machine has ended or a signal asked for the end. Events go to stdout (in the
 * foreground: to ha.stdout.log), log lines to stderr, as JSON unless in the foreground: the caller
 * has put them where they belong. The last event says what this function returns: `exiting`, with
 * the error. Returns 0 for an end that was asked for and for a guest that powered itself off.
 * ERR_BUSY when another agent has the instance: then nothing was touched and no event written. */
int hostagent_run(const struct store *s, const struct instance *i, const struct host_facts *host,
                  const struct hostagent_options *o, struct err *err);

#endif
