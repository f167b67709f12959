/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= r[i].first && c <= r[i].last)
            return true;
    return false;
}

size_t utf8_decode(const char *s, size_t len, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n;
    uint32_t c;

    if (len == 0)
        return 0;
    unsigned char b = (unsigned char)s[0];
    if (b < 0x80) {
        *ret = b;
        return 1;
    }
    if (b >= 0xc2 && b <= 0xdf) {
        n = 2;
        c = b & 0x1fU;
    } else if (b >= 0xe0 && b <= 0xef) {
        n = 3;
        c = b & 0x0fU;
    } else if (b >= 0xf0 && b <= 0xf4) {
        n = 4;
        c = b & 0x07U;
    } else {
        return 0;
    }
    if (len < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        b = (unsigned char)s[i];
        if ((b & 0xc0U) != 0x80)
            return 0;
        c = c << 6 | (b & 0x3fU);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

bool utf8_valid(const char *s, size_t len)
{
    uint32_t c;

    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(s + i, len - i, &c);
        if (n == 0)
            return false;
    }
    return true;
}

bool utf8_is_printable(uint32_t c)
{
    static const struct range not_printable[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},   {0x2028, 0x202e},
        {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };

    return !in_ranges(c, not_printable, ARRAY_SIZE(not_printable));
}

unsigned utf8_width(uint32_t c)
{
    /* The blocks that matter, not every character of Unicode's EastAsianWidth: a caret that is one
     * off under a rare character hurts nobody. */
    static const struct range zero[] = {
        {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x200b, 0x200d},
        {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    };
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
        {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
        {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
    };

    if (c < 0x300)
        return 1;
    if (in_ranges(c, zero, ARRAY_SIZE(zero)))
        return 0;
    return in_ranges(c, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}
