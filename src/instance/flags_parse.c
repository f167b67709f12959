/* SPDX-License-Identifier: Apache-2.0 */
/* Values of flags, read as Lima's command line reads them. */
#include "instance/flags_internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include <arpa/inet.h>
#include <math.h>

int flag_invalid(enum inst_flag flag, const char *value, struct err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *why = xvasprintf(fmt, ap);
    va_end(ap);
    return err_set(err, ERR_USAGE, "invalid argument \"%s\" for \"--%s\" flag: %s", value,
                   inst_flag_table[flag].name, why);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

/* Without the underscores that Go allows between digits; false for others. Caller frees. */
static bool drop_underscores(const char *s, struct sbuf *ret)
{
    for (const char *c = s; *c; c++) {
        if (*c != '_')
            sbuf_addch(ret, *c);
        else if (c == s || !c[1] || c[1] == '_' || c[-1] == '+' || c[-1] == '-')
            return false;
    }
    return ret->len > 0;
}

/* As Go reads an integer: also 0x, 0o, 0b, and a leading zero is octal. */
static int parse_go_int(const char *s, int64_t *ret)
{
    _cleanup_sbuf_ struct sbuf plain = SBUF_INIT;

    if (!drop_underscores(s, &plain))
        return -1;
    const char *digits = plain.buf + (*plain.buf == '-' || *plain.buf == '+');
    if (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') {
        _cleanup_free_ char *octal =
            xasprintf("%.*s0o%s", (int)(digits - plain.buf), plain.buf, digits);

        return parse_int64(octal, ret);
    }
    for (char *c = plain.buf; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    return parse_int64(plain.buf, ret);
}

static int parse_integer(enum inst_flag flag, const char *s, struct strv *ret, struct err *err)
{
    bool port = inst_flag_table[flag].kind == FLAG_PORT;
    int64_t v;

    if (parse_go_int(s, &v) < 0)
        return flag_invalid(flag, s, err, "not an integer");
    if (port && (v < 0 || v > UINT16_MAX))
        return flag_invalid(flag, s, err, "a port is 1 to 65535, or 0 for a free one");
    if (!port && v < 0)
        return flag_invalid(flag, s, err, "invalid value for number of %s, must be >= 0",
                            inst_flag_table[flag].name);
    if (!port && v > INT32_MAX)
        return flag_invalid(flag, s, err, "too large");
    strv_pushf(ret, "%lld", (long long)v);
    return 0;
}

/* The shortest decimal number, without an exponent, that is this one. */
static char *format_float(float v)
{
    char text[64];
    int digits = 1;

    do
        snprintf(text, sizeof(text), "%.*g", digits, (double)v);
    while (strtof(text, NULL) != v && ++digits < 10);
    if (!strchr(text, 'e'))
        return xstrdup(text);
    long exponent = strtol(strchr(text, 'e') + 1, NULL, 10), places = digits - 1 - exponent;
    return xasprintf("%.*f", places > 0 ? (int)places : 0, strtod(text, NULL));
}

static int parse_gib(enum inst_flag flag, const char *s, struct strv *ret, struct err *err)
{
    char *end;
    float v = strtof(s, &end);
    bool number = *s && !*end && strspn(s, "0123456789.eE+-") == strlen(s);

    if (!number) {
        flag_invalid(flag, s, err, "not a number of GiB");
        return err_hint(err, "write it as --%s=4, --%s=2.5; another unit needs --set: "
                             "`.%s = \"512MiB\"`",
                        inst_flag_table[flag].name, inst_flag_table[flag].name,
                        inst_flag_table[flag].name);
    }
    if (signbit(v))
        return flag_invalid(flag, s, err, "must not be negative");
    if (!isfinite(v) || v > 8e9F)
        return flag_invalid(flag, s, err, "too large");
    _cleanup_free_ char *text = format_float(v);
    strv_pushf(ret, "%sGiB", text);
    return 0;
}

/* ---- lists ------------------------------------------------------------------------------------ */

/* One field of comma-separated values at *s, which moves behind it (NULL: it was the last). */
static char *csv_field(const char **s)
{
    struct sbuf out = SBUF_INIT;
    const char *c = *s;

    if (*c == '"') {
        for (c++; *c && (*c != '"' || c[1] == '"'); c++) {
            c += *c == '"';
            sbuf_addch(&out, *c);
        }
        if (*c != '"' || (c[1] && c[1] != ',')) {
            sbuf_release(&out);
            return NULL;
        }
        c++;
    } else {
        for (; *c && *c != ','; c++) {
            if (*c == '"') {
                sbuf_release(&out);
                return NULL;
            }
            sbuf_addch(&out, *c);
        }
    }
    *s = *c ? c + 1 : NULL;
    return sbuf_detach(&out);
}

static int parse_address(enum inst_flag flag, const char *s, struct strv *ret, struct err *err)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, s, &four) == 1)
        strv_push(ret, inet_ntop(AF_INET, &four, text, sizeof(text)));
    else if (inet_pton(AF_INET6, s, &six) == 1 && IN6_IS_ADDR_V4MAPPED(&six))
        strv_push(ret, inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof(text)));
    else if (inet_pton(AF_INET6, s, &six) == 1)
        strv_push(ret, inet_ntop(AF_INET6, &six, text, sizeof(text)));
    else
        return flag_invalid(flag, s, err, "not an IP address");
    return 0;
}

static int parse_list(enum inst_flag flag, const char *s, struct strv *ret, struct err *err)
{
    const char *at = *s ? s : NULL;

    if (!at && inst_flag_table[flag].kind == FLAG_IPS)
        return flag_invalid(flag, s, err, "not an IP address");
    while (at) {
        _cleanup_free_ char *field = csv_field(&at);

        if (!field)
            return flag_invalid(flag, s, err, "a double quote is in the wrong place");
        if (inst_flag_table[flag].kind != FLAG_IPS) {
            strv_push(ret, field);
            continue;
        }
        char *word = field + strspn(field, " \t");
        word[strcspn(word, " \t")] = '\0';
        if (parse_address(flag, word, ret, err) < 0)
            return -1;
    }
    return 0;
}

int flag_parse(enum inst_flag flag, const struct strv *written, struct strv *ret, struct err *err)
{
    const char *last = written->n ? written->v[written->n - 1] : NULL;
    int r = 0;

    switch (inst_flag_table[flag].kind) {
    case FLAG_BOOL:
    case FLAG_TEXT:
        if (last)
            strv_push(ret, last);
        return 0;
    case FLAG_INT:
    case FLAG_PORT:
        return last ? parse_integer(flag, last, ret, err) : 0;
    case FLAG_SIZE:
        return last ? parse_gib(flag, last, ret, err) : 0;
    case FLAG_TEXTS:
        strv_extend(ret, written);
        return 0;
    default:
        for (size_t i = 0; r == 0 && i < written->n; i++)
            r = parse_list(flag, written->v[i], ret, err);
        return r;
    }
}

/* ---- forms of single flags -------------------------------------------------------------------- */

void port_forward_release(struct port_forward *p)
{
    free(p->host);
    free(p->guest);
}

/* What stands before the first `c` of *s, without blanks around; *s moves behind it. */
static char *take_until(const char **s, char c)
{
    const char *from = *s + strspn(*s, " \t"), *end = strchrnul(*s, c), *to = end;

    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    *s = *end ? end + 1 : end;
    return xstrndup(from, to > from ? (size_t)(to - from) : 0);
}

int port_forward_parse(const char *text, struct port_forward *ret, struct err *err)
{
    _cleanup_(port_forward_release) struct port_forward p = {NULL, NULL, false};
    const char *at = text;
    _cleanup_free_ char *ports = take_until(&at, ',');
    const char *rest = ports;
    _cleanup_free_ char *option = take_until(&at, ',');

    p.host = take_until(&rest, ':');
    p.guest = xstrdup(rest + strspn(rest, " \t"));
    const char *comma = strchr(text, ',');
    bool known = comma && str_starts(option, "static=") &&
                 parse_bool(option + strlen("static="), &p.is_static) == 0;
    if (!*p.host || !*p.guest || strchr(p.guest, ':') ||
        (comma && (!known || strchr(comma + 1, ',')))) {
        err_set(err, ERR_USAGE,
                "invalid port forward format `%s`, expected HOST:GUEST or HOST:GUEST,static=true",
                text);
        return err_hint(err, "`--port-forward 8080:80` makes port 80 of the guest port 8080 here");
    }
    *ret = p;
    p = (struct port_forward){NULL, NULL, false};
    return 0;
}

int param_parse(const char *text, size_t *ret_name, struct err *err)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text) {
        err_set(err, ERR_USAGE, "invalid parameter `%s`, expected NAME=VALUE", text);
        return err_hint(err, "a value with a comma stands in double quotes: "
                             "`--param '\"NAME=a,b\"'`");
    }
    *ret_name = (size_t)(equals - text);
    return 0;
}

int containerd_parse(const char *text, bool *ret_user, bool *ret_system, struct err *err)
{
    bool both = streq(text, "user+system") || streq(text, "system+user");

    if (!both && !streq(text, "user") && !streq(text, "system") && !streq(text, "none")) {
        err_set(err, ERR_USAGE,
                "expected one of [`user`, `system`, `user+system`, `none`], got `%s`",
                text);
        return err_hint(err, "`user` is for nerdctl without root");
    }
    *ret_user = both || streq(text, "user");
    *ret_system = both || streq(text, "system");
    return 0;
}

int network_parse(const char *text, const char **ret_name, struct err *err)
{
    if (streq(text, "vzNAT")) {
        *ret_name = NULL;
        return 0;
    }
    if (!str_starts(text, "lima:") || !text[strlen("lima:")]) {
        err_set(err, ERR_USAGE,
                "network name must be `vzNAT` or `lima:*`, got \"%s\"", text);
        return err_hint(err, "`lima:user-v2` is the network between instances");
    }
    *ret_name = text + strlen("lima:");
    return 0;
}
