/* SPDX-License-Identifier: Apache-2.0 */
/* A text that was changed (by the flags of the command line): what is as it was keeps its place. */
#include "base/mem.h"
#include "template/piece.h"
#include "yaml/patch.h"

static void follow_equal(struct yaml_places *to, const struct yaml_node *at,
                         const struct piece *from, const struct yaml_node *old);

/* What is equal at both ends; in between, one by one when nothing was added or taken out. */
static void follow_list(struct yaml_places *to, const struct yaml_node *at,
                        const struct piece *from, const struct yaml_node *old)
{
    size_t n = at->n < old->n ? at->n : old->n, head = 0, tail = 0;

    while (head < n && yaml_equal(at->items[head], old->items[head]))
        head++;
    while (tail < n - head &&
           yaml_equal(at->items[at->n - 1 - tail], old->items[old->n - 1 - tail]))
        tail++;
    for (size_t i = 0; i < (at->n == old->n ? at->n : head); i++)
        follow_equal(to, at->items[i], from, old->items[i]);
    for (size_t i = at->n == old->n ? 0 : tail; i > 0; i--)
        follow_equal(to, at->items[at->n - i], from, old->items[old->n - i]);
}

static void follow_equal(struct yaml_places *to, const struct yaml_node *at,
                         const struct piece *from, const struct yaml_node *old)
{
    if (at->type != old->type ||
        (at->type == YAML_SCALAR && (!streq(at->value, old->value) || !yaml_equal(at, old))))
        return;
    piece_place(to, at, from, old);
    if (at->type == YAML_SEQ)
        follow_list(to, at, from, old);
    if (at->type != YAML_MAP)
        return;
    _cleanup_pairs_ struct pairs in_old = {0};
    pairs_init(&in_old, old);
    for (size_t i = 0; i < at->n; i++) {
        const struct yaml_pair *pair = pairs_find(&in_old, at->pairs[i].key->value);

        if (!pair)
            continue;
        piece_place(to, at->pairs[i].key, from, pair->key);
        follow_equal(to, at->pairs[i].value, from, pair->value);
    }
}

static void place_all(struct yaml_places *to, const struct yaml_node *root, void *arg)
{
    const struct piece *p = arg;

    follow_equal(to, root, p, yaml_doc_root(p->doc));
}

void template_set_text(struct template *t, char *text, size_t len)
{
    _cleanup_piece_ struct piece p = PIECE_INIT;

    p.locator = xstrdup(t->locator);
    p.places = TAKE_PTR(t->places);
    if (piece_parse(&p, t->text, t->len, NULL) == 0 &&
        piece_replace(&p, text, len, place_all, &p, NULL) == 0)
        t->places = TAKE_PTR(p.places);
    free(t->text);
    t->text = text;
    t->len = len;
}
