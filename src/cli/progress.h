/* SPDX-License-Identifier: Apache-2.0 */
/* The one live line on standard error while an instance starts. */
#ifndef CIMA_CLI_PROGRESS_H
#define CIMA_CLI_PROGRESS_H

#include "cli/transfer.h"

struct progress_view {
    const char *subject;  /* "mini" */
    const char *text;     /* what is being done */
    unsigned step, steps; /* 3 of 8; step 0: not shown */
    const struct transfer_view *transfer; /* instead of text and step; may be NULL */
    int64_t elapsed_ms;
};

/* The line as plain text, at most columns - 1 wide (the last column stays free, or some terminals
 * wrap): the text is cut first, then the subject; the time stays. Pure. */
void progress_render(const struct progress_view *v, unsigned columns, struct sbuf *out);

/* Shows the line from now on, where standard error is a terminal that can (TERM is set and not
 * "dumb"); elsewhere nothing happens, here and in the calls below. Log lines make it step aside. */
void progress_begin(const char *subject, unsigned steps);
/* The next thing being done. The text is copied. */
void progress_step(unsigned step, const char *text);
/* A file is on its way, until the next step. Bytes come several times a second. */
void progress_transfer(const struct image_progress *p);
/* Draws again when a quarter of a second has gone by. */
void progress_tick(void);
/* Removes the line. Also fine when there is none. */
void progress_end(void);
/* Lets the line stand and goes below it: after Ctrl-C, whose echo may have spilled over. */
void progress_leave(void);
bool progress_active(void);

#endif
