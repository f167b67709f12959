/* SPDX-License-Identifier: Apache-2.0 */
/* What is only filled, what is left to the driver, and the host as it is. */
#include "fixture.h"
#include "base/fs.h"
#include <sys/stat.h>

/* The YAML that a text becomes without being checked; NULL and the problems when it is refused. */
static char *filled(const char *yaml, struct diags *ret)
{
    const struct config_input in = {.instance = {.name = "t", .text = yaml, .len = strlen(yaml)}};
    const struct config_context ctx = test_context();
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    if (config_load_filled(&in, &ctx, &c, ret, &err) == 0)
        return config_to_yaml(&c.v);
    *ret = err.diags;
    err.diags = (struct diags)DIAGS_INIT;
    return NULL;
}

/* What it becomes is shown, whether it is right or not; the driver is left open. */
Test(filled, it_is_not_checked)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT, more = DIAGS_INIT, least = DIAGS_INIT;
    _cleanup_free_ char *wrong = filled("cpus: -3\nmemory: lots\nssh: {localPort: 22}\n", &d);
    _cleanup_free_ char *driver = filled(WITH_IMAGE("vmType: vz\n"), &more);
    _cleanup_free_ char *bare = filled("provision: [{mode: ''}]\nadditionalDisks: [{}]\n"
                                       "images: [{arch: aarch64}]\n",
                                       &least);

    cr_assert(wrong && driver && bare);
    cr_expect(strstr(wrong, "cpus: -3\nmemory: lots\n"));
    cr_expect(strstr(wrong, "localPort: 22\n"));
    cr_expect_not(strstr(wrong, "vmType"), "%s", wrong);
    cr_expect(strstr(driver, "vmType: vz\n"));
    cr_expect(strstr(bare, "- mode: system\n"));
    cr_expect(strstr(bare, "additionalDisks:\n- name: \"\"\n"), "%s", bare);
    cr_expect(strstr(bare, "images:\n- location: \"\"\n  arch: aarch64\n"), "%s", bare);
}

Test(filled, what_can_not_be_read_is_refused)
{
    _cleanup_diags_ struct diags type = DIAGS_INIT, param = DIAGS_INIT;
    _cleanup_free_ char *a = filled("cpus: many\n", &type);
    _cleanup_free_ char *b =
        filled("param: {A: x, B: y}\nmounts: [{location: '/{{.Param.A}}'}]\n", &param);

    cr_expect(!a && !b);
    cr_assert(type.n == 1 && param.n == 1);
    cr_expect_str_eq(type.v[0].kind, "type");
    cr_expect_str_eq(param.v[0].kind, "param-unused");
    cr_expect_str_eq(param.v[0].path, "param.B");
    cr_expect_eq(param.v[0].line, 1);
    cr_expect_eq(param.v[0].col, 15);
}

/* An instance has a driver, also where its YAML leaves that open. */
Test(filled, the_driver_of_an_instance_is_settled)
{
    static const char *const open[] = {WITH_IMAGE(""), WITH_IMAGE("vmType: null\n"),
                                       WITH_IMAGE("vmType: ''\n"), WITH_IMAGE("vmType: default\n")};
    const struct config_context ctx = test_context();

    for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
        _cleanup_config_ struct config c = CONFIG_INIT;
        _cleanup_free_ char *yaml = NULL;

        test_load_ok(open[i], &ctx, &c);
        yaml = config_to_yaml(&c.v);
        cr_expect(strstr(yaml, "vmType: qemu\n"), "%s", open[i]);
    }
}

/* Without a path_kind of its own the context's host is the real one. */
Test(filled, mounts_are_looked_at_on_the_host)
{
    char dir[] = "/tmp/cima-config.XXXXXX";
    struct config_context ctx = test_context();

    ctx.path_kind = NULL;
    cr_assert_not_null(mkdtemp(dir));
    _cleanup_free_ char *file = path_join(dir, "file");
    cr_assert_eq(file_write_atomic(file, "x", 1, 0600, NULL), 0);
    const struct {
        const char *name, *kind; /* NULL: nothing is said */
    } t[] = {{"", NULL},
             {"/file", "mount-location-no-directory"},
             {"/nothing", "mount-location-missing"},
             {"/file/below", "mount-location-unreadable"}};
    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_free_ char *yaml =
            xasprintf(WITH_IMAGE("mounts: [{location: %s%s, mountPoint: /m}]\n"), dir, t[i].name);
        _cleanup_config_ struct config c = CONFIG_INIT;
        _cleanup_diags_ struct diags d = DIAGS_INIT;

        test_load(yaml, &ctx, &c, &d);
        cr_expect_eq(d.n, t[i].kind ? 1 : 0, "%s: %zu", t[i].name, d.n);
        if (d.n && t[i].kind)
            cr_expect_str_eq(d.v[0].kind, t[i].kind);
    }
    unlink(file);
    rmdir(dir);
}
