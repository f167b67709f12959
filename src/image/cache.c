/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of local images: local/<key>/ below the cache directory, with
 *   data           the copy
 *   <algo>.digest  "<algo>:<hex> <size> <mtime>": a digest that was computed, and of which data
 *   lock           held while the entry is made or used
 * The key is made of the source's device, inode, size and time of modification: a changed source is
 * another entry. */
#include "image/internal.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/lock.h"
#include <errno.h>
#include <fcntl.h>

#define FILL_TRIES 5

struct entry {
    char *dir, *data;
};

static void entry_release(struct entry *e)
{
    free(e->dir);
    free(e->data);
}

void image_cached_release(struct image_cached *c)
{
    if (c->path && c->lock_fd >= 0)
        close(c->lock_fd);
    free(c->path);
    *c = (struct image_cached){.lock_fd = -1};
}

static int entry_open(const struct store *s, const struct stat *source, struct entry *ret,
                      struct err *err)
{
    _cleanup_free_ char *key =
        xasprintf("local/%llx-%llx-%llx-%llx.%09ld", (unsigned long long)source->st_dev,
                  (unsigned long long)source->st_ino, (unsigned long long)source->st_size,
                  (unsigned long long)source->st_mtim.tv_sec, source->st_mtim.tv_nsec);
    _cleanup_(entry_release) struct entry e = {.dir = store_cache_path(s, key)};
    e.data = path_join(e.dir, "data");
    if (dir_make(s->cache, 0700, err) < 0 || dir_check_private(s->cache, err) < 0 ||
        dir_make(e.dir, 0700, err) < 0)
        return err_wrap(err, "cannot use the image cache");
    *ret = (struct entry){TAKE_PTR(e.dir), TAKE_PTR(e.data)};
    return 0;
}

/* ---- digests -------------------------------------------------------------------------------- */

static char *digest_line(const struct digest *d, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return NULL;
    return xasprintf("%s:%s %lld %lld.%09ld\n", d->algorithm, d->hex, (long long)st.st_size,
                     (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static char *digest_path(const struct entry *e, const struct digest *d)
{
    return xasprintf("%s/%s.digest", e->dir, d->algorithm);
}

/* Has this very content been found to have that digest? */
static bool digest_known(const struct entry *e, const struct digest *want, int fd)
{
    _cleanup_free_ char *path = digest_path(e, want), *line = digest_line(want, fd);
    _cleanup_free_ char *stored = file_read(path, 4096, NULL, NULL);
    return stored && line && streq(stored, line);
}

static int digest_check(const struct entry *e, const struct digest *want, int fd,
                        const char *source, struct err *err)
{
    if (digest_known(e, want, fd))
        return 0;
    struct digest got;
    if (digest_of_fd(fd, want->algorithm, source, &got, err) < 0)
        return -1;
    if (!streq(got.hex, want->hex)) {
        err_set(err, ERR_IO, "'%s': expected digest `%s:%s`, got `%s:%s`", source, want->algorithm,
                want->hex, got.algorithm, got.hex);
        return err_hint(err, "the file is damaged or another version: fetch it again or correct "
                             "`digest`");
    }
    _cleanup_free_ char *path = digest_path(e, want), *line = digest_line(want, fd);
    return line ? file_write_atomic(path, line, strlen(line), 0600, err) : 0;
}

/* ---- the copy ------------------------------------------------------------------------------- */

static bool same_content_still(int fd, const struct stat *before)
{
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
           now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

struct source {
    const char *path;
    int fd;
    struct stat st;
    const struct digest *digest; /* NULL: none asked for */
    bool is_disk;
};

/* Everything is checked on the copy, which nobody else can change. */
static int copy_checked(const struct entry *e, const struct source *src, int fd,
                        struct image_info *info, struct err *err)
{
    if (fchmod(fd, 0600) < 0)
        return err_set_errno(err, ERR_IO, "cannot prepare '%s'", e->data);
    if (fd_copy_content(src->fd, fd, err) < 0)
        return err_wrap(err, "copying '%s' into the cache", src->path);
    if (!same_content_still(src->fd, &src->st))
        return err_set(err, ERR_BUSY, "'%s' changed while it was copied", src->path);
    if (src->is_disk && image_adoptable(fd, src->path, true, info, err) < 0)
        return -1;
    if (src->digest && digest_check(e, src->digest, fd, src->path, err) < 0)
        return -1;
    if (fsync(fd) < 0)
        return err_set_errno(err, ERR_IO, "cannot write '%s' to disk", e->data);
    return 0;
}

static int fill(const struct entry *e, const struct source *src, struct image_info *info,
                struct err *err)
{
    /* The entry is locked: a file of that name is of a copy that was killed. */
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", e->data);
    (void)unlink(tmp);
    _cleanup_close_ int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", tmp);
    log_info("copying '%s' into the image cache", src->path);
    if (copy_checked(e, src, fd, info, err) < 0 ||
        (rename(tmp, e->data) < 0 &&
         err_set_errno(err, ERR_IO, "cannot rename '%s' to '%s'", tmp, e->data) < 0)) {
        (void)unlink(tmp);
        return -1;
    }
    (void)dir_sync(e->dir, NULL);
    return 0;
}

/* Is the entry's data there and good? If not, it is made anew, and then the error is known. */
static bool is_hit(const struct entry *e, const struct source *src, struct image_info *info)
{
    _cleanup_close_ int fd = open(e->data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != src->st.st_size)
        return false;
    if (src->is_disk && image_adoptable(fd, src->path, false, info, NULL) < 0)
        return false;
    return !src->digest || digest_check(e, src->digest, fd, src->path, NULL) == 0;
}

/* The cheap refusals, before a large file is copied for nothing. */
static int check_source(const struct source *src, struct err *err)
{
    _cleanup_free_ struct image_head *h = xmalloc(sizeof(*h));
    if (image_head_read(src->fd, src->path, h, err) < 0)
        return -1;
    if (src->is_disk) {
        struct image_info info;
        return image_adoptable(src->fd, src->path, true, &info, err);
    }
    const char *how = image_compression(h);
    /* QEMU and the kernels unpack gzip themselves. */
    if (how && !streq(how, "gzip")) {
        err_set(err, ERR_UNSUPPORTED, "'%s' is compressed (%s)", src->path, how);
        return err_hint(err, "decompress it first: %s -dk FILE", how);
    }
    return 0;
}

static int open_source(const char *path, struct source *ret, struct err *err)
{
    /* O_NONBLOCK: a FIFO must not hold us up. */
    ret->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (ret->fd < 0)
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "'%s' does not exist", path)
                               : err_set_errno(err, errno == EACCES ? ERR_PERMISSION : ERR_IO,
                                               "cannot open '%s'", path);
    ret->path = path;
    if (fstat(ret->fd, &ret->st) < 0)
        return err_set_errno(err, ERR_IO, "cannot look at '%s'", path);
    if (!S_ISREG(ret->st.st_mode))
        return err_set(err, ERR_IO, "'%s' is not a regular file", path);
    return 0;
}

static void source_release(struct source *src)
{
    if (src->fd >= 0)
        close(src->fd);
}

/* Returns the entry's lock, shared, with good data behind it. Who finds none makes it under the
 * exclusive lock and looks again: a shared lock is what several images of one create, several
 * creates and no prune can hold at a time. */
static int lock_filled(const struct entry *e, const struct source *src, struct image_info *info,
                       struct err *err)
{
    _cleanup_free_ char *path = path_join(e->dir, "lock");
    for (unsigned tries = 0; tries < FILL_TRIES; tries++) {
        _cleanup_close_ int shared = lock_take_shared(path, -1, err);
        if (shared < 0)
            return -1;
        if (is_hit(e, src, info)) {
            log_debug("using cache '%s' for '%s'", e->data, src->path);
            return TAKE_FD(shared);
        }
        close(TAKE_FD(shared));
        _cleanup_close_ int exclusive = lock_take(path, -1, err);
        if (exclusive < 0)
            return -1;
        if (!is_hit(e, src, info) && fill(e, src, info, err) < 0)
            return -1;
    }
    return err_set(err, ERR_BUSY, "'%s' is removed as soon as it is there", e->data);
}

int image_cache_local(const struct store *s, const char *path, const char *digest, bool is_disk,
                      struct image_cached *ret, struct err *err)
{
    _cleanup_(source_release) struct source src = {.fd = -1, .is_disk = is_disk};
    struct digest want;
    if (digest && digest_parse(digest, &want, err) < 0)
        return -1;
    src.digest = digest ? &want : NULL;
    if (open_source(path, &src, err) < 0 || check_source(&src, err) < 0)
        return -1;
    _cleanup_(entry_release) struct entry e = {NULL, NULL};
    if (entry_open(s, &src.st, &e, err) < 0)
        return -1;
    struct image_info info = {0};
    int lock = lock_filled(&e, &src, &info, err);
    if (lock < 0)
        return -1;
    *ret = (struct image_cached){TAKE_PTR(e.data), lock, info};
    return 0;
}

/* ---- into the instance directory ------------------------------------------------------------ */

static int copy_to(const char *from, const char *to, struct err *err)
{
    _cleanup_close_ int src = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (src < 0)
        return err_set_errno(err, ERR_IO, "cannot open '%s'", from);
    _cleanup_close_ int dst = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dst < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", to);
    if (fchmod(dst, 0600) < 0 || fd_copy_content(src, dst, err) < 0) {
        (void)unlink(to);
        if (!err || !err_is_set(err))
            return err_set_errno(err, ERR_IO, "cannot write '%s'", to);
        return err_wrap(err, "copying '%s' to '%s'", from, to);
    }
    return 0;
}

int image_place(const char *from, const char *to, struct err *err)
{
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", to);
    (void)unlink(tmp);
    /* Whatever keeps a hard link from being made (another file system, none of them, too many), a
     * copy does as well. */
    if (link(from, tmp) < 0 && copy_to(from, tmp, err) < 0)
        return -1;
    if (rename(tmp, to) < 0) {
        err_set_errno(err, ERR_IO, "cannot rename '%s' to '%s'", tmp, to);
        (void)unlink(tmp);
        return -1;
    }
    /* rename(2) leaves both names when they are links to the same file already. */
    (void)unlink(tmp);
    return 0;
}
