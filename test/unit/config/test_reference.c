/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of values and the reference that is made from them. */
#include "config/reference.h"
#include "config/internal.h"
#include "config/shape.h"
#include <criterion/criterion.h>
#include <stdlib.h>

Test(config_shapes, words_of_arch_are_all)
{
    const struct config_shape *const shapes[] = {&config_shape_arch, &config_shape_instance_arch};

    for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
        cr_assert_eq(config_shape_count(shapes[s]), ARCH_COUNT);
        for (int i = 0; i < ARCH_COUNT; i++)
            cr_expect_str_eq(shapes[s]->words[i], arch_to_string((enum arch)i));
    }
    cr_expect(config_shape_has(&config_shape_instance_arch, "default"));
    cr_expect(config_shape_has(&config_shape_arch, ""));
    cr_expect(!config_shape_has(&config_shape_arch, "default"));
    cr_expect(!config_shape_has(&config_shape_arch, "amd64"));
}

Test(config_shapes, defaults_in_words)
{
    const struct config_field *const rows = config_mount_mapping.fields;
    _cleanup_free_ char *same = config_field_default_text(&rows[CFG_ROW_mount_mount_point]);
    _cleanup_free_ char *plain = config_field_default_text(&rows[CFG_ROW_mount_writable]);
    _cleanup_free_ char *computed =
        config_field_default_text(&config_ninep_mapping.fields[CFG_ROW_ninep_cache]);
    _cleanup_free_ char *empty =
        config_field_default_text(&config_sshfs_mapping.fields[CFG_ROW_sshfs_sftp_driver]);

    cr_expect_str_eq(same, "that of `location`");
    cr_expect_str_eq(plain, "`false`");
    cr_expect_str_eq(computed, "fscache when read-only, mmap when writable");
    cr_expect_str_eq(empty, "empty");
    cr_expect_null(config_field_default_text(&rows[CFG_ROW_mount_location]));
    /* Only what can stand in a YAML is filled in from the row. */
    cr_expect_null(config_field_default(&rows[CFG_ROW_mount_mount_point]));
    cr_expect_null(config_field_default(&config_ninep_mapping.fields[CFG_ROW_ninep_cache]));
    cr_expect_str_eq(config_field_default(&rows[CFG_ROW_mount_writable]), "false");
}

static void expect_type(const struct config_field *f, const char *text)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    config_field_type_text(f, &out);
    cr_expect_str_eq(sbuf_str(&out), text, "%s: %s", f->key, sbuf_str(&out));
}

Test(config_shapes, types_in_words)
{
    const struct config_field *const rows = config_instance_mapping.fields;

    expect_type(&rows[CFG_ROW_instance_os], "`Linux`, `Darwin`, `FreeBSD` or `Windows`");
    expect_type(&rows[CFG_ROW_instance_plain], "`true` or `false`");
    expect_type(&rows[CFG_ROW_instance_env], "mapping of texts");
    expect_type(&rows[CFG_ROW_instance_base], "locator, mapping, or list of these");
    expect_type(&rows[CFG_ROW_instance_additional_disks], "list of names or mappings");
    expect_type(&rows[CFG_ROW_instance_ssh], "mapping");
    expect_type(&rows[CFG_ROW_instance_dns], "list of IP addresses");
    expect_type(&config_disk_mapping.fields[CFG_ROW_disk_fs_args], "list of texts");
    expect_type(&config_provision_mapping.fields[CFG_ROW_provision_mode],
                "`system`, `user`, `boot`, `dependency`, `data`, `yq` or `ansible`");
}

/* Every field is there, with its type and with who uses it. */
static void check_fields(const char *text, const struct config_mapping *m, const char *path)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];
        _cleanup_sbuf_ struct sbuf name = SBUF_INIT, item = SBUF_INIT;

        sbuf_addf(&name, "%s%s%s%s", path, *path ? "." : "", f->key,
                  f->kind == KIND_LIST ? "[]" : "");
        sbuf_addf(&item, "- **`%s`** (", sbuf_str(&name));
        cr_expect(strstr(text, sbuf_str(&item)), "%s is missing", sbuf_str(&name));
        cr_expect(config_field_users(sbuf_str(&name)), "who uses %s?", sbuf_str(&name));
        if (f->sub)
            check_fields(text, f->sub, sbuf_str(&name));
    }
}

Test(config_reference, has_every_field)
{
    _cleanup_free_ char *text = config_reference(PAGE_MARKDOWN, "");

    check_fields(text, &config_instance_mapping, "");
    cr_expect_null(config_field_users("nothing"));
    cr_expect_null(config_field_users("cpu"));
    cr_expect_str_eq(config_field_users("mounts[].9p.cache"), "QEMU, boot scripts");
    cr_expect_str_eq(config_field_users("mounts[].writable"), "QEMU, boot scripts, host agent");
}

Test(config_reference, says_how_values_come_together)
{
    _cleanup_free_ char *text = config_reference(PAGE_MARKDOWN, "");
    static const char *const lines[] = {
        "- **`cpus`** (whole number, 1 or more; 0: the default): Number of CPUs. Default: 4, or all "
        "of the host if it has fewer.  \n"
        "  Layers: the highest that has it. Bases: where it is missing. Used by: QEMU.\n",
        "- **`provision[].owner`** (`USER:GROUP`; guest templates): Owner of the file. Only with "
        "mode `data` or `yq`. Default: root:root.  \n"
        "  Layers, bases: as part of `provision[]`. Used by: boot scripts.\n",
        "Layers: only that of the instance counts. Bases: the higher version counts.",
        "Layers: the highest that has entries. Bases: only where there are no entries.",
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        cr_expect(strstr(text, lines[i]), "%s", lines[i]);
}
