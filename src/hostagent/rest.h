/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on ha.sock (HA-15). */
#ifndef CIMA_HOSTAGENT_REST_H
#define CIMA_HOSTAGENT_REST_H

#include "driver/driver.h"
#include "hostagent/event.h"
#include "sys/loop.h"

struct rest;

/* Listens on the unix socket (0600; only our own user is answered). status is borrowed and read at
 * each request. */
struct rest *rest_new(struct loop *loop, const char *path, const struct event *status,
                      struct err *err);
/* The machine behind /v1/monitor and /v1/screenshot, all of it borrowed; vm NULL: none any more. r
 * NULL is allowed. */
void rest_attach(struct rest *r, const struct instance *inst, const struct driver *driver,
                 struct vm *vm);
/* Removes the socket. NULL is allowed. */
void rest_free(struct rest *r);

#endif
