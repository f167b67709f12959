/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and JSON values for those outside: they are cima's own. */
#include "cima/qemu/json.h"
#include "base/mem.h"
#include "json/json.h"

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
