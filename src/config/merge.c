/* SPDX-License-Identifier: Apache-2.0 */
/* Three layers become one by the merge column of config.def: override over instance over default.
 * Two layers at a time; everything is in one arena by then, so members move as they are. */
#include "config/internal.h"
#include "base/mem.h"
#include "yaml/emit.h"

/* ---- copying --------------------------------------------------------------------------------- */

static void *copy_array(const void *src, unsigned n, size_t size, struct config_arena *arena)
{
    void *dst = n ? cfg_alloc(arena, n, size) : NULL;

    return n ? memcpy(dst, src, n * size) : NULL;
}

static void copy_list(const struct config_field *f, void *dst, const void *src,
                      struct config_arena *arena, unsigned src_offset)
{
    unsigned n = cfg_count_c(src, f);
    const char *from = *(const char *const *)cfg_member_c(src, f);
    char *to = n ? cfg_alloc(arena, n, f->sub->size) : NULL;

    for (unsigned i = 0; i < n; i++)
        config_copy(f->sub, to + i * f->sub->size, from + i * f->sub->size, arena, src_offset);
    *(char **)cfg_member(dst, f) = to;
}

static void copy_map(const struct config_field *f, void *dst, const void *src,
                     struct config_arena *arena)
{
    unsigned n = cfg_count_c(src, f);
    struct config_kv *kv =
        copy_array(*(struct config_kv *const *)cfg_member_c(src, f), n, sizeof(*kv), arena);

    for (unsigned i = 0; i < n; i++)
        kv[i] = (struct config_kv){cfg_strdup(arena, kv[i].key), cfg_strdup(arena, kv[i].value)};
    *(struct config_kv **)cfg_member(dst, f) = kv;
}

void config_copy(const struct config_mapping *m, void *dst, const void *src,
                 struct config_arena *arena, unsigned src_offset)
{
    memcpy(dst, src, m->size);
    struct config_head *head = dst;

    if (head->src)
        head->src += src_offset;
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];

        if (config_kind_is_text(f->kind)) {
            const char *s = *(char *const *)cfg_member_c(src, f);

            *(char **)cfg_member(dst, f) = s ? cfg_strdup(arena, s) : NULL;
        } else if (config_kind_is_texts(f->kind)) {
            unsigned n = cfg_count_c(src, f);
            char **v = copy_array(*(char **const *)cfg_member_c(src, f), n, sizeof(*v), arena);

            for (unsigned k = 0; k < n; k++)
                v[k] = cfg_strdup(arena, v[k]);
            *(char ***)cfg_member(dst, f) = v;
        } else if (f->kind == KIND_MAP) {
            copy_map(f, dst, src, arena);
        } else if (f->kind == KIND_SUB) {
            config_copy(f->sub, cfg_member(dst, f), cfg_member_c(src, f), arena, src_offset);
        } else if (f->kind == KIND_LIST) {
            copy_list(f, dst, src, arena, src_offset);
        }
    }
}

/* ---- one field ------------------------------------------------------------------------------- */

static size_t member_size(const struct config_field *f)
{
    if (f->kind == KIND_SUB)
        return f->sub->size;
    if (config_kind_is_int(f->kind))
        return sizeof(int64_t);
    return f->kind == KIND_BOOL || f->kind == KIND_ENUM ? sizeof(enum tristate) : sizeof(void *);
}

static void take_low(const struct config_field *f, void *high, const void *low)
{
    memcpy(cfg_member(high, f), cfg_member_c(low, f), member_size(f));
    if (f->count_offset)
        *cfg_count(high, f) = cfg_count_c(low, f);
}

static size_t element_size(const struct config_field *f)
{
    return f->kind == KIND_LIST ? f->sub->size : sizeof(char *);
}

/* first ++ second into high. */
static void concat(struct config *c, const struct config_field *f, void *high, const void *first,
                   const void *second)
{
    size_t size = element_size(f);
    unsigned a = cfg_count_c(first, f), b = cfg_count_c(second, f);
    char *v = a + b ? cfg_alloc(c->arena, a + b, size) : NULL;

    if (a)
        memcpy(v, *(char *const *)cfg_member_c(first, f), a * size);
    if (b)
        memcpy(v + a * size, *(char *const *)cfg_member_c(second, f), b * size);
    *(char **)cfg_member(high, f) = v;
    *cfg_count(high, f) = a + b;
}

static void drop_repeats(const struct config_field *f, void *mapping)
{
    char **v = *(char ***)cfg_member(mapping, f);
    unsigned n = cfg_count_c(mapping, f), kept = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned k = 0;

        while (k < kept && !streq(v[k], v[i]))
            k++;
        if (k == kept)
            v[kept++] = v[i];
    }
    *cfg_count(mapping, f) = kept;
}

static void merge_map(struct config *c, const struct config_field *f, void *high, const void *low)
{
    const struct config_kv *a = *(struct config_kv *const *)cfg_member_c(high, f);
    const struct config_kv *b = *(struct config_kv *const *)cfg_member_c(low, f);
    unsigned n = cfg_count_c(high, f), m = cfg_count_c(low, f), k;
    struct config_kv *v = cfg_alloc(c->arena, (size_t)n + m, sizeof(*v));

    if (n)
        memcpy(v, a, n * sizeof(*v));
    for (unsigned i = 0; i < m; i++) {
        for (k = 0; k < n && !streq(v[k].key, b[i].key); k++)
            ;
        if (k == n)
            v[n++] = b[i];
    }
    *(struct config_kv **)cfg_member(high, f) = v;
    *cfg_count(high, f) = n;
}

/* JSON is YAML: both texts are our own. */
static void merge_any(struct config *c, const struct config_field *f, void *high, const void *low)
{
    char **a = cfg_member(high, f);
    char *const *b = cfg_member_c(low, f);
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *x = NULL, *y = NULL;
    struct yaml_writer w = YAML_WRITER_INIT(true);
    _cleanup_free_ char *merged = NULL;
    const struct yaml_node *over, *under;

    x = *a ? yaml_doc_parse("", *a, strlen(*a), &d) : NULL;
    y = *b ? yaml_doc_parse("", *b, strlen(*b), &d) : NULL;
    if (!x || !y) {
        *a = *a ? *a : *b;
        return;
    }
    over = yaml_doc_root(x);
    under = yaml_doc_root(y);
    yaml_write_open(&w, false);
    for (size_t i = 0; i < over->n + under->n; i++) {
        const struct yaml_pair *pair = i < over->n ? &over->pairs[i] : &under->pairs[i - over->n];

        if (i >= over->n && yaml_map_get(over, pair->key->value))
            continue;
        yaml_write_key(&w, pair->key->value);
        yaml_write_node(&w, pair->value);
    }
    yaml_write_close(&w);
    merged = sbuf_detach(&w.out);
    *a = cfg_strdup(c->arena, merged);
}

static void merge_both(struct config *c, const struct config_field *f, void *high, const void *low)
{
    if (f->kind == KIND_MAP)
        merge_map(c, f, high, low);
    else if (f->kind == KIND_ANY)
        merge_any(c, f, high, low);
    else
        config_merge_mapping(c, f->sub, cfg_member(high, f), cfg_member_c(low, f));
}

static void merge_field(struct config *c, const struct config_field *f, void *high,
                        const void *low, bool high_set)
{
    switch (f->merge) {
    case MERGE_NONE:
        return;
    case MERGE_H:
        if (cfg_count_c(high, f) == 0)
            take_low(f, high, low);
        return;
    case MERGE_L:
        concat(c, f, high, high, low);
        return;
    case MERGE_U:
        concat(c, f, high, low, high);
        drop_repeats(f, high);
        return;
    case MERGE_KEY:
        /* Lists of entries with names: the lowest layer first, combined when the names are known
         * (combine.c). Within an entry the name itself is a scalar. */
        if (f->kind == KIND_LIST)
            concat(c, f, high, low, high);
        else if (!high_set)
            take_low(f, high, low);
        return;
    case MERGE_K:
    case MERGE_SUBM:
        merge_both(c, f, high, low);
        return;
    case MERGE_S:
        if (!high_set)
            take_low(f, high, low);
        return;
    }
}

void config_merge_mapping(struct config *c, const struct config_mapping *m, void *high,
                          const void *low)
{
    struct config_head *h = high;
    const struct config_head *l = low;

    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];

        if (!cfg_has(low, i) || f->merge == MERGE_NONE)
            continue;
        merge_field(c, f, high, low, cfg_has(high, i));
        h->set |= UINT64_C(1) << i;
    }
    if (c->origin)
        h->src = config_origin_concat(c->origin, h->src, l->src);
}

/* Lists without repeats, also when one layer alone says something twice. */
static void drop_all_repeats(const struct config_mapping *m, void *mapping)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        if (m->fields[i].kind == KIND_SUB)
            drop_all_repeats(m->fields[i].sub, cfg_member(mapping, &m->fields[i]));
        else if (m->fields[i].merge == MERGE_U)
            drop_repeats(&m->fields[i], mapping);
    }
}

/* ---- layers ---------------------------------------------------------------------------------- */

static void adopt(struct config *owner, const struct config *from, enum config_layer_kind layer,
                  struct config_instance *ret)
{
    unsigned offset = 0;

    if (from->origin)
        offset = config_origin_import(owner->origin, from->origin, layer);
    config_copy(&config_instance_mapping, ret, &from->v, owner->arena, offset);
}

int config_merge(struct config *base_owner, const struct config *override,
                 const struct config *default_, struct diags *d)
{
    struct config_instance layer, merged;

    (void)d;
    config_combine(base_owner);
    if (override) {
        adopt(base_owner, override, LAYER_OVERRIDE, &merged);
        /* The values of the fields that are not merged are those of the instance. */
        config_merge_mapping(base_owner, &config_instance_mapping, &merged, &base_owner->v);
        for (size_t i = 0; i < config_instance_mapping.n_fields; i++) {
            const struct config_field *f = &config_instance_mapping.fields[i];

            if (f->merge != MERGE_NONE)
                continue;
            take_low(f, &merged, &base_owner->v);
            merged.set =
                (merged.set & ~(UINT64_C(1) << i)) | (base_owner->v.set & UINT64_C(1) << i);
        }
        base_owner->v = merged;
    }
    if (default_) {
        adopt(base_owner, default_, LAYER_DEFAULT, &layer);
        config_merge_mapping(base_owner, &config_instance_mapping, &base_owner->v, &layer);
    }
    drop_all_repeats(&config_instance_mapping, &base_owner->v);
    return 0;
}
