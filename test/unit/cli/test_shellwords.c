/* SPDX-License-Identifier: Apache-2.0 */
/* Row `shell`: what the guest's login shell is asked to do. */
#include "cli/shellwords.h"
#include "../tmpdir.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/spawn.h"
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
    const char *const one[] = {"/a", NULL}, *const two[] = {"/a b", "/c", NULL};
    expect_script(&(struct shell_request){.try_dirs = one}, "cd /a; exec \"$SHELL\" -l");
    expect_script(&(struct shell_request){.try_dirs = two},
                  "cd '/a b' || cd /c; exec \"$SHELL\" -l");
    expect_script(&(struct shell_request){.workdir = "/w", .try_dirs = one},
                  "cd /w || exit 1; exec \"$SHELL\" -l");
    /* An interactive one is always started anew. */
    expect_script(&(struct shell_request){.user_shell = "/bin/bash"}, "exec \"$SHELL\" -l");
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

Test(shell, zsh_expands_no_equals_sign)
{
    const char *const words[] = {"echo", "=ls"};

    expect_script(&(struct shell_request){.argv = words, .n_argv = 2},
                  "exec \"$SHELL\" -l -c 'echo '\\'''\\''=ls'");
}

Test(shell, environment)
{
    const char *const words[] = {"env"};
    struct strv env = STRV_INIT;

    strv_push(&env, "A=1");
    strv_push(&env, "B=it's $x");
    expect_script(&(struct shell_request){.env = &env}, "exec env A=1 'B=it'\\''s $x' \"$SHELL\" -l");
    expect_script(&(struct shell_request){
                      .env = &env, .argv = words, .n_argv = 1, .user_shell = "/bin/bash"},
                  "exec env A=1 'B=it'\\''s $x' \"$SHELL\" -l -c env");
    strv_release(&env);
}

/* Where $SHELL is the bash that is expected, it reads the profiles itself. */
Test(shell, bash_does_its_login_itself)
{
    const char *const words[] = {"uname"};
    struct shell_request r = {.argv = words, .n_argv = 1, .user_shell = "/bin/bash"};
    _cleanup_free_ char *script = shell_script(&r);

    cr_expect(str_starts(script, "test \"$SHELL\" = /bin/bash || exec \"$SHELL\" -l -c uname; "
                                 "eval 'if test -r /etc/profile; "),
              "%s", script);
    cr_expect(str_ends(script, "fi; uname'"), "%s", script);
    /* A shell that was asked for, or a user with another one, gets what it always gets. */
    r.user_shell = "/bin/zsh";
    expect_script(&r, "exec \"$SHELL\" -l -c uname");
    r.user_shell = "/bin/bash";
    r.shell = "/bin/dash";
    expect_script(&r, "exec /bin/dash -l -c uname");
}

/* ---- by real shells -------------------------------------------------------------------------- */

/* Runs the script as sshd does, `interpreter -c script` with SHELL set, and compares what it prints
 * with the words from the third on, each with a NUL behind it. home may be NULL. */
static void expect_words(const char *interpreter, const char *home, const struct shell_request *r)
{
    _cleanup_free_ char *script = shell_script(r);
    const char *const argv[] = {interpreter, "-c", script, NULL};
    _cleanup_free_ char *shell = xasprintf("SHELL=%s", interpreter);
    _cleanup_free_ char *home_entry = xasprintf("HOME=%s", home ? home : "/nonexistent");
    const char *const env[] = {shell, home_entry, "PATH=/usr/bin:/bin", NULL};
    _cleanup_run_result_ struct run_result result = {0};
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_sbuf_ struct sbuf want = SBUF_INIT;
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    s.env = env;
    for (size_t i = 2; i < r->n_argv; i++)
        sbuf_add(&want, r->argv[i], strlen(r->argv[i]) + 1);
    cr_assert_eq(run_capture(&s, NULL, 1 << 20, 60000, &result, &err), 0, "%s", err.msg);
    cr_expect_eq(result.status, 0, "status %d: %s\n%s", result.status, script,
                 sbuf_str(&result.err_out));
    cr_expect(result.out.len == want.len &&
                  memcmp(sbuf_str(&result.out), sbuf_str(&want), want.len) == 0,
              "%s: printed '%s'", script, sbuf_str(&result.out));
}

/* All the ways that the script can go. */
static void expect_round_trip(const char *const *words, size_t n)
{
    static const char *const shells[] = {"/bin/sh", "/bin/bash"};
    const char *const dirs[] = {"/nonexistent'$(", "/", NULL};

    for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
        struct shell_request r = {.argv = words, .n_argv = n, .user_shell = "/bin/bash"};

        if (access(shells[i], X_OK) != 0)
            continue;
        expect_words(shells[i], NULL, &r);
        r.user_shell = NULL;
        r.try_dirs = dirs;
        expect_words(shells[i], NULL, &r);
        r.shell = "/bin/sh";
        expect_words(shells[i], NULL, &r);
    }
}

Test(shell, S09_survives_a_real_shell)
{
    static const char *const words[] = {"printf", "%s\\0", "",      " ",    "'",  "\"", "\\",
                                        "a'b\"c", "$(id)", "`id`",  "~",    "!x", "*",  "a\tb",
                                        "ü",      "-n",    "--",    "=ls",  "A=1", "a\nb", ";",
                                        "\xff\xfe", "\r",  "{a,b}", "$'x'", "#",  "\x1b[0m"};

    expect_round_trip(words, ARRAY_SIZE(words));
}

/* Any bytes, any number of words; the seed is fixed, so that a failure can be repeated. */
Test(shell, S09_random_words_survive)
{
    static const char special[] = "'\"\\$`!*?[]{}()<>|&;~#= \t\n\r%^-+.,/@:aZ09\x01\x7f\x80\xc3\xff";
    uint32_t seed = 20;

    for (int round = 0; round < 25; round++) {
        char texts[8][40];
        const char *words[10] = {"printf", "%s\\0"};
        size_t n = 2;

        for (size_t k = 0; k < 8; k++) {
            size_t len = (seed = seed * 1103515245u + 12345u) >> 16 & 31;

            for (size_t c = 0; c < len; c++) {
                seed = seed * 1103515245u + 12345u;
                texts[k][c] = special[(seed >> 16) % (sizeof(special) - 1)];
            }
            texts[k][len] = '\0';
            words[n++] = texts[k];
        }
        expect_round_trip(words, n);
    }
}

/* Values of any bytes arrive, whatever the way. */
Test(shell, environment_survives_a_real_shell)
{
    static const char value[] = "a\nb'\"\\ $HOME `id` \xff *";
    const char *const words[] = {"sh", "-c", "printf '%s' \"$CIMA_VALUE\""};
    struct strv env = STRV_INIT;
    struct shell_request r = {.env = &env, .argv = words, .n_argv = 3};

    strv_pushf(&env, "CIMA_VALUE=%s", value);
    _cleanup_free_ char *script = shell_script(&r);
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const parent[] = {"SHELL=/bin/sh", "PATH=/usr/bin:/bin", "HOME=/nonexistent", NULL};
    _cleanup_run_result_ struct run_result result = {0};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.env = parent;
    cr_assert_eq(run_capture(&s, NULL, 4096, 60000, &result, NULL), 0);
    cr_expect_str_eq(sbuf_str(&result.out), value);
    strv_release(&env);
}

/* The profile that counts is the one that bash would take, and its settings reach the command. */
Test(shell, bash_login_reads_its_profile)
{
    static const char *const files[] = {".profile", ".bash_login", ".bash_profile"};
    _tmpdir_ char *home = tmpdir_new();
    const char *const words[] = {"printf", "%s\\0", "x"};
    struct shell_request r = {.argv = words, .n_argv = 3, .user_shell = "/bin/bash"};

    if (access("/bin/bash", X_OK) != 0)
        cr_skip_test("there is no /bin/bash");
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", home, files[i]);
        _cleanup_free_ char *text = xasprintf("printf '%s\\0'\n", files[i]);

        cr_assert_eq(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
        /* What is printed: the profile's name, then the command's word. */
        _cleanup_free_ char *script = shell_script(&r);
        const char *const argv[] = {"/bin/bash", "-c", script, NULL};
        _cleanup_free_ char *home_entry = xasprintf("HOME=%s", home);
        const char *const env[] = {"SHELL=/bin/bash", home_entry, "PATH=/usr/bin:/bin", NULL};
        _cleanup_run_result_ struct run_result result = {0};
        struct spawn s = SPAWN_INIT;

        s.argv = argv;
        s.env = env;
        cr_assert_eq(run_capture(&s, NULL, 4096, 60000, &result, NULL), 0);
        _cleanup_free_ char *all = xasprintf("%s|x|", files[i]);
        for (size_t c = 0; c < result.out.len; c++)
            if (!result.out.buf[c])
                result.out.buf[c] = '|';
        cr_expect_str_eq(sbuf_str(&result.out), all);
    }
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
