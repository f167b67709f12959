/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of downloads, by-url-sha256/<SHA-256 of the URL>/, which is Lima's (DL-01). Besides
 * what every entry has (entry.c) there are
 *   url, time, type    the URL; Last-Modified and Content-Type of the server
 *   data.etag          the server's ETag
 *   data.part          what has come so far of a download
 *   data.part.meta     of which file that is the beginning
 *
 * A download is only ever written to data.part, under the exclusive lock, and gets its name when it
 * is complete and checked: what was killed goes on there. */
#include "image/internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include "image/http.h"
#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <sha2.h>
#include <sys/statvfs.h>

#define META_MAX     8192
#define RESTARTS_MAX 3u
#define PROGRESS_MIN (UINT64_C(1) << 20) /* less is no reason for more patience */

char *image_url_key(const char *url)
{
    uint8_t out[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    SHA2_CTX ctx;
    SHA256Init(&ctx);
    SHA256Update(&ctx, (const uint8_t *)url, strlen(url));
    SHA256Final(out, &ctx);
    for (size_t i = 0; i < sizeof(out); i++)
        snprintf(hex + 2 * i, 3, "%02x", out[i]);
    return xstrdup(hex);
}

/* ---- data.part and what it is the beginning of ---------------------------------------------- */

struct download {
    struct fetcher *f;
    const struct entry *entry;
    const struct want *want;
    const char *url;
    int lock; /* of the entry: a helper that outlives us for a moment must not meet our successor */
    int fd;   /* of data.part */
    char *part, *meta_path;
    struct http_answer meta; /* what the server said of the file that data.part begins */
    bool resumed; /* parts of it may be of another file: of an earlier run, unvalidated */
    bool no_room; /* for the rest of it */
};

static void download_release(struct download *d)
{
    cleanup_close_p(&d->fd);
    free(d->part);
    free(d->meta_path);
    http_answer_release(&d->meta);
}

static uint64_t part_size(const struct download *d)
{
    struct stat st;
    return fstat(d->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void add_field(struct sbuf *s, const char *key, const char *value)
{
    if (value)
        sbuf_addf(s, "%s %s\n", key, value);
}

static int write_meta(const struct download *d, struct err *err)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    sbuf_addf(&s, "total %llu\n", (unsigned long long)d->meta.total);
    add_field(&s, "etag", d->meta.etag);
    add_field(&s, "modified", d->meta.modified);
    add_field(&s, "type", d->meta.type);
    return file_write_atomic(d->meta_path, s.buf, s.len, 0600, err);
}

static bool read_meta(struct download *d)
{
    _cleanup_free_ char *text = file_read(d->meta_path, META_MAX, NULL, NULL);
    _cleanup_strv_ struct strv lines = STRV_INIT;
    if (!text)
        return false;
    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        char *space = strchr(lines.v[i], ' ');
        if (!space)
            continue;
        *space = '\0';
        char **slot = streq(lines.v[i], "etag")       ? &d->meta.etag
                      : streq(lines.v[i], "modified") ? &d->meta.modified
                      : streq(lines.v[i], "type")     ? &d->meta.type
                                                      : NULL;
        if (slot && !*slot)
            *slot = xstrdup(space + 1);
        else if (streq(lines.v[i], "total"))
            (void)parse_uint(space + 1, INT64_MAX, &d->meta.total);
    }
    return true;
}

/* Weak tags promise nothing about bytes (RFC 9110, 13.1.5). */
static const char *validator(const struct http_answer *a)
{
    return a->etag && !str_starts(a->etag, "W/") ? a->etag : a->modified;
}

/* A part goes on only when the server can tell whether it is still the same file, or a digest will
 * tell us in the end. */
static bool can_go_on(const struct download *d)
{
    return validator(&d->meta) || d->want->digest;
}

static int start_over(struct download *d, struct err *err)
{
    (void)unlink(d->meta_path);
    http_answer_release(&d->meta);
    d->resumed = false;
    if (ftruncate(d->fd, 0) < 0)
        return err_set_errno(err, ERR_IO, "cannot empty '%s'", d->part);
    return 0;
}

static void drop_part(const struct download *d)
{
    (void)unlink(d->part);
    (void)unlink(d->meta_path);
}

static int open_part(struct download *d, struct err *err)
{
    d->part = xasprintf("%s.part", d->entry->data);
    d->meta_path = xasprintf("%s.meta", d->part);
    d->fd = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->fd < 0 || fchmod(d->fd, 0600) < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", d->part);
    bool known = read_meta(d) && can_go_on(d);
    uint64_t size = part_size(d);
    if (!known || !size || (d->meta.total && size > d->meta.total))
        return start_over(d, err);
    d->resumed = true;
    return 0;
}

/* ---- one request ---------------------------------------------------------------------------- */

static bool differ(const char *a, const char *b)
{
    return a && b && !streq(a, b);
}

static int check_room(struct download *d, const struct http_answer *a, struct err *err)
{
    struct statvfs v;
    if (fstatvfs(d->fd, &v) < 0 || a->total <= a->start)
        return 0;
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize, need = a->total - a->start;
    if (need <= room)
        return 0;
    _cleanup_free_ char *n = format_size(need), *r = format_size(room);
    d->no_room = true;
    err_set(err, ERR_IO, "%s are still to come, but only %s are free in '%s'", n, r, d->entry->dir);
    return err_hint(err, "make room (`cima prune` empties the cache), or set XDG_CACHE_HOME to a "
                         "directory on another file system");
}

/* The answer to a GET is there, nothing of it is written yet. */
static int on_answer(void *arg, const struct http_answer *a, struct err *err)
{
    struct download *d = arg;
    if (a->html && d->want->purpose != IMAGE_FOR_INITRD) {
        err_set(err, ERR_NET, "the server sent a web page, not the %s",
                image_purpose_to_string(d->want->purpose));
        return err_hint(err, "open the address in a browser; does the network want a login first?");
    }
    if (a->start && (differ(a->etag, d->meta.etag) || differ(a->modified, d->meta.modified) ||
                     (d->meta.total && a->total && a->total != d->meta.total)))
        return 1;
    if (!a->start && part_size(d)) {
        image_note(d->f->report, LOG_DEBUG,
                   "'%s': the file has changed or the server cannot resume: starting over", d->url);
        if (start_over(d, err) < 0)
            return -1;
    }
    if (check_room(d, a, err) < 0)
        return -1;
    if (a->start) {
        d->resumed |= !validator(&d->meta);
        return 0;
    }
    http_answer_release(&d->meta);
    d->meta = (struct http_answer){.total = a->total,
                                   .etag = xstrdup0(a->etag),
                                   .modified = xstrdup0(a->modified),
                                   .type = xstrdup0(a->type)};
    return write_meta(d, err);
}

static enum http_result request(struct download *d, struct err *err)
{
    const struct http_request q = {.url = d->url,
                                   .fd = d->fd,
                                   .lock_fd = d->lock,
                                   .offset = part_size(d),
                                   .validator = validator(&d->meta),
                                   .begin = on_answer,
                                   .arg = d};
    enum http_result r = http_run(&q, d->f->report, NULL, err);
    uint64_t size = part_size(d);
    if (r != HTTP_DONE || !d->meta.total || size == d->meta.total)
        return r;
    err_set(err, ERR_NET, "%llu bytes came, the server had announced %llu",
            (unsigned long long)size, (unsigned long long)d->meta.total);
    return size < d->meta.total ? HTTP_AGAIN : HTTP_CHANGED;
}

/* ---- until it is there ---------------------------------------------------------------------- */

static int try_again(const struct download *d, unsigned tries, struct err *why, struct err *err)
{
    unsigned ms = http_limits.wait_ms << (tries - 1);
    if (tries >= http_limits.tries)
        return err_move(err, why);
    _cleanup_free_ char *line = err_message(why);
    image_note(d->f->report, LOG_WARN, "'%s': %s; trying again", d->url, line);
    return image_wait(d->f->report, ms,
                      &(struct image_progress){IMAGE_CONNECTING, d->url, part_size(d),
                                               d->meta.total},
                      err);
}

static int transfer(struct download *d, struct err *err)
{
    unsigned tries = 0, restarts = 0;
    for (;;) {
        _cleanup_err_ struct err why = ERR_INIT;
        uint64_t before = part_size(d);
        if (before && before == d->meta.total)
            return 0;
        switch (request(d, &why)) {
        case HTTP_DONE:
            return 0;
        case HTTP_FAILED:
            return err_move(err, &why);
        case HTTP_CHANGED:
            if (restarts++ == RESTARTS_MAX)
                return err_move(err, &why);
            if (start_over(d, err) < 0)
                return -1;
            break;
        case HTTP_AGAIN:
            tries = can_go_on(d) && part_size(d) >= before + PROGRESS_MIN ? 1 : tries + 1;
            if (try_again(d, tries, &why, err) < 0)
                return -1;
            if (!can_go_on(d) && start_over(d, err) < 0)
                return -1;
            break;
        }
    }
}

/* Is it what was wanted? On the descriptor that becomes `data`. ERR_IO: start over may help. */
static int check_part(const struct download *d, struct err *err)
{
    const struct want *w = d->want;
    struct digest got;
    if (part_size(d) == 0)
        return err_set(err, ERR_NET, "the server sent an empty file");
    if (!w->digest)
        return 0;
    if (digest_of_fd(d->fd, w->digest->algorithm, d->url, d->f->report, &got, err) < 0)
        return -1;
    if (streq(got.hex, w->digest->hex))
        return 0;
    err_set(err, ERR_IO, "expected digest `%s:%s`, got `%s:%s`", w->digest->algorithm,
            w->digest->hex, got.algorithm, got.hex);
    return err_hint(err, "the file on the server is damaged or another version: look for its "
                         "present digest, or use another mirror");
}

/* Without a digest the content is all there is to tell a good file from a bad one, before it takes
 * the place of one that may be good. */
static int check_disk(const struct download *d, struct err *err)
{
    _cleanup_free_ struct image_head *h = xmalloc(sizeof(*h));
    struct image_info info;
    if (image_head_read(d->fd, d->url, h, err) < 0)
        return -1;
    if (d->want->purpose != IMAGE_FOR_DISK || image_compression(h))
        return 0;
    return image_adoptable(d->fd, d->url, true, &info, err);
}

static int fetch_part(struct download *d, struct err *err)
{
    for (bool again = false;; again = true) {
        _cleanup_err_ struct err why = ERR_INIT;
        if (transfer(d, err) < 0)
            return -1;
        if (check_part(d, &why) == 0)
            return check_disk(d, err);
        /* What was there before may be wrong: without it, once more. */
        if (why.kind == ERR_INTERRUPTED || !d->resumed || again)
            return err_move(err, &why);
        image_note(d->f->report, LOG_WARN,
                   "'%s': the resumed download does not fit its digest; starting over", d->url);
        if (start_over(d, err) < 0)
            return -1;
    }
}

/* ---- into the entry ------------------------------------------------------------------------- */

static void put_text(const struct entry *e, const char *name, const char *text)
{
    _cleanup_free_ char *path = path_join(e->dir, name);
    if (text)
        (void)file_write_atomic(path, text, strlen(text), 0644, NULL);
    else
        (void)unlink(path);
}

static int publish(struct download *d, struct err *err)
{
    if (fsync(d->fd) < 0)
        return err_set_errno(err, ERR_IO, "cannot write '%s' to disk", d->part);
    entry_forget(d->entry);
    if (rename(d->part, d->entry->data) < 0)
        return err_set_errno(err, ERR_IO, "cannot rename '%s' to '%s'", d->part, d->entry->data);
    put_text(d->entry, "time", d->meta.modified ? d->meta.modified : "");
    put_text(d->entry, "type", d->meta.type ? d->meta.type : "");
    put_text(d->entry, "data.etag", d->meta.etag);
    if (d->want->digest)
        entry_remember(d->entry, d->fd, d->want->digest);
    (void)unlink(d->meta_path);
    (void)dir_sync(d->entry->dir, NULL);
    return 0;
}

/* Worth keeping for the next try: the connection broke, we were stopped, or there is no room for the
 * rest. */
static bool part_is_useful(const struct download *d, const struct err *err)
{
    return part_size(d) && can_go_on(d) &&
           (err->kind == ERR_INTERRUPTED || err->kind == ERR_NET || d->no_room);
}

static int download(struct fetcher *f, const struct entry *e, int lock, const struct want *w,
                    const char *url, struct err *err)
{
    _cleanup_(download_release) struct download d = {
        .f = f, .entry = e, .want = w, .url = url, .lock = lock, .fd = -1};
    if (strncasecmp(url, "http:", 5) == 0 && !w->digest)
        /* Refusing would break configurations that work with Lima; in a local network they are
         * common. What is fetched over https is never redirected to http. */
        image_note(
            f->report, LOG_WARN,
            "'%s' comes unencrypted and without a `digest`: anybody on the way can change it", url);
    put_text(e, "url", url);
    if (open_part(&d, err) < 0)
        return -1;
    if (fetch_part(&d, err) < 0) {
        if (!part_is_useful(&d, err))
            drop_part(&d);
        else if (!err->hint)
            err_hint(err, "what has come so far is kept: the same command goes on from there");
        return -1;
    }
    return publish(&d, err);
}

/* ---- with the cache ------------------------------------------------------------------------- */

static char *stored_text(const struct entry *e, const char *name)
{
    _cleanup_free_ char *path = path_join(e->dir, name);
    char *text = file_read(path, META_MAX, NULL, NULL);
    if (text)
        text[strcspn(text, "\r\n")] = '\0';
    return text;
}

/* Does the server's answer speak of another file than the cached one? */
static bool is_newer(const struct entry *e, const struct http_answer *a)
{
    _cleanup_free_ char *time = stored_text(e, "time"), *etag = stored_text(e, "data.etag");
    if (a->modified && !str_empty(time))
        return !streq(a->modified, time);
    return differ(a->etag, etag);
}

/* Asks the server about the file without its content. false: it does not say (or we are offline),
 * which leaves us with what we have. */
static bool ask(const struct fetcher *f, const char *url, struct http_answer *ret, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    const struct http_request q = {.url = url, .head = true, .fd = -1};
    if (http_run(&q, f->report, ret, &why) == HTTP_DONE)
        return true;
    if (why.kind == ERR_INTERRUPTED) {
        err_move(err, &why);
        return false;
    }
    _cleanup_free_ char *line = err_message(&why);
    image_note(f->report, LOG_INFO, "Cannot ask whether there is a newer file (%s)", line);
    return false;
}

static void tell_cached(const struct fetcher *f, const struct image_file *file)
{
    image_note(f->report, LOG_INFO, "Using cache `%s`", file->path);
}

static void tell_attempt(const struct fetcher *f, const struct want *w, const char *url)
{
    image_note(
        f->report, LOG_INFO, "Attempting to download the %s (arch %s, digest %s%s%s) from `%s`",
        image_purpose_to_string(w->purpose), w->arch, w->digest ? w->digest->algorithm : "none",
        w->digest ? ":" : "", w->digest ? w->digest->hex : "", url);
}

/* Under the exclusive lock, which `lock` is. asked: of the server, NULL when it was not. */
static int provide(struct fetcher *f, const struct entry *e, int lock, const struct want *w,
                   const char *url, const struct http_answer *asked, struct image_file *ret,
                   struct err *err)
{
    _cleanup_image_file_ struct image_file old = IMAGE_FILE_INIT;
    _cleanup_err_ struct err why = ERR_INIT, failed = ERR_INIT;
    int r = entry_check(f, e, w, true, &old, &why);
    if (r < 0)
        return err_move(err, &why);
    if (r == 1 && !(asked && is_newer(e, asked))) {
        tell_cached(f, &old);
        *ret = old;
        old = (struct image_file)IMAGE_FILE_INIT;
        return 0;
    }
    if (r == 0 && why.kind != ERR_NOT_FOUND) {
        _cleanup_free_ char *line = err_message(&why);
        image_note(f->report, LOG_WARN, "The cached file is not used: %s", line);
    }
    tell_attempt(f, w, url);
    if (download(f, e, lock, w, url, &failed) < 0) {
        if (r != 1 || failed.kind == ERR_INTERRUPTED) {
            err_move(err, &failed);
            return err_wrap(err, "failed to download `%s`", url);
        }
        _cleanup_free_ char *line = err_message(&failed);
        image_note(f->report, LOG_WARN, "The newer file is not used: %s", line);
        tell_cached(f, &old);
        *ret = old;
        old = (struct image_file)IMAGE_FILE_INIT;
        return 0;
    }
    image_note(f->report, LOG_INFO, "Downloaded the %s from `%s`",
               image_purpose_to_string(w->purpose), url);
    return entry_check(f, e, w, true, ret, err) == 1 ? 0 : -1;
}

/* The cached file, if it is good and nothing says that there is a newer one. 1 yes; 0 no, with
 * *ret_asked when the server was asked; -1 with err. */
static int use_cached(struct fetcher *f, const struct entry *e, const struct want *w,
                      const char *url, struct image_file *ret, struct http_answer *ret_asked,
                      bool *ret_was_asked, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    _cleanup_close_ int lock = entry_lock(f, e, false, w, err);
    if (lock < 0)
        return -1;
    if (entry_check(f, e, w, false, ret, &why) != 1)
        return why.kind == ERR_INTERRUPTED ? err_move(err, &why) : 0;
    if (!w->digest) {
        *ret_was_asked = ask(f, url, ret_asked, err);
        if (err_is_set(err))
            return -1;
        if (*ret_was_asked && is_newer(e, ret_asked)) {
            image_file_release(ret);
            return 0;
        }
    }
    tell_cached(f, ret);
    fetcher_hold(f, TAKE_FD(lock));
    return 1;
}

int image_cache_url(struct fetcher *f, const char *url, const struct want *w,
                    struct image_file *ret, struct err *err)
{
    _cleanup_free_ char *key = image_url_key(url);
    _cleanup_free_ char *base = path_join(f->store->downloads, "by-url-sha256");
    _cleanup_http_answer_ struct http_answer asked = {0};
    _cleanup_entry_ struct entry e = {0};
    bool was_asked = false;
    if (entry_open(base, key, true, &e, err) < 0 || dir_check_private(f->store->downloads, err) < 0)
        return -1;
    int r = use_cached(f, &e, w, url, ret, &asked, &was_asked, err);
    if (r)
        return r == 1 ? 0 : -1;
    _cleanup_close_ int lock = entry_lock(f, &e, true, w, err);
    if (lock < 0 || provide(f, &e, lock, w, url, was_asked ? &asked : NULL, ret, err) < 0)
        return -1;
    fetcher_hold(f, TAKE_FD(lock));
    return 0;
}
