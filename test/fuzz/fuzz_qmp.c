/* SPDX-License-Identifier: Apache-2.0 */
/* What QEMU's monitor may say: the input is what comes out of the socket, in pieces whose size the
 * first byte chooses. Whatever it is, every command is answered exactly once unless it was
 * cancelled, descriptors go along with their commands and never twice, nothing is said after the
 * end, and the client never waits for ever. The last byte chooses what the client does meanwhile.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cima/qemu/commands.h"
#include "qemu/qmp_message.h"
#include <assert.h>
#include <poll.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS = 7, FD_COMMANDS = 2, INPUT_LIMIT = 1 << 16, BIG = 20000 };
enum { WANT_OOB = 1, SMALL_BUFFER = 2, CANCEL = 4, WATCH = 8, SHUTDOWN = 16 };

struct client {
    struct cima_qmp *q;
    struct cima_qmp_watch *watch;
    int peer;
    unsigned how;
    unsigned answers[COMMANDS];
    uint64_t ids[COMMANDS];
    bool cancelled[COMMANDS];
    unsigned ready, closed, events;
    struct sbuf sent; /* what the other end got */
    unsigned fds;     /* descriptors that it got */
};

struct answer {
    struct client *client;
    unsigned index;
};

static void on_ready(void *arg, const struct json *greeting)
{
    struct client *c = arg;
    unsigned version[3];

    assert(qmp_version(greeting, version) == 0 && version[0] >= CIMA_QMP_OLDEST_MAJOR);
    assert(!c->closed);
    c->ready++;
}

static void on_event(void *arg, const struct cima_qmp_event *e)
{
    struct client *c = arg;

    assert(e->name && !c->closed);
    assert(!e->data || json_is_object(e->data));
    c->events++;
    cima_qmp_process(c->q, 1); /* what an eager owner does */
    if (c->how & CANCEL) {
        unsigned i = c->events % COMMANDS;

        cima_qmp_cancel(c->q, c->ids[i]);
        c->cancelled[i] = true;
    }
    if (c->how & SHUTDOWN && c->events == 5)
        cima_qmp_shutdown(c->q);
}

static void on_closed(void *arg, const struct err *why)
{
    struct client *c = arg;

    assert(why && why->msg);
    c->closed++;
}

static void on_line(void *arg, bool out, const char *text, size_t len)
{
    struct client *c = arg;

    assert(!c->closed && text);
    assert(!out || !memmem(text, len, "geheim", 6));
}

static void on_answer(void *arg, const struct json *ret, const struct err *err)
{
    struct answer *a = arg;

    assert((ret != NULL) != (err != NULL));
    assert(!err || (err->msg && err->kind != ERR_NONE && err->context.n));
    a->client->answers[a->index]++;
}

static void send_commands(struct client *c, struct answer *answers)
{
    struct cima_qmp_call calls[COMMANDS] = {
        cima_cmd_query_status(),
        cima_cmd_system_powerdown(),
        cima_cmd_device_del("d"),
        cima_cmd_getfd("name", c->peer),
        cima_cmd_add_fd(-1, c->peer, NULL),
        {.command = "yank", .out_of_band = true},
        cima_cmd_change_vnc_password("geheim"),
    };

    if (c->how & SMALL_BUFFER) {
        _cleanup_free_ char *big = xcalloc(1, BIG + 1);

        memset(big, 'x', BIG);
        json_set_str(calls[4].args, "opaque", big);
    }
    for (unsigned i = 0; i < COMMANDS; i++) {
        answers[i] = (struct answer){c, i};
        calls[i].timeout_ms = 1000;
        calls[i].done = on_answer;
        calls[i].arg = &answers[i];
        c->ids[i] = cima_qmp_send(c->q, &calls[i], 0);
    }
}

/* What the client wrote, with its descriptors. */
static void drain(struct client *c)
{
    for (;;) {
        union {
            char buf[CMSG_SPACE(8 * sizeof(int))];
            struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_base = sbuf_reserve(&c->sent, 4096), .iov_len = 4096};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.buf,
                           .msg_controllen = sizeof(control.buf)};
        ssize_t n = recvmsg(c->peer, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n <= 0)
            return;
        sbuf_grown(&c->sent, (size_t)n);
        for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
            int fd;

            assert(h->cmsg_len == CMSG_LEN(sizeof(int)));
            memcpy(&fd, CMSG_DATA(h), sizeof(fd));
            close(fd);
            c->fds++;
        }
    }
}

static unsigned count(const struct sbuf *s, const char *word)
{
    unsigned n = 0;

    for (const char *at = sbuf_str(s); (at = strstr(at, word)); at++)
        n++;
    return n;
}

static void check_sent(const struct client *c)
{
    unsigned named =
        count(&c->sent, "{\"execute\":\"getfd\"") + count(&c->sent, "{\"execute\":\"add-fd\"");

    /* A line that has begun has sent its descriptor, even if no more than "{" of it came. */
    assert(named <= c->fds && c->fds <= named + 1 && c->fds <= FD_COMMANDS);
    assert(count(&c->sent, "exec-oob") <= (c->how & WANT_OOB ? 1U : 0U));
    assert(c->ready || count(&c->sent, "execute") <= 1);
}

static void begin(struct client *c, unsigned how, int pair[2])
{
    static const struct cima_qmp_handlers handlers = {
        .ready = on_ready, .event = on_event, .closed = on_closed, .line = on_line};
    int small = 1;

    c->how = how;
    c->peer = pair[1];
    if (how & SMALL_BUFFER)
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    c->q = cima_qmp_new(pair[0], &handlers, c, 100, 0);
    if (how & WANT_OOB)
        cima_qmp_want_oob(c->q);
    if (how & WATCH)
        c->watch = cima_qmp_watch_new(c->q, NULL, "device", "d");
}

/* All deadlines pass, then the other end goes. */
static void end(struct client *c)
{
    cima_qmp_process(c->q, 5000);
    drain(c);
    check_sent(c);
    close(c->peer);
    for (int i = 0; i < 3; i++)
        cima_qmp_process(c->q, 5001);
    assert(cima_qmp_state(c->q) == CIMA_QMP_DEAD && c->closed == 1 && c->ready <= 1);
    assert(cima_qmp_deadline(c->q) == -1 && cima_qmp_wants(c->q) == 0);
    for (unsigned i = 0; i < COMMANDS; i++)
        assert(c->answers[i] == 1 || (c->cancelled[i] && c->answers[i] == 0));
    if (c->events % 2)
        cima_qmp_watch_free(c->watch);
    cima_qmp_free(c->q);
    if (c->events % 2 == 0)
        cima_qmp_watch_free(c->watch);
    sbuf_release(&c->sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client c = {.sent = SBUF_INIT};
    struct answer answers[COMMANDS];
    size_t piece = size && data[0] % 2 ? data[0] : INPUT_LIMIT;
    int pair[2];

    log_set_level(LOG_LEVEL_COUNT);
    if (size > INPUT_LIMIT || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 0;
    begin(&c, size ? data[size - 1] : 0, pair);
    send_commands(&c, answers);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        ssize_t sent = send(pair[1], data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        (void)sent; /* a client that has closed is told nothing more */
        cima_qmp_process(c.q, 1);
        drain(&c);
    }
    end(&c);
    return 0;
}
