/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shellenv.h"
#include "base/mem.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* What belongs to this host, this session or this terminal. The same list as Lima's. */
const char *const shellenv_block_default[] = {
    "BASH*",   "DISPLAY",  "DYLD_*", "EUID",       "FPATH",    "GID",    "GROUP",
    "HOME",    "HOSTNAME", "LD_*",   "LOGNAME",    "OLDPWD",   "PATH",   "PWD",
    "SHELL",   "SHLVL",    "SSH_*",  "TERM",       "TERMINFO", "TMPDIR", "UID",
    "USER",    "XAUTHORITY", "XDG_*", "ZDOTDIR",   "ZSH*",     "_*",     NULL,
};

/* Only `*` is special. A star is tried at ever later places: with names as short as these the
 * simple way will do. */
static bool matches(const char *pattern, const char *name, size_t len)
{
    const char *star = NULL;
    size_t at = 0, star_at = 0;

    while (at < len) {
        if (*pattern == '*') {
            star = pattern++;
            star_at = at;
        } else if (*pattern && *pattern == name[at]) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool matches_any(const struct strv *patterns, const char *name, size_t len)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (matches(patterns->v[i], name, len))
            return true;
    return false;
}

static int bad_pattern(const char *variable, const char *pattern, size_t at, struct err *err)
{
    _cleanup_sbuf_ struct sbuf shown = SBUF_INIT, letter = SBUF_INIT;

    sbuf_add_printable(&shown, pattern, strlen(pattern));
    sbuf_add_printable(&letter, pattern + at, 1);
    err_set(err, ERR_USAGE,
            "invalid %s pattern: pattern \"%s\" contains invalid character \"%s\" at position %zu",
            variable, sbuf_str(&shown), sbuf_str(&letter), at);
    return err_hint(err, "patterns are names with `*`, separated by commas: %s='FOO,BAR_*'",
                    variable);
}

/* Appends the patterns of "A, B*,C"; a leading `+` was taken off before. */
static int add_patterns(const char *variable, const char *list, struct strv *ret, struct err *err)
{
    while (*list) {
        size_t word = strcspn(list, ","), start = strspn(list, " \t\n"), end = word;

        if (start > word)
            start = word;
        while (end > start && strchr(" \t\n", list[end - 1]))
            end--;
        if (end > start) {
            _cleanup_free_ char *pattern = xstrndup(list + start, end - start);
            size_t good = strspn(pattern, NAME_CHARS "*");

            if (pattern[good])
                return bad_pattern(variable, pattern, good, err);
            strv_push(ret, pattern);
        }
        list += word + (list[word] == ',');
    }
    return 0;
}

/* NAME=value with a name that every shell accepts: the length of the name, else 0. */
size_t shellenv_name(const char *entry)
{
    size_t n = strspn(entry, NAME_CHARS);

    return n && entry[n] == '=' && (*entry < '0' || *entry > '9') ? n : 0;
}

int shellenv_filter(char *const *env, const char *block, const char *allow, struct strv *ret,
                    struct err *err)
{
    _cleanup_strv_ struct strv blocked = STRV_INIT, allowed = STRV_INIT;
    bool block_more = str_empty(block) || *block == '+';

    for (size_t i = 0; block_more && shellenv_block_default[i]; i++)
        strv_push(&blocked, shellenv_block_default[i]);
    if (add_patterns("LIMA_SHELLENV_BLOCK", block ? block + (*block == '+') : "", &blocked, err) <
            0 ||
        add_patterns("LIMA_SHELLENV_ALLOW", allow ? allow + (*allow == '+') : "", &allowed, err) <
            0)
        return -1;
    for (; *env; env++) {
        size_t n = shellenv_name(*env);

        if (n && (matches_any(&allowed, *env, n) || !matches_any(&blocked, *env, n)))
            strv_push(ret, *env);
    }
    return 0;
}
