/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/random.h>

/* Deeper trees are not ours; each level of a removal holds an fd. */
enum { REMOVE_DEPTH_MAX = 200, COPY_BLOCK = 1 << 20 };

static void cleanup_dir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}
#define _cleanup_dir_ _cleanup_(cleanup_dir_p)

/* ---- paths ------------------------------------------------------------------------------ */

char *path_rooted(const char *root, const char *path)
{
    return xasprintf("%s%s", root ? root : "", path);
}

char *path_join(const char *dir, const char *name)
{
    size_t len = strlen(dir);

    while (*name == '/' && len)
        name++;
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (len == 0)
        return xstrdup(name);
    /* Without printf: listing many instances joins thousands of paths. */
    size_t slash = dir[len - 1] != '/', n = strlen(name);
    char *path = xmalloc(len + slash + n + 1);

    memcpy(path, dir, len);
    path[len] = '/';
    memcpy(path + len + slash, name, n + 1);
    return path;
}

const char *path_basename(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *path_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    size_t len = (size_t)(slash - path);
    while (len && path[len - 1] == '/')
        len--;
    return len ? xstrndup(path, len) : xstrdup("/");
}

/* Appends the components of path to out, which is "" for the root. */
static void add_components(struct sbuf *out, const char *path)
{
    while (*path) {
        size_t n = strcspn(path, "/");

        if (n == 2 && path[0] == '.' && path[1] == '.') {
            while (out->len && out->buf[--out->len] != '/')
                ;
            if (out->buf)
                out->buf[out->len] = '\0';
        } else if (n && !(n == 1 && path[0] == '.')) {
            sbuf_addch(out, '/');
            sbuf_add(out, path, n);
        }
        path += n;
        path += strspn(path, "/");
    }
}

char *path_normalise(const char *base, const char *path)
{
    struct sbuf out = SBUF_INIT;

    if (*path != '/') {
        if (!base || *base != '/') {
            _cleanup_free_ char *cwd = getcwd(NULL, 0);

            if (cwd)
                add_components(&out, cwd);
        }
        if (base)
            add_components(&out, base);
    }
    add_components(&out, path);
    if (out.len == 0)
        sbuf_addch(&out, '/');
    return sbuf_detach(&out);
}

bool fd_is_at(int fd, const char *path)
{
    struct stat ours, there;

    return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

bool path_is_below(const char *inner, const char *outer)
{
    size_t len = strlen(outer);

    while (len && outer[len - 1] == '/')
        len--;
    return strncmp(inner, outer, len) == 0 && inner[len] == '/' && inner[len + 1];
}

bool path_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

/* ---- files ------------------------------------------------------------------------------ */

char *fd_read_all(int fd, const char *name, size_t max, size_t *ret_len, struct err *err)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    struct stat st;
    /* The size is a guess: in /proc it is 0, and the file may grow meanwhile. */
    bool sized = fstat(fd, &st) == 0 && st.st_size > 0 && (uintmax_t)st.st_size <= max;
    size_t chunk = sized ? (size_t)st.st_size + 1 : 4096;

    for (;;) {
        if (chunk > max - s.len)
            chunk = max - s.len + 1; /* one more tells "too large" from "just fits" */
        ssize_t n = read(fd, sbuf_reserve(&s, chunk), chunk);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_set_errno(err, ERR_IO, "reading '%s'", name);
            return NULL;
        }
        if (n == 0)
            break;
        sbuf_grown(&s, (size_t)n);
        if (s.len > max) {
            err_set(err, ERR_IO, "reading '%s': larger than %zu bytes", name, max);
            return NULL;
        }
        if (sized && S_ISREG(st.st_mode) && s.len == (size_t)st.st_size)
            break; /* one byte more was asked for and not there */
        chunk = s.len < 65536 ? 4096 : s.len;
    }
    if (ret_len)
        *ret_len = s.len;
    return sbuf_detach(&s);
}

char *file_read(const char *path, size_t max, size_t *ret_len, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        err_set_errno(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
                      "reading '%s'", path);
        return NULL;
    }
    return fd_read_all(fd, path, max, ret_len, err);
}

int fd_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_pwrite_all(int fd, const void *data, size_t len, off_t at)
{
    const char *p = data;

    while (len) {
        ssize_t n = pwrite(fd, p, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

int fd_pread_all(int fd, void *data, size_t len, off_t at)
{
    char *p = data;

    while (len) {
        ssize_t n = pread(fd, p, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = 0;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

/* Makes ".NAME.RANDOM" in the directory. Returns its fd; *ret_name is the caller's. */
static int open_temporary(int dir_fd, const char *name, char **ret_name)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
            return -1;
        _cleanup_free_ char *temp = xasprintf(".%.200s.%016" PRIx64, name, random);
        int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd >= 0)
            *ret_name = TAKE_PTR(temp);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static int write_and_rename(int dir_fd, int fd, const char *temp, const char *name,
                            const void *data, size_t len, mode_t mode, bool sync)
{
    if (fchmod(fd, mode) < 0 || fd_write_all(fd, data, len) < 0 || (sync && fsync(fd) < 0))
        return -1;
    return renameat(dir_fd, temp, dir_fd, name);
}

static int replace_file(const char *path, const void *data, size_t len, mode_t mode, bool sync,
                        struct err *err)
{
    _cleanup_free_ char *dir = path_dirname(path);
    _cleanup_free_ char *temp = NULL;
    _cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = -1;

    if (dir_fd >= 0)
        fd = open_temporary(dir_fd, path_basename(path), &temp);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "writing '%s'", path);
    if (write_and_rename(dir_fd, fd, temp, path_basename(path), data, len, mode, sync) < 0) {
        err_set_errno(err, ERR_IO, "writing '%s'", path);
        unlinkat(dir_fd, temp, 0);
        return -1;
    }
    if (sync && fsync(dir_fd) < 0)
        return err_set_errno(err, ERR_IO, "writing '%s': syncing the directory", path);
    return 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    return replace_file(path, data, len, mode, /* sync= */ true, err);
}

int file_write_unsynced(const char *path, const void *data, size_t len, mode_t mode,
                        struct err *err)
{
    return replace_file(path, data, len, mode, /* sync= */ false, err);
}

/* ---- copying ---------------------------------------------------------------------------- */

/* Both files have another idea of what copy_file_range may fail with; these say "not this way". */
static bool copy_range_unsupported(int errnum)
{
    return errnum == ENOSYS || errnum == EXDEV || errnum == EINVAL || errnum == EOPNOTSUPP ||
           errnum == EPERM || errnum == EBADF || errnum == ETXTBSY;
}

static int copy_by_hand(int src_fd, int dst_fd, off_t at, off_t end)
{
    _cleanup_free_ char *block = xmalloc(COPY_BLOCK);

    while (at < end) {
        size_t want = end - at < COPY_BLOCK ? (size_t)(end - at) : COPY_BLOCK;
        ssize_t n = pread(src_fd, block, want, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* became shorter under our hands */
        if (n <= 0)
            return -1;
        if (fd_pwrite_all(dst_fd, block, (size_t)n, at) < 0)
            return -1;
        at += n;
    }
    return 0;
}

static int copy_range(int src_fd, int dst_fd, off_t at, off_t end)
{
    while (at < end) {
        off_t in = at, out = at;
        ssize_t n = copy_file_range(src_fd, &in, dst_fd, &out, (size_t)(end - at), 0);

        if (n < 0 && errno == EINTR)
            continue;
        /* 0 before the end is what some file systems say instead of "unsupported". */
        if (n == 0 || (n < 0 && copy_range_unsupported(errno)))
            return copy_by_hand(src_fd, dst_fd, at, end);
        if (n < 0)
            return -1;
        at += n;
    }
    return 0;
}

static int copy_extents(int src_fd, int dst_fd, off_t size)
{
    off_t at = 0;

    while (at < size) {
        off_t data = lseek(src_fd, at, SEEK_DATA);

        if (data < 0 && errno == ENXIO)
            break; /* only a hole is left */
        off_t end = data < 0 ? -1 : lseek(src_fd, data, SEEK_HOLE);
        if (data < 0 || end < 0) {
            if (errno != EINVAL)
                return -1;
            data = at; /* this file system knows no holes */
            end = size;
        }
        if (end > size)
            end = size;
        if (data < size && copy_range(src_fd, dst_fd, data, end) < 0)
            return -1;
        at = end > data ? end : size;
    }
    return ftruncate(dst_fd, size);
}

int fd_copy_content(int src_fd, int dst_fd, struct err *err)
{
    struct stat st;

    if (ioctl(dst_fd, FICLONE, src_fd) == 0)
        return 0;
    if (fstat(src_fd, &st) < 0 || copy_extents(src_fd, dst_fd, st.st_size) < 0)
        return err_set_errno(err, ERR_IO, "copying a file");
    return 0;
}

/* ---- directories ------------------------------------------------------------------------ */

/* mkdir of one level; an existing directory (or a link to one) is success. */
static int make_level(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return 0;
    int saved = errno;
    /* Read-only file systems and automounts report other errors for a directory that exists. */
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    errno = saved == EEXIST ? ENOTDIR : saved;
    return -1;
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
    _cleanup_free_ char *p = xstrdup(path);

    for (char *slash = p; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (make_level(p, mode) < 0)
            return err_set_errno(err, errno == EACCES ? ERR_PERMISSION : ERR_IO,
                                 "making the directory '%s'", p);
        *slash = '/';
    }
    if (make_level(p, mode) < 0)
        return err_set_errno(err, errno == EACCES ? ERR_PERMISSION : ERR_IO,
                             "making the directory '%s'", p);
    return 0;
}

static int remove_at(int dir_fd, const char *name, unsigned depth);

/* Opens a directory to empty it, also one whose owner has no access to it. */
static int open_to_empty(int dir_fd, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags);
    struct stat st;

    if (fd >= 0 || errno != EACCES)
        return fd;
    /* fchmodat follows links, hence the check; a link swapped in now can only have its target's
     * owner bits widened, and the second open refuses it. */
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
        fchmodat(dir_fd, name, (st.st_mode & 07777) | 0700, 0) < 0) {
        errno = EACCES;
        return -1;
    }
    return openat(dir_fd, name, flags);
}

static int empty_directory(int fd, unsigned depth)
{
    _cleanup_close_ int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    _cleanup_dir_ DIR *d = own < 0 ? NULL : fdopendir(own);

    if (!d)
        return -1;
    own = -1;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);

        if (!e)
            return errno ? -1 : 0;
        if (streq(e->d_name, ".") || streq(e->d_name, ".."))
            continue;
        if (remove_at(fd, e->d_name, depth) < 0)
            return -1;
    }
}

static int remove_directory_at(int dir_fd, const char *name, unsigned depth)
{
    if (depth >= REMOVE_DEPTH_MAX) {
        errno = ELOOP;
        return -1;
    }
    /* Somebody (a dying child) may still add a file: look again. */
    for (int attempt = 0;; attempt++) {
        _cleanup_close_ int fd = open_to_empty(dir_fd, name);

        if (fd < 0)
            return errno == ENOENT ? 0 : -1;
        if (empty_directory(fd, depth + 1) < 0) {
            if (errno != EACCES || fchmod(fd, 0700) < 0 || attempt >= 3)
                return -1;
            continue;
        }
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if ((errno != ENOTEMPTY && errno != EEXIST) || attempt >= 3)
            return -1;
    }
}

static int remove_at(int dir_fd, const char *name, unsigned depth)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    /* Linux says EISDIR, POSIX EPERM. */
    if (errno != EISDIR && errno != EPERM)
        return -1;
    int saved = errno;
    if (remove_directory_at(dir_fd, name, depth) == 0)
        return 0;
    if (errno == ENOTDIR) /* no directory after all: the first error counts */
        errno = saved;
    return -1;
}

int dir_remove(const char *path, struct err *err)
{
    _cleanup_free_ char *p = xstrdup(path);

    /* With a slash behind it a link would be followed. */
    for (size_t len = strlen(p); len > 1 && p[len - 1] == '/'; len--)
        p[len - 1] = '\0';
    if (remove_at(AT_FDCWD, p, 0) < 0 && errno != ENOTDIR)
        return err_set_errno(err, ERR_IO, "removing '%s'", path);
    return 0;
}

int dir_sync(const char *path, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_set_errno(err, ERR_IO, "syncing the directory '%s'", path);
    return 0;
}

int dir_list(const char *path, struct strv *ret, struct err *err)
{
    _cleanup_strv_ struct strv names = STRV_INIT;
    _cleanup_dir_ DIR *d = opendir(path);

    if (!d)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                             "reading the directory '%s'", path);
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);

        if (!e && errno)
            return err_set_errno(err, ERR_IO, "reading the directory '%s'", path);
        if (!e)
            break;
        if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
            strv_push(&names, e->d_name);
    }
    strv_sort(&names);
    strv_extend(ret, &names);
    return 0;
}

int dir_check_private(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                             "looking at the directory '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, "'%s' is not a directory", path);
    if (st.st_uid != geteuid()) {
        err_set(err, ERR_PERMISSION, "the directory '%s' belongs to user %u, not to us", path,
                st.st_uid);
        return err_hint(err, "work as that user, or use a directory of your own");
    }
    if (st.st_mode & (S_IWGRP | S_IWOTH)) {
        err_set(err, ERR_PERMISSION, "the directory '%s' can be written to by others (mode %04o)",
                path, st.st_mode & 07777);
        return err_hint(err, "chmod go-w '%s'", path);
    }
    return 0;
}
