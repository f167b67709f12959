/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the daemon of a user-v2 network: HTTP over its unix socket (NW-04). It owns no
 * loop: whoever has one waits for usernet_call_fd() and calls usernet_call_step(). */
#ifndef CIMA_DRIVER_QEMU_USERNET_CALL_H
#define CIMA_DRIVER_QEMU_USERNET_CALL_H

#include "base/err.h"
#include "json/json.h"
#include <stdint.h>

struct usernet_call;

/* Connects and prepares a request; body NULL: a GET. NULL with err when nobody listens at endpoint.
 */
struct usernet_call *usernet_call_new(const char *endpoint, const char *path,
                                      const struct json *body, struct err *err);
/* NULL is allowed. */
void usernet_call_free(struct usernet_call *c);
int usernet_call_fd(const struct usernet_call *c);
/* POLLIN or POLLOUT. */
short usernet_call_wants(const struct usernet_call *c);
/* Writes or reads what is possible; never blocks. 1: answered with status 200, its text is in
 * usernet_call_body(); 0: not yet; -1: refused (the daemon's own words are the message), or an
 * answer that is none. */
int usernet_call_step(struct usernet_call *c, struct err *err);
const char *usernet_call_body(const struct usernet_call *c, size_t *ret_len);
/* All of it, within timeout_ms. */
int usernet_call_now(const char *endpoint, const char *path, const struct json *body,
                     int timeout_ms, struct err *err);

#endif
