/* SPDX-License-Identifier: Apache-2.0 */
/* The document beside the rows of config.def: every value is checked and written in its canonical
 * form, one per line, as a stream that libcyaml loads. What is wrong is reported with its place and
 * left out, so that one run shows every mistake. Unions (a text instead of a mapping) become
 * mappings, free-form mappings become lists of key and value. */
#include "config/internal.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "config/shape.h"
#include "yaml/emit.h"
#include <strings.h>

/* More than anybody reads or writes by hand; a hostile file could have as many as bytes. */
enum { MAX_PROBLEMS = 200, MAX_ENTRIES = 1000 };

struct norm {
    const struct yaml_doc *doc;
    unsigned doc_index;
    struct config_origin *origin;
    struct diags *d;
    size_t problems;
    struct sbuf path;
    struct normalised *out;
};

static void put_mapping(struct norm *n, const struct config_mapping *m,
                        const struct yaml_node *node);

/* ---- problems -------------------------------------------------------------------------------- */

static struct diag *problem(struct norm *n, enum config_rule rule, const struct yaml_node *at,
                            const char *fmt, ...) PRINTF_FORMAT(4, 5);

/* NULL when there are too many already. */
static struct diag *problem(struct norm *n, enum config_rule rule, const struct yaml_node *at,
                            const char *fmt, ...)
{
    _cleanup_free_ char *msg = NULL;
    struct diag *p;
    va_list ap;

    if (n->problems++ >= MAX_PROBLEMS)
        return NULL;
    if (n->problems == MAX_PROBLEMS) {
        p = config_problem(n->d, rule, NULL, "too many problems, not showing more");
        diag_set_position(p, yaml_doc_name(n->doc), 0, 0, NULL);
        return NULL;
    }
    va_start(ap, fmt);
    msg = xvasprintf(fmt, ap);
    va_end(ap);
    p = config_problem(n->d, rule, sbuf_str(&n->path), "%s", msg);
    yaml_doc_place(n->doc, at, p);
    return p;
}

static const char *word_for_yes_no(const char *s)
{
    static const char *const yes[] = {"yes", "on", "y", "1", "true"};
    static const char *const no[] = {"no", "off", "n", "0", "false"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcasecmp(s, yes[i]) == 0)
            return "true";
        if (strcasecmp(s, no[i]) == 0)
            return "false";
    }
    return NULL;
}

/* What to do about a value of the wrong type: what people mean who write it so. */
static void hint_type(struct diag *p, const struct yaml_node *node, enum config_kind kind)
{
    bool list = kind == KIND_LIST || config_kind_is_texts(kind);
    bool map = kind == KIND_SUB || kind == KIND_MAP || kind == KIND_ANY;
    const char *word =
        kind == KIND_BOOL && node->type == YAML_SCALAR ? word_for_yes_no(node->value) : NULL;

    if (word)
        diag_set_hint(p, "write %s%s", word, node->style == YAML_PLAIN ? "" : " without quotes");
    else if (kind == KIND_BOOL)
        diag_set_hint(p, "write true or false");
    else if (kind == KIND_PORTS)
        diag_set_hint(p, "write the first and the last port: [8000, 8010]");
    else if (list && node->type == YAML_SCALAR && kind != KIND_LIST && !yaml_is_null(node))
        diag_set_hint(p, "write it as a list: [%s]", node->value);
    else if (list)
        diag_set_hint(p, "put `- ` in front of each entry");
    else if (map)
        diag_set_hint(p, "write `name: value` lines below the field, further to the right");
    else if (kind == KIND_STR && node->type != YAML_SCALAR && node->flow)
        diag_set_hint(p, "a text that starts with `%s` needs quotes",
                      node->type == YAML_MAP ? "{" : "[");
    else if (kind == KIND_IP)
        diag_set_hint(p, "write an address such as 192.168.5.3");
    else if (config_kind_is_int(kind))
        diag_set_hint(p, "write digits only, such as 4");
    else
        diag_set_hint(p, "write a single value behind the colon");
}

/* wanted: NULL, or what is said instead of the kind's own words. */
static void wrong_type(struct norm *n, const struct yaml_node *node, const struct yaml_node *at,
                       enum config_kind kind, const char *wanted)
{
    const char *path = sbuf_str(&n->path);
    struct diag *p;

    wanted = wanted ? wanted : config_kind_text(kind);
    if (node->type != YAML_SCALAR || yaml_is_null(node))
        p = problem(n, RULE_TYPE, at, "field `%s` must be %s, but this is %s", path, wanted,
                    yaml_describe(node));
    else
        p = problem(n, RULE_TYPE, at, "field `%s` must be %s, got `%s`", path, wanted, node->value);
    if (p)
        hint_type(p, node, kind);
}

static bool too_long(struct norm *n, const struct yaml_node *node, const struct yaml_node *at)
{
    if (node->n > MAX_ENTRIES)
        problem(n, RULE_TOO_MANY_ENTRIES, at, "field `%s` has more than %d entries",
                sbuf_str(&n->path), MAX_ENTRIES);
    return node->n > MAX_ENTRIES;
}

static size_t path_push(struct norm *n, const char *key)
{
    size_t len = n->path.len;

    if (len)
        sbuf_addch(&n->path, '.');
    sbuf_addstr(&n->path, key);
    return len;
}

static void path_pop(struct norm *n, size_t len)
{
    n->path.len = len;
    if (n->path.buf)
        n->path.buf[len] = '\0';
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void end_line(struct norm *n, const struct yaml_node *node)
{
    struct normalised *o = n->out;

    sbuf_addch(&o->stream, '\n');
    GROW_ARRAY(o->lines, o->n_lines, o->cap_lines);
    o->lines[o->n_lines++] = node;
}

/* Bytes that need no escape. */
static size_t plain_run(const char *s)
{
    size_t n = 0;

    while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

/* Double-quoted, everything that is not plain ASCII escaped. */
static void put_text(struct norm *n, const char *s)
{
    struct sbuf *out = &n->out->stream;
    size_t len = strlen(s);

    sbuf_addch(out, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = plain_run(s + i), step;
        uint32_t c = 0;

        sbuf_add(out, s + i, plain);
        i += plain;
        if (i == len)
            break;
        step = utf8_decode(s + i, len - i, &c);
        if (c == '"' || c == '\\')
            sbuf_add(out, c == '"' ? "\\\"" : "\\\\", 2);
        else if (c == '\n')
            sbuf_add(out, "\\n", 2);
        else
            sbuf_addf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
        i += step ? step : 1;
    }
    sbuf_addch(out, '"');
}

static void put_key(struct norm *n, const char *key)
{
    sbuf_addch(&n->out->stream, '"');
    sbuf_addstr(&n->out->stream, key);
    sbuf_add(&n->out->stream, "\": ", 3);
}

static void put_line_text(struct norm *n, const struct yaml_node *node, const char *s)
{
    put_text(n, s);
    sbuf_addch(&n->out->stream, ',');
    end_line(n, node);
}

static void put_line_int(struct norm *n, const struct yaml_node *node, int64_t v)
{
    sbuf_addf(&n->out->stream, "%lld,", (long long)v);
    end_line(n, node);
}

static void put_raw(struct norm *n, const struct yaml_node *node, const char *s)
{
    sbuf_addstr(&n->out->stream, s);
    end_line(n, node);
}

/* What the struct starts with; zeros are left out. */
static void put_head(struct norm *n, uint64_t set, uint64_t null, unsigned src)
{
    struct sbuf *out = &n->out->stream;

    sbuf_addf(out, "\"%s\": %u", CONFIG_KEY_SRC, src);
    if (set)
        sbuf_addf(out, ", \"%s\": %llu", CONFIG_KEY_SET, (unsigned long long)set);
    if (null)
        sbuf_addf(out, ", \"%s\": %llu", CONFIG_KEY_NULL, (unsigned long long)null);
}

/* ---- scalars --------------------------------------------------------------------------------- */

/* Reads a number field: digits in quotes are a number too, fractions only if they are whole. */
static int read_int(struct norm *n, const struct yaml_node *node, const struct yaml_node *at,
                    enum config_kind kind, int64_t *ret)
{
    const char *path = sbuf_str(&n->path);
    enum yaml_core core = node->type == YAML_SCALAR ? yaml_core_type(node) : YAML_NULL;
    int r = -1;

    if (node->type == YAML_SCALAR && core != YAML_NULL && core != YAML_BOOL)
        r = config_parse_int(node->value, node->style == YAML_PLAIN, ret);
    if (r != -1 && node->tag && (core == YAML_INT || core == YAML_FLOAT)) {
        problem(n, RULE_NUMBER_TAG, at, "field `%s` must be %s without a tag", path,
                config_kind_text(kind));
        return -1;
    }
    if (r == 0 && kind == KIND_UINT && (*ret < 0 || *ret > UINT32_MAX))
        r = -3;
    if (r == -1) {
        wrong_type(n, node, at, kind, NULL);
    } else if (r == -2) {
        problem(n, RULE_NUMBER_FRACTION, at, "field `%s` must be %s, got the fraction `%s`", path,
                config_kind_text(kind), node->value);
    } else if (r == -3) {
        problem(n, RULE_NUMBER_RANGE, at, "field `%s` must be %s; `%s` is out of range", path,
                config_kind_text(kind), node->value);
    }
    return r < 0 ? -1 : 0;
}

static int put_ip(struct norm *n, const struct yaml_node *node, const struct yaml_node *at,
                  const char *key)
{
    _cleanup_free_ char *ip = NULL;

    if (node->type == YAML_SCALAR && !*node->value)
        return -1;
    ip = node->type == YAML_SCALAR ? config_canonical_ip(node->value) : NULL;
    if (!ip) {
        wrong_type(n, node, at, KIND_IP, NULL);
        return -1;
    }
    if (key)
        put_key(n, key);
    put_line_text(n, node, ip);
    return 0;
}

static void wrong_word(struct norm *n, const struct config_field *f, const struct yaml_node *node,
                       const struct yaml_node *at)
{
    _cleanup_free_ const char **words =
        xreallocarray(NULL, (size_t)f->words->count, sizeof(*words));
    _cleanup_sbuf_ struct sbuf all = SBUF_INIT;
    size_t count = 0;
    const char *near;
    struct diag *p;

    for (int i = 1; i < f->words->count; i++) {
        words[count++] = f->words->to_string(i);
        sbuf_addf(&all, "%s`%s`", i > 1 ? ", " : "", words[count - 1]);
    }
    near = config_nearest(node->value, words, count);
    p = problem(n, RULE_WORD, at, "field `%s` must be one of %s; got `%s`", sbuf_str(&n->path),
                sbuf_str(&all), node->value);
    if (p && near)
        diag_set_hint(p, "did you mean `%s`?", near);
}

/* One value that is a single word, number or text. */
static int put_scalar(struct norm *n, const struct config_field *f, const struct yaml_node *node,
                      const struct yaml_node *at)
{
    int64_t v = 0;
    int word = 0;

    if (f->kind == KIND_IP)
        return put_ip(n, node, at, f->key);
    if (config_kind_is_int(f->kind)) {
        if (read_int(n, node, at, f->kind, &v) < 0)
            return -1;
        put_key(n, f->key);
        put_line_int(n, node, v);
        return 0;
    }
    if (node->type != YAML_SCALAR || (f->kind == KIND_BOOL && yaml_core_type(node) != YAML_BOOL)) {
        wrong_type(n, node, at, f->kind, NULL);
        return -1;
    }
    if (f->kind == KIND_BOOL) {
        v = *node->value == 't' || *node->value == 'T' ? TRI_TRUE : TRI_FALSE;
    } else if (f->kind == KIND_ENUM) {
        if (!*node->value)
            return -1; /* as if it were not there */
        if (f->words->from_string(node->value, &word) < 0) {
            wrong_word(n, f, node, at);
            return -1;
        }
        v = word;
    } else {
        put_key(n, f->key);
        put_line_text(n, node, node->value);
        return 0;
    }
    put_key(n, f->key);
    put_line_int(n, node, v);
    return 0;
}

/* ---- lists and mappings ---------------------------------------------------------------------- */

static void put_list_item(struct norm *n, const struct config_field *f,
                          const struct yaml_node *item, const struct yaml_node *at)
{
    int64_t port;

    if (f->kind == KIND_IPS) {
        if (item->type == YAML_SCALAR && (yaml_is_null(item) || !*item->value))
            problem(n, RULE_ADDRESS_EMPTY, at, "field `%s` must be an IP address, but it is empty",
                    sbuf_str(&n->path));
        else
            put_ip(n, item, at, NULL);
    } else if (f->kind == KIND_PORTS) {
        if (yaml_is_null(item))
            put_line_text(n, item, "0");
        else if (read_int(n, item, at, KIND_INT, &port) == 0) {
            _cleanup_free_ char *text = xasprintf("%lld", (long long)port);

            put_line_text(n, item, text);
        }
    } else if (item->type == YAML_SCALAR) {
        put_line_text(n, item, yaml_is_null(item) ? "" : item->value);
    } else {
        wrong_type(n, item, at, KIND_STR, NULL);
    }
}

static int put_texts(struct norm *n, const struct config_field *f, const struct yaml_node *node,
                     const struct yaml_node *at)
{
    if (node->type != YAML_SEQ) {
        wrong_type(n, node, at, f->kind, NULL);
        return -1;
    }
    if (f->kind == KIND_PORTS && node->n > 2) {
        problem(n, RULE_PORT_RANGE_LENGTH, at, "field `%s` must be %s, but it has %zu entries",
                sbuf_str(&n->path), config_kind_text(f->kind), node->n);
        return -1;
    }
    if (too_long(n, node, at))
        return -1;
    put_key(n, f->key);
    put_raw(n, node, "[");
    for (size_t i = 0; i < node->n; i++) {
        size_t len = n->path.len;

        sbuf_addf(&n->path, "[%zu]", i);
        put_list_item(n, f, node->items[i],
                      node->items[i]->start == node->items[i]->end ? at : node->items[i]);
        path_pop(n, len);
    }
    put_raw(n, node, "],");
    return 0;
}

bool config_mapping_has_short_form(const struct config_mapping *m)
{
    return m == &config_base_ref_mapping || m == &config_disk_mapping;
}

static void put_entry(struct norm *n, const struct config_mapping *m, const struct yaml_node *node)
{
    if (node->type == YAML_MAP || yaml_is_null(node)) {
        put_mapping(n, m, node);
    } else if (node->type == YAML_SCALAR && config_mapping_has_short_form(m)) {
        unsigned src = config_origin_add_src(n->origin, node, n->doc_index, 0);

        put_raw(n, node, "{");
        put_key(n, m->fields[0].key);
        put_line_text(n, node, node->value);
        put_head(n, 1, 0, src);
        put_raw(n, node, "},");
    } else {
        bool text_too = config_mapping_has_short_form(m);

        wrong_type(n, node, node, KIND_SUB, text_too ? "a text or a mapping" : NULL);
        /* An empty entry keeps the numbers of those behind it. */
        put_raw(n, node, "{},");
    }
}

static int put_list(struct norm *n, const struct config_field *f, const struct yaml_node *node,
                    const struct yaml_node *at)
{
    /* `base: x` and `base: {url: x}` are lists of one. */
    bool single = f->sub == &config_base_ref_mapping && node->type != YAML_SEQ;

    if (node->type != YAML_SEQ && !single) {
        bool text_too = config_mapping_has_short_form(f->sub);

        wrong_type(n, node, at, f->kind, text_too ? "a list" : NULL);
        return -1;
    }
    if (!single && too_long(n, node, at))
        return -1;
    put_key(n, f->key);
    put_raw(n, node, "[");
    if (single)
        put_entry(n, f->sub, node);
    for (size_t i = 0; !single && i < node->n; i++) {
        size_t len = n->path.len;

        sbuf_addf(&n->path, "[%zu]", i);
        put_entry(n, f->sub, node->items[i]);
        path_pop(n, len);
    }
    put_raw(n, node, "],");
    return 0;
}

static int put_map(struct norm *n, const struct config_field *f, const struct yaml_node *node,
                   const struct yaml_node *at)
{
    if (node->type != YAML_MAP) {
        wrong_type(n, node, at, f->kind, NULL);
        return -1;
    }
    if (too_long(n, node, at))
        return -1;
    put_key(n, f->key);
    put_raw(n, node, "[");
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_pair *pair = &node->pairs[i];
        bool no_name = yaml_is_null(pair->key), null = yaml_is_null(pair->value);
        size_t len = path_push(n, pair->key->value);

        if (pair->value->type != YAML_SCALAR) {
            wrong_type(n, pair->value, pair->value, KIND_STR, NULL);
        } else {
            sbuf_addstr(&n->out->stream, "{\"k\": ");
            put_text(n, no_name ? "" : pair->key->value);
            sbuf_addstr(&n->out->stream, ", \"v\": ");
            put_text(n, null ? "" : pair->value->value);
            put_raw(n, pair->value, "},");
        }
        path_pop(n, len);
    }
    put_raw(n, node, "],");
    return 0;
}

/* A field: 0 when something was written for it. */
static int put_field(struct norm *n, const struct config_field *f, const struct yaml_pair *pair)
{
    const struct yaml_node *node = pair->value;
    const struct yaml_node *at = node->start == node->end ? pair->key : node;

    switch (f->kind) {
    case KIND_SUB:
        if (node->type != YAML_MAP &&
            !(node->type == YAML_SCALAR && config_mapping_has_short_form(f->sub))) {
            wrong_type(n, node, at, f->kind, NULL);
            return -1;
        }
        put_key(n, f->key);
        put_entry(n, f->sub, node);
        return 0;
    case KIND_LIST:
        return put_list(n, f, node, at);
    case KIND_MAP:
        return put_map(n, f, node, at);
    case KIND_STRS:
    case KIND_IPS:
    case KIND_PORTS:
        return put_texts(n, f, node, at);
    case KIND_ANY: {
        _cleanup_free_ char *json = NULL;

        if (node->type != YAML_MAP) {
            wrong_type(n, node, at, f->kind, NULL);
            return -1;
        }
        json = config_node_to_json(node);
        put_key(n, f->key);
        put_line_text(n, node, json);
        return 0;
    }
    default:
        return put_scalar(n, f, node, at);
    }
}

static void unknown_key(struct norm *n, const struct config_mapping *m, const struct yaml_node *key)
{
    _cleanup_free_ const char **names = xreallocarray(NULL, m->n_fields, sizeof(*names));
    const char *near;
    struct diag *p;

    for (size_t i = 0; i < m->n_fields; i++)
        names[i] = m->fields[i].key;
    near = config_nearest(key->value, names, m->n_fields);
    p = problem(n, RULE_UNKNOWN_FIELD, key,
                "unknown field `%s` is ignored (Non-strict YAML detected; please check for typos)",
                sbuf_str(&n->path));
    if (p && near)
        diag_set_hint(p, "did you mean `%s`?", near);
}

/* The keys that have no row of their own, as one JSON object. */
static bool put_rest(struct norm *n, const struct config_mapping *m, const struct yaml_node *node,
                     const struct config_field *rest)
{
    struct yaml_writer w = YAML_WRITER_INIT(true);
    _cleanup_free_ char *json = NULL;
    bool any = false;

    yaml_write_open(&w, false);
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_pair *pair = &node->pairs[i];

        if (config_field_find(m, pair->key->value))
            continue;
        yaml_write_key(&w, pair->key->value);
        yaml_write_node(&w, pair->value);
        any = true;
    }
    yaml_write_close(&w);
    json = sbuf_detach(&w.out);
    if (any) {
        put_key(n, rest->key);
        put_line_text(n, node, json);
    }
    return any;
}

static void put_mapping(struct norm *n, const struct config_mapping *m,
                        const struct yaml_node *node)
{
    uint64_t set = 0, null = 0;
    int rest = config_field_rest(m);
    unsigned src = config_origin_add_src(n->origin, node, n->doc_index, 0);

    put_raw(n, node, "{");
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_pair *pair = &node->pairs[i];
        const struct config_field *f = config_field_find(m, pair->key->value);
        size_t len = path_push(n, pair->key->value);

        if (!f || streq(f->key, "*")) {
            if (rest < 0)
                unknown_key(n, m, pair->key);
        } else if (yaml_is_null(pair->value)) {
            null |= UINT64_C(1) << (f - m->fields);
        } else if (put_field(n, f, pair) == 0) {
            set |= UINT64_C(1) << (f - m->fields);
        }
        path_pop(n, len);
    }
    if (rest >= 0 && put_rest(n, m, node, &m->fields[rest]))
        set |= UINT64_C(1) << rest;
    put_head(n, set, null, src);
    put_raw(n, node, n->path.len ? "}," : "}");
}

void config_normalise(const struct yaml_doc *doc, unsigned doc_index, struct config_origin *origin,
                      struct diags *d, struct normalised *ret)
{
    struct norm n = {.doc = doc, .doc_index = doc_index, .origin = origin, .d = d, .out = ret};

    *ret = (struct normalised){0};
    put_mapping(&n, &config_instance_mapping, yaml_doc_root(doc));
    sbuf_release(&n.path);
}

void normalised_release(struct normalised *n)
{
    sbuf_release(&n->stream);
    free(n->lines);
    *n = (struct normalised){0};
}
