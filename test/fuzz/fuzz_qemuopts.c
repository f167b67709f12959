/* SPDX-License-Identifier: Apache-2.0 */
/* Option texts of people, and any text as a value: what is read is written so that it is read as
 * the same again. Also what HMP may print about the user network. */
#include "base/mem.h"
#include "qemu/qemu.h"
#include "qemu/qmp_message.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const char *text)
{
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    _cleanup_opts_ struct cima_opts *a = cima_opts_parse(text, "type", &e1), *b = NULL;
    _cleanup_free_ char *first = NULL, *second = NULL;

    if (!a) {
        assert(err_is_set(&e1));
        return;
    }
    first = cima_opts_to_argv(a, &e1);
    b = cima_opts_parse(first, "type", &e2);
    assert(first && b);
    second = cima_opts_to_argv(b, &e2);
    assert(second && streq(first, second));
}

/* A value can never become more than the value. */
static void as_value(const char *text)
{
    _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
    _cleanup_opts_ struct cima_opts *o = cima_opts_new("driver", "d"), *back = NULL;
    _cleanup_free_ char *argv = NULL;

    cima_opts_str(o, "path", text);
    cima_opts_str(o, "last", "z");
    argv = cima_opts_to_argv(o, &e1);
    if (!argv)
        return;
    back = cima_opts_parse(argv, "driver", &e2);
    assert(back);
    assert(streq(cima_opts_get(back, "driver"), "d"));
    assert(streq(cima_opts_get(back, "path"), text));
    assert(streq(cima_opts_get(back, "last"), "z"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);

    round_trip(text);
    as_value(text);
    (void)qmp_usernet_port(text, 22);
    return 0;
}
