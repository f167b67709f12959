/* SPDX-License-Identifier: Apache-2.0 */
#include "template/piece.h"
#include "base/mem.h"

void piece_release(struct piece *p)
{
    free(p->locator);
    free(p->base);
    free(p->id);
    yaml_doc_unref(p->doc);
    yaml_places_unref(p->places);
    *p = (struct piece)PIECE_INIT;
}

/* Byte offsets of a recoded text (UTF-16) are not those of the file: its UTF-8 form is taken. */
static struct yaml_doc *parse(const char *name, const char *text, size_t len, struct diags *d)
{
    struct yaml_doc *doc = yaml_doc_parse(name, text, len, d), *again;

    if (!doc || yaml_doc_is_editable(doc))
        return doc;
    text = yaml_doc_text(doc, &len);
    again = yaml_doc_parse(name, text, len, &(struct diags)DIAGS_INIT);
    yaml_doc_unref(doc);
    return again;
}

int piece_parse(struct piece *p, const char *text, size_t len, struct err *err)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct yaml_doc *doc = parse(p->locator, text, len, &d);

    if (!doc) {
        err_set(err, ERR_CONFIG, "'%s' is not valid", p->locator);
        if (err) {
            diags_release(&err->diags);
            err->diags = d;
            d = (struct diags)DIAGS_INIT;
        }
        return -1;
    }
    yaml_doc_unref(p->doc);
    p->doc = doc;
    return 0;
}

const struct yaml_node *piece_root(const struct piece *p)
{
    const struct yaml_node *root = yaml_doc_root(p->doc);

    return root->type == YAML_MAP ? root : NULL;
}

int piece_replace(struct piece *p, const char *text, size_t len, piece_places_fn *fn, void *arg,
                  struct err *err)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse(p->locator, text, len, &d);
    struct yaml_places *places;

    if (!doc) {
        for (size_t i = 0; i < d.n; i++)
            if (strstr(d.v[i].msg, "large"))
                return err_set(err, ERR_CONFIG, "'%s': %s", p->locator, d.v[i].msg);
        return err_set(err, ERR_INTERNAL, "'%s' was put together wrongly: %s", p->locator,
                       d.n ? d.v[0].msg : "not YAML");
    }
    places = yaml_places_new();
    fn(places, yaml_doc_root(doc), arg);
    yaml_places_unref(p->places);
    p->places = places;
    yaml_doc_unref(p->doc);
    p->doc = yaml_doc_ref(doc);
    return 0;
}

/* ---- places ---------------------------------------------------------------------------------- */

const struct yaml_node *piece_origin(const struct piece *p, const struct yaml_node *node,
                                     struct yaml_doc **ret_doc)
{
    const struct yaml_node *from =
        p->places ? yaml_places_find(p->places, node->line, node->col, ret_doc) : NULL;

    if (from)
        return from;
    *ret_doc = p->doc;
    return node;
}

void piece_place(struct yaml_places *to, const struct yaml_node *at, const struct piece *from,
                 const struct yaml_node *old)
{
    struct yaml_doc *doc;
    const struct yaml_node *node = piece_origin(from, old, &doc);

    yaml_places_add(to, at, doc, node);
}

/* The pair of that key: mostly the one behind the last that was found. */
static const struct yaml_pair *next_pair(const struct yaml_node *map, const char *key, size_t *at)
{
    const struct yaml_pair *pair;

    if (*at < map->n && streq(map->pairs[*at].key->value, key))
        return &map->pairs[(*at)++];
    pair = yaml_map_pair(map, key);
    if (pair)
        *at = (size_t)(pair - map->pairs) + 1;
    return pair;
}

bool piece_follow(struct yaml_places *to, const struct yaml_node *at, const struct piece *from,
                  const struct yaml_node *old)
{
    size_t hint = 0;
    bool same = at->type == old->type && at->n == old->n;

    piece_place(to, at, from, old);
    if (at->type == YAML_SCALAR && same)
        return streq(at->value, old->value) && yaml_core_type(at) == yaml_core_type(old);
    if (at->type == YAML_SEQ && old->type == YAML_SEQ)
        for (size_t i = 0; i < at->n && i < old->n; i++)
            same &= piece_follow(to, at->items[i], from, old->items[i]);
    for (size_t i = 0; at->type == YAML_MAP && old->type == YAML_MAP && i < at->n; i++) {
        const struct yaml_pair *pair = next_pair(old, at->pairs[i].key->value, &hint);

        same &= pair != NULL;
        if (!pair)
            continue;
        piece_place(to, at->pairs[i].key, from, pair->key);
        same &= piece_follow(to, at->pairs[i].value, from, pair->value);
    }
    return same;
}

/* ---- pairs by key ---------------------------------------------------------------------------- */

enum { SMALL_MAP = 32 };

static int by_key(const void *a, const void *b)
{
    const struct yaml_pair *const *x = a, *const *y = b;

    return strcmp((*x)->key->value, (*y)->key->value);
}

void pairs_init(struct pairs *p, const struct yaml_node *map)
{
    *p = (struct pairs){map, NULL};
    if (map->n <= SMALL_MAP)
        return;
    p->v = xreallocarray(NULL, map->n, sizeof(struct yaml_pair *));
    for (size_t i = 0; i < map->n; i++)
        p->v[i] = &map->pairs[i];
    qsort(p->v, map->n, sizeof(*p->v), by_key);
}

void pairs_release(struct pairs *p)
{
    free(p->v);
}

static int key_cmp(const void *key, const void *entry)
{
    const struct yaml_pair *const *pair = entry;

    return strcmp(key, (*pair)->key->value);
}

const struct yaml_pair *pairs_find(const struct pairs *p, const char *key)
{
    const struct yaml_pair **found;

    if (!p->v)
        return yaml_map_pair(p->map, key);
    found = bsearch(key, p->v, p->map->n, sizeof(*p->v), key_cmp);
    return found ? *found : NULL;
}

/* ---- texts that are the same ----------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    const char *const *x = *(const char *const *const *)a, *const *y = *(const char *const *const *)b;
    int r = strcmp(*x, *y);

    return r ? r : x < y ? -1 : x > y;
}

size_t *first_of_same(const char *const *texts, size_t n)
{
    _cleanup_free_ const char *const **sorted = xcalloc(n ? n : 1, sizeof(*sorted));
    size_t *first = xcalloc(n ? n : 1, sizeof(*first)), named = 0;

    for (size_t i = 0; i < n; i++) {
        first[i] = i;
        if (texts[i])
            sorted[named++] = &texts[i];
    }
    if (named)
        qsort(sorted, named, sizeof(*sorted), by_text);
    for (size_t i = 1; i < named; i++)
        if (streq(*sorted[i], *sorted[i - 1]))
            first[sorted[i] - texts] = first[sorted[i - 1] - texts];
    return first;
}
