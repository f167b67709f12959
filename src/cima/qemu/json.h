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

/* Reads one value of any kind. Refuses duplicate keys, NUL and more than 64 levels. NULL with
 * "protocol". Free with cima_json_free. */
struct cima_json *cima_json_parse(const char *text, struct cima_error *error);
void cima_json_free(struct cima_json *j); /* NULL is allowed */
/* On one line; keys in their order. The caller frees it with free(). */
char *cima_json_text(const struct cima_json *j);
/* The value of a key of an object, an item of a list: borrowed; NULL when there is none. */
const struct cima_json *cima_json_get(const struct cima_json *object, const char *key);
const struct cima_json *cima_json_at(const struct cima_json *list, size_t i);
/* Items of a list, keys of an object; 0 for others. */
size_t cima_json_len(const struct cima_json *j);
/* NULL, `otherwise` and false when the value is of another kind or NULL. The text is borrowed. */
const char *cima_json_str(const struct cima_json *j);
int64_t cima_json_int(const struct cima_json *j, int64_t otherwise);
bool cima_json_bool(const struct cima_json *j);

#ifdef __cplusplus
}
#endif
#endif
