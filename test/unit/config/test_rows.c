/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the specification about the configuration, and derived values. */
#include "fixture.h"
#include "base/fs.h"

/* ---- what the driver settles ----------------------------------------------------------------- */

static void mount_type_is(const char *yaml, const char *version, const char *want)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    struct config_context ctx = test_context();
    _cleanup_free_ char *out = NULL;

    ctx.existing_version = version;
    test_load_ok(yaml, &ctx, &c);
    cr_expect_str_eq(c.v.mount_type, want, "'%s', version %s", yaml, version ? version : "none");
    /* Resolved for the driver, not written out: there it stays what the YAML says. */
    out = config_to_yaml(&c.v);
    cr_expect_eq(strstr(out, "mountType: reverse") != NULL, strstr(yaml, "mountType: r") != NULL);
    cr_expect_eq(strstr(out, "mountType: default") != NULL, strstr(yaml, "mountType: d") != NULL);
    cr_expect_not(strstr(out, "mountType: 9p"));
}

Test(S1_21_to_23, mount_type_is_resolved)
{
    mount_type_is(WITH_IMAGE(""), NULL, "9p");
    mount_type_is(WITH_IMAGE("mountType: null\n"), NULL, "9p");
    mount_type_is(WITH_IMAGE("mountType: ''\n"), NULL, "9p");
    mount_type_is(WITH_IMAGE("mountType: default\n"), NULL, "9p");
    mount_type_is(WITH_IMAGE("mountTypesUnsupported: [9p]\n"), NULL, "reverse-sshfs");
    mount_type_is(WITH_IMAGE("mountTypesUnsupported: [virtiofs]\n"), NULL, "9p");
    mount_type_is(WITH_IMAGE(""), "", "reverse-sshfs");
    mount_type_is(WITH_IMAGE(""), "0.23.2", "reverse-sshfs");
    mount_type_is(WITH_IMAGE(""), "v0.9.0-12-gabcdef.m", "reverse-sshfs");
    mount_type_is(WITH_IMAGE(""), "1.0.0", "9p");
    mount_type_is(WITH_IMAGE(""), "2.2.0", "9p");
    mount_type_is(WITH_IMAGE("mountType: reverse-sshfs\n"), "2.2.0", "reverse-sshfs");
}

Test(S1_25, a_resolved_type_can_be_refused)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct config_context ctx = test_context();
    const char *said;

    ctx.existing_version = "0.9.0";
    cr_assert_eq(test_load(WITH_IMAGE("mountTypesUnsupported: [reverse-sshfs]\n"), &ctx, &c, &d),
                 -1);
    said = test_message_at(&d, "mountTypesUnsupported");
    cr_assert(said && strstr(said, "mount type `reverse-sshfs` is explicitly unsupported"));
}

/* A list shows it all the same: only a driver settles the type. */
Test(S1_25, a_list_does_not_look_at_a_resolved_type)
{
    _cleanup_config_ struct config c = CONFIG_INIT, given = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT, more = DIAGS_INIT;
    struct config_context ctx = test_context();

    ctx.existing_version = "0.9.0";
    ctx.only_listed = true;
    cr_expect_eq(test_load(WITH_IMAGE("mountTypesUnsupported: [reverse-sshfs]\n"), &ctx, &c, &d),
                 0);
    cr_expect_eq(test_load(WITH_IMAGE("mountTypesUnsupported: [9p]\nmountType: 9p\n"), &ctx, &given,
                           &more), -1);
}

Test(S1_07_H1, a_given_type_can_be_refused)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    const struct config_context ctx = test_context();
    const char *said;

    cr_assert_eq(
        test_load(WITH_IMAGE("mountType: 9p\nmountTypesUnsupported: [9p]\n"), &ctx, &c, &d), -1);
    said = test_message_at(&d, "mountType");
    cr_assert(said && strstr(said, "mount type `9p` is explicitly unsupported"));
}

Test(S1_13_14_24, values_without_a_bit)
{
    _cleanup_config_ struct config c = CONFIG_INIT, s = CONFIG_INIT;
    const struct config_context ctx = test_context();
    _cleanup_free_ char *out = NULL;

    test_load_ok(WITH_IMAGE("mountType: virtiofs\nmounts:\n- location: /a\n"
                            "- {location: /b, virtiofs: {queueSize: 64}}\n"),
                 &ctx, &c);
    cr_expect_str_eq(c.v.vm_type, "qemu");
    cr_expect_str_eq(c.v.video.vnc.display, "127.0.0.1:0,to=9");
    cr_expect_eq(c.v.mounts[0].virtiofs.queue_size, 1024);
    cr_expect_eq(c.v.mounts[1].virtiofs.queue_size, 64);
    out = config_to_yaml(&c.v);
    cr_expect_not(strstr(out, "vnc"));
    cr_expect_not(strstr(out, "1024"));
    cr_expect(strstr(out, "queueSize: 64"));
    test_load_ok(WITH_IMAGE("mounts: [{location: /a}]\n"), &ctx, &s);
    cr_expect_eq(s.v.mounts[0].virtiofs.queue_size, 0);
}

Test(S1_16_to_19, deprecated_cpu_type)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    const struct config_context ctx = test_context();

    cr_assert_eq(test_load(WITH_IMAGE("cpuType: {x86_64: Nehalem, aarch64: '', riscv64: rv64, "
                                      "s390x: max}\n"
                                      "vmOpts: {qemu: {cpuType: {x86_64: Haswell, s390x: max}}}\n"),
                           &ctx, &c, &d), 0);
    cr_expect_str_eq(config_cpu_type(&c.v, ARCH_X86_64), "Haswell");
    cr_expect_str_eq(config_cpu_type(&c.v, ARCH_RISCV64), "rv64");
    cr_expect_null(config_cpu_type(&c.v, ARCH_AARCH64));
    cr_assert_eq(d.n, 2, "one deprecation, one conflict");
    cr_expect(strstr(d.v[0].msg, "The top-level `cpuType` field is deprecated"));
    cr_expect(strstr(d.v[1].msg, "Conflicting cpuType for arch `x86_64`: top-level=`Nehalem`, "
                                 "vmOpts.qemu=`Haswell`; using vmOpts.qemu value"));
}

Test(S1_10, vz_nat_is_ignored)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    const struct config_context ctx = test_context();

    cr_assert_eq(test_load(WITH_IMAGE("networks: [{vzNAT: true}]\n"), &ctx, &c, &d), 0);
    cr_assert_eq(d.n, 1);
    cr_expect_str_eq(d.v[0].msg, "vmType qemu: ignoring networks[0]: [vzNAT]");
}

Test(S1_11_12, qemu_options)
{
    static const struct {
        const char *yaml, *path;
    } rows[] = {
        {"vmOpts: {qemu: {cpuType: [a]}}\n", "vmOpts.qemu.cpuType"},
        {"vmOpts: {qemu: {minimumVersion: [1]}}\n", "vmOpts.qemu.minimumVersion"},
        {"vmOpts: {qemu: x}\n", "vmOpts.qemu"},
        {"vmOpts: {qemu: {minimumVersion: '8.2'}}\n", "vmOpts.qemu.minimumVersion"},
        {"vmOpts: {qemu: {minimumVersion: v8.2.0}}\n", "vmOpts.qemu.minimumVersion"},
        {"vmOpts: {qemu: {minimumVersion: ''}}\n", "vmOpts.qemu.minimumVersion"},
    };
    const struct config_context ctx = test_context();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_config_ struct config c = CONFIG_INIT;
        _cleanup_diags_ struct diags d = DIAGS_INIT;
        _cleanup_free_ char *yaml = xasprintf("images: [{location: /i}]\n%s", rows[i].yaml);

        cr_expect_eq(test_load(yaml, &ctx, &c, &d), -1, "%s", rows[i].yaml);
        cr_expect_not_null(test_message_at(&d, rows[i].path), "%s", rows[i].yaml);
    }
}

/* ---- derived values -------------------------------------------------------------------------- */

Test(NW_07, mac_address)
{
    static const struct {
        const char *machine, *id, *mac;
    } rows[] = {
        /* printf '%s' MACHINE ID | sha256sum | head -c 6 */
        {"00112233445566778899aabbccddeeff", "/home/kim/.lima/demo", "52:55:55:de:e5:7b"},
        {"00112233445566778899aabbccddeeff", "/home/kim/.lima/demo/lima.yaml#0",
         "52:55:55:23:96:76"},
        {"workshop", "/x/lima.yaml#12", "52:55:55:b2:4c:08"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct host_facts host = {.machine_id = (char *)rows[i].machine};
        _cleanup_free_ char *mac = config_mac_address(&host, rows[i].id);

        cr_expect_str_eq(mac, rows[i].mac);
    }
}

Test(SD_34, mount_tag)
{
    const struct config_mount m = {.location = (char *)"/home/kim",
                                   .mount_point = (char *)"/mnt/kim"};
    _cleanup_free_ char *tag = config_mount_tag(&m);

    /* printf '%s' /home/kim:/mnt/kim | sha256sum | head -c 16 */
    cr_expect_str_eq(tag, "lima-1a3d5195b2c021ef");
}

Test(config_derived, mac_spellings)
{
    static const char *const good[] = {"02:11:22:aA:44:fF", "02-11-22-aa-44-ff", "0211.22aA.44ff",
                                       "021122aa44ff"};
    static const char *const bad[] = {
        "", "0:11:22:aa:44:ff", "02:11:22:aa:44", "02:11:22:aa:44:0g", "02:11:22-aa:44:ff",
        "02:11:22:aa:44:ff:00:01", " 02:11:22:aa:44:f", "0211:22aa:44ff", "02112.2aa.44ff",
        "021122aa44f", "021122aa44ff0"};
    static const uint8_t want[6] = {0x02, 0x11, 0x22, 0xaa, 0x44, 0xff};

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        uint8_t mac[6] = {0};

        const struct config_network n = {.mac_address = (char *)good[i]};
        _cleanup_free_ char *usual = config_network_mac(&n);

        cr_expect_eq(config_parse_mac(good[i], mac), 0, "%s", good[i]);
        cr_expect_str_eq(usual, "02:11:22:aa:44:ff");
        cr_expect_arr_eq(mac, want, 6);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint8_t mac[6];

        cr_expect_eq(config_parse_mac(bad[i], mac), -1, "%s", bad[i]);
    }
}

Test(config_derived, instance_names)
{
    static const char *const good[] = {"a", "A1", "a-b", "a_b.c", "0", "x.yml.z", "default"};
    static const char *const bad[] = {"", "-a", "a-", "a--b", "a..b", "a b", "a/b", "..", "x.yaml",
                                      "x.YML", "ü", "a+b", "_config", "a\tb",
                                      "a@b"};
    _cleanup_free_ char *hostname = config_hostname("a_b.c-d"), *name = xcalloc(1, 78);

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        cr_expect_null(config_instance_name_problem(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        cr_expect_not_null(config_instance_name_problem(bad[i]), "%s", bad[i]);
    memset(name, 'a', 76);
    cr_expect_null(config_instance_name_problem(name));
    name[76] = 'a';
    cr_expect_not_null(config_instance_name_problem(name));
    cr_expect_str_eq(hostname, "lima-a-b-c-d");
}

Test(config_derived, sizes_and_arch)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    const struct config_context ctx = test_context();

    test_load_ok(WITH_IMAGE("memory: 1.5GiB\ndisk: 12g\narch: aarch64\n"), &ctx, &c);
    cr_expect_eq(config_memory_bytes(&c.v), UINT64_C(1610612736));
    cr_expect_eq(config_disk_bytes(&c.v), UINT64_C(12) << 30);
    cr_expect_eq(config_arch(&c.v), ARCH_AARCH64);
}

/* ---- host facts ------------------------------------------------------------------------------ */

Test(config_fill, small_host)
{
    _cleanup_config_ struct config c = CONFIG_INIT;
    struct config_context ctx = test_context();
    struct host_facts host = *test_host();

    host.cpus = 2;
    host.memory_bytes = UINT64_C(3) << 30;
    host.timezone = (char *)"";
    ctx.host = &host;
    test_load_ok(WITH_IMAGE(""), &ctx, &c);
    cr_expect_eq(c.v.cpus, 2);
    cr_expect_eq(config_memory_bytes(&c.v), UINT64_C(3) << 29);
    cr_expect_str_eq(c.v.timezone, "");
}

/* root has no account to copy; nor does a name that useradd refuses. */
Test(config_fill, user_of_the_guest)
{
    _cleanup_config_ struct config root = CONFIG_INIT, odd = CONFIG_INIT;
    struct config_context ctx = test_context();
    struct host_facts host = *test_host();

    host.uid = 0;
    host.user = (char *)"root";
    ctx.host = &host;
    test_load_ok(WITH_IMAGE(""), &ctx, &root);
    cr_expect_str_eq(root.v.user.name, "lima");
    cr_expect_eq(root.v.user.uid, 1000);
    cr_expect_str_eq(root.v.user.home, "/home/lima.guest");
    host.uid = 1234;
    host.user = (char *)"Kim.Example";
    test_load_ok(WITH_IMAGE(""), &ctx, &odd);
    cr_expect_str_eq(odd.v.user.name, "lima");
    cr_expect_eq(odd.v.user.uid, 1234);
}

/* null, absent and empty are three things. */
Test(config_parse, null_absent_empty)
{
    static const char text[] = "cpus: null\nmounts: []\nmessage: ''\nenv: ~\nmemory: 'null'\n";
    const struct config_layer layer = {"t.yaml", text, sizeof(text) - 1, NULL};
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(config_parse(&layer, &c, &d, &err), 0);
    cr_expect_eq(d.n, 0);
    cr_expect_eq(c.v.null, CFG_BIT(instance, cpus) | CFG_BIT(instance, env));
    cr_expect_eq(c.v.set, CFG_BIT(instance, mounts) | CFG_BIT(instance, message) |
                              CFG_BIT(instance, memory));
    cr_expect_eq(c.v.mounts_count, 0);
    cr_expect_str_eq(c.v.message, "");
    cr_expect_str_eq(c.v.memory, "null");
}

/* Written out and read again, a filled configuration is the same. */
Test(config_output, yaml_reads_back)
{
    static const char yaml[] = WITH_IMAGE(
        "mounts: [{location: '~'}]\nportForwards: [{guestPort: 80}]\n"
        "provision: [{script: \"a\\n b\\n\"}]\nmessage: \"{{.Name}}: 'x'\"\n"
        "vmOpts: {vz: {a: [1, 'two', null]}}\nenv: {K: '1.10', \"é\": \"\\t\"}\n"
        "networks: [{lima: user-v2}]\nadditionalDisks: [a, {name: b, fsArgs: [-L, x]}]\n");
    _cleanup_config_ struct config a = CONFIG_INIT, b = CONFIG_INIT;
    const struct config_context ctx = test_context();

    test_load_ok(yaml, &ctx, &a);
    _cleanup_free_ char *first = config_to_yaml(&a.v);
    test_load_ok(first, &ctx, &b);
    _cleanup_free_ char *second = config_to_yaml(&b.v);
    cr_expect_str_eq(first, second);
    _cleanup_free_ char *json = config_to_json(&a.v);
    _cleanup_config_ struct config c = CONFIG_INIT;
    test_load_ok(json, &ctx, &c);
    _cleanup_free_ char *third = config_to_yaml(&c.v);
    cr_expect_str_eq(first, third);
}

/* ---- the rows themselves --------------------------------------------------------------------- */

static void check_mapping(const struct config_mapping *m, unsigned depth)
{
    cr_assert_lt(depth, 8);
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];

        cr_expect(!str_empty(f->summary), "%s.%s has no summary", m->name, f->key);
        cr_expect_lt(f->offset, m->size);
        cr_expect_eq(f->sub != NULL, f->kind == KIND_SUB || f->kind == KIND_LIST, "%s.%s", m->name,
                     f->key);
        cr_expect_eq(f->words != NULL, f->kind == KIND_ENUM);
        for (size_t k = 0; k < i; k++)
            cr_expect_str_neq(f->key, m->fields[k].key, "%s has %s twice", m->name, f->key);
        if (f->sub)
            check_mapping(f->sub, depth + 1);
    }
}

Test(config_rows, are_complete)
{
    check_mapping(&config_instance_mapping, 0);
}

/* schemas/cima.schema.json is made from the rows: `CIMA_UPDATE_GOLDEN=1 ./test_config`. */
Test(config_rows, json_schema_is_current)
{
    const char *srcdir = getenv("srcdir");
    _cleanup_free_ char *path = xasprintf("%s/schemas/cima.schema.json", srcdir ? srcdir : ".");
    _cleanup_free_ char *schema = config_json_schema(), *file = NULL;

    if (getenv("CIMA_UPDATE_GOLDEN"))
        file_write_atomic(path, schema, strlen(schema), 0644, NULL);
    file = file_read(path, 1 << 20, NULL, NULL);
    cr_expect_str_eq(schema, file ? file : "");
}

Test(config_rows, enums_round_trip)
{
    for (int i = 1; i < PROVISION_MODE_COUNT; i++) {
        enum provision_mode mode = PROVISION_UNSET;

        cr_expect_eq(provision_mode_from_string(provision_mode_to_string((enum provision_mode)i),
                                                &mode), 0);
        cr_expect_eq((int)mode, i);
    }
}
