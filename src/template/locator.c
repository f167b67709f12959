/* SPDX-License-Identifier: Apache-2.0 */
#include "template/locator.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <ctype.h>
#include <strings.h>

/* Length of "SCHEME" in front of a colon; 0 without one. One letter is no scheme. */
static size_t scheme_length(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return n > 1 && text[n] == ':' && isalpha((unsigned char)text[0]) ? n : 0;
}

static bool has_scheme(const char *text, const char *scheme)
{
    size_t n = scheme_length(text);

    return n && n == strlen(scheme) && strncasecmp(text, scheme, n) == 0;
}

enum locator_kind locator_kind(const char *text)
{
    if (!*text)
        return LOCATOR_NONE;
    if (streq(text, "-"))
        return LOCATOR_STDIN;
    if (!scheme_length(text))
        return LOCATOR_PATH;
    if (has_scheme(text, "template"))
        return LOCATOR_TEMPLATE;
    if (has_scheme(text, "http") || has_scheme(text, "https"))
        return LOCATOR_HTTP;
    if (has_scheme(text, "file"))
        return LOCATOR_FILE_URL;
    return has_scheme(text, "github") ? LOCATOR_GITHUB : LOCATOR_SCHEME;
}

const char *locator_rest(const char *text)
{
    size_t n = scheme_length(text);

    return n ? text + n + 1 : text;
}

char *locator_scheme(const char *text)
{
    size_t n = scheme_length(text);
    char *s = n ? xstrndup(text, n) : NULL;

    for (char *p = s; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return s;
}

const char *locator_template_name(const char *text)
{
    const char *rest = locator_rest(text);

    return rest + strspn(rest, "/");
}

const char *locator_file_path(const char *text)
{
    const char *rest = locator_rest(text);

    return str_starts(rest, "///") ? rest + 2 : NULL;
}

bool locator_is_local(const char *text)
{
    enum locator_kind kind = locator_kind(text);

    return kind == LOCATOR_PATH || kind == LOCATOR_FILE_URL;
}

bool locator_is_plain_http(const char *text)
{
    static const char *const own[] = {"localhost", "127.", "[::1]"};
    const char *host = locator_rest(text);

    if (!has_scheme(text, "http"))
        return false;
    host += strspn(host, "/");
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (strncasecmp(host, own[i], strlen(own[i])) == 0)
            return false;
    return true;
}

/* ---- relative locators ----------------------------------------------------------------------- */

/* Up to and with the last slash of the text's first `len` bytes; "" when there is none. */
static char *up_to_slash(const char *text, size_t len)
{
    while (len && text[len - 1] != '/')
        len--;
    return xstrndup(text, len);
}

/* "https://host/a/b.yaml?x" → "https://host/a/", "https://host" → "https://host/". */
static char *http_base(const char *url)
{
    const char *host = locator_rest(url), *path;

    host += strspn(host, "/");
    path = host + strcspn(host, "/?#");
    if (*path != '/')
        return xasprintf("%.*s/", (int)(path - url), url);
    return up_to_slash(url, (size_t)(path - url) + strcspn(path, "?#"));
}

char *locator_base(const char *text, const char *cwd)
{
    const char *path = text;
    enum locator_kind kind = locator_kind(text);

    if (kind == LOCATOR_HTTP)
        return http_base(text);
    if (kind == LOCATOR_TEMPLATE) {
        const char *name = locator_template_name(text);
        _cleanup_free_ char *dir = up_to_slash(name, strlen(name));

        return xasprintf("template:%s", dir);
    }
    if (kind == LOCATOR_NONE || kind == LOCATOR_STDIN)
        return xstrdup(cwd);
    if (kind == LOCATOR_FILE_URL && locator_file_path(text))
        path = locator_file_path(text);
    _cleanup_free_ char *full = path_normalise(cwd, path);

    return path_dirname(full);
}

static bool goes_up(const char *path)
{
    while (*path) {
        size_t n = strcspn(path, "/");

        if (n == 2 && path[0] == '.' && path[1] == '.')
            return true;
        path += n + (path[n] == '/');
    }
    return false;
}

char *locator_join(const char *base, const char *text, const char *home, struct err *err)
{
    const char *rel = text;

    if (!*text) {
        err_set(err, ERR_CONFIG, "the locator is empty");
        return NULL;
    }
    if (scheme_length(text))
        return xstrdup(text);
    if (*text == '/')
        return path_normalise("/", text);
    if (text[0] == '~' && (text[1] == '/' || !text[1]))
        return path_normalise(home, text[1] ? text + 2 : ".");
    if (goes_up(text)) {
        err_set(err, ERR_CONFIG, "relative locator path `%s` must not contain `..` path segments",
                text);
        err_hint(err, "what a template uses stands beside it or below; or write an absolute path");
        return NULL;
    }
    while (str_starts(rel, "./"))
        rel += 2;
    return *base == '/' ? path_normalise(base, rel) : xasprintf("%s%s", base, rel);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void to_lower(char *s)
{
    for (; *s; s++)
        *s = (char)tolower((unsigned char)*s);
}

static bool cut_ending(char *s, const char *ending)
{
    if (!str_ends(s, ending))
        return false;
    s[strlen(s) - strlen(ending)] = '\0';
    return true;
}

/* The last segment of the path, without the query of a URL. */
static char *last_segment(const char *text)
{
    enum locator_kind kind = locator_kind(text);
    size_t len = kind == LOCATOR_HTTP ? strcspn(text, "?#") : strlen(text);
    _cleanup_free_ char *path = xstrndup(text, len);

    if (kind == LOCATOR_TEMPLATE)
        return xstrdup(path_basename(locator_template_name(path)));
    return xstrdup(path_basename(path));
}

char *locator_yaml_name(const char *text)
{
    char *name = last_segment(text);

    to_lower(name);
    (void)cut_ending(name, ".yml");
    (void)cut_ending(name, ".yaml");
    return name;
}
