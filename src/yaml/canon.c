/* SPDX-License-Identifier: Apache-2.0 */
/* What a scalar is, whatever its spelling: its JSON form. */
#include "base/mem.h"
#include "yaml/emit.h"
#include "yaml/internal.h"
#include "yaml/patch.h"
#include <errno.h>

/* By its text alone, were it plain and without a tag. */
static enum yaml_core core_of_text(const char *s)
{
    const struct yaml_node plain = {.type = YAML_SCALAR, .style = YAML_PLAIN, .value = s};

    return yaml_core_type(&plain);
}

/* 0x1f and 0o17; false when it has more than 64 bits. */
static bool add_based(struct sbuf *out, const char *s, int base)
{
    unsigned long long v;

    errno = 0;
    v = strtoull(s + 2, NULL, base);
    if (errno)
        return false;
    sbuf_addf(out, "%llu", v);
    return true;
}

/* A number by the core schema in JSON's form: no plus sign, no leading zeros, digits around the
 * point. False for infinities, NaN and what JSON's readers have no room for. */
static bool add_number(struct sbuf *out, const char *s)
{
    size_t n;

    if (str_starts(s, "0x") || str_starts(s, "0o"))
        return add_based(out, s, s[1] == 'x' ? 16 : 8);
    if (strpbrk(s, "nN"))
        return false;
    if (*s == '-')
        sbuf_addch(out, '-');
    s += *s == '-' || *s == '+';
    s += strspn(s, "0");
    n = strspn(s, "0123456789");
    sbuf_addstr(out, n ? "" : "0");
    sbuf_add(out, s, n);
    s += n;
    if (*s == '.') {
        n = strspn(s + 1, "0123456789");
        sbuf_add(out, s, n + 1);
        sbuf_addstr(out, n ? "" : "0");
        s += n + 1;
    }
    sbuf_addstr(out, s);
    return true;
}

enum yaml_core yaml_canonical(const struct yaml_node *node, struct sbuf *number)
{
    enum yaml_core core = yaml_core_type(node), text = core_of_text(node->value);

    if (core == YAML_NULL || (core == YAML_BOOL && text == YAML_BOOL))
        return core;
    if ((core != YAML_INT && core != YAML_FLOAT) || (text != YAML_INT && text != YAML_FLOAT))
        return YAML_STR;
    sbuf_clear(number);
    if (!add_number(number, node->value))
        return YAML_STR;
    return strpbrk(number->buf, ".eE") ? YAML_FLOAT : YAML_INT;
}

bool yaml_is_true(const struct yaml_node *node)
{
    return *node->value == 't' || *node->value == 'T';
}

void yaml_add_json_scalar(struct sbuf *out, const struct yaml_node *node)
{
    _cleanup_sbuf_ struct sbuf number = SBUF_INIT;
    enum yaml_core core = yaml_canonical(node, &number);

    if (core == YAML_NULL)
        sbuf_addstr(out, "null");
    else if (core == YAML_BOOL)
        sbuf_addstr(out, yaml_is_true(node) ? "true" : "false");
    else if (core == YAML_STR)
        yaml_add_json_string(out, node->value);
    else
        sbuf_addstr(out, number.buf);
}

char *yaml_doc_to_json(const struct yaml_doc *doc)
{
    struct yaml_writer w = YAML_WRITER_INIT(true);
    char *json;

    yaml_write_node(&w, yaml_doc_root(doc));
    json = yaml_writer_finish(&w);
    json[strlen(json) - 1] = '\0';
    return json;
}
