/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdbool.h>

/* Macros of jansson whose names are functions of ours. */
#undef json_is_object
#undef json_is_array
#undef json_is_string

/* Before json.h, which gives the name another meaning. */
static bool jansson_equal(const json_t *a, const json_t *b)
{
    return json_equal(a, b) == 1;
}

#include "json/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#define JSON_DEPTH_LIMIT 64

static json_t *raw(const struct json *j)
{
    return (json_t *)(uintptr_t)j;
}

static struct json *wrap(json_t *j)
{
    return (struct json *)j;
}

/* A new value, or the end of the program: only memory can be missing. */
static struct json *must(json_t *j)
{
    if (!j) {
        static const char text[] = "out of memory (json)\n";
        ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)n;
        abort();
    }
    return wrap(j);
}

void json_free(struct json *j)
{
    json_decref(raw(j));
}

struct json *json_ref(struct json *j)
{
    return wrap(json_incref(raw(j)));
}

/* Deepest nesting of the text, counted without parsing it (brackets inside strings don't count). */
static unsigned text_depth(const char *text, size_t len)
{
    unsigned depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest)
                deepest = depth;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

struct json *json_parse(const char *text, size_t len, const char *what, struct err *err)
{
    json_error_t e;
    json_t *j;

    if (text_depth(text, len) > JSON_DEPTH_LIMIT) {
        err_set(err, ERR_PROTOCOL, "%s: nested deeper than %d levels", what, JSON_DEPTH_LIMIT);
        return NULL;
    }
    j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!j) {
        err_set(err, ERR_PROTOCOL, "%s: not valid JSON: line %d, column %d: %s", what, e.line,
                e.column, e.text);
        return NULL;
    }
    return wrap(j);
}

static char *dump(const struct json *j, size_t flags)
{
    char *s = json_dumps(raw(j), flags | JSON_ENCODE_ANY);

    must((json_t *)(void *)s);
    return s;
}

char *json_dump(const struct json *j)
{
    return dump(j, JSON_COMPACT);
}

char *json_dump_indent(const struct json *j, int n)
{
    return dump(j, JSON_INDENT((size_t)(n < 0 ? 0 : n)));
}

struct json *json_copy(const struct json *j)
{
    return must(json_deep_copy(raw(j)));
}

bool json_equal(const struct json *a, const struct json *b)
{
    return a == b || jansson_equal(raw(a), raw(b));
}

struct json *json_object_new(void)
{
    return must(json_object());
}

struct json *json_array_new(void)
{
    return must(json_array());
}

struct json *json_strings(const struct strv *v)
{
    struct json *list = json_array_new();

    for (size_t i = 0; i < v->n; i++)
        json_append(list, json_string_new(v->v[i]));
    return list;
}

struct json *json_string_new(const char *s)
{
    _cleanup_sbuf_ struct sbuf clean = SBUF_INIT;
    size_t len = strlen(s);
    json_t *j = json_stringn(s, len);

    if (j)
        return wrap(j);
    for (size_t i = 0; i < len;) {
        uint32_t c;
        size_t n = utf8_decode(s + i, len - i, &c);

        if (n)
            sbuf_add(&clean, s + i, n);
        else
            sbuf_addstr(&clean, "\xef\xbf\xbd");
        i += n ? n : 1;
    }
    return must(json_stringn(sbuf_str(&clean), clean.len));
}

struct json *json_int_new(int64_t v)
{
    return must(json_integer(v));
}

struct json *json_bool_new(bool v)
{
    return must(json_boolean(v));
}

struct json *json_null_new(void)
{
    return must(json_null());
}

struct json *json_real_new(double v)
{
    return must(json_real(v));
}

/* ---- setters --------------------------------------------------------------------------------- */

void json_set(struct json *obj, const char *key, struct json *value)
{
    if (json_object_set_new(raw(obj), key, raw(value)) < 0)
        must(NULL);
}

void json_set_str(struct json *obj, const char *key, const char *s)
{
    if (s)
        json_set(obj, key, json_string_new(s));
}

void json_set_int(struct json *obj, const char *key, int64_t v)
{
    json_set(obj, key, json_int_new(v));
}

void json_set_bool(struct json *obj, const char *key, bool v)
{
    json_set(obj, key, json_bool_new(v));
}

void json_del(struct json *obj, const char *key)
{
    json_object_del(raw(obj), key);
}

void json_append(struct json *arr, struct json *value)
{
    if (json_array_append_new(raw(arr), raw(value)) < 0)
        must(NULL);
}

/* ---- getters --------------------------------------------------------------------------------- */

bool json_is_object(const struct json *j)
{
    return j && json_typeof(raw(j)) == JSON_OBJECT;
}

bool json_is_array(const struct json *j)
{
    return j && json_typeof(raw(j)) == JSON_ARRAY;
}

bool json_is_string(const struct json *j)
{
    return j && json_typeof(raw(j)) == JSON_STRING;
}

struct json *json_get(const struct json *obj, const char *key)
{
    return wrap(json_object_get(raw(obj), key));
}

const char *json_get_str(const struct json *obj, const char *key)
{
    return json_str(json_get(obj, key));
}

int64_t json_get_int(const struct json *obj, const char *key, int64_t otherwise)
{
    return json_int(json_get(obj, key), otherwise);
}

bool json_get_bool(const struct json *obj, const char *key, bool otherwise)
{
    const json_t *v = raw(json_get(obj, key));

    return v && json_is_boolean(v) ? json_is_true(v) : otherwise;
}

size_t json_len(const struct json *j)
{
    return json_is_array(j) ? json_array_size(raw(j)) : json_object_size(raw(j));
}

struct json *json_at(const struct json *arr, size_t i)
{
    return wrap(json_array_get(raw(arr), i));
}

const char *json_str(const struct json *j)
{
    return json_string_value(raw(j));
}

int64_t json_int(const struct json *j, int64_t otherwise)
{
    return j && json_is_integer(raw(j)) ? json_integer_value(raw(j)) : otherwise;
}

bool json_bool(const struct json *j)
{
    return j && json_is_true(raw(j));
}

double json_double(const struct json *j)
{
    return json_number_value(raw(j));
}

enum json_kind json_kind(const struct json *j)
{
    static const enum json_kind kinds[] = {
        [JSON_OBJECT] = JSON_KIND_MAP,   [JSON_ARRAY] = JSON_KIND_LIST,
        [JSON_STRING] = JSON_KIND_TEXT,  [JSON_INTEGER] = JSON_KIND_INT,
        [JSON_REAL] = JSON_KIND_REAL,    [JSON_TRUE] = JSON_KIND_BOOL,
        [JSON_FALSE] = JSON_KIND_BOOL,   [JSON_NULL] = JSON_KIND_NULL,
    };

    return j ? kinds[json_typeof(raw(j))] : JSON_KIND_NULL;
}

void *json_iter(const struct json *obj)
{
    return json_object_iter(raw(obj));
}

void *json_iter_next(const struct json *obj, void *it)
{
    return json_object_iter_next(raw(obj), it);
}

const char *json_iter_key(void *it)
{
    return json_object_iter_key(it);
}

struct json *json_iter_value(void *it)
{
    return wrap(json_object_iter_value(it));
}
