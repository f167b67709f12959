/* SPDX-License-Identifier: Apache-2.0 */
/* `shell --preserve-env`: which variables go along. And what `lima` means. */
#include "cli/shellenv.h"
#include "base/mem.h"
#include "cli/lima.h"
#include <criterion/criterion.h>

static char *filter(const char *block, const char *allow, ...)
{
    _cleanup_strv_ struct strv env = STRV_INIT, got = STRV_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    va_list ap;

    va_start(ap, allow);
    for (const char *entry; (entry = va_arg(ap, const char *));)
        strv_push(&env, entry);
    va_end(ap);
    if (shellenv_filter(strv_argv(&env), block, allow, &got, &err) < 0)
        return err_line(&err);
    return strv_join(&got, "|");
}

#define expect_filter(want, ...)                                                                   \
    do {                                                                                           \
        _cleanup_free_ char *got_ = filter(__VA_ARGS__, NULL);                                     \
        cr_expect_str_eq(got_, want);                                                              \
    } while (0)

Test(shellenv, default_list)
{
    expect_filter("FOO=bar|CUSTOM_VAR=value|HOMER=1|LC_ALL=C", NULL, NULL, "PATH=/usr/bin", "FOO=bar",
                  "HOME=/home/u", "SSH_AUTH_SOCK=/tmp/s", "XDG_CONFIG_HOME=/c", "BASH_VERSION=5",
                  "_INTERNAL=x", "_=y", "CUSTOM_VAR=value", "TERM=xterm", "HOMER=1", "LC_ALL=C",
                  "LD_PRELOAD=/x.so", "ZSH=1");
    expect_filter("FOO=1", "", "", "FOO=1", "PATH=/bin");
}

Test(shellenv, block_list)
{
    expect_filter("PATH=/bin|HOME=/h", "FOO", NULL, "FOO=1", "PATH=/bin", "HOME=/h");
    expect_filter("BAR=2", "+FOO", NULL, "FOO=1", "BAR=2", "PATH=/bin");
    expect_filter("BAR=2", " FOO* , PATH", NULL, "FOO=1", "FOOD=1", "BAR=2", "PATH=/bin");
    expect_filter("", "*", NULL, "FOO=1");
}

Test(shellenv, allow_list)
{
    /* What neither list has goes along. */
    expect_filter("FOO=1|BAR=2|USER=u", NULL, "FOO*, , USER", "FOO=1", "BAR=2", "USER=u", "PATH=/bin");
    expect_filter("FOO=1", "*", "FOO", "FOO=1", "BAR=2");
    expect_filter("SSH_FOO=1|MY_KEY=4", "+*TOKEN", "SSH_FOO,MY_*EY", "SSH_FOO=1", "SSH_BAR=2",
                  "MY_TOKEN=3", "MY_KEY=4");
    /* Ours: a plus in front is no mistake. */
    expect_filter("FOO=1|USER=u", NULL, "+USER", "FOO=1", "USER=u", "PATH=/bin");
}

Test(shellenv, globs)
{
    expect_filter("A_B_C=1|A__C=2", "*", "A_*_C,A*_*C", "A_B_C=1", "A__C=2", "AC=3", "B_A_C=4");
    expect_filter("XFOO=1|FOO=2", "*", "*FOO", "XFOO=1", "FOO=2", "FOOX=3");
    expect_filter("AAB=1", "*", "*AB", "AAB=1", "AABA=2");
}

/* S11: what is no identifier can't be set by a shell, and `BASH_FUNC_x%%` is code. */
Test(shellenv, S11_names)
{
    expect_filter("A1=x", "PATH", "*", "A1=x", "1A=x", "A.B=x", "A-B=x", "=x", "noequals",
                  "BASH_FUNC_f%%=() { :; }", "A B=x");
    expect_filter("A=x=y\n$z", NULL, NULL, "A=x=y\n$z");
    expect_filter("A=", NULL, NULL, "A=");
}

Test(shellenv, bad_patterns)
{
    expect_filter("invalid LIMA_SHELLENV_BLOCK pattern: pattern \"FOO-BAR\" contains invalid "
                  "character \"-\" at position 3; hint: patterns are names with `*`, separated by "
                  "commas: LIMA_SHELLENV_BLOCK='FOO,BAR_*'",
                  "+A,FOO-BAR", NULL, "A=1");
    expect_filter("invalid LIMA_SHELLENV_ALLOW pattern: pattern \"A B\" contains invalid character "
                  "\" \" at position 1; hint: patterns are names with `*`, separated by commas: "
                  "LIMA_SHELLENV_ALLOW='FOO,BAR_*'",
                  NULL, "A B", "A=1");
}

/* ---- lima ------------------------------------------------------------------------------------ */

Test(lima, name)
{
    cr_expect(lima_is_name("lima") && lima_is_name("/usr/bin/lima") && lima_is_name("./lima"));
    cr_expect_not(lima_is_name("cima") || lima_is_name("/lima/cima") || lima_is_name("limactl") ||
                  lima_is_name(NULL));
}

static void expect_argv(const char *line, const char *instance, const char *shell,
                        const char *workdir, const char *want)
{
    _cleanup_strv_ struct strv in = STRV_INIT, out = STRV_INIT;

    strv_push(&in, "lima");
    cr_assert_eq(strv_split_shell(&in, line), 0);
    lima_argv((int)in.n, strv_argv(&in), instance, shell, workdir, &out);
    _cleanup_free_ char *got = strv_to_shell(&out);
    cr_expect_str_eq(got, want);
}

Test(lima, is_shell_of_the_instance)
{
    expect_argv("", NULL, NULL, NULL, "lima shell -- default");
    expect_argv("uname -a", NULL, "", "", "lima shell -- default -- uname -a");
    expect_argv("ls", "box", "/bin/zsh", "/tmp",
                "lima shell --shell=/bin/zsh --workdir=/tmp -- box -- ls");
    /* S09: a name is no option. */
    expect_argv("ls", "--help", NULL, NULL, "lima shell -- --help -- ls");
}

Test(lima, options_of_shell_in_front)
{
    expect_argv("--workdir /a --preserve-env --shell=/bin/sh ls --workdir", NULL, NULL, "/b",
                "lima shell --workdir=/b --workdir /a --preserve-env --shell=/bin/sh -- default -- "
                "ls --workdir");
    expect_argv("--debug --start=true -- --help", NULL, NULL, NULL,
                "lima shell --debug --start=true -- default -- --help");
    /* No option of ours: the command begins. */
    expect_argv("--unknown x", NULL, NULL, NULL, "lima shell -- default -- --unknown x");
    expect_argv("-c ls", NULL, NULL, NULL, "lima shell -- default -- -c ls");
    /* Without its value it is an error of `shell`, and does not take the "--" for it. */
    expect_argv("--start --workdir", NULL, NULL, NULL, "lima shell --start --workdir");
}

Test(lima, version_and_help)
{
    char *const help[] = {(char *)"lima", (char *)"--help", NULL};
    char *const command[] = {(char *)"lima", (char *)"ls", (char *)"--help", NULL};

    expect_argv("--version", NULL, NULL, NULL, "lima --version");
    cr_expect(lima_wants_help(2, help));
    cr_expect_not(lima_wants_help(3, command) || lima_wants_help(1, help));
    _cleanup_free_ char *text = lima_help("box");
    cr_expect_not_null(strstr(text, "Short for `cima shell box`"));
}
