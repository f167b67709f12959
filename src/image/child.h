/* SPDX-License-Identifier: Apache-2.0 */
/* Our side of a helper program (helperio.h): starts it, hands out its lines. */
#ifndef CIMA_IMAGE_CHILD_H
#define CIMA_IMAGE_CHILD_H

#include "image/image.h"
#include "base/sbuf.h"
#include "sys/spawn.h"

struct child_io {
    const char *name; /* "cima-fetch" */
    struct child child;
    int in, out; /* our ends; in is -1 when it reads a file */
    int errors;  /* its standard error, a file without a name */
    struct sbuf buf;
    size_t eaten;
    const struct image_report *report;
};

#define CHILD_IO_INIT                                                                              \
    {                                                                                              \
        .in = -1, .out = -1, .errors = -1, .child = CHILD_INIT                                     \
    }
#define _cleanup_child_io_ _cleanup_(child_io_release)
/* argv[0] is the helper's name. stdin_fd -1: a socket, `in`. out_fd (-1: none) becomes its
 * descriptor 3; lock_fd (-1: none) only stays open in it: a lock lasts until the helper has ended,
 * too. The helper dies with us, and gets no ^C of the terminal: that is our business. */
int child_io_start(const char *const *argv, int stdin_fd, int out_fd, int lock_fd,
                   const struct image_report *report, struct child_io *ret, struct err *err);
/* Kills it if it still runs. */
void child_io_release(struct child_io *c);
/* To its standard input. */
int child_io_send(const struct child_io *c, const char *text, size_t len, struct err *err);
/* The next line, without its end; valid until the next call. Calls tick (may be NULL) several times
 * a second while there is none. NULL at the end of its output, or with err set when we are to stop
 * (ERR_INTERRUPTED) or it breaks the protocol. */
char *child_io_line(struct child_io *c, void (*tick)(void *arg), void *arg, struct err *err);
/* The value when the line is "WORD VALUE", else NULL. */
const char *child_io_value(const char *line, const char *word);
/* Fills err from a line "fail TEXT" or "errno N TEXT"; false when it is none of them. subject is
 * what it is about (may be NULL): "'x': TEXT". */
bool child_io_failed(const char *line, const char *subject, enum err_kind kind, struct err *err);
/* Its output has ended without a word of an end: it was killed, or couldn't be loaded. Returns -1.
 */
int child_io_died(struct child_io *c, struct err *err);

#endif
