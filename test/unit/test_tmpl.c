/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "tmpl/tmpl.h"
#include <criterion/criterion.h>

static const char DATA[] =
    "{\"User\":\"kim\",\"Name\":\"mini\",\"UID\":501,\"Empty\":\"\",\"Zero\":0,\"Half\":0.5,\"Yes\":true,\"No\":false,"
    "\"Nil\":null,\"Param\":{\"port\":\"80\",\"b\":\"two\",\"a\":\"one\"},\"None\":[],"
    "\"List\":[\"x\",\"y\",\"z\"],\"Ints\":[3,1,2],\"Deep\":{\"A\":{\"B\":[{\"C\":\"deep\"}]}},"
    "\"Text\":\"one\\ntwo\\n\\nthree\"}";

static struct json *data(void)
{
    return json_parse(DATA, strlen(DATA), "data", NULL);
}

struct row {
    const char *text, *want;
};

struct bad_row {
    const char *text, *error, *hint;
};

static void check(const struct row *rows, size_t n, unsigned flags)
{
    _cleanup_json_ struct json *j = data();

    for (size_t i = 0; i < n; i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_free_ char *problem = NULL;
        _cleanup_free_ char *got = tmpl_expand(rows[i].text, j, flags, &problem, &err);

        cr_expect(got && streq(got, rows[i].want), "%s: %s", rows[i].text,
                  got ? got : err.msg);
        cr_expect_null(problem, "%s: %s", rows[i].text, problem ? problem : "");
    }
}

static void check_bad(const struct bad_row *rows, size_t n)
{
    _cleanup_json_ struct json *j = data();

    for (size_t i = 0; i < n; i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_free_ char *got = tmpl_expand(rows[i].text, j, 0, NULL, &err);

        cr_expect_null(got, "%s: %s", rows[i].text, got ? got : "");
        cr_expect_eq(err.kind, ERR_CONFIG, "%s", rows[i].text);
        cr_expect(err.msg && str_starts(err.msg, rows[i].error), "%s: %s", rows[i].text,
                  err.msg ? err.msg : "");
        cr_expect(!rows[i].hint || (err.hint && strstr(err.hint, rows[i].hint)), "%s: %s",
                  rows[i].text, err.hint ? err.hint : "(no hint)");
    }
}

Test(tmpl, texts_and_fields)
{
    static const struct row rows[] = {
        {"", ""},
        {"plain }} text", "plain }} text"},
        {"a {{.User}} b", "a kim b"},
        {"{{ .User }}{{.Param.port}}", "kim80"},
        {"{{\n.User\n}}", "kim"},
        {"[{{.Empty}}]", "[]"},
        {"{{$.User}}", "kim"},
        {"{{.Deep.A.B}}", "[map[C:deep]]"},
        {"{{(index .Deep.A.B 0).C}}", "deep"},
        {"{{.UID}} {{.Half}} {{.Yes}} {{.No}} {{.Zero}}", "501 0.5 true false 0"},
        {"{{.List}} {{.Param}} {{.None}}", "[x y z] map[a:one b:two port:80] []"},
        {"{{`{{.User}}`}}", "{{.User}}"},
        {"{{\"a\\tb\\\"\"}}", "a\tb\""},
        {"{{\"\\x41\\101\\u00e9\\U0001F600\\a\"}}", "AA\xc3\xa9\xf0\x9f\x98\x80\a"},
        {"{{'x'}} {{'\\n'}} {{'\xc3\xa9'}}", "120 10 233"},
        {"{{1}} {{-2}} {{+3}} {{0x1f}} {{0b11}} {{0o17}} {{017}} {{1_000}} {{1.5}} {{1e3}} {{.5}}",
         "1 -2 3 31 3 15 15 1000 1.5 1000 0.5"},
        {"{{1e21}} {{1234567.0}} {{999999.5}} {{0.00001}} {{0.0001}}",
         "1e+21 1.234567e+06 999999.5 1e-05 0.0001"},
        {"{{true}} {{false}}", "true false"},
    };

    check(rows, ARRAY_SIZE(rows), 0);
}

Test(tmpl, trim_markers_and_comments)
{
    static const struct row rows[] = {
        {"{{/* no */}}x", "x"},
        {"a {{- /* no */ -}} x", "ax"},
        {"a {{/* .User }} */}} x", "a  x"},
        {"a  {{- .User -}}  b", "akimb"},
        {"a\n\t {{- .User}}\nb", "akim\nb"},
        {"a {{.User -}}\n\n  b", "a kimb"},
        {"{{- 3 -}}", "3"},
        {"{{-3}} {{3 -}} x", "-3 3x"},
        {"x {{- \"\" -}} {{- \"\" -}} y", "xy"},
    };

    check(rows, ARRAY_SIZE(rows), 0);
}

Test(tmpl, choices)
{
    static const struct row rows[] = {
        {"{{if .User}}a{{else}}b{{end}}", "a"},
        {"{{if .Empty}}a{{else}}b{{end}}", "b"},
        {"{{if .Zero}}a{{else if .Yes}}b{{else}}c{{end}}", "b"},
        {"{{if .Zero}}a{{else if .No}}b{{else}}c{{end}}d", "cd"},
        {"{{if .None}}a{{end}}{{if .Nil}}b{{end}}{{if .Half}}c{{end}}{{if .List}}d{{end}}", "cd"},
        {"{{if not .Empty}}a{{end}}", "a"},
        {"{{if and .User .Yes}}a{{end}}{{if or .No .Zero}}b{{end}}", "a"},
        {"{{and 1 0 2}} {{or 0 \"\" 3 4}} {{and 1}} {{or 0}}", "0 3 1 0"},
        {"{{and .No (index .List 99)}} {{or .Yes (index .List 99)}}", "false true"},
        {"{{.Yes | and 1}} {{.No | or 0}}", "true false"},
        {"{{if .Param.none}}a{{else}}b{{end}}", "b"},
        {"{{if eq .Param.none \"x\"}}a{{else}}b{{end}}{{if ne .Param.none \"x\"}}c{{end}}", "bc"},
        {"{{with .Param}}{{.port}}{{$.User}}{{end}}", "80kim"},
        {"{{with .Empty}}a{{else}}b{{.User}}{{end}}", "bkim"},
        {"{{with .Empty}}a{{else with .Param}}{{.a}}{{else}}c{{end}}", "one"},
        {"{{with $x := .User}}{{$x}}{{.}}{{end}}", "kimkim"},
        {"{{if $x := .User}}{{$x}}{{end}}", "kim"},
        {"{{eq 1 1}} {{eq 1 2}} {{eq 3 1 2 3}} {{eq \"a\" .User}} {{eq .User \"x\" \"kim\"}}",
         "true false true false true"},
        {"{{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2.5 2.5}} {{lt \"a\" \"b\"}}",
         "true true true false true true"},
        {"{{eq .Nil nil}} {{eq .Yes true}} {{.UID | lt 500}}", "true true true"},
    };

    check(rows, ARRAY_SIZE(rows), 0);
}

Test(tmpl, ranges)
{
    static const struct row rows[] = {
        {"{{range .List}}{{.}},{{end}}", "x,y,z,"},
        {"{{range $e := .List}}{{$e}}{{end}}", "xyz"},
        {"{{range $i, $e := .List}}{{$i}}{{$e}}{{$.UID}} {{end}}", "0x501 1y501 2z501 "},
        {"{{range .None}}a{{else}}none{{end}}", "none"},
        {"{{range .Nil}}a{{else}}none{{end}}{{range .Param.gone}}a{{end}}", "none"},
        {"{{range $k, $v := .Param}}{{$k}}={{$v}} {{end}}", "a=one b=two port=80 "},
        {"{{range .Param}}{{.}} {{end}}", "one two 80 "},
        {"{{range 3}}{{.}}{{end}}{{range $i := 2}}{{$i}}{{end}}{{range 0}}a{{else}}b{{end}}", "01201b"},
        {"{{range .Ints}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}", "32"},
        {"{{range .Ints}}{{if eq . 1}}{{break}}{{end}}{{.}}{{end}}!", "3!"},
        {"{{range .List}}{{range $.Ints}}{{if eq . 1}}{{break}}{{end}}{{.}}{{end}}{{.}}{{end}}",
         "3x3y3z"},
        {"{{$n := 0}}{{range .Ints}}{{$n = .}}{{end}}{{$n}}", "2"},
        {"{{$n := 0}}{{range .Ints}}{{$n := .}}{{end}}{{$n}}", "0"},
        {"{{$i := 9}}{{range $i = .Ints}}{{end}}{{$i}}", "2"},
        {"{{range slice .List 1}}{{.}}{{end}}", "yz"},
    };

    check(rows, ARRAY_SIZE(rows), 0);
}

Test(tmpl, variables_and_templates)
{
    static const struct row rows[] = {
        {"{{$x := .User}}{{$x}}{{$x = 1}}{{$x}}", "kim1"},
        {"{{$x := .Param}}{{$x.port}}", "80"},
        {"{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"},
        {"{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"},
        {"{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .User}}{{template \"t\" 3}}", "<kim><3>"},
        {"{{template \"t\" .}}{{define \"t\"}}{{$.User}}{{end}}", "kim"},
        {"{{block \"b\" .Param}}{{.a}}{{end}}{{template \"b\" .Param}}", "oneone"},
        {"{{define \"t\"}}x{{end}}{{template \"t\"}}", "x"},
    };

    check(rows, ARRAY_SIZE(rows), 0);
}

Test(tmpl, functions)
{
    static const struct row rows[] = {
        {"{{printf \"%s-%q-%d%%\" .User .Param.port 7}}", "kim-\"80\"-7%"},
        {"{{.User | printf \"<%s>\" | print \"=\"}}", "=<kim>"},
        {"{{print (printf \"%s\" .User) 1}} {{print 1 2}} {{print 1 \"a\" 2}}", "kim1 1 2 1a2"},
        {"{{println .User 1}}{{print}}", "kim 1\n"},
        {"{{len .List}} {{len .User}} {{len .Param}} {{len \"\xc3\xa9\"}}", "3 3 3 2"},
        {"{{index .List 1}} {{index .Param \"a\"}} {{index .Deep \"A\" \"B\" 0 \"C\"}} {{index .List}}",
         "y one deep [x y z]"},
        {"{{index .User 0}}", "107"},
        {"{{slice .User 1}} {{slice .User 1 2}} {{slice .List 0 2}} {{slice .User}}", "im i [x y] kim"},
        {"{{not 0}} {{not 1}}", "true false"},
        {"{{html \"<a href='x'>&\\\"\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;"},
        {"{{js \"it's <b>\"}}", "it\\'s \\u003Cb\\u003E"},
        {"{{html nil 1}} {{html 1 2 \"a\"}}", "&lt;no value&gt;1 1 2a"},
        {"{{urlquery \"a b&c/\xc3\xa9\"}}", "a+b%26c%2F%C3%A9"},
        {"{{json .Param}} {{json .List}} {{json (slice .Ints 1)}} {{json .User}} {{json .Nil}}",
         "{\"port\":\"80\",\"b\":\"two\",\"a\":\"one\"} [\"x\",\"y\",\"z\"] [1,2] \"kim\" null"},
        {"{{yaml .Param}}", "---\nport: \"80\"\nb: two\na: one"},
        {"{{yaml .List}}", "---\n- x\n- \"y\"\n- z"},
        {"{{.Text | indent}}", "  one\n  two\n\n  three"},
        {"{{indent 1 .Text}}", " one\n two\n\n three"},
        {"{{.Empty | missing}} {{.Empty | missing \"none\" | indent 2}} {{missing \"none\" .User}}",
         "<missing>   none kim"},
        {"{{.Param.none | missing \"x\"}}", "x"},
    };

    check(rows, ARRAY_SIZE(rows), 0);
}

Test(tmpl, mistakes_have_a_place)
{
    static const struct bad_row rows[] = {
        {"{{.User", "1:8: unclosed action", "}}"},
        {"ab\ncd {{.User", "2:11: unclosed action", NULL},
        {"{{}}", "1:3: missing value for command", NULL},
        {"{{|}}", "1:3: missing value", NULL},
        {"{{.User|}}", "1:9: missing value", NULL},
        {"{{\"a}}", "1:3: unterminated quoted string", NULL},
        {"{{`a}}", "1:3: unterminated raw quoted string", NULL},
        {"{{'ab'}}", "1:3: unterminated character", NULL},
        {"{{\"\\q\"}}", "1:4: unknown escape", NULL},
        {"{{\"\\x00\"}}", "1:4: a text can't hold a NUL", NULL},
        {"{{/* a}}", "1:3: unclosed comment", NULL},
        {"{{/* a */ .User}}", "1:10: a comment ends", NULL},
        {"{{.User .User}}", "1:9: can't give a value to `.User`", NULL},
        {"{{.User | 3}}", "1:11: `3` can't take", NULL},
        {"{{nil}}", "1:3: nil is not a command", NULL},
        {"{{(.User}}", "1:3: unclosed left parenthesis", NULL},
        {"{{.User)}}", "1:8: unexpected `)", NULL},
        {"{{.User-}}", "1:8: unexpected", NULL},
        {"{{1.2.3}}", "1:3: bad number syntax: `1.2.3`", NULL},
        {"{{09}}", "1:3: bad number", NULL},
        {"{{99999999999999999999}}", "1:3: bad number", NULL},
        {"{{true.x}}", "1:7: unexpected `.`", NULL},
        {"{{foo}}", "1:3: function `foo` not defined", "`.foo`"},
        {"{{prinf \"a\"}}", "1:3: function `prinf` not defined", "did you mean `print"},
        {"{{Name}}", "1:3: function `Name` not defined", "the field `.Name` or the function"},
        {"{{if Nam -}}{{end}}", "1:6: function `Nam` not defined", "the field `.Nam` or"},
        {"{{.a | upper}}", "1:8: function `upper` not defined", "there are Go's functions"},
        {"{{uppercase .a}}", "1:3: function `uppercase` not defined", "there are Go's functions"},
        {"{{$x}}", "1:3: undefined variable `$x`", ":="},
        {"{{$abc := 1}}{{$abd}}", "1:16: undefined variable `$abd`", "did you mean `$abc`?"},
        {"{{$x = 1}}", "1:3: undefined variable `$x`", ":="},
        {"{{$x, $y := .List}}", "1:3: too many declarations", NULL},
        {"{{if true}}{{$x := 1}}{{end}}{{$x}}", "1:32: undefined variable", NULL},
        {"{{if .User}}x", "1:1: unexpected end of the template", "{{if}}"},
        {"x{{range .List}}{{if .}}{{end}}", "1:2: unexpected end", "{{range}}"},
        {"{{end}}", "1:3: unexpected {{end}}", NULL},
        {"{{else}}", "1:3: unexpected {{else}}", NULL},
        {"{{if 1}}{{else}}{{else}}{{end}}", "1:19: a second {{else}}", NULL},
        {"{{if}}x{{end}}", "1:5: missing value for if", NULL},
        {"{{break}}", "1:3: {{break}} outside of {{range}}", NULL},
        {"{{template \"x\"}}", "1:3: template `x` not defined", NULL},
        {"{{template x}}", "1:12: {{template}} needs a name", NULL},
        {"{{if 1}}{{define \"x\"}}{{end}}{{end}}", "1:11: {{define}} inside", NULL},
        {"{{.Nope}}", "1:3: can't evaluate field `.Nope`", NULL},
        {"{{.Usr}}", "1:3: can't evaluate field `.Usr`", "did you mean `.User`?"},
        {"\xc3\xa9 {{.Deep.A.X}}", "1:5: can't evaluate field `.Deep.A.X`", NULL},
        {"{{.Deep.A.BB}}", "1:3: can't evaluate field `.Deep.A.BB`", "`.Deep.A.B`"},
        {"{{.User.x}}", "1:3: can't evaluate field `.User.x` in type string", NULL},
        {"{{.Nil.x}}", "1:3: can't evaluate field `.Nil.x`", NULL},
        {"{{.Param.none}}", "1:3: can't evaluate field `.Param.none`", NULL},
        {"{{.Param.none.x}}", "1:3: can't evaluate field", NULL},
        {"{{printf}}", "1:3: wrong number of args for printf: want at least 1 got 0", NULL},
        {"{{printf 3}}", "1:3: printf needs a format, not a int", NULL},
        {"{{not}}", "1:3: wrong number of args for not: want 1 got 0", NULL},
        {"{{and}}", "1:3: wrong number of args for and", NULL},
        {"{{eq 1}}", "1:3: wrong number of args for eq", NULL},
        {"{{eq 1 \"1\"}}", "1:3: incompatible types for comparison: int and string", "in quotes"},
        {"{{lt true false}}", "1:3: incompatible types", NULL},
        {"{{eq .List .List}}", "1:3: a []interface {} can't be compared", NULL},
        {"{{len 3}}", "1:3: len of type int", NULL},
        {"{{index .List 3}}", "1:3: index out of range: 3", NULL},
        {"{{index .List -1}}", "1:3: index out of range: -1", NULL},
        {"{{index .List \"a\"}}", "1:3: cannot index", NULL},
        {"{{index .Param 3}}", "1:3: a key of a map is a text", NULL},
        {"{{index 3 3}}", "1:3: can't index item of type int", NULL},
        {"{{slice .User 3 2}}", "1:3: invalid slice index: 3 > 2", NULL},
        {"{{call .User}}", "1:3: call of a string", NULL},
        {"{{indent 2 3}}", "1:3: indent: the last argument must be a string", NULL},
        {"{{indent \"x\" \"y\"}}", "1:3: indent: the optional first argument", NULL},
        {"{{missing 1 \"\"}}", "1:3: missing: the optional first argument", NULL},
        {"{{range .User}}{{end}}", "1:9: range can't iterate over a string", "a list"},
        {"{{range $i, $e := 3}}{{end}}", "1:9: can't use a number", NULL},
    };

    check_bad(rows, ARRAY_SIZE(rows));
}

/* What other tools would read stays; blocks as a whole when they are what it decides. */
Test(tmpl, keep_unknown)
{
    static const struct {
        const char *text, *want, *problem;
    } rows[] = {
        {"a {{.User}}", "a kim", NULL},
        {"{{.Nope}} {{.User}}", "{{.Nope}} kim", "`.Nope` is not known here"},
        {"{{.Usr}}", "{{.Usr}}", "did you mean `.User`?"},
        {"{{.Param.none}}", "{{.Param.none}}", "`.Param.none`"},
        {"{{ .Names -}} x", "{{ .Names -}}x", "`.Names`"},
        {"{{.User.x}} {{.User}}", "{{.User.x}} kim", "`.User.x`"},
        {"{{range .Items}}{{.User}}{{else}}b{{end}} {{.User}}",
         "{{range .Items}}{{.User}}{{else}}b{{end}} kim", "`.Items`"},
        {"{{if .Nope}}a{{else}}b{{end}}", "{{if .Nope}}a{{else}}b{{end}}", "`.Nope`"},
        {"{{if .No}}a{{else if .Nope}}{{.User}}{{end}}!",
         "{{if .No}}a{{else if .Nope}}{{.User}}{{end}}!", "`.Nope`"},
        {"{{if .Yes}}{{.Nope}}{{.User}}{{end}}", "{{.Nope}}kim", "`.Nope`"},
        {"{{range .List}}{{.}}{{.x}}{{end}}", "x{{.x}}y{{.x}}z{{.x}}", "`.x`"},
        {"{{$x := .Nope}}{{$x}}{{.User}}", "{{$x := .Nope}}{{$x}}kim", "`.Nope`"},
        {"{{printf \"%s\" .Nope | printf \"%s\"}}", "{{printf \"%s\" .Nope | printf \"%s\"}}",
         "`.Nope`"},
        {"{{if .Param.none}}a{{else}}b{{end}}", "b", NULL},
    };
    _cleanup_json_ struct json *j = data();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_free_ char *problem = NULL;
        _cleanup_free_ char *got = tmpl_expand(rows[i].text, j, TMPL_KEEP_UNKNOWN, &problem, &err);

        cr_expect(got && streq(got, rows[i].want), "%s: %s", rows[i].text, got ? got : err.msg);
        cr_expect_eq(problem != NULL, rows[i].problem != NULL, "%s: %s", rows[i].text,
                     problem ? problem : "");
        if (problem && rows[i].problem)
            cr_expect(strstr(problem, rows[i].problem), "%s: %s", rows[i].text, problem);
    }
}

/* Names as Go has them, over keys as JSON has them; what is left out has its zero. */
Test(tmpl, go_names_and_shape)
{
    static const char text[] =
        "{\"name\":\"mini\",\"sshLocalPort\":60022,\"network\":[{\"lima\":\"x\"}],\"config\":{\"cpus\":4,"
        "\"mounts\":[{\"location\":\"/a\",\"9p\":{\"cache\":\"mmap\"}}],\"images\":[{\"location\":\"/i\"}],"
        "\"copyToHost\":[{\"guest\":\"/g\",\"host\":\"/h\"}]}}";
    static const char shape_text[] =
        "{\"message\":\"\",\"hostAgentPID\":0,\"param\":{},\"config\":{\"plain\":null,\"env\":{},"
        "\"dns\":[null],\"images\":[{\"location\":\"\",\"arch\":null}],\"caCerts\":{\"removeDefaults\":null},"
        "\"mounts\":[{\"writable\":null}]}}";
    static const struct row rows[] = {
        {"{{.Name}} {{.SSHLocalPort}} {{.Config.CPUs}} {{.name}}", "mini 60022 4 mini"},
        {"{{range .Networks}}{{.Lima}}{{end}}", "x"},
        {"{{range .Config.Mounts}}{{.Location}} {{.NineP.Cache}} {{.Writable}}{{end}}",
         "/a mmap <nil>"},
        {"{{range .Config.Images}}{{.Location}}{{.File.Location}}{{.Arch}}{{end}}", "/i/i<nil>"},
        {"{{range .Config.CopyToHost}}{{.GuestFile}}{{.HostFile}}{{end}}", "/g/h"},
        {"[{{.Message}}] {{.HostAgentPID}} {{.Config.Plain}} {{.Config.CACertificates.RemoveDefaults}}",
         "[] 0 <nil> <nil>"},
        {"{{range .Config.DNS}}x{{else}}none{{end}} {{len .Config.DNS}}", "none 0"},
        {"{{if .Param.x}}a{{end}}{{if .Config.Env.y}}b{{end}}c", "c"},
        {"{{.Instance.Name}} {{.Instance.Config.CPUs}}", "mini 4"},
        {"{{json .Config.Mounts}}", "[{\"location\":\"/a\",\"9p\":{\"cache\":\"mmap\"}}]"},
    };
    _cleanup_json_ struct json *j = json_parse(text, strlen(text), "data", NULL);
    _cleanup_json_ struct json *shape = json_parse(shape_text, strlen(shape_text), "shape", NULL);
    const struct tmpl_input in = {j, shape, TMPL_FOLD_CASE};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_tmpl_ struct tmpl *t = tmpl_parse(rows[i].text, &err);
        _cleanup_free_ char *got = t ? tmpl_run(t, &in, NULL, &err) : NULL;

        cr_expect(got && streq(got, rows[i].want), "%s: %s", rows[i].text, got ? got : err.msg);
    }
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_tmpl_ struct tmpl *t = tmpl_parse("{{.Config.Mont}}", &err);

    cr_expect_null(tmpl_run(t, &in, NULL, &err));
    cr_expect_str_eq(err.hint, "did you mean `.Config.Mounts`?");
}

Test(tmpl, asks_for)
{
    static const struct {
        const char *text;
        bool asks;
    } rows[] = {
        {"{{.Name}}", false},
        {"{{.config.cpus}}", true},
        {"{{.Config.CPUs}}", true},
        {"{{if eq .Name \"x\"}}{{range .Config.Mounts}}{{end}}{{end}}", true},
        {"{{json .}}", true},
        {"{{printf \"%s\" (print $.Config)}}", true},
        {"{{.Instance.Config}}", true},
        {"{{define \"x\"}}{{.Config}}{{end}}", true},
        {"{{.Param.config}} config", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_tmpl_ struct tmpl *t = tmpl_parse(rows[i].text, NULL);

        cr_assert_not_null(t, "%s", rows[i].text);
        cr_expect_eq(tmpl_asks_for(t, "Config"), rows[i].asks, "%s", rows[i].text);
    }
}

/* ---- limits ------------------------------------------------------------------------------------ */

static void expect_limit(const char *text, const char *error)
{
    _cleanup_json_ struct json *j = data();
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *got = tmpl_expand(text, j, 0, NULL, &err);

    cr_expect_null(got);
    cr_expect(err.msg && strstr(err.msg, error), "%.60s: %s", text, err.msg ? err.msg : "");
}

static char *repeat(const char *what, size_t n)
{
    struct sbuf s = SBUF_INIT;

    for (size_t i = 0; i < n; i++)
        sbuf_addstr(&s, what);
    return sbuf_detach(&s);
}

Test(tmpl, limits)
{
    _cleanup_free_ char *ifs = repeat("{{if 1}}", 1000), *parens = repeat("(", 1000);
    _cleanup_free_ char *in_parens = xasprintf("{{%s}}", parens);
    _cleanup_free_ char *actions = repeat("{{1}}", 200000), *args = repeat(" 1", 1000);
    _cleanup_free_ char *call = xasprintf("{{print%s}}", args);

    expect_limit("{{range 1000000}}{{range 1000000}}{{range 1000000}}{{end}}{{end}}{{end}}",
                 "steps");
    expect_limit("{{range 9000000000000000000}}{{end}}", "steps");
    expect_limit("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}", "deeper than");
    expect_limit("{{define \"a\"}}{{template \"b\"}}{{template \"b\"}}{{end}}{{define \"b\"}}"
                 "{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}{{template \"a\"}}", "steps");
    /* Twice as long every time. */
    expect_limit("{{$x := \"xxxxxxxxxxxxxxxx\"}}{{range 100}}{{$x = print $x $x}}{{end}}",
                 "longer than");
    expect_limit("{{$x := printf \"%1000s\" \"\"}}{{range 1000}}{{range 100}}{{$x}}{{end}}{{end}}",
                 "longer than");
    expect_limit("{{$x := printf \"%1000s\" \"\"}}{{range 100000}}{{$y := print $x \"\"}}{{end}}",
                 " than ");
    expect_limit(ifs, "nested deeper");
    expect_limit(in_parens, "nested deeper");
    expect_limit(actions, "actions");
    expect_limit(call, "values");
    expect_limit("{{indent 100000 \"x\"}}", "size");
}
