/* SPDX-License-Identifier: Apache-2.0 */
/* cima-fetch: one HTTP request by libcurl; the body goes to descriptor 3. A program of its own
 * because libcurl costs milliseconds of start-up, and because it meets the network.
 *
 * Standard input: lines "url URL", "method GET|HEAD", "offset N", "validator TEXT", "connect-ms N",
 * "stall-s N", "total-ms N", then an empty one. Standard output (helperio.h), besides what every
 * helper says:
 *   etag TEXT, modified TEXT, type TEXT               of the final answer, when it has them
 *   looks html                                        the body begins as a web page does
 *   answer STATUS START TOTAL                         the body is the file from START on; TOTAL -1:
 *                                                     its length is not known
 * After the answer to a GET it waits for the line "go" before it writes the first byte, at START.
 *   changed TEXT                                      the answer is no continuation from "offset"
 *   status TEXT, body TEXT                            not a success: the status line, the beginning
 *   again TEXT                                        failed in a way that another try may mend
 *   partial N TEXT                                    the same, with the file there up to N */
#include "image/helperio.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include <curl/curl.h>
#include <strings.h>

#define OUT_FD        3
#define REDIRECTS_MAX 10L
#define BODY_MAX      512u
#define VALUE_MAX     1024u

struct request {
    char *url, *validator;
    bool head;
    uint64_t offset;
    uint64_t connect_ms, stall_s, total_ms;
};

struct transfer {
    CURL *curl;
    const struct request *req;
    char *status, *etag, *modified, *type; /* of the latest answer */
    bool has_range;
    uint64_t range_start;
    int64_t range_total;
    bool answered, ended; /* ended: the last word is said */
    long code;
    char body[BODY_MAX + 1]; /* of an answer that is no success */
    size_t body_len;
    uint64_t at;
};

/* ---- the request ---------------------------------------------------------------------------- */

/* One line of standard input without its end; NULL at the end or when it is too long. */
static char *read_line(char *buf, size_t size)
{
    for (size_t n = 0; n < size; n++) {
        ssize_t r;
        do
            r = read(STDIN_FILENO, buf + n, 1);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
            return NULL;
        if (buf[n] == '\n') {
            buf[n] = '\0';
            return buf;
        }
    }
    return NULL;
}

static const char *value_of(const char *line, const char *key)
{
    size_t n = strlen(key);
    return strncmp(line, key, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static int take_line(struct request *req, const char *line)
{
    const char *v;
    if ((v = value_of(line, "url")))
        req->url = xstrdup(v);
    else if ((v = value_of(line, "validator")))
        req->validator = xstrdup(v);
    else if ((v = value_of(line, "method")))
        req->head = streq(v, "HEAD");
    else if ((v = value_of(line, "offset")))
        return parse_uint(v, INT64_MAX, &req->offset);
    else if ((v = value_of(line, "connect-ms")))
        return parse_uint(v, INT32_MAX, &req->connect_ms);
    else if ((v = value_of(line, "stall-s")))
        return parse_uint(v, INT32_MAX, &req->stall_s);
    else if ((v = value_of(line, "total-ms")))
        return parse_uint(v, INT32_MAX, &req->total_ms);
    else
        return -1;
    return 0;
}

static int read_request(struct request *req)
{
    static char line[65536];
    while (read_line(line, sizeof(line))) {
        if (!*line)
            return req->url ? 0 : say("fail no URL");
        if (take_line(req, line) < 0)
            return say("fail a wrong request");
    }
    return say("fail the request ends too early");
}

/* ---- the answer's header -------------------------------------------------------------------- */

static char *header_value(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    const char *p = line + n + 1, *end = line + len;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (size_t)(end - p) <= VALUE_MAX ? xstrndup(p, (size_t)(end - p)) : NULL;
}

static void replace(char **slot, char *value)
{
    free(*slot);
    *slot = value;
}

/* "bytes 100-199/1000", "bytes 100-199" followed by "/" and "*". */
static void parse_range(struct transfer *t, const char *text)
{
    unsigned long long first, last, total;
    int n = sscanf(text, "bytes %llu-%llu/%llu", &first, &last, &total);
    if (n < 2 || first > INT64_MAX || (n == 3 && total > INT64_MAX))
        return;
    t->has_range = true;
    t->range_start = first;
    t->range_total = n == 3 ? (int64_t)total : -1;
}

/* Of every answer, those of redirections too: each begins with its status line. */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    char *v;
    n *= size;
    if (n > 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        const char *text = memchr(line, ' ', n);
        size_t skip = text ? (size_t)(text - line) + 1 : 0, len = n - skip;
        while (len && strchr(" \r\n", line[skip + len - 1]))
            len--;
        replace(&t->status, xstrndup(line + skip, len < VALUE_MAX ? len : VALUE_MAX));
        replace(&t->etag, NULL);
        replace(&t->modified, NULL);
        replace(&t->type, NULL);
        t->has_range = false;
    } else if ((v = header_value(line, n, "etag"))) {
        replace(&t->etag, v);
    } else if ((v = header_value(line, n, "last-modified"))) {
        replace(&t->modified, v);
    } else if ((v = header_value(line, n, "content-type"))) {
        replace(&t->type, v);
    } else if ((v = header_value(line, n, "content-range"))) {
        parse_range(t, v);
        free(v);
    }
    return n;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static bool looks_html(const char *p, size_t len)
{
    static const char *const starts[] = {"<!doctype html", "<html", "<head"};
    while (len && strchr(" \t\r\n", *p) && *p) {
        p++;
        len--;
    }
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
        if (len >= strlen(starts[i]) && strncasecmp(p, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static bool success(const struct transfer *t)
{
    return t->code >= 200 && t->code < 300;
}

static int end(struct transfer *t)
{
    t->ended = true;
    return -1;
}

static void tell_header(const struct transfer *t)
{
    if (t->etag)
        (void)say("etag %s", t->etag);
    if (t->modified)
        (void)say("modified %s", t->modified);
    if (t->type)
        (void)say("type %s", t->type);
}

static int answer(struct transfer *t, const char *data, size_t len)
{
    uint64_t start = 0;
    curl_off_t length = -1;
    char line[64];
    t->answered = true;
    (void)curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    int64_t total = length;
    if (t->code == 206 && (!t->has_range || t->range_start != t->req->offset)) {
        (void)say("changed the server sent another part than it was asked for");
        return end(t);
    }
    if (t->code == 206) {
        start = t->range_start;
        total = t->range_total >= 0 ? t->range_total : length >= 0 ? (int64_t)start + length : -1;
    }
    tell_header(t);
    if (looks_html(data, len))
        (void)say("looks html");
    (void)say("answer %ld %" PRIu64 " %" PRId64, t->code, start, total);
    t->at = start;
    if (t->req->head)
        return 0;
    if (!read_line(line, sizeof(line)) || !streq(line, "go"))
        return end(t);
    return 0;
}

static int write_out(struct transfer *t, const char *p, size_t len)
{
    if (fd_pwrite_all(OUT_FD, p, len, (off_t)t->at) < 0) {
        (void)say_errno("cannot write what was downloaded");
        return end(t);
    }
    t->at += len;
    say_at(t->at);
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    n *= size;
    if (t->code == 0)
        (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->code);
    if (!success(t)) {
        size_t room = BODY_MAX - t->body_len, take = n < room ? n : room;
        memcpy(t->body + t->body_len, data, take);
        t->body_len += take;
        /* Enough seen: no need for the rest of a long page. */
        return take < n ? CURL_WRITEFUNC_ERROR : n;
    }
    if (!t->answered && answer(t, data, n) < 0)
        return CURL_WRITEFUNC_ERROR;
    return write_out(t, data, n) < 0 ? CURL_WRITEFUNC_ERROR : n;
}

/* ---- the transfer --------------------------------------------------------------------------- */

static bool worth_another_try(CURLcode r)
{
    switch (r) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
        return true;
    default:
        return false;
    }
}

static int tell_failure(const struct transfer *t, CURLcode r, const char *detail)
{
    const char *why = *detail ? detail : curl_easy_strerror(r);
    if (r == CURLE_UNSUPPORTED_PROTOCOL && strncmp(t->req->url, "https:", 6) == 0)
        return say("fail it redirects from https to another protocol, which is refused (%s)", why);
    if (r == CURLE_OPERATION_TIMEDOUT && t->answered)
        why = "no data for too long";
    if (!worth_another_try(r))
        return say("fail %s", why);
    return t->answered ? say("partial %" PRIu64 " %s", t->at, why) : say("again %s", why);
}

static int conclude(struct transfer *t, CURLcode r, const char *detail)
{
    if (t->ended)
        return -1;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->code);
    if (t->code && !success(t) && (r == CURLE_OK || r == CURLE_WRITE_ERROR)) {
        (void)say("body %s", t->body);
        return say("status %s", t->status ? t->status : "?");
    }
    if (r != CURLE_OK)
        return tell_failure(t, r, detail);
    if (!t->answered && answer(t, "", 0) < 0)
        return -1;
    (void)say("done %" PRIu64, t->at);
    return 0;
}

/* Corporate networks say so in the environment; the names are those that other programs know. */
static void use_environment(CURL *c)
{
    const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
    const char *proxy = getenv("HTTP_PROXY");
    if (!str_empty(file))
        curl_easy_setopt(c, CURLOPT_CAINFO, file);
    if (!str_empty(dir))
        curl_easy_setopt(c, CURLOPT_CAPATH, dir);
    /* libcurl reads it in lower case only, because a web server sets the other one for its CGI
     * programs from a header. This is no CGI program. */
    if (!str_empty(proxy) && !getenv("REQUEST_METHOD"))
        (void)setenv("http_proxy", proxy, 0);
}

static struct curl_slist *set_options(CURL *c, struct transfer *t, char *detail)
{
    const struct request *req = t->req;
    bool https = strncasecmp(req->url, "https:", 6) == 0;
    struct curl_slist *headers = NULL;
    use_environment(c);
    curl_easy_setopt(c, CURLOPT_URL, req->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)req->stall_s);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)req->total_ms);
    curl_easy_setopt(c, CURLOPT_NOBODY, req->head ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    if (req->offset) {
        /* Not CURLOPT_RESUME_FROM: that fails when the server sends the whole file instead. */
        _cleanup_free_ char *range = xasprintf("%" PRIu64 "-", req->offset);
        curl_easy_setopt(c, CURLOPT_RANGE, range);
        if (req->validator) {
            _cleanup_free_ char *line = xasprintf("If-Range: %s", req->validator);
            headers = curl_slist_append(headers, line);
        }
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    return headers;
}

static int run(const struct request *req)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct transfer t = {.req = req, .curl = curl_easy_init()};
    if (!t.curl)
        return say("fail libcurl cannot start");
    struct curl_slist *headers = set_options(t.curl, &t, detail);
    int r = conclude(&t, curl_easy_perform(t.curl), detail);
    curl_slist_free_all(headers);
    curl_easy_cleanup(t.curl);
    free(t.status);
    free(t.etag);
    free(t.modified);
    free(t.type);
    return r;
}

int main(void)
{
    struct request req = {.connect_ms = 15000, .stall_s = 30};
    confine();
    int r = -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        (void)say("fail libcurl cannot start");
    else if (read_request(&req) == 0)
        r = run(&req);
    curl_global_cleanup();
    free(req.url);
    free(req.validator);
    return r < 0;
}
