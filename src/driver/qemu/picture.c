/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/picture.h"
#include "base/mem.h"

#define SIDE_MAX  16384
#define BLOCK_MAX 65535 /* of a stored block (RFC 1951, 3.2.4) */
_Static_assert(1 + SIDE_MAX * 3 <= BLOCK_MAX, "a row of a PNG fits into a block");

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

/* The sum of what came before, 1 at the beginning, and of this. */
static uint32_t adler32_add(uint32_t sum, const uint8_t *data, size_t len)
{
    uint32_t a = sum & 0xffff, b = sum >> 16;

    for (size_t i = 0; i < len; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void begin_chunk(struct sbuf *out, const char *type, uint32_t len)
{
    big32(out, len);
    sbuf_addstr(out, type);
}

static void end_chunk(struct sbuf *out, uint32_t len)
{
    size_t covered = 4 + (size_t)len; /* the type, too */

    big32(out, crc32_of((const uint8_t *)out->buf + out->len - covered, covered));
}

enum { FILTER_LEN = 1, ZLIB_HEAD_LEN = 2, BLOCK_HEAD_LEN = 5, ZLIB_SUM_LEN = 4, HEAD_LEN = 13 };

/* A zlib stream (RFC 1950) of stored blocks, one for each row. */
static void add_rows(const struct picture *p, struct sbuf *out)
{
    uint32_t len = FILTER_LEN + p->width * 3, sum = 1;

    sbuf_add(out, "\x78\x01", ZLIB_HEAD_LEN);
    for (uint32_t y = 0; y < p->height; y++) {
        sbuf_addch(out, y + 1 == p->height); /* the last block? */
        little16(out, len);
        little16(out, ~len & 0xffff);
        sbuf_addch(out, '\0'); /* no filter */
        sbuf_add(out, p->rgb + (size_t)y * p->width * 3, len - FILTER_LEN);
        sum = adler32_add(sum, (const uint8_t *)out->buf + out->len - len, len);
    }
    big32(out, sum);
}

static void to_png(const struct picture *p, struct sbuf *out)
{
    uint32_t row = BLOCK_HEAD_LEN + FILTER_LEN + p->width * 3;
    uint32_t len = ZLIB_HEAD_LEN + p->height * row + ZLIB_SUM_LEN;

    sbuf_add(out, "\x89PNG\r\n\x1a\n", 8);
    begin_chunk(out, "IHDR", HEAD_LEN);
    big32(out, p->width);
    big32(out, p->height);
    sbuf_add(out, "\x08\x02\0\0\0", 5); /* 8 bits, RGB; not interlaced */
    end_chunk(out, HEAD_LEN);
    begin_chunk(out, "IDAT", len);
    add_rows(p, out);
    end_chunk(out, len);
    begin_chunk(out, "IEND", 0);
    end_chunk(out, 0);
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
