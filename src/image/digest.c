/* SPDX-License-Identifier: Apache-2.0 */
#include "image/internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include "image/child.h"
#include <ctype.h>

const char *const digest_algorithms[] = {"sha256", "sha384", "sha512", NULL};

static const struct algorithm {
    const char *name;
    size_t bytes;
} algorithms[] = {{"sha256", 32}, {"sha384", 48}, {"sha512", 64}};

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

struct hashing {
    const struct image_report *report;
    const char *name;
    uint64_t done, total;
};

static void tell_hashing(void *arg)
{
    const struct hashing *h = arg;
    image_tell(h->report, IMAGE_CHECKING, h->name, h->done, h->total);
}

/* The hexadecimal digits into hex. */
static int follow(struct child_io *c, struct hashing *h, char *hex, size_t size, struct err *err)
{
    const char *v;
    for (char *line; (line = child_io_line(c, tell_hashing, h, err));) {
        if ((v = child_io_value(line, "at"))) {
            (void)parse_uint(v, INT64_MAX, &h->done);
            tell_hashing(h);
        } else if ((v = child_io_value(line, "done")) && strlen(v) < size) {
            memcpy(hex, v, strlen(v) + 1);
            return 0;
        } else if (child_io_failed(line, h->name, ERR_IO, err)) {
            return -1;
        }
    }
    return err_is_set(err) ? -1 : child_io_died(c, err);
}

int digest_of_fd(int fd, const char *algorithm, const char *name, const struct image_report *r,
                 struct digest *ret, struct err *err)
{
    const struct algorithm *a = find_algorithm(algorithm, strlen(algorithm));
    if (!a)
        return err_set(err, ERR_INTERNAL, "unknown digest algorithm '%s'", algorithm);
    const char *const argv[] = {"cima-digest", a->name, NULL};
    _cleanup_child_io_ struct child_io c = CHILD_IO_INIT;
    struct digest d = {0};
    struct stat st;
    struct hashing h = {r, name, 0, fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0};
    tell_hashing(&h);
    if (child_io_start(argv, fd, -1, -1, r, &c, err) < 0 ||
        follow(&c, &h, d.hex, sizeof(d.hex), err) < 0)
        return -1;
    if (strlen(d.hex) != a->bytes * 2)
        return err_set(err, ERR_PROTOCOL, "the helper program 'cima-digest' speaks nonsense");
    memcpy(d.algorithm, a->name, strlen(a->name));
    *ret = d;
    return 0;
}
