/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tmpl.h"
#include "base/mem.h"

static bool is_name_char(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* `.Param.KEY` between {{ and }}. */
static bool uses_in_action(const char *text, const char *key)
{
    _cleanup_free_ char *name = xasprintf(".Param.%s", key);
    size_t len = strlen(name);

    for (const char *open = strstr(text, "{{"); open; open = strstr(open + 2, "{{")) {
        size_t span = strcspn(open, "}");

        for (const char *p = strstr(open, name); p && p < open + span; p = strstr(p + 1, name))
            if (!is_name_char(p[len]))
                return true;
    }
    return false;
}

bool tmpl_uses_param(const char *text, const char *key)
{
    _cleanup_free_ char *variable = xasprintf("PARAM_%s", key);
    size_t len = strlen(variable);

    for (const char *p = strstr(text, variable); p; p = strstr(p + 1, variable))
        if ((p == text || !is_name_char(p[-1])) && !is_name_char(p[len]))
            return true;
    return uses_in_action(text, key);
}
