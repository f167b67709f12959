/* SPDX-License-Identifier: Apache-2.0 */
/* cima-digest ALGORITHM <FILE: the digest of a whole file, as "done HEX" (helperio.h). A program of
 * its own because OpenSSL costs start-up time, and because it is ten times as fast as the portable
 * code. */
#include "image/helperio.h"
#include "base/mem.h"
#include <openssl/evp.h>

#define BLOCK (1u << 20)

static int hash_file(EVP_MD_CTX *ctx)
{
    _cleanup_free_ uint8_t *buf = xmalloc(BLOCK);
    for (uint64_t at = 0;;) {
        /* By offset: the position of the descriptor is shared with whoever gave it to us. */
        ssize_t n = pread(STDIN_FILENO, buf, BLOCK, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return say_errno("cannot read");
        if (n == 0)
            return 0;
        if (EVP_DigestUpdate(ctx, buf, (size_t)n) != 1)
            return say("fail OpenSSL cannot compute the digest");
        at += (size_t)n;
        say_at(at);
    }
}

static int finish(EVP_MD_CTX *ctx)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned len = 0;
    if (EVP_DigestFinal_ex(ctx, out, &len) != 1)
        return say("fail OpenSSL cannot compute the digest");
    for (unsigned i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", out[i]);
    (void)say("done %s", hex);
    return 0;
}

int main(int argc, char **argv)
{
    confine();
    const EVP_MD *md = argc == 2 ? EVP_get_digestbyname(argv[1]) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int r;
    if (!md || !ctx || EVP_DigestInit_ex(ctx, md, NULL) != 1)
        r = say("fail OpenSSL does not know the digest");
    else
        r = hash_file(ctx) < 0 ? -1 : finish(ctx);
    EVP_MD_CTX_free(ctx);
    return r < 0;
}
