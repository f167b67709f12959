/* SPDX-License-Identifier: Apache-2.0 */
/* Locators that stand for another one: github:, and the schemes of plugins. */
#include "base/fs.h"
#include "base/mem.h"
#include "image/http.h"
#include "json/json.h"
#include "sys/helper.h"
#include "sys/spawn.h"
#include "template/locator.h"
#include "template/template.h"

enum {
    HOPS_MAX = 10,
    PLUGIN_OUTPUT_MAX = 64 << 10,
    PLUGIN_TIMEOUT_MS = 120000,
    ANSWER_MAX = 1 << 20,
};

/* ---- GitHub ---------------------------------------------------------------------------------- */

/* Other servers than github.com have other addresses. */
static char *server(const char *variable, const char *usual)
{
    const char *set = getenv(variable);
    char *url = xstrdup(str_empty(set) ? usual : set);
    size_t n = strlen(url);

    while (n && url[n - 1] == '/')
        url[--n] = '\0';
    return url;
}

static char *raw_url(const struct github_place *p, const char *branch, const char *path)
{
    _cleanup_free_ char *raw = server("CIMA_GITHUB_RAW", "https://raw.githubusercontent.com");

    return xasprintf("%s/%s/%s/%s/%s", raw, p->org, p->repo, branch, path);
}

static char *default_branch(const struct template_env *env, const struct github_place *p,
                            struct err *err)
{
    _cleanup_free_ char *api = server("CIMA_GITHUB_API", "https://api.github.com"), *text = NULL;
    _cleanup_free_ char *url = xasprintf("%s/repos/%s/%s", api, p->org, p->repo);
    _cleanup_json_ struct json *answer = NULL;
    size_t len;

    if (http_get_text(url, ANSWER_MAX, env->report, &text, &len, err) < 0 ||
        !(answer = json_parse(text, len, url, err))) {
        err_wrap(err, "cannot find out the default branch of %s/%s ('%s')", p->org, p->repo, url);
        err_hint(err, "name the branch: github:%s/%s/PATH@BRANCH", p->org, p->repo);
        return NULL;
    }
    const char *branch = json_get_str(answer, "default_branch");
    if (str_empty(branch)) {
        err_set(err, ERR_PROTOCOL, "'%s' names no default branch", url);
        err_hint(err, "name the branch: github:%s/%s/PATH@BRANCH", p->org, p->repo);
        return NULL;
    }
    return xstrdup(branch);
}

/* A symbolic link in the repository comes as its target: one line without blanks and colons. */
static bool is_link(const char *text, size_t len)
{
    return len && len < 1024 && !strpbrk(text, "\n :") && strlen(text) == len;
}

/* In the repository ORG/ORG the file may be a line that names another of the organisation's. */
static char *redirect(const struct github_place *p, const char *text, const char *url,
                      struct err *err)
{
    _cleanup_free_ char *line = xstrndup(text, strcspn(text, "\r\n")), *prefix = NULL;

    prefix = xasprintf("github:%s/", p->org);
    if (!str_starts(line, prefix) || strchr(line, '@')) {
        err_set(err, ERR_CONFIG, "'%s' leads to `%s`, which is not of `%s…` or names a branch", url,
                line, prefix);
        return NULL;
    }
    return p->branch ? xasprintf("%s@%s", line, p->branch) : TAKE_PTR(line);
}

/* What .lima.yaml leads to. */
static char *follow_default_file(const struct template_env *env, const struct github_place *p,
                                 const char *branch, struct err *err)
{
    _cleanup_free_ char *url = raw_url(p, branch, p->path), *text = NULL, *dir = NULL;
    size_t len = 0;

    if (http_get_text(url, TEMPLATE_MAX, env->report, &text, &len, err) < 0) {
        err_wrap(err, "cannot read '%s'", url);
        return NULL;
    }
    if (streq(p->org, p->repo) && str_starts(text, "github:"))
        return redirect(p, text, url, err);
    if (!is_link(text, len))
        return TAKE_PTR(url);
    dir = path_dirname(p->path);
    _cleanup_free_ char *below = xasprintf("/%s", dir);
    _cleanup_free_ char *target = path_normalise(below, text);

    return raw_url(p, branch, target + 1);
}

static char *resolve_github(const struct template_env *env, const char *locator, struct err *err)
{
    _cleanup_github_place_ struct github_place p = GITHUB_PLACE_INIT;
    _cleanup_free_ char *branch = NULL;

    if (github_place_parse(locator_rest(locator), &p, err) < 0)
        return NULL;
    branch = p.branch ? xstrdup(p.branch) : default_branch(env, &p, err);
    if (!branch)
        return NULL;
    if (streq(path_basename(p.path), GITHUB_DEFAULT_FILE))
        return follow_default_file(env, &p, branch, err);
    return raw_url(&p, branch, p.path);
}

/* ---- plugins --------------------------------------------------------------------------------- */

static char *plugin_path(const char *scheme)
{
    static const char *const prefixes[] = {"cima-url-", "limactl-url-"};
    _cleanup_strv_ struct strv dirs = STRV_INIT;

    plugin_places(&dirs);
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        _cleanup_free_ char *name = xasprintf("%s%s", prefixes[i], scheme);
        char *found = NULL;

        for (size_t k = 0; k < dirs.n && !found; k++) {
            _cleanup_free_ char *path = path_join(dirs.v[k], name);

            if (access(path, X_OK) == 0)
                found = TAKE_PTR(path);
        }
        if (found || (found = find_program(name)))
            return found;
    }
    return NULL;
}

/* Its one line. */
static char *plugin_answer(const char *program, const struct run_result *r, struct err *err)
{
    const char *text = sbuf_str(&r->out) + strspn(sbuf_str(&r->out), " \t\r\n");
    _cleanup_free_ char *line = xstrndup(text, strcspn(text, "\r\n"));
    size_t n = strlen(line);

    while (n && strchr(" \t", line[n - 1]))
        line[--n] = '\0';
    if (r->status != 0) {
        _cleanup_free_ char *how = wait_status_text(r->status);

        err_set(err, ERR_CONFIG, "the program '%s' %s", program, how);
        err_detail(err, sbuf_str(&r->err_out));
        return NULL;
    }
    if (!*line) {
        err_set(err, ERR_CONFIG, "the program '%s' printed no URL or path", program);
        return NULL;
    }
    return TAKE_PTR(line);
}

static int unknown(const char *locator, const char *scheme, struct err *err)
{
    err_set(err, ERR_USAGE, "don't know how to interpret `%s` as a template locator", locator);
    return err_hint(err,
                    "it may be a file, template:NAME, an https URL, github:ORG/REPO/PATH, or "
                    "have a scheme with a program `cima-url-%s` in $PATH",
                    scheme);
}

static char *ask_plugin(const char *locator, struct err *err)
{
    _cleanup_free_ char *scheme = locator_scheme(locator), *program = plugin_path(scheme);
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;

    if (!program) {
        (void)unknown(locator, scheme, err);
        return NULL;
    }
    const char *const argv[] = {program, locator_rest(locator), NULL};
    s.argv = argv;
    s.flags = SPAWN_DIE_WITH_PARENT;
    if (run_capture(&s, NULL, PLUGIN_OUTPUT_MAX, PLUGIN_TIMEOUT_MS, &r, err) < 0) {
        err_wrap(err, "asking the program '%s'", program);
        return NULL;
    }
    return plugin_answer(program, &r, err);
}

/* ---- until it is a place --------------------------------------------------------------------- */

char *template_resolve(const struct template_env *env, const char *locator, struct err *err)
{
    _cleanup_strv_ struct strv seen = STRV_INIT;
    _cleanup_free_ char *at = xstrdup(locator);

    for (;;) {
        enum locator_kind kind = locator_kind(at);
        char *next;

        if (kind == LOCATOR_TEMPLATE)
            return xasprintf("template:%s", locator_template_name(at));
        if (kind != LOCATOR_GITHUB && kind != LOCATOR_SCHEME)
            return TAKE_PTR(at);
        if (strv_contains(&seen, at) || seen.n >= HOPS_MAX) {
            err_set(err, ERR_CONFIG, "`%s` leads in a circle: %s `%s`", locator,
                    strv_contains(&seen, at) ? "again" : "at last", at);
            return NULL;
        }
        strv_push(&seen, at);
        next = kind == LOCATOR_GITHUB ? resolve_github(env, at, err) : ask_plugin(at, err);
        if (!next)
            return NULL;
        free(at);
        at = next;
    }
}
