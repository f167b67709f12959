/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every text: filling twice changes nothing, what is written reads back, and a text
 * that ends anywhere gives problems with a place, never a crash. The texts are all the goldens,
 * the conformance cases, the templates and the examples. */
#include "fixture.h"
#include "base/fs.h"
#include "config/internal.h"

typedef void text_fn(const char *name, const char *text, size_t len);

static char *source_path(const char *dir)
{
    const char *srcdir = getenv("srcdir");

    return xasprintf("%s/%s", srcdir ? srcdir : ".", dir);
}

/* Calls fn for each file of the directory; returns how many. */
static unsigned for_each_text(const char *dir, const char *suffix, text_fn *fn)
{
    _cleanup_free_ char *path = source_path(dir);
    _cleanup_strv_ struct strv files = STRV_INIT;
    unsigned n = 0;

    cr_assert_eq(dir_list(path, &files, NULL), 0, "no %s: run it by make check or set srcdir",
                 path);
    for (size_t i = 0; i < files.n; i++) {
        _cleanup_free_ char *file = path_join(path, files.v[i]);
        size_t len = 0;

        if (!str_ends(file, suffix))
            continue;
        _cleanup_free_ char *text = file_read(file, 1 << 20, &len, NULL);
        cr_assert_not_null(text, "%s", file);
        fn(file, text, len);
        n++;
    }
    return n;
}

static unsigned for_all_texts(text_fn *fn)
{
    return for_each_text("test/golden/config", ".in.yaml", fn) +
           for_each_text("test/golden/config/rules", ".in.yaml", fn) +
           for_each_text("test/golden/conformance/fill", ".yaml", fn) +
           for_each_text("test/golden/conformance/load", ".yaml", fn) +
           for_each_text("test/golden/conformance/invalid", ".yaml", fn) +
           for_each_text("test/golden/conformance/validate-warn", ".yaml", fn) +
           for_each_text("templates", ".yaml", fn) +
           for_each_text("instances-example", ".yaml", fn);
}

/* The text filled; NULL when there is anything wrong with it. Caller frees. */
static char *fill_valid(const char *name, const char *text, size_t len)
{
    const struct config_input in = {.instance = {.name = name, .text = text, .len = len}};
    struct config_context ctx = test_context();
    _cleanup_config_ struct config c = CONFIG_INIT;

    return config_load(&in, &ctx, &c, NULL, NULL) == 0 ? config_to_yaml(&c.v) : NULL;
}

/* The text filled, without any check: parameters may be named by nothing any more. Caller frees. */
static char *fill_again(const char *name, const char *text, size_t len)
{
    const struct config_layer layer = {.name = name, .text = text, .len = len};
    struct config_context ctx = test_context();
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    if (config_parse(&layer, &c, &d, &err) < 0 || diags_has_errors(&d))
        return NULL;
    config_merge(&c, NULL, NULL, &d);
    config_fill(&c, &ctx, &d);
    c.v.set |= CFG_BIT(instance, vm_type); /* the driver of what was loaded is settled */
    return config_to_yaml(&c.v);
}

static unsigned filled;

static void fill_twice(const char *name, const char *text, size_t len)
{
    _cleanup_free_ char *once = fill_valid(name, text, len), *twice = NULL;

    /* A template that yields a template is the one thing that changes. */
    if (!once || memmem(text, len, "{{`", 3))
        return;
    filled++;
    twice = fill_again(name, once, strlen(once));
    cr_assert_not_null(twice, "%s: what was filled can't be read:\n%s", name, once);
    cr_expect_str_eq(twice, once, "%s: filled twice it is\n%s\nand filled once\n%s", name, twice,
                     once);
}

Test(config_properties, filling_twice_changes_nothing)
{
    for_all_texts(fill_twice);
    cr_expect_gt(filled, 120, "only %u", filled);
}

/* Whatever it is: a configuration, or problems that say where and which rule. */
static void load_any(const char *name, const char *text, size_t len)
{
    const struct config_input in = {.instance = {.name = name, .text = text, .len = len}};
    struct config_context ctx = test_context();
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    const struct diags *said = &d;

    if (config_load(&in, &ctx, &c, &d, &err) < 0) {
        cr_expect_eq(err.kind, ERR_CONFIG);
        said = &err.diags;
    }
    cr_expect_eq(diags_has_errors(said), said != &d, "%s (%zu bytes)", name, len);
    for (size_t i = 0; i < said->n; i++)
        cr_expect(said->v[i].file && said->v[i].kind, "%s (%zu bytes): %s", name, len,
                  said->v[i].msg);
}

static void load_truncated(const char *name, const char *text, size_t len)
{
    unsigned lines = 0;

    for (const char *end = text; end && lines < 200; lines++) {
        end = memchr(end, '\n', len - (size_t)(end - text));
        if (end)
            load_any(name, text, (size_t)(++end - text));
    }
    load_any(name, text, len);
}

Test(config_properties, a_text_may_end_at_any_line)
{
    cr_expect_gt(for_all_texts(load_truncated), 300);
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* names/mac-vectors of the conformance cases: {"path": …, "index": …, "machineID": …} → the
 * address, line by line. */
Test(config_properties, NW_07_addresses_by_machine_and_path)
{
    _cleanup_free_ char *in_path = source_path("test/golden/conformance/names/mac-vectors.in.json");
    _cleanup_free_ char *out_path =
        source_path("test/golden/conformance/names/mac-vectors.out.json");
    size_t in_len = 0, out_len = 0;
    _cleanup_free_ char *in_text = file_read(in_path, 1 << 20, &in_len, NULL);
    _cleanup_free_ char *out_text = file_read(out_path, 1 << 20, &out_len, NULL);
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *in = yaml_doc_parse(in_path, in_text, in_len, &d);
    _cleanup_yaml_doc_ struct yaml_doc *out = yaml_doc_parse(out_path, out_text, out_len, &d);
    const struct yaml_node *rows = yaml_map_get(yaml_doc_root(in), "rows");
    const struct yaml_node *want = yaml_doc_root(out);

    cr_assert(rows && rows->n > 3 && rows->n == want->n);
    for (size_t i = 0; i < rows->n; i++) {
        struct host_facts host = *test_host();
        _cleanup_free_ char *id = xasprintf("%s#%s", yaml_map_get(rows->items[i], "path")->value,
                                            yaml_map_get(rows->items[i], "index")->value);

        host.machine_id = (char *)yaml_map_get(rows->items[i], "machineID")->value;
        _cleanup_free_ char *mac = config_mac_address(&host, id);
        cr_expect_str_eq(mac, yaml_map_get(want->items[i], "mac")->value, "%s", id);
    }
}
