/* SPDX-License-Identifier: Apache-2.0 */
/* Go's fmt: what %v and the other verbs make of a value, and what they say about a wrong one. */
#include "tmpl/tmpl.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tmpl/internal.h"
#include <inttypes.h>
#include <math.h>

/* ---- numbers and texts ------------------------------------------------------------------------- */

/* From 1e+06 on Go writes an exponent. */
enum { EXPONENT_FROM = 6 };

/* The shortest digits that read back as the number. */
static void add_real(struct sbuf *out, double v)
{
    char text[64];
    int digits = 1;

    if (isnan(v) || isinf(v)) {
        sbuf_addstr(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    do {
        snprintf(text, sizeof(text), "%.*e", digits - 1, v);
    } while (strtod(text, NULL) != v && ++digits <= 17);
    int exponent = atoi(strchr(text, 'e') + 1);

    if (exponent < -4 || exponent >= EXPONENT_FROM) {
        sbuf_addstr(out, text);
        return;
    }
    int decimals = digits - 1 - exponent;

    sbuf_addf(out, "%.*f", decimals > 0 ? decimals : 0, v);
}

void tmpl_format_quoted(struct sbuf *out, const char *s, size_t len)
{
    static const char escapes[] = "\aa\bb\ff\nn\rr\tt\vv\\\\\"\"";

    sbuf_addch(out, '"');
    for (size_t i = 0; i < len;) {
        const char *e = escapes;
        uint32_t c = 0;
        size_t n = utf8_decode(s + i, len - i, &c);

        while (*e && *e != s[i])
            e += 2;
        if (*e && s[i])
            sbuf_addf(out, "\\%c", e[1]);
        else if (!n || c < 0x20 || c == 0x7f)
            sbuf_addf(out, "\\x%02x", (unsigned char)s[i]);
        else if (!utf8_is_printable(c))
            sbuf_addf(out, c < 0x10000 ? "\\u%04" PRIx32 : "\\U%08" PRIx32, c);
        else
            sbuf_add(out, s + i, n);
        i += n ? n : 1;
    }
    sbuf_addch(out, '"');
}

/* ---- %v ---------------------------------------------------------------------------------------- */

static void add_map(struct sbuf *out, const struct tmpl_value *v)
{
    _cleanup_strv_ struct strv keys = STRV_INIT;

    tmpl_value_keys(v, &keys);
    sbuf_addstr(out, "map[");
    for (size_t i = 0; i < keys.n && out->len <= TMPL_RESULT_MAX; i++) {
        struct tmpl_value item = tmpl_value_json(json_get(v->json, keys.v[i]), NULL);

        sbuf_addf(out, "%s%s:", i ? " " : "", keys.v[i]);
        tmpl_format_value(out, &item);
    }
    sbuf_addch(out, ']');
}

void tmpl_format_value(struct sbuf *out, const struct tmpl_value *v)
{
    switch (v->kind) {
    case VAL_NIL:
    case VAL_MISSING:
        sbuf_addstr(out, "<nil>");
        break;
    case VAL_BOOL:
        sbuf_addstr(out, v->truth ? "true" : "false");
        break;
    case VAL_INT:
        sbuf_addf(out, "%" PRId64, v->number);
        break;
    case VAL_FLOAT:
        add_real(out, v->real);
        break;
    case VAL_STRING:
        sbuf_add(out, v->text, v->len);
        break;
    case VAL_LIST:
        sbuf_addch(out, '[');
        for (size_t i = 0; i < v->to - v->from && out->len <= TMPL_RESULT_MAX; i++) {
            struct tmpl_value item = tmpl_value_at(v, i);

            if (i)
                sbuf_addch(out, ' ');
            tmpl_format_value(out, &item);
        }
        sbuf_addch(out, ']');
        break;
    case VAL_MAP:
        add_map(out, v);
        break;
    }
}

/* ---- one verb ---------------------------------------------------------------------------------- */

struct verb {
    bool minus, plus, sharp, space, zero;
    bool has_width, has_precision;
    int width, precision;
    char c;
};

static void format_one(struct sbuf *out, const struct verb *verb, const struct tmpl_value *v);

static void add_wrong(struct sbuf *out, const struct verb *verb, const struct tmpl_value *v)
{
    sbuf_addf(out, "%%!%c(", verb->c);
    if (v->kind != VAL_NIL && v->kind != VAL_MISSING)
        sbuf_addf(out, "%s=", tmpl_type_name(v));
    tmpl_format_value(out, v);
    sbuf_addch(out, ')');
}

static size_t characters(const char *s, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; count++) {
        uint32_t c;
        size_t n = utf8_decode(s + i, len - i, &c);

        i += n ? n : 1;
    }
    return count;
}

static void add_padded(struct sbuf *out, const struct verb *verb, const char *s, size_t len,
                       bool zeros)
{
    size_t have = characters(s, len);
    size_t want = verb->has_width ? (size_t)verb->width : 0;
    size_t fill = want > have ? want - have : 0;
    bool sign = zeros && !verb->minus && len && (*s == '-' || *s == '+');

    if (sign)
        sbuf_addch(out, *s);
    for (size_t i = 0; i < fill && !verb->minus; i++)
        sbuf_addch(out, zeros ? '0' : ' ');
    sbuf_add(out, s + sign, len - sign);
    for (size_t i = 0; i < fill && verb->minus; i++)
        sbuf_addch(out, ' ');
}

/* The digits of a number in a base, with sign and prefix. */
static void add_int(struct sbuf *out, const struct verb *verb, int64_t number)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    uint64_t v = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    unsigned base = verb->c == 'b' ? 2 : verb->c == 'o' || verb->c == 'O' ? 8
                    : verb->c == 'x' || verb->c == 'X' ? 16 : 10;
    const char *digits = verb->c == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[80];
    size_t at = sizeof(text);

    do {
        text[--at] = digits[v % base];
        v /= base;
    } while (v);
    if (number < 0)
        sbuf_addch(&s, '-');
    else if (verb->plus || verb->space)
        sbuf_addch(&s, verb->plus ? '+' : ' ');
    if (verb->sharp && base == 16)
        sbuf_addstr(&s, verb->c == 'X' ? "0X" : "0x");
    else if (verb->c == 'O' || (verb->sharp && base == 8))
        sbuf_addstr(&s, verb->c == 'O' ? "0o" : "0");
    else if (verb->sharp && base == 2)
        sbuf_addstr(&s, "0b");
    for (size_t n = sizeof(text) - at; verb->has_precision && n < (size_t)verb->precision; n++)
        sbuf_addch(&s, '0');
    sbuf_add(&s, text + at, sizeof(text) - at);
    add_padded(out, verb, sbuf_str(&s), s.len, verb->zero && !verb->has_precision);
}

static void add_character(struct sbuf *out, int64_t number)
{
    if (number) /* a text ends at NUL */
        sbuf_add_utf8(out, number < 0 || number > UINT32_MAX ? UINT32_MAX : (uint32_t)number);
}

static void format_int(struct sbuf *out, const struct verb *verb, const struct tmpl_value *v)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    switch (verb->c) {
    case 'v': case 'd': case 'b': case 'o': case 'O': case 'x': case 'X':
        add_int(out, verb, v->number);
        return;
    case 'c':
        add_character(&s, v->number);
        break;
    case 'q':
        sbuf_addch(&s, '\'');
        if (v->number == '\'' || v->number == '\\')
            sbuf_addch(&s, '\\');
        add_character(&s, v->number);
        sbuf_addch(&s, '\'');
        break;
    case 'U':
        sbuf_addf(&s, "U+%04" PRIX64, (uint64_t)v->number);
        break;
    default:
        add_wrong(out, verb, v);
        return;
    }
    add_padded(out, verb, sbuf_str(&s), s.len, false);
}

/* C's digits in Go's form: the exponents are alike. */
static void format_float(struct sbuf *out, const struct verb *verb, const struct tmpl_value *v)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    int precision = verb->has_precision ? verb->precision : 6;

    if ((verb->plus || verb->space) && !signbit(v->real))
        sbuf_addch(&s, verb->plus ? '+' : ' ');
    switch (verb->c) {
    case 'e':
        sbuf_addf(&s, "%.*e", precision, v->real);
        break;
    case 'E':
        sbuf_addf(&s, "%.*E", precision, v->real);
        break;
    case 'f': case 'F':
        sbuf_addf(&s, "%.*f", precision, v->real);
        break;
    case 'v': case 'g': case 'G':
        if (verb->has_precision)
            sbuf_addf(&s, "%.*g", precision, v->real);
        else
            add_real(&s, v->real);
        break;
    default:
        add_wrong(out, verb, v);
        return;
    }
    add_padded(out, verb, sbuf_str(&s), s.len, verb->zero && isfinite(v->real));
}

static void add_hex(struct sbuf *out, const struct verb *verb, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sbuf_addf(out, verb->c == 'X' ? "%02X" : "%02x", (unsigned char)s[i]);
}

/* Bytes of the first n characters. */
static size_t first_characters(const char *s, size_t len, size_t n)
{
    size_t i = 0;

    for (; n && i < len; n--) {
        uint32_t c;
        size_t k = utf8_decode(s + i, len - i, &c);

        i += k ? k : 1;
    }
    return i;
}

static void format_text(struct sbuf *out, const struct verb *verb, const struct tmpl_value *v)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    size_t len = v->len;

    if (verb->has_precision)
        len = verb->c == 'x' || verb->c == 'X'
                  ? (len < (size_t)verb->precision ? len : (size_t)verb->precision)
                  : first_characters(v->text, len, (size_t)verb->precision);
    switch (verb->c) {
    case 'v':
        if (verb->sharp) {
            tmpl_format_quoted(&s, v->text, len);
            break;
        }
        __attribute__((fallthrough));
    case 's':
        sbuf_add(&s, v->text, len);
        break;
    case 'q':
        if (verb->sharp && !memchr(v->text, '`', len)) {
            sbuf_addch(&s, '`');
            sbuf_add(&s, v->text, len);
            sbuf_addch(&s, '`');
        } else {
            tmpl_format_quoted(&s, v->text, len);
        }
        break;
    case 'x': case 'X':
        add_hex(&s, verb, v->text, len);
        break;
    default:
        add_wrong(out, verb, v);
        return;
    }
    add_padded(out, verb, sbuf_str(&s), s.len, verb->zero);
}

/* The verb is for what is in it. */
static void format_list(struct sbuf *out, const struct verb *verb, const struct tmpl_value *v)
{
    _cleanup_strv_ struct strv keys = STRV_INIT;
    bool map = v->kind == VAL_MAP;

    if (map)
        tmpl_value_keys(v, &keys);
    sbuf_addstr(out, map ? "map[" : "[");
    for (size_t i = 0; i < (map ? keys.n : v->to - v->from) && out->len <= TMPL_RESULT_MAX; i++) {
        struct tmpl_value item = map ? tmpl_value_json(json_get(v->json, keys.v[i]), NULL)
                                     : tmpl_value_at(v, i);

        if (i)
            sbuf_addch(out, ' ');
        if (map) {
            struct tmpl_value key = tmpl_value_text(keys.v[i], strlen(keys.v[i]));

            format_one(out, verb, &key);
            sbuf_addch(out, ':');
        }
        if (item.kind == VAL_NIL)
            sbuf_addstr(out, "<nil>");
        else
            format_one(out, verb, &item);
    }
    sbuf_addch(out, ']');
}

static void format_one(struct sbuf *out, const struct verb *verb, const struct tmpl_value *v)
{
    if (verb->c == 'T') {
        const char *name = tmpl_type_name(v);

        add_padded(out, verb, name, strlen(name), false);
        return;
    }
    switch (v->kind) {
    case VAL_NIL:
    case VAL_MISSING:
        if (verb->c == 'v')
            add_padded(out, verb, "<nil>", strlen("<nil>"), false);
        else
            add_wrong(out, verb, v);
        break;
    case VAL_BOOL:
        if (verb->c == 't' || verb->c == 'v')
            add_padded(out, verb, v->truth ? "true" : "false", v->truth ? 4 : 5, false);
        else
            add_wrong(out, verb, v);
        break;
    case VAL_INT:
        format_int(out, verb, v);
        break;
    case VAL_FLOAT:
        format_float(out, verb, v);
        break;
    case VAL_STRING:
        format_text(out, verb, v);
        break;
    case VAL_LIST:
    case VAL_MAP:
        format_list(out, verb, v);
        break;
    }
}

/* ---- the format -------------------------------------------------------------------------------- */

struct format {
    const char *p, *end;
    const struct tmpl_value *args;
    size_t n, next;
    bool reordered; /* %[1]d: then nobody minds values that are left */
    bool bad_index;
};

static int read_number(struct format *f, int *ret)
{
    int v = 0;

    if (f->p == f->end || *f->p < '0' || *f->p > '9')
        return -1;
    for (; f->p < f->end && *f->p >= '0' && *f->p <= '9'; f->p++)
        v = v > TMPL_WIDTH_MAX ? v : v * 10 + (*f->p - '0');
    *ret = v > TMPL_WIDTH_MAX ? TMPL_WIDTH_MAX : v;
    return 0;
}

/* [n]: which value is next. */
static void read_index(struct format *f)
{
    int i = 0;

    if (f->p == f->end || *f->p != '[')
        return;
    f->p++;
    f->reordered = true;
    if (read_number(f, &i) < 0 || i < 1 || (size_t)i > f->n || f->p == f->end || *f->p != ']')
        f->bad_index = true;
    else
        f->next = (size_t)i - 1;
    while (f->p < f->end && *f->p != ']')
        f->p++;
    f->p += f->p < f->end;
}

/* Digits, or * for a value. False when there is neither. */
static bool read_size(struct format *f, int *ret)
{
    read_index(f);
    if (f->p < f->end && *f->p == '*') {
        f->p++;
        if (f->next < f->n && f->args[f->next].kind == VAL_INT) {
            int64_t v = f->args[f->next].number;

            *ret = v < -TMPL_WIDTH_MAX ? -TMPL_WIDTH_MAX : v > TMPL_WIDTH_MAX ? TMPL_WIDTH_MAX
                                                                             : (int)v;
        }
        f->next++;
        return true;
    }
    return read_number(f, ret) == 0;
}

static void read_flags(struct format *f, struct verb *v)
{
    for (; f->p < f->end; f->p++) {
        if (*f->p == '-')
            v->minus = true;
        else if (*f->p == '+')
            v->plus = true;
        else if (*f->p == '#')
            v->sharp = true;
        else if (*f->p == ' ')
            v->space = true;
        else if (*f->p == '0')
            v->zero = true;
        else
            break;
    }
}

/* Behind the %. */
static void format_verb(struct format *f, struct sbuf *out)
{
    struct verb v = {0};

    read_flags(f, &v);
    v.has_width = read_size(f, &v.width);
    if (v.width < 0) {
        v.minus = true;
        v.width = -v.width;
    }
    if (f->p < f->end && *f->p == '.') {
        f->p++;
        v.has_precision = true;
        read_size(f, &v.precision);
        if (v.precision < 0)
            v.precision = 0;
    }
    read_index(f);
    v.zero = v.zero && !v.minus;
    if (f->p == f->end) {
        sbuf_addstr(out, "%!(NOVERB)");
        return;
    }
    v.c = *f->p++;
    if (v.c == '%')
        sbuf_addch(out, '%');
    else if (f->bad_index)
        sbuf_addf(out, "%%!%c(BADINDEX)", v.c);
    else if (f->next >= f->n)
        sbuf_addf(out, "%%!%c(MISSING)", v.c);
    else
        format_one(out, &v, &f->args[f->next++]);
    f->bad_index = false;
}

void tmpl_format(struct sbuf *out, const struct tmpl_value *format, const struct tmpl_value *args,
                 size_t n)
{
    struct format f = {format->text, format->text + format->len, args, n, 0, false, false};

    while (f.p < f.end && out->len <= TMPL_RESULT_MAX) {
        const char *percent = memchr(f.p, '%', (size_t)(f.end - f.p));

        sbuf_add(out, f.p, (size_t)((percent ? percent : f.end) - f.p));
        if (!percent)
            break;
        f.p = percent + 1;
        format_verb(&f, out);
    }
    if (f.reordered || f.next >= n)
        return;
    sbuf_addstr(out, "%!(EXTRA ");
    for (size_t i = f.next; i < n; i++) {
        sbuf_addf(out, "%s%s", i > f.next ? ", " : "", tmpl_type_name(&args[i]));
        if (args[i].kind == VAL_NIL || args[i].kind == VAL_MISSING)
            continue;
        sbuf_addch(out, '=');
        tmpl_format_value(out, &args[i]);
    }
    sbuf_addch(out, ')');
}
