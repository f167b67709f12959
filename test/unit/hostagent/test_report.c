/* SPDX-License-Identifier: Apache-2.0 */
/* The report of the boot scripts, as written and as a hostile guest would write it (F25). */
#include "base/mem.h"
#include "base/sbuf.h"
#include "ssh/report.h"
#include <criterion/criterion.h>

static void feed(struct report *r, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        report_line(r, text, n);
        text += n + (text[n] == '\n');
    }
}

Test(report, GS_07_all_is_well)
{
    _cleanup_report_ struct report r = REPORT_INIT;
    struct err err = ERR_INIT;

    feed(&r, "script provision.system/00000000 0 0.12\nscript provision.user/00000001 0 3.50\nend 0\n");
    cr_assert_eq(r.n, 2);
    cr_assert_str_eq(r.v[1].name, "provision.user/00000001");
    cr_assert_float_eq(r.v[1].seconds, 3.5, 1e-9);
    cr_assert(r.ended);
    cr_assert_eq(report_check(&r, NULL, &err), 0);
}

Test(report, F25_a_failure_names_script_status_and_output)
{
    _cleanup_report_ struct report r = REPORT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    feed(&r, "script provision.system/00000000 0 0.12\n"
             "script provision.system/00000002 7 0.30\n| first\n|\n|   third\ttab\nend 1\n");
    cr_assert_eq(report_check(&r, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_GUEST);
    cr_assert_str_eq(err.msg, "the script 'provision.system/00000002' failed in the guest with exit "
                              "status 7");
    cr_assert_str_eq(err.detail, "provision.system/00000002: exit status 7\nfirst\n\n  third\\ttab");
}

/* The user knows a script by its place in the YAML. */
Test(report, F25_a_provision_script_is_an_entry_of_the_yaml)
{
    struct config_provision list[10] = {
        [0].mode = PROVISION_UNSET, [1].mode = PROVISION_USER, [9].mode = PROVISION_DEPENDENCY};
    struct config_instance cfg = {.provision = list, .provision_count = 10};
    static const struct {
        const char *line, *msg;
    } cases[] = {
        {"script provision.user/00000001 3 1", "the script provision[1] (mode user) failed in the "
                                               "guest with exit status 3"},
        {"script provision.system/00000000 1 1", "the script provision[0] (mode system) failed in "
                                                 "the guest with exit status 1"},
        {"script provision.dependency/00000009 1 1", "the script provision[9] (mode dependency) "
                                                     "failed in the guest with exit status 1"},
        /* what our seed does not have */
        {"script provision.user/00000000 1 1", "the script 'provision.user/00000000' failed in the "
                                               "guest with exit status 1"},
        {"script provision.user/00000010 1 1", "the script 'provision.user/00000010' failed in the "
                                               "guest with exit status 1"},
        {"script provision.use/00000001 1 1", "the script 'provision.use/00000001' failed in the "
                                              "guest with exit status 1"},
        {"script provision.user 1 1", "the script 'provision.user' failed in the guest with exit "
                                      "status 1"},
        {"script boot.Linux/\x1b[1m 1 1", "the script 'boot.Linux/\\x1b[1m' failed in the guest with "
                                         "exit status 1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_report_ struct report r = REPORT_INIT;
        _cleanup_err_ struct err err = ERR_INIT;

        report_line(&r, cases[i].line, strlen(cases[i].line));
        cr_assert_eq(report_check(&r, &cfg, &err), -1);
        cr_expect_str_eq(err.msg, cases[i].msg);
    }
}

Test(report, F22_errors_of_cloud_init_are_shown)
{
    _cleanup_report_ struct report r = REPORT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    feed(&r, "script provision.system/00000000 0 1\ncloud-init error\n| ('ntp', \x1b[1m)\n"
             "cloud-init degraded\n| nobody's\nend 0\n");
    cr_assert_eq(report_check(&r, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_GUEST);
    cr_assert_str_eq(err.msg, "cloud-init reports errors in the guest");
    cr_assert_str_eq(err.detail, "cloud-init: error\n('ntp', \\x1b[1m)");
}

Test(report, F22_beside_a_failed_script)
{
    _cleanup_report_ struct report r = REPORT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    feed(&r, "script a 4 1\n| out of a\ncloud-init degraded\n| its words\nend 1\n");
    cr_assert_eq(report_check(&r, NULL, &err), -1);
    cr_assert_str_eq(err.msg, "the script 'a' failed in the guest with exit status 4");
    cr_assert_str_eq(err.detail, "a: exit status 4\nout of a\ncloud-init: degraded\nits words");
}

Test(report, F22_degraded_is_no_failure)
{
    _cleanup_report_ struct report r = REPORT_INIT;

    feed(&r, "cloud-init degraded\n| deprecated key\nend 0\n");
    cr_assert_eq(report_check(&r, NULL, NULL), 0);
    _cleanup_free_ char *text = report_cloud_init(&r);
    cr_assert_str_eq(text, "cloud-init: degraded\ndeprecated key\n");
}

Test(report, F25_several_failures_are_all_shown)
{
    _cleanup_report_ struct report r = REPORT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    feed(&r, "script a 1 0\n| out of a\nscript b 0 0\nscript c 2 0\nend 1\n");
    cr_assert_eq(report_check(&r, NULL, &err), -1);
    cr_assert(strstr(err.msg, "2 scripts failed"), "%s", err.msg);
    cr_assert(strstr(err.msg, "'a' with exit status 1"), "%s", err.msg);
    cr_assert_str_eq(err.detail, "a: exit status 1\nout of a\nc: exit status 2\n(no output)");
}

Test(report, a_bad_end_without_a_script)
{
    _cleanup_report_ struct report r = REPORT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    feed(&r, "end 3\n");
    cr_assert_eq(report_check(&r, NULL, &err), -1);
    cr_assert(strstr(err.msg, "exit status 3"));
}

Test(report, lima_writes_none)
{
    _cleanup_report_ struct report r = REPORT_INIT;

    cr_assert_eq(report_check(&r, NULL, NULL), 0);
}

Test(report, garbage_is_skipped)
{
    static const char *const bad[] = {
        "", " ", "script", "script x", "script x y 1", "script x 256 1", "script x -1 1",
        "| output of nobody", "end", "end x", "end 1 2", "SCRIPT x 1 1", "scriptx 1 1 1", "\xff\xfe\x01",
    };
    _cleanup_report_ struct report r = REPORT_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        report_line(&r, bad[i], strlen(bad[i]));
    report_line(&r, "script a\0b 1 1", 14);
    cr_assert_eq(r.n, 0);
    cr_assert(!r.ended);
    report_line(&r, "script x 1 nan", 14);
    report_line(&r, "script y 1 1e99", 15);
    report_line(&r, "| \x1b[31mred\x07", 11);
    cr_assert_eq(r.n, 2);
    cr_assert(r.v[0].seconds == 0 && r.v[1].seconds == 0);
    cr_assert_null(strchr(r.v[1].output.v[0], '\x1b'), "escape sequences must not get through");
}

Test(report, a_flood_is_bounded)
{
    _cleanup_report_ struct report r = REPORT_INIT;
    char big[4096];

    memset(big, 'x', sizeof(big));
    big[0] = '|';
    for (int i = 0; i < 10000; i++)
        report_line(&r, "script x 1 1", 12);
    cr_assert_leq(r.n, REPORT_SCRIPTS_MAX);
    for (int i = 0; i < 10000; i++)
        report_line(&r, big, sizeof(big));
    cr_assert_leq(r.v[r.n - 1].output.n, REPORT_OUTPUT_LINES);
    cr_assert_leq(r.bytes, (size_t)REPORT_BYTES_MAX + 1);
}

Test(report, what_follows_the_end_does_not_count)
{
    _cleanup_report_ struct report r = REPORT_INIT;

    feed(&r, "end 0\nscript late 1 1\n");
    cr_assert_eq(r.n, 0);
    cr_assert_eq(report_check(&r, NULL, NULL), 0);
}
