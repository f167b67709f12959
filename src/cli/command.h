/* SPDX-License-Identifier: Apache-2.0 */
/* What a command is: one constant per command, in the file that runs it; commands.c lists them. The
 * parser, --help, did-you-mean and the tests read nothing else. */
#ifndef CIMA_CLI_COMMAND_H
#define CIMA_CLI_COMMAND_H

#include "base/enum.h"
#include "base/err.h"

/* What a value is: checked by the parser where that needs no look at the machine. */
enum value_kind {
    VALUE_BOOL, /* --name, --name=true, --name=false */
    VALUE_TEXT,
    VALUE_ENUM,     /* one of cli_option.choices */
    VALUE_DURATION, /* "10m0s" */
    VALUE_FILE,
    VALUE_DIR,
    VALUE_INSTANCE,
    VALUE_INSTANCE_OR_FILE,
    VALUE_TEMPLATE, /* a YAML file, or "-" */
    VALUE_INSTANCE_OR_TEMPLATE,
    VALUE_COMMAND, /* a name of the command table */
    VALUE_KIND_COUNT,
};
ENUM_STRINGS_DECLARE(value_kind);

enum option_flags {
    OPTION_HIDDEN = 1 << 0,
    OPTION_REPEAT = 1 << 1, /* every use adds a value; otherwise the last one counts */
};

struct cli_option {
    const char *name; /* long, without dashes */
    char short_name;  /* '\0': none */
    enum value_kind kind;
    const char *metavar;        /* NULL for VALUE_BOOL */
    const char *const *choices; /* VALUE_ENUM: NULL-terminated */
    const char *default_text;   /* what counts without the option; for help; may be NULL */
    const char *help;
    unsigned flags;
};

struct cli_positional {
    const char *name; /* "INST", as usage lines show it */
    enum value_kind kind;
    unsigned min, max; /* how many; max 0: no limit */
};

enum command_group { GROUP_BASIC, GROUP_ADVANCED, GROUP_COUNT };

enum command_flags {
    COMMAND_HIDDEN = 1 << 0,
    COMMAND_OPTIONS_FIRST = 1 << 1, /* options end at the first positional argument */
};

struct cli;
struct args;

struct command {
    const char *name;
    const char *const *aliases; /* NULL-terminated; NULL: none */
    enum command_group group;
    const char *summary;                     /* one line, no full stop */
    const char *description;                 /* paragraphs; broken into lines by help.c */
    const char *examples;                    /* lines as they are; may be NULL */
    const struct cli_positional *positional; /* ends with a NULL name; NULL: none */
    const struct cli_option *options;        /* ends with a NULL name; NULL: none */
    const struct cli_option *more_options;   /* as options: those that change the YAML */
    unsigned flags;
    int (*run)(struct cli *cli, const struct args *args, struct err *err);
    /* A command of commands ("template copy"): they are named instead of run. NULL: none. */
    const struct command *const *sub; /* sorted by name, ends with NULL */
    const struct command *parent;     /* of one of them */
};

/* Sorted by name, ends with NULL. */
extern const struct command *const commands[];
/* Options that every command takes; ends with a NULL name. */
extern const struct cli_option global_options[];
/* By name or alias, among `list` (ends with NULL); NULL when there is none. */
const struct command *command_find(const struct command *const *list, const char *name);
enum { COMMAND_OPTION_LISTS = 4 };
/* The options that a command (NULL: none was named) takes: its own, its further ones, the global
 * ones; ends with NULL. */
void command_option_lists(const struct command *c,
                          const struct cli_option *ret[COMMAND_OPTION_LISTS]);
/* An option of the command (NULL: none was named) or a global one, by its name of `len` bytes or,
 * with name NULL, by its letter; NULL when there is none. */
const struct cli_option *command_option(const struct command *c, const char *name, size_t len,
                                        char letter);
/* As it is typed: "template copy". Caller frees. */
char *command_words(const struct command *c);

#endif
