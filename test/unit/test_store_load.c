/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of an instance: its YAML, the files of _config around it, its version. */
#include "store/store.h"
#include "store_fixture.h"

TestSuite(load, .timeout = 600);

#define IMAGES "images: [{location: /images/disk.qcow2, arch: x86_64}]\n"

static void put_config(const struct fixture *f, const char *name, const char *text)
{
    _cleanup_free_ char *path = store_config_path(&f->store, name);
    put_file(path, text);
}

static int load(struct fixture *f, const struct instance *in, struct config *c, struct err *err)
{
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    return instance_load_config(&f->store, in, &f->host, c, &warnings, err);
}

Test(load, layers_of_config)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    put_in(&in, INST_LIMA_YAML, IMAGES "cpus: 3\n");
    put_config(&f, "default.yaml", "cpus: 7\nmemory: 3GiB\n");
    put_config(&f, "override.yaml", "disk: 9GiB\n");
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(load(&f, &in, &c, &e), 0, "%s", e.msg);
    cr_expect_eq(c.v.cpus, 3);
    cr_expect_str_eq(c.v.memory, "3GiB");
    cr_expect_str_eq(c.v.disk, "9GiB");
}

Test(load, S1_23_version_of_the_instance)
{
    static const struct {
        const char *version; /* NULL: no file */
        const char *mount_type;
    } cases[] = {
        {"2.2.0\n", "9p"}, {"1.0.0", "9p"}, {"0.23.2\n", "reverse-sshfs"}, {NULL, "reverse-sshfs"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _fixture_ struct fixture f = fixture_new();
        _cleanup_instance_ struct instance in = make_instance(&f, "vm");
        put_in(&in, INST_LIMA_YAML, IMAGES);
        if (cases[i].version)
            put_in(&in, INST_LIMA_VERSION, cases[i].version);
        _cleanup_config_ struct config c = CONFIG_INIT;
        _cleanup_err_ struct err e = ERR_INIT;
        cr_assert_eq(load(&f, &in, &c, &e), 0, "%s", e.msg);
        cr_expect_str_eq(c.v.mount_type, cases[i].mount_type, "case %zu", i);
    }
}

Test(load, a_template_is_no_old_instance)
{
    _fixture_ struct fixture f = fixture_new();
    const struct config_layer layer = {"new.yaml", IMAGES, strlen(IMAGES), NULL};
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_load_template(&f.store, "vm", &layer, &f.host, &c, &warnings, &e), 0, "%s",
                 e.msg);
    cr_expect_str_eq(c.v.mount_type, "9p");
}

Test(load, F10_what_is_broken_is_named)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT, e3 = ERR_INIT, e4 = ERR_INIT;
    put_in(&in, INST_LIMA_YAML, "cpus: [\n");
    cr_assert_eq(load(&f, &in, &c, &e1), -1);
    expect_message(&e1, "lima.yaml");
    expect_message(&e1, "loading instance `vm`");

    put_in(&in, INST_LIMA_YAML, IMAGES);
    put_config(&f, "default.yaml", "cpus: many\n");
    cr_assert_eq(load(&f, &in, &c, &e2), -1);
    expect_message(&e2, "default.yaml");
    put_config(&f, "default.yaml", "");

    _cleanup_free_ char *yaml = instance_path(&in, INST_LIMA_YAML);
    cr_assert_eq(unlink(yaml), 0);
    cr_assert_eq(load(&f, &in, &c, &e3), -1);
    cr_expect_eq(e3.kind, ERR_NOT_FOUND);
    expect_message(&e3, "instance `vm` has no readable lima.yaml");

    put_in(&in, INST_LIMA_YAML, IMAGES);
    _cleanup_free_ char *version = instance_path(&in, INST_LIMA_VERSION);
    cr_assert_eq(mkdir(version, 0700), 0);
    cr_assert_eq(load(&f, &in, &c, &e4), -1);
    expect_message(&e4, "lima-version");
}

Test(load, a_yaml_that_is_too_large)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    const size_t len = (4u << 20) + 1;
    _cleanup_free_ char *text = xmalloc(len), *yaml = instance_path(&in, INST_LIMA_YAML);
    memset(text, '#', len);
    put_bytes(yaml, text, len);
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(load(&f, &in, &c, &e), -1);
    expect_message(&e, "lima.yaml");
}
