/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/helper.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <limits.h>

/* Directory of the running program; NULL when /proc is not there. Libtool runs a program of the
 * build tree as .libs/NAME. */
static char *program_dir(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *dir = path_dirname(path);
    if (streq(path_basename(dir), ".libs")) {
        char *up = path_dirname(dir);
        free(dir);
        dir = up;
    }
    return dir;
}

static char *try_place(const char *dir, const char *below, const char *name, struct sbuf *tried)
{
    _cleanup_free_ char *base = below ? path_join(dir, below) : xstrdup(dir);
    _cleanup_free_ char *path = path_join(base, name);
    if (access(path, X_OK) == 0)
        return TAKE_PTR(path);
    sbuf_addf(tried, "%s%s", tried->len ? ", " : "", path);
    return NULL;
}

char *helper_path(const char *name, struct err *err)
{
    _cleanup_sbuf_ struct sbuf tried = SBUF_INIT;
    const char *set = getenv("CIMA_LIBEXEC");
    _cleanup_free_ char *dir = program_dir();
    char *found = NULL;
    if (!str_empty(set)) {
        found = try_place(set, NULL, name, &tried);
    } else {
        if (dir)
            found = try_place(dir, NULL, name, &tried);
        if (!found && dir)
            found = try_place(dir, "../libexec/cima", name, &tried);
        if (!found)
            found = try_place(LIBEXECDIR, NULL, name, &tried);
    }
    if (found)
        return found;
    err_set(err, ERR_NOT_FOUND, "the helper program '%s' is missing (looked for %s)", name,
            sbuf_str(&tried));
    err_hint(err, "install cima again, or set CIMA_LIBEXEC to the directory that has it");
    return NULL;
}

/* Each place once, and only if it is there. */
static void add_place(struct strv *ret, const char *dir, const char *below, const char *name)
{
    _cleanup_free_ char *base = path_join(dir, below), *path = path_join(base, name);
    _cleanup_free_ char *real = realpath(path, NULL);
    if (real && !strv_contains(ret, real))
        strv_push(ret, real);
}

void share_places(const char *name, struct strv *ret)
{
    _cleanup_free_ char *dir = program_dir(), *helper = dir ? path_join(dir, "cima-fetch") : NULL;
    if (dir && access(helper, X_OK) == 0)
        add_place(ret, dir, ".", name); /* a build tree has the helpers beside the program */
    if (dir)
        add_place(ret, dir, "../share/cima", name);
    add_place(ret, PKGDATADIR, ".", name);
    if (dir)
        add_place(ret, dir, "../share/lima", name);
    add_place(ret, "/usr/local/share/lima", ".", name);
    add_place(ret, "/usr/share/lima", ".", name);
}

void plugin_places(struct strv *ret)
{
    static const char *const below[] = {".", "../libexec/cima", "../libexec/lima", "../lib/lima"};
    _cleanup_free_ char *dir = program_dir();
    const char *set = getenv("CIMA_LIBEXEC");
    if (!str_empty(set))
        add_place(ret, set, ".", ".");
    for (size_t i = 0; dir && i < ARRAY_SIZE(below); i++)
        add_place(ret, dir, below[i], ".");
    add_place(ret, LIBEXECDIR, ".", ".");
}
