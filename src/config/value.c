/* SPDX-License-Identifier: Apache-2.0 */
/* Single values: integers, addresses and versions as the YAML may write them. */
#include "config/internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include "yaml/emit.h"
#include <arpa/inet.h>
#include <strings.h>

enum { USER_NAME_MAX = 32 };

/* ---- integers -------------------------------------------------------------------------------- */

static int parse_digits(const char *s, int base, bool negative, int64_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t v = 0, max = (uint64_t)INT64_MAX + negative;

    if (!*s)
        return -1;
    for (; *s; s++) {
        const char *p = strchr(digits, *s >= 'A' && *s <= 'F' ? *s + 32 : *s);
        uint64_t digit = p ? (uint64_t)(p - digits) : 16;

        if (digit >= (uint64_t)base)
            return -1;
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, digit, &v))
            return -3;
    }
    if (v > max)
        return -3;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* A decimal fraction that is a whole number ("3.0", "6e3"). */
static int parse_whole_float(const char *s, bool negative, int64_t *ret)
{
    char digits[32];
    size_t n = 0;
    long exponent = 0;
    bool point = false, any = false;

    for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
        if (*s == '.') {
            point = true;
            continue;
        }
        any = true;
        exponent -= point;
        if (n || *s != '0') {
            if (n == sizeof(digits) - 1)
                return -3;
            digits[n++] = *s;
        }
    }
    if (!any)
        return -1;
    if (*s == 'e' || *s == 'E') {
        char *end;

        if (!((s[1] >= '0' && s[1] <= '9') || ((s[1] == '+' || s[1] == '-') && s[2])))
            return -1;
        long e = strtol(s + 1, &end, 10);

        if (e > 1000 || e < -1000)
            return e > 0 && n ? -3 : -2;
        exponent += e;
        s = end;
    }
    if (*s)
        return -1;
    for (; n && digits[n - 1] == '0'; n--)
        exponent++;
    if (!n)
        exponent = 0;
    if (exponent < 0)
        return -2;
    if (n + (size_t)exponent >= sizeof(digits))
        return -3;
    memset(digits + n, '0', (size_t)exponent);
    digits[n + (size_t)exponent] = '\0';
    return parse_digits(n ? digits : "0", 10, negative, ret);
}

int config_parse_int(const char *text, bool allow_float, int64_t *ret)
{
    const char *s = text;
    bool negative = *s == '-';
    int r;

    s += *s == '-' || *s == '+';
    if (str_starts(s, "0x"))
        return parse_digits(s + 2, 16, negative, ret);
    if (str_starts(s, "0o"))
        return parse_digits(s + 2, 8, negative, ret);
    if (str_starts(s, "0b"))
        return parse_digits(s + 2, 2, negative, ret);
    r = parse_digits(s, 10, negative, ret);
    return r == -1 && allow_float ? parse_whole_float(s, negative, ret) : r;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* RFC 5952, without the dotted form for ::/96 that inet_ntop uses. */
static char *format_ip6(const struct in6_addr *a)
{
    struct sbuf out = SBUF_INIT;
    unsigned group[8], best = 8, best_len = 1;

    for (unsigned i = 0; i < 8; i++)
        group[i] = (unsigned)(a->s6_addr[2 * i] << 8 | a->s6_addr[2 * i + 1]);
    for (unsigned i = 0; i < 8; i++) {
        unsigned len = 0;

        while (i + len < 8 && group[i + len] == 0)
            len++;
        if (len > best_len) {
            best = i;
            best_len = len;
        }
        i += len;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == best) {
            sbuf_addstr(&out, "::");
            i += best_len - 1;
        } else {
            sbuf_addf(&out, "%s%x", i && i != best + best_len ? ":" : "", group[i]);
        }
    }
    return sbuf_detach(&out);
}

char *config_canonical_ip(const char *text)
{
    char buf[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, text, &v4) == 1)
        return xstrdup(inet_ntop(AF_INET, &v4, buf, sizeof(buf)));
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return NULL;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(&v4, v6.s6_addr + 12, sizeof(v4));
        return xstrdup(inet_ntop(AF_INET, &v4, buf, sizeof(buf)));
    }
    return format_ip6(&v6);
}

/* ---- versions -------------------------------------------------------------------------------- */

static const char *read_number(const char *s, uint64_t *ret)
{
    uint64_t v = 0;

    if (*s < '0' || *s > '9')
        return NULL;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return NULL;
    *ret = v;
    return s;
}

static bool is_identifiers(const char *s)
{
    return *s && s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.")] ==
                     '\0';
}

int config_parse_version(const char *text, bool lenient, struct config_version *ret)
{
    struct config_version v = {0};
    _cleanup_free_ char *copy = xstrdup(lenient && *text == 'v' ? text + 1 : text);
    const char *s = copy;
    char *build;

    if (lenient) {
        copy[strcspn(copy, "-")] = '\0';
        if (str_ends(copy, ".m"))
            copy[strlen(copy) - 2] = '\0';
    }
    build = strchr(copy, '+');
    if (build) {
        *build = '\0';
        if (!is_identifiers(build + 1))
            return -1;
    }
    if (!(s = read_number(s, &v.major)) || *s++ != '.' || !(s = read_number(s, &v.minor)) ||
        *s++ != '.' || !(s = read_number(s, &v.patch)))
        return -1;
    if (*s == '-') {
        if (!is_identifiers(s + 1))
            return -1;
        v.pre = true;
    } else if (*s) {
        return -1;
    }
    *ret = v;
    return 0;
}

int config_version_cmp(const struct config_version *a, const struct config_version *b)
{
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    if (a->minor != b->minor)
        return a->minor < b->minor ? -1 : 1;
    if (a->patch != b->patch)
        return a->patch < b->patch ? -1 : 1;
    return (int)b->pre - (int)a->pre;
}

bool config_older_than(const char *existing_version, unsigned major, unsigned minor)
{
    const struct config_version limit = {.major = major, .minor = minor};
    struct config_version v;

    if (!existing_version)
        return false;
    if (config_parse_version(existing_version, true, &v) < 0)
        return !*existing_version;
    return config_version_cmp(&v, &limit) < 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

bool config_is_param_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return *s && memchr(letters, *s, 52) && s[strspn(s, letters)] == '\0';
}

bool config_is_user_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789-");

    return *s && !s[n] && n <= USER_NAME_MAX && *s != '-' && !(*s >= '0' && *s <= '9');
}

const char *config_nearest(const char *s, const char *const *names, size_t n)
{
    size_t len = strlen(s);
    unsigned limit = len < 4 ? 1 : len < 8 ? 2 : 3, best = limit + 1;
    const char *near = NULL;

    for (size_t i = 0; i < n; i++)
        if (strcasecmp(s, names[i]) == 0)
            return names[i];
    for (size_t i = 0; i < n; i++) {
        unsigned d = str_distance(s, names[i], limit);

        if (d < best && d < strlen(names[i])) {
            best = d;
            near = names[i];
        }
    }
    /* One of them shortened: `sshfs`, `openssh`. */
    for (size_t i = 0; !near && len >= 4 && i < n; i++)
        if (strstr(names[i], s))
            near = names[i];
    return near;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

char *config_node_to_json(const struct yaml_node *node)
{
    struct yaml_writer w = YAML_WRITER_INIT(true);

    yaml_write_node(&w, node);
    return sbuf_detach(&w.out);
}
