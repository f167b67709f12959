/* SPDX-License-Identifier: Apache-2.0 */
/* The rows as a JSON Schema. It says what the parser takes as a matter of course, not all it
 * tolerates (numbers in quotes, say), so that an editor helps to write the plain form. */
#include "config/internal.h"
#include "base/mem.h"
#include "yaml/emit.h"

static void put(struct yaml_writer *w, const char *key, const char *text)
{
    yaml_write_key(w, key);
    yaml_write_text(w, text);
}

static void put_raw(struct yaml_writer *w, const char *key, const char *raw)
{
    yaml_write_key(w, key);
    yaml_write_raw(w, raw);
}

static void open_map(struct yaml_writer *w, const char *key)
{
    yaml_write_key(w, key);
    yaml_write_open(w, false);
}

static void put_ref(struct yaml_writer *w, const struct config_mapping *m)
{
    _cleanup_free_ char *ref = xasprintf("#/definitions/%s", m->name);

    put(w, "$ref", ref);
}

/* A mapping that may be a single text instead. */
static void put_entry(struct yaml_writer *w, const struct config_mapping *m)
{
    if (!config_mapping_has_short_form(m)) {
        put_ref(w, m);
        return;
    }
    yaml_write_key(w, "anyOf");
    yaml_write_open(w, true);
    yaml_write_item(w);
    yaml_write_open(w, false);
    put(w, "type", "string");
    yaml_write_close(w);
    yaml_write_item(w);
    yaml_write_open(w, false);
    put_ref(w, m);
    yaml_write_close(w);
    yaml_write_close(w);
}

static const char *const scalar_types = "[\"string\", \"number\", \"boolean\", \"null\"]";

static void put_words(struct yaml_writer *w, const struct config_enum *words)
{
    yaml_write_key(w, "enum");
    yaml_write_open(w, true);
    for (int i = 1; i < words->count; i++) {
        yaml_write_item(w);
        yaml_write_text(w, words->to_string(i));
    }
    yaml_write_item(w);
    yaml_write_raw(w, "null");
    yaml_write_close(w);
}

static void put_type(struct yaml_writer *w, const struct config_field *f)
{
    switch (f->kind) {
    case KIND_STR:
    case KIND_IP:
        put_raw(w, "type", scalar_types);
        return;
    case KIND_SIZE:
        put_raw(w, "type", "[\"string\", \"number\", \"null\"]");
        return;
    case KIND_BOOL:
        put_raw(w, "type", "[\"boolean\", \"null\"]");
        return;
    case KIND_INT:
    case KIND_UINT:
        put_raw(w, "type", "[\"integer\", \"null\"]");
        if (f->kind == KIND_UINT)
            put_raw(w, "minimum", "0");
        return;
    case KIND_ENUM:
        put_words(w, f->words);
        return;
    case KIND_STRS:
    case KIND_IPS:
    case KIND_PORTS:
        put_raw(w, "type", "[\"array\", \"null\"]");
        open_map(w, "items");
        put_raw(w, "type", f->kind == KIND_PORTS ? "\"integer\"" : scalar_types);
        yaml_write_close(w);
        if (f->kind == KIND_PORTS)
            put_raw(w, "maxItems", "2");
        return;
    case KIND_LIST:
        put_raw(w, "type", f->sub == &config_base_ref_mapping
                               ? "[\"array\", \"string\", \"object\", \"null\"]"
                               : "[\"array\", \"null\"]");
        open_map(w, "items");
        put_entry(w, f->sub);
        yaml_write_close(w);
        return;
    case KIND_MAP:
        put_raw(w, "type", "[\"object\", \"null\"]");
        open_map(w, "additionalProperties");
        put_raw(w, "type", scalar_types);
        yaml_write_close(w);
        return;
    case KIND_ANY:
        put_raw(w, "type", "[\"object\", \"null\"]");
        return;
    case KIND_SUB:
        put_entry(w, f->sub);
    }
}

static void put_default(struct yaml_writer *w, const struct config_field *f)
{
    if (!f->default_ || *f->default_ == '=')
        return;
    if (f->kind == KIND_BOOL || config_kind_is_int(f->kind))
        put_raw(w, "default", f->default_);
    else
        put(w, "default", f->default_);
}

static void put_mapping(struct yaml_writer *w, const struct config_mapping *m)
{
    put_raw(w, "type", "[\"object\", \"null\"]");
    put_raw(w, "additionalProperties", config_field_rest(m) >= 0 ? "true" : "false");
    open_map(w, "properties");
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];

        if (streq(f->key, "*"))
            continue;
        open_map(w, f->key);
        put(w, "description", f->summary);
        put_type(w, f);
        put_default(w, f);
        yaml_write_close(w);
    }
    yaml_write_close(w);
}

/* Every mapping that the instance uses, once. */
static void put_definitions(struct yaml_writer *w)
{
#define MAPPING_BEGIN(st)                                   \
    if (&config_##st##_mapping != &config_instance_mapping) { \
        open_map(w, #st);                                   \
        put_mapping(w, &config_##st##_mapping);             \
        yaml_write_close(w);                                \
    }
#define FIELD(st, m, key, kind, t, merge, def, sum)
#define MAPPING_END(st)
#include "config/config.def"
#undef MAPPING_BEGIN
#undef FIELD
#undef MAPPING_END
}

char *config_json_schema(void)
{
    struct yaml_writer w = {.json = true, .pretty = true};

    yaml_write_open(&w, false);
    put(&w, "$schema", "http://json-schema.org/draft-07/schema#");
    put(&w, "title", "cima instance");
    put_mapping(&w, &config_instance_mapping);
    open_map(&w, "definitions");
    put_definitions(&w);
    yaml_write_close(&w);
    yaml_write_close(&w);
    return yaml_writer_finish(&w);
}
