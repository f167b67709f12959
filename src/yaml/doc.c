/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml/doc.h"
#include "base/mem.h"
#include "yaml/arena.h"
#include "yaml/text.h"
#include <yaml.h>

struct yaml_doc {
    unsigned refs;
    char *name;
    struct yaml_text text;
    struct arena arena;
    const struct yaml_node *root;
};

/* A collection that is not closed yet. */
struct frame {
    struct yaml_node *node;
    struct yaml_pair *pairs;
    const struct yaml_node **items;
    size_t n, cap;
    const struct yaml_node *key; /* read, its value is not */
    size_t anchor;               /* index + 1 of its anchor */
    bool merged;                 /* it has a `<<` */
};

struct anchor {
    const char *name;
    const struct yaml_node *node;
    bool open; /* its collection is not closed yet: an alias would hold itself */
};

enum { COLONS_MAX = 16 };

struct builder {
    struct yaml_doc *doc;
    size_t colons[COLONS_MAX]; /* places of `:` that libyaml must not see (hide_colon) */
    size_t n_colons;
    struct diags *d;
    struct frame stack[YAML_MAX_DEPTH];
    size_t depth;
    struct anchor *anchors;
    size_t n_anchors, cap_anchors;
    size_t weight; /* of all nodes so far, those of aliases counted each time */
};

static int fail_at(struct builder *b, size_t line, size_t col, const char *fmt, ...)
    PRINTF_FORMAT(4, 5);

/* line and col from 0, as libyaml's marks. */
static int fail_at(struct builder *b, size_t line, size_t col, const char *fmt, ...)
{
    _cleanup_free_ char *source = col < YAML_LINE_MAX / 8 ? yaml_text_line(&b->doc->text, line)
                                                          : NULL;
    _cleanup_free_ char *msg = NULL;
    va_list ap;

    va_start(ap, fmt);
    msg = xvasprintf(fmt, ap);
    va_end(ap);
    diag_set_position(diags_add(b->d, DIAG_ERROR, NULL, "%s", msg), b->doc->name,
                      (unsigned)line + 1, (unsigned)col + 1, source);
    return -1;
}

#define fail_node(b, node, ...) fail_at((b), (node)->line - 1U, (node)->col - 1U, __VA_ARGS__)

static int add_weight(struct builder *b, const struct yaml_node *node)
{
    b->weight += node->weight;
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

static bool is_merge_key(const struct yaml_node *key)
{
    return key->type == YAML_SCALAR && streq(key->value, "<<") &&
           (key->tag ? streq(key->tag, "tag:yaml.org,2002:merge") : key->style == YAML_PLAIN);
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

/* YAML 1.2 lets a plain text in […] and {…} start with a colon (`[::1]`); libyaml, of 1.1, says
 * that a value is missing there. Such a colon is hidden from it by a letter, and put back in the
 * value that starts at this place. (Behind an anchor or a tag libyaml takes the value for an empty
 * one: that stays refused.) True when there was one: the text is to be parsed again. */
static bool hide_colon(struct builder *b, const yaml_parser_t *p)
{
    struct yaml_text *t = &b->doc->text;
    size_t at = yaml_text_offset(t, p->problem_mark.line, p->problem_mark.column);

    if (!p->problem || !streq(p->problem, "did not find expected node content") ||
        b->n_colons == COLONS_MAX || at + 1 >= t->len || t->s[at] != ':' ||
        strchr(" \t\r\n,[]{}", t->s[at + 1]))
        return false;
    b->colons[b->n_colons++] = at;
    t->s[at] = 'x';
    return true;
}

static char *show_colon(const struct builder *b, const struct yaml_node *node, char *value)
{
    for (size_t i = 0; i < b->n_colons; i++)
        if (node->start == b->colons[i] && node->style == YAML_PLAIN && *value)
            *value = ':';
    return value;
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
    node->tag = keep(b, ev->data.scalar.tag);
    node->value = show_colon(b, node, arena_strndup(&b->doc->arena, value, len));
    if (add_weight(b, node) < 0 || set_anchor(b, ev->data.scalar.anchor, node, false) < 0)
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
        if (add_weight(b, node) < 0)
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
    if (add_weight(b, node) < 0)
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

static int cmp_pair(const void *a, const void *b)
{
    const struct yaml_pair *const *x = a, *const *y = b;
    int c = strcmp((*x)->key->value, (*y)->key->value);

    if (c)
        return c;
    return (*x)->key->start < (*y)->key->start ? -1 : (*x)->key->start > (*y)->key->start;
}

/* Keys by binary search, so that a mapping of many keys costs no quadratic time. */
static int check_duplicates(struct builder *b, const struct yaml_pair *pairs, size_t n)
{
    _cleanup_free_ const struct yaml_pair **sorted = NULL;

    if (n < 2)
        return 0;
    sorted = xreallocarray(NULL, n, sizeof(*sorted));
    for (size_t i = 0; i < n; i++)
        sorted[i] = &pairs[i];
    qsort(sorted, n, sizeof(*sorted), cmp_pair);
    for (size_t i = 1; i < n; i++) {
        const struct yaml_node *key = sorted[i]->key, *first = sorted[i - 1]->key;

        if (streq(first->value, key->value) && !is_merge_key(key))
            return fail_node(b, key, "the key '%s' is already defined in line %u", key->value,
                             first->line);
    }
    return 0;
}

static bool has_key(const struct yaml_pair *pairs, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (streq(pairs[i].key->value, key))
            return true;
    return false;
}

/* Appends the pairs of a merged mapping whose keys are not there yet. */
static int merge_map(struct builder *b, struct frame *f, const struct yaml_node *map)
{
    for (size_t i = 0; i < map->n; i++) {
        if (has_key(f->pairs, f->n, map->pairs[i].key->value))
            continue;
        GROW_ARRAY(f->pairs, f->n, f->cap);
        f->pairs[f->n++] = (struct yaml_pair){map->pairs[i].key, map->pairs[i].value, true};
        b->weight += map->pairs[i].value->weight + 1;
        if (f->n > YAML_MAX_MERGED)
            return fail_node(b, map, "more than %d keys in a mapping with '<<'", YAML_MAX_MERGED);
    }
    return b->weight > YAML_MAX_NODES ? add_weight(b, map) : 0;
}

/* Replaces each `<<` by the pairs it brings: those of the mapping itself win, then those of the
 * earlier mappings of a list. */
static int expand_merges(struct builder *b, struct frame *f)
{
    struct yaml_pair *own = f->pairs;
    size_t n_own = f->n;
    bool any = false;

    for (size_t i = 0; i < n_own; i++)
        any |= is_merge_key(own[i].key);
    if (!any)
        return 0;
    f->merged = f->node->refs = true;
    f->pairs = NULL;
    f->n = f->cap = 0;
    for (size_t i = 0; i < n_own; i++)
        if (!is_merge_key(own[i].key)) {
            GROW_ARRAY(f->pairs, f->n, f->cap);
            f->pairs[f->n++] = own[i];
        }
    int r = 0;
    for (size_t i = 0; i < n_own && !r; i++) {
        const struct yaml_node *v = own[i].value;

        if (!is_merge_key(own[i].key))
            continue;
        if (v->type == YAML_MAP) {
            r = merge_map(b, f, v);
            continue;
        }
        if (v->type != YAML_SEQ)
            r = fail_node(b, v, "a merge key '<<' needs a mapping or a list of mappings");
        for (size_t k = 0; k < v->n && !r; k++)
            r = v->items[k]->type == YAML_MAP
                    ? merge_map(b, f, v->items[k])
                    : fail_node(b, v->items[k], "a merge key '<<' needs a list of mappings");
    }
    free(own);
    return r;
}

static struct yaml_pair *keep_pairs(struct builder *b, const struct frame *f)
{
    size_t size = f->n * sizeof(*f->pairs);

    return f->n ? memcpy(arena_alloc(&b->doc->arena, size), f->pairs, size) : NULL;
}

/* The pairs as they are written. */
static void keep_own(struct builder *b, const struct frame *f)
{
    struct yaml_pair *own = keep_pairs(b, f);

    for (size_t i = 0; i < f->n; i++)
        own[i].merged = is_merge_key(own[i].key);
    f->node->own = own;
    f->node->n_own = f->n;
}

static int on_end(struct builder *b, const yaml_event_t *ev)
{
    struct frame *f = &b->stack[b->depth - 1];
    struct yaml_node *node = f->node;

    if (node->type == YAML_MAP) {
        if (check_duplicates(b, f->pairs, f->n) < 0)
            return -1;
        keep_own(b, f);
        if (expand_merges(b, f) < 0)
            return -1;
    }
    node->end = yaml_text_offset(&b->doc->text, ev->end_mark.line, ev->end_mark.column);
    node->n = f->n;
    if (node->type == YAML_MAP && f->n) {
        node->pairs = f->merged ? keep_pairs(b, f) : node->own;
        for (size_t i = 0; i < f->n; i++)
            node->weight += node->pairs[i].value->weight + 1;
    } else if (node->type == YAML_SEQ && f->n) {
        node->items = memcpy(arena_alloc(&b->doc->arena, f->n * sizeof(*f->items)), f->items,
                             f->n * sizeof(*f->items));
        for (size_t i = 0; i < f->n; i++)
            node->weight += node->items[i]->weight;
    }
    if (f->anchor)
        b->anchors[f->anchor - 1].open = false;
    free(f->pairs);
    free(f->items);
    b->depth--;
    return add_node(b, node);
}

/* libyaml's own errors: two places and two half sentences. What ends too late (a quote, a flow
 * list) is better shown where it starts. */
static int on_parser_error(struct builder *b, const yaml_parser_t *p)
{
    const char *problem = p->problem ? p->problem : "not valid YAML";
    yaml_mark_t at = p->problem_mark, other = p->context_mark;

    if (p->error == YAML_MEMORY_ERROR)
        return fail_at(b, 0, 0, "out of memory");
    if (!p->context || (other.line == at.line && other.column == at.column))
        return fail_at(b, at.line, at.column, "%s%s%s", p->context ? p->context : "",
                       p->context ? ", " : "", problem);
    if (strstr(problem, "end of stream") || strstr(problem, "document indicator"))
        return fail_at(b, other.line, other.column, "%s, %s in line %zu", p->context, problem,
                       at.line + 1);
    return fail_at(b, at.line, at.column, "%s (%s that starts in line %zu)", problem, p->context,
                   other.line + 1);
}

enum { COMPLETE = 1, AGAIN = 2 };

/* COMPLETE at the end of the document. */
static int on_event(struct builder *b, const yaml_event_t *ev)
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
        return COMPLETE;
    default:
        return 0;
    }
}

/* After the first document: what follows it is read by nobody, which its author should know. A
 * mistake in there is one more reason, not another problem; but what has neither `---` nor `...`
 * in front belongs to this document and is wrong. */
static int warn_of_more(struct builder *b, yaml_parser_t *parser, bool ended)
{
    yaml_event_t ev;
    yaml_mark_t at;

    if (yaml_parser_parse(parser, &ev)) {
        bool more = ev.type == YAML_DOCUMENT_START_EVENT;

        at = ev.start_mark;
        yaml_event_delete(&ev);
        if (!more)
            return COMPLETE;
    } else {
        at = parser->problem_mark;
        if (!ended && parser->problem && strstr(parser->problem, "<document start>"))
            return fail_at(b, at.line, at.column,
                           "the document has ended before this: nothing can follow");
    }
    struct diag *p = diags_add(b->d, DIAG_WARNING, NULL,
                               "only the first document of the file counts; what follows is "
                               "ignored");
    _cleanup_free_ char *source = yaml_text_line(&b->doc->text, at.line);
    diag_set_position(p, b->doc->name, (unsigned)at.line + 1, (unsigned)at.column + 1, source);
    diag_set_hint(p, "remove it, or the line `---` in front of it");
    return COMPLETE;
}

/* COMPLETE, AGAIN or -1; the builder is empty afterwards. */
static int read_events(struct builder *b)
{
    yaml_parser_t parser;
    int r = 0;

    if (!yaml_parser_initialize(&parser))
        return fail_at(b, 0, 0, "out of memory");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser,
                                 (const unsigned char *)b->doc->text.s + b->doc->text.bom,
                                 b->doc->text.len - b->doc->text.bom);
    while (!r) {
        yaml_event_t ev;

        if (!yaml_parser_parse(&parser, &ev)) {
            r = hide_colon(b, &parser) ? AGAIN : on_parser_error(b, &parser);
            break;
        }
        bool end = ev.type == YAML_DOCUMENT_END_EVENT;
        bool ended = end && !ev.data.document_end.implicit;
        r = on_event(b, &ev);
        yaml_event_delete(&ev);
        if (end)
            r = warn_of_more(b, &parser, ended);
    }
    yaml_parser_delete(&parser);
    while (b->depth) {
        free(b->stack[--b->depth].pairs);
        free(b->stack[b->depth].items);
    }
    free(b->anchors);
    b->anchors = NULL;
    b->n_anchors = b->cap_anchors = b->weight = 0;
    return r;
}

static int build(struct builder *b)
{
    int r;

    do
        r = read_events(b);
    while (r == AGAIN);
    for (size_t i = 0; i < b->n_colons; i++)
        b->doc->text.s[b->colons[i]] = ':';
    return r;
}

struct yaml_doc *yaml_doc_parse(const char *name, const char *text, size_t len, struct diags *d)
{
    static const struct yaml_node empty = {.value = "", .weight = 1, .line = 1, .col = 1};
    struct builder b = {.d = d};
    _cleanup_yaml_doc_ struct yaml_doc *doc = NULL;

    if (len == 0 || len > YAML_MAX_SIZE) {
        struct diag *p = len ? diags_add(d, DIAG_ERROR, NULL, "the file is larger than %d MiB",
                                         YAML_MAX_SIZE >> 20)
                             : diags_add(d, DIAG_ERROR, NULL, "the file is empty");

        diag_set_position(p, name, 0, 0, NULL);
        return NULL;
    }
    doc = xcalloc(1, sizeof(*doc));
    doc->refs = 1;
    doc->name = xstrdup(name);
    if (yaml_text_init(&doc->text, name, text, len, d) < 0)
        return NULL;
    b.doc = doc;
    if (build(&b) < 0)
        return NULL;
    if (!doc->root)
        doc->root = &empty;
    return TAKE_PTR(doc);
}

struct yaml_doc *yaml_doc_ref(struct yaml_doc *doc)
{
    if (doc)
        doc->refs++;
    return doc;
}

void yaml_doc_unref(struct yaml_doc *doc)
{
    if (!doc || --doc->refs)
        return;
    free(doc->name);
    yaml_text_release(&doc->text);
    arena_release(&doc->arena);
    free(doc);
}

const struct yaml_node *yaml_doc_root(const struct yaml_doc *doc)
{
    return doc->root;
}

const char *yaml_doc_name(const struct yaml_doc *doc)
{
    return doc->name;
}

const char *yaml_doc_text(const struct yaml_doc *doc, size_t *ret_len)
{
    if (ret_len)
        *ret_len = doc->text.len;
    return doc->text.s;
}

bool yaml_doc_is_editable(const struct yaml_doc *doc)
{
    return !doc->text.recoded;
}

void yaml_doc_place(const struct yaml_doc *doc, const struct yaml_node *node, struct diag *p)
{
    _cleanup_free_ char *source = node->col < YAML_LINE_MAX / 8
                                      ? yaml_text_line(&doc->text, node->line - 1)
                                      : NULL;

    diag_set_position(p, doc->name, node->line, node->col, source);
}
