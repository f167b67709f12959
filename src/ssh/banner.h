/* SPDX-License-Identifier: Apache-2.0 */
/* Waits until an ssh server greets on a port of 127.0.0.1. QEMU accepts connections for a guest that
 * does not listen yet, and such a connection hangs until it times out: so new ones are made all the
 * time, and the older ones are kept for a while, because a guest under load needs its time for a
 * greeting. Nothing tells us when the guest begins to listen, so this has to poll; it gets slower
 * with the time. */
#ifndef CIMA_SSH_BANNER_H
#define CIMA_SSH_BANNER_H

#include "sys/loop.h"

enum banner_result {
    BANNER_OK,
    BANNER_REFUSED, /* nothing listens on the port */
    BANNER_SILENT,  /* connected, and then nothing */
    BANNER_CLOSED,  /* connected, and closed or reset before a greeting */
    BANNER_FOREIGN, /* something that is no ssh server; text holds what it said */
    BANNER_RESULT_COUNT,
};

struct banner_wait;

/* Called from the loop for each connection that ends without a greeting, and at last, once, with
 * BANNER_OK: the wait is gone then. text is printable. */
typedef void banner_fn(void *arg, enum banner_result result, const char *text);
struct banner_wait *banner_wait_start(struct loop *loop, uint16_t port, banner_fn *fn, void *arg);
/* NULL is allowed, and it may be called from within fn. Returns NULL. */
struct banner_wait *banner_wait_free(struct banner_wait *w);

#endif
