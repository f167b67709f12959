/* SPDX-License-Identifier: Apache-2.0 */
/* Creation and deletion as transactions.
 *
 * An instance is built in ".NAME.new-PID.XXXXXX" beside its final place and deleted by way of
 * ".NAME.del-PID.XXXXXX". Whoever works on such a directory holds a flock on the directory itself:
 * the lock follows the directory through renames and leaves no file behind. A hidden directory
 * whose lock is free belongs to a command that was killed, and the next creation removes it. A
 * directory is made, locked and looked for under a short lock on the home directory, so that nobody
 * sees it between its birth and its lock. */
#include "store/store.h"
#include "store/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "sys/clock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

#define HOME_LOCK_MS 60000

static const char tag_new[] = ".new-";
static const char tag_del[] = ".del-";

static int open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int flock_retry(int fd, int operation)
{
    int r;
    do
        r = flock(fd, operation);
    while (r < 0 && errno == EINTR);
    return r;
}

/* The lock of the home directory is held for moments, and while leftovers are removed. There is no
 * flock with a time limit: it is asked for again and again. */
static int lock_home(const struct store *s, struct err *err)
{
    _cleanup_close_ int fd = open(s->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "cannot open the home of the instances '%s'", s->home);
    for (int64_t end = deadline_in(HOME_LOCK_MS); flock_retry(fd, LOCK_EX | LOCK_NB) < 0;) {
        if (errno != EWOULDBLOCK)
            return err_set_errno(err, ERR_IO, "cannot lock the home of the instances '%s'",
                                 s->home);
        if (deadline_left(end) == 0)
            return err_set(err, ERR_BUSY,
                           "another command has locked the home of the instances '%s' "
                           "for %d seconds",
                           s->home, HOME_LOCK_MS / 1000);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return TAKE_FD(fd);
}

/* Splits ".NAME.new-PID.XXXXXX". The text may hold the separators in NAME too: the last one counts.
 */
static bool parse_hidden(const char *entry, const char *tag, char **ret_name, pid_t *ret_pid)
{
    if (*entry != '.')
        return false;
    const char *at = NULL;
    for (const char *p = entry; (p = strstr(p, tag)); p++)
        at = p;
    if (!at || at == entry)
        return false;
    const char *digits = at + strlen(tag), *dot = strchr(digits, '.');
    if (!dot || strlen(dot) != 7)
        return false;
    _cleanup_free_ char *number = xstrndup(digits, (size_t)(dot - digits));
    uint64_t pid;
    if (parse_uint(number, INT32_MAX, &pid) < 0)
        return false;
    *ret_pid = (pid_t)pid;
    if (ret_name)
        *ret_name = xstrndup(entry + 1, (size_t)(at - entry - 1));
    return true;
}

/* Removes what killed commands left behind. Under the lock of the home directory. */
static void sweep(const struct store *s)
{
    _cleanup_strv_ struct strv entries = STRV_INIT;
    if (dir_list(s->home, &entries, NULL) < 0)
        return;
    for (size_t k = 0; k < entries.n; k++) {
        pid_t pid;
        if (!parse_hidden(entries.v[k], tag_new, NULL, &pid) &&
            !parse_hidden(entries.v[k], tag_del, NULL, &pid))
            continue;
        _cleanup_free_ char *path = path_join(s->home, entries.v[k]);
        _cleanup_close_ int fd = open_dir(path);
        if (fd >= 0 && flock_retry(fd, LOCK_EX | LOCK_NB) == 0)
            (void)dir_remove(path, NULL);
    }
}

/* Is a living command making `name` right now? */
static bool find_rival(const struct store *s, const char *name, pid_t *ret_pid)
{
    _cleanup_strv_ struct strv entries = STRV_INIT;
    if (dir_list(s->home, &entries, NULL) < 0)
        return false;
    for (size_t k = 0; k < entries.n; k++) {
        _cleanup_free_ char *other = NULL;
        if (parse_hidden(entries.v[k], tag_new, &other, ret_pid) && streq(other, name))
            return true;
    }
    return false;
}

/* Makes a hidden directory, 0700 whatever the umask, and takes its lock. */
static int make_hidden(const struct store *s, const char *name, const char *tag, char **ret_dir,
                       struct err *err)
{
    _cleanup_free_ char *dir = xasprintf("%s/.%s%s%ld.XXXXXX", s->home, name, tag, (long)getpid());
    if (!mkdtemp(dir))
        return err_set_errno(err, ERR_IO, "cannot make a directory in '%s'", s->home);
    /* First: it may be closed to ourselves. */
    _cleanup_close_ int fd = chmod(dir, 0700) == 0 ? open_dir(dir) : -1;
    if (fd < 0 || flock_retry(fd, LOCK_EX | LOCK_NB) < 0) {
        err_set_errno(err, ERR_IO, "cannot lock '%s'", dir);
        (void)rmdir(dir);
        return -1;
    }
    *ret_dir = TAKE_PTR(dir);
    return TAKE_FD(fd);
}

static int taken_error(const char *name, const char *dir, struct err *err)
{
    err_set(err, ERR_EXISTS, "instance `%s` already exists ('%s')", name, dir);
    return err_hint(err,
                    "`cima start %s` starts it, `cima delete %s` removes it; or choose another "
                    "name with --name",
                    name, name);
}

static int begin_locked(const struct store *s, const char *name, const char *final_dir,
                        struct instance_draft *ret, struct err *err)
{
    sweep(s);
    struct stat st;
    if (lstat(final_dir, &st) == 0)
        return taken_error(name, final_dir, err);
    pid_t rival;
    if (find_rival(s, name, &rival))
        return err_set(err, ERR_BUSY, "instance `%s` is being created by process %ld", name,
                       (long)rival);
    char *dir = NULL;
    int fd = make_hidden(s, name, tag_new, &dir, err);
    if (fd < 0)
        return -1;
    *ret = (struct instance_draft){.name = xstrdup(name),
                                   .inst = {xstrdup(name), dir, true},
                                   .final_dir = xstrdup(final_dir),
                                   .lock_fd = fd};
    return 0;
}

int store_create_begin(const struct store *s, const char *name, struct instance_draft *ret,
                       struct err *err)
{
    if (store_check_name(s, name, err) < 0 || store_ensure(s, err) < 0)
        return -1;
    _cleanup_free_ char *final_dir = store_instance_dir(s, name);
    _cleanup_close_ int home = lock_home(s, err);
    if (home < 0)
        return -1;
    return begin_locked(s, name, final_dir, ret, err);
}

static int sync_fd(int fd, const char *path, struct err *err)
{
    if (fd < 0 || fsync(fd) < 0)
        return err_set_errno(err, ERR_IO, "cannot write '%s' to disk", path);
    return 0;
}

/* Starts writing the files of a directory, all at a time: then the first fsync makes the file system
 * commit them together, and the others find nothing left to do. */
static void start_writing(const char *dir, const struct strv *names)
{
    for (size_t k = 0; k < names->n; k++) {
        _cleanup_free_ char *path = path_join(dir, names->v[k]);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0)
            (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
}

/* fsync of every file and directory of a tree, the directory last. */
static int sync_tree(const char *dir, unsigned depth, struct err *err)
{
    _cleanup_strv_ struct strv names = STRV_INIT;
    if (dir_list(dir, &names, err) < 0)
        return -1;
    start_writing(dir, &names);
    for (size_t k = 0; k < names.n; k++) {
        _cleanup_free_ char *path = path_join(dir, names.v[k]);
        struct stat st;
        if (lstat(path, &st) < 0)
            return err_set_errno(err, ERR_IO, "cannot look at '%s'", path);
        if (S_ISDIR(st.st_mode) && depth < 8) {
            if (sync_tree(path, depth + 1, err) < 0)
                return -1;
        } else if (S_ISREG(st.st_mode)) {
            _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
            if (sync_fd(fd, path, err) < 0)
                return -1;
        }
    }
    _cleanup_close_ int fd = open_dir(dir);
    return sync_fd(fd, dir, err);
}

static int rename_noreplace(const char *from, const char *to)
{
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    /* File systems that don't know the flag (NFS, old FUSE): a plain rename of a directory replaces
     * only an empty directory, which is no instance. */
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return rename(from, to);
}

int store_create_commit(struct instance_draft *d, struct instance *ret, struct err *err)
{
    if (sync_tree(d->inst.dir, 0, err) < 0)
        return err_wrap(err, "creating instance `%s`", d->name);
    if (rename_noreplace(d->inst.dir, d->final_dir) < 0) {
        if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
            return taken_error(d->name, d->final_dir, err);
        return err_set_errno(err, ERR_IO, "cannot rename '%s' to '%s'", d->inst.dir, d->final_dir);
    }
    /* The instance is there; a failing fsync of the home would only be about a power cut now. */
    _cleanup_free_ char *home = path_dirname(d->final_dir);
    (void)dir_sync(home, NULL);
    *ret = (struct instance){.name = TAKE_PTR(d->name), .dir = TAKE_PTR(d->final_dir)};
    instance_release(&d->inst);
    store_create_abort(d);
    return 0;
}

void store_create_abort(struct instance_draft *d)
{
    /* A zeroed draft was never begun: its lock_fd of 0 is not ours. */
    bool begun = d->inst.dir || d->name || d->final_dir;
    if (d->inst.dir)
        (void)dir_remove(d->inst.dir, NULL);
    instance_release(&d->inst);
    free(d->name);
    free(d->final_dir);
    if (begun && d->lock_fd >= 0)
        close(d->lock_fd);
    *d = (struct instance_draft){.lock_fd = -1};
}

/* Under the lock of the home directory: the instance becomes a hidden directory that is locked.
 * Returns the lock. */
static int hide(const struct store *s, const struct instance *i, char **ret_hidden, struct err *err)
{
    _cleanup_free_ char *hidden = NULL;
    struct stat st;
    sweep(s);
    if (lstat(i->dir, &st) < 0)
        return errno == ENOENT
                   ? err_set(err, ERR_NOT_FOUND, "instance `%s` does not exist", i->name)
                   : err_set_errno(err, ERR_IO, "cannot look at '%s'", i->dir);
    _cleanup_close_ int reserved = make_hidden(s, i->name, tag_del, &hidden, err);
    if (reserved < 0)
        return -1;
    _cleanup_close_ int lock = open_dir(i->dir);
    if (lock >= 0)
        (void)flock_retry(lock, LOCK_EX | LOCK_NB);
    /* Replaces the empty directory that reserved the name. */
    if (rename(i->dir, hidden) < 0) {
        err_set_errno(err, ERR_IO, "renaming '%s' to '%s'", i->dir, hidden);
        (void)rmdir(hidden);
        return -1;
    }
    *ret_hidden = TAKE_PTR(hidden);
    /* An instance directory that we can't read has no lock: then another sweep may join us. */
    return lock >= 0 ? TAKE_FD(lock) : TAKE_FD(reserved);
}

int store_delete(const struct store *s, struct instance *i, struct err *err)
{
    _cleanup_free_ char *hidden = NULL;
    _cleanup_close_ int home = lock_home(s, err);
    if (home < 0)
        return -1;
    _cleanup_close_ int lock = hide(s, i, &hidden, err);
    if (lock < 0)
        return err_wrap(err, "cannot delete instance `%s`", i->name);
    (void)fsync(home);
    close(TAKE_FD(home));
    if (dir_remove(hidden, err) < 0)
        return err_wrap(err, "instance `%s` is deleted, but '%s' is left", i->name, hidden);
    return 0;
}
