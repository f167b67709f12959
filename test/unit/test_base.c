/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, strings, string vectors, UTF-8, enum tables. */
#include "base/enum.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/strv.h"
#include "base/utf8.h"
#include <criterion/criterion.h>
#include <signal.h>

/* ---- memory, macros --------------------------------------------------------------------- */

Test(sbuf, characters_as_utf8_and_back)
{
    static const uint32_t chars[] = {1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};

    for (size_t i = 0; i < ARRAY_SIZE(chars); i++) {
        _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
        uint32_t c = 0;

        sbuf_add_utf8(&s, chars[i]);
        cr_expect_eq(utf8_decode(sbuf_str(&s), s.len, &c), s.len, "%x", chars[i]);
        cr_expect_eq(c, chars[i]);
    }
    static const uint32_t none[] = {0xd800, 0xdfff, 0x110000, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

        sbuf_add_utf8(&s, none[i]);
        cr_expect_str_eq(sbuf_str(&s), "\xef\xbf\xbd");
    }
}

Test(mem, impossible_size_aborts, .signal = SIGABRT)
{
    close(STDERR_FILENO); /* the line it prints belongs to no test log */
    xreallocarray(NULL, SIZE_MAX / 2, 4);
}

Test(mem, strings)
{
    _cleanup_free_ char *a = xstrndup("hello", 3);
    _cleanup_free_ char *b = xstrndup("hi", 100);
    _cleanup_free_ char *c = xasprintf("%s-%d", "x", 7);

    cr_assert_str_eq(a, "hel");
    cr_assert_str_eq(b, "hi");
    cr_assert_str_eq(c, "x-7");
    cr_assert_null(xstrdup0(NULL));
}

Test(mem, grow_array_keeps_what_is_there)
{
    int *v = NULL;
    size_t n = 0, cap = 0;

    for (int i = 0; i < 100; i++) {
        GROW_ARRAY(v, n, cap);
        v[n++] = i;
    }
    for (int i = 0; i < 100; i++)
        cr_assert_eq(v[i], i);
    free(v);
}

Test(macro, string_helpers)
{
    cr_assert(str_ends("name.yaml", ".yaml"));
    cr_assert(str_ends("x", ""));
    cr_assert_not(str_ends("l", ".yaml"));
    cr_assert(str_starts("template:x", "template:"));
    cr_assert(streq0(NULL, NULL));
    cr_assert_not(streq0(NULL, ""));
    cr_assert(str_empty(NULL) && str_empty("") && !str_empty("x"));
}

Test(macro, take_hands_over)
{
    char *p = xstrdup("x");
    char *q = TAKE_PTR(p);
    int fd = 5, taken = TAKE_FD(fd);

    cr_assert_null(p);
    cr_assert_str_eq(q, "x");
    cr_assert_eq(fd, -1);
    cr_assert_eq(taken, 5);
    free(q);
}

enum colour { COLOUR_RED, COLOUR_DARK_BLUE, COLOUR_COUNT };
ENUM_STRINGS_DECLARE(colour);
static const char *const colour_names[] = {[COLOUR_RED] = "red", [COLOUR_DARK_BLUE] = "dark blue"};
ENUM_STRINGS_DEFINE(colour, COLOUR_COUNT)

Test(enum_table, both_ways)
{
    enum colour c = COLOUR_RED;

    cr_assert_str_eq(colour_to_string(COLOUR_DARK_BLUE), "dark blue");
    cr_assert_eq(colour_from_string("dark blue", &c), 0);
    cr_assert_eq(c, COLOUR_DARK_BLUE);
    cr_assert_eq(colour_from_string("green", &c), -1);
    cr_assert_eq(c, COLOUR_DARK_BLUE, "an unknown name leaves the result alone");
    cr_assert_str_eq(colour_to_string((enum colour)77), "?");
}

/* ---- sbuf ------------------------------------------------------------------------------- */

Test(sbuf, empty_is_empty_text)
{
    struct sbuf s = SBUF_INIT;

    cr_assert_str_eq(sbuf_str(&s), "");
    sbuf_clear(&s);
    sbuf_consume(&s, 0);
    char *text = sbuf_detach(&s);
    cr_assert_str_eq(text, "");
    free(text);
}

Test(sbuf, grows_and_stays_terminated)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    for (int i = 0; i < 1000; i++) {
        sbuf_addch(&s, 'a');
        cr_assert_eq(s.buf[s.len], '\0');
    }
    sbuf_addf(&s, "%s%05d", "bc", 42);
    cr_assert_eq(s.len, 1007);
    cr_assert_str_eq(s.buf + 1000, "bc00042");
}

Test(sbuf, long_formatted_text)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    _cleanup_free_ char *long_text = xmalloc(5001);

    memset(long_text, 'x', 5000);
    long_text[5000] = '\0';
    for (size_t n = 120; n < 136; n++) { /* around the room that the first try has */
        sbuf_clear(&s);
        sbuf_addf(&s, "%.*s", (int)n, long_text);
        cr_assert_eq(s.len, n);
        cr_assert_eq(strlen(s.buf), n);
    }
    sbuf_addf(&s, "%s!", long_text);
    cr_assert_eq(s.len, 135 + 5001);
}

Test(sbuf, reserve_and_consume)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    memcpy(sbuf_reserve(&s, 6), "abcdef", 6);
    sbuf_grown(&s, 6);
    cr_assert_str_eq(sbuf_str(&s), "abcdef");
    sbuf_consume(&s, 4);
    cr_assert_str_eq(sbuf_str(&s), "ef");
    sbuf_consume(&s, 2);
    cr_assert_str_eq(sbuf_str(&s), "");
}

/* Text with an explicit length, so that NUL can be tested too. */
static char *printable(const char *text, size_t len)
{
    struct sbuf s = SBUF_INIT;

    sbuf_add_printable(&s, text, len);
    return sbuf_detach(&s);
}

Test(sbuf, S21_printable)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } t[] = {
        {"plain \\ text", 12, "plain \\ text"},
        {"a\nb\r\tc", 6, "a\\nb\\r\\tc"},
        {"\x1b[31mred", 8, "\\x1b[31mred"},
        {"nul\0!", 5, "nul\\x00!"},
        {"\x7f", 1, "\\x7f"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7", 15,
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"},
        {"\xc2\x9b"
         "31m",
         5, "\\u009b31m"},                      /* CSI as one C1 character */
        {"\xe2\x80\xae", 3, "\\u202e"},         /* turns the text's direction */
        {"\xe2\x80\xa8", 3, "\\u2028"},         /* a line separator */
        {"\xff\xc3", 2, "\\xff\\xc3"},          /* no UTF-8; cut */
        {"\xc0\xaf", 2, "\\xc0\\xaf"},          /* overlong slash */
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"}, /* surrogate */
        {"\xf3\xa0\x80\x81", 4, "\\U000e0001"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_free_ char *got = printable(t[i].in, t[i].len);

        cr_expect_str_eq(got, t[i].out, "row %zu: %s", i, got);
    }
}

Test(sbuf, S09_shell_quoting)
{
    static const char *const t[][2] = {
        {"plain-1.2_/=@%+:,", "plain-1.2_/=@%+:,"},
        {"", "''"},
        {"two words", "'two words'"},
        {"it's", "'it'\\''s'"},
        {"$(id)`id`;\n", "'$(id)`id`;\n'"},
        {"~", "'~'"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

        sbuf_add_shell_quoted(&s, t[i][0]);
        cr_expect_str_eq(sbuf_str(&s), t[i][1], "row %zu: %s", i, sbuf_str(&s));
    }
}

/* ---- UTF-8 ------------------------------------------------------------------------------ */

Test(utf8, decode)
{
    static const struct {
        const char *in;
        size_t len, n;
        uint32_t c;
    } t[] = {
        {"A", 1, 1, 'A'},
        {"\xc3\xbc", 2, 2, 0xfc},
        {"\xe2\x82\xac", 3, 3, 0x20ac},
        {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
        {"\xf4\x90\x80\x80", 4, 0, 0},
        {"\xe2\x82", 2, 0, 0},
        {"\xe0\x80\xaf", 3, 0, 0},
        {"\xf0\x80\x80\xaf", 4, 0, 0},
        {"\x80", 1, 0, 0},
        {"\xc3(", 2, 0, 0},
        {"", 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        uint32_t c = 0;

        cr_expect_eq(utf8_decode(t[i].in, t[i].len, &c), t[i].n, "row %zu", i);
        cr_expect_eq(c, t[i].c, "row %zu", i);
    }
    cr_assert(utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
    cr_assert_not(utf8_valid("gr\xfc", 3));
}

Test(utf8, width)
{
    cr_assert_eq(utf8_width('a'), 1);
    cr_assert_eq(utf8_width(0x65e5), 2);
    cr_assert_eq(utf8_width(0x0301), 0);
    cr_assert_eq(utf8_width(0x1f427), 2);
}

/* ---- strv ------------------------------------------------------------------------------- */

static void expect_words(const struct strv *s, const char *joined)
{
    _cleanup_free_ char *text = strv_join(s, "|");

    cr_expect_str_eq(text, joined, "got %s, want %s", text, joined);
    cr_expect(!s->v || s->v[s->n] == NULL);
}

Test(strv, building)
{
    _cleanup_strv_ struct strv s = STRV_INIT;
    _cleanup_strv_ struct strv empty = STRV_INIT;

    cr_assert_null(strv_argv(&empty)[0]);
    strv_pushl(&s, "a", "b", NULL);
    strv_pushf(&s, "%d", 3);
    strv_insert(&s, 0, "first");
    strv_insert(&s, 4, "last");
    expect_words(&s, "first|a|b|3|last");
    strv_extend(&s, &s);
    cr_assert_eq(s.n, 10);
    strv_extend(&s, &empty);
    for (int i = 0; i < 100; i++)
        strv_push(&s, "x");
    cr_assert_eq(s.n, 110);
    cr_assert_null(strv_argv(&s)[110]);
    cr_assert(strv_contains(&s, "last"));
    cr_assert_not(strv_contains(&s, "las"));
}

Test(strv, split)
{
    static const char *const t[][2] = {
        {"a,b,,c", "a|b||c"},
        {"", ""},
        {",", "|"},
        {"one", "one"},
    };
    static const size_t counts[] = {4, 1, 2, 1};

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_strv_ struct strv s = STRV_INIT;

        strv_split(&s, t[i][0], ',');
        expect_words(&s, t[i][1]);
        cr_expect_eq(s.n, counts[i], "row %zu", i);
    }
}

Test(strv, split_shell)
{
    static const char *const t[][2] = {
        {"  a  b\tc\n", "a|b|c"},
        {"", ""},
        {"'a b' \"c d\"", "a b|c d"},
        {"a'b'\"c\"\\ d", "abc d"},
        {"'' \"\"", "|"},
        {"\"\\$x \\\\ \\n\"", "$x \\ \\n"},
        {"'\\'", "\\"},
        {"a\\\nb \\\n c", "ab|c"},
        {"-o 'ProxyCommand ssh -W %h:%p'", "-o|ProxyCommand ssh -W %h:%p"},
    };
    static const char *const bad[] = {"'a", "\"a", "a\\", "x 'y' \"z", "\"\\"};

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_strv_ struct strv s = STRV_INIT;

        cr_expect_eq(strv_split_shell(&s, t[i][0]), 0, "row %zu", i);
        expect_words(&s, t[i][1]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_strv_ struct strv s = STRV_INIT;

        strv_push(&s, "kept");
        cr_expect_eq(strv_split_shell(&s, bad[i]), -1, "%s", bad[i]);
        expect_words(&s, "kept");
    }
}

Test(strv, shell_round_trip)
{
    static const char *const words[] = {"plain", "",     "two words", "it's",
                                        "\"q\"", "a\\b", "new\nline", "$HOME",
                                        "-x",    "'",    "\\",        "gr\xc3\xbc\xc3\x9f"};
    _cleanup_strv_ struct strv s = STRV_INIT;
    _cleanup_strv_ struct strv back = STRV_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_push(&s, words[i]);
    _cleanup_free_ char *line = strv_to_shell(&s);
    cr_assert_eq(strv_split_shell(&back, line), 0);
    cr_assert_eq(back.n, ARRAY_SIZE(words));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        cr_expect_str_eq(back.v[i], words[i]);
}
