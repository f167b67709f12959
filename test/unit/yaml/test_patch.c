/* SPDX-License-Identifier: Apache-2.0 */
/* Patches: the whole text is compared, so that each byte nobody wished to change is looked at. */
#include "yaml/patch.h"
#include "base/mem.h"
#include <criterion/criterion.h>

static struct yaml_doc *parse(const char *name, const char *text)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct yaml_doc *doc = yaml_doc_parse(name, text, strlen(text), &d);

    cr_assert(doc, "%s: %s", text, d.n ? d.v[0].msg : "");
    return doc;
}

static void patched(const char *text, const char *wanted, const char *expected)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse("old", text), *want = parse("wanted", wanted);
    _cleanup_err_ struct err err = ERR_INIT;
    size_t len = 0;
    _cleanup_free_ char *got = yaml_patch(doc, want, &len, &err);

    cr_assert(got, "%s: %s", text, err.msg);
    cr_expect_str_eq(got, expected, "from:\n%s\ngot:\n%s\nexpected:\n%s", text, got, expected);
    cr_expect_eq(len, strlen(got));
}

Test(yaml_patch, scalars)
{
    patched("# c\ncpus:   3   # note\n\nm: \"1GiB\"\n# tail\n", "{\"cpus\": 5, \"m\": \"1GiB\"}",
            "# c\ncpus:   5   # note\n\nm: \"1GiB\"\n# tail\n");
    patched("a: 3 # same\n", "{\"a\": 3.0}", "a: 3 # same\n");
    patched("a: 0x10\nb: 1e3\n", "{\"a\": 16, \"b\": 1000}", "a: 0x10\nb: 1e3\n");
    patched("a: '1'\n", "{\"a\": 1}", "a: 1\n");
    patched("a: 'it''s'\nb: \"x\"\n", "{\"a\": \"don't\", \"b\": \"y\"}",
            "a: 'don''t'\nb: \"y\"\n");
    patched("a: ~\nb:\nc: null\n", "{\"a\": null, \"b\": null, \"c\": \"x\"}",
            "a: ~\nb:\nc: x\n");
    patched("a: true\n", "{\"a\": \"true\"}", "a: \"true\"\n");
    patched("a: !!str 7\n", "{\"a\": \"8\"}", "a: \"8\"\n");
    patched("a: !!binary aGk=\n", "{\"a\": \"hi\", \"b\": 1}", "a: !!binary aGk=\nb: 1\n");
    patched("a: !!binary aGk=\n", "{\"a\": \"ho\"}", "a: ho\n");
    patched("a: !!binary |\n  aGk=\nb: 1\n", "{\"a\": \"ho\\n\", \"b\": 1}", "a: |\n  ho\nb: 1\n");
    patched("a: 1\r\n# c\r\nb: 2\r\n", "{\"a\": 1, \"b\": 3, \"c\": [4]}",
            "a: 1\r\n# c\r\nb: 3\r\nc:\r\n- 4\r\n");
    patched("\xef\xbb\xbf" "a: 1", "{\"a\": 2, \"b\": 3}", "\xef\xbb\xbf" "a: 2\nb: 3\n");
    patched("ü: ä # ö\n", "{\"ü\": \"é\"}", "ü: é # ö\n");
    patched("a: 12345678901234567890\n", "{\"a\": 12345678901234567890, \"b\": 1}",
            "a: 12345678901234567890\nb: 1\n");
}

Test(yaml_patch, block_scalars)
{
    patched("s: |\n    one\n    two\n\n# c\n", "{\"s\": \"one\\n2\\n\"}",
            "s: |\n    one\n    2\n\n# c\n");
    patched("s: |- # why\n  one\n  two\nt: 1\n", "{\"s\": \"x\", \"t\": 1}", "s: x # why\nt: 1\n");
    patched("s: >\n  one\n  two\n", "{\"s\": \"three\\n\"}", "s: >\n  three\n");
    patched("s: x\n", "{\"s\": \"a\\nb\"}", "s: |-\n  a\n  b\n");
    patched("s: x # c\n", "{\"s\": \"a\\nb\\n\"}", "s: | # c\n  a\n  b\n");
    patched("s: |+\n  a\n\nt: 1\n", "{\"s\": \"b\\n\\n\\n\", \"t\": 1}",
            "s: |+\n  b\n\n\nt: 1\n");
    patched("e:\n  s: x\n    # c\nt: 1\n", "{\"e\": {\"s\": \"a\\nb\\n\"}, \"t\": 1}",
            "e:\n  s: \"a\\nb\\n\"\n    # c\nt: 1\n");
    patched("e:\n  s:\n      \nt: 1\n", "{\"e\": {\"s\": \"a\\nb\\n\"}, \"t\": 1}",
            "e:\n  s: \"a\\nb\\n\"\n      \nt: 1\n");
    patched("s: x\n", "{\"s\": \"  a\\nb\\n\"}", "s: |2\n    a\n  b\n");
    patched("s: \"a\\tb\"\n", "{\"s\": \"a\\nb\"}", "s: \"a\\nb\"\n");
    /* A line break more would change it. */
    patched("s: |\n  text", "{\"s\": \"text\", \"t\": 1}", "s: |-\n  text\nt: 1\n");
    patched("a: |+\n  x\n\nb: 1\n\nc: 2\n", "{\"a\": \"x\\n\\n\", \"c\": 2}",
            "a: |+\n  x\n\nc: 2\n");
}

Test(yaml_patch, pairs)
{
    patched("a: 1\nenv:\n    A:   x  # odd\n    B: y\nc: 2\n",
            "{\"a\":1,\"env\":{\"A\":\"x\",\"B\":\"y\",\"C\":{\"d\":1}},\"c\":2}",
            "a: 1\nenv:\n    A:   x  # odd\n    B: y\n    C:\n        d: 1\nc: 2\n");
    patched("env:\n  KEEP: a  # keep\n  DROP: b  # drop\ncpus: 3\n",
            "{\"env\":{\"KEEP\":\"a\"},\"cpus\":3}", "env:\n  KEEP: a  # keep\ncpus: 3\n");
    patched("env:\n  # before A\n  A: x\n\n  # before B\n  B: y\n# foot\n", "{\"env\":{\"A\":\"x\"}}",
            "env:\n  # before A\n  A: x\n\n# foot\n");
    patched("# the file\na: 1\nb: 2\n", "{\"b\":2}", "# the file\nb: 2\n");
    patched("# the file\n\n# of a\na: 1\nb: 2\n", "{\"b\":2}", "# the file\n\nb: 2\n");
    patched("env:\n  A: x # c\nb: 1\n", "{\"env\":{},\"b\":1}", "env: {}\nb: 1\n");
    patched("env: # c\nb: 1\n", "{\"env\":{\"A\":\"b\"},\"b\":1}", "env: # c\n  A: b\nb: 1\n");
    patched("env: {} # none\n", "{\"env\":{\"A\":[1]}}", "env: # none\n  A:\n  - 1\n");
    patched("env: ~\n", "{\"env\":{\"A\":1}}", "env:\n  A: 1\n");
    patched("env:\n  A: 1\n  # in\nb: 2\n", "{\"env\":3,\"b\":2}", "env: 3\nb: 2\n");
    patched("- a: 1\n  # of b\n  b: 2\n", "[{\"b\":2}]", "- # of b\n  b: 2\n");
    patched("? a\n: 1\n? b\n", "{\"a\":2,\"b\":3}", "? a\n: 2\n? b\n: 3\n");
    patched("a: 1\nb:\n  c: 2\n", "{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e\":4}",
            "a: 1\nb:\n  c: 2\n  d: 3\ne: 4\n");
}

Test(yaml_patch, items)
{
    patched("m:\n- l: 1\n  # about 1\n- l: 2\n- l: 3  # three\n", "{\"m\":[{\"l\":1},{\"l\":3}]}",
            "m:\n- l: 1\n  # about 1\n- l: 3  # three\n");
    patched("# my\nm:\n# first\n- l: \"1\"   # one\n",
            "{\"m\":[{\"l\":\"2\",\"w\":true},{\"l\":\"1\"}]}",
            "# my\nm:\n- l: \"2\"\n  w: true\n# first\n- l: \"1\"   # one\n");
    patched("m:\n    -   l: 1\n        w:    no\n    -   l: 2\n",
            "{\"m\":[{\"l\":1,\"w\":\"yes\"},{\"l\":2},{\"l\":3,\"x\":[4]}]}",
            "m:\n    -   l: 1\n        w:    \"yes\"\n    -   l: 2\n    -   l: 3\n"
            "        x:\n            - 4\n");
    patched("m:\n- a\n- b\n", "{\"m\":[]}", "m: []\n");
    patched("m: []\nn: 1\n", "{\"m\":[{\"a\":1}],\"n\":1}", "m:\n- a: 1\nn: 1\n");
    patched("- - a\n  - b\n- c\n", "[[\"x\",\"a\",\"b\"],\"c\"]", "- - x\n  - a\n  - b\n- c\n");
    patched("- - a\n  - b\n", "[[\"b\"]]", "- - b\n");
    patched("- a\n# of b\n- b\n- c", "[\"a\",\"c\"]", "- a\n- c");
    patched("l:\n- x # 1\n- y # 2\n- z # 3\n", "{\"l\":[\"x\",\"Q\",\"z\",\"w\"]}",
            "l:\n- x # 1\n- Q # 2\n- z # 3\n- w\n");
}

Test(yaml_patch, flow)
{
    patched("s: {p: 60200,   f: true}  # flow\n", "{\"s\":{\"p\":60201,\"f\":true}}",
            "s: {p: 60201,   f: true}  # flow\n");
    patched("e: { A: \"x\" , B: 'y' }\n", "{\"e\":{\"B\":\"y\",\"C\":\"a, b\"}}",
            "e: { B: 'y', C: \"a, b\" }\n");
    patched("l: [a, b,   c]\n", "{\"l\":[\"b\",\"c\"]}", "l: [b,   c]\n");
    patched("l: [a, b]\n", "{\"l\":[\"x\",\"a\",\"b\",\"z\"]}", "l: [x, a, b, z]\n");
    patched("l: [\n  a, # of a\n  b # of b\n]\n", "{\"l\":[\"a\",\"b\",\"c\"]}",
            "l: [\n  a, # of a\n  b, # of b\n  c\n]\n");
    patched("l: [\n  a, # of a\n  b, # of b\n]\n", "{\"l\":[\"b\",\"c\"]}",
            "l: [\n  b, # of b\n  c,\n]\n");
    patched("l: [a]\n", "{\"l\":[]}", "l: []\n");
    patched("m: {a: {}, b: []}\n", "{\"m\":{\"a\":{\"x\":1},\"b\":[2]}}",
            "m: {a: {x: 1}, b: [2]}\n");
    patched("l: [a: 1, b]\n", "{\"l\":[{\"a\":2,\"c\":3},\"b\"]}", "l: [{a: 2, c: 3}, b]\n");
    patched("m: {a, b: }\n", "{\"m\":{\"a\":1,\"b\":2}}", "m: {a: 1, b: 2 }\n");
    patched("{\"a\": 1}\n", "{\"a\": [1]}", "{\"a\": [1]}\n");
}

Test(yaml_patch, flow_with_an_empty_value)
{
    patched("{a: }\n", "{\"a\": null, \"b\": 1}", "{a: , b: 1 }\n");
    patched("{a: , b: 1}\n", "{\"a\": null, \"b\": 1, \"c\": 2}", "{a: , b: 1, c: 2}\n");
}

Test(yaml_patch, anchors)
{
    /* A changed value under an alias is cut loose only there. */
    patched("a: &a {x: 1}\nb: *a\nc: *a # c\n", "{\"a\":{\"x\":1},\"b\":{\"x\":2},\"c\":{\"x\":1}}",
            "a: &a {x: 1}\nb:\n  x: 2\nc: *a # c\n");
    /* A changed anchored value: the aliases keep their meaning, or follow when that is wanted. */
    patched("a: &a 1\nb: *a\n", "{\"a\":2,\"b\":1}", "a: &a 2\nb: 1\n");
    patched("a: &a 1\nb: *a\n", "{\"a\":2,\"b\":2}", "a: &a 2\nb: *a\n");
    patched("a: &a\n  x: 1\nb: *a\n", "{\"b\":{\"x\":1}}", "b:\n  x: 1\n");
    patched("a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  z: 3\n",
            "{\"a\":{\"x\":1,\"y\":2},\"b\":{\"x\":5,\"y\":2,\"z\":3}}",
            "a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  z: 3\n  x: 5\n");
    patched("a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a # m\n  z: 3\n",
            "{\"a\":{\"x\":1,\"y\":2},\"b\":{\"x\":1,\"z\":3}}",
            "a: &a\n  x: 1\n  y: 2\nb:\n  z: 3\n  x: 1\n");
    patched("a: &a\n  x: 1\nb:\n  <<: *a\n", "{\"a\":{\"x\":2},\"b\":{\"x\":1}}",
            "a: &a\n  x: 2\nb:\n  <<: *a\n  x: 1\n");
    patched("a: &a\n  x: 1\nb:\n  <<: *a\n", "{\"a\":{\"x\":1,\"q\":2},\"b\":{\"x\":1}}",
            "a: &a\n  x: 1\n  q: 2\nb:\n  x: 1\n");
    patched("a: &a\n  x: 1\n", "{\"a\":[1]}", "a: &a\n- 1\n");
    patched("- &a\n  x: 1\n- *a\n", "[5,{\"x\":1}]", "- 5\n- x: 1\n");
}

Test(yaml_patch, whole_documents)
{
    patched("# nothing\n", "{\"a\":{\"b\":1}}", "# nothing\na:\n  b: 1\n");
    patched("---\n...\n", "{\"a\":1}", "---\na: 1\n...\n");
    patched("%YAML 1.2\n---\na: 1\n...\n---\nb: 2\n", "{\"a\":3,\"c\":4}",
            "%YAML 1.2\n---\na: 3\nc: 4\n...\n---\nb: 2\n");
    patched("{}\n", "{\"a\":[1]}", "a:\n- 1\n");
    patched("a: 1\n", "{}", "{}\n");
    patched("--- # x\na: 1\n", "[1,{\"b\":2}]", "--- # x\n- 1\n- b: 2\n");
    patched("null", "\"x\"", "x\n");
}

/* What goes takes the blank lines behind it along where there are some in front of it. */
Test(yaml_patch, blank_lines)
{
    patched("# file\n\nbase: x\n\n# c\nc: 1\n", "{\"c\":1}", "# file\n\n# c\nc: 1\n");
    patched("base: x\n\nc: 1\n", "{\"c\":1}", "c: 1\n");
    patched("a: 1\n\nb: 2\n\n\nc: 3\n\nd: 4\n", "{\"a\":1,\"d\":4}", "a: 1\n\nd: 4\n");
    patched("a: 1\nb: 2\n\nc: 3\n", "{\"a\":1,\"c\":3}", "a: 1\n\nc: 3\n");
    patched("l:\n- 1\r\n\r\n- 2\r\n\r\n- 3\r\n", "{\"l\":[1,3]}", "l:\n- 1\r\n\r\n- 3\r\n");
    patched("a:\n  x: 1\n\n  y: 2\n\nb: 3\n", "{\"a\":{\"x\":1},\"b\":3}",
            "a:\n  x: 1\n\nb: 3\n");
}

/* The work must not grow with the square of what goes: this is 0.1 s, or minutes. */
Test(yaml_patch, most_of_a_large_mapping, .timeout = 600)
{
    enum { KEYS = 90000 };
    struct sbuf text = SBUF_INIT;

    for (int i = 0; i < KEYS; i++)
        sbuf_addf(&text, "k%d: %d\n", i, i);
    patched(sbuf_str(&text), "{\"k7\":7}", "k7: 7\n");
    sbuf_release(&text);
}

/* Texts are taken over with their comments; anchors and aliases of the other text are not. */
Test(yaml_patch, from_yaml)
{
    patched("a: 1\n", "a: 1\n# about m\nm:   # on m\n    k:  'v'  # kv\n    # tail\n",
            "a: 1\n# about m\nm:   # on m\n  k:  'v'  # kv\n  # tail\n");
    patched("l:\n    - x\n", "l:\n- x\n# of y\n- y: |  # why\n   one\n\n    two\n  z: [1,\n   2]\n",
            "l:\n    - x\n    # of y\n    - y: |  # why\n        one\n\n         two\n"
            "      z: [1,\n        2]\n");
    patched("{}\n", "a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n  d: 0x1F\n",
            "a: {x: 1}\nb: {x: 1}\nc:\n  d: 0x1F\n  x: 1\n");
}

Test(yaml_patch, refused)
{
    static const char utf16[] = "\xff\xfe" "a\0:\0 \0001\0";
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse("u", utf16, sizeof(utf16) - 1, &d);
    _cleanup_yaml_doc_ struct yaml_doc *want = parse("wanted", "{\"a\": 2}");
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert(doc);
    cr_assert_null(yaml_patch(doc, want, NULL, &err));
    cr_expect_str_eq(err.msg, "cannot change 'u': it is UTF-16");
}

Test(yaml_doc, to_json)
{
    static const struct {
        const char *yaml, *json;
    } rows[] = {
        {"a: [1, 0x1F, 0o17, +7, 007, -0]\n", "{\"a\":[1,31,15,7,7,-0]}"},
        {"[.5, 1., 1.10, 1e3, -.5e-3, +1.5]", "[0.5,1.0,1.10,1e3,-0.5e-3,1.5]"},
        {"[.inf, .nan, !!int abc, 12345678901234567890123]",
         "[\".inf\",\".nan\",\"abc\",12345678901234567890123]"},
        {"a: ~\nb:\nc: 'x\"y'\nd: True\ne: \"\\t\"\n",
         "{\"a\":null,\"b\":null,\"c\":\"x\\\"y\",\"d\":true,\"e\":\"\\t\"}"},
        {"a: &a {x: 1}\nb: {<<: *a, y: *a}\n", "{\"a\":{\"x\":1},\"b\":{\"y\":{\"x\":1},\"x\":1}}"},
        {"# nothing\n", "null"},
        {"[]", "[]"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_yaml_doc_ struct yaml_doc *doc = parse("t", rows[i].yaml);
        _cleanup_free_ char *json = yaml_doc_to_json(doc);

        cr_expect_str_eq(json, rows[i].json);
    }
}
