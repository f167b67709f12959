/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

/* cli_for_each has no room for it. */
static int64_t limit_ms;

static int stop_one(struct cli *cli, const char *name, bool force, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    if (cli_find(cli, name, &inst, err) < 0)
        return -1;
    return force ? cli_stop(cli, &inst, true, err) : cli_stop_within(cli, &inst, limit_ms, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    bool force = args_flag(args, "force");

    if (force && args_has(args, "timeout")) {
        err_set(err, ERR_USAGE, "cannot use both --force and --timeout flags at the same time");
        return err_hint(err, "--timeout waits before it uses force");
    }
    limit_ms = 0;
    if (args_has(args, "timeout")) {
        limit_ms = cli_timeout(args);
        limit_ms = limit_ms ? limit_ms : 1; /* 0s: at once */
    }
    if (!args->positional.n)
        return stop_one(cli, NULL, force, err);
    return cli_for_each(cli, &args->positional, force, stop_one, err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 0, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    CLI_OPTION_FORCE_STOP,
    {.name = "timeout",
     .kind = VALUE_DURATION,
     .metavar = "TIME",
     .default_text = "the guest gets three minutes",
     .help = "Use force when the instance has not shut down within this time"},
    {.name = NULL},
};

const struct command cmd_stop = {
    .name = "stop",
    .group = GROUP_BASIC,
    .summary = "Stop an instance",
    .description =
        "Stop instances (`default` when none is named).\n\n"
        "The guest is asked to shut down, as by its power button; a guest that does not follow "
        "is ended after three minutes. Interrupting the command leaves the guest shutting down. "
        "With --force the machine is killed at once: what the guest has not written to its disk is "
        "lost.",
    .examples = "cima stop mini\n"
                "cima stop --timeout 30s mini\n"
                "cima stop -f mini\n",
    .positional = positional,
    .options = options,
    .run = run,
};
