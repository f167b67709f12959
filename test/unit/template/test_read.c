/* SPDX-License-Identifier: Apache-2.0 */
/* Reading templates from files, by name and by plugins. What needs a server is in
 * test/e2e/templates.sh. */
#include "../tmpdir.h"
#include "template/template.h"
#include "yaml/doc.h"
#include "yaml/places.h"

static void put(const char *dir, const char *name, const char *text, mode_t mode)
{
    _cleanup_free_ char *path = path_join(dir, name), *parent = path_dirname(path);

    cr_assert_eq(dir_make(parent, 0755, NULL), 0);
    cr_assert_eq(file_write_atomic(path, text, strlen(text), mode, NULL), 0);
}

static void use(const char *dir, const char *path)
{
    _cleanup_free_ char *search = xasprintf("%s:/usr/bin:/bin", path);

    cr_assert_eq(chdir(dir), 0);
    cr_assert_eq(setenv("PATH", search, 1), 0);
    cr_assert_eq(unsetenv("CIMA_LIBEXEC"), 0);
    cr_assert_eq(unsetenv("LIMA_TEMPLATES_PATH"), 0);
}

static struct host_facts host = {.arch = ARCH_AARCH64, .home = (char *)"/home/me"};

static char *read_text(const struct store *s, const char *locator, struct err *err)
{
    const struct template_env env = {.store = s, .host = &host};
    _cleanup_template_ struct template t = TEMPLATE_INIT;

    return template_read(&env, locator, &t, err) == 0 ? TAKE_PTR(t.text) : NULL;
}

static void expect_error(const struct store *s, const char *locator, enum err_kind kind,
                         const char *message, const char *hint)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = read_text(s, locator, &err);

    cr_assert_null(text, "%s", locator);
    cr_expect_eq(err.kind, kind, "%s: %s", locator, err.msg);
    cr_expect_not_null(strstr(err.msg, message), "%s: %s", locator, err.msg);
    cr_expect(!hint || (err.hint && strstr(err.hint, hint)), "%s: %s", locator,
              err.hint ? err.hint : "(no hint)");
}

Test(read, files)
{
    _tmpdir_ char *dir = tmpdir_new();
    struct store store = {.home = dir};
    const struct template_env env = {.store = &store, .host = &host};
    _cleanup_free_ char *url = xasprintf("file://%s/sub/Big.yaml", dir);
    _cleanup_template_ struct template t = TEMPLATE_INIT, u = TEMPLATE_INIT;

    use(dir, dir);
    put(dir, "sub/Big.yaml", "x: 1\n", 0644);
    cr_assert_eq(template_read(&env, "sub/Big.yaml", &t, NULL), 0);
    _cleanup_free_ char *real = realpath("sub", NULL);
    cr_expect_str_eq(t.text, "x: 1\n");
    cr_expect_str_eq(t.locator, "sub/Big.yaml");
    cr_expect_str_eq(t.base, real);
    cr_expect_str_eq(t.name, "big");
    cr_assert_eq(template_read(&env, url, &u, NULL), 0);
    cr_expect_str_eq(u.base, real);
    cr_expect_str_eq(u.name, "big");

    _cleanup_template_ struct template hidden = TEMPLATE_INIT;
    put(dir, "Project/.lima.yaml", "x: 1\n", 0644);
    cr_assert_eq(template_read(&env, "Project/.lima.yaml", &hidden, NULL), 0);
    cr_expect_str_eq(hidden.name, "project");

    expect_error(&store, "nosuch.yaml", ERR_NOT_FOUND, "cannot read 'nosuch.yaml'", "path");
    expect_error(&store, "sub", ERR_IO, "it is a directory", "YAML file in it");
    expect_error(&store, "file:sub/Big.yaml", ERR_USAGE, "is not an absolute path", "file:///");
    expect_error(&store, "nosuch", ERR_NOT_FOUND,
                 "don't know how to interpret `nosuch` as a template locator", "template:NAME");
    expect_error(&store, "", ERR_USAGE, "don't know how to interpret ``", NULL);
    expect_error(&store, "ftp://h/x", ERR_USAGE,
                 "don't know how to interpret `ftp://h/x` as a template locator", "cima-url-ftp");
    expect_error(&store, "github:", ERR_USAGE, "must contain at least an ORG", "github:ORG");
}

Test(read, image)
{
    _tmpdir_ char *dir = tmpdir_new();
    struct store store = {.home = dir};
    const struct template_env env = {.store = &store, .host = &host};
    _cleanup_template_ struct template t = TEMPLATE_INIT;

    use(dir, dir);
    cr_assert_eq(template_read(&env, "https://e.invalid/x-cloudimg-amd64.img", &t, NULL), 0);
    cr_expect_str_eq(t.name, "x-amd64");
    cr_expect_not_null(strstr(t.text, "arch: x86_64"));
    template_release(&t);
    cr_assert_eq(template_read(&env, "/images/plain.iso", &t, NULL), 0);
    cr_expect_not_null(strstr(t.text, "arch: aarch64"), "the host's: %s", t.text);
}

Test(read, by_name)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *home = path_join(dir, "home"), *own = path_join(dir, "own");
    _cleanup_free_ char *two = xasprintf("%s:%s/other", own, dir);
    struct store store = {.home = home};
    _cleanup_err_ struct err err = ERR_INIT;

    use(dir, dir);
    put(dir, "home/_templates/mine.yaml", "# Of my own\n# more\n\nx: 1\n", 0644);
    put(dir, "home/_templates/deep/er.yaml", "# yaml-language-server: $schema=x\n# Deep\nx: 1\n",
        0644);
    put(dir, "home/_templates/script.sh", "#!/bin/sh\n", 0644);
    put(dir, "home/_templates/_part/x.yaml", "x: 2\n", 0644);
    _cleanup_free_ char *mine = read_text(&store, "template:mine", &err);
    cr_assert_str_eq(mine, "# Of my own\n# more\n\nx: 1\n");
    _cleanup_free_ char *ending = read_text(&store, "template:mine.yaml", &err);
    cr_assert_str_eq(ending, mine);
    _cleanup_free_ char *deep = read_text(&store, "template://deep/er", &err);
    cr_expect_not_null(deep);
    _cleanup_free_ char *script = read_text(&store, "template:script.sh", &err);
    cr_expect_str_eq(script, "#!/bin/sh\n");
    expect_error(&store, "template:mime", ERR_NOT_FOUND, "template `mime` not found",
                 "did you mean `template:mine`?");
    expect_error(&store, "template:", ERR_USAGE, "name of the template is missing", NULL);
    expect_error(&store, "template:../home/_templates/mine", ERR_USAGE, "can't be the name", NULL);
    expect_error(&store, "template:deep/../mine", ERR_USAGE, "can't be the name", NULL);
    expect_error(&store, "template:deep/", ERR_USAGE, "can't be the name", NULL);
    expect_error(&store, "mine", ERR_NOT_FOUND, "don't know how to interpret `mine`",
                 "did you mean `template:mine`?");

    struct template_entry *v;
    size_t n, found = 0;
    template_list(&store, false, &v, &n);
    for (size_t i = 0; i < n; i++) {
        cr_expect(*v[i].name != '_', "%s", v[i].name);
        found += streq(v[i].name, "mine") && streq(v[i].summary, "Of my own");
        found += streq(v[i].name, "deep/er") && streq(v[i].summary, "Deep");
    }
    cr_expect_eq(found, 2);
    template_list_free(v, n);

    /* The variable stands alone; the first directory wins. */
    put(dir, "own/mine.yaml", "x: own\n", 0644);
    put(dir, "other/mine.yaml", "x: other\n", 0644);
    put(dir, "other/second.yaml", "x: second\n", 0644);
    cr_assert_eq(setenv("LIMA_TEMPLATES_PATH", two, 1), 0);
    _cleanup_free_ char *first = read_text(&store, "template:mine", &err);
    cr_expect_str_eq(first, "x: own\n");
    _cleanup_free_ char *second = read_text(&store, "template:second", &err);
    cr_expect_str_eq(second, "x: second\n");
    expect_error(&store, "template:script.sh", ERR_NOT_FOUND, "not found", NULL);
    template_list(&store, true, &v, &n);
    cr_expect_eq(n, 2);
    template_list_free(v, n);
}

Test(read, plugins)
{
    _tmpdir_ char *dir = tmpdir_new();
    struct store store = {.home = dir};
    const struct template_env env = {.store = &store, .host = &host};
    _cleanup_err_ struct err err = ERR_INIT;

    use(dir, dir);
    put(dir, "x.yaml", "x: 1\n", 0644);
    put(dir, "cima-url-dev", "#!/bin/sh\nprintf '%s\\n' \"$PWD/$1.yaml\"\n", 0755);
    put(dir, "limactl-url-old", "#!/bin/sh\necho \"  dev:$1  \"\necho more\n", 0755);
    put(dir, "cima-url-both", "#!/bin/sh\necho template:ours\n", 0755);
    put(dir, "limactl-url-both", "#!/bin/sh\necho template:theirs\n", 0755);
    put(dir, "cima-url-round", "#!/bin/sh\necho \"round:$1\"\n", 0755);
    put(dir, "cima-url-grow", "#!/bin/sh\necho \"grow:x$1\"\n", 0755);
    put(dir, "cima-url-bad", "#!/bin/sh\necho 'no such thing' >&2\nexit 3\n", 0755);
    put(dir, "cima-url-mute", "#!/bin/sh\n", 0755);
    put(dir, "cima-url-args", "#!/bin/sh\necho \"template:$#-$1\"\n", 0755);
    _cleanup_free_ char *text = read_text(&store, "old:x", &err);
    cr_assert_not_null(text, "%s", err.msg);
    cr_expect_str_eq(text, "x: 1\n");
    _cleanup_free_ char *both = template_resolve(&env, "both:x", &err);
    cr_expect_str_eq(both, "template:ours");
    /* S09: one argument, whatever it is. */
    _cleanup_free_ char *one = template_resolve(&env, "args:a b;$(id) --x", &err);
    cr_expect_str_eq(one, "template:1-a b;$(id) --x");
    _cleanup_free_ char *plain = template_resolve(&env, "template://a/b", &err);
    cr_expect_str_eq(plain, "template:a/b");
    expect_error(&store, "round:x", ERR_CONFIG, "leads in a circle", NULL);
    expect_error(&store, "grow:x", ERR_CONFIG, "leads in a circle", NULL);
    expect_error(&store, "mute:x", ERR_CONFIG, "printed no URL or path", NULL);
    _cleanup_free_ char *none = template_resolve(&env, "bad:x", &err);
    cr_expect_null(none);
    cr_expect_not_null(strstr(err.msg, "exited with status 3"), "%s", err.msg);
    cr_expect_not_null(strstr(err.detail, "no such thing"));
}

/* "path line:col" of a scalar, as a message would say it. */
static char *place_of(const struct template *t, const char *key)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse(t->locator, t->text, t->len, &d);
    const struct yaml_node *node = yaml_map_get(yaml_doc_root(doc), key);

    cr_assert_not_null(node, "%s", key);
    if (node->type == YAML_SEQ)
        node = node->items[node->n - 1];
    yaml_doc_place(doc, node, diags_add(&d, DIAG_ERROR, NULL, "x"));
    yaml_places_apply(t->places, t->locator, &d);
    return xasprintf("%s:%u:%u", d.v[0].file, d.v[0].line, d.v[0].col);
}

static void expect_place(const struct template *t, const char *key, const char *want)
{
    _cleanup_free_ char *got = place_of(t, key);

    cr_expect_str_eq(got, want, "%s: %s", key, got);
}

/* What flags have changed stands in the new text, the rest where it was. */
Test(set_text, keeps_places)
{
    _cleanup_template_ struct template t = {
        .locator = xstrdup("t.yaml"),
        .base = xstrdup("/"),
        .text = xstrdup("cpus: 2\nimages:\n- a\n- b\n- c\nmemory: 1GiB\n"),
    };
    const char *text = "env: {A: b}\ncpus: 4\nimages:\n- new\n- a\n- b\n- c\nmemory: 1GiB\n";

    t.len = strlen(t.text);
    template_set_text(&t, xstrdup(text), strlen(text));
    cr_expect_str_eq(t.text, text);
    cr_assert_not_null(t.places);
    expect_place(&t, "memory", "t.yaml:6:9");
    expect_place(&t, "images", "t.yaml:5:3");
    expect_place(&t, "cpus", "t.yaml:2:7"); /* of the new text */
    text = "not: [valid";
    template_set_text(&t, xstrdup(text), strlen(text));
    cr_expect_null(t.places);
}

Test(read, of_an_edit)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_template_ struct template t = TEMPLATE_INIT;

    cr_expect_eq(template_read_file("https://e.invalid/x.yaml", &t, &err), -1);
    cr_expect_not_null(strstr(err.msg, "no file of this host"));
    cr_expect_not_null(strstr(err.hint, "template copy"));
}
