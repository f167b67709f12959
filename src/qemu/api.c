/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and JSON values for those outside: they are cima's own. */
#include "cima/qemu/json.h"
#include "base/mem.h"
#include "json/json.h"
#include <math.h>

struct err *cima_error_new(void)
{
    return xcalloc(1, sizeof(struct err));
}

void cima_error_free(struct err *e)
{
    if (e)
        err_clear(e);
    free(e);
}

void cima_error_clear(struct err *e)
{
    if (e)
        err_clear(e);
}

bool cima_error_is_set(const struct err *e)
{
    return e && err_is_set(e);
}

const char *cima_error_kind(const struct err *e)
{
    return err_kind_to_string(e ? e->kind : ERR_NONE);
}

char *cima_error_message(const struct err *e)
{
    return e ? err_message(e) : xstrdup("");
}

const char *cima_error_hint(const struct err *e)
{
    return e ? e->hint : NULL;
}

const char *cima_error_detail(const struct err *e)
{
    return e ? e->detail : NULL;
}

struct json *cima_json_parse(const char *text, struct err *error)
{
    return json_parse(text, strlen(text), "JSON text", error);
}

void cima_json_free(struct json *j)
{
    json_free(j);
}

char *cima_json_text(const struct json *j)
{
    return json_dump(j);
}

struct json *cima_json_object_new(void)
{
    return json_object_new();
}

struct json *cima_json_list_new(void)
{
    return json_array_new();
}

struct json *cima_json_text_new(const char *text)
{
    return json_string_new(text);
}

struct json *cima_json_int_new(int64_t value)
{
    return json_int_new(value);
}

/* JSON has neither infinity nor what is no number. */
struct json *cima_json_real_new(double value)
{
    return isfinite(value) ? json_real_new(value) : json_null_new();
}

struct json *cima_json_bool_new(bool value)
{
    return json_bool_new(value);
}

struct json *cima_json_null_new(void)
{
    return json_null_new();
}

void cima_json_set(struct json *object, const char *key, struct json *value)
{
    _cleanup_json_ struct json *name = json_string_new(key); /* always UTF-8 */

    if (!value || value == object) /* nothing is part of itself */
        return;
    if (json_is_object(object))
        json_set(object, json_str(name), value);
    else
        json_free(value);
}

void cima_json_set_str(struct json *object, const char *key, const char *text)
{
    if (text)
        cima_json_set(object, key, json_string_new(text));
}

void cima_json_set_int(struct json *object, const char *key, int64_t value)
{
    cima_json_set(object, key, json_int_new(value));
}

void cima_json_set_bool(struct json *object, const char *key, bool value)
{
    cima_json_set(object, key, json_bool_new(value));
}

void cima_json_append(struct json *list, struct json *item)
{
    if (!item || item == list)
        return;
    if (json_is_array(list))
        json_append(list, item);
    else
        json_free(item);
}

void cima_json_append_str(struct json *list, const char *text)
{
    cima_json_append(list, json_string_new(text));
}

enum cima_json_kind cima_json_kind(const struct json *j)
{
    static const enum cima_json_kind kinds[] = {
        [JSON_KIND_NULL] = CIMA_JSON_NULL, [JSON_KIND_BOOL] = CIMA_JSON_BOOL,
        [JSON_KIND_INT] = CIMA_JSON_INT,   [JSON_KIND_REAL] = CIMA_JSON_REAL,
        [JSON_KIND_TEXT] = CIMA_JSON_TEXT, [JSON_KIND_LIST] = CIMA_JSON_LIST,
        [JSON_KIND_MAP] = CIMA_JSON_OBJECT,
    };

    return kinds[json_kind(j)];
}

const char *cima_json_key(const struct json *object, size_t i)
{
    void *it = json_is_object(object) ? json_iter(object) : NULL;

    while (it && i--)
        it = json_iter_next(object, it);
    return it ? json_iter_key(it) : NULL;
}

const struct json *cima_json_get(const struct json *object, const char *key)
{
    return json_get(object, key);
}

const struct json *cima_json_at(const struct json *list, size_t i)
{
    return json_at(list, i);
}

size_t cima_json_len(const struct json *j)
{
    return json_len(j);
}

const char *cima_json_str(const struct json *j)
{
    return json_str(j);
}

int64_t cima_json_int(const struct json *j, int64_t otherwise)
{
    return json_int(j, otherwise);
}

bool cima_json_bool(const struct json *j)
{
    return json_bool(j);
}

double cima_json_real(const struct json *j, double otherwise)
{
    enum cima_json_kind kind = cima_json_kind(j);

    return kind == CIMA_JSON_INT || kind == CIMA_JSON_REAL ? json_double(j) : otherwise;
}
