/* SPDX-License-Identifier: Apache-2.0 */
/* Two lists side by side: equal ends first, then the cheapest way from one to the other. */
#include "base/mem.h"
#include "yaml/internal.h"
#include "yaml/patch.h"

enum { CELLS_MAX = 60000, LEAVES_MAX = 64 };
/* To remove or add an item costs its weight. To change it beats a removal and an addition, unless it
 * becomes something else, and costs the less the more is the same: in percent of both weights. */
enum { WEIGHT_EMPTY = 60, WEIGHT_ONE = 100, WEIGHT_MORE = 20, WEIGHED_MAX = 16 };
enum { CHANGE_MIN = 15, CHANGE_MAX = 95, CHANGE_TYPE = 105, SAME_EMPTY = 10 };

struct item {
    const struct yaml_node *node; /* NULL: equal to nothing */
    uint64_t hash;
    /* Hashes of the scalars in it, each with its key, sorted: what is alike has many in common,
     * however deep. */
    uint64_t leaves[LEAVES_MAX];
    size_t n;
    unsigned weight;
    bool alias; /* can't be changed in part */
};

static void add_leaves(struct item *item, const char *key, const struct yaml_node *node)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < node->n && node->type != YAML_SCALAR && item->n < LEAVES_MAX; i++) {
        if (node->type == YAML_MAP)
            add_leaves(item, node->pairs[i].key->value, node->pairs[i].value);
        else
            add_leaves(item, key, node->items[i]);
    }
    if ((node->type != YAML_SCALAR && node->n) || item->n == LEAVES_MAX)
        return;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    item->leaves[item->n++] = h ^ yaml_hash(node);
}

static int cmp_leaf(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool is_empty(const struct yaml_node *node)
{
    return node->type == YAML_SCALAR ? yaml_is_null(node) : node->n == 0;
}

/* shown: what aliases among them will say. */
static struct item *make_items(const struct yaml_node *const *nodes,
                               const struct yaml_node *const *shown, size_t n)
{
    struct item *v = xcalloc(n ? n : 1, sizeof(*v));

    for (size_t i = 0; i < n; i++) {
        v[i].node = shown[i];
        v[i].alias = nodes[i]->alias;
        v[i].weight = WEIGHT_ONE;
        if (!shown[i])
            continue;
        v[i].hash = yaml_hash(shown[i]);
        add_leaves(&v[i], "", shown[i]);
        qsort(v[i].leaves, v[i].n, sizeof(v[i].leaves[0]), cmp_leaf);
        v[i].weight += WEIGHT_MORE * (unsigned)((v[i].n < WEIGHED_MAX ? v[i].n : WEIGHED_MAX) - 1);
        if (is_empty(shown[i]))
            v[i].weight = WEIGHT_EMPTY;
    }
    return v;
}

static bool same(const struct item *a, const struct item *b)
{
    return a->node && a->hash == b->hash && yaml_equal(a->node, b->node);
}

static unsigned change_cost(const struct item *a, const struct item *b)
{
    unsigned weight = a->weight + b->weight;
    size_t common = 0, share;

    /* That two items are the same says less when they are nothing, or nearly; the item itself is
     * better than an alias of it. */
    if (same(a, b))
        return is_empty(a->node) ? SAME_EMPTY : a->alias;
    if (a->alias)
        return weight * CHANGE_MAX / 100;
    if (a->node->type != b->node->type)
        return weight * CHANGE_TYPE / 100;
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        common += a->leaves[i] == b->leaves[k];
        if (a->leaves[i] == b->leaves[k])
            i++, k++;
        else if (a->leaves[i] < b->leaves[k])
            i++;
        else
            k++;
    }
    /* How much of both is common, and how much of the smaller one: what loses or gets a lot is
     * still the same thing. */
    share = 100 * common / (a->n + b->n) + 50 * common / (a->n < b->n ? a->n : b->n);
    return weight * (CHANGE_MAX - (CHANGE_MAX - CHANGE_MIN) * (unsigned)share / 100) / 100;
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
                cost[at] = i < n ? cost[at + width] + a[i].weight
                           : k < m ? cost[at + 1] + b[k].weight : 0;
                step[at] = i < n ? 'r' : 'a';
                continue;
            }
            unsigned keep = cost[at + width + 1] + change_cost(&a[i], &b[k]);
            unsigned remove = cost[at + width] + a[i].weight, add = cost[at + 1] + b[k].weight;

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

size_t *yaml_align(const struct yaml_node *const *old, const struct yaml_node *const *shown, size_t n,
                   const struct yaml_node *const *wanted, size_t m)
{
    size_t *match = xcalloc(n ? n : 1, sizeof(*match)), front = 0, back = 0;
    _cleanup_free_ struct item *a = make_items(old, shown, n);
    _cleanup_free_ struct item *b = make_items(wanted, wanted, m);

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
