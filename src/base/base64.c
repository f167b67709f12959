/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"
#include <string.h>

static char next_letter(const char **text)
{
    *text += strspn(*text, " \t\r\n");
    return **text ? *(*text)++ : '\0';
}

/* Four letters: how many bytes they are; 0 at the end of the text, -1 for what is no base64. */
static int decode_group(const char **text, unsigned char bytes[3])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int n = 0, padding = 0;
    char c;

    while (n < 4 && (c = next_letter(text)) != '\0') {
        const char *at = c == '=' ? NULL : strchr(letters, c);

        if (at ? padding > 0 : c != '=' || n < 2)
            return -1;
        padding += !at;
        bits = bits << 6 | (at ? (uint32_t)(at - letters) : 0);
        n++;
    }
    if (n == 0)
        return 0;
    for (size_t i = 0; i < 3; i++)
        bytes[i] = (unsigned char)(bits >> (16 - 8 * i));
    return n == 4 && (!padding || !next_letter(text)) ? 3 - padding : -1;
}

int base64_decode(struct sbuf *out, const char *text)
{
    size_t before = out->len;
    unsigned char bytes[3];
    int n;

    while ((n = decode_group(&text, bytes)) > 0)
        sbuf_add(out, bytes, (size_t)n);
    if (n < 0 && out->buf)
        out->buf[out->len = before] = '\0';
    return n;
}
