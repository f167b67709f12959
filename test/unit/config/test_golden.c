/* SPDX-License-Identifier: Apache-2.0 */
/* test/golden/config: NAME.in.yaml, perhaps NAME.default.yaml, NAME.override.yaml and NAME.context,
 * give NAME.out.yaml (the filled configuration; absent when it is refused) and NAME.diag (what is
 * said about it; absent when nothing is). `CIMA_UPDATE_GOLDEN=1 ./test_config` writes both anew. */
#include "fixture.h"
#include "base/fs.h"

struct golden {
    char *dir, *name;
    struct strv texts; /* memory of what the context points to */
};

static char *golden_path(const struct golden *g, const char *suffix)
{
    return xasprintf("%s/%s.%s", g->dir, g->name, suffix);
}

static char *read_golden(const struct golden *g, const char *suffix, size_t *ret_len)
{
    _cleanup_free_ char *path = golden_path(g, suffix);

    *ret_len = 0;
    return path_exists(path) ? file_read(path, 1 << 20, ret_len, NULL) : NULL;
}

/* NAME.context: lines "member=value" of struct config_context. */
static void read_context(struct golden *g, struct config_context *ctx)
{
    size_t len;
    _cleanup_free_ char *text = read_golden(g, "context", &len);
    _cleanup_strv_ struct strv lines = STRV_INIT;
    const struct {
        const char *name;
        const char **member;
    } members[] = {
        {"existing_version=", &ctx->existing_version},
        {"ssh_over_vsock=", &ctx->ssh_over_vsock},
        {"networks_yaml=", &ctx->networks_yaml},
    };

    if (text)
        strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++)
        for (size_t k = 0; k < ARRAY_SIZE(members); k++)
            if (str_starts(lines.v[i], members[k].name)) {
                strv_push(&g->texts, lines.v[i] + strlen(members[k].name));
                *members[k].member = g->texts.v[g->texts.n - 1];
            }
}

static void compare(const struct golden *g, const char *suffix, const char *got)
{
    _cleanup_free_ char *path = golden_path(g, suffix);
    size_t len;
    _cleanup_free_ char *want = read_golden(g, suffix, &len);

    if (getenv("CIMA_UPDATE_GOLDEN")) {
        if (*got)
            file_write_atomic(path, got, strlen(got), 0644, NULL);
        else
            unlink(path);
        return;
    }
    cr_expect_str_eq(got, want ? want : "", "%s differs. Now it is:\n%s", path, got);
}

static void run_golden(const char *dir, const char *file)
{
    struct golden g = {.dir = (char *)dir};
    _cleanup_free_ char *name = xstrndup(file, strlen(file) - strlen(".in.yaml"));
    _cleanup_free_ char *shown = xasprintf("%s.in.yaml", name), *def = NULL, *over = NULL;
    _cleanup_free_ char *in = NULL, *d_text = NULL, *o_text = NULL, *yaml = NULL, *said = NULL;
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    struct config_context ctx = test_context();
    struct config_input input = {{0}, {0}, {0}};

    g.name = name;
    def = xasprintf("%s.default.yaml", name);
    over = xasprintf("%s.override.yaml", name);
    in = read_golden(&g, "in.yaml", &input.instance.len);
    d_text = read_golden(&g, "default.yaml", &input.default_.len);
    o_text = read_golden(&g, "override.yaml", &input.override.len);
    cr_assert_not_null(in);
    input.instance.name = shown;
    input.instance.text = in;
    input.default_.name = def;
    input.default_.text = d_text;
    input.override.name = over;
    input.override.text = o_text;
    read_context(&g, &ctx);
    if (config_load(&input, &ctx, &c, &d, &err) == 0)
        yaml = config_to_yaml(&c.v);
    said = test_diags_text(yaml ? &d : &err.diags);
    compare(&g, "out.yaml", yaml ? yaml : "");
    compare(&g, "diag", said);
    strv_release(&g.texts);
}

Test(config_golden, all)
{
    const char *srcdir = getenv("srcdir");
    _cleanup_free_ char *dir = xasprintf("%s/test/golden/config", srcdir ? srcdir : ".");
    _cleanup_strv_ struct strv files = STRV_INIT;
    unsigned n = 0;

    cr_assert_eq(dir_list(dir, &files, NULL), 0, "no %s: run it by make check or set srcdir", dir);
    for (size_t i = 0; i < files.n; i++)
        if (str_ends(files.v[i], ".in.yaml")) {
            run_golden(dir, files.v[i]);
            n++;
        }
    cr_assert_gt(n, 20);
}
