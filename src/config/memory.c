/* SPDX-License-Identifier: Apache-2.0 */
#include "config/internal.h"
#include "base/mem.h"
#include <stdalign.h>

/* Blocks on a ring, so that libcyaml can grow and give back single ones. */
struct block {
    struct block *next, *prev;
    alignas(max_align_t) char data[];
};

struct config_arena {
    struct block ring;
};

struct config_arena *config_arena_new(void)
{
    struct config_arena *a = xcalloc(1, sizeof(*a));

    a->ring.next = a->ring.prev = &a->ring;
    return a;
}

void config_arena_free(struct config_arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->ring.next, *next; b != &a->ring; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

static struct block *block_of(void *p)
{
    return (struct block *)(void *)((char *)p - offsetof(struct block, data));
}

void *cfg_realloc(void *ctx, void *ptr, size_t size)
{
    struct config_arena *a = ctx;
    struct block *b = ptr ? block_of(ptr) : NULL;

    if (b) {
        b->prev->next = b->next;
        b->next->prev = b->prev;
    }
    if (!size) {
        free(b);
        return NULL;
    }
    b = xreallocarray(b, 1, sizeof(*b) + size);
    b->next = a->ring.next;
    b->prev = &a->ring;
    b->next->prev = b;
    a->ring.next = b;
    return b->data;
}

void *cfg_alloc(struct config_arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
        abort();
    return memset(cfg_realloc(a, NULL, bytes ? bytes : 1), 0, bytes ? bytes : 1);
}

char *cfg_strdup(struct config_arena *a, const char *s)
{
    size_t len = strlen(s) + 1;

    return memcpy(cfg_realloc(a, NULL, len), s, len);
}

char *cfg_printf(struct config_arena *a, const char *fmt, ...)
{
    _cleanup_free_ char *s = NULL;
    va_list ap;

    va_start(ap, fmt);
    s = xvasprintf(fmt, ap);
    va_end(ap);
    return cfg_strdup(a, s);
}
