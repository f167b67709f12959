/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of a YAML text written at another place: with their comments, blank lines, quotes and
 * spacing, indented anew. Anchors stay behind; aliases and merge keys become what they stand for. */
#include "base/mem.h"
#include "yaml/emit.h"
#include "yaml/internal.h"

/* Rest of a line that is a comment, with the blanks in front; nothing else can stand there. */
static void copy_rest(struct sbuf *out, const char *text, size_t at)
{
    size_t end = yaml_line_end(text, at);

    if (text[at + strspn(text + at, " \t")] == '#')
        sbuf_add(out, text + at, end - at);
}

static void trim_blanks(struct sbuf *out)
{
    while (out->len && out->buf[out->len - 1] == ' ')
        out->buf[--out->len] = '\0';
}

/* Lines of comments and blank lines, between an entry and the next one (in_front: the indentation
 * of the first line is there) or behind it. A comment keeps its distance to the column it had. */
static void copy_comments(struct sbuf *out, const char *text, size_t from, size_t to,
                          unsigned old_col, unsigned col, bool in_front)
{
    for (size_t line = from; line < to; line = yaml_next_line(text, line)) {
        size_t blanks = strspn(text + line, " \t"), end = yaml_line_end(text, line);

        if (!in_front)
            sbuf_addf(out, "\n%*s", (int)col, "");
        if (text[line + blanks] == '#') {
            sbuf_addf(out, "%*s", (int)(blanks > old_col ? blanks - old_col : 0), "");
            sbuf_add(out, text + line + blanks, end - line - blanks);
        } else {
            trim_blanks(out);
        }
        if (in_front)
            sbuf_addf(out, "\n%*s", (int)col, "");
    }
}

/* First of the lines right above one that are comments, none indented deeper than `col`. Those at
 * the very start of the file are about the file. */
static size_t comments_above(const char *text, size_t line, unsigned col)
{
    size_t first = line, start = yaml_line_start(text, 0);

    while (line > start) {
        size_t above = yaml_line_start(text, line - 1), blanks = strspn(text + above, " \t");

        if (text[above + blanks] != '#' || blanks > col)
            return line;
        line = above;
    }
    return first;
}

/* ---- scalars and flow collections ------------------------------------------------------------ */

static bool has_anchors(const struct yaml_node *node);

/* Nothing in it is an alias or has an anchor; it may have one itself. */
static bool is_free(const struct yaml_node *node)
{
    for (size_t i = 0; i < node->n && node->type == YAML_SEQ; i++)
        if (has_anchors(node->items[i]))
            return false;
    for (size_t i = 0; i < node->n && node->type == YAML_MAP; i++)
        if (node->pairs[i].key->anchored || has_anchors(node->pairs[i].value))
            return false;
    return !node->refs;
}

static bool has_anchors(const struct yaml_node *node)
{
    return node->anchored || !is_free(node);
}

/* A tag that means the same in any document, as written; "" for none, NULL for others. */
static char *portable_tag(const char *text, const struct yaml_node *node)
{
    size_t at = node->start, len;

    while (at < node->end && text[at] == '&')
        at = yaml_skip_trivia(text, at + yaml_property_len(text, at));
    if (at >= node->end || text[at] != '!')
        return xstrdup("");
    len = yaml_property_len(text, at);
    return len > 2 && text[at + 1] == '!' ? xasprintf(" %.*s", (int)len, text + at) : NULL;
}

/* Bytes of one node, over several lines perhaps: the further ones start in a new column, in which
 * blanks in front mean nothing. */
static void copy_folded(struct sbuf *out, const char *text, size_t from, size_t to, unsigned col)
{
    while (from < to) {
        size_t end = yaml_line_end(text, from);

        if (end > to)
            end = to;
        sbuf_add(out, text + from, end - from);
        if (end == to)
            break;
        from = end + yaml_break_len(text, end);
        from += strspn(text + from, " \t");
        sbuf_addch(out, '\n');
        if (!yaml_break_len(text, from))
            sbuf_addf(out, "%*s", (int)col, "");
    }
}

static void copy_block_scalar(struct sbuf *out, const char *text, const struct yaml_node *node,
                              unsigned col)
{
    size_t header = yaml_value_start(text, node), end = yaml_content_end(text, node);
    size_t line = yaml_next_line(text, header), body = yaml_body_column(text, node);

    sbuf_add(out, text + header, yaml_line_end(text, header) - header);
    for (; line < end; line = yaml_next_line(text, line)) {
        size_t from = line + body, to = yaml_line_end(text, line);

        sbuf_addch(out, '\n');
        if (from < to) {
            sbuf_addf(out, "%*s", (int)col, "");
            sbuf_add(out, text + from, to - from);
        }
    }
}

/* Its end is that of the file or the next line's: blank lines there are its own, or a line break is
 * missing. */
static bool is_open_ended(const char *text, const struct yaml_node *node)
{
    return yaml_keeps_breaks(text, node) ||
           (!str_ends(node->value, "\n") && !yaml_strips_breaks(text, node));
}

/* Line breaks beyond ASCII, which are content. */
static bool has_odd_break(const char *text, size_t from, size_t to)
{
    for (; (from = yaml_line_end(text, from)) < to; from += yaml_break_len(text, from))
        if (text[from] != '\n' && text[from] != '\r')
            return true;
    return false;
}

/* True when it is written; false for what has to be written by its value. */
static bool copy_simple(struct sbuf *out, const char *text, const struct yaml_node *node,
                        const struct yaml_spot *spot)
{
    unsigned col = spot->col + spot->layout.step;
    _cleanup_free_ char *tag = NULL;
    size_t at, end, pad = 0;

    if (node->alias || (node->type != YAML_SCALAR && !is_free(node)))
        return false;
    tag = portable_tag(text, node);
    at = yaml_value_start(text, node);
    end = yaml_content_end(text, node);
    if (!tag || (at == end && spot->root) || has_odd_break(text, at, end) ||
        (node->flow && !yaml_has_brackets(text, node)) ||
        (yaml_is_block_scalar(node) && (is_open_ended(text, node) || !*node->value ||
                                        !yaml_body_column(text, node))))
        return false;
    /* The blanks in front, as they were. */
    while (!spot->item && node->start > pad + 1 && text[node->start - 1 - pad] == ' ' && pad < 40)
        pad++;
    sbuf_addf(out, "%*s%s", (int)(pad > 1 ? pad - 1 : 0), "", tag);
    if (at == end)
        return true;
    sbuf_addch(out, ' ');
    if (yaml_is_block_scalar(node))
        copy_block_scalar(out, text, node, col);
    else
        copy_folded(out, text, at, end, col);
    return true;
}

/* ---- block collections ----------------------------------------------------------------------- */

static void copy_entry(struct sbuf *out, const struct yaml_doc *from, const struct yaml_entry *e,
                       size_t lead, const struct yaml_spot *spot);

static bool is_block_collection(const struct yaml_node *node)
{
    return node->type != YAML_SCALAR && !node->flow && node->n;
}

/* The pairs that a `<<` brings in, by their values. */
static void copy_merged(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *map,
                        bool any, const struct yaml_spot *inner)
{
    for (size_t i = 0; map->type == YAML_MAP && i < map->n; i++) {
        if (!map->pairs[i].merged)
            continue;
        if (any)
            sbuf_addf(out, "\n%*s", (int)inner->col, "");
        any = true;
        yaml_render_entry(out, from, map->pairs[i].key, map->pairs[i].value, inner);
    }
}

/* From where the first entry stands on. */
static bool copy_entries(struct sbuf *out, const struct yaml_doc *from,
                         const struct yaml_node *node, const struct yaml_spot *inner, bool behind)
{
    const char *text = yaml_doc_text(from, NULL);
    _cleanup_free_ struct yaml_entry *v = NULL;
    size_t n, lead;
    bool any = false;
    unsigned col;

    if (yaml_entries(text, node, &v, &n) < 0)
        return false;
    col = yaml_column(text, v[0].start);
    for (size_t i = 0; i < n; i++) {
        size_t line = yaml_line_start(text, v[i].start);

        if (v[i].key && node->own[i].merged)
            continue;
        if (any)
            sbuf_addf(out, "\n%*s", (int)inner->col, "");
        lead = line;
        if (i)
            lead = yaml_region_end(text, v[i - 1].end, col);
        else if (!behind && line + strspn(text + line, " ") == v[i].start)
            lead = comments_above(text, line, UINT32_MAX);
        /* A blank line as the first one would stand behind a dash. */
        while (!any && lead < line && yaml_break_len(text, lead + strspn(text + lead, " \t")))
            lead = yaml_next_line(text, lead);
        copy_entry(out, from, &v[i], lead, inner);
        any = true;
    }
    copy_merged(out, from, node, any, inner);
    return true;
}

bool yaml_copy_value(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *node,
                     const struct yaml_spot *spot)
{
    const char *text = yaml_doc_text(from, NULL);
    struct yaml_spot inner = {.layout = spot->layout, .text = spot->text,
                              .item = node->type == YAML_SEQ};
    bool behind = spot->item && !spot->below;
    size_t len = out->len;

    while (node->alias)
        node = node->target;
    if (!is_block_collection(node))
        return copy_simple(out, text, node, spot);
    inner.col = yaml_inner_column(spot, node->type == YAML_MAP);
    if (behind)
        sbuf_addf(out, "%*s", (int)spot->layout.dash - 1, "");
    else
        sbuf_addf(out, "\n%*s", (int)inner.col, "");
    if (copy_entries(out, from, node, &inner, behind))
        return true;
    out->len = len;
    return false;
}

/* No comment can follow it in its last line: it is (or will be, when an alias is written out) a
 * block collection or scalar. */
static bool ends_in_lines(const struct yaml_node *node)
{
    if (node->type != YAML_SCALAR)
        return !node->flow;
    return strchr(node->value, '\n') || node->style == YAML_LITERAL || node->style == YAML_FOLDED;
}

/* Of the entries of a block collection. */
static unsigned inside_column(const char *text, const struct yaml_node *node)
{
    size_t start = yaml_value_start(text, node);

    if (node->type == YAML_MAP && start > node->own[0].key->start)
        start = node->own[0].key->start;
    return yaml_column(text, start);
}

/* Behind the comments that the last entry in a block collection has below it. */
static size_t inside_end(const char *text, const struct yaml_node *node, size_t end)
{
    return yaml_region_end(text, end, inside_column(text, node));
}

/* A key as written; false when it has to be written by its value. */
static bool copy_key(struct sbuf *out, const char *text, const struct yaml_entry *e)
{
    const struct yaml_node *key = e->key;
    size_t end = key->end;

    if (key->alias || key->anchored || key->tag || e->question || !e->colon ||
        key->start == end || yaml_line_end(text, key->start) < end)
        return false;
    sbuf_add(out, text + key->start, end - key->start);
    return true;
}

/* The comments from `lead` on, the entry, those behind and below it. */
static void copy_entry(struct sbuf *out, const struct yaml_doc *from, const struct yaml_entry *e,
                       size_t lead, const struct yaml_spot *spot)
{
    const char *text = yaml_doc_text(from, NULL);
    const struct yaml_node *v = e->value;
    unsigned col = yaml_column(text, e->start);
    size_t line_end = yaml_line_end(text, e->mark);
    bool block = is_block_collection(v) && !v->alias;
    bool later = e->from > e->mark && yaml_value_start(text, v) > line_end;
    struct yaml_spot inner = *spot;

    copy_comments(out, text, lead, yaml_line_start(text, e->start), col, spot->col, true);
    if (e->key && !copy_key(out, text, e))
        yaml_add_scalar(out, e->key->value, true);
    sbuf_addch(out, e->key ? ':' : '-');
    inner.below = block && later;
    if (block && later)
        copy_rest(out, text, e->from > line_end ? e->mark : yaml_properties_end(text, v));
    yaml_render_value(out, from, v, &inner);
    if (!ends_in_lines(v)) {
        copy_rest(out, text, e->end);
        if (e->from > line_end)
            copy_rest(out, text, e->mark);
    }
    if (block) {
        /* Below it they stand as its entries do. */
        copy_comments(out, text, inside_end(text, v, e->end), yaml_region_end(text, e->end, col),
                      inside_column(text, v), yaml_inner_column(&inner, v->type == YAML_MAP), false);
    } else {
        copy_comments(out, text, yaml_next_line(text, e->end), yaml_region_end(text, e->end, col),
                      col, spot->col, false);
    }
}

bool yaml_copy_entry(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *key,
                     const struct yaml_node *node, const struct yaml_spot *spot)
{
    const char *text = yaml_doc_text(from, NULL);
    struct yaml_entry e;
    size_t line, lead;

    if (node->in_flow || yaml_entry_of(text, key, node, &e) < 0)
        return false;
    line = lead = yaml_line_start(text, e.start);
    if (line + strspn(text + line, " ") == e.start)
        lead = comments_above(text, line, (unsigned)(e.start - line));
    copy_entry(out, from, &e, lead, spot);
    return true;
}
