/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lima.h"
#include "base/mem.h"
#include "cli/command.h"

bool lima_is_name(const char *argv0)
{
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

    return streq0(slash ? slash + 1 : argv0, "lima");
}

static bool is_word(const char *word, char letter, const char *name)
{
    return (word[0] == '-' && word[1] == letter && !word[2]) ||
           (str_starts(word, "--") && streq(word + 2, name));
}

bool lima_wants_help(int argc, char *const *argv)
{
    return argc == 2 && is_word(argv[1], 'h', "help");
}

static const char *instance_or_default(const char *instance)
{
    return str_empty(instance) ? "default" : instance;
}

char *lima_help(const char *instance)
{
    const char *name = instance_or_default(instance);

    return xasprintf(
        "Usage:  lima [SHELL_OPTIONS] [COMMAND...]\n"
        "\n"
        "Short for `cima shell %s`: a shell in the instance, or a command run in it.\n"
        "\n"
        "Environment:\n"
        "  LIMA_INSTANCE  the instance (now: %s)\n"
        "  LIMA_SHELL     the shell to use in it\n"
        "  LIMA_WORKDIR   the directory of the guest to start in\n"
        "\n"
        "Options of `cima shell` may stand in front of the command, such as\n"
        "  --preserve-env, --reconnect, --start, --shell SHELL, --workdir DIR\n"
        "See `cima shell --help`.\n",
        name, name);
}

/* The words that an option of `shell` takes at argv[at]; 0: it is none, the command starts here. */
static int option_words(char *const *argv, int at)
{
    const struct command *shell = command_find(commands, "shell");
    const char *word = argv[at];

    if (!str_starts(word, "--") || !word[2])
        return 0;
    size_t len = strcspn(word + 2, "=");
    const struct cli_option *o = command_option(shell, word + 2, len, '\0');
    if (!o)
        return 0;
    return o->kind == VALUE_BOOL || word[2 + len] ? 1 : 2;
}

void lima_argv(int argc, char *const *argv, const char *instance, const char *shell,
               const char *workdir, struct strv *ret)
{
    int at = 1;

    strv_push(ret, argv[0]);
    if (argc == 2 && is_word(argv[1], 'v', "version")) {
        strv_push(ret, "--version");
        return;
    }
    strv_push(ret, "shell");
    /* Given twice, the last one counts: so the words of the command line come later. */
    if (!str_empty(shell))
        strv_pushf(ret, "--shell=%s", shell);
    if (!str_empty(workdir))
        strv_pushf(ret, "--workdir=%s", workdir);
    while (at < argc) {
        int n = option_words(argv, at);

        if (n > argc - at) {
            strv_push(ret, argv[at]); /* no value for it: `shell` says so */
            return;
        }
        for (int i = 0; i < n; i++)
            strv_push(ret, argv[at++]);
        if (n == 0)
            break;
    }
    if (at < argc && streq(argv[at], "--"))
        at++;
    /* Whatever the name looks like, it is no option. `shell` skips one "--" behind it. */
    strv_pushl(ret, "--", instance_or_default(instance), NULL);
    if (at < argc)
        strv_push(ret, "--");
    while (at < argc)
        strv_push(ret, argv[at++]);
}
