/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/menu.h"

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    const struct inst_env *env;
    bool flags, made;

    if (cli_flags_check(args, &flags, err) < 0)
        return -1;
    env = cli_env(cli, err);
    if (!env)
        return -1;
    if (cli_listed(cli, args))
        return 0;
    if (cli_target_new(cli, args_pos(args, 0), args_str(args, "name"), &t, err) < 0 ||
        cli_make(cli, args, &t, &inst, &made, err) < 0)
        return -1;
    if (made)
        log_info("Run `cima start %s` to start the instance.", inst.name);
    return 0;
}

static const struct cli_positional positional[] = {
    {"TEMPLATE", VALUE_TEMPLATE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    CLI_OPTION_LIST_DRIVERS,
    CLI_OPTION_LIST_TEMPLATES,
    CLI_OPTION_NAME,
    {.name = NULL},
};

const struct command cmd_create = {
    .name = "create",
    .group = GROUP_BASIC,
    .summary = "Make an instance from a template, without starting it",
    .description =
        "Make an instance from a template, without starting it: a YAML file, template:NAME, a URL, "
        "github:ORG/REPO/PATH, or a disk image; template:default when none is named. With `-` the "
        "YAML comes from standard input, and --name is needed.\n\n"
        "The template is checked first, with all that it is based on: every problem is shown with "
        "its place. The instance's directory appears in one step, or not at all. On a terminal it "
        "is asked first whether to go on, open an editor, or take another template.",
    .examples = "cima create mini.yaml\n"
                "cima create --list-templates\n"
                "cima create --name web template:docker\n"
                "cima create --name second mini.yaml\n"
                "cima create --cpus 2 --memory 1.5 --mount ~/src:w mini.yaml\n"
                "cima create --name piped - < mini.yaml\n",
    .positional = positional,
    .options = options,
    .more_options = cli_create_options,
    .run = run,
};
