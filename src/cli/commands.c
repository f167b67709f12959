/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "base/mem.h"

static const char *const value_kind_names[] = {
    [VALUE_BOOL] = "bool",         [VALUE_TEXT] = "text",
    [VALUE_ENUM] = "enum",         [VALUE_DURATION] = "duration",
    [VALUE_FILE] = "file",         [VALUE_DIR] = "directory",
    [VALUE_INSTANCE] = "instance", [VALUE_INSTANCE_OR_FILE] = "instance or file",
    [VALUE_TEMPLATE] = "template", [VALUE_INSTANCE_OR_TEMPLATE] = "instance or template",
    [VALUE_COMMAND] = "command",
};
ENUM_STRINGS_DEFINE(value_kind, VALUE_KIND_COUNT)

/* Every command, sorted by name (a test checks it): each is the constant cmd_NAME of cmd_NAME.c. */
#define COMMANDS(row)                                                                              \
    row(complete) row(completion) row(console) row(create) row(delete) row(edit)                   \
        row(factory_reset) row(generate_doc) row(generate_jsonschema) row(help) row(hostagent)     \
        row(info) row(list) row(protect) row(prune) row(qmp) row(restart) row(run) row(screenshot) \
        row(shell) row(show_ssh) row(snapshot) row(start) row(stop) row(template) row(unprotect)   \
        row(validate) row(yq_restrictions)

#define DECLARE(name) extern const struct command cmd_##name;
COMMANDS(DECLARE)
#define LIST(name) &cmd_##name,
const struct command *const commands[] = {COMMANDS(LIST) NULL};

static const char *const log_levels[] = {"trace", "debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

const struct cli_option global_options[] = {
    {.name = "debug", .kind = VALUE_BOOL, .help = "Short for --log-level debug"},
    {.name = "help", .short_name = 'h', .kind = VALUE_BOOL, .help = "Show help"},
    {.name = "log-format",
     .kind = VALUE_ENUM,
     .metavar = "FORMAT",
     .choices = log_formats,
     .default_text = "text",
     .help = "Form of the log lines on standard error"},
    {.name = "log-level",
     .kind = VALUE_ENUM,
     .metavar = "LEVEL",
     .choices = log_levels,
     .default_text = "info",
     .help = "Least important log lines to show"},
    {.name = "tty",
     .kind = VALUE_BOOL,
     .default_text = "standard output is a terminal",
     .help = "Live progress and questions"},
    {.name = "version", .short_name = 'v', .kind = VALUE_BOOL, .help = "Print the version"},
    {.name = "yes", .short_name = 'y', .kind = VALUE_BOOL, .help = "Same as --tty=false"},
    {.name = NULL},
};

const struct command *command_find(const struct command *const *list, const char *name)
{
    for (; *list; list++) {
        if (streq((*list)->name, name))
            return *list;
        for (const char *const *alias = (*list)->aliases; alias && *alias; alias++)
            if (streq(*alias, name))
                return *list;
    }
    return NULL;
}

void command_option_lists(const struct command *c,
                          const struct cli_option *ret[COMMAND_OPTION_LISTS])
{
    size_t n = 0;

    if (c && c->options)
        ret[n++] = c->options;
    if (c && c->more_options)
        ret[n++] = c->more_options;
    ret[n++] = global_options;
    ret[n] = NULL;
}

const struct cli_option *command_option(const struct command *c, const char *name, size_t len,
                                        char letter)
{
    const struct cli_option *lists[COMMAND_OPTION_LISTS];

    command_option_lists(c, lists);
    for (const struct cli_option *const *list = lists; *list; list++)
        for (const struct cli_option *o = *list; o->name; o++)
            if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
                     : o->short_name == letter)
                return o;
    return NULL;
}

char *command_words(const struct command *c)
{
    return c->parent ? xasprintf("%s %s", c->parent->name, c->name) : xstrdup(c->name);
}
