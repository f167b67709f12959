/* SPDX-License-Identifier: Apache-2.0 */
/* Where values come from. Each struct of a configuration knows, through its `src`, the mappings of
 * the documents that went into it; the place of a value is looked up from its path only when there
 * is something to say about it. */
#include "config/internal.h"
#include "base/mem.h"

struct config_origin *config_origin_new(void)
{
    struct config_origin *o = xcalloc(1, sizeof(*o));

    GROW_ARRAY(o->srcs, o->n_srcs, o->cap_srcs);
    o->srcs[o->n_srcs++] = (struct config_src){0};
    return o;
}

void config_origin_free(struct config_origin *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_docs; i++)
        yaml_doc_unref(o->docs[i].doc);
    free(o->docs);
    free(o->srcs);
    free(o);
}

unsigned config_origin_add_doc(struct config_origin *o, struct yaml_doc *doc,
                               enum config_layer_kind layer)
{
    GROW_ARRAY(o->docs, o->n_docs, o->cap_docs);
    o->docs[o->n_docs].doc = yaml_doc_ref(doc);
    o->docs[o->n_docs].layer = layer;
    return (unsigned)o->n_docs++;
}

unsigned config_origin_add_src(struct config_origin *o, const struct yaml_node *node, unsigned doc,
                               unsigned next)
{
    GROW_ARRAY(o->srcs, o->n_srcs, o->cap_srcs);
    o->srcs[o->n_srcs] = (struct config_src){node, doc, next};
    return (unsigned)o->n_srcs++;
}

unsigned config_origin_concat(struct config_origin *o, unsigned a, unsigned b)
{
    if (!a || !b || a == b)
        return a ? a : b;
    unsigned rest = config_origin_concat(o, o->srcs[a].next, b);

    return config_origin_add_src(o, o->srcs[a].node, o->srcs[a].doc, rest);
}

unsigned config_origin_import(struct config_origin *o, const struct config_origin *from,
                              enum config_layer_kind layer)
{
    unsigned doc_offset = (unsigned)o->n_docs, src_offset = (unsigned)o->n_srcs - 1;

    for (size_t i = 0; i < from->n_docs; i++)
        config_origin_add_doc(o, from->docs[i].doc, layer);
    for (size_t i = 1; i < from->n_srcs; i++) {
        const struct config_src *s = &from->srcs[i];

        config_origin_add_src(o, s->node, s->doc + doc_offset, s->next ? s->next + src_offset : 0);
    }
    return src_offset;
}

/* ---- from a path to a place ------------------------------------------------------------------ */

struct place {
    unsigned doc;
    const struct yaml_node *node, *key; /* key: of the pair whose value that is, or NULL */
};

static unsigned src_of(const void *mapping)
{
    return ((const struct config_head *)mapping)->src;
}

/* An empty value (`cpus:`) has no text of its own: its key is shown. */
static const struct yaml_node *visible(const struct yaml_pair *pair)
{
    return pair->value->start == pair->value->end ? pair->key : pair->value;
}

/* The pair that gave the value: the first one that is not null. */
static const struct yaml_pair *pair_in(const struct config_origin *o, unsigned src, const char *key,
                                       unsigned *ret_doc)
{
    const struct yaml_pair *found = NULL;

    for (; src; src = o->srcs[src].next) {
        const struct yaml_pair *pair = yaml_map_pair(o->srcs[src].node, key);

        if (!pair || (found && yaml_is_null(pair->value)))
            continue;
        *ret_doc = o->srcs[src].doc;
        found = pair;
        if (!yaml_is_null(pair->value))
            break;
    }
    return found;
}

/* The idx-th text of a list that several layers may have built: found by its content. */
static void locate_item(const struct config_origin *o, unsigned src, const char *key,
                        const char *text, struct place *at)
{
    for (; src; src = o->srcs[src].next) {
        const struct yaml_node *list = yaml_map_get(o->srcs[src].node, key);

        for (size_t i = 0; list && list->type == YAML_SEQ && i < list->n; i++)
            if (list->items[i]->type == YAML_SCALAR && streq(list->items[i]->value, text)) {
                *at = (struct place){o->srcs[src].doc, list->items[i], NULL};
                return;
            }
    }
}

/* The key of a free-form mapping, in the highest layer that has it. */
static void locate_key(const struct config_origin *o, unsigned src, const char *field,
                       const char *key, struct place *at)
{
    for (; src; src = o->srcs[src].next) {
        const struct yaml_pair *pair =
            yaml_map_pair(yaml_map_get(o->srcs[src].node, field), key);

        if (pair) {
            *at = (struct place){o->srcs[src].doc, visible(pair), pair->key};
            return;
        }
    }
}

static struct place locate(const struct config *c, const char *path)
{
    const struct config_origin *o = c->origin;
    const struct config_mapping *m = &config_instance_mapping;
    const void *p = &c->v;
    struct place at = {0, NULL, NULL};

    while (m && *path) {
        _cleanup_free_ char *key = xstrndup(path, strcspn(path, ".["));
        const struct config_field *f = config_field_find(m, key);
        const struct yaml_pair *pair = f ? pair_in(o, src_of(p), key, &at.doc) : NULL;
        unsigned src = src_of(p);
        unsigned long index = 0;
        char *end;

        if (pair) {
            at.node = visible(pair);
            at.key = pair->key;
        }
        if (!f)
            break;
        path += strlen(key);
        m = NULL;
        if (*path == '[') {
            index = strtoul(path + 1, &end, 10);
            path = *end == ']' ? end + 1 : end;
            if (!f->count_offset || index >= cfg_count_c(p, f))
                break;
            if (config_kind_is_texts(f->kind)) {
                locate_item(o, src, key, (*(char *const *const *)cfg_member_c(p, f))[index], &at);
            } else if (f->kind == KIND_LIST) {
                m = f->sub;
                p = *(const char *const *)cfg_member_c(p, f) + index * m->size;
            }
        } else if (f->kind == KIND_SUB) {
            m = f->sub;
            p = cfg_member_c(p, f);
        } else if (f->kind == KIND_MAP && *path == '.') {
            locate_key(o, src, key, path + 1, &at);
        }
        path += *path == '.';
        if (m && src_of(p))
            at = (struct place){o->srcs[src_of(p)].doc, o->srcs[src_of(p)].node, at.key};
    }
    return at;
}

static struct place own_root(const struct config *c)
{
    const struct config_origin *o = c->origin;

    for (unsigned src = c->v.src; src; src = o->srcs[src].next)
        if (o->docs[o->srcs[src].doc].layer == LAYER_INSTANCE && o->srcs[src].node->n)
            return (struct place){o->srcs[src].doc, o->srcs[src].node, NULL};
    return (struct place){0, NULL, NULL};
}

void config_origin_place(const struct config *c, struct diags *d, size_t first)
{
    const struct config_origin *o = c->origin;

    for (size_t i = first; o && o->n_docs && i < d->n; i++) {
        struct diag *p = &d->v[i];
        struct place at = {0, NULL, NULL};

        if (p->file)
            continue;
        if (p->path)
            at = locate(c, p->path);
        /* A field of the file that is not there: the file itself, from its first field on. */
        if (!at.node && p->path && !strpbrk(p->path, ".["))
            at = own_root(c);
        if (at.key && config_problem_is_about_key(p))
            at.node = at.key;
        if (at.node)
            yaml_doc_place(o->docs[at.doc].doc, at.node, p);
        else
            diag_set_position(p, yaml_doc_name(o->docs[0].doc), 0, 0, NULL);
    }
}

bool config_origin_is_own_key(const struct config *c, const char *field, const char *key)
{
    const struct config_origin *o = c->origin;

    if (!o)
        return true;
    for (unsigned src = c->v.src; src; src = o->srcs[src].next)
        if (o->docs[o->srcs[src].doc].layer == LAYER_INSTANCE &&
            yaml_map_get(yaml_map_get(o->srcs[src].node, field), key))
            return true;
    return false;
}
