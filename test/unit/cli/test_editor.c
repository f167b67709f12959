/* SPDX-License-Identifier: Apache-2.0 */
/* Row `edit`: the hints around a text, and what counts as no change. */
#include "cli/editor.h"
#include "base/mem.h"
#include <criterion/criterion.h>

static const char hints[] = "#> one\n#> two `x`\n";

static void expect_round_trip(const char *text, size_t len, const char *shown)
{
    _cleanup_sbuf_ struct sbuf with = SBUF_INIT, without = SBUF_INIT;

    editor_add_hints(text, len, hints, &with);
    if (shown)
        cr_expect_str_eq(sbuf_str(&with), shown);
    editor_remove_hints(sbuf_str(&with), with.len, hints, &without);
    cr_expect_eq(without.len, len);
    cr_expect_eq(memcmp(sbuf_str(&without), text, len), 0);
}

Test(editor, hints_go_as_they_came)
{
    static const char utf16[] = "\xff\xfe"
                                "a\0\n\0";

    expect_round_trip("a: 1\n", 5, "#> one\n#> two `x`\na: 1\n");
    expect_round_trip("a: 1", 4, "#> one\n#> two `x`\na: 1");
    expect_round_trip("a: 1\r\nb: 2\r\n", 12, "#> one\r\n#> two `x`\r\na: 1\r\nb: 2\r\n");
    expect_round_trip("\xef\xbb\xbf"
                      "a: 1\n",
                      8, "\xef\xbb\xbf#> one\n#> two `x`\na: 1\n");
    expect_round_trip("", 0, "#> one\n#> two `x`\n");
    expect_round_trip("\n\n", 2, NULL);
    expect_round_trip("# mine\n#> other\n", 16, NULL);
    expect_round_trip(utf16, 6, NULL);
    expect_round_trip("a\0b\n", 4, NULL);
}

static void expect_removed(const char *text, const char *want)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    editor_remove_hints(text, strlen(text), hints, &out);
    cr_expect_str_eq(sbuf_str(&out), want);
}

Test(editor, hints_that_were_moved)
{
    expect_removed("a: 1\n#> one\nb: 2\n#> two `x`\n", "a: 1\nb: 2\n");
    expect_removed("#> one  \r\n#> two `x`\r\na: 1\r\n", "a: 1\r\n");
    expect_removed("#> two `x`", "");
    /* Changed by the person, or a second time: theirs. */
    expect_removed("#> one!\n#> two `x`\na: 1\n", "#> one!\na: 1\n");
    expect_removed("#> one\n#> one\na: 1\n", "#> one\na: 1\n");
    expect_removed("a: '#> one'\n  #> one\n", "a: '#> one'\n  #> one\n");
}

Test(editor, blank)
{
    cr_expect(editor_is_blank("", 0));
    cr_expect(editor_is_blank(" \t\r\n\n", 5));
    cr_expect(editor_is_blank("\xef\xbb\xbf\n", 4));
    cr_expect_not(editor_is_blank("\n#", 2));
    cr_expect_not(editor_is_blank("\0", 1));
}

Test(editor, same)
{
    cr_expect(editor_is_same("a\n", 2, "a\n", 2));
    cr_expect(editor_is_same("a", 1, "a\n", 2));
    cr_expect(editor_is_same("a\r\n", 3, "a", 1));
    cr_expect_not(editor_is_same("a\n\n", 3, "a", 1));
    cr_expect_not(editor_is_same("a", 1, "b", 1));
    cr_expect_not(editor_is_same("a ", 2, "a", 1));
}

Test(editor, command)
{
    _cleanup_strv_ struct strv words = STRV_INIT, none = STRV_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    setenv("VISUAL", "/bin/sh -c 'a b' \"c\\\"d\"", 1);
    cr_assert_eq(editor_command(&words, &err), 0);
    cr_assert_eq(words.n, 4);
    cr_expect_str_eq(words.v[0], "/bin/sh");
    cr_expect_str_eq(words.v[2], "a b");
    cr_expect_str_eq(words.v[3], "c\"d");
    setenv("VISUAL", "", 1); /* as if it were not set */
    setenv("EDITOR", "/nonexistent/editor", 1);
    cr_assert_eq(editor_command(&none, &err), -1);
    cr_expect_str_eq(err.msg,
                     "the editor '/nonexistent/editor' was not found or can't be executed");
    cr_expect_str_eq(err.hint, "the name comes from $EDITOR");
}
