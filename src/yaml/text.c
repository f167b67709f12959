/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml/text.h"
#include "base/mem.h"
#include "base/utf8.h"

static uint32_t utf16_unit(const char *s, bool big)
{
    unsigned char a = (unsigned char)s[0], b = (unsigned char)s[1];

    return big ? (uint32_t)(a << 8 | b) : (uint32_t)(b << 8 | a);
}

/* Text behind a UTF-16 byte order mark as UTF-8; a unit that is no character becomes U+FFFF, which
 * the check for allowed characters then finds in its line. */
static void recode_utf16(struct sbuf *out, const char *s, size_t len, bool big)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        uint32_t c = utf16_unit(s + i, big), low;

        if (c >= 0xd800 && c < 0xe000) {
            low = c < 0xdc00 && i + 3 < len ? utf16_unit(s + i + 2, big) : 0;
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            } else {
                c = 0xffff;
            }
        }
        sbuf_add_utf8(out, c);
    }
    if (len % 2)
        sbuf_add_utf8(out, 0xffff);
}

static bool yaml_allows(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7e) || c == 0x85 ||
           (c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) ||
           (c >= 0x10000 && c <= 0x10ffff);
}

static void add_line(struct yaml_text *t, size_t start)
{
    GROW_ARRAY(t->lines, t->n_lines, t->cap_lines);
    t->lines[t->n_lines++] = start;
}

static int refuse(struct yaml_text *t, const char *name, size_t at, size_t col, const char *what,
                  const char *hint, struct diags *d)
{
    size_t line = t->n_lines - 1;
    _cleanup_free_ char *source = NULL;
    struct diag *p = diags_add(d, DIAG_ERROR, NULL, "%s (byte 0x%02x)", what,
                               (unsigned)(unsigned char)t->s[at]);

    source = yaml_text_line(t, line);
    diag_set_position(p, name, (unsigned)line + 1, (unsigned)col + 1, source);
    diag_set_hint(p, "%s", hint);
    return -1;
}

/* Finds the lines and looks at each character. */
static int scan(struct yaml_text *t, const char *name, struct diags *d)
{
    size_t col = 0;

    add_line(t, t->bom);
    for (size_t i = t->bom; i < t->len;) {
        uint32_t c = (unsigned char)t->s[i];
        size_t n = c >= 0x20 && c < 0x7f ? 1 : utf8_decode(t->s + i, t->len - i, &c);

        if (!n)
            return refuse(t, name, i, col, "this is no valid UTF-8",
                          "save the file as UTF-8 text", d);
        if (!yaml_allows(c))
            return refuse(t, name, i, col, "control characters are not allowed",
                          "remove it, or write it as an escape in double quotes (\\x07)", d);
        if (c == '\r' && i + 1 < t->len && t->s[i + 1] == '\n')
            n = 2;
        i += n;
        col++;
        if (c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029) {
            add_line(t, i);
            col = 0;
        }
    }
    return 0;
}

int yaml_text_init(struct yaml_text *ret, const char *name, const char *s, size_t len,
                   struct diags *d)
{
    struct yaml_text t = {0};
    bool le = len >= 2 && memcmp(s, "\xff\xfe", 2) == 0;
    bool be = len >= 2 && memcmp(s, "\xfe\xff", 2) == 0;

    if (le || be) {
        struct sbuf out = SBUF_INIT;

        recode_utf16(&out, s + 2, len - 2, be);
        t.len = out.len;
        t.s = sbuf_detach(&out);
        t.recoded = true;
    } else {
        t.s = xmalloc(len + 1);
        if (len)
            memcpy(t.s, s, len);
        t.s[len] = '\0';
        t.len = len;
        t.bom = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    }
    if (scan(&t, name, d) < 0) {
        yaml_text_release(&t);
        return -1;
    }
    t.at_byte = t.bom;
    *ret = t;
    return 0;
}

void yaml_text_release(struct yaml_text *t)
{
    free(t->s);
    free(t->lines);
    *t = (struct yaml_text){0};
}

size_t yaml_text_offset(struct yaml_text *t, size_t line, size_t col)
{
    size_t at, i;

    if (line >= t->n_lines)
        return t->len;
    if (t->at_line == line && t->at_col <= col) {
        at = t->at_col;
        i = t->at_byte;
    } else {
        at = 0;
        i = t->lines[line];
    }
    /* Valid UTF-8: a character is its first byte and the continuation bytes behind it. */
    for (; at < col && i < t->len; at++)
        for (i++; ((unsigned char)t->s[i] & 0xc0) == 0x80; i++)
            ;
    t->at_line = line;
    t->at_col = col;
    t->at_byte = i;
    return i;
}

char *yaml_text_line(const struct yaml_text *t, size_t line)
{
    size_t len = 0;

    if (line >= t->n_lines)
        return xstrdup("");
    const char *s = t->s + t->lines[line];

    while (len < YAML_LINE_MAX && s[len] && s[len] != '\n' && s[len] != '\r')
        len++;
    /* No half character at the end. */
    while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
        len--;
    return xstrndup(s, len);
}
