/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, diagnostics, log lines. */
#include "base/diag.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>

/* ---- err -------------------------------------------------------------------------------- */

Test(err, one_line)
{
    _cleanup_err_ struct err e = ERR_INIT;

    cr_assert_not(err_is_set(&e));
    cr_assert_eq(err_set(&e, ERR_NOT_FOUND, "no instance '%s'", "x"), -1);
    cr_assert_eq(err_hint(&e, "cima create %s", "x"), -1);
    cr_assert_eq(err_wrap(&e, "inner"), -1);
    cr_assert_eq(err_wrap(&e, "outer %d", 1), -1);
    _cleanup_free_ char *line = err_line(&e);
    _cleanup_free_ char *message = err_message(&e);
    cr_assert_str_eq(line, "outer 1: inner: no instance 'x'; hint: cima create x");
    cr_assert_str_eq(message, "outer 1: inner: no instance 'x'");
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
}

Test(err, errno_text)
{
    _cleanup_err_ struct err e = ERR_INIT;

    errno = ENOENT;
    err_set_errno(&e, ERR_IO, "reading '%s'", "f");
    cr_assert_str_eq(e.msg, "reading 'f': no such file or directory");
    cr_assert_eq(e.saved_errno, ENOENT);
    cr_assert_eq(e.kind, ERR_IO, "errno decides nothing about the kind");
}

Test(err, errno_with_a_next_step)
{
    _cleanup_err_ struct err full = ERR_INIT, missing = ERR_INIT;

    errno = ENOSPC;
    err_set_errno(&full, ERR_IO, "writing");
    cr_assert_str_eq(full.hint, "the file system is full: make room on it, or use another one");
    err_hint(&full, "better");
    cr_assert_str_eq(full.hint, "better");
    errno = ENOENT;
    err_set_errno(&missing, ERR_IO, "reading");
    cr_assert_null(missing.hint);
}

Test(err, null_slot_is_allowed)
{
    struct err e = ERR_INIT;

    cr_assert_eq(err_set(NULL, ERR_IO, "x"), -1);
    cr_assert_eq(err_set_errno(NULL, ERR_IO, "x"), -1);
    cr_assert_eq(err_hint(NULL, "x"), -1);
    cr_assert_eq(err_wrap(NULL, "x"), -1);
    cr_assert_eq(err_detail(NULL, "x"), -1);
    err_set(&e, ERR_IO, "x");
    cr_assert_eq(err_move(NULL, &e), -1);
    cr_assert_not(err_is_set(&e));
}

Test(err, full_slot_is_a_bug, .signal = SIGABRT)
{
    struct err e = ERR_INIT;

    close(STDERR_FILENO);
    err_set(&e, ERR_IO, "one");
    err_set(&e, ERR_IO, "two");
}

Test(err, move_empties_the_source)
{
    _cleanup_err_ struct err a = ERR_INIT, b = ERR_INIT;

    err_set(&a, ERR_QEMU, "died");
    err_wrap(&a, "starting");
    cr_assert_eq(err_move(&b, &a), -1);
    cr_assert_not(err_is_set(&a));
    cr_assert_null(a.msg);
    _cleanup_free_ char *line = err_line(&b);
    cr_assert_str_eq(line, "starting: died");
    err_clear(&b);
    cr_assert_not(err_is_set(&b));
}

Test(err, text_for_a_person)
{
    _cleanup_err_ struct err e = ERR_INIT;

    err_set(&e, ERR_CONFIG, "2 problems");
    err_wrap(&e, "reading '%s'", "a.yaml");
    struct diag *d = diags_add(&e.diags, DIAG_ERROR, "cpu", "unknown field 'cpu'");
    diag_set_position(d, "a.yaml", 3, 1, "cpu: 4");
    diag_set_hint(d, "did you mean 'cpus'?");
    d = diags_add(&e.diags, DIAG_ERROR, "memory", "not a size");
    diag_set_position(d, "a.yaml", 4, 9, "memory: lots");
    err_detail(&e, "line one\n\nline three\n");
    err_hint(&e, "cima validate a.yaml");
    _cleanup_free_ char *text = err_text(&e);
    cr_assert_str_eq(text, "reading 'a.yaml': 2 problems\n"
                           "a.yaml:3:1: error: unknown field 'cpu'\n"
                           "    cpu: 4\n"
                           "    ^\n"
                           "    hint: did you mean 'cpus'?\n"
                           "a.yaml:4:9: error: not a size\n"
                           "    memory: lots\n"
                           "            ^\n"
                           "    line one\n"
                           "\n"
                           "    line three\n"
                           "hint: cima validate a.yaml");
}

Test(err, S21_everything_is_printable)
{
    _cleanup_err_ struct err e = ERR_INIT;

    err_set(&e, ERR_GUEST, "guest said \x1b[2J\nlevel=info");
    err_wrap(&e, "c\x07");
    err_hint(&e, "h\r");
    err_detail(&e, "d\x1b]0;x\x07\r\nnext\r");
    struct diag *d = diags_add(&e.diags, DIAG_ERROR, NULL, "m\x1b");
    diag_set_position(d, "f\x1b", 1, 2, "s\x1bt");
    diag_set_hint(d, "i\x1b");
    _cleanup_free_ char *line = err_line(&e);
    _cleanup_free_ char *text = err_text(&e);
    cr_assert_str_eq(line, "c\\x07: guest said \\x1b[2J\\nlevel=info; hint: h\\r");
    cr_assert_str_eq(text, "c\\x07: guest said \\x1b[2J\\nlevel=info\n"
                           "f\\x1b:1:2: error: m\\x1b\n"
                           "    s\\x1bt\n"
                           "     ^\n"
                           "    hint: i\\x1b\n"
                           "    d\\x1b]0;x\\x07\n"
                           "    next\n"
                           "hint: h\\r");
}

Test(err, exit_codes)
{
    struct err e = ERR_INIT;

    cr_assert_eq(err_exit_code(&e), 0);
    e.kind = ERR_CHILD;
    e.exit_code = 42;
    cr_assert_eq(err_exit_code(&e), 42);
    for (int k = ERR_USAGE; k < ERR_KIND_COUNT; k++) {
        e.kind = (enum err_kind)k;
        if (k != ERR_CHILD)
            cr_assert_eq(err_exit_code(&e), 1, "kind %s", err_kind_to_string(e.kind));
    }
}

Test(err, kind_names_round_trip)
{
    for (int k = 0; k < ERR_KIND_COUNT; k++) {
        enum err_kind back = ERR_KIND_COUNT;
        const char *name = err_kind_to_string((enum err_kind)k);

        cr_assert_str_neq(name, "?");
        cr_assert_eq(err_kind_from_string(name, &back), 0);
        cr_assert_eq(back, (enum err_kind)k);
    }
}

/* ---- diag ------------------------------------------------------------------------------- */

static char *format_at(unsigned line, unsigned col, const char *source)
{
    struct sbuf out = SBUF_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;

    diag_set_position(diags_add(&d, DIAG_ERROR, NULL, "msg"), "f", line, col, source);
    diag_format(&d.v[0], &out);
    return sbuf_detach(&out);
}

Test(diag, caret_is_in_its_column)
{
    static const struct {
        unsigned line, col;
        const char *source, *out;
    } t[] = {
        {1, 1, "abc", "f:1:1: error: msg\n    abc\n    ^"},
        {1, 4, "abc", "f:1:4: error: msg\n    abc\n       ^"},
        {1, 3, "\t\tx: y", "f:1:3: error: msg\n    \t\tx: y\n    \t\t^"},
        {2, 3, "\xc3\xbc\xc3\xbcx", "f:2:3: error: msg\n    \xc3\xbc\xc3\xbcx\n      ^"},
        {2, 3, "\xe6\x97\xa5\xe6\x9c\xacx", "f:2:3: error: msg\n    \xe6\x97\xa5\xe6\x9c\xacx\n        ^"},
        {2, 2, "\xffy", "f:2:2: error: msg\n    \\xffy\n        ^"},
        {1, 0, "abc\r\n", "f:1: error: msg\n    abc"},
        {0, 0, "abc", "f: error: msg"},
        {7, 2, NULL, "f:7:2: error: msg"},
        {1, 4, "abc", "f:1:4: error: msg\n    abc\n       ^"},
        {1, 8, "abc", "f:1:8: error: msg\n    abc\n       ^"},
        {1, 1, "", "f:1:1: error: msg\n    \n    ^"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_free_ char *got = format_at(t[i].line, t[i].col, t[i].source);

        cr_expect_str_eq(got, t[i].out, "row %zu:\n%s", i, got);
    }
}

Test(diag, long_lines_are_cut_around_the_caret)
{
    _cleanup_free_ char *source = xmalloc(100001);

    memset(source, 'x', 100000);
    source[100000] = '\0';
    source[49999] = 'T';
    _cleanup_free_ char *got = format_at(1, 50000, source);
    _cleanup_strv_ struct strv lines = STRV_INIT;
    strv_split(&lines, got, '\n');
    cr_assert_eq(lines.n, 3);
    cr_assert_lt(strlen(lines.v[1]), 200);
    /* The ellipsis in front is one column and three bytes. */
    size_t caret = strlen(lines.v[2]) - 1;
    cr_assert_eq(lines.v[2][caret], '^');
    cr_assert_eq(lines.v[1][caret + 2], 'T');
    _cleanup_free_ char *far = format_at(1, 4000000000U, "short");
    cr_assert_lt(strlen(far), 400);
}

Test(diag, without_a_file_it_is_the_message)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    diag_set_hint(diags_add(&d, DIAG_WARNING, "cpus", "too many"), "use %d", 4);
    diag_format(&d.v[0], &out);
    cr_assert_str_eq(sbuf_str(&out), "warning: too many\n    hint: use 4");
    cr_assert_not(diags_has_errors(&d));
    diags_add(&d, DIAG_ERROR, "x", "y");
    cr_assert(diags_has_errors(&d));
    cr_assert_eq(diags_count(&d, DIAG_WARNING), 1);
    cr_assert_str_eq(d.v[0].path, "cpus");
}

/* ---- log -------------------------------------------------------------------------------- */

static char *read_file_text(const char *path)
{
    char *text = file_read(path, 1 << 20, NULL, NULL);

    cr_assert_not_null(text);
    return text;
}

/* One line written to a file, with the time cut out of it: of d, or of msg. */
static char *logged_line(enum log_format format, enum log_level level, const char *msg,
                         const struct diag *d)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "log");
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    setenv("TZ", "UTC0", 1);
    log_set_fd(fd);
    log_set_format(format);
    if (d)
        log_diag(d);
    else
        log_msg(level, "%s", msg);
    log_set_fd(STDERR_FILENO);
    char *text = read_file_text(path);
    char *stamp = strstr(text, "time\":\"");
    stamp = stamp ? stamp + 7 : strstr(text, "time=\"") + 6;
    cr_assert_eq(strcspn(stamp, "\""), strlen("2026-01-02T03:04:05Z"), "%s", text);
    cr_assert_eq(stamp[4], '-');
    cr_assert_eq(stamp[10], 'T');
    cr_assert_eq(stamp[19], 'Z');
    memmove(stamp, stamp + 20, strlen(stamp + 20) + 1);
    return text;
}

static char *logged(enum log_format format, enum log_level level, const char *msg)
{
    return logged_line(format, level, msg, NULL);
}

Test(log, text_lines)
{
    static const struct {
        enum log_level level;
        const char *msg, *out;
    } t[] = {
        {LOG_INFO, "word", "time=\"\" level=info msg=word\n"},
        {LOG_WARN, "two words", "time=\"\" level=warning msg=\"two words\"\n"},
        {LOG_ERROR, "a/b.c_d-e@f^g+h", "time=\"\" level=error msg=a/b.c_d-e@f^g+h\n"},
        {LOG_FATAL, "say \"hi\" \\ there",
         "time=\"\" level=fatal msg=\"say \\\"hi\\\" \\\\ there\"\n"},
        {LOG_INFO, "", "time=\"\" level=info msg=\n"},
        {LOG_INFO, "gr\xc3\xbc\xc3\x9f", "time=\"\" level=info msg=\"gr\xc3\xbc\xc3\x9f\"\n"},
        {LOG_INFO, "x\nlevel=error\x1b[2J\v\xff",
         "time=\"\" level=info msg=\"x\\nlevel=error\\x1b[2J\\v\\xff\"\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_free_ char *got = logged(LOG_FORMAT_TEXT, t[i].level, t[i].msg);

        cr_expect_str_eq(got, t[i].out, "row %zu: %s", i, got);
    }
}

Test(log, S21_json_lines)
{
    _cleanup_free_ char *a =
        logged(LOG_FORMAT_JSON, LOG_WARN, "q\" b\\ n\n t\t e\x1b u\xc3\xbc bad\xff");
    _cleanup_free_ char *b = logged(LOG_FORMAT_JSON, LOG_INFO, "\xe2\x80\xa8 \x7f \xc2\x9b");

    cr_expect_str_eq(a,
                     "{\"level\":\"warning\",\"msg\":\"q\\\" b\\\\ n\\n t\\t e\\u001b u\xc3\xbc "
                     "bad\\ufffd\",\"time\":\"\"}\n",
                     "%s", a);
    cr_expect_str_eq(b, "{\"level\":\"info\",\"msg\":\"\\u2028 \\u007f \\u009b\",\"time\":\"\"}\n",
                     "%s", b);
}

/* A problem is one line; in JSON its parts are members. */
Test(log, problems)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct diag *p = diags_add(&d, DIAG_ERROR, "ssh.localPort", "must not be \"22\"");

    diag_set_kind(p, "ssh-port");
    diag_set_hint(p, "write 0");
    diag_set_position(p, "a b.yaml", 3, 14, "  localPort: 22");
    diags_add(&d, DIAG_WARNING, NULL, "odd");
    _cleanup_free_ char *text = logged_line(LOG_FORMAT_TEXT, LOG_INFO, NULL, &d.v[0]);
    _cleanup_free_ char *json = logged_line(LOG_FORMAT_JSON, LOG_INFO, NULL, &d.v[0]);
    _cleanup_free_ char *bare = logged_line(LOG_FORMAT_JSON, LOG_INFO, NULL, &d.v[1]);
    cr_expect_str_eq(text, "time=\"\" level=error msg=\"a b.yaml:3:14: must not be \\\"22\\\"; "
                           "hint: write 0\"\n");
    cr_expect_str_eq(json, "{\"level\":\"error\",\"msg\":\"a b.yaml:3:14: must not be \\\"22\\\"; "
                           "hint: write 0\",\"time\":\"\",\"file\":\"a b.yaml\",\"line\":3,"
                           "\"column\":14,\"path\":\"ssh.localPort\",\"kind\":\"ssh-port\","
                           "\"message\":\"must not be \\\"22\\\"\",\"hint\":\"write 0\"}\n");
    cr_expect_str_eq(bare, "{\"level\":\"warning\",\"msg\":\"odd\",\"time\":\"\","
                           "\"message\":\"odd\"}\n");
}

static int hook_calls;

static void count_hook(void)
{
    hook_calls++;
}

/* Every terminal line needs a terminal: a pty's inner side, read from the outer one. */
static char *logged_on_terminal(enum log_level level, const char *msg)
{
    int outer, inner;
    char buf[512];

    cr_assert_eq(openpty(&outer, &inner, NULL, NULL, NULL), 0);
    log_set_fd(inner);
    log_set_format(LOG_FORMAT_TEXT);
    log_set_terminal_hooks(count_hook, count_hook);
    log_msg(level, "%s", msg);
    log_set_terminal_hooks(NULL, NULL);
    log_set_fd(STDERR_FILENO);
    ssize_t n = read(outer, buf, sizeof(buf) - 1);
    cr_assert_gt(n, 0);
    buf[n] = '\0';
    close(outer);
    close(inner);
    /* Seconds since the start: few, but not always none. */
    char *seconds = strstr(buf, "[00");
    cr_assert(seconds && strspn(seconds + 1, "0123456789") == 4 && seconds[5] == ']', "%s", buf);
    memcpy(seconds + 1, "SSSS", 4);
    return xstrdup(buf);
}

Test(log, terminal_lines)
{
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    _cleanup_free_ char *colour = logged_on_terminal(LOG_INFO, "hello\x1b[2J there");
    cr_expect_str_eq(colour, "\x1b[36mINFO\x1b[0m[SSSS] hello\\x1b[2J there\r\n", "%s", colour);
    cr_expect_eq(hook_calls, 2);
    setenv("NO_COLOR", "1", 1);
    _cleanup_free_ char *plain = logged_on_terminal(LOG_WARN, "careful");
    cr_expect_str_eq(plain, "WARN[SSSS] careful\r\n", "%s", plain);
}

Test(log, local_time_has_its_offset)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "log");
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    setenv("TZ", "NST3:30", 1); /* west of Greenwich, with half an hour */
    log_set_fd(fd);
    log_msg(LOG_INFO, "x");
    log_set_fd(STDERR_FILENO);
    _cleanup_free_ char *text = read_file_text(path);
    cr_assert_not_null(strstr(text, "-03:30\" level=info"), "%s", text);
}

Test(log, levels)
{
    enum log_level level = LOG_INFO;

    cr_assert_eq(log_level_from_string("warn", &level), 0);
    cr_assert_eq(level, LOG_WARN);
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        cr_assert_eq(log_level_from_string(log_level_to_string((enum log_level)i), &level), 0);
        cr_assert_eq(level, (enum log_level)i);
    }
    cr_assert_eq(log_level_from_string("loud", &level), -1);
    log_set_level(LOG_ERROR);
    log_set_fd(-1);
    int evaluated = 0;
    log_warn("%d", ++evaluated);
    cr_assert_eq(evaluated, 0, "arguments of a silent line are not evaluated");
    errno = EPERM;
    log_error("%d", ++evaluated);
    cr_assert_eq(evaluated, 1);
    cr_assert_eq(errno, EPERM, "a log line keeps errno");
}

Test(log, one_write_per_line)
{
    int fds[2];

    /* Packets keep the borders of writes. */
    cr_assert_eq(pipe2(fds, O_CLOEXEC | O_DIRECT), 0);
    log_set_fd(fds[1]);
    log_info("one %d", 1);
    log_info("two");
    log_set_fd(STDERR_FILENO);
    char buf[512];
    ssize_t n = read(fds[0], buf, sizeof(buf) - 1);
    cr_assert_gt(n, 0);
    buf[n] = '\0';
    cr_assert(str_ends(buf, "msg=\"one 1\"\n"), "%s", buf);
    n = read(fds[0], buf, sizeof(buf) - 1);
    cr_assert_gt(n, 0);
    buf[n] = '\0';
    cr_assert(str_ends(buf, "msg=two\n"), "%s", buf);
}
