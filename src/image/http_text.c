/* SPDX-License-Identifier: Apache-2.0 */
/* A small file of the network as a text in memory; nothing of it touches a disk. */
#include "base/fs.h"
#include "base/mem.h"
#include "image/http.h"
#include "image/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

struct text {
    const char *url;
    size_t max;
};

static int too_large(const struct text *t, struct err *err)
{
    err_set(err, ERR_NET, "the file is larger than %zu KiB", t->max >> 10);
    return err_hint(err, "look at the address: what is expected there is a small text");
}

static int on_answer(void *arg, const struct http_answer *a, struct err *err)
{
    const struct text *t = arg;

    if (a->total > t->max)
        return too_large(t, err);
    if (a->html) {
        err_set(err, ERR_NET, "the server sent a web page instead of the file");
        return err_hint(err, "take the address of the file itself (on GitHub: the button `Raw`); a "
                             "login page or a proxy may stand in between");
    }
    return 0;
}

/* Its size is fixed, so that no server fills the memory: what goes beyond it is refused. */
static int make_room(size_t max, struct err *err)
{
    _cleanup_close_ int fd = memfd_create("download", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)max + 1) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0) {
        err_set_errno(err, ERR_IO, "cannot make room for a download");
        return -1;
    }
    return TAKE_FD(fd);
}

static enum http_result once(const struct text *t, int fd, const struct image_report *r,
                             struct http_answer *a, struct err *err)
{
    const struct http_request q = {
        .url = t->url, .fd = fd, .lock_fd = -1, .begin = on_answer, .arg = (void *)(uintptr_t)t};
    enum http_result result = http_run(&q, r, a, err);

    if (result != HTTP_DONE && err->saved_errno == EPERM) {
        err_clear(err);
        (void)too_large(t, err);
        return HTTP_FAILED;
    }
    if (result == HTTP_DONE && a->end > t->max) {
        (void)too_large(t, err);
        return HTTP_FAILED;
    }
    return result;
}

static int read_back(int fd, size_t len, char **ret, struct err *err)
{
    _cleanup_free_ char *text = xmalloc(len + 1);

    if (fd_pread_all(fd, text, len, 0) < 0)
        return err_set_errno(err, ERR_IO, "cannot read a download");
    text[len] = '\0';
    *ret = TAKE_PTR(text);
    return 0;
}

int http_get_text(const char *url, size_t max, const struct image_report *r, char **ret,
                  size_t *ret_len, struct err *err)
{
    const struct text t = {url, max};

    for (unsigned tries = 1;; tries++) {
        _cleanup_(http_answer_release) struct http_answer a = {0};
        _cleanup_err_ struct err why = ERR_INIT;
        _cleanup_close_ int fd = make_room(max, err);
        enum http_result result;

        if (fd < 0)
            return -1;
        result = once(&t, fd, r, &a, &why);
        if (result == HTTP_DONE) {
            *ret_len = a.end;
            return read_back(fd, a.end, ret, err);
        }
        if (result != HTTP_AGAIN || tries >= http_limits.tries)
            return err_move(err, &why);
        _cleanup_free_ char *line = err_message(&why);
        image_note(r, LOG_WARN, "'%s': %s; trying again", url, line);
        if (image_wait(r, http_limits.wait_ms << (tries - 1), NULL, err) < 0)
            return -1;
    }
}
