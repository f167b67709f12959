/* SPDX-License-Identifier: Apache-2.0 */
#include "template/template.h"
#include "base/fs.h"
#include "base/mem.h"
#include "image/http.h"
#include "template/locator.h"
#include "template/piece.h"
#include "yaml/places.h"
#include <errno.h>

void template_release(struct template *t)
{
    free(t->locator);
    free(t->base);
    free(t->name);
    free(t->text);
    yaml_places_unref(t->places);
    *t = (struct template)TEMPLATE_INIT;
}

static char *working_directory(struct err *err)
{
    char *cwd = getcwd(NULL, 0);

    if (!cwd)
        err_set_errno(err, ERR_IO, "cannot find out the working directory");
    return cwd;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int cannot_open(const char *path, struct err *err)
{
    bool missing = errno == ENOENT || errno == ENOTDIR;

    err_set_errno(err, missing ? ERR_NOT_FOUND : ERR_IO, "cannot read '%s'", path);
    if (!missing)
        return -1;
    return err_hint(err, *path == '/' ? "look at the path"
                                      : "look at the path; relative ones start in the working "
                                        "directory");
}

static int read_file(const char *path, struct template *t, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return cannot_open(path, err);
    if (S_ISDIR(st.st_mode)) {
        err_set(err, ERR_IO, "cannot read '%s': it is a directory", path);
        return err_hint(err, "name the YAML file in it");
    }
    t->text = file_read(path, TEMPLATE_MAX, &t->len, err);
    return t->text ? 0 : -1;
}

/* A word without a slash and an ending is rather the name of something than a file. */
static bool looks_like_path(const char *word)
{
    return strchr(word, '/') || strchr(word, '.') || path_exists(word);
}

static int read_path(const struct template_env *env, const char *locator, struct template *t,
                     struct err *err)
{
    const char *path = locator;

    if (locator_kind(locator) == LOCATOR_FILE_URL) {
        path = locator_file_path(locator);
        if (!path) {
            err_set(err, ERR_USAGE, "file URL `%s` is not an absolute path", locator);
            return err_hint(err, "the form is file:///DIRECTORY/FILE.yaml");
        }
    } else if (!looks_like_path(locator)) {
        _cleanup_free_ char *file = template_find(env->store, locator, NULL);

        err_set(err, ERR_NOT_FOUND, "don't know how to interpret `%s` as a template locator",
                locator);
        return file ? err_hint(err, "did you mean `template:%s`?", locator)
                    : err_hint(err, "it may be a file, template:NAME, an https URL or "
                                    "github:ORG/REPO/PATH");
    }
    return read_file(path, t, err);
}

/* ---- the others ------------------------------------------------------------------------------ */

static int read_stdin(struct template *t, struct err *err)
{
    t->from_stdin = true;
    t->text = fd_read_all(STDIN_FILENO, "standard input", TEMPLATE_MAX, &t->len, err);
    return t->text ? 0 : -1;
}

static int read_url(const struct template_env *env, const char *url, struct template *t,
                    struct err *err)
{
    t->remote = true;
    if (http_get_text(url, TEMPLATE_MAX, env->report, &t->text, &t->len, err) < 0)
        return err_wrap(err, "cannot download the template '%s'", url);
    return 0;
}

static int read_template(const struct template_env *env, const char *locator, struct template *t,
                         struct err *err)
{
    _cleanup_free_ char *path = template_find(env->store, locator_template_name(locator), err);

    return path ? read_file(path, t, err) : -1;
}

static void make_from_image(const struct template_env *env, const char *locator, struct template *t)
{
    const char *host = arch_to_string(env->host->arch), *arch = locator_image_arch(locator);

    t->name = locator_image_name(locator, arch ? arch : host, host);
    t->text = locator_image_yaml(locator, arch ? arch : host);
    t->len = strlen(t->text);
}

static int read_any(const struct template_env *env, const char *locator, struct template *t,
                    struct err *err)
{
    if (locator_kind(locator) != LOCATOR_STDIN)
        t->name = locator_yaml_name(locator);
    switch (locator_kind(locator)) {
    case LOCATOR_STDIN:
        return read_stdin(t, err);
    case LOCATOR_HTTP:
        return read_url(env, locator, t, err);
    case LOCATOR_TEMPLATE:
        return read_template(env, locator, t, err);
    case LOCATOR_PATH:
    case LOCATOR_FILE_URL:
        return read_path(env, locator, t, err);
    default:
        err_set(err, ERR_USAGE, "don't know how to interpret `%s` as a template locator", locator);
        return -1;
    }
}

/* By the real names of directories, so that ".." in a path means what it means to the kernel. */
static char *base_of(const char *at, const char *cwd)
{
    char *base = locator_base(at, cwd), *real = NULL;
    enum locator_kind kind = locator_kind(at);

    if (kind == LOCATOR_PATH || kind == LOCATOR_FILE_URL) {
        const char *path = kind == LOCATOR_PATH ? at : locator_file_path(at);
        _cleanup_free_ char *dir = path ? path_dirname(path) : NULL;

        real = dir ? realpath(dir, NULL) : NULL;
    }
    if (!real)
        return base;
    free(base);
    return real;
}

/* at: what the locator stands for; image: it may be that of a disk image. */
static int fetch(const struct template_env *env, const char *at, bool image, struct template *ret,
                 struct err *err)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_free_ char *cwd = working_directory(err);

    if (!cwd)
        return -1;
    if (image && locator_is_image(at))
        make_from_image(env, at, &t);
    else if (read_any(env, at, &t, err) < 0)
        return -1;
    t.locator = xstrdup(t.from_stdin ? "<stdin>" : at);
    t.base = base_of(at, cwd);
    *ret = t;
    t = (struct template)TEMPLATE_INIT;
    return 0;
}

int template_read_file(const char *path, struct template *ret, struct err *err)
{
    static const struct template_env nothing = {NULL, NULL, NULL};

    if (!locator_is_local(path)) {
        err_set(err, ERR_USAGE, "cannot edit `%s`: it is no file of this host", path);
        return err_hint(err, "`cima template copy %s FILE.yaml` makes one", path);
    }
    return fetch(&nothing, path, false, ret, err);
}

void template_copy(struct template *ret, const struct template *t)
{
    *ret = *t;
    ret->locator = xstrdup(t->locator);
    ret->base = xstrdup(t->base);
    ret->name = xstrdup0(t->name);
    ret->text = xmemdup(t->text, t->len + 1);
    ret->places = yaml_places_ref(t->places);
}

int template_fetch(const struct template_env *env, const char *locator, struct template *ret,
                   struct err *err)
{
    _cleanup_free_ char *at = template_resolve(env, locator, err);

    return at ? fetch(env, at, false, ret, err) : -1;
}

void template_warn_plain(const struct template_env *env, const char *locator)
{
    _cleanup_free_ char *text = NULL;

    if (!locator_is_plain_http(locator) || !env->report || !env->report->note)
        return;
    text =
        xasprintf("`%s` comes without protection: whoever is in between can change it; better use "
                  "https, or a copy that you have looked at",
                  locator);
    env->report->note(env->report->arg, LOG_WARN, text);
}

/* `.lima.yaml` says less than the repository or the directory that it is the template of. */
static void name_hidden(const char *locator, struct template *t)
{
    _cleanup_github_place_ struct github_place p = GITHUB_PLACE_INIT;
    _cleanup_free_ char *dir = xstrdup(t->base);
    size_t n = strlen(dir);

    while (n > 1 && dir[n - 1] == '/')
        dir[--n] = '\0';
    if (locator_kind(locator) == LOCATOR_GITHUB &&
        github_place_parse(locator_rest(locator), &p, NULL) == 0) {
        free(dir);
        dir = path_dirname(p.path);
        if (streq(dir, ".")) {
            free(dir);
            dir = xstrdup(p.repo);
        }
    }
    free(t->name);
    t->name = locator_yaml_name(dir);
}

int template_read(const struct template_env *env, const char *locator, struct template *ret,
                  struct err *err)
{
    _cleanup_free_ char *at = template_resolve(env, locator, err);

    if (!at || fetch(env, at, true, ret, err) < 0)
        return -1;
    if (ret->name && *ret->name == '.')
        name_hidden(locator, ret);
    return 0;
}
