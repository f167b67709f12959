/* SPDX-License-Identifier: Apache-2.0 */
/* The rows as a JSON Schema. It refuses nothing that cima takes (but for unknown keys, of which
 * cima only warns): whatever stands in a file is checked by itself, not what other layers or a base
 * template add. null is the same as leaving a key out. */
#include "config/internal.h"
#include "base/mem.h"
#include "config/shape.h"
#include "yaml/emit.h"

#define INTEGER_TEXT "^[+-]?([0-9]+|0x[0-9A-Fa-f]+|0o[0-7]+|0b[01]+)$"

/* ---- tools ----------------------------------------------------------------------------------- */

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

static void put_int(struct yaml_writer *w, const char *key, int64_t v)
{
    _cleanup_free_ char *text = xasprintf("%lld", (long long)v);

    put_raw(w, key, text);
}

static void open_map(struct yaml_writer *w, const char *key)
{
    yaml_write_key(w, key);
    yaml_write_open(w, false);
}

static void open_list(struct yaml_writer *w, const char *key)
{
    yaml_write_key(w, key);
    yaml_write_open(w, true);
}

static void put_item(struct yaml_writer *w, const char *text)
{
    yaml_write_item(w);
    yaml_write_text(w, text);
}

static void open_item(struct yaml_writer *w)
{
    yaml_write_item(w);
    yaml_write_open(w, false);
}

static void put_ref(struct yaml_writer *w, const struct config_mapping *m)
{
    _cleanup_free_ char *ref = xasprintf("#/$defs/%s", m->name);

    put(w, "$ref", ref);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void put_words(struct yaml_writer *w, const struct config_shape *s)
{
    open_list(w, "enum");
    for (size_t i = 0; s->words[i]; i++)
        put_item(w, s->words[i]);
    for (size_t i = 0; s->also && s->also[i]; i++)
        put_item(w, s->also[i]);
    yaml_write_item(w);
    yaml_write_raw(w, "null");
    yaml_write_close(w);
}

static void put_enum(struct yaml_writer *w, const struct config_enum *e)
{
    open_list(w, "enum");
    for (int i = 1; i < e->count; i++)
        put_item(w, e->to_string(i));
    yaml_write_item(w);
    yaml_write_raw(w, "null");
    yaml_write_close(w);
}

/* Those of texts bind only texts, those of numbers only numbers: one schema takes both. */
static void put_limits(struct yaml_writer *w, const struct config_shape *s, bool number)
{
    if (s->pattern)
        put(w, "pattern", s->pattern);
    else if (number)
        put(w, "pattern", INTEGER_TEXT);
    if (s->max || s->min)
        put_int(w, "minimum", s->min);
    if (s->max && s->max < INT64_MAX)
        put_int(w, "maximum", s->max);
    if (s->never) {
        open_map(w, "not");
        put_raw(w, "const", s->never);
        yaml_write_close(w);
    }
}

/* What a text may be written as: quoted or not, YAML makes a number or true of some. */
static const char *text_types(const struct config_shape *s)
{
    if (s->pattern)
        return s->number_too ? "[\"string\", \"number\", \"null\"]" : "[\"string\", \"null\"]";
    return "[\"string\", \"number\", \"boolean\", \"null\"]";
}

static void put_examples(struct yaml_writer *w, const struct config_shape *s)
{
    if (!s->examples)
        return;
    open_list(w, "examples");
    for (size_t i = 0; s->examples[i]; i++)
        put_item(w, s->examples[i]);
    yaml_write_close(w);
}

static void put_text(struct yaml_writer *w, const struct config_shape *s)
{
    if (s->words) {
        put_words(w, s);
        return;
    }
    put_raw(w, "type", text_types(s));
    put_limits(w, s, false);
    put_examples(w, s);
}

static void put_number(struct yaml_writer *w, const struct config_shape *s)
{
    put_raw(w, "type", "[\"integer\", \"string\", \"null\"]");
    put_limits(w, s, true);
}

static void put_texts(struct yaml_writer *w, const struct config_field *f)
{
    put_raw(w, "type", "[\"array\", \"null\"]");
    if (f->kind == KIND_PORTS)
        put_raw(w, "maxItems", "2");
    open_map(w, "items");
    if (f->kind == KIND_PORTS)
        put_number(w, f->shape);
    else
        put_text(w, f->shape);
    yaml_write_close(w);
}

static void put_map(struct yaml_writer *w, const struct config_shape *s)
{
    put_raw(w, "type", "[\"object\", \"null\"]");
    if (s->key_pattern) {
        open_map(w, "propertyNames");
        put(w, "pattern", s->key_pattern);
        yaml_write_close(w);
    }
    if (s->keys) { /* for completion */
        open_map(w, "properties");
        for (size_t i = 0; s->keys->words[i]; i++) {
            open_map(w, s->keys->words[i]);
            put_raw(w, "type", text_types(&config_shape__));
            yaml_write_close(w);
        }
        yaml_write_close(w);
    }
    open_map(w, "additionalProperties");
    put_raw(w, "type", text_types(&config_shape__));
    yaml_write_close(w);
}

/* A mapping that may be a single text instead: that of its first field. With `list`, a list of
 * them as well. */
static void put_entry(struct yaml_writer *w, const struct config_mapping *m, bool list)
{
    if (!config_mapping_has_short_form(m)) {
        put_ref(w, m);
        return;
    }
    open_list(w, "anyOf");
    open_item(w);
    put_raw(w, "type", "[\"string\", \"number\"]");
    put_limits(w, m->fields[0].shape, false);
    put_examples(w, m->fields[0].shape);
    yaml_write_close(w);
    open_item(w);
    put_ref(w, m);
    yaml_write_close(w);
    if (list) {
        open_item(w);
        put_raw(w, "type", "\"array\"");
        open_map(w, "items");
        put_entry(w, m, false);
        yaml_write_close(w);
        yaml_write_close(w);
    }
    yaml_write_close(w);
}

static void put_list(struct yaml_writer *w, const struct config_mapping *m)
{
    if (m == &config_base_ref_mapping) {
        put_entry(w, m, true);
        return;
    }
    put_raw(w, "type", "[\"array\", \"null\"]");
    open_map(w, "items");
    put_entry(w, m, false);
    yaml_write_close(w);
}

static void put_type(struct yaml_writer *w, const struct config_field *f)
{
    switch (f->kind) {
    case KIND_STR:
    case KIND_IP:
    case KIND_SIZE:
        put_text(w, f->shape);
        return;
    case KIND_BOOL:
        put_raw(w, "type", "[\"boolean\", \"null\"]");
        return;
    case KIND_INT:
    case KIND_UINT:
        put_number(w, f->shape);
        return;
    case KIND_ENUM:
        put_enum(w, f->words);
        return;
    case KIND_STRS:
    case KIND_IPS:
    case KIND_PORTS:
        put_texts(w, f);
        return;
    case KIND_MAP:
        put_map(w, f->shape);
        return;
    case KIND_ANY:
        put_raw(w, "type", "[\"object\", \"null\"]");
        return;
    case KIND_LIST:
        put_list(w, f->sub);
        return;
    case KIND_SUB:
        put_entry(w, f->sub, false);
    }
}

/* ---- fields ---------------------------------------------------------------------------------- */

static void put_default(struct yaml_writer *w, const struct config_field *f)
{
    const char *text = config_field_default(f);

    if (text && (f->kind == KIND_BOOL || config_kind_is_int(f->kind)))
        put_raw(w, "default", text);
    else if (text)
        put(w, "default", text);
}

/* The summary as a sentence, and a default that is computed. */
static void put_description(struct yaml_writer *w, const struct config_field *f)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    _cleanup_free_ char *fallback = config_field_default_text(f);

    sbuf_addstr(&out, f->summary);
    if (fallback && !config_field_default(f))
        sbuf_addf(&out, " (default: %s)", fallback);
    put(w, "description", sbuf_str(&out));
    if (str_starts(f->summary, "deprecated"))
        put_raw(w, "deprecated", "true");
}

static void put_field(struct yaml_writer *w, const struct config_field *f)
{
    open_map(w, f->key);
    put_description(w, f);
    put_type(w, f);
    put_default(w, f);
    yaml_write_close(w);
}

/* ---- rules of whole mappings ----------------------------------------------------------------- */

/* What fields of one entry demand of each other, where no other layer can fill in. Flow YAML. */
static const struct {
    const struct config_mapping *mapping;
    const char *rule;
} rules[] = {
    {&config_image_mapping, "required: [location]"},
    {&config_kernel_mapping, "required: [location]"},
    {&config_file_ref_mapping, "required: [location]"},
    {&config_firmware_image_mapping, "required: [location]"},
    {&config_base_ref_mapping, "required: [url]"},
    /* What has the key `*` only hands its options on. */
    {&config_mount_mapping,
     "{if: {required: [mountPoint], properties: {mountPoint: {const: '*'}}}, "
     "else: {properties: {location: {pattern: '^(/|~$|~/)|[{][{]'}}}}"},
    {&config_copy_to_host_mapping, "required: [guest, host]"},
    {&config_provision_mapping,
     "{if: {required: [mode], properties: {mode: {const: data}}}, then: {required: [path]}, "
     "else: {if: {required: [mode], properties: {mode: {const: yq}}}, "
     "then: {required: [path], anyOf: [{required: [expression]}, {required: [file]}]}, "
     "else: {anyOf: [{required: [script]}, {required: [file]}, {required: [playbook]}]}}}"},
    {&config_probe_mapping, "anyOf: [{required: [script]}, {required: [file]}]"},
    {&config_port_forward_mapping,
     "allOf: ["
     "{if: {required: [reverse], properties: {reverse: {const: true}}}, "
     "then: {required: [guestSocket, hostSocket]}}, "
     "{if: {required: [guestIPMustBeZero], properties: {guestIPMustBeZero: {const: true}}}, "
     "then: {properties: {guestIP: {enum: ['0.0.0.0', '::ffff:0.0.0.0', '', null]}}}}, "
     "{if: {required: [guestSocket], properties: {guestSocket: {pattern: '.', type: string}}}, "
     "then: {properties: {guestPort: {enum: [0, '0', null]}}}}, "
     "{if: {required: [hostSocket], properties: {hostSocket: {pattern: '.', type: string}}}, "
     "then: {properties: {hostPort: {enum: [0, '0', null]}}}}]"},
};

/* A field that only some modes know must not be there in the others. */
static void put_mode_rules(struct yaml_writer *w)
{
    open_list(w, "allOf");
    for (size_t i = 0; i < config_provision_only_count; i++) {
        const struct config_provision_only *only = &config_provision_only[i];

        open_item(w);
        open_map(w, "if");
        open_map(w, "not");
        put_raw(w, "required", "[\"mode\"]");
        open_map(w, "properties");
        open_map(w, "mode");
        open_list(w, "enum");
        for (int mode = 1; mode < PROVISION_MODE_COUNT; mode++)
            if (only->modes & 1U << mode)
                put_item(w, provision_mode_to_string((enum provision_mode)mode));
        yaml_write_close(w);
        yaml_write_close(w);
        yaml_write_close(w);
        yaml_write_close(w);
        yaml_write_close(w);
        open_map(w, "then");
        open_map(w, "properties");
        open_map(w, config_provision_mapping.fields[only->row].key);
        put_raw(w, "type", "\"null\"");
        yaml_write_close(w);
        yaml_write_close(w);
        yaml_write_close(w);
        yaml_write_close(w);
    }
    yaml_write_close(w);
}

static void put_rules(struct yaml_writer *w, const struct config_mapping *m)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        _cleanup_yaml_doc_ struct yaml_doc *doc = NULL;
        const struct yaml_node *root;

        if (rules[i].mapping != m)
            continue;
        doc = yaml_doc_parse("rule", rules[i].rule, strlen(rules[i].rule), &d);
        root = doc ? yaml_doc_root(doc) : NULL;
        for (size_t k = 0; root && k < root->n; k++) {
            yaml_write_key(w, root->pairs[k].key->value);
            yaml_write_node(w, root->pairs[k].value);
        }
    }
    if (m == &config_provision_mapping)
        put_mode_rules(w);
}

/* ---- mappings -------------------------------------------------------------------------------- */

static void put_mapping(struct yaml_writer *w, const struct config_mapping *m)
{
    put_raw(w, "type", "[\"object\", \"null\"]");
    open_map(w, "properties");
    for (size_t i = 0; i < m->n_fields; i++)
        if (!streq(m->fields[i].key, "*"))
            put_field(w, &m->fields[i]);
    yaml_write_close(w);
    put_raw(w, "additionalProperties", config_field_rest(m) >= 0 ? "true" : "false");
    put_rules(w, m);
}

/* Every mapping that the instance uses, once. */
static void put_definitions(struct yaml_writer *w)
{
#define MAPPING_BEGIN(st)                                     \
    if (&config_##st##_mapping != &config_instance_mapping) { \
        open_map(w, #st);                                     \
        put_mapping(w, &config_##st##_mapping);               \
        yaml_write_close(w);                                  \
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
    struct yaml_writer w = {.json = true, .pretty = 2};

    yaml_write_open(&w, false);
    put(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    put(&w, "$id", "https://cima.invalid/schemas/cima.schema.json");
    put(&w, "title", "cima instance");
    put(&w, "description", "YAML file of a virtual machine, as `cima create` and `cima start` take it. "
                           "The manual page cima.yaml(5) tells more about each field.");
    put_mapping(&w, &config_instance_mapping);
    open_map(&w, "$defs");
    put_definitions(&w);
    yaml_write_close(&w);
    yaml_write_close(&w);
    return yaml_writer_finish(&w);
}
