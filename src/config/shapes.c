/* SPDX-License-Identifier: Apache-2.0 */
#include "config/shape.h"
#include "config/internal.h"
#include "base/mem.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SHAPE(name_, ...) \
    const struct config_shape config_shape_##name_ = {.name = #name_, __VA_ARGS__};
#include "config/shapes.def"
#undef SHAPE

#define MODE(m) (1U << PROVISION_##m)
const struct config_provision_only config_provision_only[] = {
    {CFG_ROW_provision_content, MODE(DATA)},
    {CFG_ROW_provision_overwrite, MODE(DATA)},
    {CFG_ROW_provision_owner, MODE(DATA) | MODE(YQ)},
    {CFG_ROW_provision_path, MODE(DATA) | MODE(YQ)},
    {CFG_ROW_provision_permissions, MODE(DATA) | MODE(YQ)},
    {CFG_ROW_provision_expression, MODE(YQ)},
    {CFG_ROW_provision_format, MODE(YQ)},
    {CFG_ROW_provision_playbook, MODE(ANSIBLE)},
    {CFG_ROW_provision_skip_default_dependency_resolution, MODE(DEPENDENCY)},
};
const size_t config_provision_only_count = ARRAY_SIZE(config_provision_only);

size_t config_shape_count(const struct config_shape *s)
{
    size_t n = 0;

    while (s->words && s->words[n])
        n++;
    return n;
}

bool config_shape_has(const struct config_shape *s, const char *word)
{
    for (size_t i = 0; s->words[i]; i++)
        if (streq(s->words[i], word))
            return true;
    for (size_t i = 0; s->also && s->also[i]; i++)
        if (streq(s->also[i], word))
            return true;
    return false;
}

static const char *const kind_texts[] = {
    [KIND_STR] = "a text",           [KIND_BOOL] = "true or false",
    [KIND_INT] = "a whole number",   [KIND_SIZE] = "a size such as `4GiB`",
    [KIND_ENUM] = "one word",        [KIND_STRS] = "a list of texts",
    [KIND_MAP] = "a mapping",        [KIND_SUB] = "a mapping",
    [KIND_LIST] = "a list of mappings", [KIND_ANY] = "a mapping",
    [KIND_UINT] = "a whole number from 0 to 4294967295",
    [KIND_IP] = "an IP address",     [KIND_IPS] = "a list of IP addresses",
    [KIND_PORTS] = "a list of two ports, [first, last]",
};

const char *config_kind_text(enum config_kind kind)
{
    return kind_texts[kind];
}

static void add_words(struct sbuf *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        sbuf_addf(out, "%s`%s`", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

static void add_enum(struct sbuf *out, const struct config_enum *e)
{
    for (int i = 1; i < e->count; i++)
        sbuf_addf(out, "%s`%s`", i == 1 ? "" : i + 1 < e->count ? ", " : " or ",
                  e->to_string(i));
}

void config_field_type_text(const struct config_field *f, struct sbuf *out)
{
    bool text_too = f->sub && config_mapping_has_short_form(f->sub);

    if (f->kind == KIND_ENUM)
        add_enum(out, f->words);
    else if (f->kind == KIND_LIST)
        sbuf_addstr(out, !text_too ? "list of mappings"
                         : f->sub == &config_base_ref_mapping
                             ? "locator, mapping, or list of these"
                             : "list of names or mappings");
    else if (f->kind == KIND_SUB)
        sbuf_addstr(out, text_too ? "locator or mapping" : "mapping");
    else if (f->shape->words)
        add_words(out, f->shape->words);
    else if (f->shape->text)
        sbuf_addstr(out, f->shape->text);
    else if (f->kind == KIND_BOOL)
        sbuf_addstr(out, "`true` or `false`");
    else if (f->kind == KIND_MAP)
        sbuf_addstr(out, "mapping of texts");
    else
        sbuf_addstr(out, strchr(kind_texts[f->kind], ' ') + 1); /* without its article */
}

const char *config_field_default(const struct config_field *f)
{
    return f->default_ && *f->default_ != '=' && *f->default_ != '(' ? f->default_ : NULL;
}

char *config_field_default_text(const struct config_field *f)
{
    const char *text = f->default_;

    if (!text)
        return NULL;
    if (!*text)
        return xstrdup("empty");
    if (*text == '=')
        return xasprintf("that of `%s`", text + 1);
    return *text == '(' ? xstrndup(text + 1, strlen(text) - 2) : xasprintf("`%s`", text);
}
