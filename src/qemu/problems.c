/* SPDX-License-Identifier: Apache-2.0 */
/* A list of what is wrong. */
#include "qemu/making.h"
#include "base/enum.h"

static const char *const effect_names[] = {
    [CIMA_EFFECT_LEFT_OUT] = "left out",
    [CIMA_EFFECT_FIELD_LEFT_OUT] = "field left out",
    [CIMA_EFFECT_REFUSED] = "refused by QEMU",
};
_Static_assert(ARRAY_SIZE(effect_names) == CIMA_EFFECT_COUNT, "a name for every effect");

const char *cima_effect_to_string(enum cima_effect e)
{
    return (size_t)e < ARRAY_SIZE(effect_names) ? effect_names[e] : "?";
}

struct cima_problems {
    struct cima_problem *v; /* the texts are ours */
    size_t n, cap;
};

struct cima_problems *cima_problems_new(void)
{
    return xcalloc(1, sizeof(struct cima_problems));
}

void cima_problems_free(struct cima_problems *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        free((char *)p->v[i].where);
        free((char *)p->v[i].message);
    }
    free(p->v);
    free(p);
}

size_t cima_problems_len(const struct cima_problems *p)
{
    return p->n;
}

const struct cima_problem *cima_problems_at(const struct cima_problems *p, size_t i)
{
    return i < p->n ? &p->v[i] : NULL;
}

void problems_add(struct cima_problems *p, const char *prefix, const char *where,
                  enum cima_effect effect, const char *fmt, ...)
{
    va_list ap;

    GROW_ARRAY(p->v, p->n, p->cap);
    va_start(ap, fmt);
    p->v[p->n++] = (struct cima_problem){
        .where = xasprintf("%s%s%s", prefix ? prefix : "", prefix && *where ? "." : "", where),
        .message = xvasprintf(fmt, ap),
        .effect = effect,
    };
    va_end(ap);
}
