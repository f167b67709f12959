/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of lists that have a name: a later one of the same name fills what the first one leaves
 * open, and the name `*` does so for all entries before it. Both are done when all base templates
 * are in, on the text, so that an instance's YAML has each entry once. */
#include "base/mem.h"
#include "template/piece.h"
#include "yaml/emit.h"
#include "yaml/patch.h"

/* What fills one entry, and all of a list: each of them is compared with all others. */
enum { GROUP_MAX = 64, FILLS_MAX = 10000 };

struct keyed_list {
    const char *key;
    /* Both up to NULL. */
    const char *names[3];  /* keys of the name, first one first; never copied */
    const char *either[3]; /* two keys that stand for each other, or none */
    bool empty_is_unset;
};

static const struct keyed_list keyed_lists[] = {
    {"additionalDisks", {"name"}, {NULL}, false},
    {"mounts", {"mountPoint", "location"}, {NULL}, false},
    {"networks", {"interface"}, {"lima", "socket"}, true},
};

/* An entry that stays, and those that fill it. */
struct group {
    const struct yaml_node **v; /* [0] is the entry itself */
    size_t n, cap;
};

struct combined {
    const struct keyed_list *l;
    const struct yaml_node *list; /* NULL: there is nothing to combine */
    struct group *groups;
    size_t n, cap, n_fills;
};

static bool is_set(const struct keyed_list *l, const struct yaml_node *v)
{
    if (!v || yaml_is_null(v) || (v->type == YAML_SEQ && !v->n))
        return false;
    return !l->empty_is_unset || v->type != YAML_SCALAR || *v->value;
}

static const char *text_of(const struct yaml_node *v)
{
    return v && v->type == YAML_SCALAR && !yaml_is_null(v) ? v->value : NULL;
}

static const char *name_of(const struct keyed_list *l, const struct yaml_node *entry)
{
    if (entry->type != YAML_MAP)
        return streq(l->key, "additionalDisks") ? text_of(entry) : NULL;
    for (const char *const *key = l->names; *key; key++) {
        const char *name = text_of(yaml_map_get(entry, *key));

        if (name)
            return name;
    }
    return NULL;
}

/* ---- which entry fills which ----------------------------------------------------------------- */

static void add_to(struct group *g, const struct yaml_node *entry)
{
    GROW_ARRAY(g->v, g->n, g->cap);
    g->v[g->n++] = entry;
}

/* For each entry the first one of its name. Caller frees. */
static size_t *first_named(const struct keyed_list *l, const struct yaml_node *list)
{
    _cleanup_free_ const char **names = xcalloc(list->n ? list->n : 1, sizeof(*names));

    for (size_t i = 0; i < list->n; i++) {
        names[i] = name_of(l, list->items[i]);
        if (str_empty(names[i]))
            names[i] = NULL;
    }
    return first_of_same(names, list->n);
}

static int fill(struct combined *c, struct group *g, const struct yaml_node *entry, struct err *err)
{
    if (g->n > GROUP_MAX || c->n_fills++ > FILLS_MAX) {
        err_set(err, ERR_CONFIG, "too many entries of `%s` fill others of the same name",
                c->l->key);
        return err_hint(err, "write one entry for each name, and few with the name `*`");
    }
    add_to(g, entry);
    return 0;
}

static int group(struct combined *c, const struct yaml_node *list, struct err *err)
{
    _cleanup_free_ size_t *first = first_named(c->l, list);
    _cleanup_free_ size_t *group_of = xcalloc(list->n ? list->n : 1, sizeof(*group_of));

    for (size_t i = 0; i < list->n; i++) {
        bool all = streq0(name_of(c->l, list->items[i]), "*");

        if (all || first[i] < i)
            c->list = list;
        for (size_t k = 0; all && k < c->n; k++)
            if (fill(c, &c->groups[k], list->items[i], err) < 0)
                return -1;
        if (!all && first[i] < i && fill(c, &c->groups[group_of[first[i]]], list->items[i], err) < 0)
            return -1;
        if (all || first[i] < i)
            continue;
        group_of[i] = c->n;
        GROW_ARRAY(c->groups, c->n, c->cap);
        c->groups[c->n] = (struct group){NULL, 0, 0};
        add_to(&c->groups[c->n++], list->items[i]);
    }
    return 0;
}

static void combined_release(struct combined *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->groups[i].v);
    free(c->groups);
}

/* ---- what an entry becomes ------------------------------------------------------------------- */

/* The one that may say something about keys that stand for each other. */
static size_t owner_of_either(const struct keyed_list *l, const struct group *g)
{
    for (size_t i = 0; l->either[0] && i < g->n; i++)
        if (g->v[i]->type == YAML_MAP && (is_set(l, yaml_map_get(g->v[i], l->either[0])) ||
                                          is_set(l, yaml_map_get(g->v[i], l->either[1]))))
            return i;
    return 0;
}

/* Does what entry i of the group says of the key count? */
static bool counts(const struct keyed_list *l, const struct group *g, bool top, size_t i,
                   const char *key)
{
    if (g->v[i]->type != YAML_MAP)
        return false;
    if (!top || i == 0)
        return true;
    if (str_is_one_of(key, l->names))
        return false;
    return !str_is_one_of(key, l->either) || owner_of_either(l, g) == i;
}

/* The first value that is set; what the entry itself has when there is none; NULL. */
static const struct yaml_pair *pick(const struct keyed_list *l, const struct group *g, bool top,
                                    const char *key)
{
    const struct yaml_pair *own = yaml_map_pair(g->v[0], key);

    for (size_t i = 0; i < g->n; i++) {
        const struct yaml_pair *pair =
            counts(l, g, top, i, key) ? yaml_map_pair(g->v[i], key) : NULL;

        if (pair && is_set(l, pair->value))
            return pair;
    }
    return own;
}

/* The mappings that the key has, to be filled in the same way. */
static void below(const struct keyed_list *l, const struct group *g, bool top, const char *key,
                  struct group *ret)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct yaml_node *v = counts(l, g, top, i, key) ? yaml_map_get(g->v[i], key) : NULL;

        if (v && v->type == YAML_MAP)
            add_to(ret, v);
    }
}

static bool is_first(const struct group *g, size_t i, const char *key)
{
    for (size_t k = 0; k < i; k++)
        if (yaml_map_pair(g->v[k], key))
            return false;
    return true;
}

static void write_group(struct yaml_writer *w, const struct keyed_list *l, const struct group *g,
                        bool top);

static void write_key(struct yaml_writer *w, const struct keyed_list *l, const struct group *g,
                      bool top, const char *key)
{
    const struct yaml_pair *pair = pick(l, g, top, key);
    struct group inner = {NULL, 0, 0};

    if (!pair)
        return;
    yaml_write_key(w, key);
    if (pair->value->type == YAML_MAP) {
        below(l, g, top, key, &inner);
        write_group(w, l, &inner, false);
        free(inner.v);
    } else {
        yaml_write_node(w, pair->value);
    }
}

/* Does anything but the entry itself have a say? */
static bool is_filled(const struct keyed_list *l, const struct group *g, bool top)
{
    for (size_t i = 1; i < g->n; i++)
        for (size_t k = 0; g->v[i]->type == YAML_MAP && k < g->v[i]->n; k++)
            if (counts(l, g, top, i, g->v[i]->pairs[k].key->value))
                return true;
    return false;
}

static void write_group(struct yaml_writer *w, const struct keyed_list *l, const struct group *g,
                        bool top)
{
    if (!is_filled(l, g, top)) {
        yaml_write_node(w, g->v[0]);
        return;
    }
    yaml_write_open(w, false);
    if (g->v[0]->type != YAML_MAP) {
        yaml_write_key(w, l->names[0]);
        yaml_write_node(w, g->v[0]);
    }
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; g->v[i]->type == YAML_MAP && k < g->v[i]->n; k++) {
            const char *key = g->v[i]->pairs[k].key->value;

            if (is_first(g, i, key) && (g->v[0]->type == YAML_MAP || !streq(key, l->names[0])))
                write_key(w, l, g, top, key);
        }
    yaml_write_close(w);
}

static void write_list(struct yaml_writer *w, const struct combined *c)
{
    if (!c->n) {
        yaml_write_raw(w, "[]");
        return;
    }
    yaml_write_open(w, true);
    for (size_t i = 0; i < c->n; i++) {
        yaml_write_item(w);
        write_group(w, c->l, &c->groups[i], true);
    }
    yaml_write_close(w);
}

/* ---- all lists ------------------------------------------------------------------------------- */

struct combiner {
    const struct piece *p;
    struct combined lists[ARRAY_SIZE(keyed_lists)];
};

static const struct combined *combined_of(const struct combiner *c, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(c->lists); i++)
        if (c->lists[i].list && streq(c->lists[i].l->key, key))
            return &c->lists[i];
    return NULL;
}

static char *write_all(const struct combiner *c, const struct yaml_node *root)
{
    struct yaml_writer w = YAML_WRITER_INIT(true);

    yaml_write_open(&w, false);
    for (size_t i = 0; i < root->n; i++) {
        const char *key = root->pairs[i].key->value;
        const struct combined *list = combined_of(c, key);

        yaml_write_key(&w, key);
        if (list)
            write_list(&w, list);
        else
            yaml_write_node(&w, root->pairs[i].value);
    }
    yaml_write_close(&w);
    return yaml_writer_finish(&w);
}

/* ---- where everything comes from ------------------------------------------------------------- */

static void place_group(struct yaml_places *to, const struct piece *p, const struct keyed_list *l,
                        const struct yaml_node *at, const struct group *g, bool top)
{
    piece_place(to, at, p, g->v[0]);
    for (size_t i = 0; at->type == YAML_MAP && i < at->n; i++) {
        const char *key = at->pairs[i].key->value;
        const struct yaml_pair *pair = pick(l, g, top, key);
        struct group inner = {NULL, 0, 0};

        if (!pair) {
            piece_place(to, at->pairs[i].key, p, g->v[0]);
            piece_place(to, at->pairs[i].value, p, g->v[0]);
            continue;
        }
        piece_place(to, at->pairs[i].key, p, pair->key);
        if (pair->value->type != YAML_MAP) {
            piece_follow(to, at->pairs[i].value, p, pair->value);
            continue;
        }
        below(l, g, top, key, &inner);
        place_group(to, p, l, at->pairs[i].value, &inner, false);
        free(inner.v);
    }
}

static void place_all(struct yaml_places *to, const struct yaml_node *root, void *arg)
{
    const struct combiner *c = arg;
    const struct yaml_node *old = yaml_doc_root(c->p->doc);

    piece_place(to, root, c->p, old);
    for (size_t i = 0; root->type == YAML_MAP && i < root->n; i++) {
        const struct yaml_node *at = root->pairs[i].value;
        const struct yaml_pair *pair = yaml_map_pair(old, root->pairs[i].key->value);
        const struct combined *list = combined_of(c, root->pairs[i].key->value);

        if (!pair)
            continue;
        piece_place(to, root->pairs[i].key, c->p, pair->key);
        if (!list) {
            piece_follow(to, at, c->p, pair->value);
            continue;
        }
        piece_place(to, at, c->p, pair->value);
        for (size_t k = 0; at->type == YAML_SEQ && k < at->n && k < list->n; k++)
            place_group(to, c->p, list->l, at->items[k], &list->groups[k], true);
    }
}

/* ---- into the text --------------------------------------------------------------------------- */

static int edit_group(struct yaml_edit *e, const struct keyed_list *l, const struct group *g,
                      bool top, struct err *err);

/* What is filled in is a mapping of several fillers. */
static int add_composed(struct yaml_edit *e, const struct keyed_list *l, const struct group *g,
                        const struct group *inner, const char *key, struct err *err)
{
    struct yaml_writer w = YAML_WRITER_INIT(true);
    _cleanup_diags_ struct diags d = DIAGS_INIT;

    yaml_write_open(&w, false);
    yaml_write_key(&w, key);
    write_group(&w, l, inner, false);
    yaml_write_close(&w);
    _cleanup_free_ char *json = yaml_writer_finish(&w);
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse("", json, strlen(json), &d);

    return doc ? yaml_edit_add_pair(e, g->v[0], doc, &yaml_doc_root(doc)->pairs[0], err) : -1;
}

static int edit_key(struct yaml_edit *e, const struct keyed_list *l, const struct group *g,
                    bool top, const char *key, struct err *err)
{
    const struct yaml_pair *own = yaml_map_pair(g->v[0], key), *pair = pick(l, g, top, key);
    struct group inner = {NULL, 0, 0};
    int r = 0;

    if (!pair)
        return 0;
    if (pair->value->type == YAML_MAP)
        below(l, g, top, key, &inner);
    if (own && own != pair)
        r = yaml_edit_replace(e, own, e->doc, pair->value, err);
    else if (own && inner.n)
        r = edit_group(e, l, &inner, false, err);
    else if (!own && inner.n > 1)
        r = add_composed(e, l, g, &inner, key, err);
    else if (!own)
        r = yaml_edit_add_pair(e, g->v[0], e->doc, pair, err);
    free(inner.v);
    return r;
}

static int edit_group(struct yaml_edit *e, const struct keyed_list *l, const struct group *g,
                      bool top, struct err *err)
{
    for (size_t i = 1; i < g->n; i++)
        for (size_t k = 0; g->v[i]->type == YAML_MAP && k < g->v[i]->n; k++) {
            const char *key = g->v[i]->pairs[k].key->value;
            bool said = false;

            for (size_t m = 1; m < i && !said; m++)
                said = yaml_map_pair(g->v[m], key);
            if (!said && edit_key(e, l, g, top, key, err) < 0)
                return -1;
        }
    return 0;
}

/* A disk that is but a name becomes a mapping. */
static int edit_text(struct yaml_edit *e, const struct combined *c, size_t index,
                     const struct group *g, struct err *err)
{
    struct yaml_writer w = YAML_WRITER_INIT(true);
    _cleanup_diags_ struct diags d = DIAGS_INIT;

    if (!is_filled(c->l, g, true))
        return 0;
    write_group(&w, c->l, g, true);
    _cleanup_free_ char *json = yaml_writer_finish(&w);
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse("", json, strlen(json), &d);

    return doc ? yaml_edit_replace_item(e, c->list, index, doc, yaml_doc_root(doc), err) : -1;
}

static int edit_list(struct yaml_edit *e, const struct combined *c, struct err *err)
{
    for (size_t i = 0, k = 0; i < c->list->n; i++) {
        const struct yaml_node *item = c->list->items[i];
        int r;

        if (k >= c->n || c->groups[k].v[0] != item) {
            r = yaml_edit_remove_item(e, c->list, i, err);
        } else {
            const struct group *g = &c->groups[k++];

            r = item->type == YAML_MAP ? edit_group(e, c->l, g, true, err)
                                       : edit_text(e, c, i, g, err);
        }
        if (r < 0)
            return -1;
    }
    return 0;
}

static char *edit_all(const struct piece *p, const struct combiner *c, size_t *ret_len)
{
    _cleanup_yaml_edit_ struct yaml_edit e = YAML_EDIT_INIT(p->doc);

    for (size_t i = 0; i < ARRAY_SIZE(c->lists); i++)
        if (c->lists[i].list && edit_list(&e, &c->lists[i], NULL) < 0)
            return NULL;
    return yaml_edit_apply(&e, ret_len);
}

static int combine(struct piece *p, struct combiner *c, const struct yaml_node *root,
                   struct err *err)
{
    _cleanup_free_ char *json = write_all(c, root), *text = NULL;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *wanted = yaml_doc_parse("", json, strlen(json), &d);
    size_t len = 0;

    if (!wanted)
        return err_set(err, ERR_CONFIG, "'%s' with its base templates is too large", p->locator);
    text = edit_all(p, c, &len);
    if (!text || !yaml_text_says(p->locator, text, len, yaml_doc_root(wanted))) {
        /* Behind an alias, say. Comments of what is filled in stay behind. */
        free(text);
        text = yaml_patch(p->doc, wanted, &len, err);
    }
    return text ? piece_replace(p, text, len, place_all, c, err) : -1;
}

int piece_combine(struct piece *p, struct err *err)
{
    const struct yaml_node *root = piece_root(p);
    struct combiner c = {.p = p};
    bool any = false;
    int r = 0;

    for (size_t i = 0; root && i < ARRAY_SIZE(keyed_lists); i++) {
        const struct yaml_node *list = yaml_map_get(root, keyed_lists[i].key);

        c.lists[i].l = &keyed_lists[i];
        if (r == 0 && list && list->type == YAML_SEQ)
            r = group(&c.lists[i], list, err);
        any = any || c.lists[i].list;
    }
    if (r == 0 && any)
        r = combine(p, &c, root, err);
    for (size_t i = 0; i < ARRAY_SIZE(keyed_lists); i++)
        combined_release(&c.lists[i]);
    return r;
}
