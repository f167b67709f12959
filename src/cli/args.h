/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as values. Syntax as pflag has it: --name=value, --name value, -n value,
 * -nvalue, -n=value, -ab, `--` ends the options, options may stand anywhere. */
#ifndef CIMA_CLI_ARGS_H
#define CIMA_CLI_ARGS_H

#include "base/strv.h"
#include "cli/command.h"

struct arg_value {
    const struct cli_option *option;
    struct strv values; /* as written; "true"/"false" for VALUE_BOOL */
};

struct args {
    const struct command *command; /* NULL: none was named */
    struct arg_value *v;           /* one per global option, then those of the command */
    size_t n;
    struct strv positional;
    bool help; /* --help was there: nothing else is checked then */
};

#define ARGS_INIT                                                                                  \
    {                                                                                              \
        NULL, NULL, 0, STRV_INIT, false                                                            \
    }
#define _cleanup_args_ _cleanup_(args_release)
void args_release(struct args *a);

/* Everything that can be wrong with a command line is ERR_USAGE. */
int args_parse(int argc, char *const *argv, struct args *ret, struct err *err);

/* ERR_USAGE for a word that is no command of parent (NULL: no command at all), with the nearest one
 * as hint. Returns -1. */
int args_unknown_command(const struct command *parent, const char *word, struct err *err);

/* The name must be an option of the command or a global one (asserted). */
bool args_has(const struct args *a, const char *name);
/* VALUE_BOOL: the value, false when it is not there. */
bool args_flag(const struct args *a, const char *name);
/* The last value, or NULL. */
const char *args_str(const struct args *a, const char *name);
const struct strv *args_all(const struct args *a, const char *name);
/* Positional argument i, or NULL. */
const char *args_pos(const struct args *a, size_t i);
/* Adds the hint to look at the help of the command. Returns -1. */
int args_hint_help(const struct args *a, struct err *err);

#endif
