/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML as a value that flags change, and back: from the text to JSON, from JSON to the bytes of
 * the text that differ. */
#include "instance/flags_internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include "yaml/emit.h"
#include "yaml/patch.h"
#include <math.h>

/* ---- numbers that no JSON value of ours can hold ---------------------------------------------- */

/* They go through as texts with this in front, which no YAML text begins with by chance. */
#define NUMBER_MARK "\x01number:"

static bool is_too_large(const char *number)
{
    int64_t v;

    return strpbrk(number, ".eE") ? !isfinite(strtod(number, NULL)) : parse_int64(number, &v) < 0;
}

/* The JSON text with such numbers as texts. Caller frees. */
static char *hide_large_numbers(const char *json)
{
    struct sbuf out = SBUF_INIT;

    for (const char *c = json; *c;) {
        size_t n = 0;

        if (*c == '"') {
            for (n = 1; c[n] && c[n] != '"'; n++)
                n += c[n] == '\\' && c[n + 1];
            n += c[n] == '"';
        } else {
            n = strspn(c, "+-.0123456789eE");
        }
        _cleanup_free_ char *word = xstrndup(c, n ? n : 1);
        if (*c != '"' && n && strpbrk(word, "0123456789") && is_too_large(word))
            sbuf_addf(&out, "\"\\u0001%s%s\"", &NUMBER_MARK[1], word);
        else
            sbuf_addstr(&out, word);
        c += n ? n : 1;
    }
    return sbuf_detach(&out);
}

/* ---- from and to the text --------------------------------------------------------------------- */

static void hint_mend(const struct inst_flags_input *in, struct err *err)
{
    if (*in->name == '<') /* <stdin> */
        err_hint(err, "mend it first");
    else
        err_hint(err, "mend the file first; `cima validate %s` checks it", in->name);
}

static struct yaml_doc *parse_text(const struct inst_flags_input *in, struct err *err)
{
    _cleanup_diags_ struct diags problems = DIAGS_INIT;
    struct yaml_doc *doc = yaml_doc_parse(in->name, in->text, in->len, &problems);

    if (doc || !err)
        return doc;
    err_set(err, ERR_CONFIG, "'%s' is not valid: 1 problem", in->name);
    err->diags = problems;
    problems = (struct diags)DIAGS_INIT;
    hint_mend(in, err);
    return NULL;
}

struct json *value_of_text(const struct inst_flags_input *in, struct err *err)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse_text(in, err);
    _cleanup_free_ char *exact = doc ? yaml_doc_to_json(doc) : NULL;
    _cleanup_free_ char *text = doc ? hide_large_numbers(exact) : NULL;

    if (!doc)
        return NULL;
    if (yaml_is_null(yaml_doc_root(doc)))
        return json_object_new();
    if (yaml_doc_root(doc)->type != YAML_MAP) {
        err_set(err, ERR_CONFIG, "'%s' is not valid: it is %s, expected a mapping", in->name,
                yaml_describe(yaml_doc_root(doc)));
        hint_mend(in, err);
        return NULL;
    }
    return json_parse(text, strlen(text), in->name, err);
}

static void write_value(const struct json *v, bool exact, struct sbuf *out);

char *text_of_value(const struct inst_flags_input *in, const struct json *value, size_t *ret_len,
                    struct err *err)
{
    _cleanup_diags_ struct diags ignored = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse_text(in, err);
    _cleanup_sbuf_ struct sbuf exact = SBUF_INIT;
    write_value(value, true, &exact);
    const char *text = sbuf_str(&exact);
    _cleanup_yaml_doc_ struct yaml_doc *wanted =
        doc ? yaml_doc_parse("result", text, strlen(text), &ignored) : NULL;

    if (!doc)
        return NULL;
    if (!wanted) {
        err_set(err, ERR_CONFIG, "'%s' would become too large: %s", in->name,
                ignored.n ? ignored.v[0].msg : "no YAML");
        return NULL;
    }
    /* An empty mapping for a text without content: nothing has changed. */
    if (yaml_is_null(yaml_doc_root(doc)) && !yaml_doc_root(wanted)->n) {
        *ret_len = in->len;
        return xstrndup(in->text, in->len);
    }
    return yaml_patch(doc, wanted, ret_len, err);
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void write_real(double v, struct sbuf *out)
{
    char text[64];

    if (!isfinite(v)) {
        sbuf_addstr(out, "null");
        return;
    }
    snprintf(text, sizeof(text), "%.15g", v);
    if (strtod(text, NULL) != v)
        snprintf(text, sizeof(text), "%.17g", v);
    sbuf_addstr(out, text);
}

static void write_text(const char *s, bool exact, struct sbuf *out)
{
    size_t mark = strlen(NUMBER_MARK);

    if (exact && str_starts(s, NUMBER_MARK) && strspn(s + mark, "+-.0123456789eE") == strlen(s + mark))
        sbuf_addstr(out, s + mark);
    else
        yaml_add_json_string(out, s);
}

/* exact: numbers that were hidden come out. */
static void write_value(const struct json *v, bool exact, struct sbuf *out)
{
    const char *comma = "";

    switch (json_kind(v)) {
    case JSON_KIND_REAL:
        write_real(json_double(v), out);
        return;
    case JSON_KIND_TEXT:
        write_text(json_str(v), exact, out);
        return;
    case JSON_KIND_LIST:
        sbuf_addch(out, '[');
        for (size_t i = 0; i < json_len(v); i++, comma = ",") {
            sbuf_addstr(out, comma);
            write_value(json_at(v, i), exact, out);
        }
        sbuf_addch(out, ']');
        return;
    case JSON_KIND_MAP:
        sbuf_addch(out, '{');
        for (void *it = json_iter(v); it; it = json_iter_next(v, it), comma = ",") {
            sbuf_addstr(out, comma);
            yaml_add_json_string(out, json_iter_key(it));
            sbuf_addch(out, ':');
            write_value(json_iter_value(it), exact, out);
        }
        sbuf_addch(out, '}');
        return;
    case JSON_KIND_INT:
        sbuf_addf(out, "%lld", (long long)json_int(v, 0));
        return;
    case JSON_KIND_BOOL:
        sbuf_addstr(out, json_bool(v) ? "true" : "false");
        return;
    default:
        sbuf_addstr(out, "null");
        return;
    }
}

char *value_to_json(const struct json *value)
{
    struct sbuf s = SBUF_INIT;

    write_value(value, false, &s);
    return sbuf_detach(&s);
}

static bool is_number(const struct json *v)
{
    return json_kind(v) == JSON_KIND_INT || json_kind(v) == JSON_KIND_REAL;
}

struct json *value_restore_numbers(const struct json *before, struct json *after)
{
    if (is_number(before) && is_number(after) && json_double(before) == json_double(after)) {
        json_free(after);
        return json_copy(before);
    }
    if (json_is_array(before) && json_is_array(after)) {
        struct json *list = json_array_new();

        for (size_t i = 0; i < json_len(after); i++) {
            struct json *item = json_ref(json_at(after, i));

            json_append(list, i < json_len(before) ? value_restore_numbers(json_at(before, i), item)
                                                   : item);
        }
        json_free(after);
        return list;
    }
    if (json_is_object(before) && json_is_object(after)) {
        struct json *map = json_object_new();

        for (void *it = json_iter(after); it; it = json_iter_next(after, it)) {
            const struct json *old = json_get(before, json_iter_key(it));
            struct json *value = json_ref(json_iter_value(it));

            json_set(map, json_iter_key(it), old ? value_restore_numbers(old, value) : value);
        }
        json_free(after);
        return map;
    }
    return after;
}

/* ---- changing --------------------------------------------------------------------------------- */

static bool is_nothing(const struct json *v)
{
    return json_kind(v) == JSON_KIND_NULL;
}

int value_set(struct json *root, const char *const *path, struct json *value, struct err *err)
{
    _cleanup_sbuf_ struct sbuf field = SBUF_INIT;
    struct json *at = root;

    for (; path[1]; path++) {
        struct json *next = json_get(at, path[0]);

        sbuf_addf(&field, "%s%s", field.len ? "." : "", path[0]);
        if (is_nothing(next)) {
            json_set(at, path[0], json_object_new());
            next = json_get(at, path[0]);
        }
        if (!json_is_object(next)) {
            json_free(value);
            return err_set(err, ERR_CONFIG, "field `%s` must be a mapping", sbuf_str(&field));
        }
        at = next;
    }
    json_set(at, path[0], value);
    return 0;
}

struct json *value_list(const struct json *root, const char *key, struct err *err)
{
    struct json *list = json_get(root, key);

    if (is_nothing(list))
        return json_array_new();
    if (json_is_array(list))
        return json_ref(list);
    err_set(err, ERR_CONFIG, "field `%s` must be a list", key);
    return NULL;
}
