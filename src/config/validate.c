/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"
#include "base/mem.h"
#include "base/parse.h"
#include <errno.h>
#include <sys/stat.h>

/* ---- tools of the rules ---------------------------------------------------------------------- */

char *words_joined(const char *const *words, size_t n)
{
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < n; i++)
        if (*words[i])
            sbuf_addf(&out, "%s`%s`", out.len ? ", " : "", words[i]);
    return sbuf_detach(&out);
}

bool is_word(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (streq(s, words[i]))
            return true;
    return false;
}

void check_word(const struct check *k, enum config_rule rule, const char *path, const char *value,
                const struct config_shape *shape)
{
    size_t n = config_shape_count(shape);
    _cleanup_free_ char *all = NULL;
    const char *near;
    struct diag *p;

    if (config_shape_has(shape, value))
        return;
    all = words_joined(shape->words, n);
    near = config_nearest(value, shape->words, n);
    p = problem(k, rule, path, "field `%s` must be one of %s; got `%s`", path, all, value);
    if (near)
        diag_set_hint(p, "did you mean `%s`?", near);
}

void check_arch(const struct check *k, const char *path, const char *value)
{
    static const struct {
        const char *alias, *arch;
    } aliases[] = {{"amd64", "x86_64"}, {"x64", "x86_64"},   {"arm64", "aarch64"},
                   {"arm", "armv7l"},   {"armhf", "armv7l"}, {"ppc64el", "ppc64le"},
                   {"riscv", "riscv64"}};
    size_t before = k->d->n;

    check_word(k, RULE_ARCH, path, value, &config_shape_arch);
    for (size_t i = 0; k->d->n > before && i < ARRAY_SIZE(aliases); i++)
        if (streq(aliases[i].alias, value))
            diag_set_hint(&k->d->v[before], "write `%s`", aliases[i].arch);
}

const char *port_problem(int64_t port)
{
    if (port < 1)
        return "must be > 0";
    if (port > UINT16_MAX)
        return "must be < 65536";
    return port == 22 ? "must not be 22, the port of the ssh server" : NULL;
}

bool check_absolute(const struct check *k, enum config_rule rule, const char *path,
                    const char *value)
{
    if (str_empty(value))
        problem(k, rule, path, "field `%s` must be set to an absolute path", path);
    else if (*value != '/')
        problem(k, rule, path, "field `%s` must be an absolute path, got `%s`", path, value);
    return value && *value == '/';
}

static const struct {
    const char *name;
    size_t digits;
} digest_algorithms[] = {{"sha256", 64}, {"sha384", 96}, {"sha512", 128}};

static const char *digest_problem(const char *digest)
{
    const char *colon = strchr(digest, ':');
    size_t len;

    if (!colon)
        return "it has no `ALGORITHM:` in front";
    for (size_t i = 0; i < ARRAY_SIZE(digest_algorithms); i++) {
        len = strlen(digest_algorithms[i].name);
        if (len != (size_t)(colon - digest) || memcmp(digest, digest_algorithms[i].name, len) != 0)
            continue;
        if (strspn(colon + 1, "0123456789abcdef") != strlen(colon + 1))
            return "only the digits 0-9 and a-f are allowed";
        return strlen(colon + 1) == digest_algorithms[i].digits ? NULL
                                                                : "the number of digits is wrong";
    }
    return "the algorithm must be sha256, sha384 or sha512";
}

void check_file(const struct check *k, const char *path, const char *location, const char *arch,
                const char *digest)
{
    _cleanup_free_ char *p_location = xasprintf("%s.location", path);
    _cleanup_free_ char *p_arch = xasprintf("%s.arch", path);
    _cleanup_free_ char *p_digest = xasprintf("%s.digest", path);

    if (str_empty(location))
        problem(k, RULE_FILE_LOCATION_MISSING, p_location,
                "field `%s` must be set: it is the URL or the path of the file", p_location);
    else if (*location == '~' && location[1] && location[1] != '/')
        problem(k, RULE_FILE_LOCATION_HOME, p_location,
                "field `%s` refers to an invalid local file path: `%s`: only `~/` "
                "is replaced by a home directory",
                p_location, location);
    /* One that follows the instance's is spoken of there. */
    if (!streq(arch, k->v->arch))
        check_arch(k, p_arch, arch);
    if (!str_empty(digest) && digest_problem(digest))
        problem(k, RULE_FILE_DIGEST, p_digest, "field `%s` is invalid: `%s`: %s", p_digest, digest,
                digest_problem(digest));
}

static enum config_path_kind path_kind_of_host(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT ? PATH_MISSING : PATH_UNREADABLE;
    if (S_ISDIR(st.st_mode))
        return PATH_DIR;
    return S_ISSOCK(st.st_mode) ? PATH_SOCKET : PATH_FILE;
}

/* ---- the engine ------------------------------------------------------------------------------ */

static void run(const struct rules *rules, const struct check *k)
{
    for (size_t i = 0; i < rules->n; i++)
        rules->v[i].check(k);
}

static struct check check_init(const struct config *c, const struct config_context *ctx,
                               struct diags *d)
{
    return (struct check){
        .c = c,
        .v = &c->v,
        .ctx = ctx,
        .d = d,
        .path_kind = ctx->path_kind ? ctx->path_kind : path_kind_of_host,
    };
}

void config_validate_param_use(const struct config *c, const struct config_context *ctx,
                               struct diags *d)
{
    const struct check k = check_init(c, ctx, d);
    size_t first = d->n;

    check_param_used(&k);
    config_origin_place(c, d, first);
}

void config_validate(const struct config *c, const struct config_context *ctx, struct diags *d)
{
    const struct check k = check_init(c, ctx, d);
    size_t first = d->n;

    run(&rules_instance, &k);
    run(&rules_lists, &k);
    run(&rules_forwards, &k);
    run(&rules_text, &k);
    config_origin_place(c, d, first);
}
