/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml/arena.h"
#include "base/mem.h"
#include <stdalign.h>

enum { CHUNK_SIZE = 16 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    size_t need = (size + align - 1) / align * align;
    struct arena_chunk *c = a->chunks;

    if (!c || c->size - c->used < need) {
        size_t room = need > CHUNK_SIZE ? need : CHUNK_SIZE;

        c = xmalloc(sizeof(*c) + room);
        *c = (struct arena_chunk){.next = a->chunks, .size = room};
        a->chunks = c;
    }
    char *p = c->data + c->used;
    c->used += need;
    return memset(p, 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *p = arena_alloc(a, len + 1);

    return memcpy(p, s, len);
}

void arena_release(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;

        a->chunks = c->next;
        free(c);
    }
}
