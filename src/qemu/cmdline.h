/* SPDX-License-Identifier: Apache-2.0 */
/* A QEMU command line: options in order, each a flag, a plain text or a struct qemu_opts. Only here
 * does an option become text. */
#ifndef CIMA_QEMU_CMDLINE_H
#define CIMA_QEMU_CMDLINE_H

#include "qemu/opts.h"

struct qemu_arg {
    char *name;             /* "-device" */
    char *text;             /* plain text, not an option list: -append, -kernel */
    struct qemu_opts *opts; /* at most one of text and opts; none: a flag */
};

struct qemu_cmdline {
    struct qemu_arg *v;
    size_t n, cap;
};

#define QEMU_CMDLINE_INIT                                                                          \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }
#define _cleanup_qemu_cmdline_ _cleanup_(qemu_cmdline_release)

void qemu_cmdline_release(struct qemu_cmdline *c);
/* Names begin with one dash. */
void qemu_cmdline_flag(struct qemu_cmdline *c, const char *name);
void qemu_cmdline_text(struct qemu_cmdline *c, const char *name, const char *text);
/* Takes over opts. */
void qemu_cmdline_opts(struct qemu_cmdline *c, const char *name, struct qemu_opts *opts);
/* Appends the words behind the program's name. ERR_CONFIG naming the option that can't be written.
 */
int qemu_cmdline_argv(const struct qemu_cmdline *c, struct strv *out, struct err *err);

#endif
