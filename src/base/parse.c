/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"
#include "base/mem.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <locale.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Value of a hexadecimal digit, 99 for anything else. */
static unsigned digit_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

/* All of s as digits of the base. */
static int parse_digits(const char *s, unsigned base, uint64_t *ret)
{
    uint64_t v = 0;

    if (!*s)
        return -1;
    for (; *s; s++) {
        unsigned d = digit_value(*s);

        if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return -1;
    }
    *ret = v;
    return 0;
}

/* Sign and magnitude of an integer in the notations that parse_int64 documents. */
static int parse_magnitude(const char *s, bool *ret_negative, uint64_t *ret)
{
    unsigned base = 10;
    bool negative = *s == '-';

    if (*s == '-' || *s == '+')
        s++;
    if (s[0] == '0' && s[1]) {
        base = s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : s[1] == 'b' ? 2 : 10;
        if (base != 10)
            s += 2;
    }
    if (parse_digits(s, base, ret) < 0)
        return -1;
    *ret_negative = negative;
    return 0;
}

int parse_int64(const char *s, int64_t *ret)
{
    bool negative;
    uint64_t v;

    if (parse_magnitude(s, &negative, &v) < 0 || v > (uint64_t)INT64_MAX + negative)
        return -1;
    /* The detour over v - 1 keeps -2^63 inside the type. */
    *ret = negative && v ? -(int64_t)(v - 1) - 1 : (int64_t)v;
    return 0;
}

int parse_uint(const char *s, uint64_t max, uint64_t *ret)
{
    bool negative;
    uint64_t v;

    if (parse_magnitude(s, &negative, &v) < 0 || (negative && v) || v > max)
        return -1;
    *ret = v;
    return 0;
}

/* strtod that no setlocale() of a library can turn to decimal commas. */
static double to_double(const char *s)
{
    static locale_t c_locale;

    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    return c_locale ? strtod_l(s, NULL, c_locale) : strtod(s, NULL);
}

/* A decimal number: [+-] digits [. digits] [e [+-] digits], at least one digit, with single
 * underscores between digits if the caller allows them. len bytes. */
static int parse_decimal(const char *s, size_t len, bool underscores, double *ret)
{
    char text[64];
    size_t n = 0, digits = 0;
    bool point = false, exponent = false;

    for (size_t i = 0; i < len; i++) {
        char c = s[i];

        if (c == '_') {
            if (!underscores || i == 0 || i + 1 == len || !is_digit(s[i - 1]) ||
                !is_digit(s[i + 1]))
                return -1;
            continue;
        }
        if (n + 1 >= sizeof(text))
            return -1;
        text[n++] = c;
        if (is_digit(c)) {
            digits++;
        } else if (c == '.' && !point && !exponent) {
            point = true;
        } else if ((c == 'e' || c == 'E') && !exponent && digits) {
            exponent = true;
            digits = 0;
        } else if (!((c == '+' || c == '-') && (i == 0 || (s[i - 1] | 0x20) == 'e'))) {
            return -1;
        }
    }
    if (!digits)
        return -1;
    text[n] = '\0';
    *ret = to_double(text);
    return 0;
}

int parse_integral(const char *s, int64_t *ret)
{
    double v;

    if (parse_int64(s, ret) == 0)
        return 0;
    /* Beyond 2^53 a double no longer says which integer was written. */
    if (parse_decimal(s, strlen(s), false, &v) < 0 || !(v >= -0x1p53 && v <= 0x1p53) ||
        (double)(int64_t)v != v)
        return -1;
    *ret = (int64_t)v;
    return 0;
}

int parse_bool(const char *s, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "False", "FALSE", NULL};
    bool value = str_is_one_of(s, yes);

    if (!value && !str_is_one_of(s, no))
        return -1;
    *ret = value;
    return 0;
}

int parse_port(const char *s, uint16_t *ret)
{
    uint64_t v;

    if (parse_uint(s, UINT16_MAX, &v) < 0 || v == 0)
        return -1;
    *ret = (uint16_t)v;
    return 0;
}

/* The factor of a unit: "", b, k, kb, kib and so on, in any case. */
static int parse_unit(const char *s, double *ret)
{
    static const char letters[] = "kmgtp";
    char c = (char)tolower((unsigned char)s[0]);
    const char *letter = c ? strchr(letters, c) : NULL;

    if (!c || (c == 'b' && !s[1])) {
        *ret = 1;
        return 0;
    }
    if (!letter)
        return -1;
    s++;
    if (tolower((unsigned char)s[0]) == 'i' && tolower((unsigned char)s[1]) == 'b')
        s++;
    if (tolower((unsigned char)s[0]) == 'b')
        s++;
    if (*s)
        return -1;
    *ret = (double)(UINT64_C(1) << 10 * (letter - letters + 1));
    return 0;
}

int parse_size(const char *s, uint64_t *ret)
{
    size_t len = 0;
    double v, factor;

    /* The number reaches to the last digit or point ("1e3k" is 1000 k). */
    for (size_t i = 0; s[i]; i++)
        if (is_digit(s[i]) || s[i] == '.')
            len = i + 1;
    const char *unit = s + len + (s[len] == ' ');
    if (*s == '-' || parse_decimal(s, len, true, &v) < 0 || parse_unit(unit, &factor) < 0)
        return -1;
    v *= factor;
    if (!(v < 0x1p63))
        return -1;
    *ret = (uint64_t)v;
    return 0;
}

char *format_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    size_t i = 0;

    while (v >= 1024 && i + 1 < ARRAY_SIZE(units)) {
        v /= 1024;
        i++;
    }
    return xasprintf("%.4g%s", v, units[i]);
}

/* Nanoseconds of the unit at *s, which moves behind it; 0 when there is none. */
static uint64_t duration_unit(const char **s)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        /* "ms" before "m" */
        {"ns", 1},       {"us", 1000},      {"\u00b5s", 1000},  {"\u03bcs", 1000},
        {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (str_starts(*s, units[i].name)) {
            *s += strlen(units[i].name);
            return units[i].ns;
        }
    return 0;
}

/* One "12.5s" at *s, added to *ns. */
static int parse_duration_part(const char **s, uint64_t *ns)
{
    uint64_t whole = 0;
    double fraction = 0, scale = 1;
    const char *start = *s;
    size_t digits = 0;

    for (; is_digit(**s); (*s)++, digits++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, digit_value(**s), &whole))
            return -1;
    if (**s == '.') {
        for ((*s)++; is_digit(**s); (*s)++, digits++) {
            scale /= 10;
            fraction += scale * digit_value(**s);
        }
    }
    uint64_t unit = digits ? duration_unit(s) : 0;
    if (*s == start || unit == 0 || __builtin_mul_overflow(whole, unit, &whole) ||
        __builtin_add_overflow(whole, (uint64_t)(fraction * (double)unit + 0.5), &whole) ||
        __builtin_add_overflow(*ns, whole, ns))
        return -1;
    return 0;
}

int parse_duration_ms(const char *s, int64_t *ret)
{
    bool negative = *s == '-';
    uint64_t ns = 0;

    if (*s == '-' || *s == '+')
        s++;
    if (streq(s, "0")) {
        *ret = 0;
        return 0;
    }
    if (!*s)
        return -1;
    while (*s)
        if (parse_duration_part(&s, &ns) < 0 || ns > INT64_MAX)
            return -1;
    int64_t ms = (int64_t)(ns / 1000000);
    *ret = negative ? -ms : ms;
    return 0;
}

/* Dot-separated identifiers of [0-9A-Za-z-], none empty; up to `end` or the end of the text. */
static const char *skip_identifiers(const char *s, char end)
{
    for (size_t n = 0;; s++) {
        if (*s == '.' || !*s || *s == end) {
            if (n == 0)
                return NULL;
            if (*s != '.')
                return s;
            n = 0;
        } else if (isalnum((unsigned char)*s) || *s == '-') {
            n++;
        } else {
            return NULL;
        }
    }
}

/* A number in front of `end` (0: any other character ends it). */
static const char *semver_number(const char *s, uint64_t *ret)
{
    uint64_t v = 0;

    if (!is_digit(*s))
        return NULL;
    for (; is_digit(*s); s++)
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit_value(*s), &v))
            return NULL;
    *ret = v;
    return s;
}

int parse_semver(const char *s, struct semver *ret)
{
    struct semver v = {0};
    uint64_t *const parts[] = {&v.major, &v.minor, &v.patch};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (i && *s++ != '.')
            return -1;
        s = semver_number(s, parts[i]);
        if (!s)
            return -1;
    }
    if (*s == '-') {
        const char *end = skip_identifiers(s + 1, '+');

        if (!end || (size_t)(end - s - 1) >= sizeof(v.pre))
            return -1;
        memcpy(v.pre, s + 1, (size_t)(end - s - 1));
        s = end;
    }
    if (*s == '+') {
        s = skip_identifiers(s + 1, '\0');
        if (!s)
            return -1;
    }
    if (*s)
        return -1;
    *ret = v;
    return 0;
}

int parse_described_version(const char *s, struct semver *ret)
{
    char text[128];

    if (*s == 'v')
        s++;
    size_t len = strcspn(s, "-");
    if (len >= sizeof(text))
        return -1;
    memcpy(text, s, len);
    text[len] = '\0';
    if (str_ends(text, ".m"))
        text[len - 2] = '\0';
    return parse_semver(text, ret);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Numbers as numbers and below words (semver.org 2.0.0, 11.4). */
static int compare_identifiers(const char *a, size_t alen, const char *b, size_t blen)
{
    bool anum = strspn(a, "0123456789") >= alen, bnum = strspn(b, "0123456789") >= blen;

    if (anum != bnum)
        return anum ? -1 : 1;
    if (anum) {
        for (; alen > 1 && *a == '0'; alen--)
            a++;
        for (; blen > 1 && *b == '0'; blen--)
            b++;
        if (alen != blen)
            return alen < blen ? -1 : 1;
    }
    int c = memcmp(a, b, alen < blen ? alen : blen);
    return c ? c : compare_u64(alen, blen);
}

static int compare_pre(const char *a, const char *b)
{
    if (!*a || !*b) /* a release is above its pre-releases */
        return (*a == '\0') - (*b == '\0');
    for (;;) {
        size_t alen = strcspn(a, "."), blen = strcspn(b, ".");
        int c = compare_identifiers(a, alen, b, blen);

        if (c)
            return c;
        a += alen;
        b += blen;
        if (!*a || !*b)
            return (*a != '\0') - (*b != '\0');
        a++;
        b++;
    }
}

int semver_cmp(const struct semver *a, const struct semver *b)
{
    int c = compare_u64(a->major, b->major);

    if (!c)
        c = compare_u64(a->minor, b->minor);
    if (!c)
        c = compare_u64(a->patch, b->patch);
    if (!c)
        c = compare_pre(a->pre, b->pre);
    return (c > 0) - (c < 0);
}

int parse_mac(const char *s, uint8_t ret[6])
{
    uint8_t mac[6];
    size_t len = strlen(s);
    /* Digits between two separators: 2 in 02:00:…, 4 in 0200.0000.0001, all in 020000000001. */
    size_t group = len == 17 ? 2 : len == 14 ? 4 : 12;
    char sep = len == 17 ? s[2] : '.';

    if ((len != 17 && len != 14 && len != 12) || (len == 17 && sep != ':' && sep != '-'))
        return -1;
    for (size_t i = 0; i < 12; i += 2, s += 2) {
        if (i && i % group == 0 && *s++ != sep)
            return -1;
        unsigned high = digit_value(s[0]), low = digit_value(s[1]);

        if (high > 15 || low > 15)
            return -1;
        mac[i / 2] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret, mac, sizeof(mac));
    return 0;
}

char *format_mac(const uint8_t mac[6])
{
    return xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                     mac[5]);
}

int parse_ip_family(const char *s)
{
    struct in6_addr addr;

    if (inet_pton(AF_INET, s, &addr) == 1)
        return 4;
    return inet_pton(AF_INET6, s, &addr) == 1 ? 6 : 0;
}

int parse_octal_mode(const char *s, unsigned *ret)
{
    uint64_t v;

    if (str_starts(s, "0o"))
        s += 2;
    if (parse_digits(s, 8, &v) < 0 || v > 07777)
        return -1;
    *ret = (unsigned)v;
    return 0;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

unsigned str_distance(const char *a, const char *b, unsigned limit)
{
    size_t alen = strlen(a), blen = strlen(b);
    unsigned best;

    if ((alen > blen ? alen - blen : blen - alen) > limit)
        return limit + 1;
    /* Three rows of the table: this one, the one above and (for swaps) the one above that. */
    _cleanup_free_ unsigned *memory = xcalloc(3 * (blen + 1), sizeof(*memory));
    unsigned *before = memory, *above = memory + blen + 1, *row = above + blen + 1;

    for (size_t j = 0; j <= blen; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= alen; i++) {
        best = row[0] = (unsigned)i;
        for (size_t j = 1; j <= blen; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
            if (row[j] < best)
                best = row[j];
        }
        if (best > limit)
            return limit + 1;
        unsigned *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[blen] > limit ? limit + 1 : above[blen];
}

static char *lower_copy(const char *s)
{
    char *copy = xstrdup(s);

    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

const char *str_nearest(const char *s, const char *const *names, size_t n)
{
    size_t len = strlen(s);
    /* A typo hits about one character in three; short words need to be nearly right. */
    unsigned limit = len <= 2 ? 1 : len <= 5 ? 2 : 3;
    const char *nearest = NULL;

    if (len > 64)
        return NULL;
    _cleanup_free_ char *lower = lower_copy(s);
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *name = lower_copy(names[i]);
        size_t name_len = strlen(name), longer = name_len > len ? name_len : len;
        unsigned d = str_distance(lower, name, limit);

        if (d <= limit && d * 2 <= longer && (d < longer || streq(lower, name))) {
            nearest = names[i];
            if (d == 0)
                break;
            limit = d - 1; /* only something nearer may follow */
        }
    }
    return nearest;
}
