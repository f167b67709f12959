/* SPDX-License-Identifier: Apache-2.0 */
#include "query/internal.h"
#include "base/mem.h"

/* Longest first. Flags behind a * belong to it: lex_op. */
static const char *const ops[] = {
    "...", "?//", "//=", "..", "//", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=",  "<=",  ">=",  ".",  "[",  "]",  "(",  ")",  "{",  "}",  "|",
    ",",    ":",   ";",   "=",   "<",  ">",  "+",  "-",  "*",  "/",  "%",  "?",
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
    return is_alpha(c) || is_digit(c);
}

bool query_is_key_char(char c)
{
    return is_word_char(c) || (unsigned char)c >= 0x80;
}

static bool is_key_start(char c)
{
    return is_alpha(c) || (unsigned char)c >= 0x80;
}

static size_t skip_blanks(const char *s, size_t at)
{
    for (;;) {
        at += strspn(s + at, " \t\r\n");
        if (s[at] != '#')
            return at;
        at += strcspn(s + at, "\n");
    }
}

static size_t word_length(const char *s)
{
    size_t n = 0;

    while (is_word_char(s[n]))
        n++;
    while (n && s[n] == ':' && s[n + 1] == ':' && is_alpha(s[n + 2]))
        for (n += 2; is_word_char(s[n]);)
            n++;
    return n;
}

/* Of a key behind a dot. A dash belongs to it when a letter follows, or when it has one already:
 * `.a-b`, `.a-b-1`; but `.a-1` and `.a-.b` are differences. */
static size_t key_length(const char *s)
{
    bool dashed = false;
    size_t n = 0;

    for (;;) {
        while (query_is_key_char(s[n]))
            n++;
        if (s[n] != '-' || !(is_key_start(s[n + 1]) || (dashed && is_digit(s[n + 1]))))
            return n;
        dashed = true;
        n++;
    }
}

static size_t number_length(const char *s)
{
    size_t n = 0;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        return 2 + strspn(s + 2, "0123456789abcdefABCDEF");
    while (is_digit(s[n]))
        n++;
    if (s[n] == '.' && (n || is_digit(s[1])))
        for (n++; is_digit(s[n]);)
            n++;
    if (n && (s[n] == 'e' || s[n] == 'E')) {
        size_t e = n + 1 + (s[n + 1] == '+' || s[n + 1] == '-');

        if (is_digit(s[e]))
            for (n = e; is_digit(s[n]);)
                n++;
    }
    return n;
}

/* The flags of a merge, `*+` and so on: letters count only where no word goes on. */
static size_t merge_flags(const char *s)
{
    size_t n = strspn(s, "+?dnc");

    return n && is_word_char(s[n]) ? strspn(s, "+?") : n;
}

static size_t op_length(const char *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        size_t n = strlen(ops[i]);

        if (strncmp(s, ops[i], n) != 0)
            continue;
        return s[0] == '*' ? n + merge_flags(s + n) : n;
    }
    return 0;
}

struct query_token query_lex(const char *text, size_t at)
{
    size_t from = skip_blanks(text, at);
    const char *s = text + from;
    struct query_token t = {QTOK_BAD, from, 1};

    if (!*s)
        return (struct query_token){QTOK_END, from, 0};
    if (*s == '"')
        t.kind = QTOK_STRING;
    else if (is_alpha(*s))
        t = (struct query_token){QTOK_WORD, from, word_length(s)};
    else if (is_digit(*s) || (*s == '.' && is_digit(s[1])))
        t = (struct query_token){QTOK_NUMBER, from, number_length(s)};
    else if (*s == '.' && is_key_start(s[1]))
        t = (struct query_token){QTOK_FIELD, from, 1 + key_length(s + 1)};
    else if (*s == '$' && is_alpha(s[1]))
        t = (struct query_token){QTOK_VAR, from, 1 + word_length(s + 1)};
    else if (*s == '@' && is_word_char(s[1]))
        t = (struct query_token){QTOK_FORMAT, from, 1 + word_length(s + 1)};
    else if (*s == '~' && !is_word_char(s[1]))
        t.kind = QTOK_WORD; /* null, for YAML */
    else if (op_length(s))
        t = (struct query_token){QTOK_OP, from, op_length(s)};
    return t;
}

char *query_token_words(const char *text, const struct query_token *t)
{
    enum { SHOWN = 40 };

    if (t->kind == QTOK_STRING)
        return xstrdup("a text");
    if ((unsigned char)text[t->at] >= 0x80)
        return xstrdup("this character");
    if (t->len > SHOWN)
        return xasprintf("`%.*s…`", SHOWN, text + t->at);
    return xasprintf("`%.*s`", (int)t->len, text + t->at);
}
