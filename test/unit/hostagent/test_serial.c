/* SPDX-License-Identifier: Apache-2.0 */
/* The console's tail and jobs: what services share. */
#include "base/fs.h"
#include "base/mem.h"
#include "service/job.h"
#include "service/serial.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

static void expect_tail(const char *text, unsigned lines, const char *want)
{
    _cleanup_free_ char *got = text_tail(text, strlen(text), lines);

    cr_assert_str_eq(got, want);
}

Test(serial, F22_tail_without_noise)
{
    expect_tail("", 3, "");
    expect_tail("\n\n\r\n", 3, "");
    expect_tail("one\ntwo\nthree\nfour\n", 2, "three\nfour");
    expect_tail("one\r\n\r\ntwo   \r\nlast without end", 5, "one\ntwo\nlast without end");
    expect_tail("\x1b[0;32m  OK  \x1b[0m Started\x1b[K\n\x1b]0;title\atext\n\x1b", 5, "  OK   Started\ntext");
    expect_tail("\x1b[", 5, "");
    expect_tail("bell \a and \x80 byte\n", 5, "bell \\x07 and \\x80 byte");
}

Test(serial, a_line_without_end_is_cut)
{
    _cleanup_free_ char *big = xmalloc(100000);

    memset(big, 'x', 100000);
    _cleanup_free_ char *got = text_tail(big, 100000, 10);
    cr_assert_lt(strlen(got), 1000);
}

Test(serial, a_stall_is_told)
{
    _cleanup_free_ char *dir = xstrdup("/tmp/cima-serial-XXXXXX");
    struct instance i = {.name = (char *)"box", .dir = mkdtemp(dir)};
    _cleanup_free_ char *path = instance_path(&i, INST_SERIAL_LOG);
    _cleanup_err_ struct err calm = ERR_INIT, stalled = ERR_INIT;

    cr_assert_eq(file_write_unsynced(path, "login: ", 7, 0600, NULL), 0);
    err_set(&calm, ERR_TIMEOUT, "not up");
    serial_add_tail(&i, &calm);
    cr_assert_not_null(strstr(calm.detail, "login:"), "%s", calm.detail);
    cr_assert_null(calm.hint);
    static const char text[] =
        "[   23.129424] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n"
        "[   23.133179] rcu: rcu_preempt kthread starved for 5252 jiffies! g-1159 f0x0\n";
    cr_assert_eq(file_write_unsynced(path, text, sizeof(text) - 1, 0600, NULL), 0);
    err_set(&stalled, ERR_TIMEOUT, "not up");
    serial_add_tail(&i, &stalled);
    cr_assert_not_null(strstr(stalled.hint, "cima stop -f box"), "%s", stalled.hint);
    unlink(path);
    rmdir(dir);
}

/* ---- jobs ---------------------------------------------------------------------------------------- */

struct seen {
    struct loop *loop;
    struct sbuf lines;
    int status;
    char *errors;
    bool ended;
    struct job *terminate; /* at its first line: it is ready for it then */
};

static void on_line(void *arg, const char *line, size_t len)
{
    struct seen *s = arg;

    sbuf_add(&s->lines, line, len);
    sbuf_addch(&s->lines, '|');
    if (s->terminate) {
        job_terminate(s->terminate);
        job_terminate(s->terminate);
        s->terminate = NULL;
    }
}

static void on_ended(void *arg, int status, const char *errors)
{
    struct seen *s = arg;

    s->status = status;
    s->errors = xstrdup(errors);
    s->ended = true;
    loop_quit(s->loop);
}

static void on_limit(void *arg)
{
    loop_quit(((struct seen *)arg)->loop);
}

static void seen_release(struct seen *s)
{
    sbuf_release(&s->lines);
    free(s->errors);
}

#define _cleanup_seen_ _cleanup_(seen_release)

static struct job *start(struct seen *s, const char *script, const char *input, bool open)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct err err = ERR_INIT;
    struct job_spec spec = {.argv = argv, .input = input, .keep_stdin_open = open, .line_cap = 100,
                            .line = on_line, .ended = on_ended, .arg = s};

    *s = (struct seen){.loop = loop_new(&err)};
    struct job *j = job_start(s->loop, &spec, &err);
    cr_assert_not_null(j, "%s", err.msg);
    return j;
}

static void finish(struct seen *s)
{
    struct loop_source *limit = loop_add_timer(s->loop, 240000, on_limit, s);

    loop_run(s->loop);
    cr_assert(s->ended, "the job does not end");
    loop_source_free(limit);
    loop_free(s->loop);
}

Test(job, lines_errors_and_status, .timeout = 600)
{
    _cleanup_seen_ struct seen s = {.loop = NULL};

    start(&s, "cat; echo three; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo e$i >&2; done; exit 7",
          "one\ntwo\n", false);
    finish(&s);
    cr_assert_str_eq(sbuf_str(&s.lines), "one|two|three|");
    cr_assert_eq(WEXITSTATUS(s.status), 7);
    cr_assert_str_eq(s.errors, "e3\ne4\ne5\ne6\ne7\ne8\ne9\ne10\ne11\ne12");
}

Test(job, big_input_does_not_block, .timeout = 600)
{
    size_t len = 1 << 20;
    _cleanup_free_ char *big = xmalloc(len + 1);
    _cleanup_seen_ struct seen s = {.loop = NULL};

    memset(big, 'x', len);
    big[len] = '\0';
    start(&s, "sleep 0.2; wc -c", big, false);
    finish(&s);
    cr_assert_str_eq(sbuf_str(&s.lines), "1048576|");
}

Test(job, stdin_ends_when_it_is_terminated, .timeout = 600)
{
    bool killed = true;

    /* On a busy machine it may take longer than the seconds that it is given: then once more. */
    for (int i = 0; i < 20 && killed; i++) {
        _cleanup_seen_ struct seen s = {.loop = NULL};

        s.terminate = start(&s, "trap '' TERM; cat; echo over", "x\n", true);
        finish(&s);
        killed = WIFSIGNALED(s.status);
        if (!killed)
            cr_assert_str_eq(sbuf_str(&s.lines), "x|over|");
    }
    cr_assert_not(killed);
}

Test(job, killed_when_it_does_not_listen, .timeout = 600)
{
    _cleanup_seen_ struct seen s = {.loop = NULL};

    s.terminate = start(&s, "trap '' TERM; echo x; while :; do sleep 0.1; done", "x\n", true);
    finish(&s);
    cr_assert(WIFSIGNALED(s.status) && WTERMSIG(s.status) == SIGKILL);
}

Test(job, a_grandchild_that_keeps_the_output_is_not_waited_for, .timeout = 600)
{
    _cleanup_seen_ struct seen s = {.loop = NULL};
    int pid = 0;

    start(&s, "sleep 1000 & echo $!", NULL, false);
    finish(&s);
    cr_assert(sscanf(sbuf_str(&s.lines), "%d|", &pid) == 1 && pid > 1, "%s", sbuf_str(&s.lines));
    cr_assert_eq(kill(pid, SIGKILL), 0, "it is not there any more");
}

Test(job, freed_in_the_middle, .timeout = 600)
{
    _cleanup_seen_ struct seen s = {.loop = NULL};
    struct job *j = start(&s, "exec sleep 20", NULL, false);

    cr_assert_null(job_free(j));
    cr_assert_null(job_free(NULL));
    cr_assert(!s.ended);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "it was reaped");
    loop_free(s.loop);
}

Test(job, a_missing_program_is_an_error)
{
    const char *const argv[] = {"no-such-program-anywhere", NULL};
    _cleanup_err_ struct err err = ERR_INIT;
    struct job_spec spec = {.argv = argv, .ended = on_ended};
    struct loop *loop = loop_new(&err);

    cr_assert_null(job_start(loop, &spec, &err));
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    loop_free(loop);
}
