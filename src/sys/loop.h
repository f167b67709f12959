/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop (libevent behind it). Single-threaded. Every source is a handle that its owner
 * frees; freeing inside any callback is allowed, also in its own. Timers use the monotonic clock. */
#ifndef CIMA_SYS_LOOP_H
#define CIMA_SYS_LOOP_H

#include "base/err.h"
#include "sys/clock.h"
#include "sys/spawn.h"

struct loop;
struct loop_source;
struct event_base;

struct loop *loop_new(struct err *err);
/* Sources that are left never fire again; their owners may still free them. NULL is allowed. */
void loop_free(struct loop *l);
/* Until loop_quit or no source is left. */
void loop_run(struct loop *l);
void loop_quit(struct loop *l);
/* What can be done at once, without waiting: for answers that are to leave before the end. */
void loop_turn(struct loop *l);
/* For the HTTP server pieces of libevent in hostagent/. */
struct event_base *loop_event_base(struct loop *l);

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_fd_fn(void *arg, int fd, unsigned events);
typedef void loop_fn(void *arg);
typedef void loop_signal_fn(void *arg, int signo);
typedef void loop_child_fn(void *arg, int wait_status);
typedef void loop_lines_fn(void *arg, const char *line, size_t len); /* line NULL: end of file */

/* Level-triggered; the fd stays the caller's. NULL when it can't be watched (a regular file). */
struct loop_source *loop_add_fd(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *arg);
void loop_fd_want(struct loop_source *s, unsigned events);
/* Once, after ms. */
struct loop_source *loop_add_timer(struct loop *l, int64_t ms, loop_fn *fn, void *arg);
/* Again, ms from now. */
void loop_timer_restart(struct loop_source *s, int64_t ms);
struct loop_source *loop_add_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg);
/* Reaps the child when it ends and then calls fn once. Takes over c's pidfd; c->pid stays readable.
 * Freeing the source does not end the child. */
struct loop_source *loop_add_child(struct loop *l, struct child *c, loop_child_fn *fn, void *arg);
/* A signal to the child of such a source. 0 also when it has ended; -1 and errno otherwise. */
int loop_child_kill(const struct loop_source *s, int sig);
/* Calls fn once when a process that is not our child has ended (pidfd stays the caller's). */
struct loop_source *loop_add_pidfd(struct loop *l, int pidfd, loop_fn *fn, void *arg);
/* Splits what comes from fd into lines (without the newline; the last one also without). A line
 * over cap bytes is cut, the rest of it dropped: reading never stops. Takes over fd. */
struct loop_source *loop_add_lines(struct loop *l, int fd, size_t cap, loop_lines_fn *fn,
                                   void *arg);
/* Calls fn from the loop, after the present callback has returned. */
struct loop_source *loop_defer(struct loop *l, loop_fn *fn, void *arg);
/* NULL is allowed. Returns NULL, for `s = loop_source_free(s)`. */
struct loop_source *loop_source_free(struct loop_source *s);
#endif
