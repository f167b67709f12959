/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/edit_flags.h"

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
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    bool flags;

    if (cli_flags_check(args, &flags, err) < 0 ||
        cli_find(cli, args_pos(args, 0), &inst, err) < 0)
        return -1;
    /* A YAML that would be rejected is no reason to stop anything. */
    if (flags && (inst_edit_begin_running(&inst, &e, err) < 0 ||
                  cli_flags_edit(cli, args, &e, &text, &len, err) < 0))
        return -1;
    if (stop_if_running(cli, &inst, args_flag(args, "force"), err) < 0)
        return -1;
    if (text && inst_edit_commit(&e, text, len, err) < 0)
        return -1;
    if (text)
        log_info("Instance `%s` configuration edited", inst.name);
    cli->config_told = text != NULL;
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
                   "is not running is just started. Flags change its YAML in between.",
    .examples = "cima restart mini\n"
                "cima restart --memory 4 mini\n",
    .positional = positional,
    .options = options,
    .more_options = cli_edit_options,
    .run = run,
};
