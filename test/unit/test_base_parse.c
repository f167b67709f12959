/* SPDX-License-Identifier: Apache-2.0 */
/* Text to values. */
#include "base/base64.h"
#include "base/mem.h"
#include "base/parse.h"
#include <criterion/criterion.h>
#include <inttypes.h>

#define GiB (UINT64_C(1) << 30)

Test(parse, int64)
{
    static const struct {
        const char *in;
        int ok;
        int64_t value;
    } t[] = {
        {"0", 1, 0}, {"-0", 1, 0}, {"+3", 1, 3}, {"0x1F", 1, 31}, {"0xff", 1, 255},
        {"0o17", 1, 15}, {"0b11", 1, 3}, {"010", 1, 10}, {"09", 1, 9}, {"-0x10", 1, -16},
        {"9223372036854775807", 1, INT64_MAX}, {"-9223372036854775808", 1, INT64_MIN},
        {"9223372036854775808", 0, 0}, {"-9223372036854775809", 0, 0},
        {"99999999999999999999", 0, 0}, {"0xffffffffffffffff", 0, 0},
        {"", 0, 0}, {"-", 0, 0}, {"+", 0, 0}, {"0x", 0, 0}, {"0o8", 0, 0}, {"0b2", 0, 0},
        {" 1", 0, 0}, {"1 ", 0, 0}, {"1_000", 0, 0}, {"3.0", 0, 0}, {"1e3", 0, 0}, {"4abc", 0, 0},
        {"--1", 0, 0}, {"+-1", 0, 0}, {"0X10", 0, 0}, {"one", 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        int64_t v = 77;

        cr_expect_eq(parse_int64(t[i].in, &v), t[i].ok ? 0 : -1, "'%s'", t[i].in);
        cr_expect_eq(v, t[i].ok ? t[i].value : 77, "'%s' gives %" PRId64, t[i].in, v);
    }
}

Test(parse, bool_as_go_reads_it)
{
    static const struct {
        const char *in;
        int value; /* -1: none */
    } t[] = {
        {"1", 1}, {"t", 1}, {"T", 1}, {"true", 1}, {"True", 1}, {"TRUE", 1},
        {"0", 0}, {"f", 0}, {"F", 0}, {"false", 0}, {"False", 0}, {"FALSE", 0},
        {"", -1}, {"yes", -1}, {"on", -1}, {"tRUE", -1}, {" 1", -1}, {"10", -1}, {"truex", -1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        for (int was = 0; was < 2; was++) {
            bool v = was;

            cr_expect_eq(parse_bool(t[i].in, &v), t[i].value < 0 ? -1 : 0, "'%s'", t[i].in);
            cr_expect_eq(v, t[i].value < 0 ? was : t[i].value, "'%s'", t[i].in);
        }
}

Test(parse, integral)
{
    static const struct {
        const char *in;
        int ok;
        int64_t value;
    } t[] = {
        {"3", 1, 3}, {"3.0", 1, 3}, {"3.", 1, 3}, {"6e3", 1, 6000}, {"6E+3", 1, 6000},
        {"-2.50e1", 1, -25}, {"9223372036854775807", 1, INT64_MAX},
        {"3.7", 0, 0}, {".inf", 0, 0}, {"inf", 0, 0}, {"nan", 0, 0}, {"1e400", 0, 0},
        {"1e19", 0, 0}, {"e3", 0, 0}, {"1e", 0, 0}, {"1e+", 0, 0}, {"1.0.0", 0, 0},
        {"1_0.0", 0, 0}, {"0x1p4", 0, 0}, {".", 0, 0}, {"", 0, 0}, {"1e3e3", 0, 0}, {"1-0", 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        int64_t v = 77;

        cr_expect_eq(parse_integral(t[i].in, &v), t[i].ok ? 0 : -1, "'%s'", t[i].in);
        cr_expect_eq(v, t[i].ok ? t[i].value : 77, "'%s' gives %" PRId64, t[i].in, v);
    }
}

Test(parse, uint_and_port)
{
    uint64_t v = 77;
    uint16_t port = 7;

    cr_expect_eq(parse_uint("255", 255, &v), 0);
    cr_expect_eq(v, 255);
    cr_expect_eq(parse_uint("256", 255, &v), -1);
    cr_expect_eq(parse_uint("-1", 255, &v), -1);
    cr_expect_eq(v, 255);
    cr_expect_eq(parse_uint("18446744073709551615", UINT64_MAX, &v), 0);
    cr_expect_eq(v, UINT64_MAX);
    cr_expect_eq(parse_uint("18446744073709551616", UINT64_MAX, &v), -1);
    cr_expect_eq(parse_port("0x2000", &port), 0);
    cr_expect_eq(port, 8192);
    cr_expect_eq(parse_port("65535", &port), 0);
    cr_expect_eq(parse_port("65536", &port), -1);
    cr_expect_eq(parse_port("0", &port), -1);
    cr_expect_eq(parse_port("", &port), -1);
    cr_expect_eq(port, 65535);
}

Test(parse, size)
{
    static const struct {
        const char *in;
        uint64_t value; /* UINT64_MAX: refused */
    } t[] = {
        {"4GiB", 4 * GiB}, {"3G", 3 * GiB}, {"3g", 3 * GiB}, {"3GB", 3 * GiB}, {"3gb", 3 * GiB},
        {"3giB", 3 * GiB}, {"3GIB", 3 * GiB}, {"1.5GiB", GiB * 3 / 2}, {".5GiB", GiB / 2},
        {"5.GiB", 5 * GiB}, {"+4GiB", 4 * GiB}, {"4 GiB", 4 * GiB}, {"4 G", 4 * GiB},
        {"10 gb", 10 * GiB}, {"512m", 512 << 20}, {"4k", 4096}, {"1T", 1024 * GiB},
        {"1P", 1048576 * GiB}, {"4B", 4}, {"4b", 4}, {"4", 4}, {"0", 0}, {"1e3", 1000},
        {"1e1k", 10240}, {"1_000", 1000}, {"1.5", 1}, {"0.0000001GiB", 107},
        {"7.999PiB", UINT64_C(9006073354834149)}, {"1024KiB", 1 << 20},
        {"9007199254740992", UINT64_C(1) << 53}, {"805306368", 805306368},
        {"4  GiB", UINT64_MAX}, {" 3GiB", UINT64_MAX}, {"3GiB ", UINT64_MAX}, {"3Gi", UINT64_MAX},
        {"3GiBB", UINT64_MAX}, {"GiB", UINT64_MAX}, {"", UINT64_MAX}, {"-1", UINT64_MAX},
        {"-1GiB", UINT64_MAX}, {"0x10", UINT64_MAX}, {"1,5GiB", UINT64_MAX}, {"1E", UINT64_MAX},
        {"8EiB", UINT64_MAX}, {"NaN", UINT64_MAX}, {"inf", UINT64_MAX}, {"4g b", UINT64_MAX},
        {"1K i", UINT64_MAX}, {"4bb", UINT64_MAX}, {"4bib", UINT64_MAX}, {"_1", UINT64_MAX},
        {"1_", UINT64_MAX}, {"1__0", UINT64_MAX}, {"true", UINT64_MAX}, {".", UINT64_MAX},
        {".GiB", UINT64_MAX}, {"1.2.3G", UINT64_MAX},
        /* Does not fit in 63 bits, or only before a double rounds it up. */
        {"9223372036854775807", UINT64_MAX}, {"9223372036854775808", UINT64_MAX},
        {"99999999999GiB", UINT64_MAX}, {"8192P", UINT64_MAX}, {"1e999", UINT64_MAX},
        {"8191P", UINT64_C(8191) << 50},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        uint64_t v = UINT64_MAX;

        cr_expect_eq(parse_size(t[i].in, &v), t[i].value == UINT64_MAX ? -1 : 0, "'%s'", t[i].in);
        cr_expect_eq(v, t[i].value, "'%s' gives %" PRIu64, t[i].in, v);
    }
}

Test(parse, format_size)
{
    static const struct {
        uint64_t in;
        const char *out;
    } t[] = {
        {0, "0B"}, {512, "512B"}, {1023, "1023B"}, {1024, "1KiB"}, {4 * GiB, "4GiB"},
        {GiB * 3 / 2, "1.5GiB"}, {100 * GiB, "100GiB"}, {1536, "1.5KiB"}, {805306368, "768MiB"},
        {UINT64_MAX, "16EiB"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_free_ char *got = format_size(t[i].in);

        cr_expect_str_eq(got, t[i].out);
    }
}

Test(parse, duration)
{
    static const struct {
        const char *in;
        int ok;
        int64_t ms;
    } t[] = {
        {"0", 1, 0}, {"10m0s", 1, 600000}, {"1h30m", 1, 5400000}, {"500ms", 1, 500},
        {"1.5h", 1, 5400000}, {".5s", 1, 500}, {"1.s", 1, 1000}, {"-2s", 1, -2000}, {"+2s", 1, 2000},
        {"1500us", 1, 1}, {"1500\u00b5s", 1, 1}, {"999999ns", 1, 0}, {"1h2m3s4ms", 1, 3723004},
        {"", 0, 0}, {"5", 0, 0}, {"s", 0, 0}, {".s", 0, 0}, {"5 s", 0, 0}, {"5d", 0, 0},
        {"-", 0, 0}, {"1s ", 0, 0}, {"9999999999h", 0, 0}, {"1-s", 0, 0}, {"1m-1s", 0, 0},
        {"99999999999999999999s", 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        int64_t v = 77;

        cr_expect_eq(parse_duration_ms(t[i].in, &v), t[i].ok ? 0 : -1, "'%s'", t[i].in);
        cr_expect_eq(v, t[i].ok ? t[i].ms : 77, "'%s' gives %" PRId64, t[i].in, v);
    }
}

Test(parse, semver)
{
    static const char *const good[] = {"1.2.3", "0.0.0", "01.02.03", "1.2.3-rc.1", "1.2.3+build.7",
                                       "1.2.3-a+b", "2.0.0-5-gabc", "8.2.0-rc1"};
    static const char *const bad[] = {"", "1", "1.2", "1.2.3.4", "v1.2.3", "1.x.0", " 1.0.0",
                                      "1.0.0 ", "-1.0.0", "1.0.0-", "1.0.0+", "1.0.0-a..b",
                                      "1.0.0-a_b", "1.0.0-.a", "1.0.0-a.", "1.0.0.m", "one",
                                      "99999999999999999999.0.0", "1..0", "1.2.3-a+b+c",
                                      "1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct semver v = {0};

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        cr_expect_eq(parse_semver(good[i], &v), 0, "'%s'", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        cr_expect_eq(parse_semver(bad[i], &v), -1, "'%s'", bad[i]);
    cr_assert_eq(parse_semver("7.2.22-rc.1+Debian", &v), 0);
    cr_assert(v.major == 7 && v.minor == 2 && v.patch == 22);
    cr_assert_str_eq(v.pre, "rc.1");
}

Test(parse, described_version)
{
    struct semver v = {0};

    cr_assert_eq(parse_described_version("v1.2.3-16-gabcdef.m", &v), 0);
    cr_assert(v.major == 1 && v.minor == 2 && v.patch == 3 && !v.pre[0]);
    cr_assert_eq(parse_described_version("1.0.0.m", &v), 0);
    cr_assert_eq(parse_described_version("2.2.0", &v), 0);
    cr_assert_eq(parse_described_version("vv1.2.3", &v), -1);
    cr_assert_eq(parse_described_version("1.2", &v), -1);
    cr_assert_eq(parse_described_version("-1.0.0", &v), -1);
    cr_assert_eq(parse_described_version("", &v), -1);
}

Test(parse, semver_order)
{
    /* The chain of semver.org 2.0.0, 11, and a few of our own. */
    static const char *const rising[] = {
        "0.9.9", "1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
        "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rising); i++)
        for (size_t j = 0; j < ARRAY_SIZE(rising); j++) {
            struct semver a = {0}, b = {0};

            cr_assert_eq(parse_semver(rising[i], &a), 0);
            cr_assert_eq(parse_semver(rising[j], &b), 0);
            cr_expect_eq(semver_cmp(&a, &b), (i > j) - (i < j), "%s and %s", rising[i], rising[j]);
        }
    struct semver a = {0}, b = {0};
    parse_semver("1.2.3+x", &a);
    parse_semver("01.2.3+y", &b);
    cr_assert_eq(semver_cmp(&a, &b), 0, "build metadata has no rank");
}

Test(parse, mac)
{
    static const char *const good[] = {"02:00:00:00:0a:bC", "02-00-00-00-0A-bc", "0200.0000.0abc",
                                       "020000000aBC"};
    static const char *const bad[] = {"", "02:00:00:00:00", "02:0:0:0:0:1", "02:00:00:00:00:0g",
                                      " 02:00:00:00:00:06", "02:00-00:00-00:01",
                                      "02:00:5e:10:00:00:00:01", "02:00:00:00:00:001",
                                      "0200:0000:0001", "02.00.00.00.00.01"};
    static const uint8_t want[6] = {2, 0, 0, 0, 0x0a, 0xbc};
    uint8_t mac[6];

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        memset(mac, 0xee, sizeof(mac));
        cr_expect_eq(parse_mac(good[i], mac), 0, "'%s'", good[i]);
        cr_expect_eq(memcmp(mac, want, sizeof(mac)), 0, "'%s'", good[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        cr_expect_eq(parse_mac(bad[i], mac), -1, "'%s'", bad[i]);
    _cleanup_free_ char *text = format_mac(want);
    cr_assert_str_eq(text, "02:00:00:00:0a:bc");
}

Test(parse, ip_family)
{
    static const struct {
        const char *in;
        int family;
    } t[] = {
        {"127.0.0.1", 4}, {"0.0.0.0", 4}, {"::1", 6}, {"::", 6}, {"::ffff:1.2.3.4", 6},
        {"2001:DB8:0:0::1", 6}, {"1:2:3:4:5:6:7:8", 6}, {"1.2.3", 0}, {"1.2.3.4.5", 0},
        {"256.1.1.1", 0}, {"01.02.03.04", 0}, {"fe80::1%eth0", 0}, {"[::1]", 0}, {"localhost", 0},
        {"", 0}, {"::1/128", 0}, {" 127.0.0.1", 0}, {"0x7f.0.0.1", 0}, {"1::2::3", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        cr_expect_eq(parse_ip_family(t[i].in), t[i].family, "'%s'", t[i].in);
}

Test(parse, octal_mode)
{
    static const char *const good[] = {"644", "0644", "0o644"};
    static const char *const bad[] = {"", "8", "0x1", "10000", "-1", "0o", "64 4", "rw"};
    unsigned mode = 0;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        mode = 0;
        cr_expect_eq(parse_octal_mode(good[i], &mode), 0);
        cr_expect_eq(mode, 0644);
    }
    cr_expect_eq(parse_octal_mode("7777", &mode), 0);
    cr_expect_eq(mode, 07777);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        cr_expect_eq(parse_octal_mode(bad[i], &mode), -1, "'%s'", bad[i]);
}

Test(parse, distance)
{
    cr_expect_eq(str_distance("", "", 3), 0);
    cr_expect_eq(str_distance("abc", "", 3), 3);
    cr_expect_eq(str_distance("kitten", "sitting", 5), 3);
    cr_expect_eq(str_distance("mountTpye", "mountType", 3), 1, "a swap is one step");
    cr_expect_eq(str_distance("ca", "abc", 5), 3);
    cr_expect_eq(str_distance("completely", "different", 2), 3);
    cr_expect_eq(str_distance("a", "abcdefgh", 2), 3);
}

Test(parse, nearest)
{
    static const char *const names[] = {"cpus", "memory", "disk", "mounts", "mountType", "ssh",
                                        "default", "dns"};
    static const char *const t[][2] = {
        {"cpu", "cpus"}, {"mountypte", "mountType"}, {"MOUNTTYPE", "mountType"}, {"mount", "mounts"},
        {"memroy", "memory"}, {"defualt", "default"}, {"ssh", "ssh"}, {"xyzzy", NULL}, {"", NULL},
        {"portForwards", NULL}, {"dn", "dns"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        const char *got = str_nearest(t[i][0], names, ARRAY_SIZE(names));

        cr_expect(streq0(got, t[i][1]), "'%s' gives %s", t[i][0], got ? got : "nothing");
    }
}

Test(base64, decode)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } t[] = {
        {"", ""}, {" \n", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg==", "foob"},
        {" Zm\n9v\r\n\tYg = =\n", "foob"}, {"+/+/", "\xfb\xff\xbf"},
        {"Z", NULL}, {"Zg", NULL}, {"Zg=", NULL}, {"Zm9vY", NULL}, {"=", NULL}, {"Z===", NULL},
        {"Zg==Zg==", NULL}, {"Zg=g", NULL}, {"Zm8==", NULL}, {"Zm9v=", NULL}, {"Zm9-", NULL},
        {"%%%%", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

        sbuf_addstr(&s, "x");
        cr_expect_eq(base64_decode(&s, t[i].in), t[i].out ? 0 : -1, "'%s'", t[i].in);
        cr_expect_str_eq(sbuf_str(&s) + 1, t[i].out ? t[i].out : "", "'%s'", t[i].in);
    }
}
