/* SPDX-License-Identifier: Apache-2.0 */
/* The functions: Go's, and Lima's json, yaml, indent, missing. */
#include "tmpl/tmpl.h"
#include "base/mem.h"
#include "tmpl/internal.h"
#include <ctype.h>

/* ---- printing ---------------------------------------------------------------------------------- */

static int call_printf(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    if (c->args[0].kind != VAL_STRING)
        return tmpl_run_fail(r, c->pos, "printf needs a format, not a %s",
                             tmpl_type_name(&c->args[0]));
    tmpl_format(&out, &c->args[0], c->args + 1, c->n - 1);
    return tmpl_run_keep(r, c->pos, &out, ret);
}

/* Blanks stand between two values when neither is a text; println has them everywhere. */
static int print_all(struct tmpl_run *r, const struct tmpl_call *c, bool line,
                     struct tmpl_value *ret)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < c->n && out.len <= TMPL_RESULT_MAX; i++) {
        bool texts = i && (c->args[i].kind == VAL_STRING || c->args[i - 1].kind == VAL_STRING);

        if (i && (line || !texts))
            sbuf_addch(&out, ' ');
        tmpl_format_value(&out, &c->args[i]);
    }
    if (line)
        sbuf_addch(&out, '\n');
    return tmpl_run_keep(r, c->pos, &out, ret);
}

static int call_print(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    return print_all(r, c, false, ret);
}

static int call_println(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    return print_all(r, c, true, ret);
}

/* ---- comparison -------------------------------------------------------------------------------- */

static bool is_number(const struct tmpl_value *v)
{
    return v->kind == VAL_INT || v->kind == VAL_FLOAT;
}

static bool is_nothing(const struct tmpl_value *v)
{
    return v->kind == VAL_NIL || v->kind == VAL_MISSING;
}

static double as_real(const struct tmpl_value *v)
{
    return v->kind == VAL_INT ? (double)v->number : v->real;
}

static int compare_text(const struct tmpl_value *a, const struct tmpl_value *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int c = n ? memcmp(a->text, b->text, n) : 0;

    return c ? c : (a->len > b->len) - (a->len < b->len);
}

static int not_comparable(struct tmpl_run *r, const struct tmpl_call *c,
                          const struct tmpl_value *a, const struct tmpl_value *b)
{
    const struct tmpl_value *odd = a->kind == VAL_LIST || a->kind == VAL_MAP ? a : b;

    if (odd->kind == VAL_LIST || odd->kind == VAL_MAP)
        return tmpl_run_fail(r, c->pos, "a %s can't be compared", tmpl_type_name(odd));
    tmpl_run_fail(r, c->pos, "incompatible types for comparison: %s and %s", tmpl_type_name(a),
                  tmpl_type_name(b));
    if (is_number(a) != is_number(b))
        err_hint(r->err, "a number in quotes is a text");
    return -1;
}

static int is_equal(struct tmpl_run *r, const struct tmpl_call *c, const struct tmpl_value *a,
                    const struct tmpl_value *b, bool *ret)
{
    if (is_nothing(a) || is_nothing(b))
        *ret = is_nothing(a) && is_nothing(b);
    else if (is_number(a) && is_number(b))
        *ret = a->kind == b->kind && a->kind == VAL_INT ? a->number == b->number
                                                        : as_real(a) == as_real(b);
    else if (a->kind == VAL_STRING && b->kind == VAL_STRING)
        *ret = compare_text(a, b) == 0;
    else if (a->kind == VAL_BOOL && b->kind == VAL_BOOL)
        *ret = a->truth == b->truth;
    else
        return not_comparable(r, c, a, b);
    return 0;
}

static int call_eq(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    bool equal = false;

    for (size_t i = 1; i < c->n && !equal; i++)
        if (is_equal(r, c, &c->args[0], &c->args[i], &equal) < 0)
            return -1;
    *ret = tmpl_value_bool(equal);
    return 0;
}

static int call_ne(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    bool equal = false;

    if (is_equal(r, c, &c->args[0], &c->args[1], &equal) < 0)
        return -1;
    *ret = tmpl_value_bool(!equal);
    return 0;
}

static int order(struct tmpl_run *r, const struct tmpl_call *c, int *ret)
{
    const struct tmpl_value *a = &c->args[0], *b = &c->args[1];

    if (a->kind == VAL_INT && b->kind == VAL_INT)
        *ret = (a->number > b->number) - (a->number < b->number);
    else if (is_number(a) && is_number(b))
        *ret = (as_real(a) > as_real(b)) - (as_real(a) < as_real(b));
    else if (a->kind == VAL_STRING && b->kind == VAL_STRING)
        *ret = compare_text(a, b);
    else
        return not_comparable(r, c, a, b);
    return 0;
}

#define DEFINE_ORDER(name, op)                                                                     \
    static int call_##name(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)  \
    {                                                                                              \
        int o = 0;                                                                                 \
                                                                                                   \
        if (order(r, c, &o) < 0)                                                                   \
            return -1;                                                                             \
        *ret = tmpl_value_bool(o op 0);                                                            \
        return 0;                                                                                  \
    }

DEFINE_ORDER(lt, <)
DEFINE_ORDER(le, <=)
DEFINE_ORDER(gt, >)
DEFINE_ORDER(ge, >=)

static int call_not(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    (void)r;
    *ret = tmpl_value_bool(!tmpl_truth(&c->args[0]));
    return 0;
}

/* ---- parts ------------------------------------------------------------------------------------- */

static int call_len(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    const struct tmpl_value *v = &c->args[0];

    if (v->kind != VAL_STRING && v->kind != VAL_LIST && v->kind != VAL_MAP)
        return tmpl_run_fail(r, c->pos, "len of type %s", tmpl_type_name(v));
    *ret = tmpl_value_int((int64_t)tmpl_value_len(v));
    return 0;
}

static int index_map(struct tmpl_run *r, const struct tmpl_call *c, const struct tmpl_value *key,
                     struct tmpl_value *v)
{
    if (key->kind != VAL_STRING)
        return tmpl_run_fail(r, c->pos, "a key of a map is a text, not a %s", tmpl_type_name(key));
    _cleanup_free_ char *name = xstrndup(key->text, key->len);
    struct tmpl_value found;

    if (tmpl_value_get(v, name, r->in->flags, false, &found)) {
        *v = found;
        return 0;
    }
    *v = (struct tmpl_value){.kind = VAL_MISSING,
                             .text = arena_strndup(&r->arena, name, strlen(name))};
    return 0;
}

/* A place in a list or a text, at most max. */
static int get_place(struct tmpl_run *r, const struct tmpl_call *c, const struct tmpl_value *place,
                     size_t max, size_t *ret)
{
    if (place->kind != VAL_INT)
        return tmpl_run_fail(r, c->pos, "cannot index a list or a text with type %s",
                             tmpl_type_name(place));
    if (place->number < 0 || (uint64_t)place->number > max)
        return tmpl_run_fail(r, c->pos, "index out of range: %lld", (long long)place->number);
    *ret = (size_t)place->number;
    return 0;
}

static int call_index(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    struct tmpl_value v = c->args[0];
    size_t at = 0;

    for (size_t i = 1; i < c->n; i++) {
        if (v.kind == VAL_MAP) {
            if (index_map(r, c, &c->args[i], &v) < 0)
                return -1;
            continue;
        }
        if (v.kind != VAL_LIST && v.kind != VAL_STRING)
            return tmpl_run_fail(r, c->pos, "can't index item of type %s", tmpl_type_name(&v));
        size_t len = tmpl_value_len(&v);
        if (get_place(r, c, &c->args[i], len, &at) < 0)
            return -1;
        if (at == len)
            return tmpl_run_fail(r, c->pos, "index out of range: %zu", at);
        v = v.kind == VAL_LIST ? tmpl_value_at(&v, at)
                               : tmpl_value_int((unsigned char)v.text[at]);
    }
    *ret = v;
    return 0;
}

static int call_slice(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    struct tmpl_value v = c->args[0];
    size_t from = 0, to;

    if (v.kind != VAL_LIST && v.kind != VAL_STRING)
        return tmpl_run_fail(r, c->pos, "can't slice item of type %s", tmpl_type_name(&v));
    to = tmpl_value_len(&v);
    if ((c->n > 1 && get_place(r, c, &c->args[1], to, &from) < 0) ||
        (c->n > 2 && get_place(r, c, &c->args[2], to, &to) < 0))
        return -1;
    if (from > to)
        return tmpl_run_fail(r, c->pos, "invalid slice index: %zu > %zu", from, to);
    if (v.kind == VAL_STRING) {
        v.text += from;
        v.len = to - from;
    } else {
        v.to = v.from + to;
        v.from += from;
    }
    *ret = v;
    return 0;
}

static int call_call(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    (void)ret;
    return tmpl_run_fail(r, c->pos, "call of a %s: there are no functions as values",
                         tmpl_type_name(&c->args[0]));
}

/* ---- escapes ----------------------------------------------------------------------------------- */

/* The values as print would write them, but for what is not there: that is a text here. */
static void join(const struct tmpl_call *c, struct sbuf *out)
{
    for (size_t i = 0; i < c->n && out->len <= TMPL_RESULT_MAX; i++) {
        bool text = c->args[i].kind == VAL_STRING || c->args[i].kind == VAL_NIL;

        if (i && !text && c->args[i - 1].kind != VAL_STRING && c->args[i - 1].kind != VAL_NIL)
            sbuf_addch(out, ' ');
        if (c->args[i].kind == VAL_NIL)
            sbuf_addstr(out, "<no value>");
        else
            tmpl_format_value(out, &c->args[i]);
    }
}

static int call_html(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    _cleanup_sbuf_ struct sbuf in = SBUF_INIT, out = SBUF_INIT;

    join(c, &in);
    for (const char *s = sbuf_str(&in); *s; s++) {
        switch (*s) {
        case '"':
            sbuf_addstr(&out, "&#34;");
            break;
        case '\'':
            sbuf_addstr(&out, "&#39;");
            break;
        case '&':
            sbuf_addstr(&out, "&amp;");
            break;
        case '<':
            sbuf_addstr(&out, "&lt;");
            break;
        case '>':
            sbuf_addstr(&out, "&gt;");
            break;
        default:
            sbuf_addch(&out, *s);
        }
    }
    return tmpl_run_keep(r, c->pos, &out, ret);
}

static int call_js(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    _cleanup_sbuf_ struct sbuf in = SBUF_INIT, out = SBUF_INIT;

    join(c, &in);
    for (const char *s = sbuf_str(&in); *s; s++) {
        if (*s == '\\' || *s == '\'' || *s == '"')
            sbuf_addf(&out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20 || strchr("<>&=", *s))
            sbuf_addf(&out, "\\u%04X", (unsigned char)*s);
        else
            sbuf_addch(&out, *s);
    }
    return tmpl_run_keep(r, c->pos, &out, ret);
}

static int call_urlquery(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    _cleanup_sbuf_ struct sbuf in = SBUF_INIT, out = SBUF_INIT;

    join(c, &in);
    for (const char *s = sbuf_str(&in); *s; s++) {
        unsigned char b = (unsigned char)*s;

        if (isalnum(b) || strchr("-_.~", b))
            sbuf_addch(&out, *s);
        else if (b == ' ')
            sbuf_addch(&out, '+');
        else
            sbuf_addf(&out, "%%%02X", b);
    }
    return tmpl_run_keep(r, c->pos, &out, ret);
}

/* ---- Lima's ------------------------------------------------------------------------------------ */

static int call_json(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    _cleanup_json_ struct json *j = tmpl_value_to_json(&c->args[0]);
    _cleanup_free_ char *text = json_dump(j);
    const struct sbuf s = {text, strlen(text), 0};

    if (tmpl_run_step(r, c->pos, s.len / TMPL_STEP_BYTES) < 0)
        return -1;
    return tmpl_run_keep(r, c->pos, &s, ret);
}

static int call_yaml(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    _cleanup_json_ struct json *j = tmpl_value_to_json(&c->args[0]);
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    sbuf_addstr(&s, "---\n");
    tmpl_add_yaml(&s, j);
    while (s.len && s.buf[s.len - 1] == '\n')
        s.buf[--s.len] = '\0';
    if (tmpl_run_step(r, c->pos, s.len / TMPL_STEP_BYTES) < 0)
        return -1;
    return tmpl_run_keep(r, c->pos, &s, ret);
}

/* indent [SIZE] TEXT: blanks in front of every line that is not empty; 2 when none is said. */
static int call_indent(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    const struct tmpl_value *text = &c->args[c->n - 1];
    int64_t size = 2;

    if (c->n > 1 && c->args[0].kind != VAL_INT)
        return tmpl_run_fail(r, c->pos, "indent: the optional first argument must be an integer");
    if (text->kind != VAL_STRING)
        return tmpl_run_fail(r, c->pos, "indent: the last argument must be a string");
    if (c->n > 1)
        size = c->args[0].number;
    if (size < 0 || size > TMPL_WIDTH_MAX)
        return tmpl_run_fail(r, c->pos, "indent: the size must be 0 to %d", TMPL_WIDTH_MAX);
    for (size_t i = 0; i < text->len && out.len <= TMPL_RESULT_MAX; i++) {
        bool starts = i == 0 || text->text[i - 1] == '\n';

        if (starts && text->text[i] != '\n')
            for (int64_t k = 0; k < size; k++)
                sbuf_addch(&out, ' ');
        sbuf_addch(&out, text->text[i]);
    }
    return tmpl_run_keep(r, c->pos, &out, ret);
}

/* missing [MESSAGE] TEXT: the text, or the message when there is none. */
static int call_missing(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret)
{
    static const char standard[] = "<missing>";
    const struct tmpl_value *text = &c->args[c->n - 1];
    struct tmpl_value message = tmpl_value_text(standard, strlen(standard));

    if (c->n > 1) {
        if (c->args[0].kind != VAL_STRING)
            return tmpl_run_fail(r, c->pos,
                                 "missing: the optional first argument must be a string");
        message = c->args[0];
    }
    if (text->kind != VAL_STRING && !is_nothing(text))
        return tmpl_run_fail(r, c->pos, "missing: the last argument must be a string");
    *ret = tmpl_truth(text) ? *text : message;
    return 0;
}

const struct tmpl_function tmpl_functions[] = {
    [TMPL_FN_AND] = {"and", 1, 0, true, NULL},
    [TMPL_FN_OR] = {"or", 1, 0, true, NULL},
    {"not", 1, 1, true, call_not},
    {"eq", 2, 0, true, call_eq},
    {"ne", 2, 2, true, call_ne},
    {"lt", 2, 2, false, call_lt},
    {"le", 2, 2, false, call_le},
    {"gt", 2, 2, false, call_gt},
    {"ge", 2, 2, false, call_ge},
    {"print", 0, 0, false, call_print},
    {"printf", 1, 0, false, call_printf},
    {"println", 0, 0, false, call_println},
    {"len", 1, 1, false, call_len},
    {"index", 1, 0, false, call_index},
    {"slice", 1, 3, false, call_slice},
    {"call", 1, 0, false, call_call},
    {"html", 1, 0, false, call_html},
    {"js", 1, 0, false, call_js},
    {"urlquery", 1, 0, false, call_urlquery},
    {"json", 1, 1, true, call_json},
    {"yaml", 1, 1, true, call_yaml},
    {"indent", 1, 2, false, call_indent},
    {"missing", 1, 2, true, call_missing},
};
const size_t tmpl_n_functions = ARRAY_SIZE(tmpl_functions);
