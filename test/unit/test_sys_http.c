/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request over a unix socket, to a server that answers what it is told. */
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/http_call.h"
#include "sys/sock.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct server {
    char *dir, *path;
    pid_t pid;
};

/* What a request ends with: of a GET its head, of a POST its body. */
static void serve(int listener, const char *request_end, const char *answer)
{
    char request[65536 + 1];
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);

    for (;;) {
        ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

        if (n <= 0)
            _exit(1);
        len += (size_t)n;
        request[len] = '\0';
        if (str_ends(request, request_end))
            break;
    }
    if (!answer)
        pause();
    _exit(fd_write_all(fd, answer, strlen(answer)) < 0);
}

static void server_start(struct server *s, const char *request_end, const char *answer)
{
    s->dir = tmpdir_new();
    s->path = xasprintf("%s/s", s->dir);
    _cleanup_close_ int listener = unix_listen(s->path, 1, NULL);
    cr_assert_geq(listener, 0);
    fd_set_nonblock(listener, false);
    s->pid = fork();
    if (s->pid == 0)
        serve(listener, request_end, answer);
}

static void server_end(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    free(s->path);
    tmpdir_remove(&s->dir);
}

static struct http_call *call(const struct server *s, const char *json, int timeout_ms,
                              struct err *err)
{
    const struct http_request r = {
        .socket = s->path, .connect_ms = 30000, .path = "/page", .json = json, .answer_max = 4096};
    struct http_call *c = http_call_new(&r, err);

    cr_assert_not_null(c, "%s", err->msg);
    if (http_call_finish(c, deadline_in(timeout_ms), err) == 0)
        return c;
    http_call_free(c);
    return NULL;
}

static void expect_failure(const char *answer, int timeout_ms, enum err_kind kind, const char *text)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct server s;

    server_start(&s, "\r\n\r\n", answer);
    cr_assert_null(call(&s, NULL, timeout_ms, &err));
    cr_assert_eq(err.kind, kind, "%s", err.msg);
    cr_assert_str_eq(err.msg, text);
    server_end(&s);
}

Test(http_call, get_and_post)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct server s;
    size_t len;

    server_start(&s, "\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nwell");
    struct http_call *c = call(&s, NULL, 30000, &err);
    cr_assert_not_null(c, "%s", err.msg);
    cr_assert_eq(http_call_status(c), 200);
    cr_assert_str_eq(http_call_body(c, &len), "well");
    cr_assert_eq(len, 4);
    http_call_free(c);
    server_end(&s);

    server_start(&s, "Content-Length: 7\r\n\r\n{\"a\":1}",
                 "HTTP/1.0 500 No\r\n\r\nit does not\x01 want to\r\n");
    c = call(&s, "{\"a\":1}", 30000, &err);
    cr_assert_not_null(c, "%s", err.msg);
    cr_assert_eq(http_call_status(c), 500);
    cr_assert_eq(http_call_refused(c, &err), -1);
    cr_assert_eq(err.kind, ERR_NET);
    cr_assert_str_eq(err.msg, "/page: status 500: it does not\\x01 want to");
    http_call_free(c);
    server_end(&s);
}

Test(http_call, what_is_no_answer)
{
    _cleanup_free_ char *filler = xmalloc(8192 + 1), *long_answer = NULL;

    memset(filler, 'x', 8192);
    filler[8192] = '\0';
    long_answer = xasprintf("HTTP/1.0 200 OK\r\n\r\n%s", filler);
    expect_failure("", 30000, ERR_PROTOCOL, "/page: the connection ended without an answer");
    expect_failure("hello", 30000, ERR_PROTOCOL, "/page: the answer is not HTTP");
    expect_failure("HTTP/1.0 200 OK\r\n", 30000, ERR_PROTOCOL, "/page: the answer is not HTTP");
    expect_failure("HTTP/2 200 OK\r\n\r\n", 30000, ERR_PROTOCOL, "/page: the answer is not HTTP");
    expect_failure(long_answer, 30000, ERR_PROTOCOL, "/page: the answer is too long");
    expect_failure(NULL, 300, ERR_TIMEOUT, "/page: no answer in time");
}

Test(http_call, nobody_there)
{
    const struct http_request r = {
        .socket = "/nonexistent/s", .connect_ms = 1000, .path = "/page", .answer_max = 10};
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_null(http_call_new(&r, &err));
    cr_assert_eq(err.kind, ERR_NOT_FOUND, "%s", err.msg);
}
