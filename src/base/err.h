/* SPDX-License-Identifier: Apache-2.0 */
/* The error object. A function that can fail takes `struct err *err` last and returns -1 or NULL
 * after filling it; success leaves it untouched. The slot belongs to the caller, starts as
 * ERR_INIT and is set once; callers on the way up add context. Only main() prints one.
 *
 * Text form:  context: … : message (file:line:col); hint: next step
 */
#ifndef CIMA_BASE_ERR_H
#define CIMA_BASE_ERR_H

#include "base/macro.h"
#include "base/diag.h"
#include "base/strv.h"
#include <stdarg.h>

enum err_kind {
    ERR_NONE,
    ERR_USAGE,       /* the command line */
    ERR_CONFIG,      /* the YAML */
    ERR_NOT_FOUND,   /* an instance, a file, a program */
    ERR_EXISTS,
    ERR_STATE,       /* not possible in the instance's present state */
    ERR_BUSY,        /* somebody else holds the lock */
    ERR_IO,
    ERR_NET,
    ERR_PERMISSION,
    ERR_UNSUPPORTED,
    ERR_QEMU,        /* QEMU refused or died */
    ERR_GUEST,       /* ssh, boot scripts, provisioning */
    ERR_TIMEOUT,
    ERR_INTERRUPTED,
    ERR_PROTOCOL,    /* a peer broke its protocol */
    ERR_CHILD,       /* pass the child's exit code on, print nothing (exit_code) */
    ERR_INTERNAL,
    ERR_KIND_COUNT,
};

const char *err_kind_to_string(enum err_kind kind);
/* -1 for an unknown name. */
int err_kind_from_string(const char *name, enum err_kind *ret);

struct err {
    enum err_kind kind;
    int saved_errno;       /* 0 when no system call is behind it */
    int exit_code;         /* only for ERR_CHILD */
    char *msg;
    char *hint;
    char *detail;          /* lines printed under the message: stderr tail, script output */
    struct strv context;   /* innermost first */
    struct diags diags;    /* for ERR_CONFIG: every problem with its position */
};

#define ERR_INIT {.kind = ERR_NONE}
#define _cleanup_err_ _cleanup_(err_clear)

/* Fills an empty slot (asserted). A NULL err is allowed: then nothing is kept. Returns -1. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_FORMAT(3, 4);
/* As err_set, with errno's text after the message; errno decides nothing about the kind. Where the
 * errno alone says what to do (disk full, read-only), that is the hint. */
int err_set_errno(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_FORMAT(3, 4);
/* Sets or replaces the next step. Returns -1 like the others so that it can end a function. */
int err_hint(struct err *err, const char *fmt, ...) PRINTF_FORMAT(2, 3);
/* Adds lines shown below the message. The text may come from outside: it is made printable. */
int err_detail(struct err *err, const char *text);
/* Puts an outer context in front: "creating the disk of 'x'". Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_FORMAT(2, 3);
/* Moves src into the empty dst; src is empty afterwards. Returns -1. */
int err_move(struct err *dst, struct err *src);
bool err_is_set(const struct err *err);
void err_clear(struct err *err);
/* "outer: inner: message; hint: …" on one line, without detail and diags. Caller frees. */
char *err_line(const struct err *err);
/* The message chain without the hint. Caller frees. */
char *err_message(const struct err *err);
/* Everything for a person: the line, the diagnostics with source line and caret, the detail, the
 * hint. Several lines, no trailing newline. Caller frees. */
char *err_text(const struct err *err);
/* The exit code of a program that ends with this error. */
int err_exit_code(const struct err *err);

#endif
