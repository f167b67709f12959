/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/menu.h"
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

/* Flags for an instance that exists. */
static int change(struct cli *cli, const struct args *args, const struct instance *i,
                  struct err *err)
{
    bool changed;

    if (cli_flags_instance(cli, args, i, &changed, err) < 0)
        return -1;
    if (changed)
        log_info("Instance `%s` configuration edited", i->name);
    cli->config_told = changed;
    return 0;
}

/* *ret_made is false when the person has thought better of it. */
static int make(struct cli *cli, const struct args *args, struct cli_target *t, bool *ret_made,
                struct err *err)
{
    *ret_made = true;
    if (!t->is_template || cli_make(cli, args, t, &t->inst, ret_made, err) == 0)
        return 0;
    return err->kind == ERR_EXISTS
               ? err_hint(err,
                          "to start it: `cima start %s`; to make another one from the template: "
                          "`cima start --name NAME %s`",
                          t->name, t->template_.locator)
               : -1;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;
    const struct inst_env *env;
    bool flags, made;

    if (cli_flags_check(args, &flags, err) < 0)
        return -1;
    env = cli_env(cli, err);
    if (env && cli_listed(cli, args))
        return 0;
    if (!env || cli_target_find(cli, args_pos(args, 0), args_str(args, "name"), &t, err) < 0)
        return -1;
    cli_warn_root();
    cli->config_told = args_flag(args, "foreground"); /* by the agent, in this terminal */
    if (make(cli, args, &t, &made, err) < 0 || !made)
        return made ? -1 : 0;
    cli->config_told = t.is_template; /* by the creation */
    if (!t.is_template && flags && change(cli, args, &t.inst, err) < 0)
        return -1;
    if (args_flag(args, "foreground"))
        return run_foreground(env, &t.inst, err);
    return cli_start(cli, &t.inst, cli_timeout(args), args_flag(args, "progress"), err);
}

static const struct cli_positional positional[] = {
    {"NAME|TEMPLATE", VALUE_INSTANCE_OR_TEMPLATE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "foreground",
     .kind = VALUE_BOOL,
     .help = "Run the host agent in this terminal until the instance ends"},
    CLI_OPTION_LIST_DRIVERS,
    CLI_OPTION_LIST_TEMPLATES,
    CLI_OPTION_NAME,
    CLI_OPTION_PROGRESS,
    CLI_OPTION_TIMEOUT,
    {.name = NULL},
};

const struct command cmd_start = {
    .name = "start",
    .group = GROUP_BASIC,
    .summary = "Start an instance, or make one from a template and start it",
    .description =
        "Start an instance, or make one from a template (as `cima create` does) and start it.\n\n"
        "The command returns when the instance is ready: its boot and provision scripts have run "
        "and a shell can be opened. A script that fails makes the command fail; the machine stays "
        "up. Interrupting the command leaves the start going on in the background.\n\n"
        "A word with a slash or with the ending .yaml or .yml is a file, `-` is standard input, "
        "template:NAME, a URL and github:… are what they are for `cima create`; anything else is "
        "the name of an instance that exists. Without a word it is `default`, which is made from "
        "template:default when it is not there.",
    .examples = "cima start\n"
                "cima start template:docker\n"
                "cima start mini.yaml\n"
                "cima start mini\n"
                "cima start --name second mini.yaml\n",
    .positional = positional,
    .options = options,
    .more_options = cli_create_options,
    .run = run,
};
