/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/help.h"

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    const char *name = args_pos(args, 0);
    const struct command *c = name ? command_find(name) : NULL;

    (void)cli;
    if (name && !c)
        return args_unknown_command(name, err);
    if (c)
        help_command(c, &out);
    else
        help_overview(&out);
    fputs(sbuf_str(&out), stdout);
    return 0;
}

static const struct cli_positional positional[] = {
    {"COMMAND", VALUE_COMMAND, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

const struct command cmd_help = {
    .name = "help",
    .group = GROUP_ADVANCED,
    .summary = "Show help about a command",
    .description = "Show help about a command, or about all of them.",
    .examples = "cima help start\n",
    .positional = positional,
    .run = run,
};
