/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the daemon of a user-v2 network: HTTP over its unix socket (NW-04). */
#ifndef CIMA_DRIVER_QEMU_USERNET_CALL_H
#define CIMA_DRIVER_QEMU_USERNET_CALL_H

#include "json/json.h"
#include "sys/http_call.h"

/* Connects and prepares a request; body NULL: a GET. NULL with err when nobody listens at endpoint.
 */
struct http_call *usernet_call_new(const char *endpoint, const char *path,
                                   const struct json *body, struct err *err);
/* As http_call_step(), but every status other than 200 is an error: the daemon's own words. */
int usernet_call_step(struct http_call *c, struct err *err);
/* All of it, within timeout_ms. */
int usernet_call_now(const char *endpoint, const char *path, const struct json *body,
                     int timeout_ms, struct err *err);

#endif
