/* SPDX-License-Identifier: Apache-2.0 */
/* Starting QEMU by the public interface. Small shell scripts stand in for QEMU. */
#include "base/mem.h"
#include "qemu/launch.h"
#include "qemu/qemu.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { LONG = 60000 };

static void process_freep(struct cima_process **p)
{
    cima_process_free(*p);
}
#define _cleanup_process_ _cleanup_(process_freep)

/* The lines of a launch's log, each with its level in front. */
static void keep_line(void *arg, enum cima_log_level level, const char *text)
{
    strv_pushf(arg, "%s: %s", level == CIMA_LOG_INFO ? "info" : "error", text);
}

#define SCRIPT(text)                                                                               \
    .program = "/bin/sh", .argv = (const char *const[])                                            \
    {                                                                                              \
        "-c", text, NULL                                                                           \
    }

/* What a launch's script writes to standard error. */
static char *words_of(const struct cima_launch *l)
{
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_process_ struct cima_process *p = cima_launch(l, &e);

    cr_assert_not_null(p, "%s", e.msg);
    cr_assert_eq(cima_process_wait(p, LONG, &e), 1);
    cr_assert_eq(cima_process_exit_code(p), 0, "%d", cima_process_exit_code(p));
    return cima_process_stderr(p);
}

static void refused(const struct cima_launch *l, enum err_kind kind, const char *text)
{
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_process_ struct cima_process *p = cima_launch(l, &e);
    _cleanup_free_ char *message = err_message(&e);

    cr_assert_null(p, "%s", text);
    cr_assert_eq(e.kind, kind, "%s: %s", err_kind_to_string(e.kind), message);
    cr_assert_not_null(strstr(message, text), "'%s' is not in '%s'", text, message);
}

/* ---- the program ------------------------------------------------------------------------------ */

Test(launch, S2_52_the_program_is_found_through_path)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "qemu-system-x86_64");
    static const char script[] = "#!/bin/sh\necho \"fake: $*\" >&2\n";
    const char *const words[] = {"-name", "a b", NULL};
    struct cima_launch l = {.argv = words};

    cr_assert_eq(file_write_atomic(path, script, strlen(script), 0755, NULL), 0);
    setenv("PATH", dir, 1);
    _cleanup_free_ char *a = words_of(&l);
    cr_assert_str_eq(a, "fake: -name a b\n");
    l.program = "";
    _cleanup_free_ char *b = words_of(&l);
    cr_assert_str_eq(b, "fake: -name a b\n");
    l.program = "qemu-system-none";
    refused(&l, ERR_NOT_FOUND, "'qemu-system-none': no such program in $PATH");
    l.program = dir;
    refused(&l, ERR_PERMISSION, "permission denied");
    l.program = "/nonexistent/qemu";
    refused(&l, ERR_NOT_FOUND, "/nonexistent/qemu");
    cr_assert_eq(file_write_atomic(path, "#!/nonexistent/sh\n", 18, 0755, NULL), 0);
    l.program = path;
    refused(&l, ERR_NOT_FOUND, path);
}

Test(launch, a_relative_path_is_the_callers)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "tool");
    static const char script[] = "#!/bin/sh\npwd >&2\n";
    struct cima_launch l = {.program = "./tool", .cwd = "/"};

    cr_assert_eq(file_write_atomic(path, script, strlen(script), 0755, NULL), 0);
    cr_assert_eq(chdir(dir), 0);
    _cleanup_free_ char *text = words_of(&l);
    cr_assert_str_eq(text, "/\n");
    cr_assert_eq(chdir("/"), 0);
}

/* From nothing every time: neither the launch nor the parts keep something of the first one. */
Test(launch, S2_51_S2_55_S2_60_a_command_line_is_launched_twice_alike)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_strv_ struct strv log = STRV_INIT;
    struct cima_launch l = {
        .program = "/bin/echo", .cmdline = c, .log = keep_line, .log_arg = &log};
    struct cima_opts *name = cima_opts_new("guest", "a,b");

    cima_cmdline_opts(c, "-name", name);
    cima_cmdline_text(c, "-append", "x y=$(id)\nz");
    cima_cmdline_flag(c, "-S");
    for (int i = 0; i < 2; i++) {
        _cleanup_err_ struct err e = ERR_INIT;

        cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, &e), 0, "%s", e.msg);
    }
    cr_assert_eq(log.n, 2);
    cr_assert_str_eq(log.v[0],
                     "info: launching qemu with: [-name a,,b -append 'x y=$(id)\\nz' -S]");
    cr_assert_str_eq(log.v[1], log.v[0]);
}

Test(launch, S2_52_without_a_log_and_without_words)
{
    struct cima_launch l = {.program = "/bin/true"};

    cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, NULL), 0);
    l.program = "/bin/false";
    cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, NULL), -1);
}

Test(launch, hostile_words_arrive_as_they_are)
{
    const char *const words[] = {"-c",     "printf '<%s>' \"$@\" >&2", "sh", "a b", "$(id)", "",
                                 "\n;\x01", "'\"\\",                    "-x", NULL};
    struct cima_launch l = {.program = "/bin/sh", .argv = words};
    _cleanup_free_ char *text = words_of(&l);

    cr_assert_str_eq(text, "<a b><$(id)><><\n;\x01><'\"\\><-x>");
}

Test(launch, a_command_line_that_can_not_be_written)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_strv_ struct strv log = STRV_INIT;
    struct cima_launch l = {
        .program = "/bin/true", .cmdline = c, .log = keep_line, .log_arg = &log};

    cima_cmdline_opts(c, "-name", cima_opts_new("guest", "two\nlines"));
    refused(&l, ERR_CONFIG, "-name");
    cr_assert_eq(log.n, 1);
    cr_assert_not_null(strstr(log.v[0], "error: Unable to launch qemu: "), "%s", log.v[0]);
}

Test(launch, more_words_than_the_kernel_takes)
{
    _cleanup_free_ char *word = xmalloc(1 << 20);
    const char *const words[] = {word, NULL};
    struct cima_launch l = {.program = "/bin/true", .argv = words};

    memset(word, 'x', (1 << 20) - 1);
    word[(1 << 20) - 1] = '\0';
    refused(&l, ERR_IO, "argument list too long");
}

/* ---- descriptors ------------------------------------------------------------------------------ */

static int file_with(const char *text)
{
    int fd = memfd_create("text", MFD_CLOEXEC);

    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

Test(launch, S2_34_S2_53_S1_31_descriptors_follow_from_3_on_in_order)
{
    _cleanup_strv_ struct strv log = STRV_INIT;
    _cleanup_close_ int a = file_with("one "), b = file_with("two "), c = file_with("three ");
    /* Given backwards, and one twice: its position is shared, it is at its end the second time. */
    const int fds[] = {c, b, a, b};
    struct cima_launch l = {SCRIPT("cat <&3 >&2; cat <&4 >&2; cat <&5 >&2; cat <&6 >&2; "
                                   "ls /proc/self/fd | tr '\\n' ' ' >&2"),
                            .fds = fds, .n_fds = 4, .log = keep_line, .log_arg = &log};
    _cleanup_free_ char *text = words_of(&l);
    int last = 0;

    /* ls itself opens one more, the directory. */
    cr_assert_eq(sscanf(text, "three two one 0 1 2 3 4 5 6 %d \n", &last), 1, "%s", text);
    cr_assert_eq(last, 7, "%s", text);
    cr_assert_eq(log.n, 2);
    cr_assert_str_eq(log.v[0], "info: Adding extra file [3 4 5 6]");
    cr_assert_eq(fcntl(b, F_GETFD), FD_CLOEXEC, "ours stays as it was");
}

Test(launch, S2_34_those_of_the_command_line_come_first)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    _cleanup_close_ int a = file_with("one "), b = file_with("two "), d = file_with("three ");
    const int fds[] = {d};
    struct cima_launch l = {.program = "/bin/sh", .cmdline = c, .fds = fds, .n_fds = 1};

    cima_cmdline_text(c, "-c", "cat <&3 >&2; cat <&4 >&2; cat <&5 >&2");
    cr_assert_eq(cima_cmdline_inherit(c, b), 3);
    cr_assert_eq(cima_cmdline_inherit(c, a), 4);
    _cleanup_free_ char *text = words_of(&l);
    cr_assert_str_eq(text, "two one three ");
    close(TAKE_FD(a));
    refused(&l, ERR_CONFIG, "inherits as descriptor 4");
}

Test(launch, S2_53_without_descriptors_the_log_says_nothing_of_them)
{
    _cleanup_strv_ struct strv log = STRV_INIT;
    struct cima_launch l = {.program = "/bin/true", .log = keep_line, .log_arg = &log};

    cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, NULL), 0);
    cr_assert_eq(log.n, 1);
    cr_assert_str_eq(log.v[0], "info: launching qemu with: []");
}

/* ---- attributes of the process ---------------------------------------------------------------- */

Test(launch, S2_54_S1_31_defaults_of_the_process)
{
    /* Fields of stat: pid (1), process group (5), session (6). */
    struct cima_launch l = {SCRIPT("read -r p c st pp pg se rest </proc/self/stat; "
                                   "[ $p = $pg ] && [ $p = $se ] && echo own >&2; "
                                   "umask >&2; ulimit -c >&2; pwd >&2; "
                                   "o=$(readlink /proc/$$/fd/0 /proc/$$/fd/1); echo $o >&2"),
                            .cwd = "/"};
    _cleanup_free_ char *text = words_of(&l);

    cr_assert_str_eq(text, "own\n0077\n0\n/\n/dev/null /dev/null\n");
}

Test(launch, S2_54_S2_H3_group_limits_and_umask)
{
    static const struct cima_rlimit limits[] = {
        {RLIMIT_NOFILE, 123, 200}, {RLIMIT_CORE, 0, 0}, {RLIMIT_CPU, 1000, 2000}};
    struct cima_launch l = {SCRIPT("read -r p c st pp pg se rest </proc/self/stat; "
                                   "[ $p = $pg ] && [ $p != $se ] && echo group >&2; "
                                   "umask >&2; ulimit -Sn >&2; ulimit -Hn >&2; ulimit -St >&2"),
                            .limits = limits,
                            .n_limits = ARRAY_SIZE(limits),
                            .flags = CIMA_LAUNCH_GROUP_ONLY | CIMA_LAUNCH_CORE_DUMPS,
                            .umask_ = 027};
    _cleanup_free_ char *text = words_of(&l);

    cr_assert_str_eq(text, "group\n0027\n123\n200\n1000\n");
}

Test(launch, S2_54_S2_H3_another_user)
{
    const gid_t groups[] = {4242, 4243};
    const struct cima_credentials user = {65534, 65533, groups, 2}, alone = {65534, 65533, NULL, 0};
    struct cima_launch l = {SCRIPT("id -u >&2; id -g >&2; grep -E '^(Uid|Gid|Groups)' "
                                   "/proc/self/status | tr -s ' \\t' ' ' >&2"),
                            .user = &user, .cwd = "/"};

    if (geteuid() != 0)
        cr_skip_test("only root may become somebody else");
    _cleanup_free_ char *text = words_of(&l);
    cr_assert_str_eq(text, "65534\n65533\nUid: 65534 65534 65534 65534\nGid: 65533 65533 65533 "
                           "65533\nGroups: 4242 4243 \n", "%s", text);
    l.user = &alone;
    _cleanup_free_ char *none = words_of(&l);
    cr_assert_not_null(strstr(none, "Groups: \n"), "%s", none);
    /* A directory that is closed to the new user. */
    _tmpdir_ char *dir = tmpdir_new();
    l.cwd = dir;
    refused(&l, ERR_PERMISSION, dir);
}

/* The test becomes nobody itself, in a process of its own as every test is. */
Test(launch, S2_54_credentials_and_limits_that_are_not_ours_to_set)
{
    const struct cima_credentials user = {0, 0, NULL, 0};
    const struct cima_rlimit high = {RLIMIT_NOFILE, 1 << 20, UINT64_MAX};
    struct cima_launch l = {.program = "/bin/true", .user = &user, .cwd = "/"};

    if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
        cr_skip_test("can not become nobody here");
    refused(&l, ERR_PERMISSION, "becoming user 0, group 0");
    l.user = NULL;
    l.limits = &high;
    l.n_limits = 1;
    refused(&l, ERR_PERMISSION, "setting resource limit 7");
}

Test(launch, S28_environment)
{
    struct cima_launch l = {.program = "env", .stdout_to = CIMA_OUTPUT_FD};
    _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
    char text[4096] = "";

    setenv("SECRET_TOKEN", "x", 1);
    setenv("DISPLAY", ":7", 1);
    l.stdout_fd = out;
    cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, NULL), 0);
    cr_assert_gt(pread(out, text, sizeof(text) - 1, 0), 0);
    cr_assert_not_null(strstr(text, "PATH="));
    cr_assert_null(strstr(text, "SECRET"), "%s", text);
    cr_assert_null(strstr(text, "DISPLAY"), "%s", text);
    cr_assert_eq(ftruncate(out, 0), 0);
    l.flags = CIMA_LAUNCH_DESKTOP;
    cr_assert_eq(lseek(out, 0, SEEK_SET), 0);
    cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, NULL), 0);
    cr_assert_gt(pread(out, text, sizeof(text) - 1, 0), 0);
    cr_assert_not_null(strstr(text, "DISPLAY=:7"), "%s", text);
    cr_assert_null(strstr(text, "SECRET"), "%s", text);
}

Test(launch, S2_54_an_environment_of_ones_own)
{
    const char *const env[] = {"A=1", "B=", NULL}, *const bad[] = {"A=1", "B", NULL},
               *const nameless[] = {"=x", NULL};
    struct cima_launch l = {.program = "env", .stdout_to = CIMA_OUTPUT_FD, .env = env};
    _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
    char text[256] = "";

    l.stdout_fd = out;
    cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, NULL), 0);
    cr_assert_gt(pread(out, text, sizeof(text) - 1, 0), 0);
    cr_assert_str_eq(text, "A=1\nB=\n");
    l.env = bad;
    refused(&l, ERR_CONFIG, "field `env`: an entry is not of the form NAME=value");
    l.env = nameless;
    refused(&l, ERR_CONFIG, "field `env`");
}

/* ---- members that are wrong --------------------------------------------------------------------- */

static void wrong(const struct cima_launch *change, const char *text)
{
    struct cima_launch l = *change;

    l.program = "/bin/true";
    refused(&l, ERR_CONFIG, text);
}

Test(launch, members_that_are_wrong_are_named)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    const char *const words[] = {NULL};
    const int fds[] = {0, 12345};
    const gid_t group = 1;
    const struct cima_credentials no_groups = {1, 1, NULL, 1}, nobody = {(uid_t)-1, 1, &group, 1};
    const struct cima_rlimit upside_down = {RLIMIT_NOFILE, 2, 1};

    wrong(&(struct cima_launch){.cmdline = c, .argv = words}, "`argv`");
    wrong(&(struct cima_launch){.n_fds = 1}, "`fds`");
    wrong(&(struct cima_launch){.fds = fds, .n_fds = 2}, "as descriptor 4, 12345, is not open");
    wrong(&(struct cima_launch){.stdout_to = CIMA_OUTPUT_CAPTURE}, "`stdout_to`");
    wrong(&(struct cima_launch){.stderr_to = (enum cima_output)77}, "`stderr_to`");
    wrong(&(struct cima_launch){.stdout_to = CIMA_OUTPUT_FD, .stdout_fd = -1}, "`stdout_fd`");
    wrong(&(struct cima_launch){.stderr_to = CIMA_OUTPUT_FD, .stderr_fd = 999}, "`stderr_fd`");
    wrong(&(struct cima_launch){.umask_ = 01000}, "`umask_`");
    wrong(&(struct cima_launch){.umask_ = -2}, "`umask_`");
    wrong(&(struct cima_launch){.user = &no_groups}, "`user`");
    wrong(&(struct cima_launch){.user = &nobody}, "`user`");
    wrong(&(struct cima_launch){.n_limits = 1}, "`limits`");
    wrong(&(struct cima_launch){.fds = fds, .n_fds = SIZE_MAX / 16}, "`n_fds`");
    wrong(&(struct cima_launch){.limits = &upside_down, .n_limits = SIZE_MAX}, "`n_limits`");
    wrong(&(struct cima_launch){.limits = &upside_down, .n_limits = 1}, "`limits`");
    refused(&(struct cima_launch){.program = "/bin/true", .cwd = "/nonexistent"}, ERR_NOT_FOUND,
            "/nonexistent");
    cr_assert_eq(cima_launch_and_wait(&(struct cima_launch){.program = "/bin/true"}, 999, NULL,
                                      NULL), -1);
}

/* ---- what it says -------------------------------------------------------------------------------- */

Test(launch, S2_56_standard_error_is_whole_and_nobody_has_to_read_it)
{
    /* Ten times what a pipe holds, in one line and in many. */
    struct cima_launch l = {SCRIPT("i=0; while [ $i -lt 20 ]; do head -c 32768 /dev/zero | "
                                   "tr '\\0' x >&2; echo >&2; i=$((i + 1)); done; echo out; "
                                   "echo last words >&2; exit 1")};
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_free_ char *text = NULL;

    cr_assert_eq(cima_launch_and_wait(&l, -1, &text, &e), -1);
    cr_assert_eq(strlen(text), 20 * 32769 + 11);
    cr_assert_str_eq(text + 20 * 32769, "last words\n");
    cr_assert_eq(e.kind, ERR_QEMU);
    cr_assert(strlen(e.detail) < 10000, "the error has the end only");
    cr_assert_not_null(strstr(e.detail, "last words"), "%s", e.detail);
}

Test(launch, S2_56_what_is_over_the_limit_is_dropped)
{
    struct cima_launch l = {SCRIPT("head -c 20000000 /dev/zero | tr '\\0' x >&2 2>/dev/null; "
                                   "exit 0")};
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_process_ struct cima_process *p = cima_launch(&l, &e);

    cr_assert_not_null(p, "%s", e.msg);
    cr_assert_eq(cima_process_wait(p, LONG, &e), 1);
    _cleanup_free_ char *text = cima_process_stderr(p);
    cr_assert_eq(strlen(text), CIMA_LAUNCH_STDERR_LIMIT);
    cr_assert_eq(text[CIMA_LAUNCH_STDERR_LIMIT - 1], 'x');
}

Test(launch, S2_56_a_nul_does_not_end_the_text)
{
    struct cima_launch l = {SCRIPT("printf 'a\\0b' >&2")};
    _cleanup_free_ char *text = words_of(&l);

    cr_assert_str_eq(text, "a?b");
}

Test(launch, S2_57_success_is_silent)
{
    _cleanup_strv_ struct strv log = STRV_INIT;
    struct cima_launch l = {SCRIPT("echo a warning >&2"), .log = keep_line, .log_arg = &log};
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_free_ char *text = NULL;

    cr_assert_eq(cima_launch_and_wait(&l, -1, &text, &e), 0);
    cr_assert_str_eq(text, "");
    cr_assert_not(err_is_set(&e));
    cr_assert_eq(log.n, 1, "only the launch itself");
}

Test(launch, S2_58_a_failure_is_logged_with_its_words)
{
    _cleanup_strv_ struct strv log = STRV_INIT;
    struct cima_launch l = {SCRIPT("echo 'qemu: invalid option' >&2; exit 1"), .log = keep_line,
                            .log_arg = &log};
    _cleanup_err_ struct err e = ERR_INIT, gone = ERR_INIT;
    _cleanup_free_ char *text = NULL, *nothing = NULL;

    cr_assert_eq(cima_launch_and_wait(&l, -1, &text, &e), -1);
    cr_assert_str_eq(text, "qemu: invalid option\n");
    cr_assert_str_eq(e.msg, "QEMU exited with status 1");
    cr_assert_not_null(strstr(e.hint, "the right version"), "%s", e.hint);
    cr_assert_eq(log.n, 3);
    cr_assert_str_eq(log.v[1], "error: Unable to launch qemu: QEMU exited with status 1");
    cr_assert_str_eq(log.v[2], "error: qemu: invalid option\n");

    l.program = "/nonexistent/qemu";
    cr_assert_eq(cima_launch_and_wait(&l, -1, &nothing, &gone), -1);
    cr_assert_str_eq(nothing, "");
    cr_assert_eq(gone.kind, ERR_NOT_FOUND);
    cr_assert_eq(log.n, 5);
    cr_assert_not_null(strstr(log.v[4], "error: Unable to launch qemu: starting '/nonexistent"),
                       "%s", log.v[4]);
}

Test(launch, S2_58_an_end_by_signal)
{
    struct cima_launch l = {SCRIPT("kill -ABRT $$")};
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_process_ struct cima_process *p = cima_launch(&l, &e);

    cr_assert_not_null(p);
    cr_assert_eq(cima_process_wait(p, LONG, &e), 1);
    cr_assert_eq(cima_process_exit_code(p), 128 + SIGABRT);
    cr_assert_eq(cima_process_result(p, &e), -1);
    cr_assert_str_eq(e.msg, "QEMU was killed by signal 6 (Aborted)");
    cr_assert_null(e.detail);
}

/* ---- while it runs, and its end ------------------------------------------------------------------- */

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, timeout_ms) == 1;
}

Test(launch, a_process_that_runs)
{
    /* The loop is woken by the signal's interruption of sleep. */
    struct cima_launch l = {SCRIPT("trap 'echo bye >&2; exit 5' TERM; echo hello >&2; "
                                   "while :; do sleep 0.1; done")};
    _cleanup_err_ struct err e = ERR_INIT, still = ERR_INIT;
    _cleanup_process_ struct cima_process *p = cima_launch(&l, &e);

    cr_assert_not_null(p, "%s", e.msg);
    cr_assert_eq(cima_process_wait(p, 0, &e), 0);
    cr_assert_eq(cima_process_exit_code(p), -1);
    cr_assert_not(is_readable(cima_process_pidfd(p), 0));
    cr_assert_eq(cima_process_result(p, &still), -1);
    cr_assert_eq(still.kind, ERR_STATE);
    for (int i = 0;; i++) { /* its words are there while it runs, and the trap is set */
        _cleanup_free_ char *text = cima_process_stderr(p);

        if (!strcmp(text, "hello\n"))
            break;
        cr_assert_lt(i, LONG / 10, "%s", text);
        usleep(10000);
    }
    cr_assert_eq(kill(cima_process_pid(p), 0), 0);
    cr_assert_eq(cima_process_kill(p, SIGTERM, &e), 0);
    cr_assert(is_readable(cima_process_pidfd(p), LONG));
    cr_assert_eq(cima_process_wait(p, LONG, &e), 1);
    cr_assert_eq(cima_process_exit_code(p), 5);
    cr_assert_eq(cima_process_wait(p, LONG, &e), 1, "again");
    cr_assert_eq(cima_process_kill(p, SIGTERM, &e), 0, "nothing happens");
    cr_assert_eq(cima_process_cancel(p, 0, &e), 0, "nothing happens");
    _cleanup_free_ char *text = cima_process_stderr(p);
    cr_assert_str_eq(text, "hello\nbye\n");
}

Test(launch, S2_51_a_deaf_process_is_cancelled)
{
    struct cima_launch l = {SCRIPT("trap '' TERM; echo deaf >&2; while :; do sleep 1; done")};
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_process_ struct cima_process *p = cima_launch(&l, &e);

    cr_assert_not_null(p);
    for (int i = 0; i < LONG / 10; i++) {
        _cleanup_free_ char *text = cima_process_stderr(p);

        if (*text)
            break;
        usleep(10000);
    }
    cr_assert_eq(cima_process_cancel(p, 100, &e), 0, "%s", e.msg);
    cr_assert_eq(cima_process_exit_code(p), 128 + SIGKILL);
}

Test(launch, S2_51_waiting_is_cancelled)
{
    struct cima_launch l = {SCRIPT("echo begun >&2; exec sleep 1000")};
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_close_ int cancel = eventfd(1, EFD_CLOEXEC); /* readable from the beginning */
    _cleanup_free_ char *text = NULL;

    cr_assert_eq(cima_launch_and_wait(&l, cancel, &text, &e), -1);
    cr_assert_eq(e.kind, ERR_INTERRUPTED);
    cr_assert_not_null(strstr(e.msg, "told to end"), "%s", e.msg);
}

Test(launch, S2_51_the_end_of_the_one_who_may_cancel_cancels)
{
    struct cima_launch l = {SCRIPT("exec sleep 1000")};
    _cleanup_err_ struct err e = ERR_INIT;
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[1]);
    cr_assert_eq(cima_launch_and_wait(&l, ends[0], NULL, &e), -1);
    cr_assert_eq(e.kind, ERR_INTERRUPTED);
    close(ends[0]);
}

Test(launch, a_process_outlives_its_handle)
{
    struct cima_launch l = {SCRIPT("exec sleep 1000")};
    struct cima_process *p = cima_launch(&l, NULL);
    pid_t pid = cima_process_pid(p);

    cima_process_free(p);
    cr_assert_eq(kill(pid, 0), 0);
    cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0, "still running");
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cima_process_free(NULL);
}

Test(launch, S2_H3_dies_with_its_caller_when_that_is_wanted)
{
    int ends[2];
    pid_t caller;

    cr_assert_eq(pipe(ends), 0);
    caller = fork();
    if (caller == 0) {
        const int fds[] = {ends[1]};
        struct cima_launch l = {SCRIPT("exec sleep 1000"), .fds = fds, .n_fds = 1,
                                .flags = CIMA_LAUNCH_DIE_WITH_CALLER};

        _exit(cima_launch(&l, NULL) ? 0 : 1);
    }
    int status = -1;
    close(ends[1]);
    cr_assert_eq(waitpid(caller, &status, 0), caller);
    cr_assert_eq(status, 0);
    /* End of file when the last holder of the other end is gone. */
    cr_assert(is_readable(ends[0], LONG));
    close(ends[0]);
}

/* The system calls of pidfds fail in this process and its children as on an old kernel. */
static void take_pidfds_away(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = ARRAY_SIZE(filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        cr_skip_test("no seccomp filters here");
    cr_assert_eq(syscall(SYS_pidfd_open, getpid(), 0), -1);
}

Test(launch, S2_51_S2_56_a_kernel_without_pidfds)
{
    _cleanup_err_ struct err e = ERR_INIT, cancelled = ERR_INIT;
    struct cima_launch l = {SCRIPT("exec 3>&-; sleep 0.3; exit 7")};

    take_pidfds_away();
    /* The pipe, 3 there, says too early that it has ended. */
    cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, &e), -1);
    cr_assert_str_eq(e.msg, "QEMU exited with status 7");
    /* A process that it leaves behind holds the pipe. */
    l = (struct cima_launch){SCRIPT("sleep 1000 & exit 5")};
    _cleanup_process_ struct cima_process *p = cima_launch(&l, NULL);
    cr_assert_eq(cima_process_wait(p, LONG, NULL), 1);
    cr_assert_eq(cima_process_exit_code(p), 5);
    cr_assert_eq(kill(-cima_process_pid(p), SIGKILL), 0);
    /* It runs, and is cancelled. */
    l = (struct cima_launch){SCRIPT("exec sleep 1000")};
    _cleanup_process_ struct cima_process *q = cima_launch(&l, NULL);
    cr_assert_eq(cima_process_wait(q, 0, NULL), 0);
    cr_assert_not(is_readable(cima_process_pidfd(q), 0));
    cr_assert_eq(cima_process_cancel(q, LONG, NULL), 0);
    cr_assert_eq(cima_process_exit_code(q), 128 + SIGTERM);
    _cleanup_close_ int cancel = eventfd(1, EFD_CLOEXEC);
    cr_assert_eq(cima_launch_and_wait(&l, cancel, NULL, &cancelled), -1);
    cr_assert_eq(cancelled.kind, ERR_INTERRUPTED);
}

Test(launch, many_leave_nothing_open)
{
    struct cima_launch l = {.program = "/bin/true"};
    int before = dup(0), after;

    close(before);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(cima_launch_and_wait(&l, -1, NULL, NULL), 0);
    after = dup(0);
    close(after);
    cr_assert_eq(before, after);
}
