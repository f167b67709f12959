/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of the guest: `env` of the YAML, with the host's proxy settings over it (GS-12).
 * A proxy on the host's loopback is reached by the guest through the gateway. */
#include "cidata/internal.h"
#include "base/log.h"
#include "base/mem.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

static const char *const proxy_names[][2] = {
    {"ftp_proxy", "FTP_PROXY"},
    {"http_proxy", "HTTP_PROXY"},
    {"https_proxy", "HTTPS_PROXY"},
    {"no_proxy", "NO_PROXY"},
};

/* Variables in their order; a name appears once. */
struct vars {
    struct strv names, values;
};

static void vars_release(struct vars *v)
{
    strv_release(&v->names);
    strv_release(&v->values);
}

static char **vars_find(const struct vars *v, const char *name)
{
    for (size_t i = 0; i < v->names.n; i++)
        if (v->names.v[i] && streq(v->names.v[i], name))
            return &v->values.v[i];
    return NULL;
}

static void vars_set(struct vars *v, const char *name, const char *value)
{
    char **slot = vars_find(v, name);
    char *copy = xstrdup(value);
    if (slot) {
        free(*slot);
        *slot = copy;
        return;
    }
    strv_push(&v->names, name);
    strv_push_consume(&v->values, copy);
}

static void vars_delete(struct vars *v, const char *name)
{
    for (size_t i = 0; i < v->names.n; i++)
        if (streq(v->names.v[i], name)) {
            free(v->names.v[i]);
            free(v->values.v[i]);
            size_t tail = v->names.n - i; /* with the terminating NULL */
            memmove(&v->names.v[i], &v->names.v[i + 1], tail * sizeof(char *));
            memmove(&v->values.v[i], &v->values.v[i + 1], tail * sizeof(char *));
            v->names.n--;
            v->values.n--;
            return;
        }
}

static const char *host_value(const char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

/* For the log: without user and password. Caller frees. */
static char *shown(const char *value)
{
    const char *sep = strstr(value, "://"), *start = sep ? sep + 3 : value;
    const char *end = start + strcspn(start, "/?#"),
               *at = memrchr(start, '@', (size_t)(end - start));
    return at ? xasprintf("%.*s***%s", (int)(start - value), value, at) : xstrdup(value);
}

static void take_from_host(struct vars *v, const char *const *env, const char *name)
{
    const char *value = host_value(env, name);
    if (!value)
        return;
    if (!*value) {
        vars_delete(v, name);
        return;
    }
    char **present = vars_find(v, name);
    if (present && !streq(*present, value)) {
        _cleanup_free_ char *old = shown(*present), *now = shown(value);
        log_info("Overriding \"%s\" value \"%s\" with \"%s\" from the environment of this process",
                 name, old, now);
    }
    vars_set(v, name, value);
}

/* ---- loopback ------------------------------------------------------------------------------- */

/* The parts of scheme://[user@]host[:port][/…]; the host without brackets. */
struct url {
    const char *host;
    size_t host_len;
    const char *before_end; /* end of "scheme://user@" */
    const char *after;      /* ":port/path" or "" */
};

static bool url_split(const char *text, struct url *ret)
{
    const char *sep = strstr(text, "://");
    if (!sep || sep == text || !isalpha((unsigned char)*text))
        return false;
    const char *authority = sep + 3, *end = authority + strcspn(authority, "/?#");
    for (const char *p = authority; p < end; p++)
        if (*p == '@')
            authority = p + 1;
    struct url u = {.before_end = authority};
    if (*authority == '[') {
        const char *close = memchr(authority, ']', (size_t)(end - authority));
        if (!close)
            return false;
        u.host = authority + 1;
        u.host_len = (size_t)(close - u.host);
        u.after = close + 1;
    } else {
        u.host = authority;
        u.host_len = strcspn(authority, ":/?#");
        u.after = authority + u.host_len;
    }
    if (*u.after == ':')
        for (const char *p = u.after + 1; p < end; p++)
            if (!isdigit((unsigned char)*p))
                return false;
    *ret = u;
    return u.host_len > 0;
}

/* By the name alone: looking it up would make the seed depend on the network. */
static bool is_loopback(const char *host, size_t len)
{
    _cleanup_free_ char *name = xstrndup(host, len);
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, name, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return strcasecmp(name, "localhost") == 0 ||
           (len > 10 && strcasecmp(name + len - 10, ".localhost") == 0);
}

static void replace_loopback(struct vars *v, const char *name)
{
    char **value = vars_find(v, name);
    struct url u;
    if (!value)
        return;
    if (!url_split(*value, &u)) {
        _cleanup_free_ char *text = shown(*value);
        log_warn("Ignoring invalid proxy \"%s\"=\"%s\": not of the form http://HOST:PORT", name,
                 text);
        return;
    }
    if (!is_loopback(u.host, u.host_len))
        return;
    _cleanup_free_ char *replaced =
        xasprintf("%.*s" SLIRP_GATEWAY "%s", (int)(u.before_end - *value), *value, u.after);
    _cleanup_free_ char *old = shown(*value), *now = shown(replaced);
    log_info("Replacing \"%s\" value \"%s\" with \"%s\"", name, old, now);
    vars_set(v, name, replaced);
}

/* Programs disagree about which of the two they read. */
static void make_equal(struct vars *v, const char *lower, const char *upper)
{
    char **l = vars_find(v, lower), **u = vars_find(v, upper);
    if (l) {
        if (u && !streq(*l, *u)) {
            _cleanup_free_ char *old = shown(*u), *now = shown(*l);
            log_warn("Changing \"%s\" value from \"%s\" to \"%s\" to match \"%s\"", upper, old, now,
                     lower);
        }
        _cleanup_free_ char *value = xstrdup(*l);
        vars_set(v, upper, value);
    } else if (u) {
        _cleanup_free_ char *value = xstrdup(*u);
        vars_set(v, lower, value);
    }
}

static void apply_proxy_rules(const struct cidata_input *in, struct vars *v)
{
    for (size_t i = 0; i < ARRAY_SIZE(proxy_names); i++)
        for (size_t k = 0; k < 2; k++) {
            const char *name = proxy_names[i][k];
            if (in->cfg->propagate_proxy_env != TRI_FALSE)
                take_from_host(v, in->proxy_env, name);
            char **value = vars_find(v, name);
            if (value && !**value)
                vars_delete(v, name);
            else if (!streq(proxy_names[i][0], "no_proxy"))
                replace_loopback(v, name);
        }
    for (size_t i = 0; i < ARRAY_SIZE(proxy_names); i++)
        make_equal(v, proxy_names[i][0], proxy_names[i][1]);
}

int cidata_etc_environment(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    _cleanup_(vars_release) struct vars v = {STRV_INIT, STRV_INIT};
    for (unsigned i = 0; i < in->cfg->env_count; i++)
        vars_set(&v, in->cfg->env[i].key, in->cfg->env[i].value ? in->cfg->env[i].value : "");
    apply_proxy_rules(in, &v);
    for (size_t i = 0; i < v.names.n; i++)
        if (env_add(out, v.names.v[i], v.values.v[i], err) < 0)
            return err_wrap(err, "env");
    return 0;
}
