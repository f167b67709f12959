/* SPDX-License-Identifier: Apache-2.0 */
#include "image/internal.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <sys/types.h>
#include <sha2.h>

static const struct algorithm {
    const char *name;
    size_t bytes;
    void (*init)(SHA2_CTX *);
    void (*update)(SHA2_CTX *, const uint8_t *, size_t);
    void (*final)(uint8_t *, SHA2_CTX *);
} algorithms[] = {
    {"sha256", SHA256_DIGEST_LENGTH, SHA256Init, SHA256Update, SHA256Final},
    {"sha384", SHA384_DIGEST_LENGTH, SHA384Init, SHA384Update, SHA384Final},
    {"sha512", SHA512_DIGEST_LENGTH, SHA512Init, SHA512Update, SHA512Final},
};

static const struct algorithm *find_algorithm(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
        if (strlen(algorithms[i].name) == len && memcmp(algorithms[i].name, name, len) == 0)
            return &algorithms[i];
    return NULL;
}

int digest_parse(const char *text, struct digest *ret, struct err *err)
{
    const char *colon = strchr(text, ':');
    const struct algorithm *a = colon ? find_algorithm(text, (size_t)(colon - text)) : NULL;
    if (!a) {
        err_set(err, ERR_CONFIG, "invalid digest `%s`: no known algorithm in front", text);
        return err_hint(err, "write it as sha256:HEX (or sha384:, sha512:)");
    }
    const char *hex = colon + 1;
    if (strlen(hex) != a->bytes * 2)
        return err_set(err, ERR_CONFIG,
                       "invalid digest `%s`: %s has %zu hexadecimal digits, not %zu", text, a->name,
                       a->bytes * 2, strlen(hex));
    struct digest d = {0};
    memcpy(d.algorithm, a->name, strlen(a->name));
    for (size_t i = 0; hex[i]; i++) {
        if (!isxdigit((unsigned char)hex[i]))
            return err_set(err, ERR_CONFIG, "invalid digest `%s`: '%c' is no hexadecimal digit",
                           text, isprint((unsigned char)hex[i]) ? hex[i] : '?');
        d.hex[i] = (char)tolower((unsigned char)hex[i]);
    }
    *ret = d;
    return 0;
}

int digest_of_fd(int fd, const char *algorithm, const char *name, struct digest *ret,
                 struct err *err)
{
    const struct algorithm *a = find_algorithm(algorithm, strlen(algorithm));
    if (!a)
        return err_set(err, ERR_INTERNAL, "unknown digest algorithm '%s'", algorithm);
    const size_t block = 1u << 20;
    _cleanup_free_ uint8_t *buf = xmalloc(block);
    SHA2_CTX ctx;
    a->init(&ctx);
    for (off_t at = 0;;) {
        ssize_t n = pread(fd, buf, block, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, ERR_IO, "cannot read '%s'", name);
        if (n == 0)
            break;
        a->update(&ctx, buf, (size_t)n);
        at += n;
    }
    uint8_t out[SHA512_DIGEST_LENGTH];
    a->final(out, &ctx);
    struct digest d = {0};
    memcpy(d.algorithm, a->name, strlen(a->name));
    for (size_t i = 0; i < a->bytes; i++)
        snprintf(d.hex + 2 * i, 3, "%02x", out[i]);
    *ret = d;
    return 0;
}
