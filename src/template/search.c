/* SPDX-License-Identifier: Apache-2.0 */
/* Templates by name. The directories, first one first: those of $LIMA_TEMPLATES_PATH alone when it
 * is set; else _templates of the home, then what came with us, then what came with Lima. */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "sys/helper.h"
#include "template/template.h"
#include <errno.h>

enum { LIST_DEPTH = 4, LIST_MAX = 4096, SUMMARY_MAX = 200 };

static void directories(const struct store *s, struct strv *ret)
{
    const char *set = getenv("LIMA_TEMPLATES_PATH");

    if (!str_empty(set)) {
        _cleanup_strv_ struct strv words = STRV_INIT;

        strv_split(&words, set, ':');
        for (size_t i = 0; i < words.n; i++)
            if (*words.v[i])
                strv_push(ret, words.v[i]);
        return;
    }
    if (s)
        strv_push_consume(ret, path_join(s->home, "_templates"));
    share_places("templates", ret);
}

static bool is_plain(const char *name)
{
    if (!*name || *name == '/')
        return false;
    for (const char *p = name; *p; p += *p == '/') {
        size_t n = strcspn(p, "/");

        if (!n || *p == '.')
            return false;
        p += n;
    }
    return !str_ends(name, "/");
}

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* NAME.yaml, or NAME as it is when it has an ending (a script, x.yaml). */
static char *in_directory(const char *dir, const char *name)
{
    static const char *const endings[] = {".yaml", ".yml", ""};

    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        _cleanup_free_ char *file = xasprintf("%s%s", name, endings[i]);
        char *path = path_join(dir, file);

        if (is_file(path))
            return path;
        free(path);
    }
    return NULL;
}

/* What may have been meant. */
static int not_found(const struct store *s, const char *name, const struct strv *dirs,
                     struct err *err)
{
    struct template_entry *v = NULL;
    size_t n = 0;
    const char *nearest = NULL;

    err_set(err, ERR_NOT_FOUND, "template `%s` not found", name);
    template_list(s, true, &v, &n);
    if (n) {
        _cleanup_free_ const char **names = xreallocarray(NULL, n, sizeof(*names));

        for (size_t i = 0; i < n; i++)
            names[i] = v[i].name;
        nearest = str_nearest(name, names, n);
    }
    if (nearest) {
        err_hint(err, "did you mean `template:%s`?", nearest);
    } else if (n) {
        err_hint(err, "`cima create --list-templates` shows those that there are");
    } else {
        _cleanup_free_ char *where = strv_join(dirs, ", ");

        err_hint(err,
                 "there are no templates at all (looked in %s); LIMA_TEMPLATES_PATH may name "
                 "other directories",
                 *where ? where : "no directory");
    }
    template_list_free(v, n);
    return -1;
}

char *template_find(const struct store *s, const char *name, struct err *err)
{
    _cleanup_strv_ struct strv dirs = STRV_INIT;

    if (!is_plain(name)) {
        err_set(err, ERR_USAGE,
                *name ? "`%s` can't be the name of a template"
                      : "the name of the template is missing: `template:%s`",
                name);
        err_hint(err, "the form is template:NAME, such as template:default or "
                      "template:_images/debian-12");
        return NULL;
    }
    directories(s, &dirs);
    for (size_t i = 0; i < dirs.n; i++) {
        char *path = in_directory(dirs.v[i], name);

        if (path)
            return path;
    }
    (void)not_found(s, name, &dirs, err);
    return NULL;
}

/* ---- the list -------------------------------------------------------------------------------- */

struct listing {
    struct template_entry *v;
    size_t n, cap;
    bool all;
};

/* The first comment line that says something, without "#". */
static char *summary_of(const char *path)
{
    char line[1024] = "";
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    struct sbuf s = SBUF_INIT;

    while (f && fgets(line, sizeof(line), f)) {
        const char *text = line + strspn(line, "# \t");
        size_t len = strcspn(text, "\r\n");

        if (*line != '#' && *line != '\n' && *line != '\r')
            break;
        if (!len || strstr(line, "$schema=") || str_starts(text, "SPDX-"))
            continue;
        sbuf_add_printable(&s, text, len < SUMMARY_MAX ? len : SUMMARY_MAX);
        break;
    }
    return sbuf_detach(&s);
}

static void add_entry(struct listing *l, const char *name, const char *path)
{
    for (size_t i = 0; i < l->n; i++)
        if (streq(l->v[i].name, name))
            return; /* an earlier directory has it */
    if (l->n >= LIST_MAX)
        return;
    GROW_ARRAY(l->v, l->n, l->cap);
    l->v[l->n++] = (struct template_entry){xstrdup(name), xstrdup(path), summary_of(path)};
}

static void walk(struct listing *l, const char *dir, const char *prefix, unsigned depth)
{
    _cleanup_strv_ struct strv names = STRV_INIT;

    if (dir_list(dir, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.v[i];
        _cleanup_free_ char *path = path_join(dir, name), *full = xasprintf("%s%s", prefix, name);
        struct stat st;

        if (*name == '.' || (*name == '_' && !l->all) || stat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < LIST_DEPTH) {
            _cleanup_free_ char *below = xasprintf("%s/", full);

            walk(l, path, below, depth + 1);
        } else if (S_ISREG(st.st_mode) && (str_ends(name, ".yaml") || str_ends(name, ".yml"))) {
            full[strlen(full) - (str_ends(name, ".yml") ? 4 : 5)] = '\0';
            add_entry(l, full, path);
        }
    }
}

static int by_name(const void *a, const void *b)
{
    const struct template_entry *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void template_list(const struct store *s, bool all, struct template_entry **ret, size_t *ret_n)
{
    _cleanup_strv_ struct strv dirs = STRV_INIT;
    struct listing l = {.all = all};

    directories(s, &dirs);
    for (size_t i = 0; i < dirs.n; i++)
        walk(&l, dirs.v[i], "", 0);
    if (l.n)
        qsort(l.v, l.n, sizeof(*l.v), by_name);
    *ret = l.v;
    *ret_n = l.n;
}

void template_list_free(struct template_entry *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].name);
        free(v[i].path);
        free(v[i].summary);
    }
    free(v);
}
