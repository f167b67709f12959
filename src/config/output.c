/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration written out, by the rows: what is set, in their order. */
#include "config/internal.h"
#include "base/mem.h"
#include "yaml/emit.h"

static void write_mapping(struct yaml_writer *w, const struct config_mapping *m, const void *p);

static bool is_empty(const struct config_mapping *m, const void *p);

/* `mountType: default`: what it stands for is in the member, but the file says this word. */
static bool is_word_default(const struct config_mapping *m, const void *p, size_t row)
{
    const struct config_head *head = p;

    return m == &config_instance_mapping && row == CFG_ROW_instance_mount_type &&
           !cfg_has(p, row) && (head->null >> row & 1) &&
           *(char *const *)cfg_member_c(p, &m->fields[row]);
}

static bool is_shown(const struct config_mapping *m, const void *p, size_t row)
{
    const struct config_field *f = &m->fields[row];

    if (is_word_default(m, p, row))
        return true;
    if (f->kind == KIND_SUB)
        return !is_empty(f->sub, cfg_member_c(p, f));
    return cfg_has(p, row) && (!f->count_offset || cfg_count_c(p, f));
}

static bool is_empty(const struct config_mapping *m, const void *p)
{
    for (size_t i = 0; i < m->n_fields; i++)
        if (is_shown(m, p, i))
            return false;
    return true;
}

/* JSON text of our own making: its nodes, or the pairs of its mapping for the field "*". */
static void write_any(struct yaml_writer *w, const char *json, bool pairs_only)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse("", json, strlen(json), &d);
    const struct yaml_node *root;

    if (!doc) {
        if (!pairs_only)
            yaml_write_raw(w, "{}");
        return;
    }
    root = yaml_doc_root(doc);
    if (!pairs_only)
        yaml_write_node(w, root);
    for (size_t i = 0; pairs_only && i < root->n; i++) {
        yaml_write_key(w, root->pairs[i].key->value);
        yaml_write_node(w, root->pairs[i].value);
    }
}

static void write_list(struct yaml_writer *w, const struct config_field *f, const void *p)
{
    unsigned n = cfg_count_c(p, f);
    const char *const *texts = (const char *const *)*(char **const *)cfg_member_c(p, f);

    yaml_write_open(w, true);
    for (unsigned i = 0; i < n; i++) {
        yaml_write_item(w);
        if (f->kind == KIND_LIST)
            write_mapping(w, f->sub, *(const char *const *)cfg_member_c(p, f) + i * f->sub->size);
        else if (f->kind == KIND_PORTS)
            yaml_write_raw(w, texts[i]);
        else
            yaml_write_text(w, texts[i]);
    }
    yaml_write_close(w);
}

static void write_map(struct yaml_writer *w, const struct config_field *f, const void *p)
{
    const struct config_kv *kv = *(struct config_kv *const *)cfg_member_c(p, f);

    yaml_write_open(w, false);
    for (unsigned i = 0; i < cfg_count_c(p, f); i++) {
        yaml_write_key(w, kv[i].key);
        yaml_write_text(w, kv[i].value);
    }
    yaml_write_close(w);
}

static void write_value(struct yaml_writer *w, const struct config_field *f, const void *p)
{
    const void *member = cfg_member_c(p, f);
    char number[24];

    switch (f->kind) {
    case KIND_STR:
    case KIND_SIZE:
    case KIND_IP:
        yaml_write_text(w, *(char *const *)member);
        return;
    case KIND_ANY:
        write_any(w, *(char *const *)member, false);
        return;
    case KIND_BOOL:
        yaml_write_raw(w, *(const enum tristate *)member == TRI_TRUE ? "true" : "false");
        return;
    case KIND_INT:
    case KIND_UINT:
        snprintf(number, sizeof(number), "%lld", (long long)*(const int64_t *)member);
        yaml_write_raw(w, number);
        return;
    case KIND_ENUM:
        yaml_write_text(w, f->words->to_string(*(const int *)member));
        return;
    case KIND_STRS:
    case KIND_IPS:
    case KIND_PORTS:
    case KIND_LIST:
        write_list(w, f, p);
        return;
    case KIND_MAP:
        write_map(w, f, p);
        return;
    case KIND_SUB:
        write_mapping(w, f->sub, member);
        return;
    }
}

static void write_mapping(struct yaml_writer *w, const struct config_mapping *m, const void *p)
{
    if (is_empty(m, p)) {
        yaml_write_raw(w, "{}");
        return;
    }
    yaml_write_open(w, false);
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];

        if (!is_shown(m, p, i))
            continue;
        if (streq(f->key, "*")) {
            write_any(w, *(char *const *)cfg_member_c(p, f), true);
            continue;
        }
        yaml_write_key(w, f->key);
        if (is_word_default(m, p, i))
            yaml_write_text(w, "default");
        else
            write_value(w, f, p);
    }
    yaml_write_close(w);
}

static char *write_config(const struct config_instance *c, bool json)
{
    struct yaml_writer w = YAML_WRITER_INIT(json);

    write_mapping(&w, &config_instance_mapping, c);
    return json ? sbuf_detach(&w.out) : yaml_writer_finish(&w);
}

char *config_to_yaml(const struct config_instance *c)
{
    return write_config(c, false);
}

char *config_to_json(const struct config_instance *c)
{
    return write_config(c, true);
}
