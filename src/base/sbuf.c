/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sbuf.h"
#include "base/mem.h"
#include "base/utf8.h"

void sbuf_release(struct sbuf *s)
{
    free(s->buf);
    *s = (struct sbuf)SBUF_INIT;
}

void sbuf_clear(struct sbuf *s)
{
    s->len = 0;
    if (s->buf)
        s->buf[0] = '\0';
}

char *sbuf_reserve(struct sbuf *s, size_t extra)
{
    /* An impossible size goes to xreallocarray as such, which refuses it. */
    size_t need = extra > SIZE_MAX - s->len - 1 ? SIZE_MAX : s->len + extra + 1;

    if (need > s->cap) {
        size_t cap = s->cap <= SIZE_MAX / 2 && s->cap * 2 > need ? s->cap * 2 : need;

        if (cap < 64)
            cap = 64;
        s->buf = xreallocarray(s->buf, cap, 1);
        s->cap = cap;
        s->buf[s->len] = '\0';
    }
    return s->buf + s->len;
}

void sbuf_grown(struct sbuf *s, size_t n)
{
    if (n == 0)
        return;
    s->len += n;
    s->buf[s->len] = '\0';
}

void sbuf_add(struct sbuf *s, const void *data, size_t len)
{
    char *p = sbuf_reserve(s, len);

    if (len)
        memcpy(p, data, len);
    sbuf_grown(s, len);
}

void sbuf_addstr(struct sbuf *s, const char *str)
{
    sbuf_add(s, str, strlen(str));
}

void sbuf_addch(struct sbuf *s, char c)
{
    sbuf_add(s, &c, 1);
}

void sbuf_add_utf8(struct sbuf *s, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x80) {
        sbuf_addch(s, (char)c);
        return;
    }
    if (c < 0x800) {
        sbuf_addch(s, (char)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            sbuf_addch(s, (char)(0xe0 | c >> 12));
        } else {
            sbuf_addch(s, (char)(0xf0 | c >> 18));
            sbuf_addch(s, (char)(0x80 | (c >> 12 & 0x3f)));
        }
        sbuf_addch(s, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    sbuf_addch(s, (char)(0x80 | (c & 0x3f)));
}

void sbuf_vaddf(struct sbuf *s, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    char *room = sbuf_reserve(s, 127);
    int n = vsnprintf(room, s->cap - s->len, fmt, ap);

    if (n >= 0 && (size_t)n >= s->cap - s->len) {
        room = sbuf_reserve(s, (size_t)n);
        n = vsnprintf(room, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    if (n >= 0)
        sbuf_grown(s, (size_t)n);
    else
        s->buf[s->len] = '\0';
}

void sbuf_addf(struct sbuf *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    sbuf_vaddf(s, fmt, ap);
    va_end(ap);
}

void sbuf_consume(struct sbuf *s, size_t n)
{
    if (n == 0)
        return;
    if (n > s->len)
        n = s->len;
    memmove(s->buf, s->buf + n, s->len - n);
    s->len -= n;
    s->buf[s->len] = '\0';
}

const char *sbuf_str(const struct sbuf *s)
{
    return s->buf ? s->buf : "";
}

char *sbuf_detach(struct sbuf *s)
{
    char *text = s->buf ? s->buf : xstrdup("");

    *s = (struct sbuf)SBUF_INIT;
    return text;
}

static void add_escaped(struct sbuf *s, uint32_t c)
{
    switch (c) {
    case '\n':
        sbuf_addstr(s, "\\n");
        break;
    case '\r':
        sbuf_addstr(s, "\\r");
        break;
    case '\t':
        sbuf_addstr(s, "\\t");
        break;
    default:
        sbuf_addf(s, c < 0x80 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    }
}

void sbuf_add_printable(struct sbuf *s, const char *str, size_t len)
{
    uint32_t c = 0;

    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(str + i, len - i, &c);
        if (n == 0) {
            sbuf_addf(s, "\\x%02x", (unsigned)(unsigned char)str[i]);
            n = 1;
        } else if (utf8_is_printable(c)) {
            sbuf_add(s, str + i, n);
        } else {
            add_escaped(s, c);
        }
    }
}

void sbuf_add_shell_quoted(struct sbuf *s, const char *str)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_@%+=:,./-";

    if (*str && str[strspn(str, safe)] == '\0') {
        sbuf_addstr(s, str);
        return;
    }
    sbuf_addch(s, '\'');
    for (; *str; str++) {
        if (*str == '\'')
            sbuf_addstr(s, "'\\''");
        else
            sbuf_addch(s, *str);
    }
    sbuf_addch(s, '\'');
}
