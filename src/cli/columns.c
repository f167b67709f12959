/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/columns.h"
#include "base/utf8.h"

#define DOTS "..."
enum { DOTS_WIDTH = 3 };

/* Bytes of the character at s, and its columns. */
static size_t character(const char *s, size_t len, size_t *ret_width)
{
    uint32_t c = 0;
    size_t n = utf8_decode(s, len, &c);

    *ret_width = n ? utf8_width(c) : 1;
    return n ? n : 1;
}

size_t columns_of(const char *s)
{
    size_t len = strlen(s), width = 0, w;

    for (size_t i = 0; i < len; width += w)
        i += character(s + i, len - i, &w);
    return width;
}

/* Bytes of s that fit into `room` columns. */
static size_t fitting(const char *s, size_t room)
{
    size_t len = strlen(s), width = 0, i = 0;

    while (i < len) {
        size_t w, n = character(s + i, len - i, &w);

        if (width + w > room)
            break;
        width += w;
        i += n;
    }
    return i;
}

void columns_cut(struct sbuf *out, const char *s, size_t room)
{
    if (columns_of(s) <= room) {
        sbuf_addstr(out, s);
        return;
    }
    if (room <= DOTS_WIDTH) {
        sbuf_add(out, DOTS, room);
        return;
    }
    sbuf_add(out, s, fitting(s, room - DOTS_WIDTH));
    sbuf_addstr(out, DOTS);
}

void columns_cut_middle(struct sbuf *out, const char *s, size_t room)
{
    size_t width = columns_of(s);

    if (width <= room || room < DOTS_WIDTH + 4) {
        columns_cut(out, s, room);
        return;
    }
    size_t tail = (room - DOTS_WIDTH) / 2, head = fitting(s, room - DOTS_WIDTH - tail);
    sbuf_add(out, s, head);
    sbuf_addstr(out, DOTS);
    /* Characters are skipped until what is left fits: a wide one at the cut may leave a blank. */
    size_t len = strlen(s), i = head;
    while (columns_of(s + i) > tail) {
        size_t w;

        i += character(s + i, len - i, &w);
    }
    sbuf_addstr(out, s + i);
}
