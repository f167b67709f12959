/* SPDX-License-Identifier: Apache-2.0 */
/* What stands inside of an action: pipelines, commands, terms, literals. */
#include "tmpl/tmpl.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "tmpl/internal.h"
#include <errno.h>
#include <math.h>

/* ---- texts ------------------------------------------------------------------------------------- */

/* `digits` digits at the place. */
static int read_digits(struct tmpl_parser *p, size_t digits, unsigned base, uint32_t *ret)
{
    uint32_t v = 0;

    for (size_t i = 0; i < digits; i++) {
        char c = p->s[p->pos];
        unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 16;
        if (d >= base)
            return -1;
        v = v * base + d;
        p->pos++;
    }
    *ret = v;
    return 0;
}

/* Behind the backslash. quote: the one that may be escaped. */
static int read_escape(struct tmpl_parser *p, char quote, struct sbuf *out, uint32_t *ret)
{
    static const char simple[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
    size_t start = p->pos - 1;
    char c = p->s[p->pos];
    uint32_t v = 0;
    int r = -1;

    for (const char *e = simple; *e; e += 2)
        if (*e == c) {
            p->pos++;
            *ret = (uint32_t)e[1];
            sbuf_addch(out, e[1]);
            return 0;
        }
    if (c == quote && c) {
        p->pos++;
        *ret = (uint32_t)c;
        sbuf_addch(out, c);
        return 0;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        p->pos++;
        r = read_digits(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, &v);
    } else if (c >= '0' && c <= '7') {
        r = read_digits(p, 3, 8, &v);
    }
    bool byte = c != 'u' && c != 'U';
    if (r < 0 || (byte ? v > 0xff : v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)))
        return tmpl_parse_fail(p, start, "unknown escape in a quoted text");
    if (!v)
        return tmpl_parse_fail(p, start, "a text can't hold a NUL");
    *ret = v;
    if (byte)
        sbuf_addch(out, (char)v);
    else
        sbuf_add_utf8(out, v);
    return 0;
}

int tmpl_parse_string(struct tmpl_parser *p, struct tmpl_expr *e)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    size_t start = p->pos;
    char quote = p->s[p->pos++];
    uint32_t c;

    e->kind = EXPR_STRING;
    for (;;) {
        char at = p->s[p->pos];

        if (!at || (quote == '"' && at == '\n'))
            return tmpl_parse_fail(p, start, quote == '"' ? "unterminated quoted string"
                                                          : "unterminated raw quoted string");
        p->pos++;
        if (at == quote)
            break;
        if (at != '\\' || quote == '`')
            sbuf_addch(&out, at);
        else if (read_escape(p, quote, &out, &c) < 0)
            return -1;
    }
    e->text = arena_strndup(&p->t->arena, sbuf_str(&out), out.len);
    e->len = out.len;
    return 0;
}

/* 'x': the number of the character. */
static int parse_char(struct tmpl_parser *p, struct tmpl_expr *e)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    size_t start = p->pos++;
    uint32_t c = 0;

    if (p->s[p->pos] == '\\') {
        p->pos++;
        if (read_escape(p, '\'', &out, &c) < 0)
            return -1;
    } else {
        size_t n = utf8_decode(p->s + p->pos, p->t->len - p->pos, &c);

        if (!n || c == '\'' || c == '\n')
            return tmpl_parse_fail(p, start, "malformed character constant");
        p->pos += n;
    }
    if (p->s[p->pos] != '\'')
        return tmpl_parse_fail(p, start, "unterminated character constant");
    p->pos++;
    e->kind = EXPR_INT;
    e->number = (int64_t)c;
    return 0;
}

/* ---- numbers ----------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Go's forms: 12, 1_000, 0x1f, 0o17, 017, 0b1, 1.5, 1e3. */
static int parse_number(struct tmpl_parser *p, struct tmpl_expr *e)
{
    _cleanup_sbuf_ struct sbuf digits = SBUF_INIT;
    size_t start = p->pos;
    bool hex = false, real = false;
    int base = 10;

    if (p->s[p->pos] == '+' || p->s[p->pos] == '-')
        sbuf_addch(&digits, p->s[p->pos++]);
    if (p->s[p->pos] == '0' && p->s[p->pos + 1] && strchr("xXoObB", p->s[p->pos + 1])) {
        char c = (char)(p->s[p->pos + 1] | 0x20);

        base = c == 'x' ? 16 : c == 'o' ? 8 : 2;
        hex = c == 'x';
        p->pos += 2;
    }
    for (char c; (c = p->s[p->pos]) && (tmpl_is_name(c) || c == '.' || c == '+' || c == '-');
         p->pos++) {
        char before = p->pos > start ? (char)(p->s[p->pos - 1] | 0x20) : ' ';

        if ((c == '+' || c == '-') && (hex || before != 'e'))
            break;
        real = real || c == '.' || (!hex && (c == 'e' || c == 'E'));
        if (c != '_')
            sbuf_addch(&digits, c);
    }
    const char *text = sbuf_str(&digits);
    bool sign = *text == '+' || *text == '-';
    char *end = NULL;

    if (base == 10 && !real && text[sign] == '0' && text[sign + 1])
        base = 8;
    errno = 0;
    if (real && base == 10) {
        e->kind = EXPR_FLOAT;
        e->real = strtod(text, &end);
        if (!isfinite(e->real))
            errno = ERANGE;
    } else {
        e->kind = EXPR_INT;
        e->number = strtoll(text, &end, base);
    }
    if (errno || !end || *end || end == text)
        return tmpl_parse_fail(p, start, "bad number syntax: `%.*s`", (int)(p->pos - start),
                               p->s + start);
    return 0;
}

/* ---- terms ------------------------------------------------------------------------------------- */

static char *take_name(struct tmpl_parser *p)
{
    size_t start = p->pos;

    while (tmpl_is_name(p->s[p->pos]))
        p->pos++;
    return arena_strndup(&p->t->arena, p->s + start, p->pos - start);
}

/* .A.B behind a term. */
static int parse_fields(struct tmpl_parser *p, struct tmpl_expr *e)
{
    size_t start = p->pos, n = 0;

    for (const char *s = p->s + p->pos; *s == '.' && tmpl_is_name(s[1]);) {
        n++;
        for (s++; tmpl_is_name(*s); s++)
            ;
    }
    if (!n)
        return 0;
    if (e->kind != EXPR_DOT && e->kind != EXPR_VARIABLE && e->kind != EXPR_PIPE)
        return tmpl_parse_fail(p, start, "unexpected `.` after a term that has no fields");
    e->fields = arena_alloc(&p->t->arena, n * sizeof(*e->fields));
    for (size_t i = 0; i < n; i++) {
        p->pos++;
        e->fields[i] = take_name(p);
    }
    e->n_fields = n;
    return 0;
}

static const char *nearest_variable(const struct tmpl_parser *p, const char *name)
{
    return str_nearest(name, (const char *const *)p->vars.v, p->vars.n);
}

static int parse_variable(struct tmpl_parser *p, struct tmpl_expr *e)
{
    size_t start = p->pos++;

    e->kind = EXPR_VARIABLE;
    while (tmpl_is_name(p->s[p->pos]))
        p->pos++;
    e->text = arena_strndup(&p->t->arena, p->s + start, p->pos - start);
    if (strv_contains(&p->vars, e->text))
        return 0;
    const char *near = nearest_variable(p, e->text);
    tmpl_parse_fail(p, start, "undefined variable `%s`", e->text);
    if (near && !streq(near, "$"))
        return err_hint(p->err, "did you mean `%s`?", near);
    return err_hint(p->err, "a variable is made with {{%s := …}}", e->text);
}

/* Values stand behind the word, or come through a pipe: it can't be meant for a field. */
static bool has_values(const struct tmpl_parser *p, size_t start)
{
    const char *behind = p->s + p->pos + strspn(p->s + p->pos, " \t\r\n");

    while (start && strchr(" \t\r\n", p->s[start - 1]))
        start--;
    return (start && p->s[start - 1] == '|') || !(!*behind || strchr("|})-", *behind));
}

static int unknown_function(struct tmpl_parser *p, size_t pos, const char *name)
{
    bool values = has_values(p, pos);
    const char **names = xcalloc(tmpl_n_functions, sizeof(*names));

    for (size_t i = 0; i < tmpl_n_functions; i++)
        names[i] = tmpl_functions[i].name;
    const char *near = str_nearest(name, names, tmpl_n_functions);

    tmpl_parse_fail(p, pos, "function `%s` not defined", name);
    if (near && values)
        err_hint(p->err, "did you mean `%s`?", near);
    else if (near)
        err_hint(p->err, "did you mean the field `.%s` or the function `%s`?", name, near);
    else if (values)
        err_hint(p->err, "there are Go's functions, such as printf, index and len, and json, yaml, "
                         "indent, missing");
    else
        err_hint(p->err, "a field is written with a point in front: `.%s`", name);
    free(names);
    return -1;
}

static int parse_word(struct tmpl_parser *p, struct tmpl_expr *e)
{
    size_t start = p->pos;

    e->text = take_name(p);
    if (streq(e->text, "true") || streq(e->text, "false")) {
        e->kind = EXPR_BOOL;
        e->truth = e->text[0] == 't';
        return 0;
    }
    if (streq(e->text, "nil")) {
        e->kind = EXPR_NIL;
        return 0;
    }
    e->kind = EXPR_FUNCTION;
    for (size_t i = 0; i < tmpl_n_functions; i++)
        if (streq(tmpl_functions[i].name, e->text)) {
            e->function = (int)i;
            return 0;
        }
    return unknown_function(p, start, e->text);
}

static int parse_parentheses(struct tmpl_parser *p, struct tmpl_expr *e)
{
    size_t start = p->pos++;

    if (++p->depth > TMPL_DEPTH_MAX)
        return tmpl_parse_fail(p, start, "parentheses are nested deeper than %d", TMPL_DEPTH_MAX);
    e->kind = EXPR_PIPE;
    if (tmpl_parse_pipe(p, false, "parenthesized pipeline", &e->pipe) < 0)
        return -1;
    p->depth--;
    tmpl_parse_blanks(p);
    if (p->s[p->pos] != ')')
        return tmpl_parse_fail(p, start, "unclosed left parenthesis");
    p->pos++;
    return 0;
}

/* One term; what follows it must be apart from it. */
static int parse_term(struct tmpl_parser *p, struct tmpl_expr *e)
{
    const char *s = p->s + p->pos;
    int r;

    e->pos = p->pos;
    if (*s == '.' && !is_digit(s[1])) {
        e->kind = EXPR_DOT;
        p->pos += !tmpl_is_name(s[1]);
        r = 0;
    } else if (*s == '$') {
        r = parse_variable(p, e);
    } else if (*s == '"' || *s == '`') {
        r = tmpl_parse_string(p, e);
    } else if (*s == '\'') {
        r = parse_char(p, e);
    } else if (*s == '(') {
        r = parse_parentheses(p, e);
    } else if (is_digit(*s) || ((*s == '+' || *s == '-') && (is_digit(s[1]) || s[1] == '.')) ||
               *s == '.') {
        r = parse_number(p, e);
    } else if (tmpl_is_name(*s)) {
        r = parse_word(p, e);
    } else {
        return tmpl_parse_fail(p, p->pos, *s ? "unexpected `%.10s` in operand"
                                             : "unclosed action%s", s);
    }
    if (r < 0 || parse_fields(p, e) < 0)
        return -1;
    e->end = p->pos;
    s = p->s + p->pos;
    if (*s && !strchr(" \t\r\n|)", *s) && !tmpl_parse_at_end(p))
        return tmpl_parse_fail(p, p->pos, "unexpected `%.10s` behind a term", s);
    return 0;
}

/* ---- commands and pipelines -------------------------------------------------------------------- */

static bool command_ends(const struct tmpl_parser *p)
{
    char c = p->s[p->pos];

    return !c || c == '|' || c == ')' || tmpl_parse_at_end(p);
}

static int parse_command(struct tmpl_parser *p, const char *what, bool first,
                         struct tmpl_cmd **ret)
{
    struct tmpl_cmd *c = arena_alloc(&p->t->arena, sizeof(*c));
    struct tmpl_expr **tail = &c->args;
    size_t n = 0;

    tmpl_parse_blanks(p);
    c->pos = p->pos;
    for (; !command_ends(p); tmpl_parse_blanks(p)) {
        *tail = arena_alloc(&p->t->arena, sizeof(**tail));
        if (++n > TMPL_ARGS_MAX)
            return tmpl_parse_fail(p, p->pos, "more than %d values", TMPL_ARGS_MAX);
        if (parse_term(p, *tail) < 0)
            return -1;
        tail = &(*tail)->next;
    }
    if (!n && !p->s[p->pos])
        return tmpl_parse_fail(p, c->pos, "unclosed action");
    if (!n)
        return tmpl_parse_fail(p, c->pos, "missing value for %s", what);
    if (c->args->kind == EXPR_FUNCTION) {
        *ret = c;
        return 0;
    }
    if (c->args->next) {
        tmpl_parse_fail(p, c->args->next->pos, "can't give a value to `%.*s`, it is no function",
                        (int)(c->args->end - c->args->pos), p->s + c->args->pos);
        return -1;
    }
    if (!first)
        return tmpl_parse_fail(p, c->pos, "`%.*s` can't take the value piped into it",
                               (int)(c->args->end - c->args->pos), p->s + c->args->pos);
    if (c->args->kind == EXPR_NIL)
        return tmpl_parse_fail(p, c->pos, "nil is not a command");
    *ret = c;
    return 0;
}

/* $x := or $x = or, in a range, $i, $x :=. Nothing is taken when it is none of these. */
static int parse_declaration(struct tmpl_parser *p, bool in_range, struct tmpl_pipe *pipe)
{
    size_t start = p->pos;
    size_t n = 0;

    while (n < 2 && p->s[p->pos] == '$') {
        size_t at = p->pos++;

        while (tmpl_is_name(p->s[p->pos]))
            p->pos++;
        pipe->vars[n++] = arena_strndup(&p->t->arena, p->s + at, p->pos - at);
        tmpl_parse_blanks(p);
        if (p->s[p->pos] != ',' || n == 2)
            break;
        p->pos++;
        tmpl_parse_blanks(p);
    }
    bool declares = str_starts(p->s + p->pos, ":=");
    bool assigns = p->s[p->pos] == '=' && p->s[p->pos + 1] != '=';

    if (!n || (!declares && !assigns)) {
        bool comma = n == 2 || (n == 1 && p->pos > start && memchr(p->s + start, ',',
                                                                   p->pos - start));
        p->pos = start;
        return comma ? tmpl_parse_fail(p, start, "`:=` is missing behind the variables") : 0;
    }
    if (n == 2 && !in_range)
        return tmpl_parse_fail(p, start, "too many declarations");
    for (size_t i = 0; assigns && i < n; i++)
        if (!strv_contains(&p->vars, pipe->vars[i])) {
            tmpl_parse_fail(p, start, "undefined variable `%s`", pipe->vars[i]);
            return err_hint(p->err, "a variable is made with `:=`");
        }
    p->pos += declares ? 2 : 1;
    pipe->n_vars = n;
    pipe->assign = assigns;
    return 0;
}

int tmpl_parse_pipe(struct tmpl_parser *p, bool in_range, const char *what, struct tmpl_pipe **ret)
{
    struct tmpl_pipe *pipe = arena_alloc(&p->t->arena, sizeof(*pipe));
    struct tmpl_cmd **tail = &pipe->cmds;

    tmpl_parse_blanks(p);
    pipe->pos = p->pos;
    if (p->s[p->pos] == '$' && parse_declaration(p, in_range, pipe) < 0)
        return -1;
    for (;;) {
        if (parse_command(p, what, tail == &pipe->cmds, tail) < 0)
            return -1;
        tail = &(*tail)->next;
        if (p->s[p->pos] != '|')
            break;
        p->pos++;
    }
    for (size_t i = 0; !pipe->assign && i < pipe->n_vars; i++)
        strv_push(&p->vars, pipe->vars[i]);
    *ret = pipe;
    return 0;
}
