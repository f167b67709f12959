/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of spellings: what each type takes, and what it then is. */
#include "fixture.h"
#include "config/internal.h"
#include "config/tmpl.h"

/* The value of a field after filling; "" when the YAML is refused. Validation is left out. */
static char *value_of(const char *yaml, const char *(*get)(const struct config_instance *))
{
    const struct config_layer layer = {"t.yaml", yaml, strlen(yaml), NULL};
    const struct config_context ctx = test_context();
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    if (config_parse(&layer, &c, &d, &err) < 0 || diags_has_errors(&d))
        return xstrdup("refused");
    config_fill(&c, &ctx, &d);
    return xstrdup(get(&c.v));
}

struct row {
    const char *text, *want;
};

static void table(const char *format_head, const char *format_tail,
                  const char *(*get)(const struct config_instance *), const struct row *rows,
                  size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *yaml = xasprintf("%s%s%s\n", format_head, rows[i].text, format_tail);
        _cleanup_free_ char *got = value_of(yaml, get);

        cr_expect_str_eq(got, rows[i].want, "%sgives %s, not %s", yaml, got, rows[i].want);
    }
}

static const char *get_cpus(const struct config_instance *v)
{
    static char buf[32];

    snprintf(buf, sizeof(buf), "%lld", (long long)v->cpus);
    return buf;
}

Test(config_values, integers)
{
    static const struct row rows[] = {
        {"3", "3"},        {"+3", "3"},       {"03", "3"},      {"011", "11"},   {"0x1f", "31"},
        {"0o17", "15"},    {"0b101", "5"},    {"3.0", "3"},     {"3e0", "3"},    {"1.2e1", "12"},
        {"\"3\"", "3"},    {"'0x3'", "3"},    {"-0", "4"},      {"~", "4"},      {"", "4"},
        {"30e-1", "3"},    {"0e99", "4"},     {"99999999999", "99999999999"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "refused"},   {"3.7", "refused"}, {"1_0", "refused"},
        {"\"\"", "refused"}, {".inf", "refused"}, {".nan", "refused"}, {"1e99", "refused"},
        {"0o9", "refused"},  {"0xg", "refused"},  {"0x", "refused"}, {"three", "refused"},
        {"true", "refused"}, {"[3]", "refused"},  {"{a: 3}", "refused"}, {"!!int 3", "refused"},
        {"\"3.0\"", "refused"}, {"3 4", "refused"}, {"--3", "refused"}, {"1e", "refused"},
    };

    table("cpus: ", "", get_cpus, rows, ARRAY_SIZE(rows));
}

static const char *get_tpm(const struct config_instance *v)
{
    return v->tpm == TRI_TRUE ? "true" : "false";
}

Test(config_values, booleans)
{
    static const struct row rows[] = {
        {"true", "true"},   {"True", "true"},     {"TRUE", "true"},      {"false", "false"},
        {"~", "false"},     {"!!bool true", "true"}, {"yes", "refused"}, {"on", "refused"},
        {"1", "refused"},   {"\"true\"", "refused"}, {"tRUE", "refused"}, {"\"\"", "refused"},
        {"[true]", "refused"},
    };

    table("tpm: ", "", get_tpm, rows, ARRAY_SIZE(rows));
}

static const char *get_env(const struct config_instance *v)
{
    return v->env[0].value;
}

/* A text field keeps what is written, whatever YAML would make of it. */
Test(config_values, texts)
{
    static const struct row rows[] = {
        {"1.10", "1.10"}, {"007", "007"}, {"1e3", "1e3"}, {"True", "True"},  {"yes", "yes"},
        {"~", ""},        {"null", ""},   {"''", ""},     {"a b", "a b"},    {"a#b", "a#b"},
        {"!!str 5", "5"}, {"!x y", "y"},  {"\"\\u0041\"", "A"}, {"[a]", "refused"},
    };

    table("env: {X: ", "}", get_env, rows, ARRAY_SIZE(rows));
}

static const char *get_host_ip(const struct config_instance *v)
{
    return v->port_forwards[0].host_ip;
}

Test(config_values, addresses)
{
    static const struct row rows[] = {
        {"10.0.0.1", "10.0.0.1"},
        {"'::1'", "::1"},
        {"'::'", "::"},
        {"\"\"", "127.0.0.1"},
        {"~", "127.0.0.1"},
        {"'::ffff:1.2.3.4'", "1.2.3.4"},
        {"'2001:DB8:0:0::1'", "2001:db8::1"},
        {"'1:0:0:2:0:0:0:3'", "1:0:0:2::3"},
        {"'1:2:3:4:5:6:7:0'", "1:2:3:4:5:6:7:0"},
        {"'0:0:1::'", "0:0:1::"},
        {"'::127.0.0.1'", "::7f00:1"},
        {"'fe80::1%eth0'", "refused"},
        {"'[::1]'", "refused"},
        {"localhost", "refused"},
        {"256.1.1.1", "refused"},
        {"01.2.3.4", "refused"},
        {"1.2.3", "refused"},
        {"' 1.2.3.4'", "refused"},
        {"[1.2.3.4]", "refused"},
    };

    table("portForwards: [{hostIP: ", "}]", get_host_ip, rows, ARRAY_SIZE(rows));
}

Test(config_values, versions)
{
    static const struct {
        const char *text;
        bool lenient, strict;
    } rows[] = {
        {"1.2.3", true, true},        {"v1.2.3", true, false},      {"01.2.3", true, true},
        {"1.2.3-rc.1", true, true},   {"1.2.3+build.7", true, true}, {"1.2.3-5-gabc", true, true},
        {"1.0.0.m", true, false},     {"1.2", false, false},        {"1", false, false},
        {"", false, false},           {"1.2.3.4", false, false},    {" 1.2.3", false, false},
        {"-1.0.0", false, false},     {"1.x.0", false, false},      {"1.2.3+", false, false},
        {"1.2.3-", true, false},      {"99999999999999999999.0.0", false, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct config_version v;

        cr_expect_eq(config_parse_version(rows[i].text, true, &v) == 0, rows[i].lenient, "%s",
                     rows[i].text);
        cr_expect_eq(config_parse_version(rows[i].text, false, &v) == 0, rows[i].strict, "%s",
                     rows[i].text);
    }
}

/* ---- templates ------------------------------------------------------------------------------- */

Test(config_template, use_of_parameters)
{
    static const struct {
        const char *text;
        bool uses;
    } rows[] = {
        {"{{.Param.k}}", true},       {"{{ printf \"%s\" .Param.k }}", true},
        {"$PARAM_k", true},           {"${PARAM_k}", true},
        {"{{.Param.kk}}", false},     {"PARAM_kk", false},
        {"XPARAM_k", false},          {".Param.k", false},
        {"{{x}} .Param.k }}", false}, {"", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        cr_expect_eq(tmpl_uses_param(rows[i].text, "k"), rows[i].uses, "%s", rows[i].text);
}

/* ---- places ---------------------------------------------------------------------------------- */

static const char INSTANCE[] = "images: [{location: /i}]\nmounts:\n- location: /a\n";
static const char DEFAULT[] =
    "mounts:\n- location: /a\n  9p: {cache: wrong}\nssh: {localPort: 22}\n";
static const char OVERRIDE[] = "\nmounts:\n- {location: /a, mountPoint: /a, writable: true}\n"
                               "portForwards: [{guestPort: 22, static: true}]\n";

Test(config_places, of_merged_values)
{
    const struct config_input in = {
        .instance = {"i.yaml", INSTANCE, sizeof(INSTANCE) - 1, NULL},
        .default_ = {"d.yaml", DEFAULT, sizeof(DEFAULT) - 1, NULL},
        .override = {"o.yaml", OVERRIDE, sizeof(OVERRIDE) - 1, NULL},
    };
    static const struct {
        const char *path, *file;
        unsigned line, col;
    } rows[] = {
        {"mounts[0].9p.cache", "d.yaml", 3, 15},
        {"ssh.localPort", "d.yaml", 4, 18},
        {"portForwards[0].guestPort", "o.yaml", 4, 28},
    };
    const struct config_context ctx = test_context();
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(config_load(&in, &ctx, &c, NULL, &err), -1);
    cr_assert_eq(err.diags.n, ARRAY_SIZE(rows));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct diag *found = NULL;

        for (size_t k = 0; k < err.diags.n; k++)
            if (streq0(err.diags.v[k].path, rows[i].path))
                found = &err.diags.v[k];
        cr_assert_not_null(found, "%s", rows[i].path);
        cr_expect_str_eq(found->file, rows[i].file);
        cr_expect_eq(found->line, rows[i].line, "%s: line %u", rows[i].path, found->line);
        cr_expect_eq(found->col, rows[i].col, "%s: column %u", rows[i].path, found->col);
    }
}
