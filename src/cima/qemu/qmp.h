/* SPDX-License-Identifier: Apache-2.0 */
/* A client of QEMU's monitor protocol (docs/interop/qmp-spec of QEMU). It is an fd and a process()
 * step: it owns no loop, no thread and no clock. The owner polls cima_qmp_fd() for
 * cima_qmp_wants(), calls cima_qmp_process() then and when cima_qmp_deadline() has passed.
 *
 *   GREETING ──greeting──► NEGOTIATING ──capabilities accepted──► READY ──┐
 *       └──────────── end of file, deadline, protocol error, cima_qmp_shutdown ─┴──► DEAD
 *
 * GREETING     nothing is sent; events are passed on; deadline for the greeting
 * NEGOTIATING  qmp_capabilities is in flight
 * READY        commands are sent in order, one in flight
 * DEAD         every pending command has been answered with the reason; new ones are at once
 *
 * Commands may be given in any state; they wait for READY. */
#ifndef CIMA_QEMU_QMP_H
#define CIMA_QEMU_QMP_H

#include "cima/qemu/json.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cima_qmp_state {
    CIMA_QMP_GREETING,
    CIMA_QMP_NEGOTIATING,
    CIMA_QMP_READY,
    CIMA_QMP_DEAD,
    CIMA_QMP_STATE_COUNT
};
const char *cima_qmp_state_to_string(enum cima_qmp_state s);

/* Longest line that is accepted, in bytes; a longer one ends the connection. */
#define CIMA_QMP_LINE_LIMIT (16U << 20)
/* Time for the greeting and for qmp_capabilities, each (S1-49). */
#define CIMA_QMP_STEP_MS 5000

struct cima_qmp;

struct cima_qmp_handlers {
    /* READY was reached. greeting is the content of "QMP". */
    void (*ready)(void *arg, const struct cima_json *greeting);
    /* In order; data is NULL or an object. */
    void (*event)(void *arg, const char *name, const struct cima_json *data);
    /* DEAD was reached, after all pending commands were answered. Not called by cima_qmp_free. */
    void (*closed)(void *arg, const struct cima_error *why);
};

/* Takes over fd (a connected stream) and makes it non-blocking. step_ms: time for each step of the
 * handshake, 0 for the default. now: monotonic milliseconds, as everywhere here. */
struct cima_qmp *cima_qmp_new(int fd, const struct cima_qmp_handlers *h, void *arg, int step_ms,
                              int64_t now);
/* Closes the socket without a word to callbacks; the VM goes on. Allowed inside any callback. NULL
 * is allowed. */
void cima_qmp_free(struct cima_qmp *q);

/* Another time for the handshake's steps, counted from now. */
void cima_qmp_set_step(struct cima_qmp *q, int step_ms, int64_t now);

enum cima_qmp_state cima_qmp_state(const struct cima_qmp *q);
/* What made it DEAD; not set before. */
const struct cima_error *cima_qmp_why(const struct cima_qmp *q);
/* -1 when DEAD. */
int cima_qmp_fd(const struct cima_qmp *q);
/* POLLIN, POLLOUT. */
short cima_qmp_wants(const struct cima_qmp *q);
/* When cima_qmp_process must be called even if nothing comes; -1: never. */
int64_t cima_qmp_deadline(const struct cima_qmp *q);
/* Reads and writes what is possible, answers, checks the deadlines. Never blocks. Inside a callback
 * it does nothing: the step that called back goes on afterwards. */
void cima_qmp_process(struct cima_qmp *q, int64_t now);

/* Exactly one of ret and err is there. A refusal by QEMU is ERR_QEMU "QMP command 'x' failed: …".
 */
typedef void cima_qmp_reply_fn(void *arg, const struct cima_json *ret,
                               const struct cima_error *err);

struct cima_qmp_call {
    const char *command;
    struct cima_json *args; /* taken over; NULL: none */
    int pass_fd;    /* sent along with the command (getfd, add-fd); -1: none; stays the caller's
                       and open until the answer */
    int timeout_ms; /* from now until the answer; 0: CIMA_QMP_STEP_MS; -1: none */
    /* The command counts as done only when this event has come: it may come before the
     * reply. until_value: its data.device must be that. NULL: the reply is the end. */
    const char *until_event, *until_value;
    cima_qmp_reply_fn *done; /* may be NULL */
    void *arg;
};
#define CIMA_QMP_CALL_INIT                                                                         \
    {                                                                                              \
        .pass_fd = -1                                                                              \
    }

/* Queues a command and returns its id (> 0). done is never called from within, also when DEAD: then
 * by the next cima_qmp_process. */
uint64_t cima_qmp_send(struct cima_qmp *q, const struct cima_qmp_call *call, int64_t now);
/* Its done is not called any more. Not sent yet: it never is. Sent: its reply is awaited and
 * dropped. */
void cima_qmp_cancel(struct cima_qmp *q, uint64_t id);
/* Closes the connection: DEAD, pending commands are answered from the next cima_qmp_process. Safe
 * to repeat. The VM goes on. */
void cima_qmp_shutdown(struct cima_qmp *q);

/* For callers without a loop: polls until READY, or ERR_TIMEOUT / what ended it. */
int cima_qmp_wait_ready(struct cima_qmp *q, int timeout_ms, struct cima_error *err);
/* Sends and polls until the answer. *ret may be NULL. */
int cima_qmp_execute(struct cima_qmp *q, const char *command, struct cima_json *args,
                     int timeout_ms, struct cima_json **ret, struct cima_error *err);
/* human-monitor-command; the text that HMP printed, caller frees. NULL on error. */
char *cima_qmp_execute_hmp(struct cima_qmp *q, const char *line, int timeout_ms,
                           struct cima_error *err);

#ifdef __cplusplus
}
#endif
#endif
