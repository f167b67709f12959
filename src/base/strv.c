/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"
#include "base/mem.h"
#include "base/sbuf.h"

void strv_release(struct strv *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct strv)STRV_INIT;
}

/* Room for one more string and the NULL behind it. */
static void grow(struct strv *s)
{
    if (s->n + 2 > s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->v = xreallocarray(s->v, s->cap, sizeof(s->v[0]));
        s->v[s->n] = NULL;
    }
}

void strv_push_consume(struct strv *s, char *str)
{
    grow(s);
    s->v[s->n++] = str;
    s->v[s->n] = NULL;
}

void strv_push(struct strv *s, const char *str)
{
    strv_push_consume(s, xstrdup(str));
}

void strv_pushf(struct strv *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strv_push_consume(s, xvasprintf(fmt, ap));
    va_end(ap);
}

void strv_pushl(struct strv *s, ...)
{
    va_list ap;
    const char *str;

    va_start(ap, s);
    while ((str = va_arg(ap, const char *)))
        strv_push(s, str);
    va_end(ap);
}

void strv_extend(struct strv *s, const struct strv *other)
{
    /* The count is fixed first: a vector may be appended to itself. */
    size_t n = other->n;

    for (size_t i = 0; i < n; i++)
        strv_push(s, other->v[i]);
}

void strv_insert(struct strv *s, size_t at, const char *str)
{
    char *copy = xstrdup(str);

    if (at > s->n)
        at = s->n;
    grow(s);
    memmove(s->v + at + 1, s->v + at, (s->n - at + 1) * sizeof(s->v[0]));
    s->v[at] = copy;
    s->n++;
}

bool strv_contains(const struct strv *s, const char *str)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->v[i], str))
            return true;
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *s)
{
    if (s->n > 1)
        qsort(s->v, s->n, sizeof(*s->v), by_bytes);
}

char **strv_argv(struct strv *s)
{
    if (!s->v)
        grow(s);
    return s->v;
}

char *strv_join(const struct strv *s, const char *sep)
{
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < s->n; i++) {
        if (i)
            sbuf_addstr(&out, sep);
        sbuf_addstr(&out, s->v[i]);
    }
    return sbuf_detach(&out);
}

char *strv_to_shell(const struct strv *s)
{
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < s->n; i++) {
        if (i)
            sbuf_addch(&out, ' ');
        sbuf_add_shell_quoted(&out, s->v[i]);
    }
    return sbuf_detach(&out);
}

void strv_split(struct strv *ret, const char *text, char sep)
{
    for (;;) {
        const char *end = strchrnul(text, sep);

        strv_push_consume(ret, xstrndup(text, (size_t)(end - text)));
        if (!*end)
            return;
        text = end + 1;
    }
}

/* Copies what a double-quoted part holds; p is behind the opening quote. Returns the place behind
 * the closing one, NULL when there is none. */
static const char *split_double_quoted(struct sbuf *word, const char *p)
{
    for (; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1] && strchr("$`\"\\\n", p[1])) {
            p++;
            if (*p == '\n')
                continue;
        }
        sbuf_addch(word, *p);
    }
    return *p ? p + 1 : NULL;
}

/* Copies one word; p is at its first character. Returns the place behind it, NULL at an
 * unbalanced quote. */
static const char *split_word(struct sbuf *word, const char *p)
{
    while (p && *p && !strchr(" \t\n", *p)) {
        if (*p == '\'') {
            const char *end = strchr(p + 1, '\'');

            if (!end)
                return NULL;
            sbuf_add(word, p + 1, (size_t)(end - p - 1));
            p = end + 1;
        } else if (*p == '"') {
            p = split_double_quoted(word, p + 1);
        } else if (*p == '\\') {
            if (!p[1])
                return NULL;
            if (p[1] != '\n')
                sbuf_addch(word, p[1]);
            p += 2;
        } else {
            sbuf_addch(word, *p++);
        }
    }
    return p;
}

int strv_split_shell(struct strv *ret, const char *text)
{
    _cleanup_strv_ struct strv words = STRV_INIT;
    _cleanup_sbuf_ struct sbuf word = SBUF_INIT;

    for (;;) {
        text += strspn(text, " \t\n");
        if (!*text)
            break;
        sbuf_clear(&word);
        const char *start = text;
        text = split_word(&word, text);
        if (!text)
            return -1;
        /* A line continuation alone is no word. */
        if (word.len || strncmp(start, "\\\n", 2) != 0)
            strv_push(&words, sbuf_str(&word));
    }
    for (size_t i = 0; i < words.n; i++)
        strv_push_consume(ret, TAKE_PTR(words.v[i]));
    words.n = 0;
    return 0;
}
