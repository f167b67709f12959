/* SPDX-License-Identifier: Apache-2.0 */
/* Recording of changes; apply.c writes them. */
#include "yaml/edit.h"
#include "base/mem.h"
#include "yaml/internal.h"

void yaml_edit_release(struct yaml_edit *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->v[i].text);
        yaml_doc_unref((struct yaml_doc *)e->v[i].from);
    }
    free(e->v);
    *e = (struct yaml_edit){.doc = e->doc};
}

static struct yaml_change *add(struct yaml_edit *e, enum yaml_change_kind kind,
                               const struct yaml_node *place, const struct yaml_doc *from)
{
    struct yaml_change *c;

    GROW_ARRAY(e->v, e->n, e->cap);
    c = &e->v[e->n];
    *c = (struct yaml_change){.kind = kind, .place = place, .seq = e->n++};
    c->from = yaml_doc_ref((struct yaml_doc *)from);
    return c;
}

static int refuse(const struct yaml_edit *e, const struct yaml_node *place, const char *what,
                  const char *why, struct err *err)
{
    err_set(err, ERR_CONFIG, "cannot change %s", what);
    if (err)
        yaml_doc_place(e->doc, place,
                       diags_add(&err->diags, DIAG_ERROR, NULL, "%s can't be changed: %s", what,
                                 why));
    return -1;
}

/* The value of a pair may be written over. */
static int check_pair(const struct yaml_edit *e, const struct yaml_pair *pair, bool scalar,
                      struct err *err)
{
    _cleanup_free_ char *what = xasprintf("the value of '%s'", pair->key->value);
    const struct yaml_node *v = pair->value;

    if (!yaml_doc_is_editable(e->doc))
        return refuse(e, v, what, "the file is UTF-16", err);
    if (pair->merged)
        return refuse(e, v, what, "it comes from another mapping, by a merge key '<<'", err);
    if (scalar && v->type != YAML_SCALAR && !v->alias)
        return refuse(e, v, what, "it is not a single value", err);
    return 0;
}

/* The collection may get or lose entries. */
static int check_collection(const struct yaml_edit *e, const struct yaml_node *node,
                            enum yaml_type type, struct err *err)
{
    const char *what = type == YAML_MAP ? "the mapping" : "the list";

    if (!yaml_doc_is_editable(e->doc))
        return refuse(e, node, what, "the file is UTF-16", err);
    if (node->alias)
        return refuse(e, node, what, "it stands elsewhere, this is an alias of it", err);
    if (node->type != type && !yaml_is_null(node))
        return refuse(e, node, what, type == YAML_MAP ? "it is none" : "it is no list", err);
    return 0;
}

int yaml_edit_set(struct yaml_edit *e, const struct yaml_pair *pair, const char *text,
                  struct err *err)
{
    if (check_pair(e, pair, true, err) < 0)
        return -1;
    add(e, YAML_SET, pair->value, NULL)->text = xstrdup(text);
    return 0;
}

void yaml_edit_replace_value(struct yaml_edit *e, const struct yaml_node *value,
                             const struct yaml_doc *from, const struct yaml_node *node)
{
    add(e, YAML_REPLACE, value, from)->node = node;
}

int yaml_edit_replace(struct yaml_edit *e, const struct yaml_pair *pair,
                      const struct yaml_doc *from, const struct yaml_node *node, struct err *err)
{
    if (check_pair(e, pair, false, err) < 0)
        return -1;
    yaml_edit_replace_value(e, pair->value, from, node);
    return 0;
}

int yaml_edit_replace_item(struct yaml_edit *e, const struct yaml_node *list, size_t i,
                           const struct yaml_doc *from, const struct yaml_node *node,
                           struct err *err)
{
    if (check_collection(e, list, YAML_SEQ, err) < 0)
        return -1;
    yaml_edit_replace_value(e, list->items[i], from, node);
    return 0;
}

int yaml_edit_add_pair(struct yaml_edit *e, const struct yaml_node *map,
                       const struct yaml_doc *from, const struct yaml_pair *pair, struct err *err)
{
    struct yaml_change *c;

    if (check_collection(e, map, YAML_MAP, err) < 0)
        return -1;
    c = add(e, YAML_ADD, map, from);
    c->key = pair->key;
    c->node = pair->value;
    c->before = SIZE_MAX;
    return 0;
}

int yaml_edit_add_item(struct yaml_edit *e, const struct yaml_node *list, size_t before,
                       const struct yaml_doc *from, const struct yaml_node *node, struct err *err)
{
    struct yaml_change *c;

    if (check_collection(e, list, YAML_SEQ, err) < 0)
        return -1;
    c = add(e, YAML_ADD, list, from);
    c->node = node;
    c->before = before;
    return 0;
}

void yaml_edit_remove_value(struct yaml_edit *e, const struct yaml_node *value)
{
    add(e, YAML_REMOVE, value, NULL);
}

int yaml_edit_remove_pair(struct yaml_edit *e, const struct yaml_node *map, size_t i,
                          struct err *err)
{
    if (check_collection(e, map, YAML_MAP, err) < 0 ||
        check_pair(e, &map->pairs[i], false, err) < 0)
        return -1;
    yaml_edit_remove_value(e, map->pairs[i].value);
    return 0;
}

int yaml_edit_remove_item(struct yaml_edit *e, const struct yaml_node *list, size_t i,
                          struct err *err)
{
    if (check_collection(e, list, YAML_SEQ, err) < 0)
        return -1;
    yaml_edit_remove_value(e, list->items[i]);
    return 0;
}
