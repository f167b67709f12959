/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about nodes that need no document. */
#include "yaml/doc.h"

const struct yaml_pair *yaml_map_pair(const struct yaml_node *map, const char *key)
{
    if (!map || map->type != YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (streq(map->pairs[i].key->value, key))
            return &map->pairs[i];
    return NULL;
}

const struct yaml_node *yaml_map_get(const struct yaml_node *map, const char *key)
{
    const struct yaml_pair *pair = yaml_map_pair(map, key);

    return pair ? pair->value : NULL;
}

static bool is_digits(const char *s, const char *set)
{
    return *s && s[strspn(s, set)] == '\0';
}

static bool is_int(const char *s)
{
    if (str_starts(s, "0o"))
        return is_digits(s + 2, "01234567");
    if (str_starts(s, "0x"))
        return is_digits(s + 2, "0123456789abcdefABCDEF");
    return is_digits(s + (*s == '-' || *s == '+'), "0123456789");
}

static bool is_float(const char *s)
{
    static const char *const special[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
    size_t whole, part = 0;

    if (str_is_one_of(s, nan))
        return true;
    s += *s == '-' || *s == '+';
    if (str_is_one_of(s, special))
        return true;
    whole = strspn(s, "0123456789");
    s += whole;
    if (*s == '.') {
        part = strspn(++s, "0123456789");
        s += part;
    }
    if (!whole && !part)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        return is_digits(s, "0123456789");
    }
    return !*s;
}

static enum yaml_core core_of_plain(const char *s)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};

    if (str_is_one_of(s, nulls))
        return YAML_NULL;
    if (str_is_one_of(s, bools))
        return YAML_BOOL;
    if (is_int(s))
        return YAML_INT;
    return is_float(s) ? YAML_FLOAT : YAML_STR;
}

enum yaml_core yaml_core_type(const struct yaml_node *scalar)
{
    static const struct {
        const char *tag;
        enum yaml_core core;
    } tags[] = {
        {"tag:yaml.org,2002:null", YAML_NULL},   {"tag:yaml.org,2002:bool", YAML_BOOL},
        {"tag:yaml.org,2002:int", YAML_INT},     {"tag:yaml.org,2002:float", YAML_FLOAT},
    };

    if (!scalar->tag)
        return scalar->style == YAML_PLAIN ? core_of_plain(scalar->value) : YAML_STR;
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
        if (streq(scalar->tag, tags[i].tag))
            return tags[i].core;
    return YAML_STR;
}

bool yaml_is_binary(const struct yaml_node *node)
{
    return streq0(node->tag, "tag:yaml.org,2002:binary");
}

bool yaml_is_null(const struct yaml_node *node)
{
    return node->type == YAML_SCALAR && yaml_core_type(node) == YAML_NULL;
}

const char *yaml_describe(const struct yaml_node *node)
{
    static const char *const scalars[] = {
        [YAML_NULL] = "nothing",
        [YAML_BOOL] = "a truth value",
        [YAML_INT] = "a number",
        [YAML_FLOAT] = "a fraction",
        [YAML_STR] = "a text",
    };

    if (node->type == YAML_MAP)
        return "a mapping";
    return node->type == YAML_SEQ ? "a list" : scalars[yaml_core_type(node)];
}
