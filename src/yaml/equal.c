/* SPDX-License-Identifier: Apache-2.0 */
/* Whether nodes say the same. */
#include "base/mem.h"
#include "yaml/internal.h"
#include "yaml/patch.h"
#include <locale.h>

/* strtod that no setlocale() can turn to decimal commas. */
static double to_double(const char *s)
{
    static locale_t c_locale;

    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    return c_locale ? strtod_l(s, NULL, c_locale) : strtod(s, NULL);
}

static const char *without_sign_of_zero(const char *s)
{
    return streq(s, "-0") ? "0" : s;
}

static bool equal_scalars(const struct yaml_node *a, const struct yaml_node *b)
{
    _cleanup_sbuf_ struct sbuf x = SBUF_INIT, y = SBUF_INIT;
    enum yaml_core core = yaml_canonical(a, &x), other = yaml_canonical(b, &y);
    bool number = core == YAML_INT || core == YAML_FLOAT;

    if (number && (other == YAML_INT || other == YAML_FLOAT)) {
        const char *s = without_sign_of_zero(x.buf), *t = without_sign_of_zero(y.buf);

        if (core == YAML_INT && other == YAML_INT)
            return streq(s, t);
        double v = to_double(s), w = to_double(t);

        return streq(s, t) || (!(v < w) && !(v > w) && v - v == 0.0);
    }
    if (core != other)
        return false;
    if (core == YAML_BOOL)
        return yaml_is_true(a) == yaml_is_true(b);
    return core == YAML_NULL || streq(a->value, b->value);
}

static int cmp_key(const void *a, const void *b)
{
    const struct yaml_pair *const *x = a, *const *y = b;

    return strcmp((*x)->key->value, (*y)->key->value);
}

const struct yaml_pair **yaml_sort_pairs(const struct yaml_node *map)
{
    const struct yaml_pair **v = xcalloc(map->n ? map->n : 1, sizeof(*v));

    for (size_t i = 0; i < map->n; i++)
        v[i] = &map->pairs[i];
    if (map->n)
        qsort(v, map->n, sizeof(*v), cmp_key);
    return v;
}

const struct yaml_pair *yaml_find_pair(const struct yaml_pair *const *sorted, size_t n,
                                       const char *key)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(sorted[mid]->key->value, key);

        if (c == 0)
            return sorted[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static bool equal_maps(const struct yaml_node *a, const struct yaml_node *b)
{
    _cleanup_free_ const struct yaml_pair **x = NULL, **y = NULL;

    if (a->n != b->n)
        return false;
    x = yaml_sort_pairs(a);
    y = yaml_sort_pairs(b);
    for (size_t i = 0; i < a->n; i++)
        if (!streq(x[i]->key->value, y[i]->key->value))
            return false;
    for (size_t i = 0; i < a->n; i++)
        if (!yaml_equal(x[i]->value, y[i]->value))
            return false;
    return true;
}

bool yaml_equal(const struct yaml_node *a, const struct yaml_node *b)
{
    if (a == b)
        return true;
    if (a->type != b->type)
        return false;
    if (a->type == YAML_SCALAR)
        return equal_scalars(a, b);
    if (a->type == YAML_MAP)
        return equal_maps(a, b);
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!yaml_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

static uint64_t hash_bytes(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return mix(h, len);
}

static uint64_t hash_scalar(const struct yaml_node *node)
{
    _cleanup_sbuf_ struct sbuf number = SBUF_INIT;
    enum yaml_core core = yaml_canonical(node, &number);

    if (core == YAML_NULL)
        return 1;
    if (core == YAML_BOOL)
        return yaml_is_true(node) ? 2 : 3;
    if (core == YAML_STR)
        return hash_bytes(4, node->value, strlen(node->value));
    double v = to_double(number.buf) + 0.0; /* no sign of zero */

    return hash_bytes(5, &v, sizeof(v));
}

uint64_t yaml_hash(const struct yaml_node *node)
{
    uint64_t h = mix(node->type + 6U, node->n);

    if (node->type == YAML_SCALAR)
        return hash_scalar(node);
    for (size_t i = 0; i < node->n; i++) {
        if (node->type == YAML_SEQ) {
            h = mix(h, yaml_hash(node->items[i]));
        } else {
            const char *key = node->pairs[i].key->value;

            /* Whatever the order. */
            h += mix(hash_bytes(7, key, strlen(key)), yaml_hash(node->pairs[i].value));
        }
    }
    return h;
}
