/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "template/piece.h"
#include <ctype.h>
#include <sha2.h>

static const struct {
    const char *name;
    size_t hex; /* digits */
} algorithms[] = {
    {"sha256", SHA256_DIGEST_LENGTH * 2},
    {"sha384", SHA384_DIGEST_LENGTH * 2},
    {"sha512", SHA512_DIGEST_LENGTH * 2},
};

static void compute(const char *algorithm, const char *text, size_t len, char *ret)
{
    const uint8_t *bytes = (const uint8_t *)text;

    if (streq(algorithm, "sha256"))
        SHA256Data(bytes, len, ret);
    else if (streq(algorithm, "sha384"))
        SHA384Data(bytes, len, ret);
    else
        SHA512Data(bytes, len, ret);
}

static int bad_form(const char *digest, struct err *err)
{
    err_set(err, ERR_CONFIG, "the digest `%s` is invalid", digest);
    return err_hint(err, "the form is sha256:, sha384: or sha512: and the hexadecimal digits; "
                         "`sha256sum FILE` prints them");
}

int template_check_digest(const char *digest, const char *text, size_t len, struct err *err)
{
    char hex[SHA512_DIGEST_STRING_LENGTH];
    size_t n = strcspn(digest, ":");

    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        const char *wanted = digest + n + 1;

        if (strlen(algorithms[i].name) != n || strncmp(algorithms[i].name, digest, n) != 0)
            continue;
        if (!digest[n] || strlen(wanted) != algorithms[i].hex ||
            strspn(wanted, "0123456789abcdefABCDEF") != algorithms[i].hex)
            return bad_form(digest, err);
        compute(algorithms[i].name, text, len, hex);
        if (strcasecmp(hex, wanted) == 0)
            return 0;
        err_set(err, ERR_CONFIG, "expected digest `%s`, got `%s:%s`", digest, algorithms[i].name,
                hex);
        return err_hint(err, "the file is not the one that was meant: look at it before you take "
                             "the new digest over");
    }
    return bad_form(digest, err);
}
