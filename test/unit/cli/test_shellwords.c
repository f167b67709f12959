/* SPDX-License-Identifier: Apache-2.0 */
/* Row `shell`: what the guest's login shell is asked to do. */
#include "cli/shellwords.h"
#include <criterion/criterion.h>

static void expect_script(const struct shell_request *r, const char *want)
{
    _cleanup_free_ char *script = shell_script(r);

    cr_expect_str_eq(script, want);
}

Test(shell, login)
{
    expect_script(&(struct shell_request){0}, "exec \"$SHELL\" -l");
    expect_script(&(struct shell_request){.shell = "/bin/zsh"}, "exec /bin/zsh -l");
    expect_script(&(struct shell_request){.workdir = "/a b"},
                  "cd '/a b' || exit 1; exec \"$SHELL\" -l");
    expect_script(&(struct shell_request){.try_dir = "/a"}, "cd /a; exec \"$SHELL\" -l");
    expect_script(&(struct shell_request){.workdir = "/w", .try_dir = "/a"},
                  "cd /w || exit 1; exec \"$SHELL\" -l");
}

Test(shell, words)
{
    const char *const simple[] = {"uname", "-a"};
    const char *const hard[] = {"printf", "%s|", "a  b", "c'd", "$HOME", "*"};

    expect_script(&(struct shell_request){.argv = simple, .n_argv = 2},
                  "exec \"$SHELL\" -l -c 'uname -a'");
    expect_script(&(struct shell_request){.argv = hard, .n_argv = 6},
                  "exec \"$SHELL\" -l -c 'printf '\\''%s|'\\'' '\\''a  b'\\'' "
                  "'\\''c'\\''\\'\\'''\\''d'\\'' '\\''$HOME'\\'' '\\''*'\\'''");
}

/* `bash -c --x` would take it for an option of its own. */
Test(shell, command_that_looks_like_an_option)
{
    const char *const words[] = {"--workdir", "/a b"};

    expect_script(&(struct shell_request){.argv = words, .n_argv = 2},
                  "exec \"$SHELL\" -l -c ' ''--workdir '\\''/a b'\\'''");
}

Test(shell, leading_assignments_stay)
{
    const char *const words[] = {"A=1 2", "_b=$x", "cmd", "C=3 4"};
    const char *const no_name[] = {"1A=x y"};

    expect_script(&(struct shell_request){.argv = words, .n_argv = 4},
                  "exec \"$SHELL\" -l -c 'A='\\''1 2'\\'' _b='\\''$x'\\'' cmd '\\''C=3 4'\\'''");
    expect_script(&(struct shell_request){.argv = no_name, .n_argv = 1},
                  "exec \"$SHELL\" -l -c ''\\''1A=x y'\\'''");
}

/* The script run by a real shell gives the words back, byte for byte. */
Test(shell, survives_a_real_shell)
{
    static const char *const words[] = {"printf", "%s\\n",  "",      " ",    "'", "\"",
                                        "\\",     "a'b\"c", "$(id)", "`id`", "~", "!x",
                                        "*",      "a\tb",   "ü",     "-n",   "--"};
    struct shell_request r = {
        .shell = "/bin/sh", .argv = words, .n_argv = sizeof(words) / sizeof(*words)};
    _cleanup_free_ char *script = shell_script(&r);
    char path[] = "/tmp/cima-shell.XXXXXX", line[256];
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");

    fprintf(f, "%s\n", script);
    fclose(f);
    _cleanup_free_ char *command = NULL;
    cr_assert_geq(asprintf(&command, "HOME=/nonexistent /bin/sh %s", path), 0);
    FILE *out = popen(command, "r");
    for (size_t i = 2; i < r.n_argv; i++) {
        cr_assert_not_null(fgets(line, sizeof(line), out), "word %zu is missing", i);
        line[strcspn(line, "\n")] = '\0';
        cr_expect_str_eq(line, words[i]);
    }
    cr_expect_null(fgets(line, sizeof(line), out));
    cr_expect_eq(pclose(out), 0);
    unlink(path);
}

Test(shell, guest_dir)
{
    static const struct {
        const char *dir, *want;
    } cases[] = {
        {"/home/u", "/home/u"},  {"/home/u/a/b", "/home/u/a/b"},
        {"/home/u/src", "/src"}, {"/home/u/src/x", "/src/x"},
        {"/home/user2", NULL},   {"/", NULL},
        {"/home", NULL},         {"/data/y", "/y"},
        {"/data", "/"},
    };
    struct config_mount mounts[] = {
        {.location = (char *)"/home/u"},
        {.location = (char *)"/home/u/src", .mount_point = (char *)"/src"},
        {.location = (char *)"/data/", .mount_point = (char *)"/"},
    };
    struct config_instance cfg = {.mounts = mounts, .mounts_count = 3};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_free_ char *got = shell_guest_dir(&cfg, cases[i].dir);

        cr_expect(streq0(got, cases[i].want), "%s: %s", cases[i].dir, got);
    }
}
