/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "cli/progress.h"
#include "base/utf8.h"
#include "tmpl/tmpl.h"
#include <criterion/criterion.h>

static size_t columns_of(const char *s)
{
    size_t len = strlen(s), columns = 0;
    uint32_t c = 0;

    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(s + i, len - i, &c);
        cr_assert_gt(n, 0);
        columns += utf8_width(c);
    }
    return columns;
}

Test(output, table_has_gaps_of_four)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    strv_pushl(table_row(&t), "NAME", "STATUS", "DIR", NULL);
    strv_pushl(table_row(&t), "größer", "Stopped", "~/x", NULL);
    strv_pushl(table_row(&t), "a", "Running", "", NULL);
    table_format(&t, &out);
    cr_expect_str_eq(sbuf_str(&out), "NAME      STATUS     DIR\n"
                                     "größer    Stopped    ~/x\n"
                                     "a         Running    \n");
}

Test(output, table_cells_cannot_drive_the_terminal)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    strv_pushl(table_row(&t), "a\x1b[2Jb\nc", "x", NULL);
    table_format(&t, &out);
    cr_expect_null(strchr(sbuf_str(&out), '\x1b'));
    cr_expect_eq(strchr(sbuf_str(&out), '\n'), sbuf_str(&out) + out.len - 1);
}

static void expect_yaml(const char *json, const char *yaml)
{
    _cleanup_json_ struct json *j = json_parse(json, strlen(json), "test", NULL);
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    cr_assert_not_null(j);
    tmpl_add_yaml(&out, j);
    cr_expect_str_eq(sbuf_str(&out), yaml);
}

Test(output, yaml)
{
    expect_yaml("{\"a\":1,\"b\":\"text\",\"c\":{\"d\":[1,{\"e\":null,\"f\":[]}],\"g\":{}}}",
                "a: 1\nb: text\nc:\n  d:\n  - 1\n  - e: null\n    f: []\n  g: {}\n");
    expect_yaml("[[1,2],[3]]", "- - 1\n  - 2\n- - 3\n");
    expect_yaml("[]", "[]\n");
    expect_yaml("[{\"k\":[\"x\"]}]", "- k:\n  - x\n");
}

Test(output, yaml_quotes_what_would_be_something_else)
{
    expect_yaml(
        "[\"true\",\"No\",\"1\",\"\",\"a: b\",\"- x\",\"~/x\",\"/dir/x\",\"2026-01-01\"]",
        "- \"true\"\n- \"No\"\n- \"1\"\n- \"\"\n- \"a: b\"\n- \"- x\"\n- \"~/x\"\n- /dir/x\n"
        "- \"2026-01-01\"\n");
    expect_yaml("{\"on\":\"a: b\",\"a #b\":\"\\u0001\"}",
                "\"on\": \"a: b\"\n\"a #b\": \"\\u0001\"\n");
}

Test(output, results_of_queries)
{
    static const struct {
        const char *json;
        enum output_form form;
        const char *want;
    } rows[] = {
        {"\"text\"", OUTPUT_JSON, "text\n"},
        {"\"a: b\"", OUTPUT_YAML, "a: b\n"},
        {"{\"a\": [1, \"x\"]}", OUTPUT_JSON, "{\"a\":[1,\"x\"]}\n"},
        {"{\"a\": 1}", OUTPUT_JSON_INDENTED, "{\n    \"a\": 1\n}\n"},
        {"{\"a\": [1, \"x\"]}", OUTPUT_YAML, "a:\n- 1\n- x\n"},
        {"{\"a\": [1, \"x\"]}", OUTPUT_JSON_COLOURED,
         "{\n    \033[36m\"a\"\033[0m: [\n        \033[35m1\033[0m,\n        \033[32m\"x\"\033[0m\n"
         "    ]\n}\n"},
        {"{\"a\": [{\"b\": \"x\\ny\\n\"}, {}], \"c\": \"1\"}", OUTPUT_YAML_COLOURED,
         "\033[36ma\033[0m:\n- \033[36mb\033[0m: \033[32m|\n    x\n    y\033[0m\n- \033[35m{}\033[0m\n"
         "\033[36mc\033[0m: \033[32m\"1\"\033[0m\n"},
        {"\"text\"", OUTPUT_JSON_COLOURED, "text\n"},
        {"null", OUTPUT_JSON, "null\n"},
        {"3", OUTPUT_JSON_INDENTED, "3\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

        cr_expect_eq(output_value(rows[i].json, rows[i].form, &out, NULL), 0);
        cr_expect_str_eq(sbuf_str(&out), rows[i].want);
    }
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    cr_expect_eq(output_value("{", OUTPUT_JSON, &out, &err), -1);
    cr_expect_eq(err.kind, ERR_PROTOCOL);
}

/* ---- progress -------------------------------------------------------------------------------- */

static const struct progress_view view = {
    .subject = "mini",
    .text = "booting, waiting for its ssh server",
    .step = 3,
    .steps = 8,
    .elapsed_ms = 12345,
};

static void expect_line(const struct progress_view *v, unsigned columns, const char *want)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    progress_render(v, columns, &out);
    cr_expect_str_eq(sbuf_str(&out), want);
}

Test(progress, wide_and_narrow)
{
    expect_line(&view, 80, "mini: [3/8] booting, waiting for its ssh server 12s");
    expect_line(&view, 50, "mini: booting, waiting for its ssh server 12s");
    expect_line(&view, 40, "mini: booting, waiting for its s... 12s");
    expect_line(&view, 20, "booting, wai... 12s");
}

Test(progress, times)
{
    struct progress_view v = view;

    v.elapsed_ms = 61000;
    expect_line(&v, 80, "mini: [3/8] booting, waiting for its ssh server 1m01s");
    v.elapsed_ms = 3 * 3600 * 1000 + 5 * 60 * 1000;
    expect_line(&v, 80, "mini: [3/8] booting, waiting for its ssh server 3h05m");
    v.step = 0;
    v.elapsed_ms = 0;
    expect_line(&v, 80, "mini: booting, waiting for its ssh server 0s");
}

/* Whatever the width and the name: never the last column, always the time. */
Test(progress, always_fits)
{
    static const char *const subjects[] = {"m", "mini", "größere-maschine",
                                           ("a-name-of-seventy-six-characters-is-the-longest-"
                                            "that-an-instance-may-have-xxxx")};

    for (size_t k = 0; k < sizeof(subjects) / sizeof(subjects[0]); k++)
        for (unsigned columns = 1; columns < 200; columns++) {
            struct progress_view v = view;
            _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

            v.subject = subjects[k];
            progress_render(&v, columns, &out);
            cr_expect_leq(columns_of(sbuf_str(&out)), columns > 1 ? columns - 1 : 1, "%u: %s",
                          columns, sbuf_str(&out));
            if (columns > 4)
                cr_expect(str_ends(sbuf_str(&out), "12s"), "%u: %s", columns, sbuf_str(&out));
        }
}
