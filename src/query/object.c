/* SPDX-License-Identifier: Apache-2.0 */
/* Maps: {a: 1, "b c": 2, (.x): 3, $y, z}. */
#include "query/internal.h"
#include "base/mem.h"

/* A key, and the value that it has without a `:` (NULL: it needs one). */
struct entry {
    char *key, *value;
};

static void entry_release(struct entry *e)
{
    free(e->key);
    free(e->value);
}

static int read_word_key(struct query_parser *p, struct entry *e)
{
    _cleanup_free_ char *word = query_token_text(p, 0);

    e->key = xasprintf("\"%s\"", word);
    e->value = xasprintf(".[\"%s\"]", word);
    query_next(p);
    return 0;
}

static int read_variable_key(struct query_parser *p, struct entry *e)
{
    _cleanup_query_code_ struct query_code c = {0};
    _cleanup_free_ char *name = query_token_text(p, 1);

    if (query_read_term(p, &c) < 0) /* is it defined? */
        return -1;
    e->key = xasprintf("\"%s\"", name);
    e->value = xasprintf("$%s", name);
    return 0;
}

static int read_text_key(struct query_parser *p, struct entry *e)
{
    _cleanup_query_code_ struct query_code c = {0};

    if (query_read_term(p, &c) < 0)
        return -1;
    e->key = c.literal ? xstrdup(c.text) : xasprintf("(%s)", c.text);
    e->value = xasprintf(".[%s]", c.text);
    return 0;
}

static int read_key(struct query_parser *p, struct entry *e)
{
    _cleanup_query_code_ struct query_code c = {0};

    switch (p->token.kind) {
    case QTOK_WORD:
        return read_word_key(p, e);
    case QTOK_VAR:
        return read_variable_key(p, e);
    case QTOK_STRING:
    case QTOK_FORMAT:
        return read_text_key(p, e);
    default:
        break;
    }
    if (!query_at_op(p, "(")) {
        query_unexpected(p, "expected a key");
        return p->token.kind == QTOK_NUMBER ? query_fail_hint(p, "keys are texts: \"1\"") : -1;
    }
    if (query_read_term(p, &c) < 0)
        return -1;
    e->key = xasprintf("(%s)", c.text);
    return 0;
}

static int read_entry(struct query_parser *p, struct sbuf *out)
{
    _cleanup_(entry_release) struct entry e = {NULL, NULL};
    _cleanup_query_code_ struct query_code value = {0};

    if (read_key(p, &e) < 0)
        return -1;
    if (query_at_op(p, ":")) {
        query_next(p);
        if (query_read_entry_value(p, &value) < 0)
            return -1;
        sbuf_addf(out, "%s: (%s)", e.key, value.text);
        return 0;
    }
    if (!e.value)
        return query_unexpected(p, "expected `:` and a value");
    sbuf_addf(out, "%s: %s", e.key, e.value);
    return 0;
}

int query_read_object(struct query_parser *p, struct query_code *ret)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    if (query_enter(p) < 0)
        return -1;
    while (!query_at_op(p, "}")) {
        if (read_entry(p, &s) < 0)
            return -1;
        if (query_at_op(p, "}"))
            break;
        if (query_expect_op(p, ",", "expected `,` or `}`") < 0)
            return -1;
        sbuf_addstr(&s, ", ");
        if (query_at_op(p, "}"))
            return query_unexpected(p, "expected a key");
    }
    query_next(p);
    query_leave(p);
    query_code_set(ret, false, "{%s}", sbuf_str(&s));
    return 0;
}
