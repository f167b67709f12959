/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/monitor.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <poll.h>

#define PENDING_MAX 64

/* Somebody who waits for an answer. */
struct pending {
    struct pending *next;
    struct monitor *m;
    struct evhttp_request *req;
    int fd; /* its connection, for `leaves` */
    struct event *leaves;
    uint64_t number;
    struct driver_shot shot;
};

struct monitor {
    struct loop *loop;
    const struct instance *inst;
    const struct driver *driver;
    struct vm *vm; /* NULL: none */
    struct pending *pending;
    unsigned n_pending;
};

/* ---- answers --------------------------------------------------------------------------------- */

static const struct {
    enum err_kind kind;
    int code;
    const char *reason;
} codes[] = {
    {ERR_USAGE, HTTP_BADREQUEST, "Bad Request"},
    {ERR_PROTOCOL, HTTP_BADREQUEST, "Bad Request"},
    {ERR_PERMISSION, 403, "Forbidden"},
    {ERR_STATE, 409, "Conflict"},
    {ERR_BUSY, HTTP_SERVUNAVAIL, "Service Unavailable"},
    {ERR_UNSUPPORTED, HTTP_NOTIMPLEMENTED, "Not Implemented"},
    {ERR_QEMU, 502, "Bad Gateway"},
};

static void reply_err(struct evhttp_request *req, const struct err *err)
{
    _cleanup_json_ struct json *body = json_object_new();
    _cleanup_free_ char *text = err_message(err);
    int code = HTTP_INTERNAL;
    const char *reason = "Internal Server Error";

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].kind == err->kind) {
            code = codes[i].code;
            reason = codes[i].reason;
        }
    json_set_str(body, "message", text);
    json_set(body, "error", err_to_json(err));
    rest_reply(req, code, reason, body);
}

static void reply_picture(struct evhttp_request *req, enum picture_format format,
                          const struct sbuf *data)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    struct evbuffer *out = evbuffer_new();

    if (!out || evbuffer_add(out, data->buf, data->len)) {
        evhttp_send_error(req, HTTP_INTERNAL, NULL);
    } else {
        evhttp_add_header(headers, "Content-Type",
                          format == PICTURE_BMP ? "image/bmp" : "image/png");
        evhttp_add_header(headers, "Connection", "close");
        evhttp_send_reply(req, HTTP_OK, "OK", out);
    }
    if (out)
        evbuffer_free(out);
}

/* ---- who waits ------------------------------------------------------------------------------- */

static void pending_free(struct pending *p)
{
    driver_shot_release(&p->shot);
    if (p->leaves)
        event_free(p->leaves);
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}

/* Out of the list; its request is the caller's. */
static struct evhttp_request *finish(struct pending *p)
{
    struct monitor *m = p->m;
    struct evhttp_request *req = p->req;
    struct pending **at = &m->pending;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    m->n_pending--;
    pending_free(p);
    return req;
}

static void finish_all(struct monitor *m, const char *why)
{
    while (m->pending) {
        struct pending *p = m->pending;
        _cleanup_err_ struct err err = ERR_INIT;

        if (m->vm && p->number)
            m->driver->tools->cancel(m->vm, p->number);
        err_set(&err, ERR_STATE, "%s", why);
        reply_err(finish(p), &err);
    }
}

/* What nobody waits for any more need not be asked. Who only has nothing more to say waits. */
static void on_leave(evutil_socket_t fd, short what, void *arg)
{
    struct pollfd look = {.fd = fd};
    struct pending *p = arg;

    (void)what;
    if (poll(&look, 1, 0) <= 0 || !(look.revents & POLLHUP))
        return;
    if (p->number)
        p->m->driver->tools->cancel(p->m->vm, p->number);
    rest_reply_error(finish(p), HTTP_SERVUNAVAIL, "Service Unavailable", "nobody waits");
}

/* The HTTP library does not read from a connection that waits for its answer. A descriptor of our
 * own, because ours is edge-triggered: a connection that is half closed stays so. */
static void watch(struct pending *p)
{
    struct evhttp_connection *c = evhttp_request_get_connection(p->req);
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(c));

    p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (p->fd < 0) {
        log_warn("nobody will see whether who asks the monitor leaves: %s", strerror(errno));
        return;
    }
    p->leaves = event_new(loop_event_base(p->m->loop), p->fd, EV_CLOSED | EV_ET | EV_PERSIST,
                          on_leave, p);
    if (!p->leaves || event_add(p->leaves, NULL) < 0)
        abort(); /* out of memory */
}

static struct pending *pending_new(struct monitor *m, struct evhttp_request *req)
{
    struct pending *p = xcalloc(1, sizeof(*p));

    p->m = m;
    p->req = req;
    watch(p);
    p->next = m->pending;
    m->pending = p;
    m->n_pending++;
    return p;
}

static int check_machine(const struct monitor *m, struct err *err)
{
    if (!m->vm) {
        err_set(err, ERR_STATE, "the machine does not run (yet)");
        return err_hint(err, "wait until the instance has started");
    }
    if (!m->driver->tools)
        return err_set(err, ERR_UNSUPPORTED, "the driver '%s' has no monitor", m->driver->name);
    if (m->n_pending >= PENDING_MAX)
        return err_set(err, ERR_BUSY, "%u commands wait for the machine's monitor already",
                       m->n_pending);
    return 0;
}

static int send_command(struct pending *p, const char *command, struct json *args,
                        driver_reply_fn *done, struct err *err)
{
    struct monitor *m = p->m;

    p->number = m->driver->tools->send(m->vm, command, args, done, p);
    if (p->number)
        return 0;
    return err_set(err, ERR_STATE, "the connection to the machine's monitor is lost");
}

/* ---- POST /v1/monitor ------------------------------------------------------------------------ */

static void on_reply(void *arg, const struct json *ret, const struct err *err)
{
    struct pending *p = arg;
    struct evhttp_request *req = finish(p);

    if (err) {
        reply_err(req, err);
        return;
    }
    _cleanup_json_ struct json *body = json_object_new();
    json_set(body, "return", ret ? json_copy(ret) : json_object_new());
    rest_reply(req, HTTP_OK, "OK", body);
}

static struct json *read_body(struct evhttp_request *req, struct err *err)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t len = evbuffer_get_length(in);
    const unsigned char *text = len ? evbuffer_pullup(in, -1) : NULL;

    return json_parse(text ? (const char *)text : "", len, "request", err);
}

static int check_request(const struct json *body, struct err *err)
{
    const char *command = json_get_str(body, "execute");
    const struct json *args = json_get(body, "arguments");

    if (str_empty(command) || (args && !json_is_object(args)))
        return err_set(err, ERR_USAGE,
                       "a request is {\"execute\": NAME, \"arguments\": {…}}, without arguments "
                       "for none");
    /* It would change the connection itself, on which our own commands go. */
    if (streq(command, "qmp_capabilities"))
        return err_set(err, ERR_PERMISSION,
                       "'%s' is not passed on: it belongs to the connection of the host agent",
                       command);
    return 0;
}

void monitor_post(struct monitor *m, struct evhttp_request *req)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *body = read_body(req, &err);

    if (!body || check_request(body, &err) < 0 || check_machine(m, &err) < 0) {
        reply_err(req, &err);
        return;
    }
    struct pending *p = pending_new(m, req);
    const struct json *args = json_get(body, "arguments");
    log_debug("monitor: %s, for somebody else", json_get_str(body, "execute"));
    if (send_command(p, json_get_str(body, "execute"), args ? json_copy(args) : NULL, on_reply,
                     &err) < 0)
        reply_err(finish(p), &err);
}

/* ---- GET /v1/screenshot ---------------------------------------------------------------------- */

static void on_shot(void *arg, const struct json *ret, const struct err *failure);

static int ask_shot(struct pending *p, struct err *err)
{
    const struct monitor *m = p->m;
    struct json *args = NULL;

    if (m->driver->tools->shot_begin(m->inst, &p->shot, &args, err) < 0)
        return -1;
    return send_command(p, p->shot.command, args, on_shot, err);
}

static void on_shot(void *arg, const struct json *ret, const struct err *failure)
{
    struct pending *p = arg;
    _cleanup_sbuf_ struct sbuf picture = SBUF_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum picture_format format = p->shot.format;
    int r = p->m->driver->tools->shot_end(&p->shot, failure, &picture, &err);

    (void)ret;
    if (r > 0)
        r = ask_shot(p, &err);
    else if (r == 0)
        reply_picture(finish(p), format, &picture);
    if (r >= 0)
        return;
    if (err.kind == ERR_STATE) /* HA-15 */
        rest_reply_error(finish(p), 422, "Unprocessable Entity", err.msg);
    else
        reply_err(finish(p), &err);
}

void monitor_screenshot(struct monitor *m, struct evhttp_request *req, const char *format)
{
    _cleanup_err_ struct err err = ERR_INIT;
    enum picture_format f = PICTURE_PNG;

    if (format && picture_format_from_string(format, &f) < 0) {
        rest_reply_error(req, HTTP_BADREQUEST, "Bad Request", "format must be png or bmp");
        return;
    }
    if (check_machine(m, &err) < 0) {
        reply_err(req, &err);
        return;
    }
    struct pending *p = pending_new(m, req);
    p->shot.format = f;
    if (ask_shot(p, &err) < 0)
        reply_err(finish(p), &err);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct monitor *monitor_new(struct loop *loop)
{
    struct monitor *m = xcalloc(1, sizeof(*m));

    m->loop = loop;
    return m;
}

void monitor_attach(struct monitor *m, const struct instance *inst, const struct driver *driver,
                    struct vm *vm)
{
    if (!vm)
        finish_all(m, "the machine has ended");
    m->inst = inst;
    m->driver = driver;
    m->vm = vm;
}

void monitor_free(struct monitor *m)
{
    if (!m)
        return;
    finish_all(m, "the host agent ends");
    free(m);
}
