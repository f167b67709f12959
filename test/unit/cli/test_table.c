/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of every command and option. */
#include "cli/args.h"
#include "cli/help.h"
#include "base/strv.h"
#include <ctype.h>
#include <criterion/criterion.h>

static void check_list(const struct command *const *list, const struct command *parent)
{
    for (size_t i = 0; list[i]; i++) {
        if (list[i + 1])
            cr_expect(strcmp(list[i]->name, list[i + 1]->name) < 0, "%s, %s", list[i]->name,
                      list[i + 1]->name);
        cr_expect_eq(command_find(list, list[i]->name), list[i]);
        for (const char *const *a = list[i]->aliases; a && *a; a++)
            cr_expect_eq(command_find(list, *a), list[i], "%s", *a);
        cr_expect_eq(list[i]->parent, parent, "%s", list[i]->name);
        if (list[i]->sub)
            check_list(list[i]->sub, list[i]);
    }
}

Test(table, sorted_and_unique)
{
    check_list(commands, NULL);
}

static bool is_name(const char *s)
{
    if (!islower((unsigned char)*s))
        return false;
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

static void check_option(const char *command, const struct cli_option *o)
{
    cr_expect(is_name(o->name), "%s --%s", command, o->name);
    cr_expect(!str_empty(o->help), "%s --%s has no help", command, o->name);
    cr_expect(o->help && isupper((unsigned char)o->help[0]) && !str_ends(o->help, "."),
              "%s --%s: style of '%s'", command, o->name, o->help);
    cr_expect((o->kind == VALUE_BOOL) == (o->metavar == NULL), "%s --%s: metavar", command,
              o->name);
    cr_expect((o->kind == VALUE_ENUM) == (o->choices != NULL), "%s --%s: choices", command,
              o->name);
}

/* No two options of a command, the global ones included, share a name or letter; sorted. */
static void check_options(const char *command, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        check_option(command, o);
        if (o[1].name)
            cr_expect(strcmp(o->name, o[1].name) < 0, "%s: --%s, --%s are not sorted", command,
                      o->name, o[1].name);
        for (const struct cli_option *g = global_options; g->name; g++) {
            if (g == o)
                continue;
            cr_expect(!streq(g->name, o->name), "%s --%s", command, o->name);
            cr_expect(!g->short_name || g->short_name != o->short_name, "%s -%c", command,
                      o->short_name);
        }
        for (const struct cli_option *p = options; p != o; p++)
            cr_expect(!p->short_name || p->short_name != o->short_name, "%s -%c", command,
                      o->short_name);
    }
}

/* Those that change the YAML have an order of their own, and names that no other option has. */
static void check_more_options(const struct command *c)
{
    for (const struct cli_option *o = c->more_options; o && o->name; o++) {
        check_option(c->name, o);
        cr_expect(!o->short_name, "%s --%s", c->name, o->name);
        for (const struct cli_option *p = c->options; p && p->name; p++)
            cr_expect(!streq(p->name, o->name), "%s --%s", c->name, o->name);
        for (const struct cli_option *g = global_options; g->name; g++)
            cr_expect(!streq(g->name, o->name), "%s --%s", c->name, o->name);
        for (const struct cli_option *p = c->more_options; p != o; p++)
            cr_expect(!streq(p->name, o->name), "%s --%s", c->name, o->name);
    }
}

static void check_command(const struct command *c)
{
    bool optional = false, unlimited = false;

    cr_expect(is_name(c->name));
    cr_expect(!str_empty(c->summary) && !str_ends(c->summary, "."), "%s", c->name);
    cr_expect(!str_empty(c->description) && str_ends(c->description, "."), "%s", c->name);
    cr_expect((c->run == NULL) == (c->sub != NULL), "%s", c->name);
    cr_expect_lt(c->group, GROUP_COUNT);
    check_options(c->name, c->options);
    check_more_options(c);
    /* What is needed stands before what is not; only the last may be many. */
    for (const struct cli_positional *p = c->positional; p && p->name; p++) {
        cr_expect(!(optional && p->min), "%s %s", c->name, p->name);
        cr_expect(!unlimited, "%s %s", c->name, p->name);
        optional = optional || !p->min;
        unlimited = !p->max;
    }
    for (const struct command *const *sub = c->sub; sub && *sub; sub++)
        check_command(*sub);
}

Test(table, every_part_is_described)
{
    check_options("cima", global_options);
    for (size_t i = 0; commands[i]; i++)
        check_command(commands[i]);
}

static void check_help(const char *name, const char *text)
{
    _cleanup_strv_ struct strv lines = STRV_INIT;

    cr_expect(str_ends(text, "\n"), "%s", name);
    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        size_t len = strlen(lines.v[i]);

        cr_expect_leq(len, HELP_COLUMNS, "%s: %s", name, lines.v[i]);
        cr_expect(!len || lines.v[i][len - 1] != ' ', "%s: blank at the end: '%s'", name,
                  lines.v[i]);
    }
}

Test(table, help_fits_and_names_everything)
{
    for (size_t i = 0; commands[i]; i++) {
        _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

        help_command(commands[i], &out);
        check_help(commands[i]->name, sbuf_str(&out));
        for (const struct cli_option *o = commands[i]->options; o && o->name; o++) {
            _cleanup_sbuf_ struct sbuf option = SBUF_INIT;

            sbuf_addf(&option, "--%s", o->name);
            cr_expect_eq(strstr(sbuf_str(&out), sbuf_str(&option)) != NULL,
                         !(o->flags & OPTION_HIDDEN), "%s --%s", commands[i]->name, o->name);
        }
    }
}

Test(table, overview_lists_what_is_not_hidden)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    help_overview(&out);
    check_help("cima", sbuf_str(&out));
    for (size_t i = 0; commands[i]; i++)
        cr_expect_eq(strstr(sbuf_str(&out), commands[i]->summary) != NULL,
                     !(commands[i]->flags & COMMAND_HIDDEN), "%s", commands[i]->name);
}

/* Every example of the help is a command line that the parser takes. */
Test(table, examples_parse)
{
    for (size_t i = 0; commands[i]; i++) {
        _cleanup_strv_ struct strv lines = STRV_INIT;

        strv_split(&lines, commands[i]->examples ? commands[i]->examples : "", '\n');
        for (size_t k = 0; k < lines.n; k++) {
            _cleanup_strv_ struct strv words = STRV_INIT;
            _cleanup_args_ struct args a = ARGS_INIT;
            _cleanup_err_ struct err err = ERR_INIT;

            if (!*lines.v[k])
                continue;
            char *redirection = strstr(lines.v[k], " < ");
            if (redirection)
                *redirection = '\0';
            cr_assert_eq(strv_split_shell(&words, lines.v[k]), 0);
            cr_expect_eq(args_parse((int)words.n, strv_argv(&words), &a, &err), 0, "%s: %s",
                         lines.v[k], err.msg);
            cr_expect_eq(a.command, commands[i], "%s", lines.v[k]);
        }
    }
}

Test(table, value_kinds_round_trip)
{
    for (int i = 0; i < VALUE_KIND_COUNT; i++) {
        enum value_kind back;

        cr_assert_eq(value_kind_from_string(value_kind_to_string((enum value_kind)i), &back), 0);
        cr_expect_eq((int)back, i);
    }
}

Test(help, wrap)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    help_wrap(&out, "one two three four", 0, 2, 9);
    cr_expect_str_eq(sbuf_str(&out), "one two\n  three\n  four\n");
    sbuf_clear(&out);
    help_wrap(&out, "a\n\nb averyveryverylongword c", 0, 0, 8);
    cr_expect_str_eq(sbuf_str(&out), "a\n\nb\naveryveryverylongword\nc\n");
}
