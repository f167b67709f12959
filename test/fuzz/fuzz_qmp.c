/* SPDX-License-Identifier: Apache-2.0 */
/* What QEMU's monitor may say: the input is what comes out of the socket, in pieces whose size the
 * first byte chooses. Whatever it is, every command is answered exactly once, nothing is said after
 * the end, and the client never waits for ever. */
#include "base/log.h"
#include "base/mem.h"
#include "qemu/qemu.h"
#include "qemu/qmp_message.h"
#include <assert.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS = 3, INPUT_LIMIT = 1 << 16 };

struct client {
    struct cima_qmp *q;
    unsigned answers[COMMANDS];
    unsigned ready, closed;
};

struct answer {
    struct client *client;
    unsigned index;
};

static void on_ready(void *arg, const struct json *greeting)
{
    struct client *c = arg;
    unsigned version[3];

    assert(qmp_version(greeting, version) == 0);
    assert(!c->closed);
    c->ready++;
}

static void on_event(void *arg, const struct cima_qmp_event *e)
{
    struct client *c = arg;

    assert(e->name && !c->closed);
    cima_qmp_process(c->q, 1); /* what an eager owner does */
}

static void on_closed(void *arg, const struct err *why)
{
    struct client *c = arg;

    assert(why && why->msg);
    c->closed++;
}

static void on_answer(void *arg, const struct json *ret, const struct err *err)
{
    struct answer *a = arg;

    assert((ret != NULL) != (err != NULL));
    a->client->answers[a->index]++;
}

static void send_commands(struct client *c, struct answer *answers)
{
    static const char *const names[COMMANDS] = {"query-status", "system_powerdown", "device_del"};
    static const char *const events[COMMANDS] = {NULL, "POWERDOWN", "DEVICE_DELETED"};

    for (unsigned i = 0; i < COMMANDS; i++) {
        struct cima_qmp_call call = {.command = names[i],
                                     .timeout_ms = 1000,
                                     .until_event = events[i],
                                     .until_value = i == 2 ? "d" : NULL,
                                     .done = on_answer,
                                     .arg = &answers[i]};

        answers[i] = (struct answer){c, i};
        cima_qmp_send(c->q, &call, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cima_qmp_handlers handlers = {
        .ready = on_ready, .event = on_event, .closed = on_closed};
    struct client c = {0};
    struct answer answers[COMMANDS];
    size_t piece = size && data[0] % 2 ? data[0] : INPUT_LIMIT;
    int pair[2];

    log_set_level(LOG_LEVEL_COUNT);
    if (size > INPUT_LIMIT || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return 0;
    c.q = cima_qmp_new(pair[0], &handlers, &c, 100, 0);
    send_commands(&c, answers);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        ssize_t sent = send(pair[1], data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        (void)sent; /* a client that has closed is told nothing more */
        cima_qmp_process(c.q, 1);
    }
    /* All deadlines pass, then the other end goes. */
    cima_qmp_process(c.q, 5000);
    close(pair[1]);
    cima_qmp_process(c.q, 5001);
    assert(cima_qmp_state(c.q) == CIMA_QMP_DEAD && c.closed == 1 && c.ready <= 1);
    assert(cima_qmp_deadline(c.q) == -1 && cima_qmp_wants(c.q) == 0);
    for (unsigned i = 0; i < COMMANDS; i++)
        assert(c.answers[i] == 1);
    cima_qmp_free(c.q);
    return 0;
}
