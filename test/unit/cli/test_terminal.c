/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that detach; sessions that are no terminal's (those are in test/e2e/tools.sh). */
#include "cli/terminal.h"
#include "base/fs.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

Test(terminal, keys)
{
    static const struct {
        const char *text;
        int key;
    } good[] = {{"ctrl-]", 0x1d}, {"^]", 0x1d},      {"Ctrl-Q", 0x11}, {"ctrl-a", 1}, {"^A", 1},
                {"ctrl-^", 0x1e}, {"ctrl-\\", 0x1c}, {"ctrl-@", 0},    {"^^", 0x1e},  {"none", -1}};
    static const char *const bad[] = {"", "q", "ctrl-", "ctrl-1", "ctrl-ab", "^", "^é", "None", "ctrl-?"};

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int key = 99;

        cr_assert_eq(terminal_parse_key(good[i].text, &key, NULL), 0, "%s", good[i].text);
        cr_assert_eq(key, good[i].key, "%s: %d", good[i].text, key);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        int key = 99;

        cr_assert_eq(terminal_parse_key(bad[i], &key, &err), -1, "%s", bad[i]);
        cr_assert_eq(err.kind, ERR_USAGE);
        cr_assert_not_null(strstr(err.msg, "is no key to detach with"));
        cr_assert_eq(key, 99);
    }
    _cleanup_free_ char *name = terminal_key_name(0x1d);
    cr_assert_str_eq(name, "Ctrl-]");
}

/* A child runs the session on pipes; this is the other end of its console. */
struct peer {
    pid_t pid;
    int in, out, console;
};

enum { DETACHED = 10, CLOSED, SIGNALLED, FAILED };

static struct peer begin(void)
{
    int in[2], out[2], console[2];
    struct peer p;

    cr_assert(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC) &&
              !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console));
    p.pid = fork();
    if (p.pid == 0) {
        enum terminal_end end;
        int signo = 0;

        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        close(out[0]);
        close(console[0]);
        signal(SIGPIPE, SIG_IGN);
        if (terminal_attach(console[1], 0x1d, &end, &signo, NULL) < 0)
            _exit(FAILED);
        _exit(end == TERMINAL_DETACHED ? DETACHED : (end == TERMINAL_CLOSED ? CLOSED : SIGNALLED));
    }
    close(in[0]);
    close(out[1]);
    close(console[1]);
    p.in = in[1];
    p.out = out[0];
    p.console = console[0];
    return p;
}

static int end_of(const struct peer *p)
{
    int status;

    cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(int fd, const char *text)
{
    char buf[64] = "";

    cr_assert_lt(strlen(text), sizeof(buf));
    for (size_t n = 0; n < strlen(text);) {
        ssize_t got = read(fd, buf + n, strlen(text) - n);

        cr_assert_gt(got, 0);
        n += (size_t)got;
    }
    cr_assert_str_eq(buf, text);
}

TestSuite(terminal, .timeout = 600);

/* Whether what comes after the end of the input is shown, too: not when it comes after the seconds
 * that it is waited for. */
static bool late_answer_is_shown(void)
{
    struct peer p = begin();
    char buf[8] = "";

    /* No key there: every byte is for the guest. */
    cr_assert_eq(fd_write_all(p.in, "one\x1dtwo", 7), 0);
    expect(p.console, "one\x1dtwo");
    cr_assert_eq(fd_write_all(p.console, "answer", 6), 0);
    expect(p.out, "answer");
    close(p.in);
    (void)send(p.console, "late", 4, MSG_NOSIGNAL);
    ssize_t got = read(p.out, buf, sizeof(buf));
    cr_assert_eq(end_of(&p), DETACHED);
    close(p.out);
    close(p.console);
    return got == 4 && !memcmp(buf, "late", 4);
}

Test(terminal, input_from_a_pipe_is_copied_to_its_end)
{
    bool shown = false;

    for (int i = 0; i < 20 && !shown; i++)
        shown = late_answer_is_shown();
    cr_assert(shown);
}

/* More than the guest takes at once: nothing is lost. */
Test(terminal, a_guest_that_is_slow_gets_everything)
{
    enum { SIZE = 3 << 20 };
    struct peer p = begin();
    _cleanup_free_ char *sent = xmalloc(SIZE), *got = xmalloc(SIZE);

    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 7 + (i >> 9));
    pid_t writer = fork();
    if (writer == 0) {
        close(p.console);
        _exit(fd_write_all(p.in, sent, SIZE) != 0);
    }
    close(p.in);
    usleep(100000);
    for (size_t n = 0; n < SIZE;) {
        ssize_t r = read(p.console, got + n, SIZE - n);

        cr_assert_gt(r, 0);
        n += (size_t)r;
    }
    cr_assert_eq(memcmp(sent, got, SIZE), 0);
    cr_assert_eq(end_of(&p), DETACHED);
    waitpid(writer, NULL, 0);
}

Test(terminal, the_other_side_goes)
{
    struct peer p = begin();

    cr_assert_eq(fd_write_all(p.console, "last words", 10), 0);
    close(p.console);
    expect(p.out, "last words");
    cr_assert_eq(end_of(&p), CLOSED);
}

Test(terminal, a_signal_ends_it_in_order)
{
    struct peer p = begin();

    cr_assert_eq(fd_write_all(p.console, "x", 1), 0);
    expect(p.out, "x"); /* it is in its loop */
    cr_assert_eq(kill(p.pid, SIGHUP), 0);
    cr_assert_eq(end_of(&p), SIGNALLED);
}

Test(terminal, nobody_reads_the_output)
{
    struct peer p = begin();

    close(p.out);
    cr_assert_eq(fd_write_all(p.console, "x", 1), 0);
    cr_assert_eq(end_of(&p), DETACHED);
}
