/* SPDX-License-Identifier: Apache-2.0 */
#include "image/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define URL_MAX 65536

void image_refs_release(struct image_refs *r)
{
    strv_release(&r->urls);
    strv_release(&r->paths);
    strv_release(&r->texts);
    *r = (struct image_refs){0};
}

void image_pruned_release(struct image_pruned *p)
{
    strv_release(&p->busy);
    strv_release(&p->failed);
    *p = (struct image_pruned){0};
}

void image_refs_add(struct image_refs *r, const char *location, const char *base_dir)
{
    _cleanup_err_ struct err ignored = ERR_INIT;
    if (str_empty(location))
        return;
    if (image_is_url(location)) {
        strv_push(&r->urls, location);
        return;
    }
    _cleanup_free_ char *path = image_local_path(location, base_dir, &ignored);
    if (path)
        strv_push(&r->paths, path);
}

/* ---- what stays ----------------------------------------------------------------------------- */

/* Directory names of the entries that are referred to. */
static void keys_of(const struct image_refs *keep, struct strv *urls, struct strv *locals)
{
    struct stat st;
    for (size_t i = 0; i < keep->urls.n; i++)
        strv_push_consume(urls, image_url_key(keep->urls.v[i]));
    for (size_t i = 0; i < keep->paths.n; i++)
        if (stat(keep->paths.v[i], &st) == 0)
            strv_push_consume(locals, image_local_key(&st));
}

static char *url_of(const char *dir)
{
    _cleanup_free_ char *path = path_join(dir, "url");
    return file_read(path, URL_MAX, NULL, NULL);
}

static bool is_kept(const struct image_refs *keep, const struct strv *keys, const char *key,
                    const char *dir)
{
    if (!keep)
        return false;
    if (strv_contains(keys, key))
        return true;
    _cleanup_free_ char *url = keep->texts.n ? url_of(dir) : NULL;
    for (size_t i = 0; !str_empty(url) && i < keep->texts.n; i++)
        if (strstr(keep->texts.v[i], url))
            return true;
    return false;
}

/* ---- removing ------------------------------------------------------------------------------- */

/* Bytes of the disk that come back when the tree is removed. */
static uint64_t disk_use(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0;
    if (!S_ISDIR(st.st_mode))
        return st.st_nlink == 1 ? (uint64_t)st.st_blocks * 512 : 0;
    uint64_t sum = (uint64_t)st.st_blocks * 512;
    _cleanup_strv_ struct strv names = STRV_INIT;
    if (dir_list(path, &names, NULL) < 0)
        return sum;
    for (size_t i = 0; i < names.n; i++) {
        _cleanup_free_ char *below = path_join(path, names.v[i]);
        sum += disk_use(below);
    }
    return sum;
}

static void remove_path(const char *path, struct image_pruned *ret)
{
    _cleanup_err_ struct err why = ERR_INIT;
    uint64_t bytes = disk_use(path);
    if (dir_remove(path, &why) < 0) {
        strv_push_consume(&ret->failed, err_message(&why));
        return;
    }
    ret->freed += bytes;
    ret->removed++;
}

/* What downloads, copies and unpacking leave when they are killed; Lima's names too. */
static bool is_leftover(const char *name)
{
    return str_ends(name, ".part") || str_ends(name, ".part.meta") || str_ends(name, ".tmp") ||
           strstr(name, ".tmp.");
}

static void remove_leftovers(const char *dir, struct image_pruned *ret)
{
    _cleanup_strv_ struct strv names = STRV_INIT;
    if (dir_list(dir, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        _cleanup_free_ char *path = path_join(dir, names.v[i]);
        uint64_t bytes = is_leftover(names.v[i]) ? disk_use(path) : 0;
        if (is_leftover(names.v[i]) && dir_remove(path, NULL) == 0)
            ret->freed += bytes;
    }
}

/* Under the entry's exclusive lock, which Lima takes as well. */
static void prune_entry(const char *dir, bool kept, struct image_pruned *ret)
{
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char *url = url_of(dir);
        strv_push_consume(&ret->busy, url ? url : xstrdup(dir));
        return;
    }
    /* Removed by another prune meanwhile: whoever made it anew has a lock on another directory. */
    if (fd >= 0 && !fd_is_at(fd, dir))
        return;
    if (!kept) {
        /* A stray file has no lock. */
        remove_path(dir, ret);
        return;
    }
    ret->kept++;
    remove_leftovers(dir, ret);
}

static int prune_dir(const char *base, const struct image_refs *keep, const struct strv *keys,
                     struct image_pruned *ret, struct err *err)
{
    _cleanup_strv_ struct strv names = STRV_INIT;
    _cleanup_err_ struct err why = ERR_INIT;
    if (dir_list(base, &names, &why) < 0)
        return why.kind == ERR_NOT_FOUND ? 0 : err_move(err, &why);
    for (size_t i = 0; i < names.n; i++) {
        _cleanup_free_ char *dir = path_join(base, names.v[i]);
        prune_entry(dir, is_kept(keep, keys, names.v[i], dir), ret);
    }
    return 0;
}

int image_prune(const struct store *s, const struct image_refs *keep, struct image_pruned *ret,
                struct err *err)
{
    _cleanup_strv_ struct strv urls = STRV_INIT, locals = STRV_INIT;
    _cleanup_free_ char *downloads = path_join(s->downloads, "by-url-sha256");
    _cleanup_free_ char *local = store_cache_path(s, "local");
    if (keep)
        keys_of(keep, &urls, &locals);
    int r = prune_dir(downloads, keep, &urls, ret, err);
    if (r == 0)
        r = prune_dir(local, keep, &locals, ret, err);
    if (r == 0 && ret->failed.n) {
        err_set(err, ERR_IO, "%zu of the cached files could not be removed", ret->failed.n);
        for (size_t i = 0; i < ret->failed.n; i++)
            err_detail(err, ret->failed.v[i]);
        return -1;
    }
    return r;
}
