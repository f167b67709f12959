/* SPDX-License-Identifier: Apache-2.0 */
/* test/golden/template/NAME/: in.yaml and the files beside it become out.yaml; `places` says for
 * each value of it where it comes from; `error` what is said when it is refused. With _config/ it
 * is the home of a store. A name that ends with "-named" leaves template:NAME outside.
 * `CIMA_UPDATE_GOLDEN=1 ./test_template` writes them anew. */
#include "../tmpdir.h"
#include "config/config.h"
#include "template/template.h"
#include "yaml/doc.h"
#include "yaml/places.h"

struct golden {
    char *dir;
    const char *name;
};

static void compare(const struct golden *g, const char *file, const char *got)
{
    _cleanup_free_ char *path = path_join(g->dir, file);
    size_t len = 0;
    _cleanup_free_ char *want = path_exists(path) ? file_read(path, 1 << 22, &len, NULL) : NULL;

    if (getenv("CIMA_UPDATE_GOLDEN")) {
        if (*got)
            cr_assert_eq(file_write_atomic(path, got, strlen(got), 0644, NULL), 0);
        else
            (void)unlink(path);
        return;
    }
    cr_expect_str_eq(got, want ? want : "", "%s/%s: %s", g->name, file, got);
}

/* Every scalar, "path<TAB>file:line:col". */
static void add_places(struct yaml_places *places, const struct yaml_doc *doc,
                       const struct yaml_node *node, const char *path, struct sbuf *out)
{
    for (size_t i = 0; node->type == YAML_MAP && i < node->n; i++) {
        _cleanup_free_ char *below =
            xasprintf("%s%s%s", path, *path ? "." : "", node->pairs[i].key->value);

        add_places(places, doc, node->pairs[i].value, below, out);
    }
    for (size_t i = 0; node->type == YAML_SEQ && i < node->n; i++) {
        _cleanup_free_ char *below = xasprintf("%s[%zu]", path, i);

        add_places(places, doc, node->items[i], below, out);
    }
    if (node->type != YAML_SCALAR)
        return;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    yaml_doc_place(doc, node, diags_add(&d, DIAG_ERROR, NULL, "x"));
    if (places)
        yaml_places_apply(places, yaml_doc_name(doc), &d);
    sbuf_addf(out, "%s\t%s:%u:%u\n", path, d.v[0].file, d.v[0].line, d.v[0].col);
}

static char *places_of(const struct template *t)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse(t->locator, t->text, t->len, &d);
    struct sbuf out = SBUF_INIT;

    cr_assert_not_null(doc, "%s: what came out is no YAML", t->locator);
    add_places(t->places, doc, yaml_doc_root(doc), "", &out);
    return sbuf_detach(&out);
}

/* Texts are the same in every checkout. */
static char *without_dir(const char *text, const char *dir)
{
    struct sbuf out = SBUF_INIT;

    for (const char *p; (p = strstr(text, dir)); text = p + strlen(dir)) {
        sbuf_add(&out, text, (size_t)(p - text));
        sbuf_addstr(&out, "@DIR@");
    }
    sbuf_addstr(&out, text);
    return sbuf_detach(&out);
}

static char *printed(const char *text, const char *dir)
{
    return without_dir(text, dir);
}

/* Embedding what is embedded changes nothing. */
static void expect_settled(const struct template_env *env, const struct template *t)
{
    _cleanup_template_ struct template again = TEMPLATE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    template_copy(&again, t);
    cr_expect_eq(template_embed(env, &again, TEMPLATE_EMBED_ALL, &err), 0, "%s", err.msg);
    cr_expect_str_eq(again.text, t->text);
}

static void run_case(const struct golden *g)
{
    struct host_facts host = {.home = (char *)"/home/me"};
    struct store store = {.home = g->dir};
    const struct template_env env = {.store = &store, .host = &host};
    bool named = str_ends(g->name, "-named");
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *templates = path_join(g->dir, "_templates");

    cr_assert_eq(chdir(g->dir), 0);
    cr_assert_eq(setenv("LIMA_TEMPLATES_PATH", templates, 1), 0);
    cr_assert_eq(template_read(&env, "in.yaml", &t, &err), 0, "%s: %s", g->name, err.msg);
    unsigned what = named ? 0 : TEMPLATE_EMBED_ALL | TEMPLATE_DEFAULT_BASE;
    bool good = template_embed(&env, &t, what, &err) == 0;
    _cleanup_free_ char *error = good ? xstrdup("") : err_text(&err);
    _cleanup_free_ char *plain = printed(error, g->dir);
    _cleanup_free_ char *text = good ? printed(t.text, g->dir) : xstrdup("");
    _cleanup_free_ char *places = good ? places_of(&t) : xstrdup("");
    _cleanup_free_ char *plain_places = printed(places, g->dir);

    cr_expect(good || err.msg, "%s", g->name);
    compare(g, "out.yaml", text);
    compare(g, "places", plain_places);
    compare(g, "error", *plain ? plain : "");
    if (good && !named)
        expect_settled(&env, &t);
}

Test(embed, goldens)
{
    const char *src = getenv("srcdir");
    _cleanup_free_ char *top = path_join(src ? src : ".", "test/golden/template");
    _cleanup_free_ char *dir = realpath(top, NULL);
    _cleanup_strv_ struct strv names = STRV_INIT;

    cr_assert_not_null(dir, "%s", top);
    cr_assert_eq(dir_list(dir, &names, NULL), 0);
    cr_assert_gt(names.n, 20);
    for (size_t i = 0; i < names.n; i++) {
        _cleanup_free_ char *path = path_join(dir, names.v[i]);
        const struct golden g = {path, names.v[i]};

        run_case(&g);
    }
}

/* Long lists must not cost the square of their length: these are a second, or minutes. */
Test(embed, long_lists, .timeout = 600)
{
    enum { ITEMS = 40000 };
    const struct host_facts host = {.home = (char *)"/home/me"};
    const struct template_env env = {.host = &host};
    struct template t = TEMPLATE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    struct sbuf text = SBUF_INIT;

    sbuf_addstr(&text, "mounts:\n");
    for (int i = 0; i < ITEMS; i++)
        sbuf_addf(&text, "- location: /m%d\n", i);
    sbuf_addstr(&text, "- location: /m7\n  writable: true\n");
    t.locator = xstrdup("/t.yaml");
    t.base = xstrdup("/");
    t.len = text.len;
    t.text = sbuf_detach(&text);
    cr_assert_eq(template_embed(&env, &t, 0, &err), 0);
    cr_expect(strstr(t.text, "- location: /m7\n  writable: true\n- location: /m8\n"));
    template_release(&t);
}

Test(embed, too_many_fill)
{
    const struct host_facts host = {.home = (char *)"/home/me"};
    const struct template_env env = {.host = &host};
    struct template t = TEMPLATE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    struct sbuf text = SBUF_INIT;

    sbuf_addstr(&text, "mounts:\n");
    for (int i = 0; i < 3000; i++)
        sbuf_addf(&text, "- location: /m%d\n", i);
    for (int i = 0; i < 3000; i++)
        sbuf_addf(&text, "- location: '*'\n  k%d: 1\n", i);
    t.locator = xstrdup("/t.yaml");
    t.base = xstrdup("/");
    t.len = text.len;
    t.text = sbuf_detach(&text);
    cr_assert_eq(template_embed(&env, &t, 0, &err), -1);
    cr_expect_str_eq(err.msg, "too many entries of `mounts` fill others of the same name");
    template_release(&t);
}
