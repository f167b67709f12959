/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the QMP client share. */
#ifndef CIMA_QEMU_QMP_INTERNAL_H
#define CIMA_QEMU_QMP_INTERNAL_H

#include "base/mem.h"
#include "base/sbuf.h"
#include "qemu/qemu.h"

/* QUEUED and SENT commands are in `queue`, where only the first can be SENT, or in `urgent`; one
 * that has its reply and waits for its event is in `awaiting`. */
enum cmd_state { CMD_QUEUED, CMD_SENT, CMD_AWAITING };

/* What became of a command by the events that came before its reply. */
enum cmd_event { CMD_EVENT_NONE, CMD_EVENT_CAME, CMD_EVENT_FAILED };

/* Which event: see struct cima_qmp_call. */
struct event_filter {
    char *name, *key, *value; /* NULL: any name, the usual keys, any value */
};

struct cmd {
    struct cmd *next;
    uint64_t id;
    int64_t wire_id; /* what QEMU is told and says back */
    enum cmd_state state;
    char *name;
    char *line; /* with the newline */
    size_t len, sent;
    char *shown;      /* for handlers.line, when it differs: without passwords */
    int fd;           /* ours; -1: none, or sent already */
    int64_t deadline; /* -1: none */
    bool out_of_band;
    struct event_filter until;
    char *fail_event;
    enum cmd_event event;
    struct json *reply;      /* kept while the event is awaited */
    struct err problem;      /* it can't be sent: this is the answer */
    cima_qmp_reply_fn *done; /* NULL also after a cancel */
    void *arg;
};

struct cima_qmp {
    int fd;
    enum cima_qmp_state state;
    struct cima_qmp_handlers h;
    void *arg;
    int step_ms;
    int64_t handshake_deadline;
    struct json *greeting;
    bool want_oob, oob;
    uint64_t next_id;
    struct cmd *queue, *urgent, *awaiting;
    struct cmd *writing; /* its line has begun and not ended: nothing else may be written */
    size_t n_problems;   /* commands in the lists that have one */
    int write_errno;
    struct sbuf in;
    size_t scanned; /* bytes of `in` known to hold no newline */
    struct err why; /* of DEAD */
    bool closed_told;
    bool busy;     /* process() is on the stack: a callback may call it, or cima_qmp_free */
    unsigned pins; /* waiting functions on the stack */
    bool freed;
    int cancel_fd;
    struct cima_qmp_watch *watches;
};

/* ---- qmp.c ---- */
struct cmd *qmp_cmd_new(struct cima_qmp *q, const struct cima_qmp_call *call, int64_t now);
/* Why a command can't be sent out of band. */
void qmp_no_oob(struct err *err);
struct cmd *qmp_unlink(struct cmd **list, const struct cmd *c);
/* Answers a command that is in no list any more, and frees it. The error gets its name in front. */
void qmp_answer(struct cima_qmp *q, struct cmd *c, const struct json *ret, struct err *error);
/* DEAD, for this reason, unless it is already. Takes what is in why. */
void qmp_die(struct cima_qmp *q, struct err *why);
/* A waiting function begins, ends. After the last end a client that was freed meanwhile is gone. */
void qmp_pin(struct cima_qmp *q);
void qmp_unpin(struct cima_qmp *q);
bool qmp_filter_matches(const struct event_filter *f, const struct cima_qmp_event *e);
void qmp_filter_release(struct event_filter *f);

/* cima_qmp_process; read false: nothing is read now, because the caller waits next. */
void qmp_step(struct cima_qmp *q, int64_t now, bool read);

/* ---- qmp_input.c ---- */
void qmp_read(struct cima_qmp *q, int64_t now);

/* ---- qmp_output.c ---- */
bool qmp_may_write(const struct cima_qmp *q);
void qmp_write(struct cima_qmp *q);

/* ---- qmp_watch.c ---- */
void qmp_watches_event(struct cima_qmp *q, const struct cima_qmp_event *e, size_t size);
/* The client goes: its watches stay with their owners. */
void qmp_watches_orphan(struct cima_qmp *q);

/* ---- qmp_sync.c ---- */
/* One turn of a waiting function: waits for the socket, the client's next deadline or `until`
 * (deadline_in), then lets the client work. -1 when the caller has cancelled. */
int qmp_turn(struct cima_qmp *q, int64_t until, struct err *error);
/* Why nothing can be waited for here; 0 when it can. */
int qmp_may_wait(const struct cima_qmp *q, struct err *error);

#endif
