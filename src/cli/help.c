/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"
#include "base/mem.h"

/* The left column is never wider than this; what does not fit has its text on the next line. */
enum { LEFT_MAX = 28 };

static void add_blanks(struct sbuf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sbuf_addch(out, ' ');
}

void help_wrap(struct sbuf *out, const char *text, size_t at, size_t indent, size_t columns)
{
    bool line_start = true; /* no word of ours is on this line yet */

    while (*text) {
        size_t word = strcspn(text, " \n");

        if (word && !line_start && at + 1 + word > columns) {
            sbuf_addch(out, '\n');
            add_blanks(out, indent);
            at = indent;
            line_start = true;
        }
        if (word) {
            if (!line_start) {
                sbuf_addch(out, ' ');
                at++;
            }
            sbuf_add(out, text, word);
            at += word;
            line_start = false;
        }
        text += word;
        if (*text == '\n') {
            sbuf_addch(out, '\n');
            if (text[1] && text[1] != '\n')
                add_blanks(out, indent);
            at = indent;
            line_start = true;
        }
        if (*text)
            text++;
    }
    sbuf_addch(out, '\n');
}

/* "  left     right", right wrapped in its column. */
static void add_row(struct sbuf *out, const char *left, size_t left_width, const char *right)
{
    size_t column = 2 + left_width + 2, at = 2 + strlen(left);

    sbuf_addf(out, "  %s", left);
    if (strlen(left) > left_width) {
        sbuf_addch(out, '\n');
        at = 0;
    }
    add_blanks(out, column - at);
    help_wrap(out, right, column, column, HELP_COLUMNS);
}

char *help_option_names(const struct cli_option *o)
{
    struct sbuf s = SBUF_INIT;

    if (o->short_name)
        sbuf_addf(&s, "-%c, --%s", o->short_name, o->name);
    else
        sbuf_addf(&s, "    --%s", o->name);
    if (o->metavar)
        sbuf_addf(&s, " %s", o->metavar);
    return sbuf_detach(&s);
}

char *help_option_text(const struct cli_option *o)
{
    struct sbuf s = SBUF_INIT;

    sbuf_addstr(&s, o->help);
    if (o->choices) {
        sbuf_addstr(&s, ": ");
        for (size_t i = 0; o->choices[i]; i++)
            sbuf_addf(&s, "%s%s", i ? ", " : "", o->choices[i]);
    }
    if (o->default_text)
        sbuf_addf(&s, " (default: %s)", o->default_text);
    return sbuf_detach(&s);
}

static size_t options_width(const struct cli_option *options)
{
    size_t width = 0;

    for (const struct cli_option *o = options; o && o->name; o++) {
        _cleanup_free_ char *left = help_option_names(o);

        if (!(o->flags & OPTION_HIDDEN) && strlen(left) > width && strlen(left) <= LEFT_MAX)
            width = strlen(left);
    }
    return width;
}

static void add_options(struct sbuf *out, const char *title, const struct cli_option *options,
                        size_t width)
{
    bool any = false;

    for (const struct cli_option *o = options; o && o->name; o++) {
        _cleanup_free_ char *left = help_option_names(o), *right = help_option_text(o);

        if (o->flags & OPTION_HIDDEN)
            continue;
        if (!any)
            sbuf_addf(out, "\n%s:\n", title);
        any = true;
        add_row(out, left, width, right);
    }
}

static size_t commands_width(const struct command *const *list)
{
    size_t width = 0;

    for (; *list; list++)
        if (!((*list)->flags & COMMAND_HIDDEN) && strlen((*list)->name) > width)
            width = strlen((*list)->name);
    return width;
}

/* Those of a group; GROUP_COUNT: all. */
static void add_commands(struct sbuf *out, const struct command *const *list, const char *title,
                         enum command_group group, size_t width)
{
    bool any = false;

    for (; *list; list++) {
        if ((*list)->flags & COMMAND_HIDDEN || (group != GROUP_COUNT && (*list)->group != group))
            continue;
        if (!any)
            sbuf_addf(out, "\n%s:\n", title);
        any = true;
        add_row(out, (*list)->name, width, (*list)->summary);
    }
}

static bool has_options(const struct command *c)
{
    for (const struct cli_option *o = c->options; o && o->name; o++)
        if (!(o->flags & OPTION_HIDDEN))
            return true;
    return c->more_options != NULL;
}

char *help_usage_line(const struct command *c)
{
    struct sbuf s = SBUF_INIT;
    _cleanup_free_ char *words = command_words(c);

    sbuf_addf(&s, "Usage:  cima %s%s", words, c->sub ? " COMMAND" : "");
    if (has_options(c))
        sbuf_addstr(&s, " [OPTIONS]");
    for (const struct cli_positional *p = c->positional; p && p->name; p++)
        sbuf_addf(&s, p->min ? " %s%s" : " [%s%s]", p->name, p->max == 1 ? "" : "...");
    return sbuf_detach(&s);
}

void help_command(const struct command *c, struct sbuf *out)
{
    _cleanup_free_ char *usage = help_usage_line(c);
    size_t width = options_width(c->options), global = options_width(global_options);

    size_t more = options_width(c->more_options);

    width = width > global ? width : global;
    width = width > more ? width : more;
    help_wrap(out, c->description, 0, 0, HELP_COLUMNS);
    sbuf_addf(out, "\n%s\n", usage);
    if (c->aliases) {
        sbuf_addstr(out, "Aliases:");
        for (const char *const *alias = c->aliases; *alias; alias++)
            sbuf_addf(out, "%s %s", alias == c->aliases ? "" : ",", *alias);
        sbuf_addch(out, '\n');
    }
    if (c->sub)
        add_commands(out, c->sub, "Commands", GROUP_COUNT, commands_width(c->sub));
    add_options(out, "Options", c->options, width);
    add_options(out, "Options that change the YAML, in the order in which they take effect",
                c->more_options, width);
    add_options(out, "Global options", global_options, width);
    if (c->examples) {
        sbuf_addstr(out, "\nExamples:\n");
        for (const char *p = c->examples; *p;) {
            size_t n = strcspn(p, "\n");

            sbuf_addstr(out, "  ");
            sbuf_add(out, p, n);
            sbuf_addch(out, '\n');
            p += n + (p[n] == '\n');
        }
    }
}

void help_overview(struct sbuf *out)
{
    size_t width = commands_width(commands);

    sbuf_addstr(out, "cima: virtual machines from one YAML file\n\n"
                     "Usage:  cima [OPTIONS] COMMAND\n");
    add_commands(out, commands, "Basic commands", GROUP_BASIC, width);
    add_commands(out, commands, "Advanced commands", GROUP_ADVANCED, width);
    add_options(out, "Options", global_options, options_width(global_options));
    sbuf_addstr(out, "\nA machine from its file, a shell in it, and the end of it:\n"
                     "  cima start mini.yaml\n"
                     "  cima shell mini\n"
                     "  cima stop mini && cima delete mini\n"
                     "\n`cima COMMAND --help` tells about a command.\n");
}
