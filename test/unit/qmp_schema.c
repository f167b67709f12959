/* SPDX-License-Identifier: Apache-2.0 */
#include "qmp_schema.h"
#include "base/mem.h"
#include "cima/qemu/commands.h"

static const struct json *find(const struct json *list, const char *key, const char *value)
{
    for (size_t i = 0; i < json_len(list); i++)
        if (streq0(json_get_str(json_at(list, i), key), value))
            return json_at(list, i);
    return NULL;
}

struct checking {
    const struct json *schema;
    char *why;
    size_t size;
};

static bool no(struct checking *c, const char *where, const char *why)
{
    snprintf(c->why, c->size, "%s: %s", where, why);
    return false;
}

static bool value_ok(struct checking *c, const char *where, const struct json *v, const char *type);

/* "int", "string", …, "value" for any. */
static bool kind_ok(const struct json *v, const char *kind)
{
    static const char *const names[] = {
        [JSON_KIND_NULL] = "null",   [JSON_KIND_BOOL] = "boolean", [JSON_KIND_INT] = "int",
        [JSON_KIND_REAL] = "number", [JSON_KIND_TEXT] = "string",  [JSON_KIND_LIST] = "array",
        [JSON_KIND_MAP] = "object"};

    return streq(kind, "value") || streq(kind, names[json_kind(v)]) ||
           (streq(kind, "number") && json_kind(v) == JSON_KIND_INT);
}

static const struct json *member(struct checking *c, const struct json *object,
                                 const struct json *t, const char *key)
{
    const struct json *m = find(json_get(t, "members"), "name", key), *v;
    const char *tag = json_get_str(t, "tag");

    if (m || !tag)
        return m;
    v = find(json_get(t, "variants"), "case", json_get_str(object, tag));
    return v ? member(c, object, find(c->schema, "name", json_get_str(v, "type")), key) : NULL;
}

static bool needed_ok(struct checking *c, const char *where, const struct json *object,
                      const struct json *t)
{
    const struct json *all = json_get(t, "members"), *v;

    for (size_t i = 0; i < json_len(all); i++)
        if (!json_get(json_at(all, i), "default") &&
            !json_get(object, json_get_str(json_at(all, i), "name")))
            return no(c, where, json_get_str(json_at(all, i), "name"));
    v = find(json_get(t, "variants"), "case",
             json_get_str(t, "tag") ? json_get_str(object, json_get_str(t, "tag")) : NULL);
    return !v || needed_ok(c, where, object, find(c->schema, "name", json_get_str(v, "type")));
}

static bool object_ok(struct checking *c, const char *where, const struct json *v,
                      const struct json *t)
{
    if (!json_is_object(v))
        return no(c, where, "is no object");
    for (void *it = json_iter(v); it; it = json_iter_next(v, it)) {
        _cleanup_free_ char *path = xasprintf("%s.%s", where, json_iter_key(it));
        const struct json *m = member(c, v, t, json_iter_key(it));

        if (!m)
            return no(c, path, "is not known");
        if (!value_ok(c, path, json_iter_value(it), json_get_str(m, "type")))
            return false;
    }
    return needed_ok(c, where, v, t);
}

static bool alternate_ok(struct checking *c, const char *where, const struct json *v,
                         const struct json *t)
{
    const struct json *all = json_get(t, "members");

    for (size_t i = 0; i < json_len(all); i++)
        if (value_ok(c, where, v, json_get_str(json_at(all, i), "type")))
            return true;
    return false;
}

static bool enum_ok(const struct json *v, const struct json *t)
{
    const struct json *values = json_get(t, "values");

    for (size_t i = 0; i < json_len(values); i++)
        if (streq0(json_str(json_at(values, i)), json_str(v)))
            return true;
    return false;
}

static bool value_ok(struct checking *c, const char *where, const struct json *v, const char *type)
{
    const struct json *t = find(c->schema, "name", type);
    const char *meta = t ? json_get_str(t, "meta-type") : "nothing";

    if (streq(meta, "object"))
        return object_ok(c, where, v, t);
    if (streq(meta, "alternate"))
        return alternate_ok(c, where, v, t);
    if (streq(meta, "enum"))
        return enum_ok(v, t) || no(c, where, "is not one of its words");
    if (streq(meta, "builtin"))
        return kind_ok(v, json_get_str(t, "json-type")) ||
               no(c, where, json_get_str(t, "json-type"));
    if (!streq(meta, "array") || !json_is_array(v))
        return no(c, where, meta);
    for (size_t i = 0; i < json_len(v); i++)
        if (!value_ok(c, where, json_at(v, i), json_get_str(t, "element-type")))
            return false;
    return true;
}

/* The types of properties are not QAPI's: only plain ones are told apart. */
static bool property_ok(struct checking *c, const char *where, const struct json *v,
                        const char *type)
{
    bool number = str_starts(type, "uint") || str_starts(type, "int") || streq(type, "size");

    if (streq(type, "bool"))
        return json_kind(v) == JSON_KIND_BOOL || no(c, where, "is no bool");
    if (number)
        return json_kind(v) == JSON_KIND_INT || no(c, where, "is no number");
    if (streq(type, "str"))
        return json_kind(v) == JSON_KIND_TEXT || no(c, where, "is no text");
    return true;
}

/* "bus" and "id" are of the device; the others are properties of its driver. */
static bool device_ok(struct checking *c, struct cima_qmp *q, const struct json *args)
{
    _cleanup_json_ struct json *properties = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *type = json_object_new();

    json_set_str(type, "typename", json_get_str(args, "driver"));
    if (cima_qmp_execute(q, "device-list-properties", type, CIMA_CMD_MS, &properties, &err) < 0)
        return no(c, "driver", err.msg);
    for (void *it = json_iter(args); it; it = json_iter_next(args, it)) {
        const char *key = json_iter_key(it);
        const struct json *p = find(properties, "name", key);

        if (streq(key, "driver") || streq(key, "id") || streq(key, "bus"))
            continue;
        if (!p)
            return no(c, key, "is no property of the driver");
        /* "addr" of PCI is a number or "SLOT.FUNCTION", whatever it is called. */
        if (!streq(key, "addr") &&
            !property_ok(c, key, json_iter_value(it), json_get_str(p, "type")))
            return false;
    }
    return true;
}

bool schema_accepts(struct cima_qmp *q, const struct json *schema, const char *command,
                    const struct json *args, char *ret_why, size_t size)
{
    _cleanup_json_ struct json *none = json_object_new();
    struct checking c = {schema, ret_why, size};
    const struct json *cmd = NULL;

    for (size_t i = 0; i < json_len(schema) && !cmd; i++)
        if (streq0(json_get_str(json_at(schema, i), "meta-type"), "command") &&
            streq0(json_get_str(json_at(schema, i), "name"), command))
            cmd = json_at(schema, i);
    if (!cmd)
        return no(&c, command, "there is no such command");
    if (streq(command, "device_add"))
        return device_ok(&c, q, args);
    return value_ok(&c, command, args ? args : none, json_get_str(cmd, "arg-type"));
}
