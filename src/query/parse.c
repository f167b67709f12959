/* SPDX-License-Identifier: Apache-2.0 */
/* The operators, and what all readers share. Every expression becomes a piece of a jq program whose
 * operands stand in parentheses, so that our precedence, not jq's, decides. */
#include "query/internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"

enum {
    DEPTH_MAX = 200,    /* expressions in each other: our stack, and the parser's of jq */
    STEPS_MAX = 100000, /* tokens, those counted again that were read in vain */
    CHAIN_MAX = 1000,   /* operators one behind the other */
};

/* ---- errors ----------------------------------------------------------------------------------- */

int query_fail(struct query_parser *p, size_t at, const char *fmt, ...)
{
    _cleanup_free_ char *source = NULL;
    unsigned line = 1, col = 1;
    size_t start = 0;
    va_list ap;

    if (!p->err)
        return -1;
    for (size_t i = 0; i < at; i++)
        if (p->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    for (size_t i = start; i < at; i++)
        col += ((unsigned char)p->text[i] & 0xc0) != 0x80;
    source = xstrndup(p->text + start, strcspn(p->text + start, "\n"));
    va_start(ap, fmt);
    _cleanup_free_ char *why = xvasprintf(fmt, ap);
    va_end(ap);
    err_set(p->err, ERR_USAGE, "the expression cannot be used");
    struct diag *d = line > 1
                         ? diags_add(&p->err->diags, DIAG_ERROR, NULL, "line %u, column %u: %s",
                                     line, col, why)
                         : diags_add(&p->err->diags, DIAG_ERROR, NULL, "column %u: %s", col, why);
    diag_set_position(d, NULL, line, col, source);
    return -1;
}

int query_fail_hint(struct query_parser *p, const char *fmt, ...)
{
    va_list ap;

    if (!p->err || !p->err->diags.n)
        return -1;
    va_start(ap, fmt);
    _cleanup_free_ char *hint = xvasprintf(fmt, ap);
    va_end(ap);
    diag_set_hint(&p->err->diags.v[p->err->diags.n - 1], "%s", hint);
    return -1;
}

int query_unexpected(struct query_parser *p, const char *why)
{
    const struct query_token *t = &p->token;
    const char *refused = NULL;

    if (t->kind == QTOK_END)
        return query_fail(p, t->at, "the expression ends too early%s%s", why ? ", " : "",
                          why ? why : "");
    _cleanup_free_ char *words = query_token_words(p->text, t);
    if (t->kind == QTOK_WORD) {
        _cleanup_free_ char *word = query_token_text(p, 0);
        refused = query_refusal(word);
    }
    if (refused)
        return query_fail(p, t->at, "%s cannot be used here: %s", words, refused);
    query_fail(p, t->at, "unexpected %s%s%s", words, why ? ", " : "", why ? why : "");
    if (t->kind == QTOK_BAD && p->text[t->at] == '\'')
        return query_fail_hint(p, "texts stand in double quotes");
    if (t->kind == QTOK_BAD && p->text[t->at] == '!')
        return query_fail_hint(p, "`!=` compares, and `| not` turns true into false");
    if (t->kind == QTOK_OP && t->len == 1 && p->text[t->at] == '=')
        return query_fail_hint(p, "`=` sets a value, `==` compares two");
    return -1;
}

/* ---- tokens ----------------------------------------------------------------------------------- */

void query_seek(struct query_parser *p, size_t at)
{
    p->steps++;
    p->token = query_lex(p->text, at);
}

void query_next(struct query_parser *p)
{
    query_seek(p, p->token.at + p->token.len);
}

static bool token_is(const struct query_parser *p, enum query_token_kind kind, const char *text)
{
    return p->token.kind == kind && p->token.len == strlen(text) &&
           strncmp(p->text + p->token.at, text, p->token.len) == 0;
}

bool query_at_op(const struct query_parser *p, const char *op)
{
    return token_is(p, QTOK_OP, op);
}

bool query_at_word(const struct query_parser *p, const char *word)
{
    return token_is(p, QTOK_WORD, word);
}

int query_expect_op(struct query_parser *p, const char *op, const char *why)
{
    if (!query_at_op(p, op))
        return query_unexpected(p, why);
    query_next(p);
    return 0;
}

int query_expect_word(struct query_parser *p, const char *word, const char *why)
{
    if (!query_at_word(p, word))
        return query_unexpected(p, why);
    query_next(p);
    return 0;
}

char *query_token_text(const struct query_parser *p, size_t skip)
{
    return xstrndup(p->text + p->token.at + skip, p->token.len - skip);
}

/* ---- depth and scope -------------------------------------------------------------------------- */

int query_enter(struct query_parser *p)
{
    if (p->depth >= DEPTH_MAX)
        return query_fail(p, p->token.at, "the expression is nested too deeply (more than %d levels)",
                          DEPTH_MAX);
    if (p->steps > STEPS_MAX)
        return query_fail(p, p->token.at, "the expression is too long");
    p->depth++;
    return 0;
}

void query_leave(struct query_parser *p)
{
    p->depth--;
}

void query_define(struct query_parser *p, const char *name, unsigned arity, bool variable)
{
    GROW_ARRAY(p->names, p->n_names, p->cap_names);
    p->names[p->n_names++] = (struct query_name){xstrdup(name), arity, variable};
}

bool query_is_defined(const struct query_parser *p, const char *name, unsigned arity, bool variable)
{
    for (size_t i = 0; i < p->n_names; i++)
        if (p->names[i].variable == variable && p->names[i].arity == arity &&
            streq(p->names[i].name, name))
            return true;
    return false;
}

void query_forget(struct query_parser *p, size_t n_names)
{
    while (p->n_names > n_names)
        free(p->names[--p->n_names].name);
}

/* ---- code ------------------------------------------------------------------------------------- */

void query_code_release(struct query_code *c)
{
    free(c->text);
    free(c->literal);
    *c = (struct query_code){NULL, false, NULL};
}

void query_code_set(struct query_code *c, bool open, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    query_code_release(c);
    c->text = text;
    c->open = open;
}

char *query_operand(const struct query_code *c)
{
    return c->open ? xasprintf("(%s)", c->text) : xstrdup(c->text);
}

/* ---- operators -------------------------------------------------------------------------------- */

struct op {
    const char *text;
    unsigned level; /* higher binds tighter */
    enum { LEFT, RIGHT, NONE } side;
    const char *call; /* a function of the prelude instead; NULL: as it is in jq */
};

/* As in jq but for //, which binds tighter than an assignment (as in yq). */
static const struct op binary[] = {
    {"//", 1, RIGHT, NULL},    {"or", 2, LEFT, NULL},     {"and", 3, LEFT, NULL},
    {"==", 4, NONE, NULL},     {"!=", 4, NONE, NULL},     {"<", 4, NONE, NULL},
    {"<=", 4, NONE, NULL},     {">", 4, NONE, NULL},      {">=", 4, NONE, NULL},
    {"+", 5, LEFT, "_q_add"},  {"-", 5, LEFT, "_q_sub"},  {"*", 6, LEFT, "_q_mul"},
    {"/", 6, LEFT, NULL},      {"%", 6, LEFT, NULL},
};

enum { LEVEL_COMPARE = 4, LEVEL_TIMES = 6, LEVEL_ALL = 1 };

static bool at_merge(const struct query_parser *p)
{
    return p->token.kind == QTOK_OP && p->text[p->token.at] == '*';
}

/* The binary operator that comes next; NULL when there is none. `*` may have flags. */
static const struct op *next_binary(const struct query_parser *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(binary); i++) {
        const char *text = binary[i].text;

        if (query_at_op(p, text) || query_at_word(p, text) ||
            (*text == '*' && at_merge(p) && p->text[p->token.at + 1] != '='))
            return &binary[i];
    }
    return NULL;
}

/* The flags of a merge as arguments of the prelude's functions: lists, entries, only, new. */
static char *merge_flags(const struct query_parser *p)
{
    _cleanup_free_ char *text = query_token_text(p, 1);
    struct sbuf s = SBUF_INIT;

    sbuf_addch(&s, '"');
    for (const char *c = text; *c; c++)
        if (*c != '=' && *c != 'c')
            sbuf_addch(&s, *c);
    sbuf_addch(&s, '"');
    return sbuf_detach(&s);
}

/* A pattern of * and ? as a regular expression, in quotes. */
static char *pattern_regex(const char *pattern)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    struct sbuf quoted = SBUF_INIT;

    sbuf_addstr(&s, "\\A");
    for (const char *c = pattern; *c; c++) {
        if (*c == '*')
            sbuf_addstr(&s, "[\\s\\S]*");
        else if (*c == '?')
            sbuf_addstr(&s, "[\\s\\S]");
        else if (strchr("\\^$.|+()[]{}", *c))
            sbuf_addf(&s, "\\%c", *c);
        else
            sbuf_addch(&s, *c);
    }
    sbuf_addstr(&s, "\\z");
    query_add_quoted(&quoted, s.buf, s.len);
    return sbuf_detach(&quoted);
}

static bool is_pattern(const struct query_code *c)
{
    return c->literal && strpbrk(c->literal, "*?");
}

static void write_binary(const struct op *op, const char *flags, const struct query_code *left,
                         const struct query_code *right, struct query_code *ret)
{
    _cleanup_free_ char *l = query_operand(left), *r = query_operand(right);

    if (op->level == LEVEL_COMPARE && op->text[1] == '=' && strchr("=!", op->text[0]) &&
        is_pattern(right)) {
        _cleanup_free_ char *regex = pattern_regex(right->literal);

        query_code_set(ret, true, "%s | _q_like(%s)%s", l, regex,
                       op->text[0] == '!' ? " | not" : "");
    } else if (op->call && *op->text == '*') {
        query_code_set(ret, false, "_q_mul(%s; %s; %s)", l, r, flags);
    } else if (op->call) {
        query_code_set(ret, false, "%s(%s; %s)", op->call, l, r);
    } else {
        query_code_set(ret, true, "%s %s %s", l, op->text, r);
    }
}

static int read_unary(struct query_parser *p, struct query_code *ret);

static int read_binary(struct query_parser *p, unsigned level, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code left = {0};
    const struct op *op;

    if (read_unary(p, &left) < 0)
        return -1;
    for (unsigned n = 0; (op = next_binary(p)) && op->level >= level; n++) {
        _cleanup_query_code_ struct query_code right = {0};
        _cleanup_free_ char *flags = at_merge(p) ? merge_flags(p) : NULL;
        struct query_code both = {0};

        if (n > CHAIN_MAX)
            return query_fail(p, p->token.at, "the expression is too long");
        query_next(p);
        if (query_enter(p) < 0 ||
            read_binary(p, op->side == RIGHT ? op->level : op->level + 1, &right) < 0)
            return -1;
        query_leave(p);
        write_binary(op, flags, &left, &right, &both);
        query_code_release(&left);
        left = both;
        const struct op *again = next_binary(p);
        if (op->side == NONE && again && again->level == op->level)
            return query_unexpected(p, "a comparison cannot be compared; use parentheses");
    }
    *ret = left;
    left = (struct query_code){0};
    return 0;
}

static int read_unary(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code c = {0};

    if (!query_at_op(p, "-"))
        return query_read_postfix(p, ret);
    query_next(p);
    if (query_enter(p) < 0 || read_binary(p, LEVEL_TIMES, &c) < 0)
        return -1;
    query_leave(p);
    _cleanup_free_ char *operand = query_operand(&c);
    query_code_set(ret, true, "-%s", operand);
    return 0;
}

/* ---- assignments ------------------------------------------------------------------------------ */

/* What `left OP right` does to each value (.) when right is $__q. */
static const struct {
    const char *op, *update;
} updates[] = {
    {"+=", "_q_add(.; $__q)"}, {"-=", "_q_sub(.; $__q)"}, {"/=", ". / $__q"},
    {"%=", ". % $__q"},        {"//=", ". // $__q"},
};

static bool at_assignment(const struct query_parser *p)
{
    if (query_at_op(p, "=") || query_at_op(p, "|="))
        return true;
    if (at_merge(p) && p->text[p->token.at + 1] == '=')
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(updates); i++)
        if (query_at_op(p, updates[i].op))
            return true;
    return false;
}

/* The right side is computed first, and once, as jq has it. */
static void write_assignment(const char *op, const char *flags, const char *l, const char *r,
                             struct query_code *ret)
{
    if (streq(op, "=")) {
        query_code_set(ret, true, "%s = %s", l, r);
        return;
    }
    if (streq(op, "|=")) {
        query_code_set(ret, false, "_q_update(%s; %s)", l, r);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(updates); i++)
        if (streq(op, updates[i].op)) {
            query_code_set(ret, true, "%s as $__q | _q_update(%s; %s)", r, l, updates[i].update);
            return;
        }
    query_code_set(ret, true, "%s as $__q | _q_update(%s; _q_mul(.; $__q; %s))", r, l, flags);
}

int query_read_assignment(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code left = {0}, right = {0};

    if (read_binary(p, LEVEL_ALL, &left) < 0)
        return -1;
    if (!at_assignment(p)) {
        *ret = left;
        left = (struct query_code){0};
        return 0;
    }
    _cleanup_free_ char *op = query_token_text(p, 0), *flags = merge_flags(p);
    query_next(p);
    if (read_binary(p, LEVEL_ALL, &right) < 0)
        return -1;
    if (at_assignment(p))
        return query_unexpected(p, "one value is set at a time; put a `|` between");
    _cleanup_free_ char *l = query_operand(&left), *r = xasprintf("(%s)", right.text);
    write_assignment(op, flags, l, r, ret);
    return 0;
}

int query_read_entry_value(struct query_parser *p, struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    for (;;) {
        _cleanup_query_code_ struct query_code c = {0};

        if (read_binary(p, LEVEL_ALL, &c) < 0)
            return -1;
        _cleanup_free_ char *operand = query_operand(&c);
        sbuf_addf(&s, "%s%s", s.len ? " | " : "", operand);
        if (!query_at_op(p, "|"))
            break;
        query_next(p);
    }
    query_code_set(ret, true, "%s", s.buf);
    return 0;
}

/* ---- commas and pipes ------------------------------------------------------------------------- */

static int read_commas(struct query_parser *p, struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    for (unsigned n = 0;; n++) {
        _cleanup_query_code_ struct query_code c = {0};

        if (n > CHAIN_MAX)
            return query_fail(p, p->token.at, "the expression is too long");
        if (query_read_assignment(p, &c) < 0)
            return -1;
        if (!n && !query_at_op(p, ",")) {
            *ret = c;
            c = (struct query_code){0};
            return 0;
        }
        _cleanup_free_ char *operand = query_operand(&c);
        sbuf_addf(&s, "%s%s", n ? ", " : "", operand);
        if (!query_at_op(p, ","))
            break;
        query_next(p);
    }
    query_code_set(ret, true, "%s", s.buf);
    return 0;
}

/* A definition or a label counts for the whole rest. */
static int read_rest_of_pipe(struct query_parser *p, struct query_code *ret)
{
    if (query_at_word(p, "def"))
        return query_read_def(p, ret);
    if (query_at_word(p, "label"))
        return query_read_label(p, ret);
    return read_commas(p, ret);
}

int query_read_pipe(struct query_parser *p, struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    if (query_enter(p) < 0)
        return -1;
    for (unsigned n = 0;; n++) {
        _cleanup_query_code_ struct query_code c = {0};

        if (n > CHAIN_MAX)
            return query_fail(p, p->token.at, "the expression is too long");
        if (read_rest_of_pipe(p, &c) < 0)
            return -1;
        if (!n && !query_at_op(p, "|")) {
            *ret = c;
            c = (struct query_code){0};
            query_leave(p);
            return 0;
        }
        _cleanup_free_ char *operand = query_operand(&c);
        sbuf_addf(&s, "%s%s", n ? " | " : "", operand);
        if (!query_at_op(p, "|"))
            break;
        query_next(p);
    }
    query_code_set(ret, true, "%s", s.buf);
    query_leave(p);
    return 0;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static int read_all(struct query_parser *p, struct query_code *ret)
{
    size_t len = strlen(p->text);

    if (len > QUERY_EXPR_MAX)
        return query_fail(p, 0, "the expression is too long (%zu bytes, at most %d)", len,
                          QUERY_EXPR_MAX);
    if (!utf8_valid(p->text, len))
        return query_fail(p, 0, "the expression is not UTF-8");
    query_seek(p, 0);
    if (p->token.kind == QTOK_END) { /* nothing, or a comment: as it is */
        query_code_set(ret, false, ".");
        return 0;
    }
    if (query_read_pipe(p, ret) < 0)
        return -1;
    return p->token.kind == QTOK_END ? 0 : query_unexpected(p, NULL);
}

char *query_translate(const char *expr, struct err *err)
{
    struct query_parser p = {.text = expr, .err = err};
    _cleanup_query_code_ struct query_code c = {0};
    int r = read_all(&p, &c);

    query_forget(&p, 0);
    free(p.names);
    return r < 0 ? NULL : TAKE_PTR(c.text);
}

int query_check(const char *expr, struct err *err)
{
    _cleanup_free_ char *program = query_translate(expr, err);

    return program ? 0 : -1;
}
