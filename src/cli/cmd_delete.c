/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"

static int delete_one(struct cli *cli, const char *name, bool force, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err why = ERR_INIT;

    if (store_find(cli->env.store, name, &inst, &why) < 0) {
        if (why.kind != ERR_NOT_FOUND)
            return err_move(err, &why);
        log_warn("Ignoring non-existent instance `%s`", name);
        return 0;
    }
    if (inst_delete(&cli->env, &inst, force, &cli_report, err) < 0)
        return -1;
    log_info("Deleted `%s`", name);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    if (!cli_env(cli, err))
        return -1;
    return cli_for_each(cli, &args->positional, args_flag(args, "force"), delete_one, err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 1, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "force",
     .short_name = 'f',
     .kind = VALUE_BOOL,
     .help = "Also a running or broken one; its processes are killed"},
    {.name = NULL},
};

static const char *const aliases[] = {"remove", "rm", NULL};

const struct command cmd_delete = {
    .name = "delete",
    .aliases = aliases,
    .group = GROUP_BASIC,
    .summary = "Delete an instance with its disk",
    .description = "Delete instances with their disks. There is no way back.\n\n"
                   "An instance must be stopped, unless --force is given. One that does not exist "
                   "is passed over with a warning.",
    .examples = "cima delete mini\n"
                "cima delete -f mini\n",
    .positional = positional,
    .options = options,
    .run = run,
};
