/* SPDX-License-Identifier: Apache-2.0 */
/* What expressions do, run by the helper program itself. */
#include "base/macro.h"
#include "base/mem.h"
#include "query/internal.h"
#include <criterion/criterion.h>

/* All results with a blank between, or the error. Caller frees. */
static char *run(const char *input, const char *expr)
{
    _cleanup_query_result_ struct query_result r = QUERY_RESULT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    if (query_run(&expr, 1, &input, 1, &r, &err) < 0)
        return err_text(&err);
    return r.values.n ? strv_join(&r.values, " ") : xstrdup("");
}

struct row {
    const char *input, *expr, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *got = run(rows[i].input, rows[i].expr);

        cr_expect_str_eq(got, rows[i].want, "%s over %s: %s", rows[i].expr, rows[i].input, got);
    }
}

Test(query_run, jq)
{
    static const struct row rows[] = {
        {"{\"a\":1}", "", "{\"a\":1}"},
        {"{\"a\":1}", ".a, .b", "1 null"},
        {"{\"a\":[[1],[2]]}", ".a[][] |= . + 1 | [.a[][]], ([.a[0,1][]]), path(.a[][])",
         "[2,3] [2,3] [\"a\",0,0] [\"a\",1,0]"},
        {"[1,2,3]", "map(. + 1) | add", "9"},
        {"[3,1]", "sort, length, first, last", "[1,3] 2 3 1"},
        {"{\"a\":[1,2]}", "[.a[] | select(. > 1)]", "[2]"},
        {"{}", "\"x\\(1 + 2)y\"", "\"x3y\""},
        {"{\"a\":\"a b\"}", "@uri \"q=\\(.a)\", (.a | @base64)", "\"q=a%20b\" \"YSBi\""},
        {"null", "1 + 2 * 3 - 4 / 2, 7 % 4, -(1 + 2), 2 - -1", "5 3 -3 3"},
        {"null", "1 < 2 and 2 <= 2 or false, (1 == 1 | not)", "true false"},
        {"[1,[2]]", "[..]", "[[1,[2]],1,[2],2]"},
        {"[[1,2],[3,4]]", ".[] as [$a, $b] | {$a, b: $b}", "{\"a\":1,\"b\":2} {\"a\":3,\"b\":4}"},
        {"[[1,2]]", ".[] as {$a} ?// [$a] | $a", "1"},
        {"[1,2,3]", "reduce .[] as $x (0; . + $x), [foreach .[] as $x (0; . + $x)]", "6 [1,3,6]"},
        {"[1,2,3]", "first(.[] | select(. > 1)), [limit(2; .[])], [label $f | .[] | ., break $f]",
         "2 [1,2] [1]"},
        {"null", "def f($a; g): $a | g; f(3; . + 1), (def h: def i: 2; i; h)", "4 2"},
        {"null", "[range(5)] | .[1:3], .[:-3], .[-1]", "[1,2] [0,1] 4"},
        {"{\"a\":{}}", ".a.b.c |= 3 | .a.d = [] | .a.d[1] = 1",
         "{\"a\":{\"b\":{\"c\":3},\"d\":[null,1]}}"},
        {"{\"a\":[1,2,3,4]}", ".a[] |= empty", "{\"a\":[]}"},
        {"{\"a\":[1,2,3,4]}", "del(.a[0, 2])", "{\"a\":[2,4]}"},
        {"{\"a\":null}", ".a //= 3 | .b //= 4", "{\"a\":3,\"b\":4}"},
        {"{\"a\":6}", ".a -= 1 | .a *= 4 | .a /= 2 | .a %= 7", "{\"a\":3}"},
        {"{\"a\":1}", "to_entries, (with_entries(.value += 1)), has(\"a\"), keys",
         "[{\"key\":\"a\",\"value\":1}] {\"a\":2} true [\"a\"]"},
        {"\"a1b2\"", "[match(\"[0-9]\"; \"g\").string], gsub(\"[0-9]\"; \"-\"), test(\"B\"; \"i\")",
         "[\"1\",\"2\"] \"a-b-\" true"},
        {"{\"a\":[{\"n\":2},{\"n\":1}]}", ".a | sort_by(.n) | map(.n)", "[1,2]"},
        {"null", "try error(\"x\") catch (. + \"y\"), (try error(\"z\")), [.[]?]", "\"xy\" []"},
        {"\"\\u0000\"", ". + \"\\u0000\\ud83d\\ude00\\u00e9\"", "\"\\u0000\\u0000😀é\""},
        {"null", "\"a\\tb\\\\\\\"\"", "\"a\\tb\\\\\\\"\""},
        {"{\"if\":1,\"and\":2}", ".if + .and, {if: .if}", "3 {\"if\":1}"},
        {"null", "if true then 1 elif false then 2 else 3 end", "1"},
        {"[1,null]", "map(if . then \"y\" end)", "[\"y\",null]"},
        {"{\"x\":{\"y\":1}}", "[paths], [leaf_paths], getpath([\"x\",\"y\"]), path(.x.y)",
         "[[\"x\"],[\"x\",\"y\"]] [[\"x\",\"y\"]] 1 [\"x\",\"y\"]"},
    };

    check_rows(rows, ARRAY_SIZE(rows));
}

Test(query_run, yq)
{
    static const struct row rows[] = {
        {"{\"a-b\":1,\"c\":5}", ".a-b = 2 | .c-1, .c - 1", "4 4"},
        {"{\"a-b\":1,\"c\":5}", ".a-b, .c", "1 5"},
        {"{\"m\":[{\"l\":1}]}", ".m.0.l = 2, .m.[0].l, .[\"m\"][0].l", "{\"m\":[{\"l\":2}]} 1 1"},
        {"{\"0\":7}", ".0", "0"},
        {"{\"a\":{\"0\":7}}", ".a.0", "7"},
        {"{\"b\":null}", ".a = .b // 4", "{\"b\":null,\"a\":4}"},
        {"{\"a\":null}", ".a // \"x\" | . + \"y\"", "\"xy\""},
        {"{}", ".m[].w = true | del(.m[] | select(.w)) | .n = [.m[].l]", "{\"n\":[]}"},
        {"{\"m\":[1]}", ".m += 2 | .m += [3] | .m += null", "{\"m\":[1,2,3]}"},
        {"{}", ".m += [3] | .n += 1 | .s += \"x\"", "{\"m\":[3],\"n\":1,\"s\":\"x\"}"},
        {"{\"p\":80}", "\"port \" + .p, .p + \"!\"", "\"port 80\" \"80!\""},
        {"{\"d\":[\"a\",\"b\"]}", ".d -= \"a\"", "{\"d\":[\"b\"]}"},
        {"{\"a\":{\"b\":1,\"l\":[1]}}", ".a * {\"c\":2,\"l\":[2]}", "{\"b\":1,\"l\":[2],\"c\":2}"},
        {"{\"a\":{\"l\":[1]}}", ".a *+ {\"l\":[2]}, .a *n {\"l\":[2],\"m\":1}, .a *? {\"m\":1}",
         "{\"l\":[1,2]} {\"l\":[1],\"m\":1} {\"l\":[1]}"},
        {"[{\"a\":1},{\"b\":2}]", ". *d [{\"c\":3}]", "[{\"a\":1,\"c\":3},{\"b\":2}]"},
        {"{\"a\":{\"x\":{\"y\":1}}}", ". *= {\"a\":{\"x\":{\"z\":2}}} | .b *= {\"c\":1}",
         "{\"a\":{\"x\":{\"y\":1,\"z\":2}},\"b\":{\"c\":1}}"},
        {"{\"a\":{\"b\":1}}", "with(.a; .b = 2 | .c = 3)", "{\"a\":{\"b\":2,\"c\":3}}"},
        {"[1,2,3]", ".[] as $i ireduce (0; . + $i)", "6"},
        {"{\"a\":\"cat\"}", "select(.a == \"c*\").a, (.a != \"?at\"), (.a == \"*x\")",
         "\"cat\" false false"},
        {"{\"a\":\"c.t\"}", ".a == \"c.*\", .a == \"c.t\", \"cxt\" == \"c.*\"", "true true false"},
        {"{\"a\":12}", ".a == \"1*\", .a == \"12\"", "true false"},
        {"\"cat cats\"", "sub(\"cat\", \"dog\"), sub(\"cat\"; \"dog\")", "\"dog dogs\" \"dog cats\""},
        /* Matches of nothing, where jq 1.6 has no end. */
        {"\"a\\nb\"", "gsub(\"^\"; \"> \"), gsub(\"$\"; \"!\")", "\"> a\\nb\" \"a\\nb!\""},
        {"\"aXbx\"", "gsub(\"x\"; \"y\"), gsub(\"x\"; \"y\"; \"i\"), sub(\"x\"; \"y\"; \"ig\"), "
                     "sub(\"x\"; \"y\"; \"i\"), sub(\"x\"; \"y\"; null)",
         "\"aXby\" \"ayby\" \"ayby\" \"aybx\" \"aXby\""},
        {"\"a1b\"", "gsub(\"(?<n>[0-9])|(?<z>z)\"; \"<\\(.n)\\(.z)>\"), [gsub(\"[ab]\"; \"x\", \"y\")], "
                    "[gsub(\"a\"; empty)], gsub(\"q\"; \"\")",
         "\"a<1null>b\" [\"x1x\",\"x1y\",\"y1x\",\"y1y\"] [] \"a1b\""},
        {"\"ab12\"", "sub(\"([a-z]+)(?<n>[0-9]+)\", \"${2}-$1-${n}$$\")", "\"12-ab-12$\""},
        {"\"a 1\"", "test(\"\\s\\d\")", "true"},
        {"[3,1,3]", "unique, unique_by(. > 2)", "[3,1] [3,1]"},
        {"{\"b\":1,\"a\":2}", "sort_keys(.) | keys_unsorted", "[\"a\",\"b\"]"},
        {"{\"b\":1,\"a\":2}", "pick([\"a\",\"z\"]), omit([\"a\"])", "{\"a\":2} {\"b\":1}"},
        {"[5,6]", "pick([1]), filter(. > 5), any_c(. > 5), all_c(. > 5), toarray", "[6] [6] true false [5,6]"},
        {"\" a \"", "trim, ltrim, rtrim, upcase, kind", "\"a\" \"a \" \" a\" \" A \" \"scalar\""},
        {"{}", "[True, FALSE, Null, ~, 0x10, .5]", "[true,false,null,null,16,0.5]"},
        {"{\"a\":[1,2,3,4]}", ".a[] |= select(. > 2)", "{\"a\":[3,4]}"},
        {"-3", "abs, documentIndex", "3 0"},
        {"{\"a\":{\"b\":\"x\"}}", ".a.b |= upcase | del(.a.c) | .a[\"d e\"] = .a.b",
         "{\"a\":{\"b\":\"X\",\"d e\":\"X\"}}"},
        {"{\"m\":[{\"l\":\"/a\"},{\"l\":\"/b\"}]}",
         "(.m[] | select(.l == \"/b\")).w = true | del(.m[] | select(.l == \"/a\"))",
         "{\"m\":[{\"l\":\"/b\",\"w\":true}]}"},
    };

    check_rows(rows, ARRAY_SIZE(rows));
}

/* Each function that may be called is one that libjq or the prelude has. */
Test(query_run, every_function_exists)
{
    size_t n;
    const struct query_function *f = query_functions(&n);
    _cleanup_sbuf_ struct sbuf expr = SBUF_INIT;

    for (size_t i = 0; i < n; i++) {
        sbuf_addf(&expr, "%s(%s", i ? ", " : "def all_of_them: ", f[i].name);
        for (unsigned k = 0; k < f[i].arity; k++)
            sbuf_addstr(&expr, k ? "; ." : "(.");
        sbuf_addf(&expr, "%s)", f[i].arity ? ")" : "");
    }
    sbuf_addstr(&expr, "; 1");
    _cleanup_free_ char *got = run("null", expr.buf);
    cr_expect_str_eq(got, "1", "%s", got);
}

Test(query_run, many_inputs_and_expressions)
{
    static const char *const exprs[] = {".a[]", "select(. != 2) # not two", "-."};
    static const char *const inputs[] = {"{\"a\":[1,2]}", "{\"a\":[]}", "{\"a\":[2,3,4]}"};
    _cleanup_query_result_ struct query_result r = QUERY_RESULT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(query_run(exprs, 3, inputs, 3, &r, &err), 0);
    cr_assert_eq(r.n, 3);
    cr_expect(r.counts[0] == 1 && r.counts[1] == 0 && r.counts[2] == 2);
    _cleanup_free_ char *all = strv_join(&r.values, " ");
    cr_expect_str_eq(all, "-1 -3 -4");
    query_result_release(&r);
    cr_assert_eq(query_run(NULL, 0, inputs, 0, &r, &err), 0);
    cr_expect_eq(r.n, 0);
}

static void expect_failure(const char *input, const char *expr, const char *text)
{
    _cleanup_free_ char *got = run(input, expr);

    cr_expect_not_null(strstr(got, text), "%s: %s", expr, got);
}

Test(query_run, failures_are_told)
{
    expect_failure("{\"a\":1}", ".a.b = 2", "the expression failed: Cannot index number");
    expect_failure("{}", "error(\"so it is\")", "the expression failed: so it is");
    expect_failure("{}", "error({\"a\":1})", "{\"a\":1}");
    expect_failure("{}", "\"x\" | test(\"(\")", "Regex failure");
    expect_failure("{\"a\":", ".", "failed");
    expect_failure("{\"a\":1}", ".a[]", "Cannot iterate over number");
    expect_failure("{}", "{(1): 2}", "Cannot use number (1) as object key");
    _cleanup_free_ char *got = run("{}", "{(1): 2}");
    cr_expect_null(strstr(got, "_q_"), "%s", got);
}

/* Whatever it computes, it ends. Which limit is met first depends on the machine, so that only those
 * that need no other are named. */
Test(query_run, limits)
{
    static const char *const endless[] = {"[range(1e9)] | length", "def f: [f]; f", "repeat(.)"};

    for (size_t i = 0; i < ARRAY_SIZE(endless); i++) {
        _cleanup_free_ char *got = run("null", endless[i]);

        /* The processor's time, or, where there is little of it, the clock's. */
        cr_expect(strstr(got, "the expression failed: it") || strstr(got, "did not end within"),
                  "%s: %s", endless[i], got);
    }
    /* A limit of ours, or jq's on texts. */
    expect_failure("null", "reduce range(40) as $i (\"aaaaaaaa\"; . + .) | length",
                   "the expression failed: ");
    expect_failure("null", "reduce range(100000) as $i (null; [.])", "nested too deeply");
#if !WITH_ASAN /* which tells of the stack in its own words */
    expect_failure("null", "reduce range(1000000) as $i (null; [.]) | tojson", "nested too deeply");
#endif
}
