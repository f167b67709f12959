/* SPDX-License-Identifier: Apache-2.0 */
/* Queries and changes of JSON values, written in the language of jq.
 *
 * An expression is read here, in this process: every word of it must be one that is known to be
 * harmless (functions.c has the list), so that what asks for the environment, files, modules or
 * further input never gets anywhere. It is then written anew as a program of jq, in which the forms
 * of yq (version 4) that people use are translated, and run by the helper program cima-query, the
 * only user of libjq: in a process without environment, open files and children, and with limits on
 * time, memory and output.
 *
 * Beyond jq:
 *   .a-b .a.[0] .a.0 .a.["b c"]  a dash in a key (before a letter), dots before brackets, and
 *                                numbers behind a dot
 *   a = b // c                   is a = (b // c), as in yq; jq alone reads (a = b) // c
 *   .a[]                         gives nothing when .a is null or missing
 *   a == "x*"                    a text on the right that has a * or ? is a pattern
 *   a + b, a += b                an entry is appended to a list; numbers are put behind texts
 *   a * b, a *= b                maps are merged; null counts as nothing; and the flags of yq:
 *                                *+ (lists are joined) *d (list entries are merged) *? (only keys
 *                                that are there) *n (only keys that are not)
 *   with(p; e)  e as $x ireduce (i; e)  sub("re", "text $1")  and functions of other names
 *   if without else              leaves the input as it is
 *   True ~ 0x1f "\d"             words and escapes of yq
 * What works on comments, styles, tags and anchors of YAML is refused, for a value has none. */
#ifndef CIMA_QUERY_QUERY_H
#define CIMA_QUERY_QUERY_H

#include "base/err.h"

enum {
    QUERY_EXPR_MAX = 64 << 10,   /* bytes of one expression */
    QUERY_INPUT_MAX = 64 << 20,  /* of all inputs */
    QUERY_OUTPUT_MAX = 64 << 20, /* of all results */
};

/* Is it an expression that we run? ERR_USAGE with one diagnostic (place, source line) when it is
 * not; file of the diagnostic is NULL, the caller may set it. */
int query_check(const char *expr, struct err *err);
/* The program of jq that it becomes. NULL and err as query_check. Caller frees. */
char *query_translate(const char *expr, struct err *err);

struct query_result {
    struct strv values; /* JSON texts, in order */
    size_t *counts;     /* how many of them come from input i */
    size_t n;           /* inputs */
};

#define QUERY_RESULT_INIT                                                                          \
    {                                                                                              \
        STRV_INIT, NULL, 0                                                                         \
    }
#define _cleanup_query_result_ _cleanup_(query_result_release)
void query_result_release(struct query_result *r);

/* Runs the expressions, the results of one being the inputs of the next, over each of n JSON texts,
 * in one helper process. No expression: `.`. Errors: as query_check; ERR_USAGE when the program
 * fails on a value (jq's words) or exceeds a limit; else of the helper program. */
int query_run(const char *const *exprs, size_t n_exprs, const char *const *inputs, size_t n,
              struct query_result *ret, struct err *err);

#endif
