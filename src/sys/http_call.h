/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request over a unix socket. It owns no loop: whoever has one waits for http_call_fd()
 * and calls http_call_step(). */
#ifndef CIMA_SYS_HTTP_CALL_H
#define CIMA_SYS_HTTP_CALL_H

#include "base/err.h"

struct http_call;

/* Where and what. Everything is borrowed for the call of http_call_new(). */
struct http_request {
    const char *socket;
    int connect_ms; /* as in unix_connect() */
    const char *path;
    const char *json;  /* the body of a POST; NULL: a GET */
    size_t answer_max; /* bytes, with its head */
};

/* Connects and prepares the request. Errors as of unix_connect(). */
struct http_call *http_call_new(const struct http_request *r, struct err *err);
/* NULL is allowed. */
void http_call_free(struct http_call *c);
DEFINE_CLEANUP_PTR(http_call, http_call_free)
#define _cleanup_http_call_ _cleanup_(http_call_freep)

int http_call_fd(const struct http_call *c);
/* POLLIN or POLLOUT. */
short http_call_wants(const struct http_call *c);
/* Writes or reads what is possible; never blocks. 1: answered, with any status; 0: not yet; -1: the
 * connection fails (ERR_NET), or the answer is none or too long (ERR_PROTOCOL). */
int http_call_step(struct http_call *c, struct err *err);
/* All of it, until that moment (deadline_in()): then ERR_TIMEOUT. */
int http_call_finish(struct http_call *c, int64_t until, struct err *err);

/* Of an answered one. */
unsigned http_call_status(const struct http_call *c);
/* Belongs to the call; a NUL follows it. */
const char *http_call_body(const struct http_call *c, size_t *ret_len);
/* The status as an error (ERR_NET), with the words of the answer. Returns -1. */
int http_call_refused(const struct http_call *c, struct err *err);

#endif
