/* SPDX-License-Identifier: Apache-2.0 */
/* What is an expression, and what is said about one that is none. */
#include "base/mem.h"
#include "query/internal.h"
#include <criterion/criterion.h>

/* ---- tokens ----------------------------------------------------------------------------------- */

static const char kinds[] = "EWFV@N\"OB"; /* as query_token_kind */

static void expect_tokens(const char *text, const char *want)
{
    _cleanup_sbuf_ struct sbuf got = SBUF_INIT;
    size_t at = 0;

    for (;;) {
        struct query_token t = query_lex(text, at);

        if (t.kind == QTOK_END)
            break;
        sbuf_addf(&got, "%s%c:%.*s", got.len ? " " : "", kinds[t.kind], (int)t.len, text + t.at);
        at = t.at + t.len;
    }
    cr_expect_str_eq(sbuf_str(&got), want, "%s: %s", text, sbuf_str(&got));
}

Test(query_lex, tokens)
{
    expect_tokens("", "");
    expect_tokens(" # only a comment", "");
    expect_tokens(".a # x\n.b", "F:.a F:.b");
    expect_tokens(".a-b", "F:.a-b");
    expect_tokens(".a-b-1", "F:.a-b-1");
    expect_tokens(".a-1", "F:.a O:- N:1");
    expect_tokens(".a-.b", "F:.a O:- F:.b");
    expect_tokens(".a -b", "F:.a O:- W:b");
    expect_tokens(".größe", "F:.größe");
    expect_tokens(".a.0.b", "F:.a N:.0 F:.b");
    expect_tokens(".a|=1|.b+=2", "F:.a O:|= N:1 O:| F:.b O:+= N:2");
    expect_tokens(". *+d {}", "O:. O:*+d O:{ O:}");
    expect_tokens(". *d .x", "O:. O:*d F:.x");
    expect_tokens(". *=+ .x", "O:. O:*=+ F:.x");
    expect_tokens("2 *data", "N:2 O:* W:data");
    expect_tokens("..|...", "O:.. O:| O:...");
    expect_tokens("@base64d $x $__loc__", "@:@base64d V:$x V:$__loc__");
    expect_tokens("1.5e-3 .5 0x1F 1e 7", "N:1.5e-3 N:.5 N:0x1F N:1 W:e N:7");
    expect_tokens("a::b ~ ' $", "W:a::b W:~ B:' B:$");
    expect_tokens(".a?//\"", "F:.a O:?// \":\"");
}

/* ---- good and bad ----------------------------------------------------------------------------- */

static void expect_good(const char *expr)
{
    _cleanup_err_ struct err err = ERR_INIT;
    int r = query_check(expr, &err);
    _cleanup_free_ char *text = err_text(&err);

    cr_expect_eq(r, 0, "%s: %s", expr, text);
}

/* The text holds what a person sees; col 0: any place. */
static void expect_bad(const char *expr, unsigned col, const char *text)
{
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(query_check(expr, &err), -1, "%s is taken", expr);
    _cleanup_free_ char *all = err_text(&err);
    cr_expect_eq(err.kind, ERR_USAGE, "%s", expr);
    cr_assert_eq(err.diags.n, 1, "%s", expr);
    cr_expect(!col || err.diags.v[0].col == col, "%s: column %u: %s", expr, err.diags.v[0].col, all);
    cr_expect_not_null(strstr(all, text), "%s: %s", expr, all);
}

Test(query_check, jq_is_read)
{
    static const char *const good[] = {
        "", "# nothing", ".", "..", ".a", ".a.b.c", ".\"a b\"", ".[\"a b\"]", ".a[0]", ".a[-1]",
        ".a[1:]", ".a[:2]", ".a[1:2]", ".a[]", ".a[]?", ".a?.b?", ".a.[0].b", ".a.\"b\"",
        "1", "-1", "1.5e3", "\"a\\(.b + \"\\(1)\")c\"", "@base64 \"x\\(.a)\"", "@json", "[]", "{}",
        "[1, 2, .a]", "{a: 1, \"b\": 2, (.c): 3}", "{a, \"b c\", if: 1}",
        ".a as $x | $x", ".a as [$x, {b: $y}] | $x + $y", ". as {$a, b: [$c]} ?// [$a, $c] | $a",
        "reduce .[] as $x (0; . + $x)", "foreach .[] as $x (0; . + $x; [.])",
        "if .a then 1 elif .b then 2 else 3 end", "if .a then 1 end.x", "try error(\"x\") catch .",
        "try .a", "label $out | .[] | break $out", "def f: .+1; f", "def f($a; g): $a | g; f(1; .)",
        "def fac: if . < 2 then 1 else . * (. - 1 | fac) end; fac",
        ".a //= 1", ".a // 1 | . == 2 and .b or (.c | not)", ".a,.b|.c", "del(.a, .b[0])",
        "to_entries | map(select(.key == \"x\"))", "path(..)", "limit(3; repeat(1))",
        ".a |= with_entries(.value += 1)",
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        expect_good(good[i]);
}

Test(query_check, yq_is_read)
{
    static const char *const good[] = {
        ".cpus = 4", ".mounts += [{\"location\": \"/srv\", \"writable\": true}]", ".x |= . + 1",
        "del(.x)", ".a-b.c-d-1 = true", ".[\"a b\"] = 1", "select(.a == \"b*\")",
        ". * {\"a\": 1}", ". *= {\"a\": 1}", ". *+ .b", ".a *=+ .b", ". *nd .b", ". *? .b",
        ".a // \"x\"", "with(.a.b; .c = 1 | .d = 2)", ".[] as $x ireduce (0; . + $x)",
        ".a | sub(\"b\", \"c\")", ".a | sub(\"b\"; \"c\")", ".mounts.0.location", "True", "NULL", "~",
        ".a == ~", "0x1f", "\"\\d+\"", "documentIndex == 0", "pick([\"a\"])", "sort_keys(..)",
        ".a |= downcase", "keys | length", "any_c(. > 1)", ".a |= trim",
        "(.mounts[] | select(.location == \"~\")).writable = true",
        ".env.A |= . + \"1\" | del(.env.B) | .ssh.localPort = 60111",
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        expect_good(good[i]);
}

Test(query_check, places_and_reasons)
{
    expect_bad(".cpus = = 4", 9, "column 9: unexpected `=`");
    expect_bad(".cpus = = 4", 9, "\n    .cpus = = 4\n            ^");
    expect_bad(".cpus =", 8, "column 8: the expression ends too early, expected a value");
    expect_bad(".a |\n  .b |= [1", 0, "line 2, column 11: the expression ends too early, expected `,` or `]`");
    expect_bad(".größe = )", 10, "unexpected `)`");
    expect_bad("(.a", 4, "expected `)`");
    expect_bad(".a)", 3, "unexpected `)`");
    expect_bad("\"abc", 1, "has no end");
    expect_bad("\"abc\\", 1, "has no end");
    expect_bad("\"a\\(.b\"", 7, "expected the `)` of");
    expect_bad("\"\\u12x4\"", 2, "four hexadecimal digits");
    expect_bad(".a = 'x'", 6, "double quotes");
    expect_bad("!.a", 1, "| not");
    expect_bad("if .a = 1", 10, "expected `then`");
    expect_bad("{1: 2}", 2, "keys are texts");
    expect_bad("{a: 1,}", 7, "expected a key");
    expect_bad("{(.a)}", 6, "expected `:`");
    expect_bad(".a = 1 = 2", 8, "put a `|` between");
    expect_bad("1 < 2 < 3", 7, "use parentheses");
    expect_bad(".[:]", 4, "a beginning or an end");
    expect_bad(".a.", 4, "expected a key behind the dot");
    expect_bad(".a.1.5x", 0, "");
    expect_bad("12ab", 1, "is not a number");
    expect_bad("0x", 1, "is not a number");
    expect_bad("...", 1, "goes into keys");
    expect_bad("def f: 1", 9, "expected `;` behind the definition");
    expect_bad("def _q_add: 1; .", 5, "reserved");
    expect_bad(". as $__q | .", 6, "reserved");
    expect_bad("$x", 1, "`$x` is not defined");
    expect_bad("(1 as $x | $x) | $x", 18, "`$x` is not defined");
    expect_bad("(def f: 1; f) | f", 17, "there is no function `f`");
    expect_bad("break $x", 7, "no `label $x` around");
    expect_bad("@base65", 1, "there is no format `@base65`");
    expect_bad("selct(.a)", 1, "did you mean `select`?");
    expect_bad("lenght", 1, "or the function `length`?");
    expect_bad("status == \"Stopped\"", 1, "did you mean the key `.status` or");
    expect_bad(".a | foo_bar_baz", 6, "a key is written `.foo_bar_baz`");
    expect_bad("test(1; 2; 3)", 1, "`test` takes 1 or 2 arguments, not 3");
    expect_bad("map", 1, "`map` takes 1 argument, not 0");
    expect_bad("length(1)", 1, "`length` takes no arguments, not 1");
    expect_bad("def f(a): a; f", 14, "another number of arguments");
    expect_bad("def f(a): a; a", 14, "there is no function `a`");
    expect_bad("reduce .[] as $x (1)", 20, "expected `;`");
    expect_bad(".a and", 7, "expected a value");
    expect_bad("\xff", 1, "not UTF-8");
}

/* F-yq: nothing that leaves the value is run. */
Test(query_check, what_is_refused)
{
    static const char *const env[] = {"env", "env(HOME)", "strenv(HOME)", "envsubst", "$ENV",
                                      "$ENV.HOME", "env.HOME", "env.PAGER", ".a = env(X)",
                                      "\"\\(env)\"", "{a: env}", "{(env): 1}", "[.[env]]",
                                      "def f: env; f", "@json \"\\($ENV)\"", "{$ENV}",
                                      ". as {(env): $x} | 1", "try env", "if env then 1 else 2 end"};
    static const char *const file[] = {"load(\"x\")", "load_str(\"/etc/hostname\")", "filename",
                                       "import \"a\" as b; .", "include \"a\"; .", "modulemeta",
                                       "input_filename", "get_search_list", "file_index",
                                       "load_xml(\"x\")", "load_props(\"x\")", "input_line_number"};
    static const char *const other[] = {
        "input", "inputs", "debug", "stderr", "halt", "halt_error", "halt_error(1)", "eval(\".a\")",
        "system(\"id\")", "splitDoc", "get_jq_origin", "get_prog_origin", "_modify(.a; 1)",
        "_q_update(.; 1)", "builtins", "input_line", "getpath", "$__prog_args", "$__loc__", "a::b",
        "localtime", "strflocaltime(\"%Z\")", "debug(\"x\")", "ltrimstr", "@sh64"};

    for (size_t i = 0; i < ARRAY_SIZE(env); i++)
        expect_bad(env[i], 0, "env operations have been disabled");
    for (size_t i = 0; i < ARRAY_SIZE(file); i++)
        expect_bad(file[i], 0, "file operations have been disabled");
    for (size_t i = 0; i < ARRAY_SIZE(other); i++)
        expect_bad(other[i], 0, "error: ");
    expect_bad(".a line_comment=\"x\"", 4, "not its comments");
    expect_bad(".a style=\"double\"", 4, "not its comments");
    expect_bad(".a | tag", 6, "not its comments");
    expect_bad("explode(.)", 1, "`explode` takes no arguments");
    /* Names of one's own are one's own. */
    expect_good("def env: 1; env");
    expect_good("1 as $env | $env");
    expect_good(".env.A = \"b\" | {env: 1}.env");
}

Test(query_check, sizes_are_limited)
{
    _cleanup_sbuf_ struct sbuf deep = SBUF_INIT, wide = SBUF_INIT, large = SBUF_INIT;

    for (size_t i = 0; i < 10000; i++)
        sbuf_addch(&deep, '[');
    expect_bad(deep.buf, 0, "nested too deeply");
    sbuf_clear(&deep);
    for (size_t i = 0; i < 5000; i++)
        sbuf_addstr(&deep, "-");
    expect_bad(deep.buf, 0, "nested too deeply");
    sbuf_clear(&deep);
    for (size_t i = 0; i < 3000; i++)
        sbuf_addstr(&deep, "\"\\(");
    expect_bad(deep.buf, 0, "nested too deeply");
    /* What is read twice when it has no commas. */
    sbuf_clear(&deep);
    for (size_t i = 0; i < 100; i++)
        sbuf_addstr(&deep, "sub(1|");
    expect_bad(deep.buf, 0, "");
    for (size_t i = 0; i < 5000; i++)
        sbuf_addstr(&wide, "1+");
    expect_bad(wide.buf, 0, "too long");
    for (size_t i = 0; i < QUERY_EXPR_MAX; i++)
        sbuf_addstr(&large, " .");
    expect_bad(large.buf, 0, "too long");
}

/* ---- the table -------------------------------------------------------------------------------- */

Test(query_functions, sorted_and_not_refused)
{
    size_t n;
    const struct query_function *f = query_functions(&n);

    for (size_t i = 0; i < n; i++) {
        cr_expect_null(query_refusal(f[i].name), "%s", f[i].name);
        if (i)
            cr_expect(strcmp(f[i - 1].name, f[i].name) < 0 ||
                          (streq(f[i - 1].name, f[i].name) && f[i - 1].arity < f[i].arity),
                      "%s, %s", f[i - 1].name, f[i].name);
    }
}
