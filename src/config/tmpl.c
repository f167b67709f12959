/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tmpl.h"
#include "base/mem.h"

enum { MAX_ARGS = 16, MAX_NESTING = 8, MAX_RESULT = 4 << 20 };

struct reader {
    const char *p;
    const struct tmpl_vars *vars;
    char *syntax;   /* why the text is no template that we can read */
    char *unknown;  /* a name in this action that does not exist */
    unsigned nesting;
};

static char *eval_pipeline(struct reader *r, bool closing_paren);

static void fail(struct reader *r, const char *fmt, ...) PRINTF_FORMAT(2, 3);

static void fail(struct reader *r, const char *fmt, ...)
{
    va_list ap;

    if (r->syntax)
        return;
    va_start(ap, fmt);
    r->syntax = xvasprintf(fmt, ap);
    va_end(ap);
}

static bool is_name_char(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_blanks(struct reader *r)
{
    r->p += strspn(r->p, " \t\r\n");
}

/* Standing at the end of an action: `}}` or ` -}}`. */
static bool at_end(const struct reader *r)
{
    return str_starts(r->p, "}}") || str_starts(r->p, "-}}");
}

/* ---- operands -------------------------------------------------------------------------------- */

static char *read_raw(struct reader *r)
{
    const char *start = ++r->p;
    const char *end = strchr(start, '`');

    if (!end) {
        fail(r, "a raw text is not closed");
        return xstrdup("");
    }
    r->p = end + 1;
    return xstrndup(start, (size_t)(end - start));
}

static char *read_quoted(struct reader *r)
{
    static const char escapes[] = "n\nt\tr\ra\ab\bf\fv\v\\\\\"\"";
    struct sbuf out = SBUF_INIT;

    for (r->p++; *r->p && *r->p != '"' && *r->p != '\n'; r->p++) {
        const char *e;

        if (*r->p != '\\') {
            sbuf_addch(&out, *r->p);
            continue;
        }
        for (e = escapes; *e && *e != r->p[1]; e += 2)
            ;
        if (!*e) {
            fail(r, "the escape in a quoted text is not known");
            break;
        }
        sbuf_addch(&out, e[1]);
        r->p++;
    }
    if (*r->p == '"')
        r->p++;
    else
        fail(r, "a quoted text is not closed");
    return sbuf_detach(&out);
}

static const char *find_var(const struct tmpl_vars *vars, const char *path)
{
    if (str_starts(path, "Param.")) {
        for (size_t i = 0; i < vars->n_param; i++)
            if (streq(vars->param[i].key, path + strlen("Param.")))
                return vars->param[i].value;
        return NULL;
    }
    for (size_t i = 0; i < vars->n; i++)
        if (streq(vars->v[i].name, path))
            return vars->v[i].value;
    return NULL;
}

/* .A.B: an unknown name is remembered and reads as an empty text. */
static char *read_field(struct reader *r)
{
    _cleanup_free_ char *path = NULL;
    const char *start = r->p + 1, *value;
    size_t len = 0;

    while (is_name_char(start[len]) || (start[len] == '.' && is_name_char(start[len + 1])))
        len++;
    r->p = start + len;
    path = xstrndup(start, len);
    value = find_var(r->vars, path);
    if (!value && !r->unknown)
        r->unknown = xasprintf(".%s", path);
    return xstrdup(value ? value : "");
}

static char *read_operand(struct reader *r)
{
    if (*r->p == '.')
        return read_field(r);
    if (*r->p == '"')
        return read_quoted(r);
    if (*r->p == '`')
        return read_raw(r);
    if (*r->p >= '0' && *r->p <= '9') {
        size_t n = strspn(r->p, "0123456789");

        r->p += n;
        return xstrndup(r->p - n, n);
    }
    if (*r->p == '(' && r->nesting < MAX_NESTING) {
        char *value;

        r->p++;
        r->nesting++;
        value = eval_pipeline(r, true);
        r->nesting--;
        return value;
    }
    fail(r, "unexpected `%.10s`", r->p);
    return xstrdup("");
}

/* ---- functions ------------------------------------------------------------------------------- */

static void add_go_quoted(struct sbuf *out, const char *s)
{
    sbuf_addch(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            sbuf_addf(out, "\\%c", *s);
        else if (*s == '\n')
            sbuf_addstr(out, "\\n");
        else if (*s == '\t')
            sbuf_addstr(out, "\\t");
        else
            sbuf_addch(out, *s);
    }
    sbuf_addch(out, '"');
}

static void check_length(struct reader *r, size_t len)
{
    if (len > MAX_RESULT)
        fail(r, "the result is longer than %d MiB", MAX_RESULT >> 20);
}

static char *call_printf(struct reader *r, char *const *args, size_t n)
{
    struct sbuf out = SBUF_INIT;
    size_t next = 1;

    if (!n) {
        fail(r, "printf needs a format");
        return xstrdup("");
    }
    for (const char *f = args[0]; *f; f++) {
        if (*f != '%') {
            sbuf_addch(&out, *f);
            continue;
        }
        f++;
        if (*f == '%') {
            sbuf_addch(&out, '%');
        } else if (!*f || !strchr("svdq", *f) || next >= n) {
            fail(r, "printf with `%s` is not supported", args[0]);
            break;
        } else if (*f == 'q') {
            add_go_quoted(&out, args[next++]);
        } else {
            sbuf_addstr(&out, args[next++]);
        }
    }
    check_length(r, out.len);
    if (next < n)
        fail(r, "printf has more values than its format takes");
    return sbuf_detach(&out);
}

static char *call_print(struct reader *r, char *const *args, size_t n)
{
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < n && !r->syntax; i++) {
        sbuf_addstr(&out, args[i]);
        check_length(r, out.len);
    }
    return sbuf_detach(&out);
}

static char *call_println(struct reader *r, char *const *args, size_t n)
{
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < n && !r->syntax; i++) {
        sbuf_addf(&out, "%s%s", i ? " " : "", args[i]);
        check_length(r, out.len);
    }
    sbuf_addch(&out, '\n');
    return sbuf_detach(&out);
}

static const struct {
    const char *name;
    char *(*call)(struct reader *r, char *const *args, size_t n);
} functions[] = {{"printf", call_printf}, {"print", call_print}, {"println", call_println}};

static char *call(struct reader *r, const char *name, char *const *args, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (streq(functions[i].name, name))
            return functions[i].call(r, args, n);
    fail(r, "`%s` is not supported", name);
    return xstrdup("");
}

/* ---- actions --------------------------------------------------------------------------------- */

/* One command of a pipeline: a value, or a function and its values. piped is the last value. */
static char *eval_command(struct reader *r, char *piped, bool closing_paren)
{
    struct strv args = STRV_INIT;
    _cleanup_free_ char *name = NULL;
    char *value;

    if ((*r->p >= 'a' && *r->p <= 'z') || (*r->p >= 'A' && *r->p <= 'Z')) {
        size_t n = 0;

        while (is_name_char(r->p[n]))
            n++;
        name = xstrndup(r->p, n);
        r->p += n;
        skip_blanks(r);
    }
    while (!r->syntax && *r->p && *r->p != '|' && !at_end(r) && !(closing_paren && *r->p == ')')) {
        if (args.n == MAX_ARGS) {
            fail(r, "too many values");
            break;
        }
        strv_push_consume(&args, read_operand(r));
        skip_blanks(r);
    }
    if (piped)
        strv_push_consume(&args, piped);
    if (name) {
        value = call(r, name, args.v, args.n);
    } else {
        if (args.n != 1)
            fail(r, args.n ? "a value is no function" : "an action is empty");
        value = xstrdup(args.n ? args.v[0] : "");
    }
    strv_release(&args);
    return value;
}

static char *eval_pipeline(struct reader *r, bool closing_paren)
{
    char *value = NULL;

    for (;;) {
        skip_blanks(r);
        value = eval_command(r, value, closing_paren);
        if (r->syntax || *r->p != '|')
            break;
        r->p++;
    }
    if (closing_paren && !r->syntax) {
        if (*r->p == ')')
            r->p++;
        else
            fail(r, "a parenthesis is not closed");
    }
    return value;
}

/* At `{{`: appends the value of the action and moves behind it. */
static void expand_action(struct reader *r, struct sbuf *out, char **ret_unknown)
{
    const char *start = r->p;
    _cleanup_free_ char *value = NULL;

    r->p += 2;
    if (*r->p == '-' && strchr(" \t\r\n", r->p[1]) && r->p[1]) {
        while (out->len && strchr(" \t\r\n", out->buf[out->len - 1]))
            out->buf[--out->len] = '\0';
        r->p++;
    }
    skip_blanks(r);
    if (str_starts(r->p, "/*")) {
        const char *end = strstr(r->p, "*/");

        r->p = end ? end + 2 : r->p + strlen(r->p);
        skip_blanks(r);
        value = xstrdup("");
    } else {
        value = eval_pipeline(r, false);
    }
    skip_blanks(r);
    if (!r->syntax && !at_end(r))
        fail(r, "an action is not closed by `}}`");
    if (r->syntax)
        return;
    bool trim = *r->p == '-';

    r->p += trim ? 3 : 2;
    if (r->unknown) {
        sbuf_add(out, start, (size_t)(r->p - start));
        if (!*ret_unknown)
            *ret_unknown = TAKE_PTR(r->unknown);
        free(r->unknown);
        r->unknown = NULL;
    } else {
        sbuf_addstr(out, value);
        check_length(r, out->len);
    }
    if (trim)
        skip_blanks(r);
}

char *tmpl_expand(const char *text, const struct tmpl_vars *vars, char **ret_problem)
{
    struct reader r = {.p = text, .vars = vars};
    struct sbuf out = SBUF_INIT;
    _cleanup_free_ char *unknown = NULL;

    *ret_problem = NULL;
    while (*r.p && !r.syntax) {
        const char *open = strstr(r.p, "{{");

        sbuf_add(&out, r.p, open ? (size_t)(open - r.p) : strlen(r.p));
        if (!open)
            break;
        r.p = open;
        expand_action(&r, &out, &unknown);
    }
    free(r.unknown);
    if (r.syntax) {
        sbuf_release(&out);
        *ret_problem = r.syntax;
        return NULL;
    }
    if (unknown)
        *ret_problem = xasprintf("`%s` is not known here", unknown);
    return sbuf_detach(&out);
}

/* ---- use of parameters ----------------------------------------------------------------------- */

/* `.Param.KEY` between {{ and }}. */
static bool uses_in_action(const char *text, const char *key)
{
    _cleanup_free_ char *name = xasprintf(".Param.%s", key);
    size_t len = strlen(name);

    for (const char *open = strstr(text, "{{"); open; open = strstr(open + 2, "{{")) {
        size_t span = strcspn(open, "}");

        for (const char *p = strstr(open, name); p && p < open + span; p = strstr(p + 1, name))
            if (!is_name_char(p[len]))
                return true;
    }
    return false;
}

bool tmpl_uses_param(const char *text, const char *key)
{
    _cleanup_free_ char *variable = xasprintf("PARAM_%s", key);
    size_t len = strlen(variable);

    for (const char *p = strstr(text, variable); p; p = strstr(p + 1, variable))
        if ((p == text || !is_name_char(p[-1])) && !is_name_char(p[len]))
            return true;
    return uses_in_action(text, key);
}
