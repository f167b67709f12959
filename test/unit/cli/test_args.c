/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"
#include "base/strv.h"
#include <criterion/criterion.h>

/* Parses the words behind "cima"; -1 leaves the error in *err. */
static int parse(const char *line, struct args *ret, struct err *err)
{
    struct strv words = STRV_INIT;

    strv_push(&words, "cima");
    cr_assert_eq(strv_split_shell(&words, line), 0);
    int r = args_parse((int)words.n, strv_argv(&words), ret, err);
    strv_release(&words);
    return r;
}

static void expect_error(const char *line, const char *message, const char *hint)
{
    _cleanup_args_ struct args a = ARGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(parse(line, &a, &err), -1, "%s is accepted", line);
    cr_expect_eq(err.kind, ERR_USAGE);
    cr_expect_str_eq(err.msg, message);
    cr_expect_not_null(err.hint, "%s: no next step", line);
    if (hint)
        cr_expect_str_eq(err.hint, hint);
}

Test(args, nothing)
{
    _cleanup_args_ struct args a = ARGS_INIT;

    cr_assert_eq(parse("", &a, NULL), 0);
    cr_expect_null(a.command);
    cr_expect_not(a.help);
}

Test(args, forms_of_an_option)
{
    static const char *const lines[] = {
        "start --name=x",          "start --name x",    "--debug start --name x",
        "start --name y --name=x", "start -y --name x", "start --yes=true --name x",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        _cleanup_args_ struct args a = ARGS_INIT;

        cr_assert_eq(parse(lines[i], &a, NULL), 0, "%s", lines[i]);
        cr_expect_eq(a.command, command_find(commands, "start"));
        cr_expect_str_eq(args_str(&a, "name"), "x", "%s", lines[i]);
    }
}

Test(args, options_stand_anywhere)
{
    _cleanup_args_ struct args a = ARGS_INIT;

    cr_assert_eq(parse("stop one -f two --log-level=debug three", &a, NULL), 0);
    cr_expect(args_flag(&a, "force"));
    cr_expect_str_eq(args_str(&a, "log-level"), "debug");
    cr_expect_eq(a.positional.n, 3);
    cr_expect_str_eq(args_pos(&a, 2), "three");
    cr_expect_null(args_pos(&a, 3));
}

Test(args, double_dash_ends_the_options)
{
    _cleanup_args_ struct args a = ARGS_INIT;

    cr_assert_eq(parse("stop -- -f --name", &a, NULL), 0);
    cr_expect_not(args_flag(&a, "force"));
    cr_expect_eq(a.positional.n, 2);
    cr_expect_str_eq(args_pos(&a, 0), "-f");

    _cleanup_args_ struct args b = ARGS_INIT;
    cr_assert_eq(parse("-- stop -f", &b, NULL), 0);
    cr_expect_eq(b.command, command_find(commands, "stop"));
    cr_expect_str_eq(args_pos(&b, 0), "-f");
}

Test(args, short_options)
{
    static const struct {
        const char *line, *format;
        bool quiet;
    } cases[] = {
        {"list -q", NULL, true},
        {"list -qf json", "json", true},
        {"list -fjson", "json", false},
        {"list -f=json -q", "json", true},
        {"list -f json", "json", false},
        {"list -q=false", NULL, false},
        {"ls --quiet --quiet=false", NULL, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_args_ struct args a = ARGS_INIT;

        cr_assert_eq(parse(cases[i].line, &a, NULL), 0, "%s", cases[i].line);
        cr_expect_eq(args_flag(&a, "quiet"), cases[i].quiet, "%s", cases[i].line);
        cr_expect(streq0(args_str(&a, "format"), cases[i].format), "%s", cases[i].line);
    }
}

Test(args, dash_alone_is_a_word)
{
    _cleanup_args_ struct args a = ARGS_INIT;

    cr_assert_eq(parse("create --name x -", &a, NULL), 0);
    cr_expect_str_eq(args_pos(&a, 0), "-");
}

/* Row `shell`: flags end at INST. */
Test(args, shell_options_end_at_the_instance)
{
    _cleanup_args_ struct args a = ARGS_INIT, b = ARGS_INIT, c = ARGS_INIT;

    cr_assert_eq(parse("shell --workdir /tmp x ls -l --workdir=y --help", &a, NULL), 0);
    cr_expect_str_eq(args_str(&a, "workdir"), "/tmp");
    cr_expect_not(a.help);
    cr_expect_eq(a.positional.n, 5);
    cr_expect_str_eq(args_pos(&a, 4), "--help");
    cr_assert_eq(parse("shell x -- ls -l", &b, NULL), 0);
    cr_expect_eq(b.positional.n, 3);
    cr_expect_str_eq(args_pos(&b, 1), "ls");
    /* Only one `--` is ours. */
    cr_assert_eq(parse("shell x -- -- ls", &c, NULL), 0);
    cr_expect_str_eq(args_pos(&c, 1), "--");
}

Test(args, help_wins_over_missing_words)
{
    _cleanup_args_ struct args a = ARGS_INIT, b = ARGS_INIT;

    cr_assert_eq(parse("delete --help", &a, NULL), 0);
    cr_expect(a.help);
    cr_assert_eq(parse("-h", &b, NULL), 0);
    cr_expect(b.help);
}

Test(args, aliases)
{
    _cleanup_args_ struct args a = ARGS_INIT, b = ARGS_INIT;

    cr_assert_eq(parse("rm x", &a, NULL), 0);
    cr_expect_eq(a.command, command_find(commands, "delete"));
    cr_assert_eq(parse("ls", &b, NULL), 0);
    cr_expect_eq(b.command, command_find(commands, "list"));
}

Test(args, unknown_things)
{
    expect_error("strat x", "unknown command \"strat\" for \"cima\"", "did you mean `cima start`?");
    expect_error("zzz", "unknown command \"zzz\" for \"cima\"", NULL);
    expect_error("mini.yaml", "unknown command \"mini.yaml\" for \"cima\"",
                 "to start a machine from a file: `cima start mini.yaml`");
    expect_error("stop --forc x", "unknown flag: --forc", "did you mean `--force`?");
    expect_error("stop --forc=1 x", "unknown flag: --forc", "did you mean `--force`?");
    expect_error("stop -fz x", "unknown shorthand flag: 'z' in -fz", "see `cima stop --help`");
    expect_error("--force stop x", "unknown flag: --force", NULL);
    expect_error("start --cpu 4 x", "unknown flag: --cpu", "did you mean `--cpus`?");
}

Test(args, bad_values)
{
    expect_error("start x --name", "flag needs an argument: --name", "see `cima start --help`");
    expect_error("list -f", "flag needs an argument: -f, --format", NULL);
    expect_error("stop --force=maybe x",
                 "invalid argument \"maybe\" for \"-f, --force\" flag: must be true or false",
                 NULL);
    expect_error("--log-level=inf list",
                 "invalid argument \"inf\" for \"--log-level\" flag: must be one of: trace, debug, "
                 "info, warn, error",
                 "did you mean `--log-level=info`?");
    expect_error(
        "start --timeout soon x",
        "invalid argument \"soon\" for \"--timeout\" flag: must be a duration such as 90s, "
        "10m or 1h30m",
        NULL);
    expect_error("start --timeout=-1s x",
                 "invalid argument \"-1s\" for \"--timeout\" flag: must be a duration such as 90s, "
                 "10m or 1h30m",
                 NULL);
}

Test(args, number_of_words)
{
    expect_error("delete", "`cima delete` requires at least 1 arg(s), only received 0",
                 "see `cima delete --help`");
    expect_error("start a b", "`cima start` accepts at most 1 arg(s), received 2", NULL);
    expect_error("hostagent", "`cima hostagent` accepts 1 arg(s), received 0", NULL);
    expect_error("shell", "`cima shell` requires at least 1 arg(s), only received 0", NULL);
}
