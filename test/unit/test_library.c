/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and JSON values as users of libcima-qemu see them. */
#include "base/mem.h"
#include "cima/qemu/qemu.h"
#include "qemu/qemu.h"
#include <criterion/criterion.h>
#include <math.h>

static void is_text(const struct cima_json *j, const char *want)
{
    _cleanup_free_ char *text = cima_json_text(j);

    cr_assert_str_eq(text, want);
}

Test(library, an_error_from_its_beginning_to_its_end)
{
    struct cima_error *e = cima_error_new();
    _cleanup_free_ char *nothing = cima_error_message(e);

    cr_assert_not(cima_error_is_set(e));
    cr_assert_str_eq(cima_error_kind(e), "none");
    cr_assert_str_eq(nothing, "");
    cr_assert_null(cima_error_hint(e));
    cr_assert_null(cima_error_detail(e));
    cr_assert_null(cima_json_parse("{", e));
    cr_assert(cima_error_is_set(e));
    cr_assert_str_eq(cima_error_kind(e), "protocol");
    _cleanup_free_ char *message = cima_error_message(e);
    cr_assert_not_null(strstr(message, "JSON text"), "%s", message);
    cima_error_clear(e);
    cr_assert_not(cima_error_is_set(e));
    cr_assert_null(cima_json_parse("{\"a\":1,\"a\":2}", e));
    cima_error_free(e);
}

Test(library, no_error_is_wanted)
{
    _cleanup_free_ char *message = cima_error_message(NULL);

    cr_assert_null(cima_json_parse("nonsense", NULL));
    cr_assert_not(cima_error_is_set(NULL));
    cr_assert_str_eq(cima_error_kind(NULL), "none");
    cr_assert_str_eq(message, "");
    cima_error_clear(NULL);
    cima_error_free(NULL);
}

Test(library, arguments_are_made)
{
    _cleanup_json_ struct cima_json *o = cima_json_object_new();
    struct cima_json *list = cima_json_list_new();

    cima_json_set_str(o, "text", "a \"b\"\n");
    cima_json_set_str(o, "nothing", NULL);
    cima_json_set_int(o, "int", INT64_MIN);
    cima_json_set_bool(o, "bool", true);
    cima_json_append_str(list, "one");
    cima_json_append(list, cima_json_int_new(2));
    cima_json_append(list, cima_json_null_new());
    cima_json_append(list, cima_json_bool_new(false));
    cima_json_append(list, NULL);
    cima_json_set(o, "list", list);
    cima_json_set(o, "object", cima_json_object_new());
    cima_json_set(o, "missing", NULL);
    is_text(o, "{\"text\":\"a \\\"b\\\"\\n\",\"int\":-9223372036854775808,\"bool\":true,"
               "\"list\":[\"one\",2,null,false],\"object\":{}}");
    cima_json_set_int(o, "text", 1); /* in its place */
    cr_assert_str_eq(cima_json_key(o, 0), "text");
    cr_assert_eq(cima_json_int(cima_json_get(o, "text"), 0), 1);
}

Test(library, hostile_values_are_no_trap)
{
    _cleanup_json_ struct cima_json *o = cima_json_object_new(), *list = cima_json_list_new(),
                                    *text = cima_json_text_new("x\xff y"),
                                    *inf = cima_json_real_new(HUGE_VAL),
                                    *nan_ = cima_json_real_new(NAN);

    is_text(text, "\"x\xef\xbf\xbd y\"");
    is_text(inf, "null");
    is_text(nan_, "null");
    cima_json_set_str(o, "k\xc3", "v\xc3");
    is_text(o, "{\"k\xef\xbf\xbd\":\"v\xef\xbf\xbd\"}");
    /* On what is no object or list: no effect, and nothing is lost. */
    cima_json_set_int(list, "a", 1);
    cima_json_append_str(o, "a");
    cima_json_set_int(NULL, "a", 1);
    cima_json_append_str(NULL, "a");
    cima_json_set(o, "self", o);
    cima_json_append(list, list);
    cr_assert_eq(cima_json_len(o), 1);
    cr_assert_eq(cima_json_len(list), 0);
}

Test(library, values_are_read)
{
    static const char source[] = "{\"a\":[1,2.5,\"t\",true,null],\"b\":{}}";
    _cleanup_json_ struct cima_json *j = cima_json_parse(source, NULL);
    _cleanup_json_ struct cima_json *copy = cima_json_copy(j);
    const struct cima_json *a = cima_json_get(j, "a");
    static const enum cima_json_kind kinds[] = {CIMA_JSON_INT, CIMA_JSON_REAL, CIMA_JSON_TEXT,
                                                CIMA_JSON_BOOL, CIMA_JSON_NULL, CIMA_JSON_NULL};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        cr_assert_eq(cima_json_kind(cima_json_at(a, i)), kinds[i], "%zu", i);
    cr_assert_eq(cima_json_kind(a), CIMA_JSON_LIST);
    cr_assert_eq(cima_json_kind(j), CIMA_JSON_OBJECT);
    cr_assert_eq(cima_json_int(cima_json_at(a, 0), 9), 1);
    cr_assert_eq(cima_json_int(cima_json_at(a, 1), 9), 9);
    cr_assert_float_eq(cima_json_real(cima_json_at(a, 1), 0), 2.5, 0);
    cr_assert_float_eq(cima_json_real(cima_json_at(a, 0), 0), 1, 0);
    cr_assert_float_eq(cima_json_real(cima_json_at(a, 2), 7), 7, 0);
    cr_assert_str_eq(cima_json_str(cima_json_at(a, 2)), "t");
    cr_assert_null(cima_json_str(cima_json_at(a, 0)));
    cr_assert(cima_json_bool(cima_json_at(a, 3)));
    cr_assert_str_eq(cima_json_key(j, 1), "b");
    cr_assert_null(cima_json_key(j, 2));
    cr_assert_null(cima_json_key(a, 0));
    cr_assert_null(cima_json_key(NULL, 0));
    cr_assert_null(cima_json_get(a, "x"));
    cr_assert_null(cima_json_get(NULL, "x"));
    cr_assert_null(cima_json_at(j, 0));
    cr_assert_eq(cima_json_len(NULL), 0);
    cr_assert(cima_json_equal(j, copy));
    cima_json_set_int(copy, "c", 1);
    cr_assert_not(cima_json_equal(j, copy));
}
