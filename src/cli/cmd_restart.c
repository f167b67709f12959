/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"

static int stop_if_running(struct cli *cli, const struct instance *i, bool force, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;

    if (cli_stop(cli, i, force, &why) == 0)
        return 0;
    if (why.kind != ERR_STATE)
        return err_move(err, &why);
    log_warn("The instance `%s` was not running; starting it", i->name);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    if (cli_find(cli, args_pos(args, 0), &inst, err) < 0 ||
        stop_if_running(cli, &inst, args_flag(args, "force"), err) < 0)
        return -1;
    return cli_start(cli, &inst, cli_timeout(args), args_flag(args, "progress"), err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    CLI_OPTION_FORCE_STOP,
    CLI_OPTION_PROGRESS,
    CLI_OPTION_TIMEOUT,
    {.name = NULL},
};

const struct command cmd_restart = {
    .name = "restart",
    .group = GROUP_BASIC,
    .summary = "Stop an instance and start it again",
    .description = "Stop an instance (`default` when none is named) and start it again. One that "
                   "is not running is just started.",
    .examples = "cima restart mini\n",
    .positional = positional,
    .options = options,
    .run = run,
};
