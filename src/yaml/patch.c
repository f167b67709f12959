/* SPDX-License-Identifier: Apache-2.0 */
/* From a difference of two trees to changes of the text. What an alias or a `<<` brings in is
 * looked at as it will be afterwards: anchors stand in front of their aliases, and nodes are
 * visited in the order of the text. */
#include "yaml/patch.h"
#include "base/mem.h"
#include "yaml/internal.h"

struct patch {
    struct yaml_edit edit;
    const struct yaml_doc *wanted;
    bool coarse; /* whole values of the root, where the fine way has failed */
    struct {
        const struct yaml_node *node, *becomes;
    } *anchors;  /* anchored nodes that stay, and what they become */
    size_t n_anchors, cap_anchors;
    struct {
        size_t start, end;
    } *gone;     /* bytes that are removed or written anew */
    size_t n_gone, cap_gone;
};

static void diff(struct patch *p, const struct yaml_node *old, const struct yaml_node *wanted,
                 unsigned depth);

static void add_gone(struct patch *p, size_t start, size_t end)
{
    GROW_ARRAY(p->gone, p->n_gone, p->cap_gone);
    p->gone[p->n_gone].start = start;
    p->gone[p->n_gone++].end = end;
}

static void replace(struct patch *p, const struct yaml_node *old, const struct yaml_node *wanted)
{
    if (!old->alias && old->type != YAML_SCALAR)
        add_gone(p, old->start, old->end);
    yaml_edit_replace_value(&p->edit, old, p->wanted, wanted);
}

static void remove_value(struct patch *p, size_t start, const struct yaml_node *value)
{
    add_gone(p, start, value->end > value->start ? value->end : value->start + 1);
    yaml_edit_remove_value(&p->edit, value);
}

/* What an alias of the node will say; NULL when the node is gone. */
static const struct yaml_node *what_becomes(const struct patch *p, const struct yaml_node *node)
{
    for (size_t i = 0; i < p->n_anchors; i++)
        if (p->anchors[i].node == node)
            return p->anchors[i].becomes;
    for (size_t i = 0; i < p->n_gone; i++)
        if (node->start >= p->gone[i].start && node->start < p->gone[i].end)
            return NULL;
    return node;
}

/* ---- mappings -------------------------------------------------------------------------------- */

/* Pairs that the `<<` of a mapping will bring in, the first ones first. */
struct brought {
    const struct yaml_pair **v;
    size_t n, cap;
    bool unknown; /* they can't be foreseen */
};

static void bring_map(const struct yaml_node *map, struct brought *b)
{
    if (!map || map->type != YAML_MAP) {
        b->unknown = true;
        return;
    }
    for (size_t i = 0; i < map->n; i++) {
        GROW_ARRAY(b->v, b->n, b->cap);
        b->v[b->n++] = &map->pairs[i];
    }
}

/* A mapping that is written behind the `<<`, or the alias of one. */
static void bring(const struct patch *p, const struct yaml_node *source, struct brought *b)
{
    if (source->alias)
        bring_map(what_becomes(p, source->target), b);
    else
        bring_map(source->refs ? NULL : source, b);
}

static void bring_all(const struct patch *p, const struct yaml_node *map, struct brought *b)
{
    for (size_t i = 0; i < map->n_own; i++) {
        const struct yaml_node *v = map->own[i].value, *list;

        if (!map->own[i].merged)
            continue;
        list = v->alias ? what_becomes(p, v->target) : v;
        if (!list || list->type != YAML_SEQ)
            bring(p, v, b);
        else if (v->alias)
            for (size_t k = 0; k < list->n; k++)
                bring_map(list->items[k], b);
        else
            for (size_t k = 0; k < list->n; k++)
                bring(p, list->items[k], b);
    }
}

/* The first that a `<<` brings in for a key. */
static const struct yaml_node *brought_value(const struct brought *b, const char *key)
{
    for (size_t i = 0; i < b->n; i++)
        if (streq(b->v[i]->key->value, key))
            return b->v[i]->value;
    return NULL;
}

static void cut_merges(struct patch *p, const struct yaml_node *map)
{
    for (size_t i = 0; i < map->n_own; i++)
        if (map->own[i].merged)
            remove_value(p, map->own[i].key->start, map->own[i].value);
}

static bool is_own(const struct yaml_node *map, const struct yaml_pair *const *sorted,
                   const char *key)
{
    const struct yaml_pair *pair = yaml_find_pair(sorted, map->n, key);

    return pair && !pair->merged;
}

static void diff_maps(struct patch *p, const struct yaml_node *old, const struct yaml_node *wanted,
                      unsigned depth)
{
    _cleanup_free_ const struct yaml_pair **want = yaml_sort_pairs(wanted);
    _cleanup_free_ const struct yaml_pair **have = yaml_sort_pairs(old);
    struct brought b = {0};

    for (size_t i = 0; i < old->n_own; i++) {
        const struct yaml_pair *own = &old->own[i], *w;

        if (own->merged)
            continue;
        w = yaml_find_pair(want, wanted->n, own->key->value);
        if (w)
            diff(p, own->value, w->value, depth + 1);
        else
            remove_value(p, own->key->start, own->value);
    }
    bring_all(p, old, &b);
    for (size_t i = 0; i < b.n && !b.unknown; i++)
        b.unknown |= !yaml_find_pair(want, wanted->n, b.v[i]->key->value);
    if (b.unknown) {
        cut_merges(p, old);
        b.n = 0;
    }
    for (size_t i = 0; i < wanted->n; i++) {
        const struct yaml_pair *w = &wanted->pairs[i];
        const struct yaml_node *there;

        if (is_own(old, have, w->key->value))
            continue;
        there = brought_value(&b, w->key->value);
        if (!there || !yaml_equal(there, w->value))
            yaml_edit_add_pair(&p->edit, old, p->wanted, w, NULL);
    }
    free(b.v);
}

/* ---- lists, values --------------------------------------------------------------------------- */

static void diff_lists(struct patch *p, const struct yaml_node *old,
                       const struct yaml_node *wanted, unsigned depth)
{
    _cleanup_free_ const struct yaml_node **now = xcalloc(old->n ? old->n : 1, sizeof(*now));
    _cleanup_free_ size_t *match = NULL;
    size_t next = 0;

    for (size_t i = 0; i < old->n; i++)
        now[i] = old->items[i]->alias ? what_becomes(p, old->items[i]->target) : old->items[i];
    match = yaml_align((const struct yaml_node *const *)old->items, now, old->n,
                       (const struct yaml_node *const *)wanted->items, wanted->n);
    for (size_t i = 0; i < old->n; i++) {
        const struct yaml_node *item = old->items[i];

        if (match[i] == SIZE_MAX) {
            remove_value(p, item->start, item);
            continue;
        }
        for (; next < match[i]; next++)
            yaml_edit_add_item(&p->edit, old, i, p->wanted, wanted->items[next], NULL);
        diff(p, item, wanted->items[next++], depth + 1);
    }
    for (; next < wanted->n; next++)
        yaml_edit_add_item(&p->edit, old, old->n, p->wanted, wanted->items[next], NULL);
}

static void diff(struct patch *p, const struct yaml_node *old, const struct yaml_node *wanted,
                 unsigned depth)
{
    if (old->alias) {
        const struct yaml_node *now = what_becomes(p, old->target);

        if (!now || !yaml_equal(now, wanted))
            replace(p, old, wanted);
        return;
    }
    if (old->anchored) {
        GROW_ARRAY(p->anchors, p->n_anchors, p->cap_anchors);
        p->anchors[p->n_anchors].node = old;
        p->anchors[p->n_anchors++].becomes = wanted;
    }
    if (!old->refs && yaml_equal(old, wanted))
        return;
    if (old->type != wanted->type || old->type == YAML_SCALAR ||
        (p->coarse && (depth || old->type == YAML_SEQ)))
        replace(p, old, wanted);
    else if (old->type == YAML_MAP)
        diff_maps(p, old, wanted, depth);
    else
        diff_lists(p, old, wanted, depth);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void patch_release(struct patch *p)
{
    yaml_edit_release(&p->edit);
    free(p->anchors);
    free(p->gone);
}

bool yaml_text_says(const char *name, const char *text, size_t len, const struct yaml_node *wanted)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse(name, text, len, &d);

    return doc && yaml_equal(yaml_doc_root(doc), wanted);
}

static char *try_patch(const struct yaml_doc *doc, const struct yaml_doc *wanted, bool coarse,
                       bool quoted, size_t *ret_len)
{
    struct patch p = {.edit = YAML_EDIT_INIT(doc), .wanted = wanted, .coarse = coarse};
    _cleanup_free_ char *text = NULL;
    size_t len;

    p.edit.quoted = quoted;
    diff(&p, yaml_doc_root(doc), yaml_doc_root(wanted), 0);
    text = yaml_edit_apply(&p.edit, &len);
    patch_release(&p);
    if (!yaml_text_says(yaml_doc_name(doc), text, len, yaml_doc_root(wanted)))
        return NULL;
    if (ret_len)
        *ret_len = len;
    return TAKE_PTR(text);
}

/* Without the style and the comments of what is wanted, and without blocks, which what stands below
 * might become part of. */
static char *try_plainly(const struct yaml_doc *doc, const struct yaml_doc *wanted, size_t *ret_len)
{
    _cleanup_free_ char *json = yaml_doc_to_json(wanted);
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *plain =
        yaml_doc_parse(yaml_doc_name(wanted), json, strlen(json), &d);

    return plain ? try_patch(doc, plain, true, true, ret_len) : NULL;
}

static char *copy_text(const struct yaml_doc *doc, size_t *ret_len)
{
    size_t len;
    const char *text = yaml_doc_text(doc, &len);

    if (ret_len)
        *ret_len = len;
    return xstrndup(text, len);
}

char *yaml_patch(const struct yaml_doc *doc, const struct yaml_doc *wanted, size_t *ret_len,
                 struct err *err)
{
    char *text;

    if (!yaml_doc_is_editable(doc)) {
        err_set(err, ERR_CONFIG, "cannot change '%s': it is UTF-16", yaml_doc_name(doc));
        err_hint(err, "save the file as UTF-8 text");
        return NULL;
    }
    /* where nothing changes, what can't be foreseen need not be */
    if (yaml_equal(yaml_doc_root(doc), yaml_doc_root(wanted)))
        return copy_text(doc, ret_len);
    text = try_patch(doc, wanted, false, false, ret_len);
    if (!text)
        text = try_patch(doc, wanted, true, false, ret_len);
    if (!text)
        text = try_plainly(doc, wanted, ret_len);
    if (!text) {
        err_set(err, ERR_INTERNAL, "cannot change '%s': the result would not say what is wanted",
                yaml_doc_name(doc));
        err_hint(err, "make the change in an editor");
    }
    return text;
}
