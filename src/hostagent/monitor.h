/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor of the machine for other processes of the user, over HTTP: only the agent is
 * connected to it. Requests wait for QEMU, the agent does not. */
#ifndef CIMA_HOSTAGENT_MONITOR_H
#define CIMA_HOSTAGENT_MONITOR_H

#include "driver/tools.h"
#include "sys/loop.h"

struct monitor;
struct evhttp_request;

struct monitor *monitor_new(struct loop *loop);
/* Answers everybody who waits. */
void monitor_free(struct monitor *m);
/* The machine that is meant from now on; vm NULL: it is gone, who waits is answered. */
void monitor_attach(struct monitor *m, const struct instance *inst, const struct driver *driver,
                    struct vm *vm);
/* POST /v1/monitor {"execute": NAME, "arguments": {…}}: {"return": …}, or {"message": …, "error":
 * the error object}. */
void monitor_post(struct monitor *m, struct evhttp_request *req);
/* GET /v1/screenshot (HA-15). */
void monitor_screenshot(struct monitor *m, struct evhttp_request *req, const char *format);

/* rest.c: answers. */
void rest_reply(struct evhttp_request *req, int code, const char *reason, const struct json *body);
void rest_reply_error(struct evhttp_request *req, int code, const char *reason,
                      const char *message);

#endif
