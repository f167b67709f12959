/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err why = ERR_INIT;
    const char *name = args_pos(args, 0) ? args_pos(args, 0) : "default";

    if (cli_find(cli, name, &inst, &why) < 0) {
        if (why.kind != ERR_NOT_FOUND)
            return err_move(err, &why);
        log_info("Instance `%s` does not exist", name);
        return 0;
    }
    if (inst_factory_reset(&inst, &cli_report, err) < 0)
        return -1;
    log_info("Instance `%s` has been factory reset. Run `cima start %s` to start it with a fresh "
             "disk.",
             name, name);
    return 0;
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

const struct command cmd_factory_reset = {
    .name = "factory-reset",
    .group = GROUP_ADVANCED,
    .summary = "Throw away the disk of an instance and keep its YAML",
    .description =
        "Throw away the disk and every other state of an instance (`default` when none is named), "
        "and keep its YAML. A machine that runs is ended at once. The next start makes a fresh "
        "disk from the image of the YAML. There is no way back.",
    .examples = "cima factory-reset mini\n",
    .positional = positional,
    .run = run,
};
