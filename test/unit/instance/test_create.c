/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"
#include "base/fs.h"
#include "base/mem.h"
#include "template/template.h"

static char *read_file(const struct instance *i, enum inst_file f)
{
    _cleanup_free_ char *path = instance_path(i, f);

    return file_read(path, 1 << 20, NULL, NULL);
}

Test(create, makes_the_files)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_free_ char *yaml = read_file(&inst, INST_LIMA_YAML);
    _cleanup_free_ char *lima = read_file(&inst, INST_LIMA_VERSION);
    _cleanup_free_ char *cima = read_file(&inst, INST_CIMA_VERSION);
    _cleanup_free_ char *facts = read_file(&inst, INST_FACTS);
    _cleanup_free_ char *want =
        xasprintf("images:\n- location: %s/disk.img # ours\n  arch: x86_64\n", w.dir);

    cr_expect_str_eq(yaml, want);
    cr_expect_str_eq(lima, LIMA_VERSION);
    cr_expect_str_eq(cima, PACKAGE_VERSION);
    cr_expect_not_null(strstr(facts, "frozen"));
    cr_expect_str_eq(fakes.base_dir, w.dir);
    _cleanup_free_ char *ls = world_ls(&w);
    cr_expect_str_eq(ls, "one");
}

static void expect_failure(struct world *w, const char *name, const char *yaml, enum err_kind kind,
                           const char *message, const char *ls_want)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_template(w, yaml, &t);
    cr_assert_eq(inst_create(&w->env, name, &t, &w->report, &inst, &err), -1);
    _cleanup_free_ char *text = err_text(&err), *ls = world_ls(w);
    cr_expect_eq(err.kind, kind, "%s", text);
    cr_expect_not_null(strstr(text, message), "%s", text);
    cr_expect_str_eq(ls, ls_want);
    cr_expect_null(inst.name);
}

/* Whatever fails, nothing is left (F11). */
Test(create, failure_leaves_nothing)
{
    _cleanup_world_ struct world w;

    world_init(&w);
    expect_failure(&w, "one", "images: 3\n", ERR_CONFIG, "images", "");
    expect_failure(&w, "one/two", SIMPLE_YAML, ERR_USAGE, "one/two", "");
    expect_failure(&w, "one", SIMPLE_YAML "vmType: other\n", ERR_CONFIG, "vmType", "");
    fakes.image_error = "no such image";
    expect_failure(&w, "one", SIMPLE_YAML, ERR_NOT_FOUND, "no such image", "");
    fakes.image_error = NULL;
    fakes.disk_error = "disk is full";
    expect_failure(&w, "one", SIMPLE_YAML, ERR_IO, "disk is full", "");
    fakes.disk_error = NULL;
    fakes.plan_error = "QEMU is not installed";
    expect_failure(&w, "one", SIMPLE_YAML, ERR_QEMU, "QEMU is not installed", "");
}

Test(create, existing_name)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    expect_failure(&w, "one", SIMPLE_YAML, ERR_EXISTS, "instance `one` already exists", "one");
}

static void expect_absolute(const char *yaml, const char *want)
{
    _cleanup_template_ struct template t = {
        .locator = xstrdup("x.yaml"),
        .base = xstrdup("/base/dir"),
        .text = xstrdup(yaml),
        .len = strlen(yaml),
    };
    struct host_facts host = {.home = (char *)"/home/me"};
    const struct template_env env = {.host = &host};
    _cleanup_err_ struct err err = ERR_INIT;
    int r = template_make_absolute(&env, &t, true, &err);

    if (!want) {
        cr_expect_eq(r, -1, "%s", yaml);
        return;
    }
    cr_assert_eq(r, 0, "%s: %s", yaml, err.msg);
    cr_expect_str_eq(t.text, want);
}

Test(create, absolute_locations)
{
    /* Nothing to change: byte for byte. */
    expect_absolute("images:\n- location: /a/b\n- {location: 'https://x/y'}\n- location: ~/c\n"
                    "- location: template:x\n",
                    "images:\n- location: /a/b\n- {location: 'https://x/y'}\n- location: ~/c\n"
                    "- location: template:x\n");
    expect_absolute("# c\r\nimages: # d\r\n  -   location:   './x y.img'   # e\r\n      kernel: "
                    "{location: ../k, "
                    "cmdline: a}\r\n      initrd:\r\n        location: \"i\"\r\n",
                    "# c\r\nimages: # d\r\n  -   location:   '/base/dir/x y.img'   # e\r\n      "
                    "kernel: {location: /base/k, "
                    "cmdline: a}\r\n      initrd:\r\n        location: \"/base/dir/i\"\r\n");
    expect_absolute("images:\n- &a {location: &l ./x, arch: x86_64}\n- *a\n- location: *l\n",
                    "images:\n- &a {location: &l /base/dir/x, arch: x86_64}\n- *a\n"
                    "- location: /base/dir/x\n");
    /* A value that a merge brings in stands elsewhere: refused. */
    expect_absolute("x: &x {location: y}\nimages:\n- <<: *x\n", NULL);
    expect_absolute("cpus: 2\n", "cpus: 2\n");
}

Test(create, template_names)
{
    static const struct {
        const char *file, *name;
    } cases[] = {{"a.yaml", "a"}, {"b.c.yml", "b.c"}, {"plain", "plain"}};
    _cleanup_world_ struct world w;

    world_init(&w);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_template_ struct template t = TEMPLATE_INIT;
        _cleanup_free_ char *path = path_join(w.dir, cases[i].file);

        cr_assert_eq(file_write_atomic(path, "x: 1\n", 5, 0644, NULL), 0);
        cr_assert_eq(template_read_file(path, &t, NULL), 0);
        cr_expect_str_eq(t.name, cases[i].name);
        cr_expect_str_eq(t.text, "x: 1\n");
        _cleanup_free_ char *real = realpath(w.dir, NULL);
        cr_expect_str_eq(t.base, real);
    }
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_err_ struct err missing = ERR_INIT, directory = ERR_INIT;
    cr_expect_eq(template_read_file("/nonexistent/x.yaml", &t, &missing), -1);
    cr_expect_eq(missing.kind, ERR_NOT_FOUND);
    cr_expect_eq(template_read_file(w.dir, &t, &directory), -1);
    cr_expect_not_null(strstr(directory.msg, "directory"));
}
