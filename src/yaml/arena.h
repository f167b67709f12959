/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given back all at once. */
#ifndef CIMA_YAML_ARENA_H
#define CIMA_YAML_ARENA_H

#include "base/macro.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* newest first */
};

/* Zeroed, aligned for any type. Never NULL. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len);
void arena_release(struct arena *a);

#endif
