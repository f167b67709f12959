/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of a cache: a directory with
 *   data               the file as it came
 *   data.checked       what has been found out about it, see struct memo
 *   <algo>.digest      "<algo>:<hex>", Lima's form (download cache only)
 *   unpacked           what data unpacks to, and unpacked.checked
 * Names that somebody else gives (a server's headers, a URL) never become part of a path (S15). */
#include "image/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#define LOCK_POLL_MS 50
#define MEMO_MAX     4096

static const char *const image_purpose_names[] = {
    [IMAGE_FOR_DISK] = "image", [IMAGE_FOR_KERNEL] = "kernel", [IMAGE_FOR_INITRD] = "initrd",
    [IMAGE_FOR_FIRMWARE] = "firmware"};
ENUM_STRINGS_DEFINE(image_purpose, IMAGE_PURPOSE_COUNT)

void image_file_release(struct image_file *f)
{
    cleanup_close_p(&f->fd);
    free(f->path);
    *f = (struct image_file)IMAGE_FILE_INIT;
}

void fetcher_release(struct fetcher *f)
{
    while (f->n_held)
        close(f->held[--f->n_held]);
}

void fetcher_hold(struct fetcher *f, int lock)
{
    /* From exclusive to shared, for those who wait. */
    if (f->n_held == ARRAY_SIZE(f->held) || flock(lock, LOCK_SH | LOCK_NB) < 0)
        close(lock);
    else
        f->held[f->n_held++] = lock;
}

void entry_release(struct entry *e)
{
    free(e->dir);
    free(e->data);
    *e = (struct entry){0};
}

int entry_open(const char *base, const char *key, bool limas, struct entry *ret, struct err *err)
{
    _cleanup_entry_ struct entry e = {.dir = path_join(base, key), .limas = limas};
    e.data = path_join(e.dir, "data");
    if (dir_make(e.dir, 0700, err) < 0 || dir_check_private(base, err) < 0 ||
        dir_check_private(e.dir, err) < 0)
        return err_wrap(err, "cannot use the image cache");
    *ret = (struct entry){TAKE_PTR(e.dir), TAKE_PTR(e.data), limas};
    return 0;
}

/* ---- locks ---------------------------------------------------------------------------------- */

/* Whoever has the lock downloads most of the time: what has come so far tells that it goes on. */
static void tell_waiting(const struct fetcher *f, const struct entry *e, const struct want *w)
{
    _cleanup_free_ char *part = xasprintf("%s.part", e->data);
    struct stat st;
    image_tell(f->report, IMAGE_WAITING, w->location,
               stat(part, &st) == 0 ? (uint64_t)st.st_size : 0, 0);
}

static int wait_lock(struct fetcher *f, const struct entry *e, int fd, int operation,
                     const struct want *w, struct err *err)
{
    while (flock(fd, operation | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return err_set_errno(err, ERR_IO, "cannot lock '%s'", e->dir);
        tell_waiting(f, e, w);
        if (image_go_on(f->report, err) < 0)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MS * 1000000L}, NULL);
    }
    return 0;
}

int entry_lock(struct fetcher *f, const struct entry *e, bool exclusive, const struct want *w,
               struct err *err)
{
    if (exclusive)
        fetcher_release(f);
    for (;;) {
        if (dir_make(e->dir, 0700, err) < 0)
            return -1;
        _cleanup_close_ int fd = open(e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return err_set_errno(err, ERR_IO, "cannot open '%s'", e->dir);
        if (wait_lock(f, e, fd, exclusive ? LOCK_EX : LOCK_SH, w, err) < 0)
            return -1;
        /* Pruned while we waited: another directory has the name now, or none. */
        if (fd_is_at(fd, e->dir))
            return TAKE_FD(fd);
    }
}

/* ---- what is known about a file ------------------------------------------------------------- */

/* Lines; the first is the file's identity, and the others count only for the file that has it:
 *   sha256:HEX     its digest
 *   disk           it was looked through as a disk image
 *   from IDENTITY  what it was unpacked from
 * The time of the last change of the inode is no part of the identity: every hard link that is made
 * or removed would change it. */
struct memo {
    char *path;
    struct strv lines;
    bool changed;
};

static void memo_release(struct memo *m)
{
    free(m->path);
    strv_release(&m->lines);
}
#define _cleanup_memo_ _cleanup_(memo_release)

static char *identity(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return xstrdup("?");
    return xasprintf("file %llu %lld.%09ld %llu", (unsigned long long)st.st_size,
                     (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     (unsigned long long)st.st_ino);
}

static struct memo memo_read(const char *file, int fd)
{
    struct memo m = {.path = xasprintf("%s.checked", file)};
    _cleanup_free_ char *id = identity(fd), *text = file_read(m.path, MEMO_MAX, NULL, NULL);
    if (text)
        strv_split(&m.lines, text, '\n');
    if (!m.lines.n || !streq(m.lines.v[0], id)) {
        strv_release(&m.lines);
        m.lines = (struct strv)STRV_INIT;
        strv_push(&m.lines, id);
    }
    return m;
}

static void memo_add(struct memo *m, const char *line)
{
    if (strv_contains(&m->lines, line))
        return;
    strv_insert(&m->lines, 1, line);
    m->changed = true;
}

/* A memo that can't be written costs time later, nothing else. */
static void memo_write(struct memo *m)
{
    if (!m->changed)
        return;
    _cleanup_free_ char *text = strv_join(&m->lines, "\n");
    (void)file_write_atomic(m->path, text, strlen(text), 0600, NULL);
    m->changed = false;
}

static char *digest_text(const struct digest *d)
{
    return xasprintf("%s:%s", d->algorithm, d->hex);
}

static char *digest_path(const struct entry *e, const char *algorithm)
{
    return xasprintf("%s/%s.digest", e->dir, algorithm);
}

void entry_remember(const struct entry *e, int fd, const struct digest *d)
{
    _cleanup_memo_ struct memo m = memo_read(e->data, fd);
    _cleanup_free_ char *text = digest_text(d), *path = digest_path(e, d->algorithm);
    memo_add(&m, text);
    memo_write(&m);
    if (e->limas)
        (void)file_write_atomic(path, text, strlen(text), 0644, NULL);
}

void entry_forget(const struct entry *e)
{
    static const char *const names[] = {"data.checked", "unpacked", "unpacked.checked",
                                        "unpacked.tmp", "time",     "type"};
    for (size_t i = 0; digest_algorithms[i]; i++) {
        _cleanup_free_ char *path = digest_path(e, digest_algorithms[i]);
        (void)unlink(path);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = path_join(e->dir, names[i]);
        (void)unlink(path);
    }
    /* Lima's conversion to raw is of the old data, too. */
    _cleanup_free_ char *converted = path_join(e->dir, "imgconv");
    (void)dir_remove(converted, NULL);
}

/* ---- digests -------------------------------------------------------------------------------- */

/* Does the data have this digest? As entry_check. */
static int check_digest(const struct fetcher *f, struct memo *m, int fd, const struct digest *want,
                        const char *name, struct err *err)
{
    _cleanup_free_ char *text = digest_text(want);
    struct digest got;
    if (strv_contains(&m->lines, text))
        return 1;
    if (digest_of_fd(fd, want->algorithm, name, f->report, &got, err) < 0)
        return -1;
    if (streq(got.hex, want->hex)) {
        memo_add(m, text);
        return 1;
    }
    err_set(err, ERR_IO, "'%s': expected digest `%s`, got `%s:%s`", name, text, got.algorithm,
            got.hex);
    err_hint(err, "the file is damaged or another version: fetch it again or correct `digest`");
    return 0;
}

/* Nobody asks for a digest, but one is stored: data that was altered since is found out by it. */
static int check_stored(const struct fetcher *f, const struct entry *e, struct memo *m, int fd,
                        const char *name, struct err *err)
{
    for (size_t i = 0; e->limas && digest_algorithms[i]; i++) {
        _cleanup_free_ char *path = digest_path(e, digest_algorithms[i]);
        _cleanup_free_ char *text = file_read(path, 256, NULL, NULL);
        struct digest d;
        if (!text)
            continue;
        text[strcspn(text, " \r\n")] = '\0';
        int r = digest_parse(text, &d, err) < 0 ? 0 : check_digest(f, m, fd, &d, name, err);
        if (r != 1)
            return r;
    }
    return 1;
}

static int check_digests(const struct fetcher *f, const struct entry *e, struct memo *m, int fd,
                         const struct want *w, struct err *err)
{
    if (!w->digest)
        return check_stored(f, e, m, fd, w->location, err);
    int r = check_digest(f, m, fd, w->digest, w->location, err);
    if (r == 1 && m->changed)
        entry_remember(e, fd, w->digest);
    return r;
}

/* ---- unpacked data -------------------------------------------------------------------------- */

static int make_unpacked(const struct fetcher *f, const char *path, int data, const char *how,
                         const char *from, const struct want *w, struct err *err)
{
    /* Under the exclusive lock: a file of that name is of an attempt that was killed. */
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", path);
    (void)unlink(tmp);
    _cleanup_close_ int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", tmp);
    image_note(f->report, LOG_INFO, "Decompressing the %s from `%s` (%s)",
               image_purpose_to_string(w->purpose), w->location, how);
    int r = fchmod(fd, 0600) < 0 ? err_set_errno(err, ERR_IO, "cannot prepare '%s'", tmp)
                                 : image_unpack(data, how, fd, w->location, 0, f->report, err);
    if (r == 0 && (fsync(fd) < 0 || rename(tmp, path) < 0))
        r = err_set_errno(err, ERR_IO, "cannot write '%s'", path);
    if (r < 0) {
        (void)unlink(tmp);
        return -1;
    }
    _cleanup_memo_ struct memo m = memo_read(path, fd);
    memo_add(&m, from);
    memo_write(&m);
    return 0;
}

/* The descriptor of what the data unpacks to. -1 and err; err's kind is ERR_BUSY when it has to be
 * made, which needs the exclusive lock. */
static int open_unpacked(const struct fetcher *f, const struct entry *e, int data, const char *how,
                         const struct want *w, bool exclusive, struct memo *ret, struct err *err)
{
    _cleanup_free_ char *path = path_join(e->dir, "unpacked"), *id = identity(data);
    _cleanup_free_ char *from = xasprintf("from %s", id);
    for (bool made = false;; made = true) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_memo_ struct memo m = fd >= 0 ? memo_read(path, fd) : (struct memo){0};
        if (fd >= 0 && strv_contains(&m.lines, from)) {
            *ret = m;
            m = (struct memo){0};
            return TAKE_FD(fd);
        }
        if (made)
            return err_set(err, ERR_IO, "'%s' changes while it is used", path);
        if (!exclusive)
            return err_set(err, ERR_BUSY, "'%s' is not unpacked yet", w->location);
        if (make_unpacked(f, path, data, how, from, w, err) < 0)
            return -1;
    }
}

/* ---- content -------------------------------------------------------------------------------- */

static int check_content(int fd, struct memo *m, const struct image_head *h, const struct want *w,
                         struct image_info *ret, struct err *err)
{
    if (w->purpose != IMAGE_FOR_DISK) {
        if (!image_is_web_page(h))
            return 0;
        err_set(err, ERR_IO, "'%s' is a web page, not a %s", w->location,
                image_purpose_to_string(w->purpose));
        return err_hint(err, "look at it with a browser; does the network want a login first?");
    }
    bool known = strv_contains(&m->lines, "disk");
    if (image_adoptable(fd, w->location, !known, ret, err) < 0)
        return -1;
    memo_add(m, "disk");
    return 0;
}

/* What must not be used need not take up room. */
static void remove_unpacked(const struct entry *e)
{
    _cleanup_free_ char *path = path_join(e->dir, "unpacked");
    _cleanup_free_ char *memo = xasprintf("%s.checked", path);
    (void)unlink(path);
    (void)unlink(memo);
}

static int check_all(struct fetcher *f, const struct entry *e, const struct want *w, bool exclusive,
                     struct image_file *file, struct err *err)
{
    _cleanup_free_ struct image_head *h = xmalloc(sizeof(*h));
    _cleanup_memo_ struct memo m = memo_read(e->data, file->fd), um = {0};
    int r = check_digests(f, e, &m, file->fd, w, err);
    /* A digest that was asked for and fits: another copy would be the same. */
    int bad = w->digest ? -1 : 0;
    if (r != 1)
        return r;
    if (image_head_read(file->fd, w->location, h, err) < 0)
        return bad;
    const char *how = w->purpose == IMAGE_FOR_INITRD ? NULL : image_compression(h);
    struct memo *mine = &m;
    if (how) {
        int fd = open_unpacked(f, e, file->fd, how, w, exclusive, &um, err);
        if (fd < 0)
            return err->kind == ERR_INTERRUPTED ? -1 : err->kind == ERR_BUSY ? 0 : bad;
        close(file->fd);
        file->fd = fd;
        mine = &um;
    }
    if ((how && image_head_read(file->fd, w->location, h, err) < 0) ||
        check_content(file->fd, mine, h, w, &file->info, err) < 0) {
        if (how && exclusive)
            remove_unpacked(e);
        return bad;
    }
    memo_write(&m);
    if (how)
        memo_write(&um);
    free(file->path);
    file->path = how ? path_join(e->dir, "unpacked") : xstrdup(e->data);
    return 1;
}

int entry_check(struct fetcher *f, const struct entry *e, const struct want *w, bool exclusive,
                struct image_file *ret, struct err *err)
{
    _cleanup_image_file_ struct image_file file = {
        .fd = open(e->data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat st;
    if (file.fd < 0) {
        err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open '%s'", e->data);
        return 0;
    }
    if (fstat(file.fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
        err_set(err, ERR_IO, "'%s' is not a regular file of ours", e->data);
        return 0;
    }
    /* Lima leaves it readable for all; a disk of an instance must not be (S04). */
    if ((st.st_mode & 07777) != 0600 && fchmod(file.fd, 0600) < 0)
        return err_set_errno(err, ERR_IO, "cannot set the mode of '%s'", e->data);
    int r = check_all(f, e, w, exclusive, &file, err);
    if (r == 1) {
        *ret = file;
        file = (struct image_file)IMAGE_FILE_INIT;
    }
    return r;
}
