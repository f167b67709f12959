/* SPDX-License-Identifier: Apache-2.0 */
/* The live line on a real (pseudo) terminal: what is written, and what stays. */
#include "cli/progress.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/clock.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>

static int master = -1;

static void open_terminal(const char *term, unsigned short columns)
{
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    int slave;

    if (term)
        setenv("TERM", term, 1);
    else
        unsetenv("TERM");
    setenv("NO_COLOR", "1", 1);
    cr_assert_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
    cr_assert_geq(dup2(slave, STDERR_FILENO), 0);
    close(slave);
    log_set_fd(STDERR_FILENO); /* asks again whether it is a terminal */
}

static char *written(void)
{
    struct sbuf out = SBUF_INIT;
    struct pollfd p = {.fd = master, .events = POLLIN};
    char buf[4096];

    while (poll(&p, 1, 100) > 0) {
        ssize_t n = read(master, buf, sizeof(buf));

        if (n <= 0)
            break;
        sbuf_add(&out, buf, (size_t)n);
    }
    return sbuf_detach(&out);
}

/* The text without what a busy machine makes of it: numbers before "s\x1b" and in "[0000]" are 0. */
static char *untimed(void)
{
    _cleanup_free_ char *text = written();
    struct sbuf out = SBUF_INIT;

    for (const char *p = text; *p;) {
        size_t digits = strspn(p, "0123456789");

        if (digits && str_starts(p + digits, "s\x1b"))
            sbuf_addch(&out, '0');
        else if (digits == 4 && p > text && p[-1] == '[' && p[4] == ']')
            sbuf_addstr(&out, "0000");
        else
            sbuf_add(&out, p, digits ? digits : 1);
        p += digits ? digits : 1;
    }
    return sbuf_detach(&out);
}

Test(progress, line_is_drawn_and_removed)
{
    open_terminal("xterm", 80);
    progress_begin("mini", 7);
    cr_expect(progress_active());
    progress_step(3, "booting");
    progress_end();
    cr_expect_not(progress_active());
    _cleanup_free_ char *text = untimed();
    cr_expect_str_eq(text, "\rmini: [3/7] booting 0s\x1b[K\r\x1b[K");
}

Test(progress, steps_aside_for_log_lines)
{
    open_terminal("xterm", 80);
    progress_begin("mini", 7);
    progress_step(1, "a");
    log_info("hello");
    progress_end();
    log_info("over");
    _cleanup_free_ char *text = untimed();
    cr_expect_str_eq(text, "\rmini: [1/7] a 0s\x1b[K"
                           "\r\x1b[KINFO[0000] hello\r\n"
                           "\rmini: [1/7] a 0s\x1b[K"
                           "\r\x1b[KINFO[0000] over\r\n");
}

/* A redraw comes at most four times a second. */
Test(progress, ticks_are_slow)
{
    static const char line[] = "\rmini: [1/7] a 0s\x1b[K";
    int64_t begun = monotonic_ms();
    unsigned drawn = 0;

    open_terminal("xterm", 40);
    progress_begin("mini", 7);
    progress_step(1, "a");
    for (int i = 0; i < 100; i++)
        progress_tick();
    progress_leave();
    int64_t ms = monotonic_ms() - begun;
    _cleanup_free_ char *text = untimed();
    const char *p = text;
    for (; str_starts(p, line); p += strlen(line))
        drawn++;
    cr_expect_str_eq(p, "\r\n");
    cr_expect(drawn >= 1 && drawn <= 1 + ms / 250, "%u times in %lld ms", drawn, (long long)ms);
}

/* F47: a terminal that can't, or none. */
static void expect_nothing(const char *term)
{
    open_terminal(term, 80);
    progress_begin("mini", 7);
    progress_step(1, "a");
    progress_tick();
    progress_end();
    _cleanup_free_ char *text = written();
    cr_expect_str_eq(text, "");
}

Test(progress, F47_dumb_terminal)
{
    expect_nothing("dumb");
}

Test(progress, F47_no_TERM)
{
    expect_nothing(NULL);
}

Test(progress, F47_no_terminal)
{
    int pipe_fds[2];

    setenv("TERM", "xterm", 1);
    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    cr_assert_geq(dup2(pipe_fds[1], STDERR_FILENO), 0);
    progress_begin("mini", 7);
    progress_step(1, "a");
    progress_end();
    char c;
    cr_expect_eq(read(pipe_fds[0], &c, 1), -1);
}
