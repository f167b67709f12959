/* SPDX-License-Identifier: Apache-2.0 */
/* What gives names: `as`, reduce, foreach, def, label. */
#include "query/internal.h"
#include "base/mem.h"

/* Names of the prelude and of the translation begin so. */
static int check_name(struct query_parser *p, const char *name)
{
    if (str_starts(name, "_q_") || str_starts(name, "__"))
        return query_fail(p, p->token.at, "the name `%s` is reserved", name);
    if (strchr(name, ':'))
        return query_fail(p, p->token.at, "a name with `::` cannot be defined");
    return 0;
}

/* ---- patterns --------------------------------------------------------------------------------- */

static int read_pattern(struct query_parser *p, struct sbuf *out);

static int read_pattern_var(struct query_parser *p, struct sbuf *out)
{
    _cleanup_free_ char *name = query_token_text(p, 1);

    if (check_name(p, name) < 0)
        return -1;
    query_define(p, name, 0, true);
    sbuf_addf(out, "$%s", name);
    query_next(p);
    return 0;
}

static int read_pattern_list(struct query_parser *p, struct sbuf *out)
{
    sbuf_addch(out, '[');
    do {
        query_next(p); /* `[` or `,` */
        if (read_pattern(p, out) < 0)
            return -1;
        sbuf_addstr(out, query_at_op(p, ",") ? ", " : "");
    } while (query_at_op(p, ","));
    sbuf_addch(out, ']');
    return query_expect_op(p, "]", "expected `,` or `]`");
}

/* `$x`, `key: pattern`, `"key": pattern`, `(expression): pattern`. */
static int read_pattern_entry(struct query_parser *p, struct sbuf *out)
{
    if (p->token.kind == QTOK_VAR) {
        if (read_pattern_var(p, out) < 0)
            return -1;
        if (!query_at_op(p, ":"))
            return 0;
    } else if (p->token.kind == QTOK_WORD) {
        _cleanup_free_ char *word = query_token_text(p, 0);

        sbuf_addf(out, "\"%s\"", word);
        query_next(p);
    } else if (p->token.kind == QTOK_STRING || query_at_op(p, "(")) {
        _cleanup_query_code_ struct query_code c = {0};

        if (query_read_term(p, &c) < 0)
            return -1;
        sbuf_addf(out, c.literal ? "%s" : "(%s)", c.text);
    } else {
        return query_unexpected(p, "expected a key or `$name`");
    }
    if (query_expect_op(p, ":", "expected `:` and a pattern") < 0)
        return -1;
    sbuf_addstr(out, ": ");
    return read_pattern(p, out);
}

static int read_pattern_map(struct query_parser *p, struct sbuf *out)
{
    sbuf_addch(out, '{');
    do {
        query_next(p); /* `{` or `,` */
        if (read_pattern_entry(p, out) < 0)
            return -1;
        sbuf_addstr(out, query_at_op(p, ",") ? ", " : "");
    } while (query_at_op(p, ","));
    sbuf_addch(out, '}');
    return query_expect_op(p, "}", "expected `,` or `}`");
}

static int read_pattern(struct query_parser *p, struct sbuf *out)
{
    int r;

    if (query_enter(p) < 0)
        return -1;
    if (p->token.kind == QTOK_VAR)
        r = read_pattern_var(p, out);
    else if (query_at_op(p, "["))
        r = read_pattern_list(p, out);
    else if (query_at_op(p, "{"))
        r = read_pattern_map(p, out);
    else
        r = query_unexpected(p, "expected `$name`");
    query_leave(p);
    return r;
}

/* One, or several with `?//` between. */
static int read_patterns(struct query_parser *p, struct sbuf *out)
{
    for (;;) {
        if (read_pattern(p, out) < 0)
            return -1;
        if (!query_at_op(p, "?//"))
            return 0;
        sbuf_addstr(out, " ?// ");
        query_next(p);
    }
}

/* ---- as, reduce, foreach ---------------------------------------------------------------------- */

/* "(INIT; UPDATE)" or, for foreach, "(INIT; UPDATE; EXTRACT)". The names of the pattern count in
 * all but the first; so they do in jq. */
static int read_steps(struct query_parser *p, bool foreach, struct sbuf *out)
{
    if (query_expect_op(p, "(", "expected `(INIT; UPDATE)`") < 0)
        return -1;
    for (unsigned n = 0;; n++) {
        _cleanup_query_code_ struct query_code c = {0};

        if (query_read_pipe(p, &c) < 0)
            return -1;
        sbuf_addf(out, "%s%s", n ? "; " : "(", c.text);
        if (n >= 1 && query_at_op(p, ")"))
            break;
        if (!query_at_op(p, ";") || n >= (foreach ? 2u : 1u))
            return query_unexpected(p, n ? "expected `)`" : "expected `;` and the next step");
        query_next(p);
    }
    query_next(p);
    sbuf_addch(out, ')');
    return 0;
}

/* The source is written already; `as` comes next. */
static int read_fold(struct query_parser *p, const char *word, const struct query_code *source,
                     struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf pattern = SBUF_INIT;
    _cleanup_sbuf_ struct sbuf steps = SBUF_INIT;
    _cleanup_free_ char *from = xasprintf("(%s)", source->text);
    size_t scope = p->n_names;

    if (query_expect_word(p, "as", "expected `as $name`") < 0 || read_patterns(p, &pattern) < 0 ||
        read_steps(p, *word == 'f', &steps) < 0)
        return -1;
    query_forget(p, scope);
    query_code_set(ret, true, "%s %s as %s %s", word, from, pattern.buf, steps.buf);
    return 0;
}

int query_read_reduce(struct query_parser *p, bool foreach, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code source = {0};

    query_next(p);
    if (query_enter(p) < 0 || query_read_source(p, &source) < 0)
        return -1;
    query_leave(p);
    return read_fold(p, foreach ? "foreach" : "reduce", &source, ret);
}

int query_read_as(struct query_parser *p, const struct query_code *source, struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf pattern = SBUF_INIT;
    _cleanup_sbuf_ struct sbuf steps = SBUF_INIT;
    _cleanup_query_code_ struct query_code body = {0};
    size_t scope = p->n_names;

    query_next(p);
    if (query_enter(p) < 0 || read_patterns(p, &pattern) < 0)
        return -1;
    if (query_at_word(p, "ireduce")) { /* as yq writes reduce */
        query_next(p);
        if (read_steps(p, false, &steps) < 0)
            return -1;
        query_code_set(ret, true, "reduce (%s) as %s %s", source->text, pattern.buf, steps.buf);
    } else {
        if (query_expect_op(p, "|", "expected `|` behind the name") < 0 ||
            query_read_pipe(p, &body) < 0)
            return -1;
        query_code_set(ret, true, "(%s) as %s | %s", source->text, pattern.buf, body.text);
    }
    query_forget(p, scope);
    query_leave(p);
    return 0;
}

/* ---- def, label ------------------------------------------------------------------------------- */

struct parameters {
    struct sbuf code; /* "(a; $b)" or nothing */
    struct strv names;
    unsigned n;
};

static void parameters_release(struct parameters *a)
{
    sbuf_release(&a->code);
    strv_release(&a->names);
}

static int read_parameters(struct query_parser *p, struct parameters *a)
{
    if (!query_at_op(p, "("))
        return 0;
    do {
        bool variable;

        query_next(p); /* `(` or `;` */
        variable = p->token.kind == QTOK_VAR;
        if (!variable && p->token.kind != QTOK_WORD)
            return query_unexpected(p, "expected the name of an argument");
        _cleanup_free_ char *name = query_token_text(p, variable);
        if (check_name(p, name) < 0)
            return -1;
        if (query_is_keyword(name))
            return query_unexpected(p, "it cannot be a name");
        sbuf_addf(&a->code, "%s%s%s", a->n++ ? "; " : "(", variable ? "$" : "", name);
        strv_pushf(&a->names, "%s%s", variable ? "$" : "", name);
        query_next(p);
    } while (query_at_op(p, ";"));
    sbuf_addch(&a->code, ')');
    return query_expect_op(p, ")", "expected `;` or `)`");
}

/* "name(parameters): body;", and the name counts from here on. */
static int read_definition(struct query_parser *p, struct sbuf *out)
{
    _cleanup_(parameters_release) struct parameters a = {SBUF_INIT, STRV_INIT, 0};
    _cleanup_query_code_ struct query_code body = {0};
    _cleanup_free_ char *name = NULL;
    size_t scope;

    query_next(p);
    if (p->token.kind != QTOK_WORD)
        return query_unexpected(p, "expected the name of a function");
    name = query_token_text(p, 0);
    if (query_is_keyword(name))
        return query_unexpected(p, "it cannot be a name");
    if (check_name(p, name) < 0)
        return -1;
    query_next(p);
    if (read_parameters(p, &a) < 0 || query_expect_op(p, ":", "expected `:` and the body") < 0)
        return -1;
    query_define(p, name, a.n, false);
    scope = p->n_names;
    for (size_t i = 0; i < a.names.n; i++) {
        bool variable = a.names.v[i][0] == '$';

        query_define(p, a.names.v[i] + variable, 0, false);
        if (variable)
            query_define(p, a.names.v[i] + 1, 0, true);
    }
    if (query_read_pipe(p, &body) < 0 ||
        query_expect_op(p, ";", "expected `;` behind the definition") < 0)
        return -1;
    query_forget(p, scope);
    sbuf_addf(out, "def %s%s: %s;", name, sbuf_str(&a.code), body.text);
    return 0;
}

int query_read_def(struct query_parser *p, struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf def = SBUF_INIT;
    _cleanup_query_code_ struct query_code rest = {0};
    size_t scope = p->n_names;

    if (read_definition(p, &def) < 0 || query_read_pipe(p, &rest) < 0)
        return -1;
    query_forget(p, scope);
    query_code_set(ret, true, "%s %s", def.buf, rest.text);
    return 0;
}

int query_read_label(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code rest = {0};
    size_t scope = p->n_names;

    query_next(p);
    if (p->token.kind != QTOK_VAR)
        return query_unexpected(p, "expected the `$name` of the label");
    _cleanup_free_ char *name = query_token_text(p, 1);
    if (check_name(p, name) < 0)
        return -1;
    query_next(p);
    if (query_expect_op(p, "|", "expected `|` behind the label") < 0)
        return -1;
    _cleanup_free_ char *label = xasprintf("*%s", name);
    query_define(p, label, 0, true);
    if (query_read_pipe(p, &rest) < 0)
        return -1;
    query_forget(p, scope);
    query_code_set(ret, true, "label $%s | %s", name, rest.text);
    return 0;
}
