/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of local images: local/<key>/ below the cache directory (entry.c). The key is made of
 * the source's device, inode, size and time of modification: a changed source is another entry. */
#include "image/internal.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>

struct source {
    const char *path;
    int fd;
    struct stat st;
};

static void source_release(struct source *src)
{
    cleanup_close_p(&src->fd);
}

char *image_local_key(const struct stat *source)
{
    return xasprintf("%llx-%llx-%llx-%llx.%09ld", (unsigned long long)source->st_dev,
                     (unsigned long long)source->st_ino, (unsigned long long)source->st_size,
                     (unsigned long long)source->st_mtim.tv_sec, source->st_mtim.tv_nsec);
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

/* The cheap refusals, before a large file is copied for nothing. */
static int check_source(const struct source *src, enum image_purpose purpose, struct err *err)
{
    _cleanup_free_ struct image_head *h = xmalloc(sizeof(*h));
    struct image_info info;
    if (image_head_read(src->fd, src->path, h, err) < 0)
        return -1;
    if (purpose != IMAGE_FOR_DISK || image_compression(h))
        return 0;
    return image_adoptable(src->fd, src->path, true, &info, err);
}

static bool same_content_still(const struct source *src)
{
    struct stat now;
    return fstat(src->fd, &now) == 0 && now.st_size == src->st.st_size &&
           now.st_mtim.tv_sec == src->st.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == src->st.st_mtim.tv_nsec;
}

static int copy_into(const struct source *src, const char *tmp, struct err *err)
{
    _cleanup_close_ int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fchmod(fd, 0600) < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", tmp);
    if (fd_copy_content(src->fd, fd, err) < 0)
        return err_wrap(err, "copying '%s' into the cache", src->path);
    if (!same_content_still(src))
        return err_set(err, ERR_BUSY, "'%s' changed while it was copied", src->path);
    if (fsync(fd) < 0)
        return err_set_errno(err, ERR_IO, "cannot write '%s' to disk", tmp);
    return 0;
}

static int fill(const struct fetcher *f, const struct entry *e, const struct source *src,
                const struct want *w, struct err *err)
{
    /* The entry is locked: a file of that name is of a copy that was killed. */
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", e->data);
    (void)unlink(tmp);
    image_tell(f->report, IMAGE_COPYING, w->location, 0, (uint64_t)src->st.st_size);
    entry_forget(e);
    int r = copy_into(src, tmp, err);
    if (r == 0 && rename(tmp, e->data) < 0)
        r = err_set_errno(err, ERR_IO, "cannot rename '%s' to '%s'", tmp, e->data);
    if (r < 0)
        (void)unlink(tmp);
    else
        (void)dir_sync(e->dir, NULL);
    return r;
}

/* Under the exclusive lock. */
static int provide(struct fetcher *f, const struct entry *e, const struct source *src,
                   const struct want *w, struct image_file *ret, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    int r = entry_check(f, e, w, true, ret, &why);
    if (r == 1)
        return 0;
    if (r < 0)
        return err_move(err, &why);
    if (fill(f, e, src, w, err) < 0)
        return -1;
    if (entry_check(f, e, w, true, ret, err) == 1)
        return 0;
    if (err->kind != ERR_INTERRUPTED) {
        (void)unlink(e->data);
        entry_forget(e);
    }
    return -1;
}

int image_cache_local(struct fetcher *f, const char *path, const struct want *w,
                      struct image_file *ret, struct err *err)
{
    _cleanup_(source_release) struct source src = {.fd = -1};
    _cleanup_entry_ struct entry e = {0};
    _cleanup_err_ struct err why = ERR_INIT;
    const struct want mine = {path, w->digest, w->purpose, w->arch};
    if (open_source(path, &src, err) < 0 || check_source(&src, w->purpose, err) < 0)
        return -1;
    _cleanup_free_ char *key = image_local_key(&src.st);
    _cleanup_free_ char *base = store_cache_path(f->store, "local");
    if (entry_open(base, key, false, &e, err) < 0 || dir_check_private(f->store->cache, err) < 0)
        return -1;
    _cleanup_close_ int lock = entry_lock(f, &e, false, &mine, err);
    if (lock < 0)
        return -1;
    if (entry_check(f, &e, &mine, false, ret, &why) == 1) {
        log_debug("using cache '%s' for '%s'", ret->path, path);
        fetcher_hold(f, TAKE_FD(lock));
        return 0;
    }
    if (why.kind == ERR_INTERRUPTED)
        return err_move(err, &why);
    close(TAKE_FD(lock));
    lock = entry_lock(f, &e, true, &mine, err);
    if (lock < 0 || provide(f, &e, &src, &mine, ret, err) < 0)
        return -1;
    fetcher_hold(f, TAKE_FD(lock));
    return 0;
}

/* ---- into the instance directory ------------------------------------------------------------ */

static int copy_to(const struct image_file *from, const char *to, struct err *err)
{
    _cleanup_close_ int dst = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dst < 0 || fchmod(dst, 0600) < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", to);
    int r = fd_copy_content(from->fd, dst, err);
    /* The disk that will be made on it is on the file system at once, too. */
    if (r == 0 && fsync(dst) < 0)
        r = err_set_errno(err, ERR_IO, "cannot write '%s' to disk", to);
    if (r == 0)
        return 0;
    (void)unlink(to);
    return err_wrap(err, "copying '%s' to '%s'", from->path, to);
}

/* The descriptor, not the name: what is linked is what was checked (S16). */
static int link_to(const struct image_file *from, const char *to)
{
    _cleanup_free_ char *self = xasprintf("/proc/self/fd/%d", from->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

int image_place(const struct image_file *from, const char *to, struct err *err)
{
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", to);
    (void)unlink(tmp);
    /* Whatever keeps a hard link from being made (another file system, none of them, too many, the
     * entry was pruned), a copy does as well. */
    if (link_to(from, tmp) < 0 && copy_to(from, tmp, err) < 0)
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
