/* SPDX-License-Identifier: Apache-2.0 */
/* The per-instance supervisor (`cima hostagent NAME`), spec HA-10 to HA-15, HA-90, HA-91. */
#ifndef CIMA_HOSTAGENT_HOSTAGENT_H
#define CIMA_HOSTAGENT_HOSTAGENT_H

#include "base/err.h"
#include "store/store.h"

struct hostagent_options {
    const char *pidfile;  /* default <dir>/ha.pid */
    const char *socket;   /* default <dir>/ha.sock */
    bool foreground;      /* events and logs go to the terminal too */
};

/* Runs until the machine has ended or a signal asked for the end. Events go to stdout, log lines to
 * stderr: the caller has put them where they belong. */
int hostagent_run(const struct store *s, const struct instance *i, const struct host_facts *host,
                  const struct hostagent_options *o, struct err *err);

#endif
