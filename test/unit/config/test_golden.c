/* SPDX-License-Identifier: Apache-2.0 */
/* test/golden/config: NAME.in.yaml, perhaps NAME.default.yaml, NAME.override.yaml and NAME.context,
 * give NAME.out.yaml (the filled configuration; absent when it is refused) and NAME.diag (what is
 * said about it; absent when nothing is). `CIMA_UPDATE_GOLDEN=1 ./test_config` writes both anew. */
#include "fixture.h"
#include "base/fs.h"
#include "config/internal.h"

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

/* ---- the rules ------------------------------------------------------------------------------- */

/* What a person sees: the error with everything that belongs to it, or the warnings. */
static char *what_is_seen(const struct config_input *in, const struct config_context *ctx,
                          struct diags *ret)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL;

    if (config_load(in, ctx, &c, ret, &err) == 0)
        return test_diags_text(ret);
    text = err_text(&err);
    *ret = err.diags;
    err.diags = (struct diags)DIAGS_INIT;
    return xasprintf("%s\n", text);
}

/* The problem is of this rule, its place is known, and there is a next step. */
static void check_rule_problem(const struct config_rule_info *rule, const struct diags *d)
{
    bool found = false;

    for (size_t i = 0; i < d->n; i++) {
        const struct diag *p = &d->v[i];

        cr_expect(p->kind != NULL, "%s: a problem without a kind: %s", rule->id, p->msg);
        if (!streq0(p->kind, rule->id))
            continue;
        found = true;
        cr_expect_eq(p->severity, rule->severity, "%s", rule->id);
        if (rule != &config_rules[RULE_OVER_VSOCK_VARIABLE]) /* of the environment */
            cr_expect(p->file && p->line && p->col && p->source, "%s: no place: %s", rule->id,
                      p->msg);
        cr_expect(p->severity == DIAG_WARNING || p->hint, "%s: no hint: %s", rule->id, p->msg);
    }
    cr_expect(found, "%s.in.yaml does not break the rule %s", rule->id, rule->id);
}

static void run_rule(const char *dir, const struct config_rule_info *rule)
{
    struct golden g = {.dir = (char *)dir, .name = (char *)rule->id};
    _cleanup_free_ char *shown = xasprintf("%s.in.yaml", rule->id), *said = NULL, *text = NULL;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct config_context ctx = test_context();
    struct config_input input = {.instance = {.name = shown}};

    input.instance.text = text = read_golden(&g, "in.yaml", &input.instance.len);
    cr_assert_not_null(text, "the rule %s has no example: %s/%s", rule->id, dir, shown);
    read_context(&g, &ctx);
    said = what_is_seen(&input, &ctx, &d);
    check_rule_problem(rule, &d);
    compare(&g, "out.txt", said);
    strv_release(&g.texts);
}

static bool is_rule(const char *file)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        size_t n = strlen(config_rules[i].id);

        if (strncmp(file, config_rules[i].id, n) == 0 && file[n] == '.')
            return true;
    }
    return false;
}

/* test/golden/config/rules: each rule of rules.def has an example that breaks it. */
Test(config_golden, rules)
{
    const char *srcdir = getenv("srcdir");
    _cleanup_free_ char *dir = xasprintf("%s/test/golden/config/rules", srcdir ? srcdir : ".");
    _cleanup_strv_ struct strv files = STRV_INIT;

    for (size_t i = 0; i < RULE_COUNT; i++)
        run_rule(dir, &config_rules[i]);
    cr_assert_eq(dir_list(dir, &files, NULL), 0);
    for (size_t i = 0; i < files.n; i++)
        cr_expect(is_rule(files.v[i]), "%s/%s is the example of no rule", dir, files.v[i]);
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
