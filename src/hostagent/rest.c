/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/rest.h"
#include "base/log.h"
#include "base/mem.h"
#include "hostagent/monitor.h"
#include "json/json.h"
#include "sys/sock.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#define BACKLOG 16
#define HEADERS_MAX 8192
#define BODY_MAX (1 << 20)
#define TIMEOUT_S 5

struct rest {
    char *path;
    struct evhttp *http;
    const struct event *status;
    struct monitor *monitor;
};

void rest_reply(struct evhttp_request *req, int code, const char *reason, const struct json *body)
{
    _cleanup_free_ char *text = json_dump(body);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    struct evbuffer *out = evbuffer_new();

    if (!out) {
        evhttp_send_error(req, HTTP_INTERNAL, NULL);
        return;
    }
    evhttp_add_header(headers, "Content-Type", "application/json");
    /* One question per connection: an idle client keeps nothing open here. */
    evhttp_add_header(headers, "Connection", "close");
    evbuffer_add_printf(out, "%s\n", text);
    evhttp_send_reply(req, code, reason, out);
    evbuffer_free(out);
}

void rest_reply_error(struct evhttp_request *req, int code, const char *reason,
                      const char *message)
{
    _cleanup_json_ struct json *body = json_object_new();

    json_set_str(body, "message", message);
    rest_reply(req, code, reason, body);
}

/* The file mode keeps others out already; this also keeps out who was handed an open socket. */
static bool peer_is_us(struct evhttp_request *req)
{
    struct bufferevent *bev =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
    unsigned uid = 0;

    return bev && unix_peer_uid(bufferevent_getfd(bev), &uid) == 0 &&
           (uid == geteuid() || uid == 0);
}

static void get_info(struct rest *r, struct evhttp_request *req)
{
    _cleanup_json_ struct json *body = json_object_new();
    const struct event *st = r->status;

    json_set_int(body, "sshLocalPort", st->ssh_local_port);
    json_set_str(body, "stage", stage_to_string(st->stage));
    json_set_bool(body, "degraded", st->degraded);
    json_set(body, "errors", json_strings(&st->errors));
    rest_reply(req, HTTP_OK, "OK", body);
}

static void get_screenshot(struct rest *r, struct evhttp_request *req)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
    struct evkeyvalq params = {0};
    const char *format = NULL;

    if (query && evhttp_parse_query_str(query, &params) == 0)
        format = evhttp_find_header(&params, "format");
    monitor_screenshot(r->monitor, req, format);
    evhttp_clear_headers(&params);
}

static void post_monitor(struct rest *r, struct evhttp_request *req)
{
    monitor_post(r->monitor, req);
}

static const struct {
    const char *path;
    enum evhttp_cmd_type method;
    const char *method_only; /* what is said about others */
    void (*answer)(struct rest *r, struct evhttp_request *req);
} routes[] = {
    {"/v1/info", EVHTTP_REQ_GET, "only GET is allowed", get_info},
    {"/v1/monitor", EVHTTP_REQ_POST, "only POST is allowed", post_monitor},
    {"/v1/screenshot", EVHTTP_REQ_GET, "only GET is allowed", get_screenshot},
};

static void on_request(struct evhttp_request *req, void *arg)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));

    if (!peer_is_us(req)) {
        rest_reply_error(req, 403, "Forbidden", "this socket is another user's");
        return;
    }
    for (size_t i = 0; path && i < ARRAY_SIZE(routes); i++)
        if (streq(path, routes[i].path)) {
            if (evhttp_request_get_command(req) == routes[i].method)
                routes[i].answer(arg, req);
            else
                rest_reply_error(req, HTTP_BADMETHOD, "Method Not Allowed", routes[i].method_only);
            return;
        }
    rest_reply_error(req, HTTP_NOTFOUND, "Not Found", "no such page");
}

static void on_library_log(int severity, const char *msg)
{
    log_at(severity >= EVENT_LOG_WARN ? LOG_WARN : LOG_DEBUG, "libevent: %s", msg);
}

struct rest *rest_new(struct loop *loop, const char *path, const struct event *status,
                      struct err *err)
{
    _cleanup_close_ int fd = unix_listen(path, BACKLOG, err);

    if (fd < 0)
        return NULL;
    event_set_log_callback(on_library_log);
    if (fd_set_nonblock(fd, true)) {
        err_set_errno(err, ERR_IO, "could not prepare the socket '%s'", path);
        return NULL;
    }
    struct evhttp *http = evhttp_new(loop_event_base(loop));
    if (!http || evhttp_accept_socket(http, fd)) {
        if (http)
            evhttp_free(http);
        err_set(err, ERR_INTERNAL, "could not start the HTTP server on '%s'", path);
        return NULL;
    }
    TAKE_FD(fd); /* the server closes it */
    evhttp_set_max_headers_size(http, HEADERS_MAX);
    evhttp_set_max_body_size(http, BODY_MAX);
    evhttp_set_timeout(http, TIMEOUT_S);
    evhttp_set_allowed_methods(http, UINT16_MAX);

    struct rest *r = xcalloc(1, sizeof(*r));
    r->path = xstrdup(path);
    r->http = http;
    r->status = status;
    r->monitor = monitor_new(loop);
    evhttp_set_gencb(http, on_request, r);
    return r;
}

void rest_attach(struct rest *r, const struct instance *inst, const struct driver *driver,
                 struct vm *vm)
{
    if (r)
        monitor_attach(r->monitor, inst, driver, vm);
}

void rest_free(struct rest *r)
{
    if (!r)
        return;
    monitor_free(r->monitor);
    evhttp_free(r->http);
    unlink(r->path);
    free(r->path);
    free(r);
}
