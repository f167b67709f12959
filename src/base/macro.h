/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_BASE_MACRO_H
#define CIMA_BASE_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Is AddressSanitizer built in? gcc and clang say so in words of their own. */
#if defined(__has_feature)
#define HAS_FEATURE(f) __has_feature(f)
#else
#define HAS_FEATURE(f) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

#define PRINTF_FORMAT(fmt_index, args_index) \
    __attribute__((format(printf, fmt_index, args_index)))

/* The pointer (or fd) is handed over: the variable is emptied so that its cleanup does nothing. */
#define TAKE_PTR(p)                     \
    __extension__({                     \
        __typeof__(p) *take_p_ = &(p);  \
        __typeof__(p) take_v_ = *take_p_; \
        *take_p_ = NULL;                \
        take_v_;                        \
    })
#define TAKE_FD(fd)             \
    __extension__({             \
        int *take_p_ = &(fd);   \
        int take_v_ = *take_p_; \
        *take_p_ = -1;          \
        take_v_;                \
    })

static inline void cleanup_free_p(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close_p(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_fclose_p(FILE **f)
{
    if (*f)
        fclose(*f);
}

/* Every variable with one of these is initialised where it is declared (NULL, -1, {0}). */
#define _cleanup_(f)     __attribute__((cleanup(f)))
#define _cleanup_free_   _cleanup_(cleanup_free_p)
#define _cleanup_close_  _cleanup_(cleanup_close_p)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose_p)

/* Defines `type_freep(struct type **)` around a destructor that accepts NULL. */
#define DEFINE_CLEANUP_PTR(type, destructor)       \
    static inline void type##_freep(struct type **p) \
    {                                              \
        destructor(*p);                            \
    }

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Equal, where NULL equals only NULL. */
static inline bool streq0(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool str_empty(const char *s)
{
    return !s || !*s;
}

static inline bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix);
/* words: up to NULL. NULL is none of them. */
bool str_is_one_of(const char *s, const char *const *words);

#endif
