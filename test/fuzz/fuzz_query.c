/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions. Whatever the text is: it becomes a program, or there is one error with a place in it;
 * and no program calls what reaches out of the value. */
#include "base/mem.h"
#include "query/internal.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The program's names outside of its texts are neither refused words (but for those that it defines
 * itself) nor variables that jq has of its own. */
static void check_program(const char *s)
{
    bool defines = strstr(s, "def ") || strstr(s, " as ");

    while (*s) {
        size_t n = 0;

        if (*s == '"') {
            for (s++; *s && *s != '"'; s++)
                if (*s == '\\' && s[1] == '(')
                    return; /* expressions in texts are checked as all others */
                else
                    s += *s == '\\';
            assert(*s);
            s++;
            continue;
        }
        assert(strncmp(s, "$ENV", 4) != 0 || is_name_char(s[4]));
        assert(strncmp(s, "$__prog", 7) != 0);
        while (is_name_char(s[n]))
            n++;
        if (n) {
            _cleanup_free_ char *word = xstrndup(s, n);

            assert(defines || !query_refusal(word));
        }
        s += n ? n : 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *expr = xstrndup((const char *)data, strnlen((const char *)data, size));
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *program = query_translate(expr, &err);

    if (program) {
        assert(!err_is_set(&err));
        check_program(program);
        return 0;
    }
    assert(err.kind == ERR_USAGE && err.diags.n == 1);
    const struct diag *d = &err.diags.v[0];
    assert(d->line >= 1 && d->col >= 1 && d->col <= strlen(expr) + 1 && !str_empty(d->msg));
    _cleanup_free_ char *text = err_text(&err);
    for (const char *p = text; *p; p++)
        assert((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t');
    return 0;
}
