/* SPDX-License-Identifier: Apache-2.0 */
/* A command's side of the host agent: start one, follow its events, ask it, end it. No event loop:
 * poll(2) on pidfds, inotify and sockets. All times are of the monotonic clock. */
#ifndef CIMA_HOSTAGENT_CLIENT_H
#define CIMA_HOSTAGENT_CLIENT_H

#include "hostagent/event.h"
#include "store/store.h"

/* Starts `cima hostagent NAME` detached (session of its own) with its logs truncated (0600), and
 * returns when it has written its first event, which is after it has its lock; or with its own error
 * when it ended before. ERR_BUSY when there is an agent already. `self`: path of the cima program.
 * patience_ms: how long the caller is going to wait; no requirement of the guest is given up
 * earlier, nor before SERVICE_PATIENCE_MS. */
int agent_spawn(const char *self, const struct instance *i, bool debug, int64_t patience_ms,
                struct err *err);
/* Follows ha.stdout.log from its beginning by inotify until fn returns non-zero (passed on), the agent
 * dies (-1, with the error of its last event, else ERR_STATE with what ha.stderr.log says) or the
 * deadline passes (-1, ERR_TIMEOUT; negative: none). tick is called every tick_ms for a progress
 * display; may be NULL. A signal handler's EINTR also leads to a tick. What tick returns other than
 * 0 ends the wait as fn's answer does. */
typedef int event_fn(void *arg, const struct event *e);
int agent_follow(const struct instance *i, int64_t timeout_ms, event_fn *fn, int (*tick)(void *),
                 int tick_ms, void *arg, struct err *err);
/* GET /v1/info over ha.sock; at most timeout_ms. ERR_NOT_FOUND without a socket, ERR_TIMEOUT when it
 * does not answer, ERR_PROTOCOL when it answers nonsense. */
int agent_info(const struct instance *i, int timeout_ms, uint16_t *ret_ssh_port, struct err *err);
/* POST /v1/monitor: a command for the machine's monitor, through the agent, which alone is connected
 * to it. timeout_ms -1: none. The machine's refusal is ERR_QEMU; ERR_STATE when it does not run
 * (yet). *ret (ret may be NULL) is the caller's. */
int agent_monitor(const struct instance *i, const char *command, const struct json *args,
                  int timeout_ms, struct json **ret, struct err *err);
/* SIGINT through its pidfd and wait for its end. ERR_STATE when there is none. Also for the agent
 * that Lima runs. */
int agent_stop(const struct instance *i, int64_t timeout_ms, struct err *err);
/* SIGKILL through its pidfd and wait for its end, at most timeout_ms. 0 also when there is none. */
int agent_kill(const struct instance *i, int64_t timeout_ms, struct err *err);
/* pidfd of the living agent (the holder of the lock; or Lima's), -1 when there is none. */
int agent_open(const struct instance *i);

#endif
