/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML and facts about a host, planned; and questions about the result. */
#ifndef CIMA_TEST_PLAN_FIXTURE_H
#define CIMA_TEST_PLAN_FIXTURE_H

#include "base/mem.h"
#include "golden/plan_case.h"
#include <criterion/criterion.h>

/* A machine with a BIOS that needs nothing of the host. */
#define BIOS "firmware: {legacyBIOS: true}\n"

/* arch: of the guest; yaml: what is added to a small instance of it. 0 or -1. */
static inline int plan_for(const char *arch, const char *yaml, const char *facts_text,
                           struct plan_result *r)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *facts = json_parse(facts_text, strlen(facts_text), "facts", &err);
    _cleanup_free_ char *text = xasprintf("images: [{location: \"@QCOW2@\"}]\n"
                                          "arch: %s\ncpus: 2\nmemory: 1GiB\n%s",
                                          arch, yaml);
    const struct plan_case c = {.yaml = text, .instance = "i", .facts = facts, .ssh_port = 60022};

    cr_assert(facts, "%s", err.msg);
    return plan_case_run(&c, r);
}

static inline int plan_yaml(const char *yaml, const char *facts, struct plan_result *r)
{
    _cleanup_free_ char *text = xasprintf(BIOS "%s", yaml);

    return plan_for("x86_64", text, facts, r);
}

static inline bool has_note(const struct plan_result *r, const char *word)
{
    for (size_t i = 0; i < r->notes.n; i++)
        if (strstr(r->notes.v[i].msg, word))
            return true;
    return false;
}

/* Refused with a message or hint that has the word. */
static inline void refused_for(const char *arch, const char *yaml, const char *facts,
                               const char *word)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;
    _cleanup_free_ char *text = NULL;

    cr_assert_eq(plan_for(arch, yaml, facts, &r), -1, "accepted: %s", yaml);
    text = err_text(&r.err);
    cr_assert(strstr(text, word), "'%s' without '%s'", text, word);
}

static inline void refused(const char *yaml, const char *facts, const char *word)
{
    _cleanup_free_ char *text = xasprintf(BIOS "%s", yaml);

    refused_for("x86_64", text, facts, word);
}

/* The value of the n-th such option, from 0; NULL: there are not so many. */
static inline const char *option_n(const struct plan_result *r, const char *name, size_t n)
{
    for (size_t i = 0; i + 1 < r->argv.n; i++)
        if (streq(r->argv.v[i], name) && n-- == 0)
            return r->argv.v[i + 1];
    return NULL;
}

static inline const char *option(const struct plan_result *r, const char *name)
{
    return option_n(r, name, 0);
}

/* Is there such an option with exactly that value? */
static inline bool has(const struct plan_result *r, const char *name, const char *value)
{
    const char *v;

    for (size_t n = 0; (v = option_n(r, name, n)); n++)
        if (streq(v, value))
            return true;
    return false;
}

/* Does any word have that in it? */
static inline bool speaks_of(const struct plan_result *r, const char *text)
{
    for (size_t i = 0; i < r->argv.n; i++)
        if (strstr(r->argv.v[i], text))
            return true;
    return false;
}

/* A plan that has to work. */
#define PLAN(var, arch, yaml, facts)                                                               \
    _cleanup_plan_result_ struct plan_result var = PLAN_RESULT_INIT;                               \
    cr_assert_eq(plan_for(arch, yaml, facts, &var), 0, "%s", (var).err.msg)

#endif
