/* SPDX-License-Identifier: Apache-2.0 */
/* Values: JSON with Go's idea of truth, and fields by Go's names. */
#include "tmpl/tmpl.h"
#include "base/mem.h"
#include "base/parse.h"
#include "tmpl/internal.h"
#include <strings.h>

struct tmpl_value tmpl_value_int(int64_t v)
{
    return (struct tmpl_value){.kind = VAL_INT, .number = v};
}

struct tmpl_value tmpl_value_bool(bool v)
{
    return (struct tmpl_value){.kind = VAL_BOOL, .truth = v};
}

struct tmpl_value tmpl_value_text(const char *s, size_t len)
{
    return (struct tmpl_value){.kind = VAL_STRING, .text = s, .len = len};
}

struct tmpl_value tmpl_value_json(const struct json *j, const struct json *shape)
{
    switch (json_kind(j)) {
    case JSON_KIND_TEXT:
        return tmpl_value_text(json_str(j), strlen(json_str(j)));
    case JSON_KIND_BOOL:
        return tmpl_value_bool(json_bool(j));
    case JSON_KIND_INT:
        return tmpl_value_int(json_int(j, 0));
    case JSON_KIND_REAL:
        return (struct tmpl_value){.kind = VAL_FLOAT, .real = json_double(j)};
    case JSON_KIND_LIST:
        return (struct tmpl_value){.kind = VAL_LIST, .json = j, .shape = json_at(shape, 0),
                                   .to = json_len(j)};
    case JSON_KIND_MAP:
        return (struct tmpl_value){.kind = VAL_MAP, .json = j, .shape = shape,
                                   .open = json_is_object(shape) && json_len(shape) == 0};
    case JSON_KIND_NULL:
        break;
    }
    return (struct tmpl_value){.kind = VAL_NIL};
}

bool tmpl_truth(const struct tmpl_value *v)
{
    switch (v->kind) {
    case VAL_BOOL:
        return v->truth;
    case VAL_INT:
        return v->number != 0;
    case VAL_FLOAT:
        return v->real != 0;
    case VAL_STRING:
    case VAL_LIST:
    case VAL_MAP:
        return tmpl_value_len(v) > 0;
    case VAL_NIL:
    case VAL_MISSING:
        break;
    }
    return false;
}

size_t tmpl_value_len(const struct tmpl_value *v)
{
    return v->kind == VAL_STRING ? v->len
           : v->kind == VAL_LIST ? v->to - v->from
                                 : json_len(v->json);
}

struct tmpl_value tmpl_value_at(const struct tmpl_value *list, size_t i)
{
    return tmpl_value_json(json_at(list->json, list->from + i), list->shape);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void tmpl_value_keys(const struct tmpl_value *map, struct strv *ret)
{
    for (void *it = json_iter(map->json); it; it = json_iter_next(map->json, it))
        strv_push(ret, json_iter_key(it));
    if (ret->n)
        qsort(ret->v, ret->n, sizeof(*ret->v), compare_keys);
}

/* ---- fields ------------------------------------------------------------------------------------ */

/* Where a field has another name in Go than in YAML and JSON; "" is the thing itself: there the
 * field is one that Go embeds. */
static const struct {
    const char *go, *name;
} go_names[] = {
    {"Networks", "network"},     {"NineP", "9p"},    {"CACertificates", "caCerts"},
    {"GuestFile", "guest"},      {"HostFile", "host"}, {"Instance", ""},
    {"File", ""},                {"ProvisionData", ""},
};

static const char *fold_key(const struct json *map, const char *name)
{
    for (void *it = json_iter(map); it; it = json_iter_next(map, it))
        if (strcasecmp(json_iter_key(it), name) == 0)
            return json_iter_key(it);
    return NULL;
}

/* What the map calls it, or NULL. */
static const char *find_key(const struct json *map, const char *name, unsigned flags)
{
    if (json_get(map, name))
        return name;
    return flags & TMPL_FOLD_CASE ? fold_key(map, name) : NULL;
}

static bool get_key(const struct tmpl_value *map, const char *name, unsigned flags,
                    struct tmpl_value *ret)
{
    const char *key = find_key(map->json, name, map->open ? 0 : flags);
    const char *shape_key = map->open ? NULL : find_key(map->shape, name, flags);
    struct json *shape = shape_key ? json_get(map->shape, shape_key) : NULL;

    if (!key && !shape_key)
        return false;
    *ret = tmpl_value_json(key ? json_get(map->json, key) : shape, shape);
    if (!key && ret->kind == VAL_LIST)
        ret->to = 0; /* the one element is only a pattern */
    if (!key && ret->kind == VAL_MAP)
        ret->json = NULL; /* so are the members */
    if (!map->shape && ret->kind == VAL_MAP)
        ret->open = strcasecmp(name, "Param") == 0;
    return true;
}

bool tmpl_value_get(const struct tmpl_value *map, const char *name, unsigned flags, bool root,
                    struct tmpl_value *ret)
{
    if (get_key(map, name, flags, ret))
        return true;
    if (!(flags & TMPL_FOLD_CASE) || map->open)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(go_names); i++) {
        if (!streq(go_names[i].go, name))
            continue;
        if (*go_names[i].name)
            return get_key(map, go_names[i].name, 0, ret);
        if (root != streq(name, "Instance") || (!root && !json_get(map->shape, "location") &&
                                                !json_get(map->shape, "owner")))
            return false;
        *ret = *map;
        return true;
    }
    return false;
}

static void add_names(struct strv *names, struct strv *folded, const struct json *map)
{
    for (void *it = json_iter(map); it; it = json_iter_next(map, it)) {
        char *low = xstrdup(json_iter_key(it));

        for (char *c = low; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
        strv_push(names, json_iter_key(it));
        strv_push_consume(folded, low);
    }
}

char *tmpl_value_nearest(const struct tmpl_value *map, const char *name, unsigned flags)
{
    _cleanup_strv_ struct strv names = STRV_INIT, folded = STRV_INIT;
    _cleanup_free_ char *low = xstrdup(name);
    const char *near;

    for (char *c = low; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    add_names(&names, &folded, map->json);
    if (!map->open)
        add_names(&names, &folded, map->shape);
    near = folded.n ? str_nearest(low, (const char *const *)folded.v, folded.n) : NULL;
    for (size_t i = 0; near && i < folded.n; i++)
        if (folded.v[i] == near) {
            char *found = xstrdup(names.v[i]);

            if (flags & TMPL_FOLD_CASE && !map->open && *found >= 'a' && *found <= 'z')
                *found = (char)(*found & ~0x20); /* closer to what Go calls it */
            return found;
        }
    return NULL;
}

/* ---- the other way ----------------------------------------------------------------------------- */

struct json *tmpl_value_to_json(const struct tmpl_value *v)
{
    struct json *list;

    switch (v->kind) {
    case VAL_BOOL:
        return json_bool_new(v->truth);
    case VAL_INT:
        return json_int_new(v->number);
    case VAL_FLOAT:
        return json_real_new(v->real);
    case VAL_STRING: {
        _cleanup_free_ char *text = xstrndup(v->text, v->len);

        return json_string_new(text);
    }
    case VAL_LIST:
        list = json_array_new();
        for (size_t i = v->from; i < v->to; i++)
            json_append(list, json_ref(json_at(v->json, i)));
        return list;
    case VAL_MAP:
        return v->json ? json_ref((struct json *)(uintptr_t)v->json) : json_null_new();
    case VAL_NIL:
    case VAL_MISSING:
        break;
    }
    return json_null_new();
}

const char *tmpl_type_name(const struct tmpl_value *v)
{
    static const char *const names[] = {
        [VAL_NIL] = "<nil>",   [VAL_MISSING] = "<nil>",   [VAL_BOOL] = "bool",
        [VAL_INT] = "int",     [VAL_FLOAT] = "float64",   [VAL_STRING] = "string",
        [VAL_LIST] = "[]interface {}", [VAL_MAP] = "map[string]interface {}",
    };

    return names[v->kind];
}
