/* SPDX-License-Identifier: Apache-2.0 */
#include "fake/qmp_server.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "json/json.h"
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define CHUNK 65536

static int sock;
static struct sbuf in;
static int64_t last_id, kept[4];
static char *last_line;
static size_t got_fds;

static void put(const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(sock, data, len, MSG_NOSIGNAL);

        if (n < 0)
            _exit(0); /* the client has had enough */
        data += n;
        len -= (size_t)n;
    }
}

static void receive(void)
{
    union {
        char buf[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = sbuf_reserve(&in, CHUNK), .iov_len = CHUNK};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.buf,
                       .msg_controllen = sizeof(control.buf)};
    ssize_t n = recvmsg(sock, &m, 0);

    if (n <= 0)
        _exit(2);
    sbuf_grown(&in, (size_t)n);
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
        if (h->cmsg_type == SCM_RIGHTS)
            got_fds += (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static void expect(const char *command)
{
    struct err err = ERR_INIT;
    const char *nl;
    struct json *j;

    got_fds = 0;
    while (!(nl = in.len ? memchr(in.buf, '\n', in.len) : NULL))
        receive();
    j = json_parse(in.buf, (size_t)(nl - in.buf), "client", &err);
    if (!j || !(streq0(json_get_str(j, "execute"), command) ||
                streq0(json_get_str(j, "exec-oob"), command))) {
        fprintf(stderr, "fake QMP server: expected '%s', got: %.*s\n", command, (int)(nl - in.buf),
                in.buf);
        _exit(1);
    }
    last_id = json_get_int(j, "id", -1);
    json_free(j);
    free(last_line);
    last_line = xstrndup(in.buf, (size_t)(nl - in.buf));
    sbuf_consume(&in, (size_t)(nl - in.buf) + 1);
}

static void pause_ms(size_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

static void reply(const char *json, int64_t id)
{
    char *text = xasprintf("{\"return\": %s, \"id\": %lld}\r\n", json, (long long)id);

    put(text, strlen(text));
    free(text);
}

static void drip(const char *text, size_t pause_us)
{
    struct timespec t = {.tv_nsec = (long)pause_us * 1000};

    for (; *text; text++) {
        put(text, 1);
        nanosleep(&t, NULL);
    }
}

static void repeat(const char *text, size_t n)
{
    struct sbuf out = SBUF_INIT;

    while (n--) {
        sbuf_addstr(&out, text);
        if (out.len >= CHUNK || !n) {
            put(out.buf, out.len);
            sbuf_clear(&out);
        }
    }
    sbuf_release(&out);
}

static void await_signal(void)
{
    sigset_t set;
    int got;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigwait(&set, &got);
}

static void flood(size_t left)
{
    static char filler[CHUNK];

    memset(filler, 'x', sizeof(filler));
    while (left) {
        size_t n = left < CHUNK ? left : CHUNK;

        put(filler, n);
        left -= n;
    }
}

static void play(const struct qmp_step *s)
{
    char *text = NULL;

    switch (s->kind) {
    case QS_SEND:
        put(s->text, strlen(s->text));
        break;
    case QS_EXPECT:
        expect(s->text);
        break;
    case QS_REPLY:
        reply(s->text, last_id);
        break;
    case QS_KEEP:
        kept[s->n] = last_id;
        break;
    case QS_REPLY_KEPT:
        reply(s->text, kept[s->n]);
        break;
    case QS_HAS:
        if (!strstr(last_line, s->text)) {
            fprintf(stderr, "fake QMP server: no '%s' in %s\n", s->text, last_line);
            _exit(1);
        }
        break;
    case QS_DRIP:
        drip(s->text, s->n);
        break;
    case QS_REPEAT:
        repeat(s->text, s->n);
        break;
    case QS_SIGNAL:
        await_signal();
        break;
    case QS_SHUT:
        shutdown(sock, SHUT_RD);
        break;
    case QS_ERROR:
        text = xasprintf(
            "{\"id\": %lld, \"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"}}\r\n",
            (long long)last_id, s->text);
        put(text, strlen(text));
        break;
    case QS_FLOOD:
        flood(s->n);
        break;
    case QS_FDS:
        if (got_fds != s->n)
            _exit(1);
        break;
    case QS_SLEEP:
        pause_ms(s->n);
        break;
    case QS_HANG:
        for (;;)
            receive(); /* exits at the end of file */
    case QS_END:
        break;
    }
    free(text);
}

int qmp_server_start(const struct qmp_step *steps, pid_t *ret_pid)
{
    sigset_t set;
    int pair[2];
    pid_t pid;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    sigprocmask(SIG_BLOCK, &set, NULL); /* an early one waits in the child */
    pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        close(pair[0]);
        sock = pair[1];
        for (; steps->kind != QS_END; steps++)
            play(steps);
        _exit(0);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    close(pair[1]);
    *ret_pid = pid;
    return pair[0];
}

int qmp_server_end(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
