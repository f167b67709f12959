/* SPDX-License-Identifier: Apache-2.0 */
/* One value, and the keys and indices behind it. */
#include "query/internal.h"
#include "base/mem.h"

/* ---- behind a value --------------------------------------------------------------------------- */

static void add_index(struct query_code *c, const char *index)
{
    _cleanup_free_ char *operand = query_operand(c);

    query_code_set(c, false, "%s[%s]", operand, index);
}

static void add_key(struct query_code *c, const char *key)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    query_add_quoted(&s, key, strlen(key));
    add_index(c, s.buf);
}

/* `.0`: an index of a list, or a key. */
static int add_number_key(struct query_parser *p, struct query_code *c)
{
    _cleanup_free_ char *digits = query_token_text(p, 1);
    _cleanup_free_ char *operand = query_operand(c);

    if (strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 9)
        return query_unexpected(p, "behind a value `.3` is an index");
    query_code_set(c, true, "%s | _q_index(\"%s\")", operand, digits);
    query_next(p);
    return 0;
}

/* Behind `[`: nothing, an index, or a slice. */
static int read_brackets(struct query_parser *p, struct query_code *c)
{
    static const char why[] = "expected `]`";
    _cleanup_query_code_ struct query_code from = {0}, to = {0};
    _cleanup_free_ char *index = NULL;

    if (query_at_op(p, "]")) {
        _cleanup_free_ char *operand = query_operand(c);

        query_next(p);
        query_code_set(c, true, "%s | _q_each", operand);
        return 0;
    }
    if (!query_at_op(p, ":") && query_read_pipe(p, &from) < 0)
        return -1;
    if (query_at_op(p, ":")) {
        query_next(p);
        if (query_at_op(p, "]") && !from.text)
            return query_unexpected(p, "a slice needs a beginning or an end");
        if (!query_at_op(p, "]") && query_read_pipe(p, &to) < 0)
            return -1;
        _cleanup_free_ char *a = from.text ? xasprintf("(%s)", from.text) : xstrdup("");
        _cleanup_free_ char *b = to.text ? xasprintf("(%s)", to.text) : xstrdup("");
        index = xasprintf("%s:%s", a, b);
    } else {
        index = xstrdup(from.text);
    }
    if (query_expect_op(p, "]", why) < 0)
        return -1;
    add_index(c, index);
    return 0;
}

/* Behind a dot: `"key"`, `[…]`. */
static int read_behind_dot(struct query_parser *p, struct query_code *c)
{
    _cleanup_query_code_ struct query_code key = {0};

    if (query_at_op(p, "[")) {
        query_next(p);
        return read_brackets(p, c);
    }
    if (p->token.kind != QTOK_STRING)
        return query_unexpected(p, "expected a key behind the dot");
    if (query_read_string(p, NULL, &key) < 0)
        return -1;
    add_index(c, key.text);
    return 0;
}

static void add_try(struct query_code *c)
{
    _cleanup_free_ char *operand = query_operand(c);

    query_code_set(c, true, "%s?", operand);
}

/* 1 when there was something, 0 when the value ends here. */
static int read_suffix(struct query_parser *p, struct query_code *c)
{
    if (p->token.kind == QTOK_FIELD) {
        _cleanup_free_ char *key = query_token_text(p, 1);

        add_key(c, key);
        query_next(p);
        return 1;
    }
    if (p->token.kind == QTOK_NUMBER && p->text[p->token.at] == '.')
        return add_number_key(p, c) < 0 ? -1 : 1;
    if (query_at_op(p, "?")) {
        query_next(p);
        add_try(c);
        return 1;
    }
    if (query_at_op(p, "?//")) { /* outside of a pattern it is `?` and `//` */
        query_seek(p, p->token.at + 1);
        add_try(c);
        return 1;
    }
    if (query_at_op(p, ".") || query_at_op(p, "[")) {
        bool dot = query_at_op(p, ".");

        query_next(p);
        return (dot ? read_behind_dot(p, c) : read_brackets(p, c)) < 0 ? -1 : 1;
    }
    return 0;
}

int query_read_source(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code c = {0};
    int more;

    if (query_read_term(p, &c) < 0)
        return -1;
    for (unsigned n = 0; (more = read_suffix(p, &c)) > 0; n++)
        if (n > 1000)
            return query_fail(p, p->token.at, "the expression is too long");
    if (more < 0)
        return -1;
    *ret = c;
    c = (struct query_code){0};
    return 0;
}

int query_read_postfix(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code c = {0};

    if (query_read_source(p, &c) < 0)
        return -1;
    if (query_at_word(p, "as"))
        return query_read_as(p, &c, ret);
    *ret = c;
    c = (struct query_code){0};
    return 0;
}

/* ---- one value -------------------------------------------------------------------------------- */

static int read_dot(struct query_parser *p, struct query_code *ret)
{
    size_t behind = p->token.at + 1;

    query_next(p);
    query_code_set(ret, false, ".");
    /* ."key": the text belongs to the dot only when it follows at once. */
    if (p->token.kind == QTOK_STRING && p->token.at == behind)
        return read_behind_dot(p, ret);
    return 0;
}

static int read_parentheses(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code c = {0};

    query_next(p);
    if (query_read_pipe(p, &c) < 0 || query_expect_op(p, ")", "expected `)`") < 0)
        return -1;
    query_code_set(ret, false, "(%s)", c.text);
    ret->literal = TAKE_PTR(c.literal);
    return 0;
}

static int read_list(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code c = {0};

    query_next(p);
    if (query_at_op(p, "]")) {
        query_next(p);
        query_code_set(ret, false, "[]");
        return 0;
    }
    if (query_read_pipe(p, &c) < 0)
        return -1;
    if (query_expect_op(p, "]", "expected `,` or `]`") < 0)
        return -1;
    query_code_set(ret, false, "[%s]", c.text);
    return 0;
}

static int read_number(struct query_parser *p, struct query_code *ret)
{
    _cleanup_free_ char *text = query_token_text(p, 0);
    char behind = p->text[p->token.at + p->token.len];

    if (query_is_key_char(behind))
        return query_fail(p, p->token.at, "`%s%c…` is not a number", text, behind);
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        if (!text[2] || strlen(text) > 15)
            return query_fail(p, p->token.at, "`%s` is not a number", text);
        query_code_set(ret, false, "%llu", strtoull(text + 2, NULL, 16));
    } else {
        query_code_set(ret, false, "%s%s", text[0] == '.' ? "0" : "", text);
    }
    query_next(p);
    /* Else a key would become part of it: `1.a`. */
    ret->open = p->token.kind == QTOK_FIELD || query_at_op(p, ".");
    return 0;
}

static int read_variable(struct query_parser *p, struct query_code *ret)
{
    _cleanup_free_ char *name = query_token_text(p, 1);

    if (streq(name, "ENV")) {
        query_fail(p, p->token.at, "`$ENV` cannot be used: env operations have been disabled");
        return query_fail_hint(p, "let the shell put the value into the expression");
    }
    if (!query_is_defined(p, name, 0, true)) {
        query_fail(p, p->token.at, "the variable `$%s` is not defined", name);
        return query_fail_hint(p, "`VALUE as $%s | …` defines it", name);
    }
    query_code_set(ret, false, "$%s", name);
    query_next(p);
    return 0;
}

static int read_format(struct query_parser *p, struct query_code *ret)
{
    static const struct {
        const char *name, *jq;
    } formats[] = {
        {"@text", "@text"},     {"@json", "@json"}, {"@html", "@html"},     {"@uri", "@uri"},
        {"@csv", "@csv"},       {"@tsv", "@tsv"},   {"@sh", "@sh"},         {"@base64", "@base64"},
        {"@base64d", "@base64d"}, {"@jsond", NULL},
    };
    _cleanup_free_ char *name = query_token_text(p, 0);
    size_t at = p->token.at, i = 0;

    while (i < ARRAY_SIZE(formats) && !streq(formats[i].name, name))
        i++;
    if (i == ARRAY_SIZE(formats)) {
        query_fail(p, at, "there is no format `%s`", name);
        return query_fail_hint(p, "there are @json, @base64, @base64d, @uri, @sh, @html, @csv, "
                                  "@tsv, @text, @jsond");
    }
    query_next(p);
    if (!formats[i].jq) {
        query_code_set(ret, false, "fromjson");
        return 0;
    }
    if (p->token.kind == QTOK_STRING)
        return query_read_string(p, formats[i].jq, ret);
    query_code_set(ret, false, "%s", formats[i].jq);
    return 0;
}

/* ---- words ------------------------------------------------------------------------------------ */

static int read_if(struct query_parser *p, struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    _cleanup_query_code_ struct query_code other = {0};
    const char *word = "if";

    do {
        _cleanup_query_code_ struct query_code cond = {0}, then = {0};

        query_next(p);
        if (query_read_pipe(p, &cond) < 0 ||
            query_expect_word(p, "then", "expected `then`") < 0 || query_read_pipe(p, &then) < 0)
            return -1;
        sbuf_addf(&s, "%s %s then %s ", word, cond.text, then.text);
        word = "elif";
    } while (query_at_word(p, "elif"));
    if (query_at_word(p, "else")) {
        query_next(p);
        if (query_read_pipe(p, &other) < 0)
            return -1;
    }
    if (query_expect_word(p, "end", "expected `elif`, `else` or `end`") < 0)
        return -1;
    query_code_set(ret, false, "(%selse %s end)", s.buf, other.text ? other.text : ".");
    return 0;
}

static int read_try(struct query_parser *p, struct query_code *ret)
{
    _cleanup_query_code_ struct query_code body = {0}, handler = {0};

    query_next(p);
    if (query_enter(p) < 0 || query_read_postfix(p, &body) < 0)
        return -1;
    if (query_at_word(p, "catch")) {
        query_next(p);
        if (query_read_postfix(p, &handler) < 0)
            return -1;
    }
    query_leave(p);
    if (handler.text)
        query_code_set(ret, false, "(try (%s) catch (%s))", body.text, handler.text);
    else
        query_code_set(ret, false, "(try (%s) catch empty)", body.text);
    return 0;
}

static int read_break(struct query_parser *p, struct query_code *ret)
{
    query_next(p);
    if (p->token.kind != QTOK_VAR)
        return query_unexpected(p, "expected the `$name` of a label");
    _cleanup_free_ char *name = query_token_text(p, 1);
    _cleanup_free_ char *label = xasprintf("*%s", name); /* no variable is called so */
    if (!query_is_defined(p, label, 0, true))
        return query_fail(p, p->token.at, "there is no `label $%s` around", name);
    query_next(p);
    query_code_set(ret, true, "break $%s", name);
    return 0;
}

bool query_is_keyword(const char *word)
{
    static const char *const keywords[] = {"and",  "as",      "catch",  "def",    "elif",
                                           "else", "end",     "foreach", "if",    "import",
                                           "include", "ireduce", "label", "module", "or",
                                           "reduce",  "then",    "try",  "break"};

    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        if (streq(keywords[i], word))
            return true;
    return false;
}

/* true, null, and the ways in which YAML writes them. */
static const char *constant(const char *word)
{
    static const char *const words[] = {"true", "false", "null"};
    _cleanup_free_ char *lower = xstrdup(word);

    if (streq(word, "~"))
        return "null";
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (streq(words[i], lower))
            return words[i];
    return NULL;
}

static int read_word(struct query_parser *p, struct query_code *ret)
{
    _cleanup_free_ char *word = query_token_text(p, 0);
    const char *value = constant(word);

    if (value) {
        query_code_set(ret, false, "%s", value);
        query_next(p);
        return 0;
    }
    if (streq(word, "if"))
        return read_if(p, ret);
    if (streq(word, "try"))
        return read_try(p, ret);
    if (streq(word, "break"))
        return read_break(p, ret);
    if (streq(word, "reduce") || streq(word, "foreach"))
        return query_read_reduce(p, *word == 'f', ret);
    if (streq(word, "def"))
        return query_read_def(p, ret);
    if (streq(word, "label"))
        return query_read_label(p, ret);
    if (query_is_keyword(word))
        return query_unexpected(p, "expected a value");
    return query_read_call(p, ret);
}

int query_read_term(struct query_parser *p, struct query_code *ret)
{
    switch (p->token.kind) {
    case QTOK_FIELD: {
        _cleanup_free_ char *key = query_token_text(p, 1);

        query_code_set(ret, false, ".");
        add_key(ret, key);
        query_next(p);
        return 0;
    }
    case QTOK_NUMBER:
        return read_number(p, ret);
    case QTOK_STRING:
        return query_read_string(p, NULL, ret);
    case QTOK_FORMAT:
        return read_format(p, ret);
    case QTOK_VAR:
        return read_variable(p, ret);
    case QTOK_WORD:
        return read_word(p, ret);
    default:
        break;
    }
    if (query_at_op(p, "."))
        return read_dot(p, ret);
    if (query_at_op(p, "..")) {
        query_next(p);
        query_code_set(ret, true, "..");
        return 0;
    }
    if (query_at_op(p, "..."))
        return query_fail(p, p->token.at, "`...` goes into keys too, which cannot be changed; "
                                          "`..` goes into all values");
    if (query_at_op(p, "("))
        return read_parentheses(p, ret);
    if (query_at_op(p, "["))
        return read_list(p, ret);
    if (query_at_op(p, "{")) {
        query_next(p);
        return query_read_object(p, ret);
    }
    return query_unexpected(p, p->token.kind == QTOK_END ? "expected a value" : NULL);
}
