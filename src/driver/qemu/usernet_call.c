/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/usernet_call.h"
#include "sys/clock.h"

enum { ANSWER_MAX = 1 << 20, CONNECT_MS = 200, STATUS_OK = 200 };

struct http_call *usernet_call_new(const char *endpoint, const char *path, const struct json *body,
                                   struct err *err)
{
    _cleanup_free_ char *text = body ? json_dump(body) : NULL;
    const struct http_request r = {.socket = endpoint,
                                   .connect_ms = CONNECT_MS,
                                   .path = path,
                                   .json = text,
                                   .answer_max = ANSWER_MAX};

    return http_call_new(&r, err);
}

static int check_status(const struct http_call *c, struct err *err)
{
    return http_call_status(c) == STATUS_OK ? 0 : http_call_refused(c, err);
}

int usernet_call_step(struct http_call *c, struct err *err)
{
    int r = http_call_step(c, err);

    return r > 0 && check_status(c, err) < 0 ? -1 : r;
}

int usernet_call_now(const char *endpoint, const char *path, const struct json *body,
                     int timeout_ms, struct err *err)
{
    int64_t until = deadline_in(timeout_ms);
    _cleanup_http_call_ struct http_call *c = usernet_call_new(endpoint, path, body, err);

    if (!c || http_call_finish(c, until, err) < 0)
        return -1;
    return check_status(c, err);
}
