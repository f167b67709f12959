/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/picture.h"
#include "base/mem.h"

#define SIDE_MAX  16384
#define BLOCK_MAX 65535 /* of a stored block (RFC 1951, 3.2.4) */

struct picture {
    uint32_t width, height;
    const uint8_t *rgb; /* rows from the top, 3 bytes for a point */
};

/* ---- PPM ------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A number of the header, after blanks and comments. */
static int number(const char **at, const char *end, uint32_t *ret)
{
    uint32_t n = 0;
    const char *c = *at;

    while (c < end && (is_blank(*c) || *c == '#'))
        if (*c++ == '#')
            while (c < end && *c != '\n')
                c++;
    const char *begin = c;
    while (c < end && *c >= '0' && *c <= '9' && n <= SIDE_MAX)
        n = n * 10 + (uint32_t)(*c++ - '0');
    *at = c;
    *ret = n;
    return c > begin && n > 0 && n <= SIDE_MAX ? 0 : -1;
}

static int parse(const char *ppm, size_t len, struct picture *ret)
{
    const char *at = ppm + 2, *end = ppm + len;
    uint32_t depth;

    if (len < 2 || memcmp(ppm, "P6", 2) != 0 || number(&at, end, &ret->width) < 0 ||
        number(&at, end, &ret->height) < 0 || number(&at, end, &depth) < 0 || depth != 255 ||
        at >= end || !is_blank(*at))
        return -1;
    at++; /* exactly one */
    ret->rgb = (const uint8_t *)at;
    return (size_t)(end - at) >= (size_t)ret->width * ret->height * 3 ? 0 : -1;
}

/* ---- numbers in files ------------------------------------------------------------------------ */

static void big32(struct sbuf *s, uint32_t v)
{
    const uint8_t b[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    sbuf_add(s, b, sizeof(b));
}

static void little16(struct sbuf *s, uint32_t v)
{
    const uint8_t b[] = {(uint8_t)v, (uint8_t)(v >> 8)};

    sbuf_add(s, b, sizeof(b));
}

static void little32(struct sbuf *s, uint32_t v)
{
    little16(s, v & 0xffff);
    little16(s, v >> 16);
}

/* ---- PNG (ISO/IEC 15948) --------------------------------------------------------------------- */

static uint32_t crc32_of(const uint8_t *data, size_t len)
{
    static uint32_t table[256];
    uint32_t crc = 0xffffffff;

    if (!table[1])
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t c = n;

            for (int k = 0; k < 8; k++)
                c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
            table[n] = c;
        }
    for (size_t i = 0; i < len; i++)
        crc = table[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

static uint32_t adler32_of(const uint8_t *data, size_t len)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < len; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void chunk(struct sbuf *out, const char *type, const void *data, size_t len)
{
    size_t begin;

    big32(out, (uint32_t)len);
    begin = out->len;
    sbuf_addstr(out, type);
    sbuf_add(out, data, len);
    big32(out, crc32_of((const uint8_t *)out->buf + begin, out->len - begin));
}

/* A zlib stream (RFC 1950) of stored blocks. */
static void store(struct sbuf *out, const uint8_t *data, size_t len)
{
    sbuf_addch(out, 0x78);
    sbuf_addch(out, 0x01);
    for (size_t at = 0; at < len;) {
        uint32_t n = len - at > BLOCK_MAX ? BLOCK_MAX : (uint32_t)(len - at);

        sbuf_addch(out, at + n == len);
        little16(out, n);
        little16(out, ~n & 0xffff);
        sbuf_add(out, data + at, n);
        at += n;
    }
    big32(out, adler32_of(data, len));
}

static void to_png(const struct picture *p, struct sbuf *out)
{
    _cleanup_sbuf_ struct sbuf head = SBUF_INIT, rows = SBUF_INIT, stream = SBUF_INIT;
    size_t row = (size_t)p->width * 3;

    big32(&head, p->width);
    big32(&head, p->height);
    sbuf_add(&head, "\x08\x02\0\0\0", 5); /* 8 bits, RGB; no filter types, not interlaced */
    for (uint32_t y = 0; y < p->height; y++) {
        sbuf_addch(&rows, '\0');
        sbuf_add(&rows, p->rgb + y * row, row);
    }
    store(&stream, (const uint8_t *)rows.buf, rows.len);
    sbuf_add(out, "\x89PNG\r\n\x1a\n", 8);
    chunk(out, "IHDR", head.buf, head.len);
    chunk(out, "IDAT", stream.buf, stream.len);
    chunk(out, "IEND", "", 0);
}

/* ---- BMP ------------------------------------------------------------------------------------- */

static void to_bmp(const struct picture *p, struct sbuf *out)
{
    enum { HEADERS = 14 + 40, PER_METRE = 2835 /* 72 dpi */ };
    uint32_t padding = (4 - p->width * 3 % 4) % 4, size = (p->width * 3 + padding) * p->height;

    sbuf_addstr(out, "BM");
    little32(out, HEADERS + size);
    little32(out, 0);
    little32(out, HEADERS);
    little32(out, 40);
    little32(out, p->width);
    little32(out, p->height);
    little16(out, 1);
    little16(out, 24);
    little32(out, 0);
    little32(out, size);
    little32(out, PER_METRE);
    little32(out, PER_METRE);
    little32(out, 0);
    little32(out, 0);
    for (uint32_t y = p->height; y-- > 0;) {
        const uint8_t *c = p->rgb + (size_t)y * p->width * 3;

        for (uint32_t x = 0; x < p->width; x++, c += 3) {
            const uint8_t bgr[] = {c[2], c[1], c[0]};

            sbuf_add(out, bgr, sizeof(bgr));
        }
        sbuf_add(out, "\0\0\0", padding);
    }
}

int picture_convert(const char *ppm, size_t len, enum picture_format format, struct sbuf *ret,
                    struct err *err)
{
    struct picture p = {0};

    if (parse(ppm, len, &p) < 0)
        return err_set(err, ERR_PROTOCOL, "QEMU's picture is not in the form that was expected");
    if (format == PICTURE_BMP)
        to_bmp(&p, ret);
    else
        to_png(&p, ret);
    return 0;
}
