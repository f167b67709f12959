/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings: keys that are there twice, and what a `<<` brings in. */
#include "base/mem.h"
#include "yaml/builder.h"

bool yaml_is_merge_key(const struct yaml_node *key)
{
    return key->type == YAML_SCALAR && streq(key->value, "<<") &&
           (key->tag ? streq(key->tag, "tag:yaml.org,2002:merge") : key->style == YAML_PLAIN);
}

static int cmp_pair(const void *a, const void *b)
{
    const struct yaml_pair *const *x = a, *const *y = b;
    int c = strcmp((*x)->key->value, (*y)->key->value);

    if (c)
        return c;
    return (*x)->key->start < (*y)->key->start ? -1 : (*x)->key->start > (*y)->key->start;
}

/* Keys by binary search, so that a mapping of many keys costs no quadratic time. */
static int check_duplicates(struct builder *b, const struct yaml_pair *pairs, size_t n)
{
    _cleanup_free_ const struct yaml_pair **sorted = NULL;

    if (n < 2)
        return 0;
    sorted = xreallocarray(NULL, n, sizeof(*sorted));
    for (size_t i = 0; i < n; i++)
        sorted[i] = &pairs[i];
    qsort(sorted, n, sizeof(*sorted), cmp_pair);
    for (size_t i = 1; i < n; i++) {
        const struct yaml_node *key = sorted[i]->key, *first = sorted[i - 1]->key;

        if (streq(first->value, key->value) && !yaml_is_merge_key(key))
            return fail_node(b, key, "the key '%s' is already defined in line %u, column %u",
                             key->value, first->line, first->col);
    }
    return 0;
}

static bool has_key(const struct yaml_pair *pairs, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (streq(pairs[i].key->value, key))
            return true;
    return false;
}

/* Appends the pairs of a merged mapping whose keys are not there yet. */
static int merge_map(struct builder *b, struct frame *f, const struct yaml_node *map)
{
    for (size_t i = 0; i < map->n; i++) {
        if (has_key(f->pairs, f->n, map->pairs[i].key->value))
            continue;
        GROW_ARRAY(f->pairs, f->n, f->cap);
        f->pairs[f->n++] = (struct yaml_pair){map->pairs[i].key, map->pairs[i].value, true};
        b->weight += map->pairs[i].value->weight + 1;
        b->bytes += map->pairs[i].key->bytes + map->pairs[i].value->bytes;
        if (f->n > YAML_MAX_MERGED)
            return fail_node(b, map, "more than %d keys in a mapping with '<<'", YAML_MAX_MERGED);
    }
    return b->weight > YAML_MAX_NODES || b->bytes > YAML_MAX_EXPANDED ? yaml_weigh(b, map) : 0;
}

/* Replaces each `<<` by the pairs it brings: those of the mapping itself win, then those of the
 * earlier mappings of a list. */
static int expand_merges(struct builder *b, struct frame *f)
{
    struct yaml_pair *own = f->pairs;
    size_t n_own = f->n;
    bool any = false;

    for (size_t i = 0; i < n_own; i++)
        any |= yaml_is_merge_key(own[i].key);
    if (!any)
        return 0;
    f->merged = f->node->refs = true;
    f->pairs = NULL;
    f->n = f->cap = 0;
    for (size_t i = 0; i < n_own; i++)
        if (!yaml_is_merge_key(own[i].key)) {
            GROW_ARRAY(f->pairs, f->n, f->cap);
            f->pairs[f->n++] = own[i];
        }
    int r = 0;
    for (size_t i = 0; i < n_own && !r; i++) {
        const struct yaml_node *v = own[i].value;

        if (!yaml_is_merge_key(own[i].key))
            continue;
        if (v->type == YAML_MAP) {
            r = merge_map(b, f, v);
            continue;
        }
        if (v->type != YAML_SEQ)
            r = fail_node(b, v, "a merge key '<<' needs a mapping or a list of mappings");
        for (size_t k = 0; k < v->n && !r; k++)
            r = v->items[k]->type == YAML_MAP
                    ? merge_map(b, f, v->items[k])
                    : fail_node(b, v->items[k], "a merge key '<<' needs a list of mappings");
    }
    free(own);
    return r;
}

struct yaml_pair *yaml_keep_pairs(struct builder *b, const struct frame *f)
{
    size_t size = f->n * sizeof(*f->pairs);

    return f->n ? memcpy(arena_alloc(&b->doc->arena, size), f->pairs, size) : NULL;
}

/* The pairs as they are written. */
static void keep_own(struct builder *b, const struct frame *f)
{
    struct yaml_pair *own = yaml_keep_pairs(b, f);

    for (size_t i = 0; i < f->n; i++)
        own[i].merged = yaml_is_merge_key(own[i].key);
    f->node->own = own;
    f->node->n_own = f->n;
}

int yaml_close_map(struct builder *b, struct frame *f)
{
    if (check_duplicates(b, f->pairs, f->n) < 0)
        return -1;
    keep_own(b, f);
    return expand_merges(b, f);
}
