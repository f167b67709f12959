/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: sources of every kind, and freeing them from inside callbacks. */
#include "base/mem.h"
#include "base/strv.h"
#include "sys/loop.h"
#include "sys/proc.h"
#include "sys/sock.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct state {
    struct loop *loop;
    struct loop_source *a, *b, *guard;
    struct strv seen;
    int count, status, fd;
};

static void too_late(void *arg)
{
    (void)arg;
    cr_assert_fail("the loop did not end");
}

static void state_init(struct state *s)
{
    *s = (struct state){.loop = loop_new(NULL), .fd = -1};
    cr_assert_not_null(s->loop);
    s->guard = loop_add_timer(s->loop, 240000, too_late, NULL);
}

static void state_end(struct state *s)
{
    s->a = loop_source_free(s->a);
    s->b = loop_source_free(s->b);
    s->guard = loop_source_free(s->guard);
    loop_free(s->loop);
    strv_release(&s->seen);
}

static void expect_seen(const struct state *s, const char *want)
{
    _cleanup_free_ char *got = strv_join(&s->seen, "|");

    cr_expect_str_eq(got, want, "got %s, want %s", got, want);
}

static void quit(void *arg)
{
    struct state *s = arg;

    s->count++;
    loop_quit(s->loop);
}

Test(loop, ends_when_no_source_is_left)
{
    struct state s;

    state_init(&s);
    s.guard = loop_source_free(s.guard);
    loop_run(s.loop);
    s.a = loop_add_timer(s.loop, 1, quit, &s);
    loop_run(s.loop);
    cr_assert_eq(s.count, 1);
    loop_run(s.loop); /* the timer has fired: nothing is pending */
    state_end(&s);
    loop_free(NULL);
    cr_assert_null(loop_source_free(NULL));
}

static void note_a(void *arg)
{
    struct state *s = arg;

    strv_push(&s->seen, "a");
}

static void note_b_and_quit(void *arg)
{
    struct state *s = arg;

    strv_push(&s->seen, "b");
    loop_quit(s->loop);
}

Test(loop, timers_fire_in_order_and_on_time)
{
    struct state s;
    int64_t start;

    state_init(&s);
    do { /* until nothing has come between the two: the one that is made later is due earlier */
        loop_source_free(s.a);
        loop_source_free(s.b);
        start = monotonic_ms();
        s.b = loop_add_timer(s.loop, 60, note_b_and_quit, &s);
        s.a = loop_add_timer(s.loop, 20, note_a, &s);
    } while (monotonic_ms() - start > 30);
    loop_run(s.loop);
    expect_seen(&s, "a|b");
    cr_assert_geq(monotonic_ms() - start, 60);
    state_end(&s);
}

static void restart_twice(void *arg)
{
    struct state *s = arg;

    if (++s->count < 3)
        loop_timer_restart(s->a, 1);
    else
        loop_quit(s->loop);
}

Test(loop, timer_restarts)
{
    struct state s;

    state_init(&s);
    s.a = loop_add_timer(s.loop, 10000, restart_twice, &s);
    loop_timer_restart(s.a, 1); /* earlier than planned */
    loop_run(s.loop);
    cr_assert_eq(s.count, 3);
    state_end(&s);
}

static void defer_b(void *arg)
{
    struct state *s = arg;

    s->b = loop_defer(s->loop, note_b_and_quit, s);
    strv_push(&s->seen, "a");
}

Test(loop, deferred_call_comes_after_the_callback)
{
    struct state s;

    state_init(&s);
    s.a = loop_defer(s.loop, defer_b, &s);
    cr_assert_eq(s.seen.n, 0);
    loop_run(s.loop);
    expect_seen(&s, "a|b");
    state_end(&s);
}

/* ---- freeing ---------------------------------------------------------------------------- */

static void free_itself(void *arg)
{
    struct state *s = arg;

    s->a = loop_source_free(s->a);
    s->count++;
    s->b = loop_defer(s->loop, note_b_and_quit, s);
}

Test(loop, timer_frees_itself)
{
    struct state s;

    state_init(&s);
    s.a = loop_add_timer(s.loop, 0, free_itself, &s);
    loop_run(s.loop);
    cr_assert_eq(s.count, 1);
    state_end(&s);
}

/* Two ready fds: whoever is called first frees the other, which must not fire any more. */
static void free_the_other(void *arg, int fd, unsigned events)
{
    struct state *s = arg;

    cr_assert_eq(events, LOOP_READ);
    s->count++;
    if (fd == s->fd)
        s->b = loop_source_free(s->b);
    else
        s->a = loop_source_free(s->a);
    s->guard = loop_source_free(s->guard);
    loop_quit(s->loop);
}

Test(loop, freed_source_does_not_fire_although_ready)
{
    struct state s;
    int p[2], q[2];

    state_init(&s);
    cr_assert_eq(pipe2(p, O_CLOEXEC) + pipe2(q, O_CLOEXEC), 0);
    cr_assert_eq(write(p[1], "x", 1) + write(q[1], "x", 1), 2);
    s.fd = p[0];
    s.a = loop_add_fd(s.loop, p[0], LOOP_READ, free_the_other, &s);
    s.b = loop_add_fd(s.loop, q[0], LOOP_READ, free_the_other, &s);
    loop_run(s.loop);
    cr_assert_eq(s.count, 1);
    loop_run(s.loop); /* the one that is left is still ready, and ends the loop again */
    cr_assert_eq(s.count, 2);
    state_end(&s);
}

Test(loop, sources_may_outlive_the_loop)
{
    struct state s;
    int p[2];

    state_init(&s);
    cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
    s.a = loop_add_fd(s.loop, p[0], LOOP_READ, free_the_other, &s);
    loop_free(s.loop);
    s.loop = NULL;
    loop_fd_want(s.a, LOOP_WRITE);
    loop_timer_restart(s.guard, 5);
    state_end(&s);
}

/* ---- fds -------------------------------------------------------------------------------- */

static void write_then_read(void *arg, int fd, unsigned events)
{
    struct state *s = arg;
    char c;

    if (events & LOOP_WRITE) {
        strv_push(&s->seen, "w");
        cr_assert_eq(write(fd, "x", 1), 1);
        loop_fd_want(s->a, LOOP_READ);
    }
    if (events & LOOP_READ) {
        cr_assert_eq(read(fd, &c, 1), 1);
        strv_push(&s->seen, "r");
        loop_fd_want(s->a, 0);
        s->b = loop_add_timer(s->loop, 10, note_b_and_quit, s);
    }
}

static void echo(void *arg, int fd, unsigned events)
{
    char c;

    (void)arg;
    cr_assert_eq(events, LOOP_READ);
    if (read(fd, &c, 1) == 1)
        cr_assert_eq(write(fd, &c, 1), 1);
}

Test(loop, wishes_of_an_fd_change)
{
    struct state s;
    int fds[2];

    state_init(&s);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    s.a = loop_add_fd(s.loop, fds[0], LOOP_WRITE, write_then_read, &s);
    struct loop_source *peer = loop_add_fd(s.loop, fds[1], LOOP_READ, echo, NULL);
    loop_run(s.loop);
    expect_seen(&s, "w|r|b");
    loop_source_free(peer);
    state_end(&s);
}

Test(loop, regular_file_cannot_be_watched)
{
    struct state s;
    _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    state_init(&s);
    cr_assert_null(loop_add_fd(s.loop, fd, LOOP_READ, echo, NULL));
    state_end(&s);
}

static void on_signal(void *arg, int signo)
{
    struct state *s = arg;

    cr_assert_eq(signo, SIGUSR1);
    if (++s->count == 2)
        loop_quit(s->loop);
    else
        raise(SIGUSR1);
}

Test(loop, signals)
{
    struct state s;

    state_init(&s);
    s.a = loop_add_signal(s.loop, SIGUSR1, on_signal, &s);
    raise(SIGUSR1);
    loop_run(s.loop);
    cr_assert_eq(s.count, 2);
    state_end(&s);
}

/* ---- children --------------------------------------------------------------------------- */

static void on_child(void *arg, int status)
{
    struct state *s = arg;

    s->count++;
    s->status = status;
    s->a = loop_source_free(s->a);
    loop_quit(s->loop);
}

static struct child start(const char *script)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct spawn s = SPAWN_INIT;
    struct child c = CHILD_INIT;

    s.argv = argv;
    cr_assert_eq(spawn_child(&s, &c, NULL), 0);
    return c;
}

Test(loop, child_is_reaped_once)
{
    struct state s;

    state_init(&s);
    struct child c = start("exit 7");
    s.a = loop_add_child(s.loop, &c, on_child, &s);
    cr_assert_eq(c.pidfd, -1);
    cr_assert_gt(c.pid, 0);
    loop_run(s.loop);
    cr_assert_eq(s.count, 1);
    cr_assert_eq(wait_status_exit_code(s.status), 7);
    cr_assert_eq(waitpid(c.pid, NULL, WNOHANG), -1, "nothing is left to reap");
    child_release(&c);
    state_end(&s);
}

Test(loop, child_can_be_killed_through_its_source)
{
    struct state s;

    state_init(&s);
    struct child c = start("exec sleep 60");
    s.a = loop_add_child(s.loop, &c, on_child, &s);
    cr_assert_eq(loop_child_kill(s.a, SIGTERM), 0);
    loop_run(s.loop);
    cr_assert(WIFSIGNALED(s.status));
    cr_assert_eq(WTERMSIG(s.status), SIGTERM);
    state_end(&s);
}

Test(loop, end_of_a_process_that_is_watched_only)
{
    struct state s;
    int status = 0;

    state_init(&s);
    struct child c = start("exec sleep 60");
    s.a = loop_add_pidfd(s.loop, c.pidfd, quit, &s);
    cr_assert_eq(child_kill(&c, SIGKILL), 0);
    loop_run(s.loop);
    cr_assert_eq(s.count, 1);
    cr_assert_eq(child_wait(&c, 0, &status), 1, "it was not reaped");
    child_release(&c);
    state_end(&s);
}

/* ---- lines ------------------------------------------------------------------------------ */

static void on_line(void *arg, const char *line, size_t len)
{
    struct state *s = arg;

    if (!line) {
        strv_push(&s->seen, "<end>");
        loop_quit(s->loop);
        return;
    }
    cr_assert_eq(line[len], '\0');
    strv_push_consume(&s->seen, xstrndup(line, len));
}

static void expect_lines(const char *text, size_t cap, const char *want)
{
    struct state s;
    int p[2];

    state_init(&s);
    cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
    cr_assert_eq(write(p[1], text, strlen(text)), (ssize_t)strlen(text));
    close(p[1]);
    s.a = loop_add_lines(s.loop, p[0], cap, on_line, &s);
    loop_run(s.loop);
    expect_seen(&s, want);
    state_end(&s);
    cr_expect_eq(fcntl(p[0], F_GETFD), -1, "the fd belongs to the source");
}

Test(loop, lines)
{
    expect_lines("one\ntwo\n", 100, "one|two|<end>");
    expect_lines("one\n\nlast", 100, "one||last|<end>");
    expect_lines("", 100, "<end>");
    expect_lines("\n", 100, "|<end>");
    expect_lines("0123456789abc\nx\n", 10, "0123456789|x|<end>");
    expect_lines("0123456789\n0123456789a", 10, "0123456789|0123456789|<end>");
}

static void write_in_pieces(void *arg)
{
    static const char *const pieces[] = {"he", "llo\nwo", "r", "ld\n"};
    struct state *s = arg;

    if (s->count < (int)ARRAY_SIZE(pieces)) {
        const char *piece = pieces[s->count++];

        cr_assert_gt(write(s->fd, piece, strlen(piece)), 0);
        loop_timer_restart(s->b, 5);
    } else {
        close(s->fd);
    }
}

Test(loop, lines_in_pieces)
{
    struct state s;
    int p[2];

    state_init(&s);
    cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
    s.fd = p[1];
    s.a = loop_add_lines(s.loop, p[0], 100, on_line, &s);
    s.b = loop_add_timer(s.loop, 0, write_in_pieces, &s);
    loop_run(s.loop);
    expect_seen(&s, "hello|world|<end>");
    state_end(&s);
}

static void free_at_first_line(void *arg, const char *line, size_t len)
{
    struct state *s = arg;

    cr_assert_not_null(line);
    cr_assert_eq(len, 3);
    s->a = loop_source_free(s->a);
    /* The text is still there: the source is only marked. */
    strv_push(&s->seen, line);
    loop_quit(s->loop);
}

Test(loop, lines_may_be_freed_at_any_line)
{
    struct state s;
    int p[2];

    state_init(&s);
    cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
    cr_assert_eq(write(p[1], "one\ntwo\nthree", 13), 13);
    close(p[1]);
    s.a = loop_add_lines(s.loop, p[0], 100, free_at_first_line, &s);
    loop_run(s.loop);
    expect_seen(&s, "one");
    state_end(&s);
}

Test(loop, lines_of_a_regular_file)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "f");
    struct state s;

    state_init(&s);
    cr_assert_eq(file_write_atomic(path, "a\nb\n", 4, 0600, NULL), 0);
    s.a = loop_add_lines(s.loop, open(path, O_RDONLY | O_CLOEXEC), 100, on_line, &s);
    loop_run(s.loop);
    expect_seen(&s, "a|b|<end>");
    state_end(&s);
}

Test(loop, endless_writer_does_not_starve_the_others)
{
    struct state s;
    _cleanup_close_ int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    state_init(&s);
    s.a = loop_add_lines(s.loop, TAKE_FD(zero), 1000, on_line, &s);
    s.b = loop_add_timer(s.loop, 50, note_b_and_quit, &s);
    loop_run(s.loop);
    expect_seen(&s, "b");
    state_end(&s);
}
