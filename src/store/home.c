/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include "store/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "sys/sock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

/* ssh makes its control socket under ControlPath plus "." and 16 random characters, then renames:
 * the longest socket path of an instance. */
#define LONGEST_SOCKET "ssh.sock.0123456789abcdef"

/* Value of an environment variable; empty counts as unset. */
static const char *env_value(const char *name)
{
    const char *v = getenv(name);
    return str_empty(v) ? NULL : v;
}

static char *absolute_path(const char *path)
{
    _cleanup_free_ char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
    return path_normalise(cwd ? cwd : "/", path);
}

static char *find_home(const struct host_facts *host)
{
    const char *dir = env_value("CIMA_HOME");
    if (!dir)
        dir = env_value("LIMA_HOME");
    if (dir)
        return absolute_path(dir);
    return path_join(host->home, ".cima");
}

static char *find_cache(const struct host_facts *host, const char *name)
{
    const char *xdg = env_value("XDG_CACHE_HOME");
    _cleanup_free_ char *below_home = path_join(host->home, ".cache");
    /* The XDG rules: a relative path there is invalid and ignored. */
    return path_join(xdg && *xdg == '/' ? xdg : below_home, name);
}

int store_open(struct store *ret, const struct host_facts *host, struct err *err)
{
    _cleanup_store_ struct store s = {.home = find_home(host),
                                      .cache = find_cache(host, "cima"),
                                      .downloads = find_cache(host, "lima/download")};
    struct stat st;
    if (stat(s.home, &st) == 0) {
        if (!S_ISDIR(st.st_mode)) {
            err_set(err, ERR_IO, "'%s' is not a directory", s.home);
            return err_hint(err, "point CIMA_HOME to a directory");
        }
        if (dir_check_private(s.home, err) < 0)
            return err_wrap(err, "the home of the instances can't be used");
    } else if (errno != ENOENT) {
        return err_set_errno(err, ERR_IO, "cannot look at the home of the instances '%s'", s.home);
    }
    *ret = (struct store){TAKE_PTR(s.home), TAKE_PTR(s.cache), TAKE_PTR(s.downloads)};
    return 0;
}

void store_release(struct store *s)
{
    free(s->home);
    free(s->cache);
    free(s->downloads);
    *s = (struct store){NULL, NULL, NULL};
}

/* 0700 also under a umask that takes the owner's rights away. */
static int ensure_private(const char *path, struct err *err)
{
    bool there = path_exists(path);
    if (dir_make(path, 0700, err) < 0)
        return -1;
    if (!there && chmod(path, 0700) < 0)
        return err_set_errno(err, ERR_IO, "cannot set the mode of '%s'", path);
    return dir_check_private(path, err);
}

int store_ensure(const struct store *s, struct err *err)
{
    _cleanup_free_ char *config = path_join(s->home, "_config");
    if (ensure_private(s->home, err) == 0 && ensure_private(config, err) == 0)
        return 0;
    if (err && !err->hint)
        err_hint(err, "point CIMA_HOME to a directory that you may write to");
    return err_wrap(err, "cannot prepare the home of the instances");
}

char *store_config_path(const struct store *s, const char *name)
{
    _cleanup_free_ char *dir = path_join(s->home, "_config");
    return path_join(dir, name);
}

char *store_disk_dir(const struct store *s, const char *name)
{
    return xasprintf("%s/_disks/%s", s->home, name);
}

char *store_network_socket(const struct store *s, const char *network)
{
    return xasprintf("%s/_networks/%s/%s_qemu.sock", s->home, network, network);
}

char *store_cache_path(const struct store *s, const char *name)
{
    return path_join(s->cache, name);
}

char *store_instance_dir(const struct store *s, const char *name)
{
    return path_join(s->home, name);
}

static int check_name_rule(const char *name, struct err *err)
{
    const char *problem = config_instance_name_problem(name);
    if (!problem)
        return 0;
    _cleanup_sbuf_ struct sbuf shown = SBUF_INIT;
    sbuf_add_printable(&shown, name, strlen(name));
    err_set(err, ERR_USAGE, "invalid instance name `%s`: %s", sbuf_str(&shown), problem);
    return err_hint(err, "use letters and digits, with single '-', '_' or '.' between them");
}

int store_check_name(const struct store *s, const char *name, struct err *err)
{
    if (check_name_rule(name, err) < 0)
        return -1;
    _cleanup_free_ char *dir = store_instance_dir(s, name);
    size_t len = strlen(dir) + 1 + strlen(LONGEST_SOCKET);
    if (len > UNIX_PATH_LIMIT) {
        err_set(err, ERR_USAGE,
                "instance name `%s` too long: socket paths like '%s/%s' must be less than "
                "UNIX_PATH_MAX=%d characters, but this is %zu",
                name, dir, LONGEST_SOCKET, UNIX_PATH_LIMIT + 1, len);
        return err_hint(err,
                        "choose a shorter name, or set CIMA_HOME to a directory with a shorter "
                        "path");
    }
    return 0;
}

/* ---- listing -------------------------------------------------------------------------------- */

static bool is_directory(int dir_fd, const struct dirent *e)
{
    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    struct stat st;
    return fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int store_list(const struct store *s, struct strv *ret, struct err *err)
{
    DIR *d = opendir(s->home);
    if (!d) {
        if (errno == ENOENT)
            return 0;
        return err_set_errno(err, ERR_IO, "cannot read the home of the instances '%s'", s->home);
    }
    struct strv names = STRV_INIT;
    for (struct dirent *e; (e = readdir(d));)
        if (*e->d_name != '.' && *e->d_name != '_' && !config_instance_name_problem(e->d_name) &&
            is_directory(dirfd(d), e))
            strv_push(&names, e->d_name);
    closedir(d);
    strv_sort(&names);
    strv_extend(ret, &names);
    strv_release(&names);
    return 0;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* A likely slip for the other: few edits, or one is the beginning of the other. */
static bool names_near(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned limit = la <= 3 ? 1 : la <= 7 ? 2 : 3;
    if (str_distance(a, b, limit) <= limit)
        return true;
    return la >= 3 && lb >= 3 && (str_starts(a, b) || str_starts(b, a));
}

static void hint_nearest(const struct store *s, const char *name, struct err *err)
{
    _cleanup_strv_ struct strv all = STRV_INIT;
    _cleanup_sbuf_ struct sbuf near_ = SBUF_INIT;
    if (store_list(s, &all, NULL) < 0)
        return;
    unsigned n = 0;
    for (size_t k = 0; k < all.n && n < 3; k++)
        if (names_near(name, all.v[k]))
            sbuf_addf(&near_, "%s`%s`", n++ ? " or " : "", all.v[k]);
    if (n)
        (void)err_hint(err,
                       "did you mean %s? `cima create --name=%s FILE.yaml` makes a new instance",
                       sbuf_str(&near_), name);
    else
        (void)err_hint(err,
                       "`cima list` shows the instances, `cima create --name=%s FILE.yaml` makes "
                       "a new one",
                       name);
}

int store_find(const struct store *s, const char *name, struct instance *ret, struct err *err)
{
    /* Not the length of its socket paths: an instance that can't start can still be deleted. */
    if (check_name_rule(name, err) < 0)
        return -1;
    _cleanup_free_ char *dir = store_instance_dir(s, name);
    struct stat st;
    if (lstat(dir, &st) < 0) {
        if (errno != ENOENT)
            return err_set_errno(err, ERR_IO, "cannot look at instance `%s` ('%s')", name, dir);
        err_set(err, ERR_NOT_FOUND, "instance `%s` does not exist", name);
        hint_nearest(s, name, err);
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_NOT_FOUND, "instance `%s` does not exist: '%s' is not a directory",
                       name, dir);
    *ret = (struct instance){.name = xstrdup(name), .dir = TAKE_PTR(dir)};
    return 0;
}
