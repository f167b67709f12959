/* SPDX-License-Identifier: Apache-2.0 */
#include "template/locator.h"
#include "base/mem.h"
#include <criterion/criterion.h>

Test(locator, kinds)
{
    static const struct {
        const char *text;
        enum locator_kind kind;
    } rows[] = {
        {"", LOCATOR_NONE},
        {"-", LOCATOR_STDIN},
        {"x", LOCATOR_PATH},
        {"./a:b", LOCATOR_PATH},
        {"a/b:c", LOCATOR_PATH},
        {"c:x", LOCATOR_PATH}, /* one letter is no scheme */
        {"1x:y", LOCATOR_PATH},
        {"/abs/x.yaml", LOCATOR_PATH},
        {"~/x.yaml", LOCATOR_PATH},
        {"file:///x", LOCATOR_FILE_URL},
        {"FILE:x", LOCATOR_FILE_URL},
        {"http://h/x", LOCATOR_HTTP},
        {"HTTPS://h/x", LOCATOR_HTTP},
        {"template:x", LOCATOR_TEMPLATE},
        {"template://x/y", LOCATOR_TEMPLATE},
        {"github:o/r", LOCATOR_GITHUB},
        {"ftp://h/x", LOCATOR_SCHEME},
        {"my-scheme+1.0:x", LOCATOR_SCHEME},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        cr_expect_eq(locator_kind(rows[i].text), rows[i].kind, "%s: %d", rows[i].text,
                     (int)locator_kind(rows[i].text));
    _cleanup_free_ char *scheme = locator_scheme("My-Scheme:x");
    cr_expect_str_eq(scheme, "my-scheme");
    cr_expect_null(locator_scheme("x/y:z"));
    cr_expect_str_eq(locator_rest("dev:web app"), "web app");
    cr_expect_str_eq(locator_template_name("template://x/y"), "x/y");
    cr_expect_str_eq(locator_template_name("template:x"), "x");
    cr_expect_str_eq(locator_file_path("file:///a/b"), "/a/b");
    cr_expect_null(locator_file_path("file://a/b"));
    cr_expect_null(locator_file_path("file:a"));
}

Test(locator, bases)
{
    static const struct {
        const char *text, *base;
    } rows[] = {
        {"x.yaml", "/cwd"},
        {"sub/x.yaml", "/cwd/sub"},
        {"../x.yaml", "/"},
        {"/a/b/x.yaml", "/a/b"},
        {"file:///a/x.yaml", "/a"},
        {"-", "/cwd"},
        {"https://h/x.yaml", "https://h/"},
        {"https://h/a/b/x.yaml?q=/1#/f", "https://h/a/b/"},
        {"https://h", "https://h/"},
        {"https://h?x", "https://h/"},
        {"template:x", "template:"},
        {"template://a/b/x", "template:a/b/"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *base = locator_base(rows[i].text, "/cwd");

        cr_expect_str_eq(base, rows[i].base, "%s: %s", rows[i].text, base);
    }
}

/* S13: what a template refers to stands beside it or below. */
Test(locator, S13_joins)
{
    static const struct {
        const char *base, *text, *want;
    } rows[] = {
        {"/a/b", "x.yaml", "/a/b/x.yaml"},
        {"/a/b", "./c/./x.yaml", "/a/b/c/x.yaml"},
        {"/a/b", "/x.yaml", "/x.yaml"},
        {"/a/b", "~/x.yaml", "/home/me/x.yaml"},
        {"/a/b", "~", "/home/me"},
        {"/a/b", "https://h/x", "https://h/x"},
        {"/a/b", "template:x", "template:x"},
        {"https://h/a/", "x.yaml", "https://h/a/x.yaml"},
        {"https://h/a/", "./b/x.yaml", "https://h/a/b/x.yaml"},
        {"template:", "_images/x", "template:_images/x"},
        {"template:a/", "x", "template:a/x"},
        {"/a/b", "a..b", "/a/b/a..b"},
        {"/a/b", "../x.yaml", NULL},
        {"/a/b", "c/../../x.yaml", NULL},
        {"/a/b", "..", NULL},
        {"https://h/a/", "../x.yaml", NULL},
        {"https://h/a/", "b/..", NULL},
        {"template:", "../x", NULL},
        {"/a/b", "", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_free_ char *got = locator_join(rows[i].base, rows[i].text, "/home/me", &err);

        if (rows[i].want)
            cr_expect_str_eq(got ? got : err.msg, rows[i].want, "%s + %s", rows[i].base,
                             rows[i].text);
        else
            cr_expect(!got && strstr(err.msg, *rows[i].text ? "must not contain `..`" : "is empty"),
                      "%s + %s: %s", rows[i].base, rows[i].text, got ? got : err.msg);
    }
}

/* S08: who is warned. */
Test(locator, S08_plain_http)
{
    static const char *const plain[] = {"http://h/x", "HTTP://127x/x", "http://10.0.0.1:80/x"};
    static const char *const fine[] = {
        "https://h/x", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]/x", "x.yaml",
        "template:x"};

    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        cr_expect(locator_is_plain_http(plain[i]), "%s", plain[i]);
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        cr_expect_not(locator_is_plain_http(fine[i]), "%s", fine[i]);
}

Test(locator, names)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"t.yaml", "t"},
        {"sub/Big_Name.yml", "big_name"},
        {"plain", "plain"},
        {"ubuntu-24.04.yaml", "ubuntu-24.04"},
        {"https://h/a/Web.yaml?raw=1", "web"},
        {"template:a/b-1.2", "b-1.2"},
        {"file:///a/x.yaml", "x"},
        {"bad name.yaml", "bad name"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *name = locator_yaml_name(rows[i].text);

        cr_expect_str_eq(name, rows[i].name, "%s: %s", rows[i].text, name);
    }
}

Test(locator, images)
{
    static const struct {
        const char *text, *arch, *os, *name; /* arch NULL: not said */
    } rows[] = {
        {"https://e/x86_64/disk.qcow2", "x86_64", "Linux", "disk"},
        {"https://e/some-aarch64.img.xz", "aarch64", "Linux", "some-aarch64"},
        {"https://e/FreeBSD-15-amd64.raw.gz", "x86_64", "FreeBSD", "freebsd-15-amd64"},
        {"/images/plain.iso", NULL, "Linux", "plain"},
        {"tiny.qcow2", NULL, "Linux", "tiny"},
        {"https://e/amd64/x-arm64.img", "aarch64", "Linux", "x-arm64"}, /* the last word counts */
        {"x_aarch64y.img", NULL, "Linux", "x_aarch64y"},
        {"https://e/noble-server-cloudimg-amd64.img", "x86_64", "Linux", "noble-amd64"},
        {"https://e/debian-13-genericcloud-amd64-daily-20250115-1993.qcow2", "x86_64", "Linux",
         "debian-13-amd64"},
        {"nocloud_alpine-3.21.2-aarch64-uefi-cloudinit-r0.qcow2", "aarch64", "Linux",
         "alpine-3.21.2-aarch64-r0"},
        {"Arch-Linux-x86_64-cloudimg-20250201.304316.qcow2", "x86_64", "Linux", "archlinux"},
        {"Rocky-8-GenericCloud-Base.latest.x86_64.qcow2", "x86_64", "Linux", "rocky-8"},
        {"rocky-8-8.10.x86_64.qcow2", "x86_64", "Linux", "rocky-8.10"},
        {"openSUSE-Leap-15.6-Minimal-VM.x86_64-Cloud.qcow2", "x86_64", "Linux",
         "opensuse-leap-15.6"},
        {"UniversalMac_15_Restore.ipsw", "aarch64", "Darwin", "macos-15"},
        {"https://e/a/UniversalMac_15.6.1_24G90_Restore.ipsw", "aarch64", "Darwin", "macos-15.6.1"},
        {"file:///somewhere/macOS-26.ipsw", "aarch64", "Darwin", "macos-26"},
        {"file:///somewhere/my-custom-macos.img", "aarch64", "Darwin", "my-custom-macos"},
        {"file:///somewhere/something.ipsw", "aarch64", "Darwin", "something"},
        {"UniversalMac_x.ipsw", "aarch64", "Darwin", "universalmac_x"},
        {"/macos/debian.qcow2", NULL, "Linux", "debian"},
        {"FreeBSD-15.0-RELEASE-amd64-BASIC-CLOUDINIT-zfs.raw.xz", "x86_64", "FreeBSD",
         "freebsd-15.0-amd64-zfs"},
        {"https://e/aarch64/FreeBSD-16.0-CURRENT-arm64-aarch64-BASIC-CLOUDINIT-ufs.qcow2.xz",
         "aarch64", "FreeBSD", "freebsd-16.0-arm64-ufs"},
        {"x-aarch64-arm64.img", "aarch64", "Linux", "x-aarch64"},
        {"a-20250115.img.zstd", NULL, "Linux", "a"},
        {"armhf.raw.bz2", "armv7l", "Linux", "armhf"},
    };
    static const char *const others[] = {
        "x.vmdk", "x.yaml", "img", "template:x.img", "x.img.zip", "x.gz", "github:o/r/x.img"};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *arch = locator_image_arch(rows[i].text);
        _cleanup_free_ char *name =
            locator_image_name(rows[i].text, arch ? arch : "x86_64", "x86_64");

        cr_expect(locator_is_image(rows[i].text), "%s", rows[i].text);
        cr_expect(streq0(arch, rows[i].arch), "%s: %s", rows[i].text, arch ? arch : "(none)");
        cr_expect_str_eq(locator_image_os(rows[i].text), rows[i].os);
        cr_expect_str_eq(name, rows[i].name, "%s: %s", rows[i].text, name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        cr_expect_not(locator_is_image(others[i]), "%s", others[i]);
    _cleanup_free_ char *yaml = locator_image_yaml("/a: b/x.img", "x86_64");
    cr_expect_str_eq(yaml, "arch: x86_64\nos: Linux\nimages:\n- location: \"/a: b/x.img\"\n"
                           "  arch: x86_64\n");
}

Test(locator, github)
{
    static const struct {
        const char *rest, *org, *repo, *path, *branch; /* org NULL: refused */
    } rows[] = {
        {"org", "org", "org", ".lima.yaml", NULL},
        {"org/", "org", "org", ".lima.yaml", NULL},
        {"org/repo", "org", "repo", ".lima.yaml", NULL},
        {"org//a/b", "org", "org", "a/b.yaml", NULL},
        {"org/repo/a", "org", "repo", "a.yaml", NULL},
        {"org/repo/a/", "org", "repo", "a/.lima.yaml", NULL},
        {"org/repo/a.sh@v1", "org", "repo", "a.sh", "v1"},
        {"org/repo/.hidden", "org", "repo", ".hidden.yaml", NULL},
        {"org/repo/u-24.04@b/c", "org", "repo", "u-24.04", "b/c"},
        {"//org/repo@x", "org", "repo", ".lima.yaml", "x"},
        {"org@", "org", "org", ".lima.yaml", NULL},
        {"", NULL, NULL, NULL, NULL},
        {"../x", NULL, NULL, NULL, NULL},
        {"org/..", NULL, NULL, NULL, NULL},
        {"org/repo/../../x", NULL, NULL, NULL, NULL},
        {"org/repo/a//b", NULL, NULL, NULL, NULL},
        {"org/repo/a?b", NULL, NULL, NULL, NULL},
        {"org/repo/a@../b", NULL, NULL, NULL, NULL},
        {"org/re po", NULL, NULL, NULL, NULL},
        {"@main", NULL, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_github_place_ struct github_place p = GITHUB_PLACE_INIT;
        _cleanup_err_ struct err err = ERR_INIT;
        int r = github_place_parse(rows[i].rest, &p, &err);

        if (!rows[i].org) {
            const char *want = str_empty(rows[i].rest) || strchr("/@", *rows[i].rest)
                                   ? "github: URL must contain at least an ORG, got \"\""
                                   : "no place on GitHub";

            cr_expect(r < 0 && strstr(err.msg, want), "%s: %s", rows[i].rest, err.msg);
            continue;
        }
        cr_assert_eq(r, 0, "%s: %s", rows[i].rest, err.msg);
        cr_expect_str_eq(p.org, rows[i].org);
        cr_expect_str_eq(p.repo, rows[i].repo);
        cr_expect_str_eq(p.path, rows[i].path);
        cr_expect(streq0(p.branch, rows[i].branch), "%s", rows[i].rest);
    }
}
