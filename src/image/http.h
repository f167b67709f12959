/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request by the helper program cima-fetch. */
#ifndef CIMA_IMAGE_HTTP_H
#define CIMA_IMAGE_HTTP_H

#include "image/image.h"

struct http_answer {
    unsigned status;
    uint64_t start, total;        /* the body is the file from start on; total 0: not known */
    char *etag, *modified, *type; /* as the server wrote them; NULL: not told */
    bool html;                    /* the body begins as a web page does */
    uint64_t end;                 /* of a GET that is done: the body went up to here */
};

#define _cleanup_http_answer_ _cleanup_(http_answer_release)
void http_answer_release(struct http_answer *a);

struct http_request {
    const char *url;
    bool head;
    /* below: of a GET */
    int fd;                /* where the body goes, at its place in the file */
    int lock_fd;           /* that nobody else may write there; the helper keeps it, too */
    uint64_t offset;       /* ask for the file from here on … */
    const char *validator; /* … if it is still this one (If-Range); NULL: in any case */
    /* The answer is there, no byte is written yet. 0 goes on, 1 gives up because it is another file
     * than the one we have the beginning of, -1 with err gives up. */
    int (*begin)(void *arg, const struct http_answer *a, struct err *err);
    void *arg;
};

enum http_result {
    HTTP_DONE,
    HTTP_CHANGED, /* what we have of the file does not fit any more (err) */
    HTTP_AGAIN,   /* failed (err), another try may help: the network, a busy server */
    HTTP_FAILED,  /* failed (err) */
};

/* Progress is told with `url` as the location; errors do not name it. err is not NULL. *ret_answer
 * is set whenever there was a successful one. */
enum http_result http_run(const struct http_request *q, const struct image_report *r,
                          struct http_answer *ret_answer, struct err *err);

/* The file as a text of at most max bytes, with a NUL behind it; nothing is kept on disk. Tries
 * again as downloads do; a web page is refused. Caller frees. */
int http_get_text(const char *url, size_t max, const struct image_report *r, char **ret,
                  size_t *ret_len, struct err *err);

/* How patient we are; variables for the tests. */
struct http_limits {
    unsigned connect_ms, stall_s; /* a GET */
    unsigned head_ms;             /* a HEAD altogether */
    unsigned tries;               /* without progress, in a row */
    unsigned wait_ms;             /* before the second try; doubled for each that follows */
};
extern struct http_limits http_limits;

#endif
