/* SPDX-License-Identifier: Apache-2.0 */
#include "cima/qemu/opts.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "qemu/qemu.h"
#include <ctype.h>
#include <inttypes.h>

enum opt_kind { OPT_STR, OPT_INT, OPT_SIZE, OPT_BOOL, OPT_LIST, OPT_FDS, OPT_NESTED };

struct opt {
    char *key;
    enum opt_kind kind;
    bool implied; /* only the first one: the key need not be written */
    char *str;
    int64_t num;
    bool on;
    struct strv list;
    int *fds;
    size_t n_fds;
    struct cima_opts *nested;
};

struct cima_opts {
    struct opt *v;
    size_t n, cap;
    char *problem; /* the first thing that can't be written */
};

static void opt_release(struct opt *p)
{
    free(p->key);
    free(p->str);
    free(p->fds);
    strv_release(&p->list);
    cima_opts_free(p->nested);
}

void cima_opts_free(struct cima_opts *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n; i++)
        opt_release(&o->v[i]);
    free(o->v);
    free(o->problem);
    free(o);
}

static void latch(struct cima_opts *o, const char *key, const char *why)
{
    if (!o->problem)
        o->problem = xasprintf("option '%s': %s", key, why);
}

static bool key_valid(const char *key)
{
    if (!*key || *key == '.' || *key == '-')
        return false;
    for (const char *c = key; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_' && *c != '.')
            return false;
    return true;
}

/* QEMU would take a newline; logs and people would not. */
static const char *text_problem(const char *s)
{
    if (!*s)
        return "its value is empty";
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return *s == '\n' ? "its value has a line break" : "its value has a control character";
    return NULL;
}

static struct opt *find(const struct cima_opts *o, const char *key)
{
    for (size_t i = 0; i < o->n; i++)
        if (streq(o->v[i].key, key))
            return &o->v[i];
    return NULL;
}

/* The slot of key, emptied when it was there; NULL when the key can't be one. */
static struct opt *slot(struct cima_opts *o, const char *key, enum opt_kind kind)
{
    struct opt *p = find(o, key);
    bool implied = p && p->implied;

    if (!key_valid(key)) {
        latch(o, key, "not a valid name");
        return NULL;
    }
    if (p) {
        opt_release(p);
    } else {
        GROW_ARRAY(o->v, o->n, o->cap);
        p = &o->v[o->n++];
    }
    *p = (struct opt){.key = xstrdup(key), .kind = kind, .implied = implied, .list = STRV_INIT};
    return p;
}

struct cima_opts *cima_opts_new(const char *implied_key, const char *value)
{
    struct cima_opts *o = xcalloc(1, sizeof(*o));

    if (implied_key) {
        cima_opts_str(o, implied_key, value ? value : "");
        if (o->n)
            o->v[0].implied = true;
    }
    return o;
}

void cima_opts_str(struct cima_opts *o, const char *key, const char *value)
{
    const char *problem;
    struct opt *p;

    if (!value)
        return;
    problem = text_problem(value);
    if (problem)
        latch(o, key, problem);
    p = slot(o, key, OPT_STR);
    if (p)
        p->str = xstrdup(value);
}

void cima_opts_empty(struct cima_opts *o, const char *key)
{
    struct opt *p = slot(o, key, OPT_STR);

    if (p)
        p->str = xstrdup("");
}

void cima_opts_strf(struct cima_opts *o, const char *key, const char *fmt, ...)
{
    _cleanup_free_ char *value = NULL;
    va_list ap;

    va_start(ap, fmt);
    value = xvasprintf(fmt, ap);
    va_end(ap);
    cima_opts_str(o, key, value);
}

void cima_opts_int(struct cima_opts *o, const char *key, int64_t value)
{
    struct opt *p = slot(o, key, OPT_INT);

    if (p)
        p->num = value;
}

void cima_opts_size(struct cima_opts *o, const char *key, uint64_t bytes)
{
    struct opt *p = slot(o, key, OPT_SIZE);

    if (bytes > INT64_MAX)
        latch(o, key, "its value does not fit in 63 bits");
    if (p)
        p->num = (int64_t)(bytes & INT64_MAX);
}

void cima_opts_bool(struct cima_opts *o, const char *key, bool value)
{
    struct opt *p = slot(o, key, OPT_BOOL);

    if (p)
        p->on = value;
}

void cima_opts_list(struct cima_opts *o, const char *key, const char *value)
{
    const char *problem = text_problem(value);
    struct opt *p = find(o, key);

    if (problem)
        latch(o, key, problem);
    if (!p || p->kind != OPT_LIST)
        p = slot(o, key, OPT_LIST);
    if (p)
        strv_push(&p->list, value);
}

void cima_opts_fds(struct cima_opts *o, const char *key, const int *numbers, size_t n)
{
    struct opt *p = slot(o, key, OPT_FDS);

    if (!n)
        latch(o, key, "there is no descriptor");
    for (size_t i = 0; i < n; i++)
        if (numbers[i] < 0)
            latch(o, key, "a descriptor is negative");
    if (p && n) {
        p->fds = xmemdup(numbers, n * sizeof(*numbers));
        p->n_fds = n;
    }
}

struct cima_opts *cima_opts_nested(struct cima_opts *o, const char *key)
{
    struct opt *p = slot(o, key, OPT_NESTED);

    if (!p) {
        /* The problem is latched; the caller goes on with something that is never written. */
        p = slot(o, "invalid", OPT_NESTED);
    }
    p->nested = cima_opts_new(NULL, NULL);
    return p->nested;
}

struct cima_opts *cima_opts_inner(const struct cima_opts *o, const char *key)
{
    const struct opt *p = find(o, key);

    return p ? p->nested : NULL;
}

const char *cima_opts_get(const struct cima_opts *o, const char *key)
{
    const struct opt *p = find(o, key);

    return p && p->kind == OPT_STR ? p->str : NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

const char *cima_opts_problem(const struct cima_opts *o)
{
    if (o->problem)
        return o->problem;
    for (size_t i = 0; i < o->n; i++)
        if (o->v[i].nested && cima_opts_problem(o->v[i].nested))
            return cima_opts_problem(o->v[i].nested);
    return NULL;
}

static int check(const struct cima_opts *o, struct err *err)
{
    const char *problem = cima_opts_problem(o);
    const char *what = o->n && o->v[0].implied ? o->v[0].str : NULL;

    if (!problem)
        return 0;
    if (str_empty(what))
        return err_set(err, ERR_CONFIG, "can't be handed to QEMU: %s", problem);
    return err_set(err, ERR_CONFIG, "'%s' can't be handed to QEMU: %s", what, problem);
}

static void add_escaped(struct sbuf *out, const char *value)
{
    for (const char *comma; (comma = strchr(value, ',')); value = comma + 1) {
        sbuf_add(out, value, (size_t)(comma - value));
        sbuf_addstr(out, ",,");
    }
    sbuf_addstr(out, value);
}

static void add_key(struct sbuf *out, const char *prefix, const char *key)
{
    if (out->len)
        sbuf_addch(out, ',');
    sbuf_addstr(out, prefix);
    sbuf_addstr(out, key);
    sbuf_addch(out, '=');
}

static void add_size(struct sbuf *out, int64_t bytes)
{
    static const char units[] = "KMGT";
    char unit = '\0';

    for (const char *u = units; *u && bytes && bytes % 1024 == 0; u++) {
        bytes /= 1024;
        unit = *u;
    }
    sbuf_addf(out, "%" PRId64, bytes);
    if (unit)
        sbuf_addch(out, unit);
}

static void add_fds(struct sbuf *out, const struct opt *p)
{
    for (size_t i = 0; i < p->n_fds; i++)
        sbuf_addf(out, "%s%d", i ? ":" : "", p->fds[i]);
}

static void write_opts(const struct cima_opts *o, const char *prefix, struct sbuf *out);

static void write_opt(const struct opt *p, const char *prefix, struct sbuf *out)
{
    _cleanup_free_ char *inner = NULL;

    switch (p->kind) {
    case OPT_STR:
        /* Without its key only when QEMU can't read a key into it. */
        if (!p->implied || strchr(p->str, '='))
            add_key(out, prefix, p->key);
        add_escaped(out, p->str);
        break;
    case OPT_INT:
        add_key(out, prefix, p->key);
        sbuf_addf(out, "%" PRId64, p->num);
        break;
    case OPT_SIZE:
        add_key(out, prefix, p->key);
        add_size(out, p->num);
        break;
    case OPT_BOOL:
        add_key(out, prefix, p->key);
        sbuf_addstr(out, p->on ? "on" : "off");
        break;
    case OPT_LIST:
        for (size_t i = 0; i < p->list.n; i++) {
            add_key(out, prefix, p->key);
            add_escaped(out, p->list.v[i]);
        }
        break;
    case OPT_FDS:
        add_key(out, prefix, p->key);
        add_fds(out, p);
        break;
    case OPT_NESTED:
        inner = xasprintf("%s%s.", prefix, p->key);
        write_opts(p->nested, inner, out);
        break;
    }
}

static void write_opts(const struct cima_opts *o, const char *prefix, struct sbuf *out)
{
    for (size_t i = 0; i < o->n; i++)
        write_opt(&o->v[i], prefix, out);
}

char *cima_opts_to_argv(const struct cima_opts *o, struct err *err)
{
    struct sbuf out = SBUF_INIT;

    if (check(o, err) < 0)
        return NULL;
    write_opts(o, "", &out);
    return sbuf_detach(&out);
}

char *cima_opts_text(const struct cima_opts *o, const char *key)
{
    const struct opt *p = find(o, key);
    struct sbuf out = SBUF_INIT;

    if (!p || p->kind == OPT_LIST || p->kind == OPT_NESTED)
        return NULL;
    if (p->kind == OPT_STR)
        sbuf_addstr(&out, p->str);
    else if (p->kind == OPT_INT)
        sbuf_addf(&out, "%" PRId64, p->num);
    else if (p->kind == OPT_SIZE)
        add_size(&out, p->num);
    else if (p->kind == OPT_BOOL)
        sbuf_addstr(&out, p->on ? "on" : "off");
    else
        add_fds(&out, p);
    return sbuf_detach(&out);
}

/* The words of a repeated key are QAPI's list of String. */
static struct json *list_to_json(const struct strv *words)
{
    struct json *list = json_array_new();

    for (size_t k = 0; k < words->n; k++) {
        struct json *item = json_object_new();

        json_set_str(item, "str", words->v[k]);
        json_append(list, item);
    }
    return list;
}

/* A running machine knows a descriptor by the name that getfd gave it. */
static struct json *fds_to_json(const struct opt *p)
{
    _cleanup_sbuf_ struct sbuf names = SBUF_INIT;

    for (size_t i = 0; i < p->n_fds; i++) {
        _cleanup_free_ char *name = cima_cmdline_fd_name(p->fds[i]);

        sbuf_addf(&names, "%s%s", i ? ":" : "", name);
    }
    return json_string_new(sbuf_str(&names));
}

static struct json *to_json(const struct cima_opts *o)
{
    struct json *j = json_object_new();

    for (size_t i = 0; i < o->n; i++) {
        const struct opt *p = &o->v[i];

        switch (p->kind) {
        case OPT_STR:
            json_set_str(j, p->key, p->str);
            break;
        case OPT_INT:
        case OPT_SIZE:
            json_set_int(j, p->key, p->num);
            break;
        case OPT_BOOL:
            json_set_bool(j, p->key, p->on);
            break;
        case OPT_LIST:
            json_set(j, p->key, list_to_json(&p->list));
            break;
        case OPT_FDS:
            json_set(j, p->key, fds_to_json(p));
            break;
        case OPT_NESTED:
            json_set(j, p->key, to_json(p->nested));
            break;
        }
    }
    return j;
}

/* A path may be any bytes, a text of JSON may not: it would name another file. */
static const char *not_utf8(const struct cima_opts *o)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct opt *p = &o->v[i];

        if (p->nested && not_utf8(p->nested))
            return not_utf8(p->nested);
        if (p->str && !utf8_valid(p->str, strlen(p->str)))
            return p->key;
        for (size_t k = 0; k < p->list.n; k++)
            if (!utf8_valid(p->list.v[k], strlen(p->list.v[k])))
                return p->key;
    }
    return NULL;
}

struct json *cima_opts_to_json(const struct cima_opts *o, struct err *err)
{
    const char *key = not_utf8(o);

    if (check(o, err) < 0)
        return NULL;
    if (key) {
        err_set(err, ERR_CONFIG, "option '%s' is not valid UTF-8: QMP has no way to say it", key);
        return NULL;
    }
    return to_json(o);
}

/* ---- reading back ---------------------------------------------------------------------------- */

/* The next part up to a single comma, commas undoubled; *text moves behind it, NULL at the end. */
static char *next_part(const char **text)
{
    struct sbuf part = SBUF_INIT;
    const char *c = *text;

    for (; *c; c++) {
        if (*c == ',') {
            if (c[1] != ',')
                break;
            c++;
        }
        sbuf_addch(&part, *c);
    }
    *text = *c ? c + 1 : NULL;
    return sbuf_detach(&part);
}

struct cima_opts *cima_opts_parse(const char *text, const char *implied_key, struct err *err)
{
    _cleanup_opts_ struct cima_opts *o = xcalloc(1, sizeof(*o));
    const char *rest = text;

    for (size_t i = 0; rest; i++) {
        _cleanup_free_ char *part = next_part(&rest);
        char *eq = strchr(part, '=');

        if (eq) {
            *eq = '\0';
            cima_opts_str(o, part, eq + 1);
        } else if (i == 0 && implied_key) {
            cima_opts_str(o, implied_key, part);
            if (o->n)
                o->v[0].implied = true;
        } else {
            cima_opts_str(o, part, "on");
        }
    }
    if (cima_opts_problem(o)) {
        err_set(err, ERR_CONFIG, "%s", cima_opts_problem(o));
        return NULL;
    }
    return TAKE_PTR(o);
}
