/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in quotes, with expressions in them: "a\(.b)c". */
#include "query/internal.h"
#include "base/mem.h"

void query_add_quoted(struct sbuf *out, const char *text, size_t len)
{
    sbuf_addch(out, '"');
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '"' || c == '\\')
            sbuf_addf(out, "\\%c", c);
        else if ((unsigned char)c < 0x20 || c == 0x7f)
            sbuf_addf(out, "\\u%04x", (unsigned)(unsigned char)c);
        else
            sbuf_addch(out, c);
    }
    sbuf_addch(out, '"');
}

/* The four digits of \uXXXX; false when they are none. */
static bool four_digits(const char *s, uint32_t *ret)
{
    char digits[5] = "";

    for (size_t i = 0; i < 4; i++) {
        if (!s[i] || !strchr("0123456789abcdefABCDEF", s[i]))
            return false;
        digits[i] = s[i];
    }
    *ret = (uint32_t)strtoul(digits, NULL, 16);
    return true;
}

/* \uXXXX at s, or a pair of them. Returns its length, 0 when it is none. */
static size_t add_unicode(struct sbuf *out, const char *s)
{
    uint32_t c, low;

    if (!four_digits(s + 2, &c))
        return 0;
    if (c >= 0xd800 && c < 0xdc00 && s[6] == '\\' && s[7] == 'u' && four_digits(s + 8, &low) &&
        low >= 0xdc00 && low < 0xe000) {
        sbuf_add_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
        return 12;
    }
    sbuf_add_utf8(out, c);
    return 6;
}

/* The escape at s, which is not the last character; returns its length, 0 when it can't be read. An
 * unknown one stays as it is (`"\d"`), as yq has it. */
static size_t add_escape(struct sbuf *out, const char *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = strchr(from, s[1]);

    if (s[1] == 'u')
        return add_unicode(out, s);
    if (found) {
        sbuf_addch(out, to[found - from]);
        return 2;
    }
    sbuf_addch(out, '\\');
    return 1;
}

struct parts {
    struct sbuf done;    /* what jq reads, without the quotes */
    struct sbuf literal; /* not yet in done */
    bool mixed;          /* there are expressions in it */
};

static void parts_release(struct parts *t)
{
    sbuf_release(&t->done);
    sbuf_release(&t->literal);
}

static void flush_literal(struct parts *t)
{
    _cleanup_sbuf_ struct sbuf quoted = SBUF_INIT;

    query_add_quoted(&quoted, sbuf_str(&t->literal), t->literal.len);
    sbuf_add(&t->done, quoted.buf + 1, quoted.len - 2);
    sbuf_clear(&t->literal);
}

/* Behind `\(`. Returns where the text goes on, 0 for an error. */
static size_t read_inner(struct query_parser *p, size_t at, struct parts *t)
{
    _cleanup_query_code_ struct query_code c = {0};

    flush_literal(t);
    t->mixed = true;
    query_seek(p, at + 2);
    if (query_read_pipe(p, &c) < 0)
        return 0;
    if (!query_at_op(p, ")")) {
        query_unexpected(p, "expected the `)` of `\\(…)`");
        return 0;
    }
    sbuf_addf(&t->done, "\\(%s)", c.text);
    return p->token.at + 1;
}

int query_read_string(struct query_parser *p, const char *format, struct query_code *ret)
{
    _cleanup_(parts_release) struct parts t = {SBUF_INIT, SBUF_INIT, false};
    size_t from = p->token.at, at = from + 1;

    while (p->text[at] != '"') {
        size_t n = 1;

        if (!p->text[at])
            return query_fail(p, from, "the text that begins here has no end");
        if (p->text[at] == '\\' && !p->text[at + 1]) {
            at++;
            continue;
        }
        if (p->text[at] == '\\' && p->text[at + 1] == '(') {
            at = read_inner(p, at, &t);
            if (!at)
                return -1;
            continue;
        }
        if (p->text[at] == '\\')
            n = add_escape(&t.literal, p->text + at);
        else
            sbuf_addch(&t.literal, p->text[at]);
        if (!n)
            return query_fail(p, at, "`\\u` needs four hexadecimal digits");
        at += n;
    }
    char *literal = t.mixed || strlen(sbuf_str(&t.literal)) != t.literal.len
                        ? NULL
                        : xstrdup(sbuf_str(&t.literal));
    flush_literal(&t);
    query_seek(p, at + 1);
    query_code_set(ret, format != NULL, "%s%s\"%s\"", format ? format : "", format ? " " : "",
                   sbuf_str(&t.done));
    ret->literal = format ? NULL : literal;
    if (format)
        free(literal);
    return 0;
}
