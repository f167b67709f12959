/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/hostagent.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    const struct inst_env *env = cli_env(cli, err);
    struct hostagent_options options = {
        .pidfile = args_str(args, "pidfile"),
        .socket = args_str(args, "socket"),
    };

    if (!env || store_find(env->store, args_pos(args, 0), &inst, err) < 0)
        return -1;
    if (args_has(args, "patience"))
        (void)parse_duration_ms(args_str(args, "patience"), &options.patience_ms); /* was checked */
    cli_warn_root();
    return hostagent_run(env->store, &inst, env->host, &options, err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "patience",
     .kind = VALUE_DURATION,
     .metavar = "TIME",
     .default_text = "10m0s",
     .help = "How long a requirement of the guest may take"},
    {.name = "pidfile",
     .short_name = 'p',
     .kind = VALUE_FILE,
     .metavar = "FILE",
     .default_text = "ha.pid of the instance",
     .help = "Where to write the process id"},
    {.name = "socket",
     .kind = VALUE_FILE,
     .metavar = "FILE",
     .default_text = "ha.sock of the instance",
     .help = "Where to listen for requests"},
    {.name = NULL},
};

const struct command cmd_hostagent = {
    .name = "hostagent",
    .group = GROUP_ADVANCED,
    .summary = "Run the supervisor of an instance",
    .description = "Run the supervisor of an instance until the instance ends. `cima start` does "
                   "this in the background. Events go to standard output as JSON lines.",
    .positional = positional,
    .options = options,
    .flags = COMMAND_HIDDEN,
    .run = run,
};
