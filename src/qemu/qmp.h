/* SPDX-License-Identifier: Apache-2.0 */
/* A client of QEMU's monitor protocol (docs/interop/qmp-spec of QEMU). It is an fd and a process()
 * step: it owns no loop, no thread and no clock. The owner polls qmp_fd() for qmp_wants(), calls
 * qmp_process() then and when qmp_deadline() has passed.
 *
 *   GREETING ──greeting──► NEGOTIATING ──capabilities accepted──► READY ──┐
 *       └──────────── end of file, deadline, protocol error, qmp_shutdown ─┴──► DEAD
 *
 * GREETING     nothing is sent; events are passed on; deadline for the greeting
 * NEGOTIATING  qmp_capabilities is in flight
 * READY        commands are sent in order, one in flight
 * DEAD         every pending command has been answered with the reason; new ones are at once
 *
 * Commands may be given in any state; they wait for READY. */
#ifndef CIMA_QEMU_QMP_H
#define CIMA_QEMU_QMP_H

#include "base/err.h"
#include "json/json.h"

enum qmp_state { QMP_GREETING, QMP_NEGOTIATING, QMP_READY, QMP_DEAD, QMP_STATE_COUNT };
const char *qmp_state_to_string(enum qmp_state s);

/* Longest line that is accepted, in bytes; a longer one ends the connection. */
#define QMP_LINE_LIMIT (16U << 20)
/* Time for the greeting and for qmp_capabilities, each (S1-49). */
#define QMP_STEP_MS 5000

struct qmp;

struct qmp_handlers {
    /* READY was reached. greeting is the content of "QMP". */
    void (*ready)(void *arg, const struct json *greeting);
    /* In order; data is NULL or an object. */
    void (*event)(void *arg, const char *name, const struct json *data);
    /* DEAD was reached, after all pending commands were answered. Not called by qmp_free. */
    void (*closed)(void *arg, const struct err *why);
};

/* Takes over fd (a connected stream) and makes it non-blocking. step_ms: time for each step of the
 * handshake, 0 for the default. now: monotonic milliseconds, as everywhere here. */
struct qmp *qmp_new(int fd, const struct qmp_handlers *h, void *arg, int step_ms, int64_t now);
/* Closes the socket without a word to callbacks; the VM goes on. Allowed inside any callback. NULL
 * is allowed. */
void qmp_free(struct qmp *q);
DEFINE_CLEANUP_PTR(qmp, qmp_free)

/* Another time for the handshake's steps, counted from now. */
void qmp_set_step(struct qmp *q, int step_ms, int64_t now);

enum qmp_state qmp_state(const struct qmp *q);
/* What made it DEAD; not set before. */
const struct err *qmp_why(const struct qmp *q);
/* -1 when DEAD. */
int qmp_fd(const struct qmp *q);
/* POLLIN, POLLOUT. */
short qmp_wants(const struct qmp *q);
/* When qmp_process must be called even if nothing comes; -1: never. */
int64_t qmp_deadline(const struct qmp *q);
/* Reads and writes what is possible, answers, checks the deadlines. Never blocks. Inside a callback
 * it does nothing: the step that called back goes on afterwards. */
void qmp_process(struct qmp *q, int64_t now);

/* Exactly one of ret and err is there. A refusal by QEMU is ERR_QEMU "QMP command 'x' failed: …".
 */
typedef void qmp_reply_fn(void *arg, const struct json *ret, const struct err *err);

struct qmp_call {
    const char *command;
    struct json *args; /* taken over; NULL: none */
    int pass_fd;       /* sent along with the command (getfd, add-fd); -1: none; stays the caller's
                          and open until the answer */
    int timeout_ms;    /* from now until the answer; 0: QMP_STEP_MS; -1: none */
    /* The command counts as done only when this event has come: it may come before the
     * reply. until_value: its data.device must be that. NULL: the reply is the end. */
    const char *until_event, *until_value;
    qmp_reply_fn *done; /* may be NULL */
    void *arg;
};
#define QMP_CALL_INIT                                                                              \
    {                                                                                              \
        .pass_fd = -1                                                                              \
    }

/* Queues a command and returns its id (> 0). done is never called from within, also when DEAD: then
 * by the next qmp_process. */
uint64_t qmp_send(struct qmp *q, const struct qmp_call *call, int64_t now);
/* Its done is not called any more. Not sent yet: it never is. Sent: its reply is awaited and
 * dropped. */
void qmp_cancel(struct qmp *q, uint64_t id);
/* Closes the connection: DEAD, pending commands are answered from the next qmp_process. Safe to
 * repeat. The VM goes on. */
void qmp_shutdown(struct qmp *q);

/* For callers without a loop: polls until READY, or ERR_TIMEOUT / what ended it. */
int qmp_wait_ready(struct qmp *q, int timeout_ms, struct err *err);
/* Sends and polls until the answer. *ret may be NULL. */
int qmp_execute(struct qmp *q, const char *command, struct json *args, int timeout_ms,
                struct json **ret, struct err *err);
/* human-monitor-command; the text that HMP printed, caller frees. NULL on error. */
char *qmp_execute_hmp(struct qmp *q, const char *line, int timeout_ms, struct err *err);

/* Parses one line: for the fuzzer and the client. Kinds of messages: */
enum qmp_line { QMP_LINE_GREETING, QMP_LINE_REPLY, QMP_LINE_EVENT, QMP_LINE_OTHER };
/* -1 with ERR_PROTOCOL when it is no JSON object. *ret belongs to the caller. */
int qmp_parse_line(const char *line, size_t len, enum qmp_line *ret_kind, struct json **ret,
                   struct err *err);
/* The version out of a greeting or query-version: -1 when it has none. */
int qmp_version(const struct json *j, unsigned ret[3]);

/* Host port that `info usernet` names for a TCP forwarding to the guest's port; 0: none. */
uint16_t qmp_usernet_port(const char *text, uint16_t guest_port);

#endif
