/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values (jansson behind it). `struct json` is one reference; free with json_free. */
#ifndef CIMA_JSON_JSON_H
#define CIMA_JSON_JSON_H

#include "base/err.h"
#include "base/sbuf.h"

/* libjansson exports functions of these names; ours must not stand in for them. */
#define json_copy  cima_json_copy
#define json_equal cima_json_equal

struct json; /* a json_t */

void json_free(struct json *j); /* NULL is allowed */
DEFINE_CLEANUP_PTR(json, json_free)
#define _cleanup_json_ _cleanup_(json_freep)

struct json *json_ref(struct json *j);
/* Refuses duplicate keys, NUL, depth over 64. `what` is for the message. */
struct json *json_parse(const char *text, size_t len, const char *what, struct err *err);
/* Compact; keys in insertion order. Caller frees. */
char *json_dump(const struct json *j);
/* Indented by n blanks. */
char *json_dump_indent(const struct json *j, int n);
struct json *json_copy(const struct json *j); /* deep */
bool json_equal(const struct json *a, const struct json *b);

struct json *json_object_new(void);
struct json *json_array_new(void);
struct json *json_strings(const struct strv *v); /* a list of them */
struct json *json_string_new(const char *s); /* invalid UTF-8 becomes U+FFFD */
struct json *json_int_new(int64_t v);
struct json *json_bool_new(bool v);
struct json *json_null_new(void);
struct json *json_real_new(double v);

/* Setters: take over `value`; replace an existing key. */
void json_set(struct json *obj, const char *key, struct json *value);
void json_set_str(struct json *obj, const char *key, const char *s); /* NULL s: nothing is set */
void json_set_int(struct json *obj, const char *key, int64_t v);
void json_set_bool(struct json *obj, const char *key, bool v);
void json_del(struct json *obj, const char *key);
void json_append(struct json *arr, struct json *value);

/* Getters: borrowed; NULL / default when the key is missing or of another type. */
bool json_is_object(const struct json *j);
bool json_is_array(const struct json *j);
bool json_is_string(const struct json *j);
struct json *json_get(const struct json *obj, const char *key);
const char *json_get_str(const struct json *obj, const char *key);
int64_t json_get_int(const struct json *obj, const char *key, int64_t otherwise);
bool json_get_bool(const struct json *obj, const char *key, bool otherwise);
size_t json_len(const struct json *j); /* array or object */
struct json *json_at(const struct json *arr, size_t i);
const char *json_str(const struct json *j);
int64_t json_int(const struct json *j, int64_t otherwise);

bool json_bool(const struct json *j); /* false when it is none */
double json_double(const struct json *j); /* of any number */
enum json_kind {
    JSON_KIND_NULL, JSON_KIND_BOOL, JSON_KIND_INT, JSON_KIND_REAL, JSON_KIND_TEXT, JSON_KIND_LIST,
    JSON_KIND_MAP,
};
enum json_kind json_kind(const struct json *j); /* NULL is as null */

/* Walks an object: for (void *it = json_iter(o); it; it = json_iter_next(o, it)) */
void *json_iter(const struct json *obj);
void *json_iter_next(const struct json *obj, void *it);
const char *json_iter_key(void *it);
struct json *json_iter_value(void *it);

/* The error object as JSON and back (shape 3: the host agent sends the very same error). */
struct json *err_to_json(const struct err *err);
int err_from_json(const struct json *j, struct err *ret);
/* A copy of the error src in the empty dst, by the same way. Returns -1 as every error does. */
int err_copy(struct err *dst, const struct err *src);

#endif
