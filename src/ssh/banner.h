/* SPDX-License-Identifier: Apache-2.0 */
/* Does an ssh server answer on a port of 127.0.0.1? One try: connect, read the first bytes. */
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

struct banner;

/* Called once from the loop; the try is gone then. text is printable. */
typedef void banner_fn(void *arg, enum banner_result result, const char *text);
struct banner *banner_start(struct loop *loop, uint16_t port, banner_fn *fn, void *arg);
/* NULL is allowed. Returns NULL. */
struct banner *banner_free(struct banner *b);

#endif
