/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes from the events of the parser. */
#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "yaml/builder.h"

int yaml_weigh(struct builder *b, const struct yaml_node *node)
{
    b->weight += node->weight;
    b->bytes += node->bytes;
    if (b->bytes > YAML_MAX_EXPANDED)
        return fail_node(b, node, "the document has more than %d MiB of text (aliases count each "
                         "time)", YAML_MAX_EXPANDED >> 20);
    if (b->weight > YAML_MAX_NODES)
        return fail_node(b, node, "the document has more than %d values (aliases count each time)",
                         YAML_MAX_NODES);
    return 0;
}

static struct yaml_node *new_node(struct builder *b, enum yaml_type type, const yaml_event_t *ev)
{
    struct yaml_node *node = arena_alloc(&b->doc->arena, sizeof(*node));

    node->type = type;
    node->weight = 1;
    if (b->depth) {
        const struct yaml_node *parent = b->stack[b->depth - 1].node;

        node->in_flow = parent->flow || parent->in_flow;
    }
    node->line = (unsigned)ev->start_mark.line + 1;
    node->col = (unsigned)ev->start_mark.column + 1;
    node->start = yaml_text_offset(&b->doc->text, ev->start_mark.line, ev->start_mark.column);
    node->end = yaml_text_offset(&b->doc->text, ev->end_mark.line, ev->end_mark.column);
    return node;
}

static const char *keep(struct builder *b, const yaml_char_t *s)
{
    return s ? arena_strndup(&b->doc->arena, (const char *)s, strlen((const char *)s)) : NULL;
}

static int set_anchor(struct builder *b, const yaml_char_t *name, struct yaml_node *node, bool open)
{
    if (!name)
        return 0;
    node->anchored = true;
    if (b->n_anchors == YAML_MAX_ANCHORS)
        return fail_node(b, node, "the document has more than %d anchors", YAML_MAX_ANCHORS);
    GROW_ARRAY(b->anchors, b->n_anchors, b->cap_anchors);
    b->anchors[b->n_anchors++] = (struct anchor){keep(b, name), node, open};
    return 0;
}

/* Puts a finished node into the collection that is open. */
static int add_node(struct builder *b, const struct yaml_node *node)
{
    if (!b->depth) {
        b->doc->root = node;
        return 0;
    }
    struct frame *f = &b->stack[b->depth - 1];

    f->node->refs |= node->refs;
    if (f->node->type == YAML_SEQ) {
        GROW_ARRAY(f->items, f->n, f->cap);
        f->items[f->n++] = node;
    } else if (!f->key) {
        if (node->type != YAML_SCALAR)
            return fail_node(b, node, "a key must be a single word or text, not %s",
                             yaml_describe(node));
        f->key = node;
    } else {
        GROW_ARRAY(f->pairs, f->n, f->cap);
        f->pairs[f->n++] = (struct yaml_pair){f->key, node, false};
        f->key = NULL;
    }
    return 0;
}

/* `!!binary`: the text that the base64 stands for. Bytes that are no text have no place in a node,
 * nor in what is made of it (C strings, JSON). */
static const char *decode_binary(struct builder *b, const struct yaml_node *node, const char *value)
{
    _cleanup_sbuf_ struct sbuf bytes = SBUF_INIT;

    if (base64_decode(&bytes, value) < 0)
        fail_node(b, node, "what follows !!binary is not base64");
    else if (memchr(sbuf_str(&bytes), 0, bytes.len) || !utf8_valid(sbuf_str(&bytes), bytes.len))
        fail_node(b, node, "the bytes that !!binary stands for are no UTF-8 text");
    else
        return arena_strndup(&b->doc->arena, sbuf_str(&bytes), bytes.len);
    diag_set_hint(&b->d->v[b->d->n - 1], "leave the tag out for a text that a script decodes");
    return NULL;
}

static int on_scalar(struct builder *b, const yaml_event_t *ev)
{
    static const enum yaml_style styles[] = {
        [YAML_PLAIN_SCALAR_STYLE] = YAML_PLAIN,
        [YAML_SINGLE_QUOTED_SCALAR_STYLE] = YAML_SINGLE,
        [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = YAML_DOUBLE,
        [YAML_LITERAL_SCALAR_STYLE] = YAML_LITERAL,
        [YAML_FOLDED_SCALAR_STYLE] = YAML_FOLDED,
    };
    struct yaml_node *node = new_node(b, YAML_SCALAR, ev);
    const char *value = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;

    if (memchr(value, 0, len))
        return fail_node(b, node, "a text must not hold a NUL character (\\0)");
    node->style = styles[ev->data.scalar.style];
    node->bytes = len;
    node->tag = keep(b, ev->data.scalar.tag);
    node->value = yaml_is_binary(node)
                      ? decode_binary(b, node, value)
                      : yaml_show_colon(b, node, arena_strndup(&b->doc->arena, value, len));
    if (!node->value)
        return -1;
    if (yaml_weigh(b, node) < 0 || set_anchor(b, ev->data.scalar.anchor, node, false) < 0)
        return -1;
    return add_node(b, node);
}

static int on_alias(struct builder *b, const yaml_event_t *ev)
{
    struct yaml_node *node = new_node(b, YAML_SCALAR, ev), place = *node;
    const char *name = (const char *)ev->data.alias.anchor;

    for (size_t i = b->n_anchors; i-- > 0;) {
        if (!streq(b->anchors[i].name, name))
            continue;
        if (b->anchors[i].open)
            return fail_node(b, node, "the alias '*%s' stands inside of what it names", name);
        *node = *b->anchors[i].node;
        node->alias = true;
        node->anchored = false;
        node->refs = true;
        node->target = b->anchors[i].node;
        node->in_flow = place.in_flow;
        node->line = place.line;
        node->col = place.col;
        node->start = place.start;
        node->end = place.end;
        if (yaml_weigh(b, node) < 0)
            return -1;
        return add_node(b, node);
    }
    return fail_node(b, node, "found undefined alias '*%s'", name);
}

static int on_start(struct builder *b, enum yaml_type type, const yaml_event_t *ev)
{
    struct yaml_node *node = new_node(b, type, ev);
    bool map = type == YAML_MAP;
    size_t anchors = b->n_anchors;

    node->tag = keep(b, map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag);
    node->flow = map ? ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                     : ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    if (yaml_weigh(b, node) < 0)
        return -1;
    if (b->depth == YAML_MAX_DEPTH)
        return fail_node(b, node, "the document has more than %d levels", YAML_MAX_DEPTH);
    if (set_anchor(b, map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor, node,
                   true) < 0)
        return -1;
    b->stack[b->depth++] = (struct frame){
        .node = node, .anchor = b->n_anchors > anchors ? b->n_anchors : 0};
    return 0;
}

static int on_end(struct builder *b, const yaml_event_t *ev)
{
    struct frame *f = &b->stack[b->depth - 1];
    struct yaml_node *node = f->node;

    if (node->type == YAML_MAP && yaml_close_map(b, f) < 0)
        return -1;
    node->end = yaml_text_offset(&b->doc->text, ev->end_mark.line, ev->end_mark.column);
    node->n = f->n;
    if (node->type == YAML_MAP && f->n) {
        node->pairs = f->merged ? yaml_keep_pairs(b, f) : node->own;
        for (size_t i = 0; i < f->n; i++) {
            node->weight += node->pairs[i].value->weight + 1;
            node->bytes += node->pairs[i].key->bytes + node->pairs[i].value->bytes;
        }
    } else if (node->type == YAML_SEQ && f->n) {
        node->items = memcpy(arena_alloc(&b->doc->arena, f->n * sizeof(*f->items)), f->items,
                             f->n * sizeof(*f->items));
        for (size_t i = 0; i < f->n; i++) {
            node->weight += node->items[i]->weight;
            node->bytes += node->items[i]->bytes;
        }
    }
    if (f->anchor)
        b->anchors[f->anchor - 1].open = false;
    free(f->pairs);
    free(f->items);
    b->depth--;
    return add_node(b, node);
}

int yaml_take_event(struct builder *b, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b, ev);
    case YAML_ALIAS_EVENT:
        return on_alias(b, ev);
    case YAML_MAPPING_START_EVENT:
        return on_start(b, YAML_MAP, ev);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(b, YAML_SEQ, ev);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_end(b, ev);
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return YAML_COMPLETE;
    default:
        return 0;
    }
}

