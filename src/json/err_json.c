/* SPDX-License-Identifier: Apache-2.0 */
/* The error object as JSON: what the host agent writes and the waiting command reads. */
#include "json/json.h"
#include "base/mem.h"

/* More than any document of ours yields; keeps a hostile peer from filling memory. */
#define ERR_LIST_LIMIT 10000

static struct json *diag_to_json(const struct diag *d)
{
    struct json *j = json_object_new();

    json_set_str(j, "severity", d->severity == DIAG_WARNING ? "warning" : "error");
    json_set_str(j, "kind", d->kind);
    json_set_str(j, "path", d->path);
    json_set_str(j, "message", d->msg);
    json_set_str(j, "hint", d->hint);
    json_set_str(j, "file", d->file);
    if (d->line)
        json_set_int(j, "line", d->line);
    if (d->col)
        json_set_int(j, "column", d->col);
    json_set_str(j, "source", d->source);
    return j;
}

struct json *err_to_json(const struct err *err)
{
    struct json *j = json_object_new();

    json_set_str(j, "kind", err_kind_to_string(err->kind));
    if (err->saved_errno)
        json_set_int(j, "errno", err->saved_errno);
    if (err->kind == ERR_CHILD)
        json_set_int(j, "exitCode", err->exit_code);
    json_set_str(j, "message", err->msg);
    json_set_str(j, "hint", err->hint);
    json_set_str(j, "detail", err->detail);
    if (err->context.n)
        json_set(j, "context", json_strings(&err->context));
    if (err->diags.n) {
        struct json *list = json_array_new();

        for (size_t i = 0; i < err->diags.n; i++)
            json_append(list, diag_to_json(&err->diags.v[i]));
        json_set(j, "diagnostics", list);
    }
    return j;
}

static unsigned get_unsigned(const struct json *j, const char *key)
{
    int64_t v = json_get_int(j, key, 0);

    return v > 0 && v < INT32_MAX ? (unsigned)v : 0;
}

static void diag_from_json(const struct json *j, struct diags *diags)
{
    const char *msg = json_get_str(j, "message");
    struct diag *d =
        diags_add(diags, streq0(json_get_str(j, "severity"), "warning") ? DIAG_WARNING : DIAG_ERROR,
                  json_get_str(j, "path"), "%s", msg ? msg : "");

    diag_set_kind(d, json_get_str(j, "kind"));
    if (json_get_str(j, "hint"))
        diag_set_hint(d, "%s", json_get_str(j, "hint"));
    if (json_get_str(j, "file"))
        diag_set_position(d, json_get_str(j, "file"), get_unsigned(j, "line"),
                          get_unsigned(j, "column"), json_get_str(j, "source"));
}

int err_from_json(const struct json *j, struct err *ret)
{
    const char *msg = json_get_str(j, "message"), *kind_name = json_get_str(j, "kind");
    const struct json *list = json_get(j, "context");
    enum err_kind kind;
    int64_t n;

    if (!msg || !kind_name)
        return -1;
    if (err_kind_from_string(kind_name, &kind) < 0 || kind == ERR_NONE)
        kind = ERR_INTERNAL;
    err_set(ret, kind, "%s", msg);
    n = json_get_int(j, "errno", 0);
    ret->saved_errno = n > 0 && n < 4096 ? (int)n : 0;
    n = json_get_int(j, "exitCode", 0);
    ret->exit_code = n > 0 && n < 256 ? (int)n : 0;
    if (json_get_str(j, "hint"))
        err_hint(ret, "%s", json_get_str(j, "hint"));
    if (json_get_str(j, "detail"))
        err_detail(ret, json_get_str(j, "detail"));
    for (size_t i = 0; json_is_array(list) && i < json_len(list) && i < ERR_LIST_LIMIT; i++)
        if (json_str(json_at(list, i)))
            strv_push(&ret->context, json_str(json_at(list, i)));
    list = json_get(j, "diagnostics");
    for (size_t i = 0; json_is_array(list) && i < json_len(list) && i < ERR_LIST_LIMIT; i++)
        diag_from_json(json_at(list, i), &ret->diags);
    return 0;
}

int err_copy(struct err *dst, const struct err *src)
{
    _cleanup_json_ struct json *copy = err_to_json(src);

    if (err_from_json(copy, dst) < 0)
        err_set(dst, ERR_INTERNAL, "%s", src->msg ? src->msg : "unknown error");
    return -1;
}
