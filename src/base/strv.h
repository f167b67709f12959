/* SPDX-License-Identifier: Apache-2.0 */
/* A growing vector of strings, always NULL-terminated once it holds something. */
#ifndef CIMA_BASE_STRV_H
#define CIMA_BASE_STRV_H

#include "base/macro.h"

struct strv {
    char **v; /* NULL or v[n] == NULL */
    size_t n, cap;
};

#define STRV_INIT {NULL, 0, 0}
#define _cleanup_strv_ _cleanup_(strv_release)

void strv_release(struct strv *s);
void strv_push(struct strv *s, const char *str);
/* Takes ownership of str. */
void strv_push_consume(struct strv *s, char *str);
void strv_pushf(struct strv *s, const char *fmt, ...) PRINTF_FORMAT(2, 3);
/* Up to and without the final NULL argument. */
void strv_pushl(struct strv *s, ...) __attribute__((sentinel));
void strv_extend(struct strv *s, const struct strv *other);
void strv_insert(struct strv *s, size_t at, const char *str);
bool strv_contains(const struct strv *s, const char *str);
/* By bytes. */
void strv_sort(struct strv *s);
/* NULL-terminated array as execve wants it, also when empty; owned by s. */
char **strv_argv(struct strv *s);
char *strv_join(const struct strv *s, const char *sep);
/* One line that a shell would read back as the same words: for logs. */
char *strv_to_shell(const struct strv *s);
/* Splits at every sep; an empty text gives one empty word. */
void strv_split(struct strv *ret, const char *text, char sep);
/* Splits as a POSIX shell splits words (quotes, backslash; no expansion).
 * Returns -1 at an unbalanced quote. */
int strv_split_shell(struct strv *ret, const char *text);

#endif
