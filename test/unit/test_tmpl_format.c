/* SPDX-License-Identifier: Apache-2.0 */
/* Go's verbs. */
#include "base/mem.h"
#include "tmpl/tmpl.h"
#include <criterion/criterion.h>

static const char DATA[] = "{\"s\":\"h\xc3\xa9llo\",\"i\":42,\"n\":-42,\"f\":3.14159,\"b\":true,\"nil\":null,"
                           "\"l\":[1,2],\"t\":[\"a\",\"b\"],\"m\":{\"k\":1,\"a\":2},\"x\":[1,null,\"a\"]}";

Test(tmpl_format, verbs)
{
    static const struct {
        const char *args, *want;
    } rows[] = {
        {"\"%v %v %v %v %v\" .s .i .f .b .l", "h\xc3\xa9llo 42 3.14159 true [1 2]"},
        {"\"%d|%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%b\" 42 42 42 42 42 42 42 42 42 42 42",
         "42|   42|42   |00042|+42| 42|2a|2A|0x2a|52|101010"},
        {"\"%05d|%5d|%x\" .n .n .n", "-0042|  -42|-2a"},
        {"\"%.3d|%8.3d\" 5 5", "005|     005"},
        {"\"%s|%8s|%-8s|%.2s|%q|%x|%X\" .s .s .s .s .s .s .s",
         "h\xc3\xa9llo|   h\xc3\xa9llo|h\xc3\xa9llo   |h\xc3\xa9|\"h\xc3\xa9llo\"|68c3a96c6c6f|68C3A96C6C6F"},
        {"\"%f|%.2f|%8.2f|%-8.1f|%08.2f|%e|%g|%.3g\" .f .f .f .f .f .f .f .f",
         "3.141590|3.14|    3.14|3.1     |00003.14|3.141590e+00|3.14159|3.14"},
        {"\"%t %v\" .b .b", "true true"},
        {"\"%c|%q|%U\" 233 120 233", "\xc3\xa9|'x'|U+00E9"},
        {"\"%v %v\" .m .nil", "map[a:2 k:1] <nil>"},
        {"\"%d %s\" .l .t", "[1 2] [a b]"},
        {"\"%q\" .t", "[\"a\" \"b\"]"},
        {"\"%T %T %T %T %T\" .s .i .f .b .l", "string int float64 bool []interface {}"},
        {"\"%*d|%-*d|\" 5 42 5 42", "   42|42   |"},
        {"\"%[2]s %[1]s\" \"a\" \"b\"", "b a"},
        {"\"100%%\"", "100%"},
        {"\"%d\" \"x\"", "%!d(string=x)"},
        {"\"%s\" 5", "%!s(int=5)"},
        {"\"%t\" 5", "%!t(int=5)"},
        {"\"%d\" .nil", "%!d(<nil>)"},
        {"\"%d\" true", "%!d(bool=true)"},
        {"\"%d\" 1.5", "%!d(float64=1.5)"},
        {"\"%z\" 5", "%!z(int=5)"},
        {"\"%d %d\" 5", "5 %!d(MISSING)"},
        {"\"%d\" 5 6 \"x\"", "5%!(EXTRA int=6, string=x)"},
        {"\"%!\"", "%!!(MISSING)"},
        {"\"%\"", "%!(NOVERB)"},
        {"\"%[5]d\" 1", "%!d(BADINDEX)"},
        {"\"%q\" \"a\\n\\t\\\"\\\\\\x01\\x7f\"", "\"a\\n\\t\\\"\\\\\\x01\\x7f\""},
        {"\"%#q\" \"a\"", "`a`"},
        {"\"%#v\" \"a\"", "\"a\""},
        {"\"%6.2f%%\" 99.5", " 99.50%"},
        {"\"%v %v\" 1e21 100000.0", "1e+21 100000"},
        {"\"%s\" .x", "[%!s(int=1) <nil> a]"},
        {"\"%5t|%-7v|\" true .nil", " true|<nil>  |"},
    };
    _cleanup_json_ struct json *j = json_parse(DATA, strlen(DATA), "data", NULL);

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_free_ char *text = xasprintf("{{printf %s}}", rows[i].args);
        _cleanup_free_ char *got = tmpl_expand(text, j, 0, NULL, &err);

        cr_expect(got && streq(got, rows[i].want), "%s: %s", text, got ? got : err.msg);
    }
}
