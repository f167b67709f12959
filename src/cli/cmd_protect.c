/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"

static int set_one(struct cli *cli, const char *name, bool on, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    bool changed = false;

    if (cli_find(cli, name, &inst, err) < 0)
        return err_wrap(err, "failed to inspect instance `%s`", name);
    if ((on ? inst_protect : inst_unprotect)(&inst, &changed, err) < 0)
        return -1;
    if (changed)
        log_info("%s `%s`", on ? "Protected" : "Unprotected", name);
    else
        log_warn("Instance `%s` %s protected. Skipping.", name, on ? "is already" : "isn't");
    return 0;
}

static int protect(struct cli *cli, const struct args *args, struct err *err)
{
    return cli_for_each(cli, &args->positional, true, set_one, err);
}

static int unprotect(struct cli *cli, const struct args *args, struct err *err)
{
    return cli_for_each(cli, &args->positional, false, set_one, err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 1, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

const struct command cmd_protect = {
    .name = "protect",
    .group = GROUP_ADVANCED,
    .summary = "Keep instances from being deleted",
    .description = "Keep instances from being deleted or reset by accident: `cima delete` and "
                   "`cima factory-reset` refuse them, also with --force.",
    .examples = "cima protect mini\n",
    .positional = positional,
    .run = protect,
};

const struct command cmd_unprotect = {
    .name = "unprotect",
    .group = GROUP_ADVANCED,
    .summary = "Give up the protection of instances",
    .description = "Give up what `cima protect` did, so that the instances can be deleted again.",
    .examples = "cima unprotect mini\n",
    .positional = positional,
    .run = unprotect,
};
