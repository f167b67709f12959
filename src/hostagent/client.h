/* SPDX-License-Identifier: Apache-2.0 */
/* A command's side of the host agent: start one, follow its events, ask it, end it. */
#ifndef CIMA_HOSTAGENT_CLIENT_H
#define CIMA_HOSTAGENT_CLIENT_H

#include "hostagent/event.h"
#include "store/store.h"

/* Starts `cima hostagent NAME` detached (session of its own) with its logs truncated, and returns
 * when it has its lock, or with its own error when it ended before. ret_offset: where its first event
 * will be in ha.stdout.log. `self`: path of the cima program. */
int agent_spawn(const char *self, const struct instance *i, bool debug, struct err *err);
/* Follows ha.stdout.log from its beginning by inotify until fn returns non-zero (passed on), the agent
 * dies (-1, ERR_STATE with what ha.stderr.log says) or the deadline passes (-1, ERR_TIMEOUT).
 * tick is called every tick_ms, and at once when a signal interrupts the wait, for a progress display;
 * what it returns other than 0 ends the wait as fn's does (Ctrl-C). May be NULL. */
typedef int event_fn(void *arg, const struct event *e);
int agent_follow(const struct instance *i, int64_t timeout_ms, event_fn *fn, int (*tick)(void *),
                 int tick_ms, void *arg, struct err *err);
/* GET /v1/info over ha.sock; at most timeout_ms. */
int agent_info(const struct instance *i, int timeout_ms, uint16_t *ret_ssh_port, struct err *err);
/* SIGINT through its pidfd and wait for its end. */
int agent_stop(const struct instance *i, int64_t timeout_ms, struct err *err);

#endif
