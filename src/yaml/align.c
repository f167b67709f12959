/* SPDX-License-Identifier: Apache-2.0 */
/* Two lists side by side: equal ends first, then the cheapest way from one to the other. */
#include "base/mem.h"
#include "yaml/internal.h"
#include "yaml/patch.h"

enum { CELLS_MAX = 60000, PAIRS_MAX = 32 };
/* To change an item beats a removal and an addition, unless it becomes something else. */
enum { COST_ONE = 10, COST_CHANGE_MIN = 3, COST_CHANGE_MAX = 19, COST_OTHER_TYPE = 21 };

struct item {
    const struct yaml_node *node; /* NULL: equal to nothing */
    uint64_t hash;
    uint64_t keys[PAIRS_MAX], values[PAIRS_MAX]; /* of a mapping: hashes */
    size_t n;
};

static uint64_t hash_key(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h;
}

static struct item *make_items(const struct yaml_node *const *nodes, size_t n)
{
    struct item *v = xcalloc(n ? n : 1, sizeof(*v));

    for (size_t i = 0; i < n; i++) {
        v[i].node = nodes[i];
        if (!nodes[i])
            continue;
        v[i].hash = yaml_hash(nodes[i]);
        if (nodes[i]->type != YAML_MAP)
            continue;
        for (size_t k = 0; k < nodes[i]->n && k < PAIRS_MAX; k++) {
            v[i].keys[k] = hash_key(nodes[i]->pairs[k].key->value);
            v[i].values[k] = yaml_hash(nodes[i]->pairs[k].value);
        }
        v[i].n = nodes[i]->n < PAIRS_MAX ? nodes[i]->n : PAIRS_MAX;
    }
    return v;
}

static bool same(const struct item *a, const struct item *b)
{
    return a->node && a->hash == b->hash && yaml_equal(a->node, b->node);
}

static unsigned change_cost(const struct item *a, const struct item *b)
{
    size_t all = a->n + b->n, common = 0;

    if (!a->node)
        return COST_CHANGE_MAX;
    if (a->node->type != b->node->type)
        return COST_OTHER_TYPE;
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n; k++)
            if (a->keys[i] == b->keys[k])
                common += a->values[i] == b->values[k] ? 2 : 0;
    if (!all)
        return COST_CHANGE_MAX;
    return (unsigned)(COST_CHANGE_MAX - (COST_CHANGE_MAX - COST_CHANGE_MIN) * common / all);
}

static void align_middle(const struct item *a, size_t n, const struct item *b, size_t m,
                         size_t first_b, size_t *match)
{
    size_t width = m + 1;
    _cleanup_free_ unsigned *cost = xcalloc((n + 1) * width, sizeof(*cost));
    _cleanup_free_ char *step = xcalloc((n + 1) * width, 1);

    for (size_t i = n + 1; i-- > 0;)
        for (size_t k = m + 1; k-- > 0;) {
            size_t at = i * width + k;

            if (i == n || k == m) {
                cost[at] = (unsigned)(n - i + m - k) * COST_ONE;
                step[at] = i < n ? 'r' : 'a';
                continue;
            }
            unsigned keep = cost[at + width + 1] +
                            (same(&a[i], &b[k]) ? 0 : change_cost(&a[i], &b[k]));
            unsigned remove = cost[at + width] + COST_ONE, add = cost[at + 1] + COST_ONE;

            step[at] = keep <= remove && keep <= add ? 'k' : remove <= add ? 'r' : 'a';
            cost[at] = step[at] == 'k' ? keep : step[at] == 'r' ? remove : add;
        }
    for (size_t i = 0, k = 0; i < n;) {
        char s = step[i * width + k];

        if (s == 'a') {
            k++;
            continue;
        }
        match[i++] = s == 'k' ? first_b + k : SIZE_MAX;
        k += s == 'k';
    }
}

size_t *yaml_align(const struct yaml_node *const *old, size_t n,
                   const struct yaml_node *const *wanted, size_t m)
{
    size_t *match = xcalloc(n ? n : 1, sizeof(*match)), front = 0, back = 0;
    _cleanup_free_ struct item *a = make_items(old, n), *b = make_items(wanted, m);

    while (front < n && front < m && same(&a[front], &b[front])) {
        match[front] = front;
        front++;
    }
    while (front + back < n && front + back < m && same(&a[n - 1 - back], &b[m - 1 - back])) {
        match[n - 1 - back] = m - 1 - back;
        back++;
    }
    size_t rest = n - front - back, other = m - front - back;

    if ((rest + 1) * (other + 1) <= CELLS_MAX) {
        align_middle(a + front, rest, b + front, other, front, match + front);
        return match;
    }
    for (size_t i = 0; i < rest; i++)
        match[front + i] = i < other ? front + i : SIZE_MAX;
    return match;
}
