/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: the input's lines are the words. Whatever they are, the parser gives values that
 * the commands can rely on, or one usage error. */
#include "base/mem.h"
#include "base/parse.h"
#include "cli/args.h"
#include "cli/help.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split(const uint8_t *data, size_t size, struct strv *ret)
{
    strv_push(ret, "cima");
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at;

        /* A word ends at NUL, as execve has it. */
        strv_push_consume(ret,
                          xstrndup((const char *)data + at, strnlen((const char *)data + at, len)));
        at += len + 1;
    }
}

static void check_value(const struct cli_option *o, const char *value)
{
    int64_t ms;
    bool found = false;

    if (o->kind == VALUE_BOOL)
        assert(streq(value, "true") || streq(value, "false"));
    if (o->kind == VALUE_DURATION)
        assert(parse_duration_ms(value, &ms) == 0 && ms >= 0);
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        found = found || streq(o->choices[i], value);
    assert(!o->choices || found);
}

static void check_args(const struct args *a)
{
    size_t min = 0;

    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < a->v[i].values.n; k++)
            check_value(a->v[i].option, a->v[i].values.v[k]);
    if (!a->command) {
        assert(a->positional.n == 0);
        return;
    }
    for (const struct cli_positional *p = a->command->positional; p && p->name; p++)
        min += p->min;
    assert(a->help || a->positional.n >= min);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_strv_ struct strv words = STRV_INIT;
    _cleanup_args_ struct args args = ARGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    split(data, size, &words);
    if (args_parse((int)words.n, strv_argv(&words), &args, &err) == 0) {
        assert(!err_is_set(&err));
        check_args(&args);
        return 0;
    }
    _cleanup_free_ char *text = err_text(&err);
    assert(err.kind == ERR_USAGE && !str_empty(err.msg) && !str_empty(err.hint));
    assert(!args.command && !args.v);
    for (const char *p = text; *p; p++)
        assert((unsigned char)*p >= 0x20 || *p == '\n');
    return 0;
}
