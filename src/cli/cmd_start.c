/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "hostagent/hostagent.h"

/* The host agent in this very process, on this terminal. */
static int run_foreground(const struct inst_env *env, const struct instance *i, struct err *err)
{
    const struct hostagent_options options = {.foreground = true};
    struct inst_report report = cli_report;

    report.warning = NULL; /* the agent is about to say the same */
    if (inst_start_prepare(env, i, &report, err) < 0)
        return -1;
    return hostagent_run(env->store, i, env->host, &options, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;
    const struct inst_env *env = cli_env(cli, err);

    if (!env || cli_target_find(cli, args_pos(args, 0), args_str(args, "name"), &t, err) < 0)
        return -1;
    cli_warn_root();
    cli->config_told = args_flag(args, "foreground"); /* by the agent, in this terminal */
    if (t.is_template && cli_create(cli, t.name, &t.template_, &t.inst, err) < 0)
        return err->kind == ERR_EXISTS ? err_hint(err,
                                                  "to start it: `cima start %s`; to make "
                                                  "another one from the file: `cima start "
                                                  "--name NAME %s`",
                                                  t.name, t.template_.locator)
                                       : -1;
    cli->config_told = t.is_template; /* by the creation */
    if (args_flag(args, "foreground"))
        return run_foreground(env, &t.inst, err);
    return cli_start(cli, &t.inst, cli_timeout(args), args_flag(args, "progress"), err);
}

static const struct cli_positional positional[] = {
    {"NAME|FILE", VALUE_INSTANCE_OR_TEMPLATE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "foreground",
     .kind = VALUE_BOOL,
     .help = "Run the host agent in this terminal until the instance ends"},
    CLI_OPTION_NAME,
    CLI_OPTION_PROGRESS,
    CLI_OPTION_TIMEOUT,
    {.name = NULL},
};

const struct command cmd_start = {
    .name = "start",
    .group = GROUP_BASIC,
    .summary = "Start an instance, or make one from a YAML file and start it",
    .description =
        "Start an instance, or make one from a YAML file and start it.\n\n"
        "The command returns when the instance is ready: its boot and provision scripts have run "
        "and a shell can be opened. A script that fails makes the command fail; the machine stays "
        "up. Interrupting the command leaves the start going on in the background.\n\n"
        "A word with a slash, with the ending .yaml or .yml, or `-` is a file; anything else is "
        "the name of an instance that exists.",
    .examples = "cima start mini.yaml\n"
                "cima start mini\n"
                "cima start --name second mini.yaml\n",
    .positional = positional,
    .options = options,
    .run = run,
};
