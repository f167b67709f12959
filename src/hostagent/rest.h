/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on ha.sock (HA-15). */
#ifndef CIMA_HOSTAGENT_REST_H
#define CIMA_HOSTAGENT_REST_H

#include "hostagent/event.h"
#include "sys/loop.h"

struct rest;

/* Listens on the unix socket (0600; only our own user is answered). status is borrowed and read at
 * each request. */
struct rest *rest_new(struct loop *loop, const char *path, const struct event *status,
                      struct err *err);
/* Removes the socket. NULL is allowed. */
void rest_free(struct rest *r);

#endif
