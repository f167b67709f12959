/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "instance/tools.h"

#define INPUT_MAX (1U << 20)

/* The arguments of the command: NULL without any (0), or -1. */
static int read_arguments(const char *text, struct json **ret, struct err *err)
{
    _cleanup_free_ char *input = NULL;
    _cleanup_err_ struct err why = ERR_INIT;
    const char *what = "argument JSON";
    size_t len = text ? strlen(text) : 0;

    *ret = NULL;
    if (!text)
        return 0;
    if (streq(text, "-")) {
        what = "standard input";
        text = input = fd_read_all(STDIN_FILENO, what, INPUT_MAX, &len, err);
        if (!text)
            return -1;
    }
    struct json *j = json_parse(text, len, what, &why);
    if (!j) {
        err_set(err, ERR_USAGE, "%s", why.msg);
        return err_hint(err, "the arguments of a command are an object: '{\"name\": \"value\"}'");
    }
    if (!json_is_object(j)) {
        json_free(j);
        return err_set(err, ERR_USAGE, "%s: not an object, as the arguments of a command are",
                       what);
    }
    *ret = j;
    return 0;
}

static int run_line(struct cli *cli, const struct instance *inst, const struct args *args,
                    struct err *err)
{
    _cleanup_sbuf_ struct sbuf line = SBUF_INIT;

    for (size_t i = 1; args_pos(args, i); i++)
        sbuf_addf(&line, "%s%s", i > 1 ? " " : "", args_pos(args, i));
    _cleanup_free_ char *text = inst_monitor_line(&cli->env, inst, sbuf_str(&line), err);
    if (!text)
        return -1;
    fputs(text, stdout);
    return 0;
}

static int run_command(struct cli *cli, const struct instance *inst, const struct args *args,
                       struct err *err)
{
    _cleanup_json_ struct json *given = NULL, *ret = NULL;
    int64_t timeout = args_has(args, "timeout") ? cli_timeout(args) : -1;

    if (args_pos(args, 3)) {
        err_set(err, ERR_USAGE, "one COMMAND and one JSON are taken; '%s' is too much",
                args_pos(args, 3));
        return err_hint(err, "quote the JSON; a line of the human monitor needs --hmp");
    }
    if (str_empty(args_pos(args, 1))) {
        err_set(err, ERR_USAGE, "the COMMAND is empty");
        return err_hint(err, "`cima qmp %s query-commands` lists them", inst->name);
    }
    if (read_arguments(args_pos(args, 2), &given, err) < 0 ||
        inst_monitor(&cli->env, inst, args_pos(args, 1), given,
                     timeout > INT32_MAX ? INT32_MAX : (int)timeout, &ret, err) < 0)
        return -1;
    _cleanup_free_ char *text = json_dump_indent(ret, 2);
    puts(text);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    if (cli_find(cli, args_pos(args, 0), &inst, err) < 0)
        return -1;
    return args_flag(args, "hmp") ? run_line(cli, &inst, args, err)
                                  : run_command(cli, &inst, args, err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 1, 1},
    {"COMMAND", VALUE_TEXT, 1, 1},
    {"JSON", VALUE_TEXT, 0, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "hmp",
     .kind = VALUE_BOOL,
     .help = "COMMAND and what follows it are a line for QEMU's human monitor"},
    {.name = "timeout",
     .kind = VALUE_DURATION,
     .metavar = "TIME",
     .default_text = "none",
     .help = "How long to wait for the answer"},
    {.name = NULL},
};

const struct command cmd_qmp = {
    .name = "qmp",
    .group = GROUP_ADVANCED,
    .summary = "Send a command to the monitor of an instance's QEMU",
    .description =
        "Send a command to the monitor of a running instance's QEMU (QMP), and show the answer as "
        "JSON: for looking behind the machine, and for what no other command does. JSON holds the "
        "arguments of the command, `-` reads them from standard input. QEMU's manual describes "
        "the commands; `query-commands` lists them.\n\n"
        "The host agent passes the command on. It sees what happens to the machine: after `quit` "
        "the instance is stopped.",
    .examples = "cima qmp mini query-status\n"
                "cima qmp mini qom-list '{\"path\": \"/machine\"}'\n"
                "cima qmp --hmp mini info block\n",
    .positional = positional,
    .options = options,
    .run = run,
};
