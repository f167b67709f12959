/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    const struct inst_env *env = cli_env(cli, err);

    if (!env || cli_target_new(cli, args_pos(args, 0), args_str(args, "name"), &t, err) < 0 ||
        cli_create(cli, t.name, &t.template_, &inst, err) < 0)
        return -1;
    log_info("Run `cima start %s` to start the instance.", inst.name);
    return 0;
}

static const struct cli_positional positional[] = {
    {"FILE.yaml|-", VALUE_TEMPLATE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    CLI_OPTION_NAME,
    {.name = NULL},
};

const struct command cmd_create = {
    .name = "create",
    .group = GROUP_BASIC,
    .summary = "Make an instance from a YAML file, without starting it",
    .description =
        "Make an instance from a YAML file, without starting it.\n\n"
        "The file is checked first: every problem is shown with its place. The instance's "
        "directory appears in one step, or not at all. With `-` the YAML comes from standard "
        "input, and --name is needed.",
    .examples = "cima create mini.yaml\n"
                "cima create --name second mini.yaml\n"
                "cima create --name piped - < mini.yaml\n",
    .positional = positional,
    .options = options,
    .run = run,
};
