/* SPDX-License-Identifier: Apache-2.0 */
/* The rules as a table, and how a problem is added under one. */
#include "config/internal.h"
#include "base/mem.h"

const struct config_rule_info config_rules[] = {
#define RULE(name, id_, severity_, summary_, hint_)                                                \
    [RULE_##name] = {id_, summary_, hint_, DIAG_##severity_},
#include "config/rules.def"
#undef RULE
};
_Static_assert(ARRAY_SIZE(config_rules) == RULE_COUNT, "a row for every rule");

struct diag *config_problem(struct diags *d, enum config_rule rule, const char *path,
                            const char *fmt, ...)
{
    _cleanup_free_ char *msg = NULL;
    va_list ap;

    va_start(ap, fmt);
    msg = xvasprintf(fmt, ap);
    va_end(ap);
    struct diag *p = diags_add(d, config_rules[rule].severity, path, "%s", msg);
    diag_set_kind(p, config_rules[rule].id);
    if (config_rules[rule].hint)
        diag_set_hint(p, "%s", config_rules[rule].hint);
    return p;
}

bool config_problem_is_about_key(const struct diag *d)
{
    static const enum config_rule rules[] = {
        RULE_PARAM_NAME,
        RULE_PARAM_UNUSED,
        RULE_CPU_TYPE_ARCH,
        RULE_CPU_TYPE_DEPRECATED,
        RULE_PROVISION_FIELD_OF_MODE,
        RULE_ROSETTA_IGNORED,
    };

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (streq0(d->kind, config_rules[rules[i]].id))
            return true;
    return false;
}

/* What the parser says of an unquoted template is hard to read as what it is. */
static bool has_bare_template(const char *line)
{
    const char *p = line ? strstr(line, "{{") : NULL;

    while (p && p > line && p[-1] == ' ')
        p--;
    return p && p > line && (p[-1] == ':' || p[-1] == '-');
}

void config_name_problems(struct diags *d, size_t first)
{
    for (size_t i = first; i < d->n; i++) {
        struct diag *p = &d->v[i];
        enum config_rule rule = p->severity == DIAG_ERROR ? RULE_SYNTAX : RULE_DOCUMENTS;

        if (p->kind)
            continue;
        diag_set_kind(p, config_rules[rule].id);
        if (rule == RULE_SYNTAX && has_bare_template(p->source))
            diag_set_hint(p, "a text that starts with `{{` needs quotes");
        else if (rule == RULE_SYNTAX && strstr(p->msg, "already defined"))
            diag_set_hint(p, "put both into one, or remove one of them");
        else if (!p->hint)
            diag_set_hint(p, "%s", config_rules[rule].hint);
    }
}
