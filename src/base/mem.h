/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_BASE_MEM_H
#define CIMA_BASE_MEM_H

#include "base/macro.h"
#include <stdarg.h>

/* Allocation that never fails: out of memory prints one line to stderr and aborts. Sizes that
 * come from outside are capped by the caller before they get here. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
/* Overflow-checked realloc of n elements. */
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
/* NULL stays NULL. */
char *xstrdup0(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_FORMAT(1, 2);
char *xvasprintf(const char *fmt, va_list ap) PRINTF_FORMAT(1, 0);
/* Bytes of a program that are shown as text: a NUL among them would hide the rest, '?' stands for it. */
void mem_show_nul(char *p, size_t n);

/* Makes room for one more element in a growing array `*p` of `*cap` elements that holds n. */
#define GROW_ARRAY(p, n, cap)                                   \
    do {                                                        \
        if ((n) >= (cap)) {                                     \
            (cap) = (cap) ? (cap) * 2 : 8;                      \
            (p) = xreallocarray((p), (cap), sizeof((p)[0]));    \
        }                                                       \
    } while (0)

#endif
