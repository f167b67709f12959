/* SPDX-License-Identifier: Apache-2.0 */
/* Rule B. The text of the template stays as it is, and what only its base has is added to it with
 * its comments: keys at the end of their mapping, items behind or in front of those of the list.
 * The merge column of config.def says what is special about a field.
 *
 * The same decision is taken twice: when the text is written, and when the result is read back to
 * find out where each node of it comes from. */
#include "base/mem.h"
#include "base/parse.h"
#include "config/config.h"
#include "template/piece.h"
#include "yaml/emit.h"
#include "yaml/patch.h"

enum action {
    KEEP,   /* what the template has */
    TAKE,   /* what the base has */
    INTO,   /* key by key */
    BEHIND, /* items of the base behind those of the template */
    IN_FRONT,
    BEHIND_NEW, /* those that the template does not have */
};

static const struct config_field *row_of(const struct config_mapping *rows, const char *key)
{
    for (size_t i = 0; rows && i < rows->n_fields; i++)
        if (streq(rows->fields[i].key, key))
            return &rows->fields[i];
    return NULL;
}

static bool is_higher(const struct yaml_node *a, const struct yaml_node *b)
{
    struct semver x, y;

    return a->type == YAML_SCALAR && b->type == YAML_SCALAR &&
           parse_described_version(a->value, &x) == 0 &&
           parse_described_version(b->value, &y) == 0 && semver_cmp(&y, &x) > 0;
}

/* For a key that both have. A null counts as a value; what can't be joined is the template's. */
static enum action decide(const struct config_field *f, const struct yaml_node *a,
                          const struct yaml_node *b)
{
    if (f && f->base == BASE_HIGHER)
        return is_higher(a, b) ? TAKE : KEEP;
    if (f && f->base == BASE_DROP)
        return KEEP;
    if (a->type == YAML_MAP && b->type == YAML_MAP)
        return INTO;
    if (a->type != YAML_SEQ || b->type != YAML_SEQ)
        return KEEP;
    if (f && f->base == BASE_FRONT)
        return IN_FRONT;
    return f && f->base == BASE_UNIQUE ? BEHIND_NEW : BEHIND;
}

static const struct config_mapping *rows_in(const struct config_field *f)
{
    return f && f->kind == KIND_SUB ? f->sub : NULL;
}

/* Which items of the base are there already, in the template or further in front? Caller frees. */
static bool *known_items(const struct yaml_node *a, const struct yaml_node *b)
{
    size_t n = a->n + b->n;
    _cleanup_free_ const char **texts = xcalloc(n ? n : 1, sizeof(*texts));
    _cleanup_free_ size_t *first = NULL;
    bool *known = xcalloc(b->n ? b->n : 1, sizeof(*known));

    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = i < a->n ? a->items[i] : b->items[i - a->n];

        texts[i] = item->type == YAML_SCALAR ? item->value : NULL;
    }
    first = first_of_same(texts, n);
    for (size_t i = 0; i < b->n; i++)
        known[i] = first[a->n + i] < a->n + i;
    return known;
}

/* ---- into the text --------------------------------------------------------------------------- */

static int join(struct yaml_edit *e, enum action how, const struct yaml_node *a,
                const struct yaml_doc *doc, const struct yaml_node *b, struct err *err)
{
    _cleanup_free_ bool *known = how == BEHIND_NEW ? known_items(a, b) : NULL;

    for (size_t i = 0; i < b->n; i++) {
        if (known && known[i])
            continue;
        if (yaml_edit_add_item(e, a, how == IN_FRONT ? 0 : a->n, doc, b->items[i], err) < 0)
            return -1;
    }
    return 0;
}

static int merge_maps(struct yaml_edit *e, const struct config_mapping *rows,
                      const struct yaml_node *a, const struct yaml_doc *doc,
                      const struct yaml_node *b, struct err *err)
{
    _cleanup_pairs_ struct pairs have = {0};

    pairs_init(&have, a);
    for (size_t i = 0; i < b->n; i++) {
        const struct yaml_pair *from = &b->pairs[i];
        const struct yaml_pair *pair = pairs_find(&have, from->key->value);
        const struct config_field *f = row_of(rows, from->key->value);
        int r = 0;

        if (!pair) {
            r = yaml_edit_add_pair(e, a, doc, from, err);
        } else {
            enum action how = decide(f, pair->value, from->value);

            if (how == TAKE)
                r = yaml_edit_replace(e, pair, doc, from->value, err);
            else if (how == INTO)
                r = merge_maps(e, rows_in(f), pair->value, doc, from->value, err);
            else if (how != KEEP)
                r = join(e, how, pair->value, doc, from->value, err);
        }
        if (r < 0)
            return -1;
    }
    return 0;
}

/* ---- as data: for texts that can't be added to, behind an alias or a merge key --------------- */

static void write_maps(struct yaml_writer *w, const struct config_mapping *rows,
                       const struct yaml_node *a, const struct yaml_node *b);

static void write_join(struct yaml_writer *w, enum action how, const struct yaml_node *a,
                       const struct yaml_node *b)
{
    const struct yaml_node *first = how == IN_FRONT ? b : a, *second = how == IN_FRONT ? a : b;
    _cleanup_free_ bool *known = how == BEHIND_NEW ? known_items(a, b) : NULL;

    if (!a->n && !b->n) {
        yaml_write_raw(w, "[]");
        return;
    }
    yaml_write_open(w, true);
    for (size_t i = 0; i < first->n; i++) {
        yaml_write_item(w);
        yaml_write_node(w, first->items[i]);
    }
    for (size_t i = 0; i < second->n; i++) {
        if (known && known[i])
            continue;
        yaml_write_item(w);
        yaml_write_node(w, second->items[i]);
    }
    yaml_write_close(w);
}

static void write_both(struct yaml_writer *w, const struct config_field *f,
                       const struct yaml_node *a, const struct yaml_node *b)
{
    enum action how = decide(f, a, b);

    if (how == KEEP || how == TAKE)
        yaml_write_node(w, how == KEEP ? a : b);
    else if (how == INTO)
        write_maps(w, rows_in(f), a, b);
    else
        write_join(w, how, a, b);
}

static void write_maps(struct yaml_writer *w, const struct config_mapping *rows,
                       const struct yaml_node *a, const struct yaml_node *b)
{
    _cleanup_pairs_ struct pairs in_a = {0}, in_b = {0};

    if (!a->n && !b->n) {
        yaml_write_raw(w, "{}");
        return;
    }
    pairs_init(&in_a, a);
    pairs_init(&in_b, b);
    yaml_write_open(w, false);
    for (size_t i = 0; i < a->n; i++) {
        const char *key = a->pairs[i].key->value;
        const struct yaml_pair *other = pairs_find(&in_b, key);

        yaml_write_key(w, key);
        if (other)
            write_both(w, row_of(rows, key), a->pairs[i].value, other->value);
        else
            yaml_write_node(w, a->pairs[i].value);
    }
    for (size_t i = 0; i < b->n; i++) {
        if (pairs_find(&in_a, b->pairs[i].key->value))
            continue;
        yaml_write_key(w, b->pairs[i].key->value);
        yaml_write_node(w, b->pairs[i].value);
    }
    yaml_write_close(w);
}

static char *merge_as_data(const struct piece *a, const struct yaml_node *x,
                           const struct yaml_node *y, size_t *ret_len, struct err *err)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct yaml_writer w = YAML_WRITER_INIT(true);

    write_maps(&w, &config_instance_mapping, x, y);
    _cleanup_free_ char *json = yaml_writer_finish(&w);
    _cleanup_yaml_doc_ struct yaml_doc *wanted = yaml_doc_parse("", json, strlen(json), &d);

    if (!wanted) {
        err_set(err, ERR_CONFIG, "'%s' with its base templates is too large", a->locator);
        return NULL;
    }
    return yaml_patch(a->doc, wanted, ret_len, err);
}

/* ---- where everything comes from ------------------------------------------------------------- */

struct sides {
    const struct piece *a, *b;
    const struct yaml_node *root_a, *root_b;
    bool wrong; /* the text does not say what was decided */
};

static void follow(struct yaml_places *to, struct sides *s, const struct yaml_node *at, bool of_a,
                   const struct yaml_node *old)
{
    if (!piece_follow(to, at, of_a ? s->a : s->b, old))
        s->wrong = true;
}

static void place_join(struct yaml_places *to, struct sides *s, enum action how,
                       const struct yaml_node *at, const struct yaml_node *a,
                       const struct yaml_node *b)
{
    _cleanup_free_ bool *known = how == BEHIND_NEW ? known_items(a, b) : NULL;
    size_t k = 0;

    for (size_t i = 0; how == IN_FRONT && i < b->n && k < at->n; i++)
        follow(to, s, at->items[k++], false, b->items[i]);
    for (size_t i = 0; i < a->n && k < at->n; i++)
        follow(to, s, at->items[k++], true, a->items[i]);
    for (size_t i = 0; how != IN_FRONT && i < b->n && k < at->n; i++)
        if (!known || !known[i])
            follow(to, s, at->items[k++], false, b->items[i]);
    if (k != at->n || k < a->n || (how != BEHIND_NEW && k != a->n + b->n))
        s->wrong = true;
}

static void place_maps(struct yaml_places *to, struct sides *s, const struct config_mapping *rows,
                       const struct yaml_node *at, const struct yaml_node *a,
                       const struct yaml_node *b);

static void place_both(struct yaml_places *to, struct sides *s, const struct config_field *f,
                       const struct yaml_pair *at, const struct yaml_pair *a,
                       const struct yaml_pair *b)
{
    enum action how = decide(f, a->value, b->value);

    piece_place(to, at->key, how == TAKE ? s->b : s->a, how == TAKE ? b->key : a->key);
    if (how == TAKE || how == KEEP) {
        follow(to, s, at->value, how == KEEP, how == KEEP ? a->value : b->value);
        return;
    }
    piece_place(to, at->value, s->a, a->value);
    if (how == INTO)
        place_maps(to, s, rows_in(f), at->value, a->value, b->value);
    else if (at->value->type == YAML_SEQ)
        place_join(to, s, how, at->value, a->value, b->value);
    else
        s->wrong = true;
}

static void place_maps(struct yaml_places *to, struct sides *s, const struct config_mapping *rows,
                       const struct yaml_node *at, const struct yaml_node *a,
                       const struct yaml_node *b)
{
    _cleanup_pairs_ struct pairs in_a = {0}, in_b = {0};
    size_t both = 0;

    if (at->type != YAML_MAP) {
        s->wrong = true;
        return;
    }
    pairs_init(&in_a, a);
    pairs_init(&in_b, b);
    for (size_t i = 0; i < at->n; i++) {
        const char *key = at->pairs[i].key->value;
        const struct yaml_pair *x = pairs_find(&in_a, key), *y = pairs_find(&in_b, key);
        const struct yaml_pair *one = x ? x : y;

        if (x && y) {
            both++;
            place_both(to, s, row_of(rows, key), &at->pairs[i], x, y);
        } else if (one) {
            piece_place(to, at->pairs[i].key, x ? s->a : s->b, one->key);
            follow(to, s, at->pairs[i].value, x != NULL, one->value);
        } else {
            s->wrong = true;
        }
    }
    if (at->n + both != (a->type == YAML_MAP ? a->n : 0) + b->n)
        s->wrong = true;
}

static void place_all(struct yaml_places *to, const struct yaml_node *root, void *arg)
{
    struct sides *s = arg;

    piece_place(to, root, s->a, s->root_a);
    place_maps(to, s, &config_instance_mapping, root, s->root_a, s->root_b);
}

/* Into *ret, which is a copy of a with another text. */
static int try_text(const struct piece *a, struct sides *s, const char *text, size_t len,
                    struct piece *ret, struct err *err)
{
    *ret = (struct piece){
        .locator = xstrdup(a->locator),
        .doc = yaml_doc_ref(a->doc),
        .places = yaml_places_ref(a->places),
    };
    s->wrong = false;
    if (piece_replace(ret, text, len, place_all, s, err) < 0)
        return -1;
    return s->wrong ? err_set(err, ERR_INTERNAL, "'%s' was put together wrongly", a->locator) : 0;
}

static void take(struct piece *a, struct piece *from)
{
    yaml_doc_unref(a->doc);
    a->doc = TAKE_PTR(from->doc);
    yaml_places_unref(a->places);
    a->places = TAKE_PTR(from->places);
}

bool piece_is_blank(const struct piece *p)
{
    size_t len;
    const char *text = yaml_doc_text(p->doc, &len), *from = text + strspn(text, " \t\r\n");

    if (str_starts(from, "{}"))
        from += strlen("{}");
    return from + strspn(from, " \t\r\n") == text + len;
}

/* Into nothing: with every byte. False when that is no text to go on with. */
static bool adopt(struct piece *a, const struct piece *b, struct sides *s)
{
    _cleanup_piece_ struct piece merged = PIECE_INIT;
    size_t len;
    const char *text = yaml_doc_text(b->doc, &len);

    if (try_text(a, s, text, len, &merged, NULL) < 0)
        return false;
    take(a, &merged);
    return true;
}

int piece_merge(struct piece *a, const struct piece *b, struct err *err)
{
    const struct yaml_node *x = yaml_doc_root(a->doc), *y = piece_root(b);
    struct sides s = {a, b, x, y, false};
    _cleanup_yaml_edit_ struct yaml_edit e = YAML_EDIT_INIT(a->doc);
    _cleanup_piece_ struct piece merged = PIECE_INIT, again = PIECE_INIT;
    _cleanup_free_ char *text = NULL, *patched = NULL;
    size_t len = 0;

    if (!y || (piece_is_blank(a) && adopt(a, b, &s)))
        return 0;
    if (merge_maps(&e, &config_instance_mapping, x, b->doc, y, NULL) == 0) {
        if (!e.n)
            return 0;
        text = yaml_edit_apply(&e, &len);
        if (try_text(a, &s, text, len, &merged, NULL) == 0) {
            take(a, &merged);
            return 0;
        }
    }
    patched = merge_as_data(a, x, y, &len, err);
    if (!patched || try_text(a, &s, patched, len, &again, err) < 0)
        return -1;
    take(a, &again);
    return 0;
}
