/* SPDX-License-Identifier: Apache-2.0 */
/* github:ORG[/REPO[/PATH]][@BRANCH] */
#include "base/fs.h"
#include "base/mem.h"
#include "template/locator.h"

void github_place_release(struct github_place *p)
{
    free(p->org);
    free(p->repo);
    free(p->path);
    free(p->branch);
    *p = (struct github_place)GITHUB_PLACE_INIT;
}

/* What may stand in a URL between two slashes, and is no way up. */
static bool is_segment(const char *s, size_t n)
{
    if (!n || (n <= 2 && strspn(s, ".") >= n))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f || strchr("?#%\\\"<>", s[i]))
            return false;
    return true;
}

static bool are_segments(const char *s)
{
    for (;; s++) {
        size_t n = strcspn(s, "/");

        if (!is_segment(s, n))
            return false;
        s += n;
        if (!*s)
            return true;
    }
}

/* .lima.yaml for nothing and for a directory, .yaml for a name without an ending. */
static char *whole_path(const char *path)
{
    if (!*path || str_ends(path, "/"))
        return xasprintf("%s%s", path, GITHUB_DEFAULT_FILE);
    /* The dot of a hidden file begins no ending. */
    return strchr(path_basename(path) + 1, '.') ? xstrdup(path) : xasprintf("%s.yaml", path);
}

static int hint_form(struct err *err)
{
    return err_hint(err, "the form is github:ORG[/REPO[/PATH]][@BRANCH], such as "
                         "github:lima-vm/lima/templates/alpine@master");
}

int github_place_parse(const char *rest, struct github_place *ret, struct err *err)
{
    _cleanup_github_place_ struct github_place p = GITHUB_PLACE_INIT;
    const char *text = rest + (str_starts(rest, "//") ? 2 : 0), *at = strchr(text, '@');
    _cleanup_free_ char *where = at ? xstrndup(text, (size_t)(at - text)) : xstrdup(text);
    size_t org = strcspn(where, "/");
    const char *more = where[org] ? where + org + 1 : "";
    size_t repo = strcspn(more, "/");

    if (!org) {
        err_set(err, ERR_USAGE, "github: URL must contain at least an ORG, got \"\"");
        return hint_form(err);
    }
    p.org = xstrndup(where, org);
    p.repo = repo ? xstrndup(more, repo) : xstrdup(p.org);
    p.path = whole_path(more[repo] ? more + repo + 1 : "");
    if (at && at[1])
        p.branch = xstrdup(at + 1);
    if (!is_segment(p.org, strlen(p.org)) || !is_segment(p.repo, strlen(p.repo)) ||
        !are_segments(p.path) || (p.branch && !are_segments(p.branch))) {
        err_set(err, ERR_USAGE,
                "`github:%s` is no place on GitHub: a part of it is empty, leads upwards, or has a "
                "character that is not possible there",
                rest);
        return hint_form(err);
    }
    *ret = p;
    p = (struct github_place)GITHUB_PLACE_INIT;
    return 0;
}
