/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml/places.h"
#include "base/mem.h"

struct place {
    unsigned line, col;
    size_t order; /* of the calls */
    size_t doc;
    const struct yaml_node *node;
};

struct yaml_places {
    unsigned refs;
    bool sorted;
    struct place *v;
    size_t n, cap, calls;
    struct yaml_doc **docs;
    size_t n_docs, cap_docs;
};

struct yaml_places *yaml_places_new(void)
{
    struct yaml_places *p = xcalloc(1, sizeof(*p));

    p->refs = 1;
    return p;
}

struct yaml_places *yaml_places_ref(struct yaml_places *p)
{
    if (p)
        p->refs++;
    return p;
}

void yaml_places_unref(struct yaml_places *p)
{
    if (!p || --p->refs)
        return;
    for (size_t i = 0; i < p->n_docs; i++)
        yaml_doc_unref(p->docs[i]);
    free(p->docs);
    free(p->v);
    free(p);
}

static size_t number_of(struct yaml_places *p, struct yaml_doc *doc)
{
    /* Mostly the one of the last call. */
    for (size_t i = p->n_docs; i > 0; i--)
        if (p->docs[i - 1] == doc)
            return i - 1;
    GROW_ARRAY(p->docs, p->n_docs, p->cap_docs);
    p->docs[p->n_docs] = yaml_doc_ref(doc);
    return p->n_docs++;
}

void yaml_places_add(struct yaml_places *p, const struct yaml_node *at, struct yaml_doc *doc,
                     const struct yaml_node *node)
{
    size_t number = number_of(p, doc);

    GROW_ARRAY(p->v, p->n, p->cap);
    p->v[p->n] = (struct place){at->line, at->col, p->calls++, number, node};
    p->n++;
    p->sorted = false;
}

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->col < y->col ? -1 : x->col > y->col;
}

/* The last call first among those of one place. */
static int by_place_and_order(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int r = by_place(a, b);

    return r ? r : x->order > y->order ? -1 : x->order < y->order;
}

static void sort(struct yaml_places *p)
{
    size_t kept = 0;

    if (p->sorted || !p->n)
        return;
    qsort(p->v, p->n, sizeof(*p->v), by_place_and_order);
    for (size_t i = 0; i < p->n; i++)
        if (!kept || by_place(&p->v[kept - 1], &p->v[i]) != 0)
            p->v[kept++] = p->v[i];
    p->n = kept;
    p->sorted = true;
}

const struct yaml_node *yaml_places_find(struct yaml_places *p, unsigned line, unsigned col,
                                         struct yaml_doc **ret_doc)
{
    const struct place key = {.line = line, .col = col}, *found;

    sort(p);
    found = p->n ? bsearch(&key, p->v, p->n, sizeof(*p->v), by_place) : NULL;
    if (!found)
        return NULL;
    *ret_doc = p->docs[found->doc];
    return found->node;
}

void yaml_places_apply(struct yaml_places *p, const char *name, struct diags *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct diag *problem = &d->v[i];
        struct yaml_doc *doc;
        const struct yaml_node *node;

        if (!problem->line || !streq0(problem->file, name))
            continue;
        node = yaml_places_find(p, problem->line, problem->col, &doc);
        if (node)
            yaml_doc_place(doc, node, problem);
    }
}
