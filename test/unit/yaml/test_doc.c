/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: places, aliases and merge keys, limits, and byte-exact changes. */
#include "base/mem.h"
#include "yaml/doc.h"
#include "yaml/edit.h"
#include "yaml/emit.h"
#include <criterion/criterion.h>

static struct yaml_doc *parse(const char *text, struct diags *d)
{
    return yaml_doc_parse("t.yaml", text, strlen(text), d);
}

static struct yaml_doc *parse_ok(const char *text)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct yaml_doc *doc = parse(text, &d);

    cr_assert_not_null(doc, "%s", d.n ? d.v[0].msg : "");
    return doc;
}

/* The text is refused, with a message that holds `what`, in this place. */
static void refused(const char *text, size_t len, const char *what, unsigned line, unsigned col)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse("t.yaml", text, len, &d);

    cr_expect_null(doc, "accepted: %s", text);
    cr_assert_eq(d.n, 1);
    cr_expect(strstr(d.v[0].msg, what), "'%s' has no '%s'", d.v[0].msg, what);
    cr_expect_eq(d.v[0].line, line, "line %u in '%s'", d.v[0].line, d.v[0].msg);
    cr_expect_eq(d.v[0].col, col, "column %u in '%s'", d.v[0].col, d.v[0].msg);
}

#define REFUSED(text, what, line, col) refused(text, strlen(text), what, line, col)

Test(yaml_doc, places_count_characters)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc =
        parse_ok("\xef\xbb\xbf" "ä: ü\r\nlist: [é, {k: v}]\n");
    const struct yaml_node *root = yaml_doc_root(doc), *v;
    const char *text = yaml_doc_text(doc, NULL);

    v = yaml_map_get(root, "ä");
    cr_assert_not_null(v);
    cr_expect_eq(v->line, 1);
    cr_expect_eq(v->col, 4);
    cr_expect_eq(memcmp(text + v->start, "ü", 2), 0);
    cr_expect_eq(v->end - v->start, 2);
    v = yaml_map_get(yaml_map_get(root, "list")->items[1], "k");
    cr_expect_eq(v->line, 2);
    cr_expect_eq(v->col, 15);
    cr_expect_eq(text[v->start], 'v');
}

Test(yaml_doc, core_schema)
{
    static const struct {
        const char *text;
        enum yaml_core core;
    } rows[] = {
        {"~", YAML_NULL},      {"null", YAML_NULL},   {"", YAML_NULL},       {"nULL", YAML_STR},
        {"true", YAML_BOOL},   {"FALSE", YAML_BOOL},  {"yes", YAML_STR},     {"off", YAML_STR},
        {"12", YAML_INT},      {"-0", YAML_INT},      {"0x1F", YAML_INT},    {"0o17", YAML_INT},
        {"0b1", YAML_STR},     {"1_000", YAML_STR},   {"1.5", YAML_FLOAT},   {".5", YAML_FLOAT},
        {"1e3", YAML_FLOAT},   {"1.", YAML_FLOAT},    {".inf", YAML_FLOAT},  {"-.INF", YAML_FLOAT},
        {".nan", YAML_FLOAT},  {"e3", YAML_STR},      {".", YAML_STR},       {"1e", YAML_STR},
        {"'12'", YAML_STR},    {"!!str 12", YAML_STR}, {"!!int 12", YAML_INT},
        {"2024-01-02", YAML_STR},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = xasprintf("k: %s\n", rows[i].text);
        _cleanup_yaml_doc_ struct yaml_doc *doc = parse_ok(text);

        cr_expect_eq(yaml_core_type(yaml_map_get(yaml_doc_root(doc), "k")), rows[i].core, "%s",
                     rows[i].text);
    }
}

Test(yaml_doc, binary)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc =
        parse_ok("a: !!binary |\n  IyEH\n  MTIz\nb: !!binary aGk=\nc: !!binary ''\nd: !!str aGk=\n");
    const struct yaml_node *root = yaml_doc_root(doc);

    cr_expect_str_eq(yaml_map_get(root, "a")->value, "#!\a123");
    cr_expect_str_eq(yaml_map_get(root, "b")->value, "hi");
    cr_expect_str_eq(yaml_map_get(root, "c")->value, "");
    cr_expect_str_eq(yaml_map_get(root, "d")->value, "aGk=");
    cr_expect_eq(yaml_core_type(yaml_map_get(root, "c")), YAML_STR);
}

Test(yaml_doc, aliases_and_merge_keys)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc =
        parse_ok("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\n"
                 "c: {<<: *a, y: 9}\nd: {<<: [*b, *a]}\ne: *a\nf: {'<<': quoted}\n");
    const struct yaml_node *root = yaml_doc_root(doc), *c = yaml_map_get(root, "c"),
                           *d = yaml_map_get(root, "d"), *e = yaml_map_get(root, "e");

    cr_expect_str_eq(yaml_map_get(c, "y")->value, "9");
    cr_expect_str_eq(yaml_map_get(c, "x")->value, "1");
    cr_expect(yaml_map_pair(c, "x")->merged);
    cr_expect_not(yaml_map_pair(c, "y")->merged);
    cr_expect_eq(c->n, 2);
    cr_expect_str_eq(yaml_map_get(d, "y")->value, "3");
    cr_expect_str_eq(yaml_map_get(d, "x")->value, "1");
    cr_expect(e->alias);
    cr_expect_eq(e->line, 5);
    cr_expect_str_eq(yaml_map_get(e, "y")->value, "2");
    cr_expect_str_eq(yaml_map_get(yaml_map_get(root, "f"), "<<")->value, "quoted");
}

Test(yaml_doc, only_the_first_document)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse_ok("%YAML 1.2\n---\na: 1\n...\n---\nb: [\n");
    _cleanup_yaml_doc_ struct yaml_doc *none = parse_ok("# nothing\n");

    cr_expect_str_eq(yaml_map_get(yaml_doc_root(doc), "a")->value, "1");
    cr_expect(yaml_is_null(yaml_doc_root(none)));
}

static void expect_more(const char *text, unsigned line)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse(text, &d);

    cr_assert_not_null(doc, "%s", text);
    cr_assert_eq(d.n, line ? 1u : 0u, "%s", text);
    if (!line)
        return;
    cr_expect_eq(d.v[0].severity, DIAG_WARNING);
    cr_expect_not_null(strstr(d.v[0].msg, "only the first document of the file counts"));
    cr_expect_eq(d.v[0].line, line, "%s: %u", text, d.v[0].line);
}

Test(yaml_doc, further_documents_are_a_warning)
{
    expect_more("a: 1\n---\nb: 2\n", 2);
    expect_more("---\na: 1\n...\n---\nb: 2\n", 4);
    expect_more("a: 1\n---\n", 2);
    expect_more("a: [1]\n---\nb: [1\n", 2); /* also when it could not be read */
    expect_more("a: 1\n...\n}", 3);
    expect_more("a: 1\n...\n%YAML 1.2\n---\nb: 2\n", 3);
    expect_more("a: 1\n", 0);
    expect_more("---\na: 1\n", 0);
    expect_more("a: 1\n...\n", 0);
    expect_more("a: 1\n...\n# a comment\n\n", 0);
    expect_more("# nothing\n", 0);
}

/* What YAML 1.2 reads and libyaml alone does not. */
Test(yaml_doc, colon_first_in_flow)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc =
        parse_ok("a: [1, ::1, x]\nb: {k: ::v, l: ::2}\nc: ::3\n");
    const struct yaml_node *root = yaml_doc_root(doc), *b = yaml_map_get(root, "b");

    cr_expect_str_eq(yaml_map_get(root, "a")->items[1]->value, "::1");
    cr_expect_str_eq(yaml_map_get(b, "k")->value, "::v");
    cr_expect_str_eq(yaml_map_get(root, "c")->value, "::3");
    cr_expect_eq(strncmp(yaml_doc_text(doc, NULL), "a: [1, ::1, x]", 14), 0);
    REFUSED("a: [: :]\n", "expected", 1, 5);
}

Test(yaml_doc, utf16)
{
    static const char le[] = "\xff\xfe" "a\0:\0 \0\x3d\xd8\x00\xde\n";
    static const char be[] = "\xfe\xff" "\0a\0:\0 \xd8\x3d\xde\x00\0\n";
    static const char half[] = "\xfe\xff" "\0a\0:\0 \xd8\x3d";
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *l = yaml_doc_parse("l", le, sizeof(le), &d);
    _cleanup_yaml_doc_ struct yaml_doc *b = yaml_doc_parse("b", be, sizeof(be) - 1, &d);

    cr_assert(l && b, "%s", d.n ? d.v[0].msg : "");
    cr_expect_str_eq(yaml_map_get(yaml_doc_root(l), "a")->value, "😀");
    cr_expect_str_eq(yaml_map_get(yaml_doc_root(b), "a")->value, "😀");
    cr_expect_not(yaml_doc_is_editable(l));
    refused(half, sizeof(half) - 1, "control characters", 1, 4);
}

Test(yaml_doc, refused)
{
    REFUSED("", "the file is empty", 0, 0);
    REFUSED("a: 1\na: 2\n", "already defined in line 1, column 1", 2, 1);
    REFUSED("a: {b: 1, \"b\": 2}\n", "already defined in line 1, column 5", 1, 11);
    REFUSED("a: {b: 1}\nc: 2\nd: *b\n", "undefined alias '*b'", 3, 4);
    REFUSED("{a: 1}\nb: 2\n", "has ended before this", 2, 1);
    REFUSED("a: 1\n%YAML 1.2\n---\nb: 2\n", "a directive needs a line `...`", 2, 1);
    REFUSED("a: *b\n", "undefined alias '*b'", 1, 4);
    REFUSED("a: &a [*a]\n", "inside of what it names", 1, 8);
    REFUSED("? [a]\n: b\n", "a key must be", 1, 3);
    REFUSED("a: {<<: 3}\n", "needs a mapping", 1, 9);
    REFUSED("a: {<<: [3]}\n", "needs a list of mappings", 1, 10);
    REFUSED("a: \"x\\0y\"\n", "NUL", 1, 4);
    refused("a: b\0c\n", 7, "control characters", 1, 5);
    REFUSED("a: !!binary aGk\n", "is not base64", 1, 4);
    REFUSED("a: !!binary aAA=\n", "no UTF-8 text", 1, 4);
    REFUSED("a: !!binary 6Q==\n", "no UTF-8 text", 1, 4);
    REFUSED("a: caf\xe9\n", "no valid UTF-8", 1, 7);
    REFUSED("ssh:\n\tport: 1\n", "cannot start any token", 2, 1);
    REFUSED("m: \"abc\ncpus: 3\n", "in line 3", 1, 4);
    REFUSED("a: {b: c\nd: e\n", "expected ',' or '}'", 2, 2);
}

Test(yaml_doc, hints)
{
    static const struct {
        const char *text, *hint;
    } rows[] = {
        {"ssh:\n\tport: 1\n", "indent with spaces, YAML takes no tabs there"},
        {"a: @x\n", "a text that starts with this character needs quotes"},
        {"a: b: c\n", "a text that holds `: ` needs quotes"},
        {"a: \"x\n", "close the quotes"},
        {"a: \"C:\\Users\"\n", "in double quotes a backslash is written \\\\"},
        {"a: [b, c\nd: 1\n", "put a comma between the entries"},
        {"a: *\n", "a text that starts with & or * needs quotes"},
        {"- a\nb: 1\n", "keys and list items can't be mixed in one column"},
        {"a:\n  b: 1\n c: 2\n", "look at the indentation"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_diags_ struct diags d = DIAGS_INIT;

        cr_assert_null(parse(rows[i].text, &d), "accepted: %s", rows[i].text);
        cr_expect(d.v[0].hint && strstr(d.v[0].hint, rows[i].hint), "%s: %s, hint %s",
                  rows[i].text, d.v[0].msg, d.v[0].hint ? d.v[0].hint : "none");
    }
}

Test(yaml_doc, limits)
{
    struct sbuf s = SBUF_INIT;

    for (int i = 0; i <= YAML_MAX_DEPTH; i++)
        sbuf_addch(&s, '[');
    refused(s.buf, s.len, "levels", 1, YAML_MAX_DEPTH + 1);
    sbuf_clear(&s);
    /* Nine aliases of nine aliases of … : five lines, half a million values. */
    sbuf_addstr(&s, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 7; i++) {
        sbuf_addf(&s, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            sbuf_addf(&s, "*a%d,", i - 1);
        sbuf_addstr(&s, "]\n");
    }
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    cr_expect_null(yaml_doc_parse("bomb", s.buf, s.len, &d));
    cr_expect(strstr(d.v[0].msg, "more than 200000 values"));
    sbuf_clear(&s);
    for (int i = 0; i <= YAML_MAX_ANCHORS; i++)
        sbuf_addf(&s, "- &a%d x\n", i);
    refused(s.buf, s.len, "anchors", YAML_MAX_ANCHORS + 1, 3);
    sbuf_clear(&s);
    /* One megabyte, forty times. */
    sbuf_addf(&s, "- &a %01048576d\n", 0);
    for (int i = 0; i < 40; i++)
        sbuf_addstr(&s, "- *a\n");
    refused(s.buf, s.len, "more than 32 MiB of text", 33, 3);
    sbuf_clear(&s);
    memset(sbuf_reserve(&s, YAML_MAX_SIZE + 1), ' ', YAML_MAX_SIZE + 1);
    refused(s.buf, YAML_MAX_SIZE + 1, "larger than 4 MiB", 0, 0);
    sbuf_release(&s);
}

/* Sets one value and compares the whole text. */
static void edited(const char *text, const char *path1, const char *path2, const char *value,
                   const char *want)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse_ok(text);
    _cleanup_yaml_edit_ struct yaml_edit e = YAML_EDIT_INIT(doc);
    const struct yaml_node *map = yaml_doc_root(doc);
    _cleanup_free_ char *got = NULL;
    size_t len;

    if (path1)
        map = yaml_map_get(map, path1);
    cr_assert_eq(yaml_edit_set(&e, yaml_map_pair(map, path2), value, NULL), 0);
    got = yaml_edit_apply(&e, &len);
    cr_expect_str_eq(got, want);
    cr_expect_eq(len, strlen(want));
    /* What was written reads back. */
    _cleanup_yaml_doc_ struct yaml_doc *again = parse_ok(got);
    const struct yaml_node *root = yaml_doc_root(again);
    cr_expect_str_eq(yaml_map_get(path1 ? yaml_map_get(root, path1) : root, path2)->value, value);
}

Test(yaml_edit, the_other_bytes_stay)
{
    edited("# c\r\na:   old   # why\r\nb: 2\r\n", NULL, "a", "new",
           "# c\r\na:   new   # why\r\nb: 2\r\n");
    edited("\xef\xbb\xbf" "a: 'it''s'", NULL, "a", "you're", "\xef\xbb\xbf" "a: 'you''re'");
    edited("a: \"x\" # c\n", NULL, "a", "q\"\n", "a: \"q\\\"\\n\" # c\n");
    edited("a: x\n", NULL, "a", "true", "a: \"true\"\n");
    edited("m: {k: v, l: w}\n", "m", "k", "a, b", "m: {k: \"a, b\", l: w}\n");
    edited("a: &x !!str old\nb: *x\n", NULL, "a", "new", "a: &x !!str new\nb: *x\n");
    edited("a: &x !!binary b2xk\nb: *x\n", NULL, "a", "new", "a: &x new\nb: *x\n");
    edited("a: &x old\nb: *x\n", NULL, "b", "new", "a: &x old\nb: new\n");
    edited("a:\nb: 1\n", NULL, "a", "v", "a: v\nb: 1\n");
    edited("a: # note\nb: 1\n", NULL, "a", "v", "a: v # note\nb: 1\n");
    edited("a: ~\n", NULL, "a", "v", "a: v\n");
    edited("a: |\n  one\n  two\n\n# c\nb: 1\n", NULL, "a", "v", "a: v\n\n# c\nb: 1\n");
    edited("a: one\n  two\nb: 1\n", NULL, "a", "v", "a: v\nb: 1\n");
    edited("ü: ä\nb: ö # x", NULL, "b", "é", "ü: ä\nb: é # x");
}

Test(yaml_edit, several_at_once)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse_ok("a: 1\nb: 2\nc: 3\n");
    _cleanup_yaml_edit_ struct yaml_edit e = YAML_EDIT_INIT(doc);
    const struct yaml_node *root = yaml_doc_root(doc);
    _cleanup_free_ char *got = NULL;

    cr_assert_eq(yaml_edit_set(&e, yaml_map_pair(root, "c"), "last", NULL), 0);
    cr_assert_eq(yaml_edit_set(&e, yaml_map_pair(root, "a"), "x", NULL), 0);
    cr_assert_eq(yaml_edit_set(&e, yaml_map_pair(root, "a"), "first", NULL), 0);
    got = yaml_edit_apply(&e, NULL);
    cr_expect_str_eq(got, "a: first\nb: 2\nc: last\n");
}

Test(yaml_edit, refused)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse_ok("a: &a {k: v}\nb: {<<: *a}\n");
    _cleanup_yaml_edit_ struct yaml_edit e = YAML_EDIT_INIT(doc);
    _cleanup_err_ struct err collection = ERR_INIT, merged = ERR_INIT;
    const struct yaml_node *root = yaml_doc_root(doc);

    cr_expect_eq(yaml_edit_set(&e, yaml_map_pair(root, "a"), "x", &collection), -1);
    cr_expect_eq(yaml_edit_set(&e, yaml_map_pair(yaml_map_get(root, "b"), "k"), "x", &merged), -1);
    cr_assert_eq(merged.diags.n, 1);
    cr_expect(strstr(merged.diags.v[0].msg, "merge key"));
    cr_expect_eq(merged.diags.v[0].line, 1);
}

/* Whatever a text holds, it reads back as the same text, alone, in a flow list and as JSON. */
Test(yaml_emit, texts_read_back)
{
    static const char *const texts[] = {
        "",
        " ",
        "x",
        "x ",
        " x",
        "true",
        "Yes",
        "null",
        "~",
        "1",
        "1.5",
        "0x1",
        "1_0",
        "-",
        "- a",
        "?",
        "? a",
        ":",
        "a:",
        "a: b",
        "a#b",
        "a #b",
        "#a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "'a'",
        "\"a\"",
        "a'b",
        "a\"b",
        "[a]",
        "{a}",
        "a,b",
        "a]b",
        "|",
        ">",
        "...",
        "---",
        "--- a",
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\n",
        "\na",
        " a\nb",
        "\ta\nb",
        "a\n b\n",
        "a\tb",
        "a\r\nb",
        "\x1b[0m",
        "\x7f",
        "é",
        "中 文",
        "😀",
        "a\xc2\x85"
        "b",
        "a\xe2\x80\xa8"
        "b",
        "\xef\xbb\xbf"
        "a",
        "2024-01-02",
        "12:30:45",
        "=",
        "<<",
        ".",
        "..",
        "a\\nb",
        "C:\\x",
        "+1",
        ".5",
        "1e3",
        "y",
        "NaN",
        ".nan",
        "-.inf",
        "0b1",
        "0o7",
        "a\n  \nb\n",
        "a\n\t\n",
        "trailing \nx\n",
        "https://x.y/z?a=b&c=d#e",
        "user:group",
        "~/x",
        "$HOME",
        "a\n#b\n",
        "%YAML",
        "a\n...\nb\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        for (int json = 0; json < 2; json++) {
            struct yaml_writer w = YAML_WRITER_INIT(json);
            struct sbuf flow = SBUF_INIT;
            _cleanup_free_ char *out = NULL;

            yaml_write_open(&w, false);
            yaml_write_key(&w, "list");
            yaml_write_open(&w, true);
            yaml_write_item(&w);
            yaml_write_text(&w, texts[i]);
            yaml_write_item(&w);
            yaml_write_open(&w, false);
            yaml_write_key(&w, texts[i]);
            yaml_write_text(&w, texts[i]);
            yaml_write_key(&w, "after");
            yaml_write_raw(&w, "[]");
            yaml_write_close(&w);
            yaml_write_close(&w);
            yaml_write_close(&w);
            out = yaml_writer_finish(&w);

            _cleanup_yaml_doc_ struct yaml_doc *doc = parse_ok(out);
            const struct yaml_node *list = yaml_map_get(yaml_doc_root(doc), "list");

            cr_assert_eq(list->n, 2);
            cr_expect_str_eq(list->items[0]->value, texts[i], "in %s", out);
            cr_expect_eq(yaml_core_type(list->items[0]), YAML_STR, "type in %s", out);
            cr_expect_str_eq(list->items[1]->pairs[0].key->value, texts[i], "key in %s", out);
            cr_expect_str_eq(list->items[1]->pairs[0].value->value, texts[i], "value in %s", out);
            cr_expect_eq(list->items[1]->n, 2);

            sbuf_addstr(&flow, "[");
            yaml_add_scalar(&flow, texts[i], true);
            sbuf_addstr(&flow, ", b]");
            _cleanup_yaml_doc_ struct yaml_doc *in_flow = parse_ok(flow.buf);
            cr_expect_str_eq(yaml_doc_root(in_flow)->items[0]->value, texts[i], "in %s", flow.buf);
            sbuf_release(&flow);
        }
}
