/* SPDX-License-Identifier: Apache-2.0 */
/* A client of QEMU's monitor protocol (QEMU's manual, "QEMU Machine Protocol Specification"). At
 * its core it is an fd and a process() step: it owns no loop, no thread and no clock, and never
 * blocks. The owner polls cima_qmp_fd() for cima_qmp_wants(), and calls cima_qmp_process() then and
 * when cima_qmp_deadline() has passed. For programs without a loop, the functions of the second
 * half of this header do that and wait. Both may be mixed. A client belongs to one thread.
 *
 *   GREETING ──greeting──► NEGOTIATING ──capabilities accepted──► READY ──┐
 *       └──────────── end of file, deadline, protocol error, cima_qmp_shutdown ─┴──► DEAD
 *
 * GREETING     nothing is sent; events are passed on; deadline for the greeting
 * NEGOTIATING  qmp_capabilities is in flight
 * READY        commands are sent in order, one in flight; out-of-band ones pass them
 * DEAD         every pending command has been answered with the reason; new ones are at once
 *
 * Commands may be given in any state; they wait for READY. Callbacks come out of cima_qmp_process
 * (and the waiting functions) only; they may call everything but the waiting functions. Times are
 * milliseconds of the monotonic clock (CLOCK_MONOTONIC).
 *
 * Texts in errors and events come from QEMU, and there may be a hostile guest behind it: lines,
 * their number of values and what is kept are bounded, and a message that breaks the protocol ends
 * the connection (F18). */
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
/* For people: static text. */
const char *cima_qmp_state_to_string(enum cima_qmp_state s);

/* Longest line that is accepted, in bytes; a longer one ends the connection. */
#define CIMA_QMP_LINE_LIMIT (16U << 20)
/* Time for the greeting and for qmp_capabilities, each, and for an answer (S1-49). */
#define CIMA_QMP_STEP_MS 5000
/* Older machines are refused. */
#define CIMA_QMP_OLDEST_MAJOR 5

struct cima_qmp;

/* Borrowed: valid during the callback. */
struct cima_qmp_event {
    const char *name;
    const struct cima_json *data; /* NULL or an object */
    /* When QEMU saw it, since 1970; -1, -1 when it does not say. */
    int64_t seconds, microseconds;
};

/* Each may be NULL. */
struct cima_qmp_handlers {
    /* READY was reached. greeting is the content of "QMP". */
    void (*ready)(void *arg, const struct cima_json *greeting);
    /* In the order in which they came. Nothing is kept for a client without this. */
    void (*event)(void *arg, const struct cima_qmp_event *event);
    /* DEAD was reached, after all pending commands were answered. Not called by cima_qmp_free. */
    void (*closed)(void *arg, const struct cima_error *why);
    /* A message was skipped because nothing asked for it: why, on one line. */
    void (*skipped)(void *arg, const char *why);
    /* For debugging: every line that goes out or comes in, without its end. Passwords are not in
     * it. What comes in is as QEMU wrote it: not made printable. */
    void (*line)(void *arg, bool out, const char *text, size_t len);
};

/* Takes over fd, a connected stream socket, and makes it non-blocking. step_ms: time for each step
 * of the handshake, 0 for the default. h is copied, NULL is allowed. Free with cima_qmp_free. */
struct cima_qmp *cima_qmp_new(int fd, const struct cima_qmp_handlers *h, void *arg, int step_ms,
                              int64_t now);
/* Connects to a unix socket and goes on as cima_qmp_new with `timeout_ms` for the steps; waits only
 * for the connection, not for READY. NULL with "not-found" (no socket), "net" (nobody listens),
 * "timeout", "io", "config" (a path that is too long). */
struct cima_qmp *cima_qmp_connect(const char *path, const struct cima_qmp_handlers *h, void *arg,
                                  int timeout_ms, struct cima_error *error);
/* Closes the socket without a word to callbacks; the VM goes on. Allowed inside any callback. NULL
 * is allowed. */
void cima_qmp_free(struct cima_qmp *q);

/* Another time for the handshake's steps, counted from now. */
void cima_qmp_set_step(struct cima_qmp *q, int step_ms, int64_t now);
/* Asks for out-of-band execution, if the greeting offers it. Before the greeting, that is right
 * after cima_qmp_new. */
void cima_qmp_want_oob(struct cima_qmp *q);

/* Where it stands. */
enum cima_qmp_state cima_qmp_state(const struct cima_qmp *q);
/* What made it DEAD; NULL before. Belongs to the client. */
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

/* The content of the greeting's "QMP"; NULL before it came. Belongs to the client. */
const struct cima_json *cima_qmp_greeting(const struct cima_qmp *q);
/* Major, minor, micro of QEMU; -1 before the greeting. */
int cima_qmp_version(const struct cima_qmp *q, unsigned ret_version[3]);
/* Is out-of-band execution agreed on? False before READY. */
bool cima_qmp_has_oob(const struct cima_qmp *q);

/* ---- commands -------------------------------------------------------------------------------- */

/* Exactly one of ret and error is there; both are borrowed. Errors, with the command's name in
 * front: "qemu"         "QMP command failed: …" with QEMU's words; also when the machine has
 * gone "unsupported"  the same, when this QEMU does not know the command "not-found"    the same,
 * when there is no such device "timeout"      no answer in time, or its event did not come the kind
 * of cima_qmp_why(): "exitting QMP loop, command cancelled: …" when the connection ended
 *   "config"       its arguments could not be made */
typedef void cima_qmp_reply_fn(void *arg, const struct cima_json *ret,
                               const struct cima_error *error);

/* One command. Zero is a good start for every field. Texts are borrowed until it is sent.
 * commands.h makes them. */
struct cima_qmp_call {
    const char *command;
    struct cima_json *args;     /* taken over; NULL: none */
    struct cima_error *problem; /* why it can't be sent: the answer. Taken over; NULL: none */
    /* A descriptor that goes along with the line, exactly once (getfd, add-fd; Q-12). It is
     * duplicated when the command is queued: the caller may close its own at once. */
    bool with_fd;
    int fd;
    int timeout_ms; /* from now until the end; 0: CIMA_QMP_STEP_MS; -1: none */
    /* The command counts as done only when this event has come: it may come before the
     * reply. until_value: the text of its data's member until_key must be that; until_key NULL is
     * "device", or "path". NULL: the reply is the end. fail_event: the same, but it failed. */
    const char *until_event, *until_key, *until_value, *fail_event;
    /* exec-oob: passes the queue, and many may be in flight. An error where cima_qmp_has_oob is
     * false. */
    bool out_of_band;
    cima_qmp_reply_fn *done; /* may be NULL */
    void *arg;
};

/* Releases what a call has taken over: only for one that is not sent. */
void cima_qmp_call_release(struct cima_qmp_call *call);

/* Queues a command and returns its id (> 0). done is never called from within, also when DEAD: then
 * by the next cima_qmp_process. */
uint64_t cima_qmp_send(struct cima_qmp *q, const struct cima_qmp_call *call, int64_t now);
/* Its done is not called any more. Not sent yet: it never is. Sent: its reply is awaited and
 * dropped. Answered, but its event has not come: it is over at once. An id that is unknown
 * or over is allowed. */
void cima_qmp_cancel(struct cima_qmp *q, uint64_t id);
/* Closes the connection: DEAD, pending commands are answered from the next cima_qmp_process. Safe
 * to repeat. The VM goes on. */
void cima_qmp_shutdown(struct cima_qmp *q);

/* ---- for programs without a loop ------------------------------------------------------------- */
/* These wait. Inside a callback of the same client they fail with "state" at once. Signals do not
 * end them. */

/* While one waits and fd gets readable (an eventfd, the end of a pipe) it fails with "interrupted",
 * "canceled by caller"; a command that was sent is then cancelled as by cima_qmp_cancel. -1:
 * none. The fd stays the caller's, and nothing is read from it. */
void cima_qmp_set_cancel_fd(struct cima_qmp *q, int fd);

/* Until READY: "timeout", or what ended it. */
int cima_qmp_wait_ready(struct cima_qmp *q, int timeout_ms, struct cima_error *error);
/* Sends and waits for the end; call.done and call.arg are not used. *ret_value is the caller's;
 * ret_value may be NULL. Errors: see cima_qmp_reply_fn. */
int cima_qmp_run(struct cima_qmp *q, struct cima_qmp_call call, struct cima_json **ret_value,
                 struct cima_error *error);
/* The same for a command by its name; args are taken over, NULL: none. */
int cima_qmp_execute(struct cima_qmp *q, const char *command, struct cima_json *args,
                     int timeout_ms, struct cima_json **ret_value, struct cima_error *error);
/* A line of the human monitor, as human-monitor-command. What it printed, on lines ended by CR LF;
 * caller frees. NULL on error; a line that failed is no error here: see cima_hmp_check. */
char *cima_qmp_execute_hmp(struct cima_qmp *q, const char *line, int timeout_ms,
                           struct cima_error *error);
/* The human monitor has no errors, but texts that begin with "Error" or "unknown command:", or that
 * tell to try "help". -1 with "qemu" and the first line of such a text. */
int cima_hmp_check(const char *printed, struct cima_error *error);

struct cima_qmp_watch;
/* Collects events from now on, so that none is missed between a command and the wait for what it
 * brings about. name, key and value as until_event, until_key and until_value above; NULL name:
 * all. At most 64 of them or 1 MiB are kept, then the oldest goes. Free with cima_qmp_watch_free,
 * before or after the client. */
struct cima_qmp_watch *cima_qmp_watch_new(struct cima_qmp *q, const char *name, const char *key,
                                          const char *value);
void cima_qmp_watch_free(struct cima_qmp_watch *w); /* NULL is allowed */
/* The next event: one that was collected, or the first that comes within timeout_ms (-1: for ever).
 * *ret_event may be NULL; it is valid until the next wait on w. "timeout", "interrupted" or what
 * ended the connection. */
int cima_qmp_watch_wait(struct cima_qmp_watch *w, int timeout_ms, struct cima_qmp_event *ret_event,
                        struct cima_error *error);
/* How many events were collected and dropped again for want of room. */
uint64_t cima_qmp_watch_dropped(const struct cima_qmp_watch *w);

#ifdef __cplusplus
}
#endif
#endif
