/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"
#include "base/mem.h"
#include <criterion/criterion.h>

static struct json *parse(const char *text)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *j = json_parse(text, strlen(text), "test", &err);

    cr_assert(j, "%s: %s", text, err.msg);
    return j;
}

static void refused(const char *text, size_t len, const char *word)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *j = json_parse(text, len, "the file", &err);

    cr_assert(!j, "accepted: %s", text);
    cr_assert_eq(err.kind, ERR_PROTOCOL);
    cr_assert(strstr(err.msg, "the file: ") == err.msg, "%s", err.msg);
    cr_assert(strstr(err.msg, word), "'%s' without '%s'", err.msg, word);
}

Test(json, round_trip_keeps_order)
{
    const char *text =
        "{\"z\":1,\"a\":[true,false,null,\"\\u00e4\",-9223372036854775808],\"m\":{}}";
    _cleanup_json_ struct json *j = parse(text);
    _cleanup_free_ char *out = json_dump(j);

    cr_assert_str_eq(
        out, "{\"z\":1,\"a\":[true,false,null,\"\xc3\xa4\",-9223372036854775808],\"m\":{}}");
}

Test(json, refusals)
{
    static const char nul[] = "[\"a\0b\"]";
    _cleanup_free_ char *deep = xmalloc(131), *fine = xmalloc(129);

    refused("{\"a\":1,\"a\":2}", 13, "duplicate");
    refused("{\"a\":1", 6, "line 1");
    refused("", 0, "JSON");
    refused("[\"\\u0000\"]", 10, "\\u0000");
    refused(nul, sizeof(nul) - 1, "JSON");
    refused("[\"\xff\"]", 5, "0xff");
    refused("[1] x", 5, "end of file");
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    deep[130] = '\0';
    refused(deep, 130, "64 levels");
    memset(fine, '[', 64);
    memset(fine + 64, ']', 64);
    fine[128] = '\0';
    json_free(parse(fine));
    json_free(parse(
        "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"\""));
}

Test(json, getters_never_fail)
{
    _cleanup_json_ struct json *j =
        parse("{\"s\":\"x\",\"i\":5,\"b\":true,\"n\":null,\"a\":[1,2]}");

    cr_assert_str_eq(json_get_str(j, "s"), "x");
    cr_assert_null(json_get_str(j, "i"));
    cr_assert_eq(json_get_int(j, "i", -1), 5);
    cr_assert_eq(json_get_int(j, "s", -1), -1);
    cr_assert(json_get_bool(j, "b", false));
    cr_assert(json_get_bool(j, "n", true));
    cr_assert_eq(json_len(json_get(j, "a")), 2);
    cr_assert_eq(json_int(json_at(json_get(j, "a"), 1), 0), 2);
    cr_assert_null(json_at(json_get(j, "a"), 2));
    cr_assert_null(json_get(NULL, "x"));
    cr_assert_eq(json_len(NULL), 0);
    cr_assert_eq(json_len(j), 5);
    cr_assert_null(json_str(NULL));
    cr_assert_not(json_is_object(NULL));
    cr_assert(json_is_object(j));
    cr_assert(json_is_array(json_get(j, "a")));
    cr_assert(json_is_string(json_get(j, "s")));
}

Test(json, iterate)
{
    _cleanup_json_ struct json *j = parse("{\"one\":1,\"two\":2}");
    int64_t sum = 0;
    size_t keys = 0;

    for (void *it = json_iter(j); it; it = json_iter_next(j, it)) {
        keys += strlen(json_iter_key(it));
        sum += json_int(json_iter_value(it), 0);
    }
    cr_assert_eq(sum, 3);
    cr_assert_eq(keys, 6);
}

Test(json, build)
{
    _cleanup_json_ struct json *j = json_object_new(), *copy = NULL;
    _cleanup_free_ char *text = NULL, *pretty = NULL;

    json_set_str(j, "a", "1");
    json_set_str(j, "absent", NULL);
    json_set_int(j, "b", 2);
    json_set_bool(j, "c", true);
    json_set(j, "d", json_array_new());
    json_append(json_get(j, "d"), json_null_new());
    json_append(json_get(j, "d"), json_real_new(0.5));
    json_append(json_get(j, "d"), json_bool_new(false));
    json_set_str(j, "a", "again");
    json_set_str(j, "gone", "x");
    json_del(j, "gone");
    copy = json_copy(j);
    cr_assert(json_equal(j, copy));
    json_set_int(copy, "b", 3);
    cr_assert_not(json_equal(j, copy));
    cr_assert_not(json_equal(j, NULL));
    cr_assert(json_equal(NULL, NULL));
    text = json_dump(j);
    cr_assert_str_eq(text, "{\"a\":\"again\",\"b\":2,\"c\":true,\"d\":[null,0.5,false]}");
    pretty = json_dump_indent(copy, 2);
    cr_assert(strstr(pretty, "\n  \"b\": 3"));
}

Test(json, invalid_utf8_is_replaced)
{
    _cleanup_json_ struct json *j = json_string_new("a\xff\xc3"
                                                    "b\xc3\xa4");

    cr_assert_str_eq(json_str(j), "a\xef\xbf\xbd\xef\xbf\xbd"
                                  "b\xc3\xa4");
}

Test(json, errors_travel)
{
    _cleanup_err_ struct err a = ERR_INIT, b = ERR_INIT;
    _cleanup_json_ struct json *j = NULL;
    _cleanup_free_ char *ta = NULL, *tb = NULL;
    struct diag *d;

    err_set(&a, ERR_CONFIG, "2 problems");
    err_wrap(&a, "loading 'x.yaml'");
    err_wrap(&a, "starting instance 'x'");
    err_hint(&a, "correct them");
    err_detail(&a, "first line\nsecond \x1b[31m line");
    d = diags_add(&a.diags, DIAG_ERROR, "mounts[1].location", "must be absolute");
    diag_set_hint(d, "say /home/x");
    diag_set_position(d, "x.yaml", 3, 5, "  location: x");
    diags_add(&a.diags, DIAG_WARNING, NULL, "odd");
    j = err_to_json(&a);
    cr_assert_eq(err_from_json(j, &b), 0);
    ta = err_text(&a);
    tb = err_text(&b);
    cr_assert_str_eq(ta, tb);
    cr_assert_eq(b.kind, ERR_CONFIG);
    cr_assert_eq(b.diags.n, 2);
    cr_assert_eq(b.diags.v[1].severity, DIAG_WARNING);
}

Test(json, errors_from_strangers)
{
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_json_ struct json *bad = parse("{\"message\":\"m\"}");
    _cleanup_json_ struct json *odd = parse("{\"message\":\"m\",\"kind\":\"none\",\"errno\":99999,"
                                            "\"exitCode\":-3,\"context\":[1],\"diagnostics\":[7]}");

    cr_assert_eq(err_from_json(bad, &e), -1);
    cr_assert_not(err_is_set(&e));
    cr_assert_eq(err_from_json(odd, &e), 0);
    cr_assert_eq(e.kind, ERR_INTERNAL);
    cr_assert_eq(e.saved_errno, 0);
    cr_assert_eq(e.exit_code, 0);
}

Test(err_json, copy)
{
    _cleanup_err_ struct err a = ERR_INIT, b = ERR_INIT;

    err_set(&a, ERR_QEMU, "QEMU was killed");
    err_hint(&a, "start it again");
    err_detail(&a, "last words");
    err_wrap(&a, "instance 'x'");
    cr_assert_eq(err_copy(&b, &a), -1);
    _cleanup_free_ char *want = err_text(&a), *got = err_text(&b);
    cr_assert_str_eq(got, want);
    cr_assert_eq(b.kind, ERR_QEMU);
}
