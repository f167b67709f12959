/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/help.h"

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    const struct command *c = NULL;

    (void)cli;
    for (size_t i = 0; i < args->positional.n; i++) {
        const char *name = args->positional.v[i];
        const struct command *next = command_find(c ? c->sub : commands, name);

        if (!next)
            return args_unknown_command(c, name, err);
        c = next;
        if (!c->sub)
            break;
    }
    if (c)
        help_command(c, &out);
    else
        help_overview(&out);
    fputs(sbuf_str(&out), stdout);
    return 0;
}

static const struct cli_positional positional[] = {
    {"COMMAND", VALUE_COMMAND, 0, 2},
    {NULL, VALUE_TEXT, 0, 0},
};

const struct command cmd_help = {
    .name = "help",
    .group = GROUP_ADVANCED,
    .summary = "Show help about a command",
    .description = "Show help about a command, or about all of them.",
    .examples = "cima help start\n"
                "cima help template copy\n",
    .positional = positional,
    .run = run,
};
