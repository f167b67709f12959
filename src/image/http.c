/* SPDX-License-Identifier: Apache-2.0 */
#include "image/http.h"
#include "base/mem.h"
#include "base/parse.h"
#include "image/child.h"
#include "image/internal.h"

struct http_limits http_limits = {
    .connect_ms = 15000, .stall_s = 30, .head_ms = 10000, .tries = 4, .wait_ms = 500};

void http_answer_release(struct http_answer *a)
{
    free(a->etag);
    free(a->modified);
    free(a->type);
    *a = (struct http_answer){0};
}

struct exchange {
    const struct http_request *q;
    const struct image_report *report;
    struct http_answer answer;
    bool answered;
    uint64_t at;
    char *body; /* the beginning of a page that explains a refusal */
};

static void exchange_release(struct exchange *x)
{
    http_answer_release(&x->answer);
    free(x->body);
}

static void tell(void *arg)
{
    const struct exchange *x = arg;
    enum image_phase phase = x->answered && !x->q->head ? IMAGE_DOWNLOADING : IMAGE_CONNECTING;
    image_tell(x->report, phase, x->q->url, x->at, x->answer.total);
}

static int send_request(const struct child_io *c, const struct http_request *q, struct err *err)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    sbuf_addf(&s, "url %s\nmethod %s\n", q->url, q->head ? "HEAD" : "GET");
    sbuf_addf(&s, "connect-ms %u\nstall-s %u\n", http_limits.connect_ms, http_limits.stall_s);
    if (q->head)
        sbuf_addf(&s, "total-ms %u\n", http_limits.head_ms);
    if (q->offset && !q->head) {
        sbuf_addf(&s, "offset %llu\n", (unsigned long long)q->offset);
        if (q->validator)
            sbuf_addf(&s, "validator %s\n", q->validator);
    }
    sbuf_addch(&s, '\n');
    return child_io_send(c, s.buf, s.len, err);
}

static void take_text(char **slot, const char *value)
{
    free(*slot);
    *slot = xstrdup(value);
}

static int parse_answer(struct exchange *x, const char *v, struct err *err)
{
    unsigned long long start;
    long long total;
    if (sscanf(v, "%u %llu %lld", &x->answer.status, &start, &total) != 3)
        return err_set(err, ERR_PROTOCOL, "the helper program 'cima-fetch' speaks nonsense");
    x->answer.start = x->at = start;
    x->answer.total = total > 0 ? (uint64_t)total : 0;
    x->answered = true;
    return 0;
}

static enum http_result changed(struct err *err)
{
    err_set(err, ERR_NET, "the file on the server has changed");
    return HTTP_CHANGED;
}

/* HTTP_DONE: go on. */
static enum http_result begin(struct exchange *x, const struct child_io *c, const char *v,
                              struct err *err)
{
    int r = parse_answer(x, v, err);
    if (r == 0 && x->q->begin)
        r = x->q->begin(x->q->arg, &x->answer, err);
    if (r > 0)
        return changed(err);
    if (r < 0 || (!x->q->head && child_io_send(c, "go\n", 3, err) < 0))
        return HTTP_FAILED;
    tell(x);
    return HTTP_DONE;
}

/* The header's lines, which come before the answer. */
static bool take_header(struct exchange *x, const char *line)
{
    const char *v;
    if ((v = child_io_value(line, "etag")))
        take_text(&x->answer.etag, v);
    else if ((v = child_io_value(line, "modified")))
        take_text(&x->answer.modified, v);
    else if ((v = child_io_value(line, "type")))
        take_text(&x->answer.type, v);
    else if ((v = child_io_value(line, "body")))
        take_text(&x->body, v);
    else if (child_io_value(line, "looks"))
        x->answer.html = true;
    else
        return false;
    return true;
}

static enum http_result refused(const struct exchange *x, const char *status, struct err *err)
{
    unsigned long code = strtoul(status, NULL, 10);
    _cleanup_sbuf_ struct sbuf body = SBUF_INIT;
    if (code == 416 && x->q->offset)
        return changed(err);
    if (x->body)
        sbuf_add_printable(&body, x->body, strlen(x->body));
    err_set(err, code == 404 || code == 410 ? ERR_NOT_FOUND : ERR_NET,
            "unexpected HTTP status %s, body=\"%s\"", status, sbuf_str(&body));
    if (code == 404 || code == 410)
        err_hint(err, "the server has no such file (any more): look for its new address");
    else if (code == 401 || code == 403 || code == 407)
        err_hint(err, "the server does not let us have it");
    return code >= 500 || code == 408 || code == 425 || code == 429 ? HTTP_AGAIN : HTTP_FAILED;
}

static enum http_result broken(const struct exchange *x, const char *text, struct err *err)
{
    err_set(err, ERR_NET, "%s", text);
    if (!x->answered)
        err_hint(err, "check the address, the network and the proxy (http_proxy, https_proxy, "
                      "no_proxy)");
    return HTTP_AGAIN;
}

/* "partial N TEXT" */
static enum http_result cut_off(struct exchange *x, const char *v, struct err *err)
{
    char *rest;
    x->at = strtoull(v, &rest, 10);
    if (x->answer.total)
        err_set(err, ERR_NET, "the transfer ended after %llu of %llu bytes:%s",
                (unsigned long long)x->at, (unsigned long long)x->answer.total, rest);
    else
        err_set(err, ERR_NET, "the transfer ended after %llu bytes:%s", (unsigned long long)x->at,
                rest);
    return HTTP_AGAIN;
}

static enum http_result follow(struct exchange *x, struct child_io *c, struct err *err)
{
    const char *v;
    for (char *line; (line = child_io_line(c, tell, x, err));) {
        if (take_header(x, line))
            continue;
        if ((v = child_io_value(line, "answer"))) {
            enum http_result r = begin(x, c, v, err);
            if (r != HTTP_DONE)
                return r;
        } else if ((v = child_io_value(line, "at"))) {
            (void)parse_uint(v, INT64_MAX, &x->at);
            tell(x);
        } else if ((v = child_io_value(line, "done"))) {
            (void)parse_uint(v, INT64_MAX, &x->answer.end);
            return HTTP_DONE;
        } else if (child_io_value(line, "changed")) {
            return changed(err);
        } else if ((v = child_io_value(line, "status"))) {
            return refused(x, v, err);
        } else if ((v = child_io_value(line, "partial"))) {
            return cut_off(x, v, err);
        } else if ((v = child_io_value(line, "again"))) {
            return broken(x, v, err);
        } else if (child_io_failed(line, NULL, ERR_NET, err)) {
            return HTTP_FAILED;
        }
    }
    if (!err_is_set(err))
        child_io_died(c, err);
    return HTTP_FAILED;
}

enum http_result http_run(const struct http_request *q, const struct image_report *r,
                          struct http_answer *ret_answer, struct err *err)
{
    static const char *const argv[] = {"cima-fetch", NULL};
    _cleanup_child_io_ struct child_io c = CHILD_IO_INIT;
    _cleanup_(exchange_release) struct exchange x = {.q = q, .report = r, .at = q->offset};
    tell(&x);
    if (child_io_start(argv, -1, q->head ? -1 : q->fd, q->head ? -1 : q->lock_fd, r, &c, err) < 0 ||
        send_request(&c, q, err) < 0)
        return HTTP_FAILED;
    enum http_result result = follow(&x, &c, err);
    if (x.answered && ret_answer) {
        *ret_answer = x.answer;
        x.answer = (struct http_answer){0};
    }
    return result;
}
