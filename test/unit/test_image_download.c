/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads (DL-01, DL-03, DL-08) from a server that misbehaves (F37), on caches that were tampered
 * with (F38, S16), and compressed images. The server is test/fake/http_server.py. */
#include "image/http.h"
#include "image/image.h"
#include "image/internal.h"
#include "image_fixture.h"
#include "store_fixture.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/spawn.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/wait.h>

TestSuite(download, .timeout = 600);

enum { LONG_MS = 240000 }; /* for what has to happen, on any machine */

/* ---- a scene with a server ------------------------------------------------------------------ */

struct scene {
    struct fixture f;
    struct instance inst;
    struct config_instance cfg;
    struct config_image image;
    char *www, *state;
    struct child server;
    unsigned port;
    struct sbuf notes;
    unsigned seen_phases; /* bit per phase */
    bool stop;            /* what interrupted() answers … */
    uint64_t stop_at;     /* … once so much is in part (0: never) */
    char part[PATH_MAX];
    int *waits_fd;        /* closed when somebody is waited for; NULL: none */
    struct image_report report;
};

static void scene_release(struct scene *s)
{
    if (s->server.pid) {
        (void)child_kill(&s->server, SIGKILL);
        (void)child_wait(&s->server, -1, NULL);
    }
    child_release(&s->server);
    sbuf_release(&s->notes);
    instance_release(&s->inst);
    free(s->www);
    free(s->state);
    fixture_release(&s->f);
}
#define _scene_ _cleanup_(scene_release)

static void on_note(void *arg, enum log_level level, const char *text)
{
    struct scene *s = arg;
    sbuf_addf(&s->notes, "%s: %s\n", log_level_to_string(level), text);
}

static void on_progress(void *arg, const struct image_progress *p)
{
    struct scene *s = arg;
    s->seen_phases |= 1u << p->phase;
    if (s->waits_fd && p->phase == IMAGE_WAITING)
        close(TAKE_FD(*s->waits_fd));
    /* What is there by now; what is told of it may be older. */
    struct stat st;
    if (s->stop_at && p->phase == IMAGE_DOWNLOADING && stat(s->part, &st) == 0 &&
        (uint64_t)st.st_size >= s->stop_at)
        s->stop = true;
}

static bool on_interrupted(void *arg)
{
    return ((struct scene *)arg)->stop;
}

static unsigned read_port(const struct scene *s)
{
    _cleanup_free_ char *path = path_join(s->state, "port");
    for (int64_t end = deadline_in(LONG_MS); deadline_left(end);) {
        _cleanup_free_ char *text = file_read(path, 100, NULL, NULL);
        if (text)
            return (unsigned)strtoul(text, NULL, 10);
        usleep(20000);
    }
    cr_assert_fail("the server does not start");
    return 0;
}

/* How far a server that has a gate lets the file come. */
static void open_gate(const struct scene *s, uint64_t to)
{
    _cleanup_free_ char *path = path_join(s->state, "gate");
    _cleanup_free_ char *text = xasprintf("%llu\n", (unsigned long long)to);
    put_file(path, text);
}

static void start_server(struct scene *s, const char *certificate)
{
    const char *srcdir = getenv("srcdir");
    _cleanup_free_ char *script =
        xasprintf("%s/test/fake/http_server.py", str_empty(srcdir) ? "." : srcdir);
    const char *const argv[] = {"python3", script, s->www, s->state, certificate, NULL};
    struct spawn p = SPAWN_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    p.argv = argv;
    p.stderr_fd = STDERR_FILENO;
    p.flags = SPAWN_SEARCH_PATH | SPAWN_DIE_WITH_PARENT;
    cr_assert_eq(spawn_child(&p, &s->server, &e), 0, "%s", e.msg);
    s->port = read_port(s);
}

/* In place: the report points to it. */
static void scene_init(struct scene *s)
{
    static const char *const unset[] = {"http_proxy", "HTTP_PROXY", "https_proxy",  "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "SSL_CERT_FILE"};
    for (size_t i = 0; i < ARRAY_SIZE(unset); i++)
        unsetenv(unset[i]);
    *s = (struct scene){.f = fixture_new(), .server = CHILD_INIT};
    s->inst = make_instance(&s->f, "vm");
    s->cfg.arch = (char *)"x86_64";
    s->cfg.images = &s->image;
    s->cfg.images_count = 1;
    s->image.arch = (char *)"x86_64";
    s->www = path_join(s->f.dir, "www");
    s->state = path_join(s->f.dir, "state");
    s->report = (struct image_report){on_note, on_progress, on_interrupted, s};
    cr_assert_eq(mkdir(s->www, 0700), 0);
    cr_assert_eq(mkdir(s->state, 0700), 0);
    http_limits.wait_ms = 10;
}

static void scene_start(struct scene *s)
{
    scene_init(s);
    start_server(s, NULL);
}

/* A good qcow2 with some bytes behind its tables; caller frees the path. */
static char *put_image(const struct scene *s, const char *name, size_t extra, unsigned seed)
{
    _cleanup_free_ struct qcow2 *q = xmalloc(sizeof(*q));
    _cleanup_sbuf_ struct sbuf data = SBUF_INIT;
    char *path = path_join(s->www, name);
    qcow2_make(q, 3, 10u << 20);
    sbuf_add(&data, q->data, sizeof(q->data));
    for (size_t i = 0; i < extra; i++)
        sbuf_addch(&data, (char)((i + seed) * 2654435761u >> 13));
    put_bytes(path, data.buf, data.len);
    return path;
}

static char *url_of(const struct scene *s, const char *path)
{
    return xasprintf("http://127.0.0.1:%u/%s", s->port, path);
}

static char *digest_of(const char *path, const char *algorithm)
{
    static const struct image_report silent;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_err_ struct err e = ERR_INIT;
    struct digest d;
    cr_assert_eq(digest_of_fd(fd, algorithm, path, &silent, &d, &e), 0, "%s", e.msg);
    return xasprintf("%s:%s", d.algorithm, d.hex);
}

static int prepare(struct scene *s, const char *url, const char *digest, struct err *err)
{
    struct image_result r;
    s->image.location = (char *)url;
    s->image.digest = (char *)digest;
    sbuf_clear(&s->notes);
    return image_prepare(&s->f.store, &s->cfg, s->f.dir, &s->inst, &s->report, &r, err);
}

static void prepare_ok(struct scene *s, const char *path, const char *digest)
{
    _cleanup_free_ char *url = url_of(s, path);
    _cleanup_err_ struct err e = ERR_INIT;
    int r = prepare(s, url, digest, &e);
    _cleanup_free_ char *text = r < 0 ? err_text(&e) : NULL;
    cr_assert_eq(r, 0, "%s: %s", path, text);
}

static void prepare_fails(struct scene *s, const char *path, const char *digest, const char *text)
{
    _cleanup_free_ char *url = url_of(s, path);
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(s, url, digest, &e), -1, "%s succeeded, expected: %s", path, text);
    expect_message(&e, text);
}

static void expect_note(const struct scene *s, const char *text)
{
    cr_expect_not_null(strstr(sbuf_str(&s->notes), text), "'%s' is not in: %s", text,
                       sbuf_str(&s->notes));
}

static void expect_same(const struct scene *s, const char *path)
{
    _cleanup_free_ char *image = instance_path(&s->inst, INST_IMAGE);
    _cleanup_free_ char *a = digest_of(path, "sha256"), *b = digest_of(image, "sha256");
    cr_expect_str_eq(a, b);
}

/* Requests in the server's log that have the text, and the bytes that it sent for them. */
static unsigned requests(const struct scene *s, const char *text, uint64_t *ret_bytes)
{
    _cleanup_free_ char *path = path_join(s->state, "log");
    _cleanup_free_ char *log = file_read(path, 1u << 20, NULL, NULL);
    _cleanup_strv_ struct strv lines = STRV_INIT;
    uint64_t bytes = 0;
    unsigned n = 0;
    if (log)
        strv_split(&lines, log, '\n');
    for (size_t i = 0; i < lines.n; i++)
        if (*lines.v[i] && strstr(lines.v[i], text)) {
            bytes += strtoull(strrchr(lines.v[i], ' '), NULL, 10);
            n++;
        }
    if (ret_bytes)
        *ret_bytes = bytes;
    return n;
}

/* The server writes its log when it has answered: our side may be done a moment earlier. */
static void await_requests(const struct scene *s, const char *text, unsigned n)
{
    for (int64_t end = deadline_in(LONG_MS); deadline_left(end) && requests(s, text, NULL) < n;)
        usleep(10000);
}

static void expect_requests(const struct scene *s, const char *text, uint64_t *ret_bytes,
                            unsigned n)
{
    await_requests(s, text, n);
    unsigned got = requests(s, text, ret_bytes);
    cr_expect_eq(got, n, "%u requests with '%s', not %u", got, text, n);
}

/* A file of the entry of that URL in Lima's cache; caller frees. */
static char *cached(const struct scene *s, const char *path, const char *name)
{
    _cleanup_free_ char *url = url_of(s, path), *key = image_url_key(url);
    return xasprintf("%s/by-url-sha256/%s/%s", s->f.store.downloads, key, name);
}

static void expect_cached_text(const struct scene *s, const char *path, const char *name,
                               const char *text)
{
    _cleanup_free_ char *file = cached(s, path, name);
    _cleanup_free_ char *got = file_read(file, 4096, NULL, NULL);
    cr_assert_not_null(got, "%s is missing", file);
    cr_expect_str_eq(got, text);
}

static bool is_cached(const struct scene *s, const char *path, const char *name)
{
    _cleanup_free_ char *file = cached(s, path, name);
    return path_exists(file);
}

/* ---- what works ----------------------------------------------------------------------------- */

Test(download, DL01_layout_is_limas)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 100000, 1);
    _cleanup_free_ char *digest = digest_of(image, "sha512"), *url = url_of(&s, "a.qcow2");
    prepare_ok(&s, "a.qcow2", digest);
    expect_same(&s, image);
    expect_cached_text(&s, "a.qcow2", "url", url);
    expect_cached_text(&s, "a.qcow2", "sha512.digest", digest);
    expect_cached_text(&s, "a.qcow2", "type", "application/octet-stream");
    _cleanup_free_ char *time = cached(&s, "a.qcow2", "time");
    _cleanup_free_ char *text = file_read(time, 100, NULL, NULL);
    cr_expect_not_null(strstr(text, " GMT"), "%s", text);
    cr_expect(!is_cached(&s, "a.qcow2", "data.part"));
    cr_expect(!is_cached(&s, "a.qcow2", "data.part.meta"));
    static const char *const places[] = {"data", "."};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        _cleanup_free_ char *path = cached(&s, "a.qcow2", places[i]);
        struct stat st;
        cr_assert_eq(stat(path, &st), 0);
        cr_expect_eq(st.st_mode & 077, 0, "%s", places[i]);
    }
    expect_note(&s, "info: Attempting to download the image");
    expect_note(&s, "info: Downloaded the image from `");
    cr_expect(s.seen_phases & 1u << IMAGE_CONNECTING);
    cr_expect(s.seen_phases & 1u << IMAGE_DOWNLOADING);
    cr_expect(s.seen_phases & 1u << IMAGE_CHECKING);
}

Test(download, keys_are_the_sha256_of_the_url)
{
    _cleanup_free_ char *key = image_url_key("abc");
    cr_expect_str_eq(key, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(download, DL03_hit_with_a_digest_asks_nobody)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 100000, 1);
    _cleanup_free_ char *digest = digest_of(image, "sha256");
    prepare_ok(&s, "a.qcow2", digest);
    prepare_ok(&s, "a.qcow2", digest);
    expect_note(&s, "info: Using cache `");
    expect_requests(&s, "/a.qcow2", NULL, 1);
    /* One file for all: nothing was copied. */
    _cleanup_free_ char *data = cached(&s, "a.qcow2", "data");
    _cleanup_free_ char *placed = instance_path(&s.inst, INST_IMAGE);
    struct stat a, b;
    cr_assert(stat(data, &a) == 0 && stat(placed, &b) == 0);
    cr_expect_eq(a.st_ino, b.st_ino);
}

Test(download, DL03_without_a_digest_a_newer_file_is_fetched)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 100000, 1));
    prepare_ok(&s, "a.qcow2", NULL);
    expect_note(&s, "without a `digest`");
    prepare_ok(&s, "a.qcow2", NULL);
    expect_note(&s, "Using cache");
    expect_requests(&s, "HEAD /a.qcow2", NULL, 1);
    expect_requests(&s, "GET /a.qcow2", NULL, 1);
    _cleanup_free_ char *newer = put_image(&s, "a.qcow2", 200000, 2);
    const struct timespec times[2] = {{.tv_sec = 2000000000}, {.tv_sec = 2000000000}};
    cr_assert_eq(utimensat(AT_FDCWD, newer, times, 0), 0);
    prepare_ok(&s, "a.qcow2", NULL);
    expect_requests(&s, "GET /a.qcow2", NULL, 2);
    expect_same(&s, newer);
}

Test(download, DL03_a_newer_file_that_is_no_good_is_not_used)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 100000, 1);
    _cleanup_free_ char *junk = path_join(s.www, "b.qcow2");
    const struct timespec times[2] = {{.tv_sec = 2000000000}, {.tv_sec = 2000000000}};
    put_file(junk, "half");
    cr_assert_eq(utimensat(AT_FDCWD, junk, times, 0), 0);
    prepare_ok(&s, "other:b.qcow2/a.qcow2", NULL);
    prepare_ok(&s, "other:b.qcow2/a.qcow2", NULL);
    expect_note(&s, "warning: The newer file is not used: ");
    expect_note(&s, "has only 4 bytes");
    expect_note(&s, "Using cache");
    expect_same(&s, image);
}

Test(download, works_offline_with_what_is_cached)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 100000, 1);
    _cleanup_free_ char *digest = digest_of(image, "sha256");
    prepare_ok(&s, "a.qcow2", NULL);
    cr_assert_eq(child_kill(&s.server, SIGKILL), 0);
    cr_assert_eq(child_wait(&s.server, -1, NULL), 1);
    s.server.pid = 0;
    prepare_ok(&s, "a.qcow2", NULL);
    expect_note(&s, "Cannot ask whether there is a newer file");
    expect_note(&s, "Using cache");
    prepare_ok(&s, "a.qcow2", digest);
}

Test(download, kernel_and_initrd_come_by_url_too)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 0, 1));
    _cleanup_free_ char *kernel = path_join(s.www, "vmlinuz");
    _cleanup_free_ char *url = url_of(&s, "vmlinuz"), *portal = url_of(&s, "portal/vmlinuz");
    put_file(kernel, "a kernel");
    s.image.kernel.location = s.image.initrd.location = url;
    prepare_ok(&s, "a.qcow2", NULL);
    _cleanup_free_ char *placed = instance_path(&s.inst, INST_KERNEL);
    _cleanup_free_ char *text = file_read(placed, 100, NULL, NULL);
    cr_expect_str_eq(text, "a kernel");
    s.image.kernel.location = portal;
    prepare_fails(&s, "a.qcow2", NULL, "kernel: ");
    prepare_fails(&s, "a.qcow2", NULL, "the server sent a web page, not the kernel");
}

Test(download, redirects_are_followed)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    _cleanup_free_ char *path = xasprintf("to:http%%3A%%2F%%2F127.0.0.1%%3A%u/a.qcow2", s.port);
    prepare_ok(&s, path, NULL);
    expect_same(&s, image);
}

Test(download, chunked_without_a_length)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 300000, 1);
    prepare_ok(&s, "chunked/a.qcow2", NULL);
    expect_same(&s, image);
}

/* ---- F37: servers --------------------------------------------------------------------------- */

Test(download, F37_statuses)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 0, 1));
    prepare_fails(&s, "404/a.qcow2", NULL,
                  "unexpected HTTP status 404 Not Found, body=\"no such file here");
    prepare_fails(&s, "404/a.qcow2", NULL, "failed to download `http://127.0.0.1:");
    expect_requests(&s, "/404/", NULL, 2);
    prepare_fails(&s, "500/a.qcow2", NULL,
                  "unexpected HTTP status 500 Internal Server Error, body=\"something broke");
    expect_requests(&s, "/500/", NULL, http_limits.tries);
    cr_expect(!is_cached(&s, "500/a.qcow2", "data"));
    cr_expect(!is_cached(&s, "500/a.qcow2", "data.part"));
}

Test(download, F37_a_busy_server_is_tried_again)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 0, 1);
    prepare_ok(&s, "503:2/a.qcow2", NULL);
    expect_same(&s, image);
    expect_note(&s, "trying again");
    expect_requests(&s, "/503:2/", NULL, 3);
}

Test(download, F37_500_on_HEAD_only)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    prepare_ok(&s, "head500/a.qcow2", NULL);
    prepare_ok(&s, "head500/a.qcow2", NULL);
    expect_note(&s, "unexpected HTTP status 500");
    expect_note(&s, "Using cache");
    expect_same(&s, image);
    expect_requests(&s, "GET /head500/", NULL, 1);
}

Test(download, F37_redirect_loop)
{
    _scene_ struct scene s;
    scene_start(&s);
    prepare_fails(&s, "loop/a.qcow2", NULL, "Maximum (10) redirects followed");
    cr_expect_leq(requests(&s, "/loop/", NULL), 11);
}

Test(download, F37_captive_portal)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 0, 1);
    _cleanup_free_ char *digest = digest_of(image, "sha256");
    prepare_fails(&s, "portal/a.qcow2", NULL, "the server sent a web page, not the image");
    prepare_fails(&s, "portal/a.qcow2", digest, "does the network want a login first?");
    cr_expect(!is_cached(&s, "portal/a.qcow2", "data"));
    expect_requests(&s, "/portal/", NULL, 2);
}

Test(download, F37_connection_is_dropped_and_the_rest_fetched)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 3u << 20, 1);
    struct stat st;
    uint64_t sent;
    cr_assert_eq(stat(image, &st), 0);
    prepare_ok(&s, "dropfirst:2000000/a.qcow2", NULL);
    expect_same(&s, image);
    expect_requests(&s, "/dropfirst", &sent, 2);
    expect_requests(&s, "bytes=2000000- 206", NULL, 1);
    cr_expect_leq(sent, (uint64_t)st.st_size + (uint64_t)st.st_size / 20);
    /* As often as it takes, as long as something comes each time. */
    prepare_ok(&s, "drop:1100000/a.qcow2", NULL);
    expect_same(&s, image);
    expect_requests(&s, "/drop:", &sent, 4);
    cr_expect_leq(sent, (uint64_t)st.st_size + (uint64_t)st.st_size / 20);
}

Test(download, F37_range_is_ignored)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 2u << 20, 1);
    prepare_ok(&s, "norange/dropfirst:1000000/a.qcow2", NULL);
    expect_same(&s, image);
    expect_requests(&s, "bytes=1000000- 200", NULL, 1);
}

Test(download, F37_another_range_than_asked_for)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 2u << 20, 1);
    prepare_ok(&s, "badrange/dropfirst:1000000/a.qcow2", NULL);
    expect_same(&s, image);
}

Test(download, F37_size_change_on_resume)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 2u << 20, 1));
    _cleanup_free_ char *other = put_image(&s, "b.qcow2", 3u << 20, 7);
    _cleanup_free_ char *digest = digest_of(other, "sha256");
    /* The condition of the second request (If-Range) fails: the whole new file comes. */
    prepare_ok(&s, "dropfirst:1000000/other:b.qcow2/a.qcow2", NULL);
    expect_same(&s, other);
    /* The server does not look at the condition: the total length tells. */
    prepare_ok(&s, "novalidator/dropfirst:1000000/other:b.qcow2/a.qcow2", digest);
    expect_same(&s, other);
}

Test(download, F37_same_size_without_validators_starts_over)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 2u << 20, 1));
    _cleanup_free_ char *other = put_image(&s, "b.qcow2", 2u << 20, 7);
    _cleanup_free_ char *digest = digest_of(other, "sha256");
    /* Without a digest nothing could tell the mix of two files from a good one … */
    s.stop_at = 1;
    _cleanup_free_ char *part =
        cached(&s, "novalidator/stall:1000000/other:b.qcow2/a.qcow2", "data.part");
    snprintf(s.part, sizeof(s.part), "%s", part);
    prepare_fails(&s, "novalidator/stall:1000000/other:b.qcow2/a.qcow2", NULL, "interrupted");
    cr_expect(!is_cached(&s, "novalidator/stall:1000000/other:b.qcow2/a.qcow2", "data.part"));
    /* … with one the mix is found out, and the file fetched as a whole. */
    s.stop = false;
    s.stop_at = 0;
    prepare_ok(&s, "novalidator/other:b.qcow2/dropfirst:1000000/a.qcow2", digest);
    expect_same(&s, other);
}

Test(download, F37_retry_without_validators_starts_over)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 2u << 20, 1));
    _cleanup_free_ char *other = put_image(&s, "b.qcow2", 2u << 20, 7);
    /* The file changes between the first try and the second: no mix of the two. */
    prepare_ok(&s, "novalidator/dropfirst:1000000/other:b.qcow2/a.qcow2", NULL);
    expect_same(&s, other);
    expect_requests(&s, "bytes=1000000-", NULL, 0);
}

Test(download, F37_stall)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 2u << 20, 1));
    http_limits.stall_s = 1;
    http_limits.tries = 2;
    prepare_fails(&s, "silent/a.qcow2", NULL, "Operation too slow");
    /* On a busy machine what comes before the stall comes only within a longer time. */
    for (bool whole = false; !whole; http_limits.stall_s *= 3) {
        _cleanup_free_ char *path = xasprintf("etag:%u/stall:1000000/a.qcow2", http_limits.stall_s);
        _cleanup_free_ char *url = url_of(&s, path);
        _cleanup_err_ struct err e = ERR_INIT;
        cr_assert_lt(http_limits.stall_s, 100, "it never comes as far as it stalls");
        cr_assert_eq(prepare(&s, url, NULL, &e), -1);
        _cleanup_free_ char *text = err_text(&e);
        whole = strstr(text, "the transfer ended after 2000000 of ");
        /* The stalled part is kept, and the next try asks for the rest. */
        if (whole)
            cr_expect(is_cached(&s, path, "data.part"));
    }
}

Test(download, F37_wrong_length)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    struct stat st;
    cr_assert_eq(stat(image, &st), 0);
    http_limits.tries = 2;
    _cleanup_free_ char *text = xasprintf("the transfer ended after %lld of %lld bytes",
                                          (long long)st.st_size, (long long)st.st_size + 500);
    prepare_fails(&s, "short:500/norange/a.qcow2", NULL, text);
    cr_expect(!is_cached(&s, "short:500/norange/a.qcow2", "data"));
}

Test(download, F37_nobody_listens)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, "http://127.0.0.1:1/a.qcow2", NULL, &e), -1);
    cr_expect_eq(e.kind, ERR_NET);
    expect_message(&e, "check the address, the network and the proxy");
}

Test(download, F37_the_next_image_of_the_list_is_used)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    _cleanup_free_ char *bad = url_of(&s, "404/a.qcow2"), *good = url_of(&s, "a.qcow2");
    struct config_image images[2] = {{.location = bad, .arch = (char *)"x86_64"},
                                     {.location = good, .arch = (char *)"x86_64"}};
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    s.cfg.images = images;
    s.cfg.images_count = 2;
    cr_assert_eq(image_prepare(&s.f.store, &s.cfg, s.f.dir, &s.inst, &s.report, &r, &e), 0, "%s",
                 e.msg);
    expect_same(&s, image);
    expect_note(&s, "warning: failed to download");
    /* A person who stops us does not want the next one. */
    s.stop = true;
    cr_assert_eq(image_prepare(&s.f.store, &s.cfg, s.f.dir, &s.inst, &s.report, &r, &e), -1);
    cr_expect_eq(e.kind, ERR_INTERRUPTED);
}

Test(download, proxies_come_from_the_environment)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    _cleanup_free_ char *proxy = url_of(&s, "");
    _cleanup_err_ struct err e = ERR_INIT;
    set_env("HTTP_PROXY", proxy);
    cr_assert_eq(prepare(&s, "http://nowhere.invalid/a.qcow2", NULL, &e), 0, "%s", e.msg);
    expect_same(&s, image);
    expect_requests(&s, "GET http://nowhere.invalid/a.qcow2", NULL, 1);
}

Test(download, F34_no_room)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 1000, 1));
    prepare_fails(&s, "short:900000000000000/a.qcow2", NULL, "are still to come, but only");
    prepare_fails(&s, "short:900000000000000/a.qcow2", NULL, "make room (`cima prune`");
}

/* ---- digests and caches (F38, S16) ---------------------------------------------------------- */

Test(download, DL03_wrong_digest_is_not_kept)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    static const char *const algorithms[] = {"sha256", "sha384", "sha512"};
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        _cleanup_free_ char *good = digest_of(image, algorithms[i]), *bad = xstrdup(good);
        bad[10] = bad[10] == '0' ? '1' : '0';
        _cleanup_free_ char *text = xasprintf("expected digest `%s`, got `%s`", bad, good);
        _cleanup_free_ char *path = xasprintf("etag:%zu/a.qcow2", i);
        prepare_fails(&s, path, bad, text);
        cr_expect(!is_cached(&s, path, "data"));
        cr_expect(!is_cached(&s, path, "data.part"));
        prepare_ok(&s, path, good);
    }
}

/* Changes a byte of the cached file where nothing but a digest can see it. */
static void poison(const struct scene *s, const char *path)
{
    _cleanup_free_ char *data = cached(s, path, "data");
    _cleanup_close_ int fd = open(data, O_WRONLY | O_CLOEXEC);
    usleep(20000);
    cr_assert_eq(pwrite(fd, "evil", 4, sizeof(struct qcow2) + 100), 4);
}

Test(download, F38_S16_altered_data_is_fetched_again)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    _cleanup_free_ char *digest = digest_of(image, "sha256"), *other = digest_of(image, "sha512");
    _cleanup_free_ char *file = cached(&s, "a.qcow2", "sha256.digest");
    prepare_ok(&s, "a.qcow2", digest);
    /* The digest file is there and says what is wanted: it is not believed. */
    poison(&s, "a.qcow2");
    prepare_ok(&s, "a.qcow2", digest);
    expect_note(&s, "The cached file is not used: ");
    expect_same(&s, image);
    expect_requests(&s, "GET /a.qcow2", NULL, 2);
    /* Asked for without a digest: the stored one still counts. */
    poison(&s, "a.qcow2");
    prepare_ok(&s, "a.qcow2", NULL);
    expect_same(&s, image);
    expect_requests(&s, "GET /a.qcow2", NULL, 3);
    /* The digest file is gone, or of another algorithm: good data is used, bad data is not. */
    (void)unlink(file);
    prepare_ok(&s, "a.qcow2", digest);
    prepare_ok(&s, "a.qcow2", other);
    expect_requests(&s, "GET /a.qcow2", NULL, 3);
    poison(&s, "a.qcow2");
    (void)unlink(file);
    prepare_ok(&s, "a.qcow2", other);
    expect_same(&s, image);
    expect_requests(&s, "GET /a.qcow2", NULL, 4);
}

Test(download, F38_an_entry_that_lima_made)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    _cleanup_free_ char *digest = digest_of(image, "sha256"), *url = url_of(&s, "a.qcow2");
    _cleanup_free_ char *dir = cached(&s, "a.qcow2", ""), *data = cached(&s, "a.qcow2", "data");
    _cleanup_free_ char *text = file_read(image, 1u << 20, NULL, NULL);
    _cleanup_free_ char *url_file = cached(&s, "a.qcow2", "url");
    _cleanup_free_ char *digest_file = cached(&s, "a.qcow2", "sha256.digest");
    cr_assert_eq(dir_make(dir, 0700, NULL), 0);
    struct stat st;
    cr_assert_eq(stat(image, &st), 0);
    cr_assert_eq(file_write_atomic(data, text, (size_t)st.st_size, 0644, NULL), 0);
    put_file(url_file, url);
    put_file(digest_file, digest);
    prepare_ok(&s, "a.qcow2", digest);
    prepare_ok(&s, "a.qcow2", digest);
    expect_same(&s, image);
    expect_requests(&s, "/a.qcow2", NULL, 0);
    cr_assert_eq(stat(data, &st), 0);
    cr_expect_eq(st.st_mode & 077, 0, "S04: an instance has a link to it");
    /* Poisoned together with its digest file. */
    poison(&s, "a.qcow2");
    prepare_ok(&s, "a.qcow2", digest);
    expect_same(&s, image);
    expect_requests(&s, "GET /a.qcow2", NULL, 1);
}

Test(download, S16_part_altered_between_two_tries)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 3u << 20, 1);
    _cleanup_free_ char *digest = digest_of(image, "sha256");
    s.stop_at = 1000000;
    open_gate(&s, 1500000);
    _cleanup_free_ char *part = cached(&s, "gate/a.qcow2", "data.part");
    snprintf(s.part, sizeof(s.part), "%s", part);
    prepare_fails(&s, "gate/a.qcow2", digest, "interrupted");
    _cleanup_close_ int fd = open(part, O_WRONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, "evil", 4, 500000), 4);
    s.stop = false;
    s.stop_at = 0;
    open_gate(&s, UINT32_MAX);
    prepare_ok(&s, "gate/a.qcow2", digest);
    expect_note(&s, "the resumed download does not fit its digest; starting over");
    expect_same(&s, image);
}

/* The name in the cache gets another file between the check and the use. */
Test(download, S16_what_was_checked_is_what_is_used)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    _cleanup_free_ char *evil = put_image(&s, "evil.qcow2", 1000, 99);
    _cleanup_free_ char *digest = digest_of(image, "sha256"), *url = url_of(&s, "a.qcow2");
    _cleanup_free_ char *to = path_join(s.f.dir, "placed"), *data = cached(&s, "a.qcow2", "data");
    for (int gone = 0; gone < 2; gone++) {
        _cleanup_(fetcher_release) struct fetcher f = {&s.f.store, &s.report, {0}, 0};
        _cleanup_image_file_ struct image_file file = IMAGE_FILE_INIT;
        _cleanup_err_ struct err e = ERR_INIT;
        struct digest d;
        cr_assert_eq(digest_parse(digest, &d, &e), 0);
        const struct want w = {url, &d, IMAGE_FOR_DISK, "x86_64"};
        cr_assert_eq(image_cache_url(&f, url, &w, &file, &e), 0, "%s", e.msg);
        cr_assert_eq(gone ? unlink(data) : rename(evil, data), 0);
        cr_assert_eq(image_place(&file, to, &e), 0, "%s", e.msg);
        _cleanup_free_ char *now = digest_of(to, "sha256");
        cr_expect_str_eq(now, digest);
    }
}

/* ---- S15: names from outside ---------------------------------------------------------------- */

Test(download, S15_S09_names_from_outside_are_no_paths)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 1000, 1);
    static const char *const paths[] = {"etag:..%2F..%2Fx/a.qcow2", "etag:%24(touch%20x)/a.qcow2",
                                        "-x/..%2F..%2Fetc/a.qcow2", "etag:%60id%60;'%22/a.qcow2"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        prepare_ok(&s, paths[i], NULL);
        expect_same(&s, image);
    }
    _cleanup_strv_ struct strv names = STRV_INIT;
    _cleanup_free_ char *base = path_join(s.f.store.downloads, "by-url-sha256");
    cr_assert_eq(dir_list(base, &names, NULL), 0);
    cr_expect_eq(names.n, ARRAY_SIZE(paths));
    for (size_t i = 0; i < names.n; i++)
        cr_expect_eq(strspn(names.v[i], "0123456789abcdef"), 64, "%s", names.v[i]);
}

/* ---- F11: stopped and killed ---------------------------------------------------------------- */

Test(download, F11_interrupted_download_goes_on)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 6u << 20, 1);
    struct stat st;
    uint64_t sent;
    cr_assert_eq(stat(image, &st), 0);
    _cleanup_free_ char *part = cached(&s, "gate/a.qcow2", "data.part");
    snprintf(s.part, sizeof(s.part), "%s", part);
    for (unsigned i = 1; i <= 3; i++) {
        s.stop = false;
        s.stop_at = i * 1500000;
        open_gate(&s, s.stop_at + 100000);
        prepare_fails(&s, "gate/a.qcow2", NULL, "interrupted");
        prepare_fails(&s, "gate/a.qcow2", NULL, "goes on from there");
        cr_expect(is_cached(&s, "gate/a.qcow2", "data.part"));
        cr_expect(!is_cached(&s, "gate/a.qcow2", "data"));
    }
    s.stop = false;
    s.stop_at = 0;
    open_gate(&s, UINT32_MAX);
    prepare_ok(&s, "gate/a.qcow2", NULL);
    expect_same(&s, image);
    await_requests(&s, "/gate", 4);
    requests(&s, "/gate", &sent);
    cr_expect_leq(sent, (uint64_t)st.st_size / 4 * 5, "it did not start over");
}

/* kill -9 at ten moments: at most 105 % of the bytes come over the wire. What a killed client had
 * in flight was sent in vain, so the server sends no more than the client is to have then. */
Test(download, F11_killed_ten_times)
{
    _scene_ struct scene s;
    scene_start(&s);
    _cleanup_free_ char *image = put_image(&s, "a.qcow2", 12u << 20, 1);
    _cleanup_free_ char *part = cached(&s, "gate/a.qcow2", "data.part");
    struct stat st, now;
    uint64_t sent;
    cr_assert_eq(stat(image, &st), 0);
    for (int i = 1; i <= 10; i++) {
        open_gate(&s, (uint64_t)(i * st.st_size / 11));
        pid_t pid = fork();
        if (pid == 0) {
            _cleanup_free_ char *url = url_of(&s, "gate/a.qcow2");
            _exit(prepare(&s, url, NULL, NULL) < 0);
        }
        /* Until the next megabyte or so is there. */
        for (int64_t end = deadline_in(LONG_MS); deadline_left(end); usleep(5000))
            if (stat(part, &now) == 0 && now.st_size >= i * st.st_size / 11)
                break;
        kill(pid, SIGKILL);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        cr_expect(!is_cached(&s, "gate/a.qcow2", "data"), "killed %d times", i);
        /* Its helper dies after it: the server has to know before it goes on. */
        await_requests(&s, "GET /gate", (unsigned)i);
    }
    open_gate(&s, UINT32_MAX);
    prepare_ok(&s, "gate/a.qcow2", NULL);
    expect_same(&s, image);
    await_requests(&s, "GET /gate", 11);
    unsigned n = requests(&s, "GET /gate", &sent);
    cr_expect_geq(n, 11, "it was killed in the middle");
    cr_expect_leq(sent, (uint64_t)st.st_size / 20 * 21);
}

/* ---- several at once ------------------------------------------------------------------------ */

Test(download, parallel_creates_are_one_download)
{
    enum { N = 10 };
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 3u << 20, 1));
    _cleanup_free_ char *url = url_of(&s, "slow:3000000/a.qcow2");
    for (int i = 0; i < N; i++)
        if (fork() == 0) {
            struct image_result r;
            struct instance_draft d;
            struct instance in;
            _cleanup_free_ char *name = xasprintf("vm%d", i);
            s.image.location = url;
            int failed =
                store_create_begin(&s.f.store, name, &d, NULL) < 0 ||
                image_prepare(&s.f.store, &s.cfg, s.f.dir, &d.inst, &s.report, &r, NULL) < 0 ||
                store_create_commit(&d, &in, NULL) < 0;
            /* Who did not download has waited. */
            bool waited = s.seen_phases & 1u << IMAGE_WAITING;
            bool loaded = s.seen_phases & 1u << IMAGE_DOWNLOADING;
            _exit(failed ? 1 : !waited && !loaded ? 2 : 0);
        }
    for (int i = 0; i < N; i++) {
        int status;
        cr_assert_gt(wait(&status), 0);
        cr_expect(status == 0 || WEXITSTATUS(status) == 2, "wait status %x", (unsigned)status);
    }
    expect_requests(&s, "GET /slow", NULL, 1);
}

Test(download, F39_prune_keeps_what_is_in_use)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 3u << 20, 1));
    free(put_image(&s, "b.qcow2", 1000, 1));
    _cleanup_free_ char *url = url_of(&s, "gate/a.qcow2");
    _cleanup_free_ char *part = cached(&s, "gate/a.qcow2", "data.part");
    prepare_ok(&s, "b.qcow2", NULL);
    open_gate(&s, 1000000);
    pid_t pid = fork();
    if (pid == 0)
        _exit(prepare(&s, url, NULL, NULL) < 0);
    for (int64_t end = deadline_in(LONG_MS); deadline_left(end) && !path_exists(part);)
        usleep(5000);
    _cleanup_image_pruned_ struct image_pruned p = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(image_prune(&s.f.store, NULL, &p, &e), 0, "%s", e.msg);
    cr_expect_eq(p.removed, 1);
    cr_assert_eq(p.busy.n, 1);
    cr_expect_str_eq(p.busy.v[0], url);
    open_gate(&s, UINT32_MAX);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "the download ends well");
    cr_expect(!is_cached(&s, "b.qcow2", "data"));
}

Test(download, DL07_prune_keeps_what_is_referred_to)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 1000, 1));
    free(put_image(&s, "b.qcow2", 1u << 20, 2));
    _cleanup_free_ char *local = put_image(&s, "c.qcow2", 1u << 20, 3),
                        *url = url_of(&s, "a.qcow2");
    _cleanup_free_ char *tmp = cached(&s, "a.qcow2", "data.tmp.123.0");
    _cleanup_free_ char *part = cached(&s, "a.qcow2", "data.part");
    _cleanup_err_ struct err e = ERR_INIT;
    prepare_ok(&s, "a.qcow2", NULL);
    cr_assert_eq(prepare(&s, local, NULL, &e), 0, "%s", e.msg);
    prepare_ok(&s, "b.qcow2", NULL);
    put_file(tmp, "left by Lima");
    put_file(part, "left by us");
    _cleanup_image_refs_ struct image_refs refs = {0};
    image_refs_add(&refs, url, s.f.dir);
    image_refs_add(&refs, local, s.f.dir);
    _cleanup_image_pruned_ struct image_pruned p = {0}, q = {0};
    cr_assert_eq(image_prune(&s.f.store, &refs, &p, &e), 0, "%s", e.msg);
    cr_expect_eq(p.removed, 1);
    cr_expect_eq(p.kept, 2);
    /* The instance has a link to b: little is freed. */
    cr_expect_lt(p.freed, 1u << 20);
    cr_expect(is_cached(&s, "a.qcow2", "data"));
    cr_expect(!path_exists(tmp) && !path_exists(part));
    cr_assert_eq(image_prune(&s.f.store, NULL, &q, &e), 0, "%s", e.msg);
    cr_expect_eq(q.removed, 2);
    cr_expect_gt(q.freed, 1u << 20);
}

/* ---- Lima's lock ---------------------------------------------------------------------------- */

Test(download, DL01_waits_for_limas_lock)
{
    _scene_ struct scene s;
    scene_start(&s);
    free(put_image(&s, "a.qcow2", 1000, 1));
    _cleanup_free_ char *dir = cached(&s, "a.qcow2", "");
    cr_assert_eq(dir_make(dir, 0700, NULL), 0);
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    int told[2];
    char c;
    cr_assert_eq(pipe2(told, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(told[1]);
        (void)!read(told[0], &c, 1);
        _exit(0); /* the lock is of our open file: it goes with the last descriptor */
    }
    close(told[0]);
    s.waits_fd = &told[1];
    close(TAKE_FD(fd));
    prepare_ok(&s, "a.qcow2", NULL);
    cr_expect(s.seen_phases & 1u << IMAGE_WAITING);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}
