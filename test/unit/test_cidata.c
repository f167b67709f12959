/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of the seed (GS-01 to GS-08, GS-12): goldens, and rules one by one. */
#include "cidata_fixture.h"
#include "base/log.h"
#include "base/sbuf.h"
#include "sys/spawn.h"
#include "tmpdir.h"
#include "yaml/doc.h"
#include <sys/mman.h>

TestSuite(cidata, .timeout = 600);

static struct cidata plan(struct seed *s)
{
    struct cidata c = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    if (cidata_plan(&s->in, &c, &e) < 0) {
        _cleanup_free_ char *text = err_text(&e);
        cr_assert_fail("%s", text);
    }
    return c;
}

static const char *text_of(const struct cidata *c, const char *name)
{
    const struct cidata_file *f = cidata_find(c, name);
    cr_assert_not_null(f, "no '%s' on the seed", name);
    return f->data;
}

static struct yaml_doc *parse(const char *name, const char *text)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct yaml_doc *doc = yaml_doc_parse(name, text, strlen(text), &d);
    cr_assert_not_null(doc, "%s is no YAML: %s\n%s", name, d.n ? d.v[0].msg : "", text);
    return doc;
}

/* ---- goldens -------------------------------------------------------------------------------- */

/* The scripts of ours inside user-data have a life of their own: cut to "(NAME)". */
static char *without_script(const char *text, const char *indent, const char *name)
{
    _cleanup_sbuf_ struct sbuf block = SBUF_INIT;
    const struct embedded_file *f = cidata_script(name);
    for (const char *p = f->data, *end = p + f->len; p < end; p++) {
        if ((p == f->data || p[-1] == '\n') && *p != '\n')
            sbuf_addstr(&block, indent);
        sbuf_addch(&block, *p);
    }
    const char *at = strstr(text, sbuf_str(&block));
    if (!at)
        return xstrdup(text);
    return xasprintf("%.*s%s(%s)\n%s", (int)(at - text), text, indent, name, at + block.len);
}

static void compare_golden(const char *dir, const char *name, const char *text)
{
    _cleanup_free_ char *path = path_join(dir, name);
    if (getenv("GOLDEN_UPDATE")) {
        cr_assert_eq(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
        return;
    }
    _cleanup_free_ char *expected = file_read(path, 1u << 20, NULL, NULL);
    cr_assert_not_null(expected, "%s is missing (GOLDEN_UPDATE=1 makes it)", path);
    cr_expect(streq(text, expected), "%s differs; now it is:\n%s", path, text);
}

static void check_golden(const char *name, const char *const *proxy_env)
{
    _cleanup_free_ char *root = source_path("test/golden/cidata"), *dir = path_join(root, name);
    _cleanup_free_ char *yaml_path = path_join(dir, "lima.yaml");
    _cleanup_free_ char *yaml = file_read(yaml_path, 1u << 20, NULL, NULL);
    cr_assert_not_null(yaml, "reading %s", yaml_path);
    _seed_ struct seed *s = seed_new(yaml);
    s->in.proxy_env = proxy_env;
    _cleanup_cidata_ struct cidata c = plan(s);
    _cleanup_sbuf_ struct sbuf names = SBUF_INIT;
    for (size_t i = 0; i < c.n; i++) {
        const struct cidata_file *f = &c.v[i];
        bool embedded = cidata_script(f->name) != NULL;
        if (!embedded)
            sbuf_addf(&names, "%o %s\n", f->mode, f->name);
        if (embedded || strchr(f->name, '/'))
            continue;
        _cleanup_free_ char *t1 = without_script(f->data, "      ", "lima.boot.sh");
        _cleanup_free_ char *t4 = without_script(t1, "    ", "lima.nics.sh");
        _cleanup_free_ char *t3 = without_script(t4, "    ", "lima.early.sh");
        _cleanup_free_ char *t2 = without_script(t3, "    ", "lima.bootcmd.sh");
        /* The id is a hash over the scripts, too. */
        char *id = streq(f->name, "meta-data") ? strstr(t2, "iid-") : NULL;
        if (id)
            memset(id + 4, '0', 32);
        compare_golden(dir, f->name, t2);
    }
    compare_golden(dir, "files", sbuf_str(&names));
}

Test(cidata, golden_small)
{
    check_golden("small", NULL);
}

Test(cidata, golden_full)
{
    static const char *const env[] = {"PATH=/bin", "HTTPS_PROXY=http://user:pw@localhost:8080/",
                                      NULL};
    check_golden("full", env);
}

/* ---- what the files say --------------------------------------------------------------------- */

static const struct yaml_node *at(const struct yaml_node *node, const char *key, size_t index)
{
    const struct yaml_node *list = yaml_map_get(node, key);
    cr_assert_not_null(list, "no %s", key);
    cr_assert_eq(list->type, YAML_SEQ);
    cr_assert_lt(index, list->n);
    return list->items[index];
}

static const char *scalar(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = yaml_map_get(map, key);
    cr_assert_not_null(n, "no %s", key);
    cr_assert_eq(n->type, YAML_SCALAR);
    return n->value;
}

Test(cidata, GS04_user_data_is_yaml_with_the_scripts_unchanged)
{
    _seed_ struct seed *s = seed_new(IMAGES "provision: [{mode: boot, script: '#!/bin/sh'}]\n");
    _cleanup_cidata_ struct cidata c = plan(s);
    const char *text = text_of(&c, "user-data");
    cr_expect_eq(strncmp(text, "#cloud-config\n", 14), 0);
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse("user-data", text);
    const struct yaml_node *root = yaml_doc_root(doc), *file = at(root, "write_files", 0);
    cr_expect_str_eq(scalar(file, "path"), "/var/lib/cloud/scripts/per-boot/00-lima.boot.sh");
    cr_expect_str_eq(scalar(file, "permissions"), "0755");
    _cleanup_free_ char *path = source_path("src/cidata/scripts/lima.boot.sh");
    _cleanup_free_ char *boot = file_read(path, 1u << 20, NULL, NULL);
    cr_expect_str_eq(scalar(file, "content"), boot);
    static const char *const entries[] = {"lima.nics.sh", "lima.early.sh", "lima.bootcmd.sh"};
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        _cleanup_free_ char *name = xasprintf("src/cidata/scripts/%s", entries[i]);
        _cleanup_free_ char *path2 = source_path(name);
        _cleanup_free_ char *entry = file_read(path2, 1u << 20, NULL, NULL);
        const char *is = at(root, "bootcmd", i)->value;
        size_t len = strlen(entry);

        cr_expect(strncmp(is, entry, len) == 0, "%s: %s", entries[i], is);
        cr_expect(i == 0 ? str_starts(is + len, "lima_name_nics 5") : !is[len], "%s", is + len);
    }
}

/* Where a name that cloud-init gives does not come to be. */
Test(cidata, GS04_bootcmd_names_the_interfaces)
{
    _seed_ struct seed *s =
        seed_new(IMAGES "networks:\n"
                        "- {socket: /a, macAddress: '52:55:55:AB:CD:EF', interface: a}\n"
                        "- {socket: /b, interface: \"\\xe4\"}\n");
    s->config.v.networks[0].interface = (char *)"a'b$c";
    _cleanup_cidata_ struct cidata c = plan(s);
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse("user-data", text_of(&c, "user-data"));
    const char *call = strstr(at(yaml_doc_root(doc), "bootcmd", 0)->value, "\nlima_name_nics ");
    _cleanup_free_ char *mac0 = config_eth0_mac(s->in.cfg, s->in.host, s->in.instance_dir);
    _cleanup_free_ char *expected =
        xasprintf("\nlima_name_nics %s=eth0 '52:55:55:ab:cd:ef=a'\\''b$c'\n", mac0);

    cr_assert_not_null(call);
    cr_expect_str_eq(call, expected);
}

/* cloud-init upgrades packages in its last stage, and our scripts come after that. */
Test(cidata, GS04_bootcmd_has_what_is_needed)
{
    _seed_ struct seed *s = seed_new(IMAGES "provision: [{mode: system, script: '#!/bin/sh'}]\n");
    _cleanup_cidata_ struct cidata c = plan(s);
    cr_expect_not_null(strstr(text_of(&c, "user-data"), "systemd-run"));
    cr_expect_null(strstr(text_of(&c, "user-data"), "boot.sh\" bootcmd"));
    _seed_ struct seed *s2 = seed_new(IMAGES "upgradePackages: true\n");
    _cleanup_cidata_ struct cidata c2 = plan(s2);
    cr_expect_null(strstr(text_of(&c2, "user-data"), "systemd-run"));
}

/* A switch of Lima's template of Ubuntu 26.04. */
Test(cidata, no_interface_is_waited_for_where_a_parameter_says_so)
{
    static const char networks[] = "networks: [{lima: user-v2, interface: a}, {lima: user-v2}]\n";
    static const struct {
        const char *param, *optional; /* NULL: the key is not there */
    } rows[] = {{"\"true\"", "true"}, {"true", "true"}, {"\"false\"", NULL}, {"\"\"", NULL}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *yaml = xasprintf(IMAGES "param: {internal_netplanOptional: %s}\n%s",
                                              rows[i].param, networks);
        _seed_ struct seed *s = seed_new(yaml);
        _cleanup_cidata_ struct cidata c = plan(s);
        _cleanup_yaml_doc_ struct yaml_doc *doc =
            parse("network-config", text_of(&c, "network-config"));
        const struct yaml_node *all = yaml_map_get(yaml_doc_root(doc), "ethernets");

        cr_expect_eq(all->n, 2);
        for (size_t k = 0; k < all->n; k++) {
            const struct yaml_node *is = yaml_map_get(all->pairs[k].value, "optional");

            cr_expect(streq0(is ? is->value : NULL, rows[i].optional) || (!is && !rows[i].optional),
                      "%s: %s", rows[i].param, is ? is->value : "(none)");
        }
    }
}

Test(cidata, S11_values_of_the_user_come_back_as_they_were)
{
    static const char *const comments[] = {
        "plain",
        "with \"quotes\" and 'others'",
        "back\\slash \\n \\x41",
        "# no comment",
        "- item",
        "{a}",
        "[a]",
        "%x",
        "@x",
        "`id`",
        "$(id)",
        " leading and trailing ",
        "true",
        "~",
        "\xc3\xa4\xc3\xb6 \xe2\x82\xac \xf0\x9f\x98\x80",
        "*alias &anchor !tag | >",
        "a, b",
    };
    for (size_t i = 0; i < ARRAY_SIZE(comments); i++) {
        _seed_ struct seed *s = seed_new(IMAGES);
        s->config.v.user.comment = (char *)comments[i];
        _cleanup_cidata_ struct cidata c = plan(s);
        _cleanup_yaml_doc_ struct yaml_doc *doc = parse("user-data", text_of(&c, "user-data"));
        cr_expect_str_eq(scalar(at(yaml_doc_root(doc), "users", 0), "gecos"), comments[i]);
    }
}

Test(cidata, S11_encoder_takes_any_text)
{
    /* Every character of the first 300, and some far away ones, alone and between others. */
    for (uint32_t c = 1; c < 0x3000; c += c < 300 || (c >= 0x2020 && c < 0x2040) ? 1 : 101) {
        char text[16];
        size_t n = 0;
        text[n++] = 'a';
        if (c < 0x80) {
            text[n++] = (char)c;
        } else if (c < 0x800) {
            text[n++] = (char)(0xc0 | c >> 6);
            text[n++] = (char)(0x80 | (c & 63));
        } else {
            text[n++] = (char)(0xe0 | c >> 12);
            text[n++] = (char)(0x80 | (c >> 6 & 63));
            text[n++] = (char)(0x80 | (c & 63));
        }
        text[n++] = ' ';
        text[n] = '\0';
        _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
        sbuf_addstr(&out, "k: ");
        cr_assert_eq(yaml_add_quoted(&out, text, "x", NULL), 0);
        cr_expect_null(strchr(out.buf, '\n'));
        _cleanup_yaml_doc_ struct yaml_doc *doc = parse("text", out.buf);
        cr_expect_str_eq(scalar(yaml_doc_root(doc), "k"), text, "U+%04X", c);
    }
}

Test(cidata, S11_encoder_refuses_bytes_that_are_no_text)
{
    static const char *const bad[] = {"\xff", "\xc3", "a\x80", "\xed\xa0\x80", "\xc0\x80"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
        _cleanup_err_ struct err e = ERR_INIT;
        cr_expect_eq(yaml_add_quoted(&out, bad[i], "the text", &e), -1);
        expect_error(&e, "the text is not valid UTF-8");
    }
}

struct hostile {
    const char *what;
    void (*set)(struct seed *s);
};

static char *const two_lines[] = {(char *)"x\ny"};
static const char *const bad_key[] = {"ssh-ed25519 AAAA x\nssh-rsa BBBB y"};
static struct config_kv bad_env = {(char *)"A", (char *)"1\nLIMA_CIDATA_UID=0"};
static struct config_kv bad_env_name = {(char *)"A B", (char *)"1"};
static struct config_kv bad_param = {(char *)"A", (char *)"1\n2"};

static void hostile_user(struct seed *s)
{
    s->config.v.user.name = (char *)"root:x:0";
}
static void hostile_user_line(struct seed *s)
{
    s->config.v.user.name = two_lines[0];
}
static void hostile_comment(struct seed *s)
{
    s->config.v.user.comment = (char *)"x:y";
}
static void hostile_home(struct seed *s)
{
    s->config.v.user.home = two_lines[0];
}
static void hostile_shell(struct seed *s)
{
    s->config.v.user.shell = (char *)"/bin/sh\r";
}
static void hostile_key(struct seed *s)
{
    s->in.ssh_keys = bad_key;
}
static void hostile_env(struct seed *s)
{
    s->config.v.env = &bad_env;
    s->config.v.env_count = 1;
}
static void hostile_env_name(struct seed *s)
{
    s->config.v.env = &bad_env_name;
    s->config.v.env_count = 1;
}
static void hostile_param(struct seed *s)
{
    s->config.v.param = &bad_param;
    s->config.v.param_count = 1;
}

Test(cidata, S11_values_that_can_not_be_encoded_are_refused)
{
    static const struct hostile cases[] = {
        {"user.name", hostile_user},       {"user.name", hostile_user_line},
        {"user.comment", hostile_comment}, {"user.home", hostile_home},
        {"user.shell", hostile_shell},     {"the ssh public key", hostile_key},
        {"env: A", hostile_env},           {"can't be the name of a variable", hostile_env_name},
        {"param: PARAM_A", hostile_param},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _seed_ struct seed *s = seed_new(IMAGES);
        struct cidata c = {0};
        _cleanup_err_ struct err e = ERR_INIT;
        cases[i].set(s);
        cr_assert_eq(cidata_plan(&s->in, &c, &e), -1, "case %zu", i);
        cr_expect_eq(e.kind, ERR_CONFIG);
        expect_error(&e, cases[i].what);
    }
}

Test(cidata, S11_fstab_fields)
{
    static const char *const cases[][2] = {
        {"/mnt/x", "/mnt/x"}, {"/a b\tc", "/a\\040b\\011c"}, {"\\", "\\134"}, {"a\nb", "a\\012b"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *s = fstab_escape(cases[i][0]);
        cr_expect_str_eq(s, cases[i][1]);
    }
}

/* ---- meta-data, numbering ------------------------------------------------------------------- */

static char *instance_id_of(struct seed *s)
{
    _cleanup_cidata_ struct cidata c = plan(s);
    const char *text = text_of(&c, "meta-data");
    cr_assert_eq(strncmp(text, "instance-id: iid-", 17), 0);
    return xstrndup(text + 13, strcspn(text + 13, "\n"));
}

Test(cidata, instance_id_is_of_the_content_not_of_the_start)
{
    _seed_ struct seed *s = seed_new(IMAGES);
    _cleanup_free_ char *first = instance_id_of(s);
    s->in.boot_id = "iid-another";
    s->in.udp_dns_port = 1234;
    _cleanup_free_ char *second = instance_id_of(s);
    cr_expect_str_eq(first, second);
    static const char *const keys[] = {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther lima"};
    s->in.ssh_keys = keys;
    _cleanup_free_ char *third = instance_id_of(s);
    cr_expect_str_neq(first, third);
    s->in.ssh_keys = test_keys;
    s->in.instance_name = "vm2";
    _cleanup_free_ char *fourth = instance_id_of(s);
    cr_expect_str_neq(first, fourth);
}

Test(cidata, GS08_markers_hold_the_id_of_the_boot)
{
    _seed_ struct seed *s = seed_new(IMAGES);
    _cleanup_cidata_ struct cidata c = plan(s);
    cr_expect_str_eq(c.iid, "iid-test");
    cr_expect_not_null(strstr(text_of(&c, "lima.env"), "\nLIMA_CIDATA_IID=iid-test\n"));
}

Test(cidata, GS03_numbers_are_positions_in_the_list)
{
    _seed_ struct seed *s = seed_new(IMAGES "provision:\n"
                                            "- {mode: user, script: '#!/bin/sh\n\n\n  a'}\n"
                                            "- {mode: system, script: '#!/bin/sh b'}\n"
                                            "- {mode: user, script: '#!/bin/sh c'}\n");
    _cleanup_cidata_ struct cidata c = plan(s);
    cr_expect_not_null(strstr(text_of(&c, "provision.user/00000000"), "a"));
    cr_expect_str_eq(text_of(&c, "provision.system/00000001"), "#!/bin/sh b");
    cr_expect_str_eq(text_of(&c, "provision.user/00000002"), "#!/bin/sh c");
    cr_expect_null(cidata_find(&c, "provision.user/00000001"));
}

Test(cidata, GS02_every_script_is_on_the_seed_byte_for_byte)
{
    _seed_ struct seed *s = seed_new(IMAGES);
    _cleanup_cidata_ struct cidata c = plan(s);
    _cleanup_free_ char *root = source_path("src/cidata/scripts");
    static const char *const dirs[] = {".", "boot.essential.Linux", "boot.Linux", "util"};
    size_t found = 0;
    for (size_t d = 0; d < ARRAY_SIZE(dirs); d++) {
        _cleanup_free_ char *dir = path_join(root, dirs[d]);
        _cleanup_strv_ struct strv names = STRV_INIT;
        cr_assert_eq(dir_list(dir, &names, NULL), 0);
        for (size_t i = 0; i < names.n; i++) {
            if (!str_ends(names.v[i], ".sh"))
                continue;
            _cleanup_free_ char *path = path_join(dir, names.v[i]);
            _cleanup_free_ char *name = d ? path_join(dirs[d], names.v[i]) : xstrdup(names.v[i]);
            size_t len;
            _cleanup_free_ char *text = file_read(path, 1u << 20, &len, NULL);
            const struct embedded_file *f = cidata_script(name);
            cr_assert_not_null(f, "%s is not embedded", name);
            cr_expect(f->len == len && memcmp(f->data, text, len) == 0, "%s differs", name);
            bool on_seed = !str_starts(name, "lima.");
            cr_expect_eq(cidata_find(&c, name) != NULL, on_seed, "%s", name);
            found++;
        }
    }
    cr_expect_eq(found, embedded_files_count);
    cr_expect_eq(cidata_find(&c, "boot.sh")->mode, 0755);
}

Test(cidata, caCerts_files_are_read)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "ca.pem");
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n";
    cr_assert_eq(file_write_atomic(path, pem, strlen(pem), 0600, NULL), 0);
    _cleanup_free_ char *yaml = xasprintf(IMAGES "caCerts: {files: ['%s']}\n", path);
    _seed_ struct seed *s = seed_new(yaml);
    _cleanup_cidata_ struct cidata c = plan(s);
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse("user-data", text_of(&c, "user-data"));
    const struct yaml_node *ca = yaml_map_get(yaml_doc_root(doc), "ca_certs");
    cr_expect_str_eq(at(ca, "trusted", 0)->value, pem);
    cr_assert_eq(unlink(path), 0);
    struct cidata none = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(cidata_plan(&s->in, &none, &e), -1);
    expect_error(&e, "caCerts.files[0]");
}

/* ---- GS-12: proxies ------------------------------------------------------------------------- */

struct proxy_case {
    const char *yaml;
    const char *env[4];
    const char *expected;
};

Test(cidata, GS12_proxy_rules)
{
    static const struct proxy_case cases[] = {
        {"", {NULL}, ""},
        {"", {"HOME=/x", NULL}, ""},
        {"", {"http_proxy=http://p:1", NULL}, "http_proxy=http://p:1\nHTTP_PROXY=http://p:1\n"},
        {"", {"HTTP_PROXY=http://p:1", NULL}, "HTTP_PROXY=http://p:1\nhttp_proxy=http://p:1\n"},
        {"",
         {"no_proxy=localhost,127.0.0.1", NULL},
         "no_proxy=localhost,127.0.0.1\nNO_PROXY=localhost,127.0.0.1\n"},
        /* The host's value over the YAML's; an empty one deletes. */
        {"env: {http_proxy: 'http://y:1'}",
         {"http_proxy=http://p:1", NULL},
         "http_proxy=http://p:1\nHTTP_PROXY=http://p:1\n"},
        {"env: {http_proxy: 'http://y:1', A: b}", {"http_proxy=", NULL}, "A=b\n"},
        {"env: {http_proxy: ''}", {NULL}, ""},
        /* Lower case wins. */
        {"",
         {"http_proxy=http://l:1", "HTTP_PROXY=http://u:1", NULL},
         "http_proxy=http://l:1\nHTTP_PROXY=http://l:1\n"},
        /* Loopback goes to the gateway. */
        {"",
         {"http_proxy=http://localhost:3128/x?y", NULL},
         "http_proxy=http://192.168.5.2:3128/x?y\nHTTP_PROXY=http://192.168.5.2:3128/x?y\n"},
        {"",
         {"https_proxy=https://u:p@127.1.2.3", NULL},
         "https_proxy=https://u:p@192.168.5.2\nHTTPS_PROXY=https://u:p@192.168.5.2\n"},
        {"",
         {"ftp_proxy=http://[::1]:21/", NULL},
         "ftp_proxy=http://192.168.5.2:21/\nFTP_PROXY=http://192.168.5.2:21/\n"},
        {"",
         {"http_proxy=http://localhost.example.org:1", NULL},
         "http_proxy=http://localhost.example.org:1\nHTTP_PROXY=http://localhost.example.org:1\n"},
        /* Not a URL: kept, with a warning. */
        {"",
         {"http_proxy=127.0.0.1:3128", NULL},
         "http_proxy=127.0.0.1:3128\nHTTP_PROXY=127.0.0.1:3128\n"},
        /* Not wanted; the YAML's own still follows the rules. */
        {"propagateProxyEnv: false", {"http_proxy=http://p:1", NULL}, ""},
        {"{propagateProxyEnv: false, env: {http_proxy: 'http://localhost:1'}}",
         {"http_proxy=http://p:1", NULL},
         "http_proxy=http://192.168.5.2:1\nHTTP_PROXY=http://192.168.5.2:1\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *inner = xstrdup(cases[i].yaml);
        if (*inner == '{') {
            inner[0] = ' ';
            inner[strlen(inner) - 1] = '\0';
        }
        _cleanup_free_ char *yaml =
            *inner ? xasprintf("{images: [{location: /x, arch: x86_64}], %s}\n", inner)
                   : xstrdup(IMAGES);
        _seed_ struct seed *s = seed_new(yaml);
        s->in.proxy_env = cases[i].env;
        _cleanup_cidata_ struct cidata c = plan(s);
        cr_expect_str_eq(text_of(&c, "etc_environment"), cases[i].expected, "case %zu: %s", i,
                         text_of(&c, "etc_environment"));
    }
}

Test(cidata, GS12_passwords_are_not_logged)
{
    _cleanup_close_ int log = memfd_create("log", MFD_CLOEXEC);
    static const char *const env[] = {"http_proxy=http://me:secret@localhost:1/",
                                      "HTTP_PROXY=me:secret@x", "https_proxy=me:secret@localhost",
                                      NULL};
    _seed_ struct seed *s = seed_new(IMAGES "env: {http_proxy: 'http://x:secret@y'}\n");
    s->in.proxy_env = env;
    log_set_fd(log);
    _cleanup_cidata_ struct cidata c = plan(s);
    log_set_fd(2);
    lseek(log, 0, SEEK_SET);
    _cleanup_free_ char *text = fd_read_all(log, "log", 1u << 16, NULL, NULL);
    cr_expect_not_null(strstr(text, "http://***@localhost:1/"), "%s", text);
    cr_expect_null(strstr(text, "secret"), "%s", text);
    cr_expect_not_null(
        strstr(text_of(&c, "etc_environment"), "http_proxy=http://me:secret@192.168.5.2:1/"));
}

/* ---- the mini guest's reader ---------------------------------------------------------------- */

static char *file_in(const char *dir, const char *name)
{
    _cleanup_free_ char *path = path_join(dir, name);
    char *text = file_read(path, 1u << 20, NULL, NULL);
    cr_assert_not_null(text, "no %s", name);
    return text;
}

Test(cidata, mini_guest_reads_what_cloud_init_reads)
{
    _cleanup_free_ char *awk = find_program("awk");
    if (!awk) {
        cr_skip_test("skipped: there is no awk");
        return;
    }
    _tmpdir_ char *dir = tmpdir_new();
    _seed_ struct seed *s =
        seed_new(IMAGES "provision: [{mode: boot, script: '#!/bin/sh'}]\n"
                        "user: {name: jane, comment: 'a \"b\" \\ c', uid: 1234}\n");
    _cleanup_cidata_ struct cidata c = plan(s);
    _cleanup_free_ char *script = source_path("test/guest/mini/root/usr/lib/mini/user-data.awk");
    _cleanup_free_ char *user_data = path_join(dir, "user-data"), *var = xasprintf("dir=%s", dir);
    const char *text = text_of(&c, "user-data");
    cr_assert_eq(file_write_atomic(user_data, text, strlen(text), 0600, NULL), 0);
    const char *const argv[] = {awk, "-v", var, "-f", script, user_data, NULL};
    struct spawn sp = SPAWN_INIT;
    sp.argv = argv;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(run_checked(&sp, 20000, &e), 0, "%s", e.msg);

    _cleanup_free_ char *user = file_in(dir, "user"), *keys = file_in(dir, "keys");
    cr_expect_str_eq(user, "jane\n1234\na \"b\" \\ c\n/home/jane.guest\n/bin/bash\n"
                           "ALL=(ALL) NOPASSWD:ALL\n");
    _cleanup_free_ char *key_line = xasprintf("%s\n", test_keys[0]);
    cr_expect_str_eq(keys, key_line);
    _cleanup_free_ char *boot = file_in(dir, "file.0"), *files = file_in(dir, "files");
    cr_expect_str_eq(boot, cidata_script("lima.boot.sh")->data);
    cr_expect_str_eq(files, "0 0755 root:root /var/lib/cloud/scripts/per-boot/00-lima.boot.sh\n");
    _cleanup_free_ char *bootcmd = file_in(dir, "bootcmd");
    cr_expect_not_null(strstr(bootcmd, cidata_script("lima.bootcmd.sh")->data));
    cr_expect_not_null(strstr(bootcmd, cidata_script("lima.early.sh")->data));
    cr_expect_eq(strncmp(bootcmd, cidata_script("lima.nics.sh")->data,
                         cidata_script("lima.nics.sh")->len),
                 0);
}
