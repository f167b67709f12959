/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values, as QMP speaks them: arguments and answers of commands, data of events. A value that
 * is borrowed belongs to the one it is part of. */
#ifndef CIMA_QEMU_JSON_H
#define CIMA_QEMU_JSON_H

#include "cima/qemu/error.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cima_json;

enum cima_json_kind {
    CIMA_JSON_NULL,
    CIMA_JSON_BOOL,
    CIMA_JSON_INT,
    CIMA_JSON_REAL,
    CIMA_JSON_TEXT,
    CIMA_JSON_LIST,
    CIMA_JSON_OBJECT,
};

/* ---- whole values ------------------------------------------------------------------------------ */

/* Reads one value of any kind. Refuses duplicate keys, NUL and more than 64 levels. NULL with
 * "protocol". Free with cima_json_free. */
struct cima_json *cima_json_parse(const char *text, struct cima_error *error);
/* Frees a value with all that it holds. Not for borrowed ones. NULL is allowed. */
void cima_json_free(struct cima_json *j);
/* On one line; keys in their order. The caller frees it with free(). */
char *cima_json_text(const struct cima_json *j);
/* A deep copy; free with cima_json_free. */
struct cima_json *cima_json_copy(const struct cima_json *j);
/* The same in kind and content; the order of keys does not count, 1 and 1.0 differ. */
bool cima_json_equal(const struct cima_json *a, const struct cima_json *b);

/* ---- making them ------------------------------------------------------------------------------- */

/* An object without keys, such as the arguments of a command. Free with cima_json_free, unless it
 * is given to something that takes it over. */
struct cima_json *cima_json_object_new(void);
/* A list without items. Free as above. */
struct cima_json *cima_json_list_new(void);
/* Single values; free as above. What is no UTF-8 in a text becomes U+FFFD; text must not be NULL.
 * Infinity and what is no number become null. */
struct cima_json *cima_json_text_new(const char *text);
struct cima_json *cima_json_int_new(int64_t value);
struct cima_json *cima_json_real_new(double value);
struct cima_json *cima_json_bool_new(bool value);
struct cima_json *cima_json_null_new(void);

/* Sets a key of an object; one that is there already is replaced. `value` is taken over, whether
 * the call has an effect or not: on a value that is no object it has none. A NULL value sets
 * nothing. */
void cima_json_set(struct cima_json *object, const char *key, struct cima_json *value);
/* The same with plain values. A NULL text sets nothing. */
void cima_json_set_str(struct cima_json *object, const char *key, const char *text);
void cima_json_set_int(struct cima_json *object, const char *key, int64_t value);
void cima_json_set_bool(struct cima_json *object, const char *key, bool value);
/* Adds an item at the end of a list, and takes it over as cima_json_set does. */
void cima_json_append(struct cima_json *list, struct cima_json *item);
/* The same with a text, which must not be NULL. */
void cima_json_append_str(struct cima_json *list, const char *text);

/* ---- reading them ------------------------------------------------------------------------------ */

/* Its kind; a NULL pointer is CIMA_JSON_NULL, too. */
enum cima_json_kind cima_json_kind(const struct cima_json *j);
/* The value of a key of an object, an item of a list: borrowed; NULL when there is none. */
const struct cima_json *cima_json_get(const struct cima_json *object, const char *key);
const struct cima_json *cima_json_at(const struct cima_json *list, size_t i);
/* The name of an object's key number i, in their order: borrowed; NULL when there is none. */
const char *cima_json_key(const struct cima_json *object, size_t i);
/* Items of a list, keys of an object; 0 for others. */
size_t cima_json_len(const struct cima_json *j);
/* NULL, `otherwise` and false when the value is of another kind or NULL. The text is borrowed. */
const char *cima_json_str(const struct cima_json *j);
int64_t cima_json_int(const struct cima_json *j, int64_t otherwise);
bool cima_json_bool(const struct cima_json *j);
/* Of an integer, too. */
double cima_json_real(const struct cima_json *j, double otherwise);

#ifdef __cplusplus
}
#endif
#endif
