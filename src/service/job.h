/* SPDX-License-Identifier: Apache-2.0 */
/* A program that runs beside the loop for a service: text into its stdin, lines out of its stdout,
 * the end of its stderr kept for messages, one call when it is over.
 *
 * The owner keeps the pointer until ended() is called, after which the job is gone, or ends it
 * with job_free(). Callbacks come from the loop, never from within job_start(). */
#ifndef CIMA_SERVICE_JOB_H
#define CIMA_SERVICE_JOB_H

#include "sys/loop.h"

struct job;

/* What of stderr is kept. */
#define JOB_STDERR_LINES 10

struct job_spec {
    const char *const *argv; /* the program is looked up in $PATH */
    const char *input;       /* text for its stdin; NULL: /dev/null */
    /* stdin stays open behind the input until the job is ended (or we die): a remote program that
     * waits for its end of file then knows. The input is at most JOB_OPEN_INPUT_MAX bytes. */
    bool keep_stdin_open;
    size_t line_cap;         /* longest line of stdout that is delivered whole */
    void (*line)(void *arg, const char *line, size_t len); /* may be NULL */
    /* wait_status as of waitpid; errors: its last stderr lines, "" when there were none. */
    void (*ended)(void *arg, int wait_status, const char *errors);
    void *arg;
};

#define JOB_OPEN_INPUT_MAX 4096

struct job *job_start(struct loop *loop, const struct job_spec *spec, struct err *err);
/* Ends its stdin (keep_stdin_open); the program decides what follows. */
void job_close_input(struct job *j);
/* Asks it to end: SIGTERM, SIGKILL when that is not enough. ended() follows. */
void job_terminate(struct job *j);
/* Kills and reaps it without another callback. NULL is allowed. Returns NULL. */
struct job *job_free(struct job *j);

#endif
