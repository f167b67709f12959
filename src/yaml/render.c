/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "yaml/emit.h"
#include "yaml/internal.h"

/* ---- layout ---------------------------------------------------------------------------------- */

/* What the entries of one block collection tell: set is 0 where nothing is known yet. */
static void look(const char *text, const struct yaml_entry *entries, size_t n,
                 struct yaml_layout *set, bool *offset_known)
{
    for (size_t i = 0; i < n && !(set->step && *offset_known && set->dash); i++) {
        const struct yaml_entry *e = &entries[i];
        size_t at = yaml_value_start(text, e->value);
        unsigned col = yaml_column(text, e->start), inner;

        if (e->value->alias || e->from == e->mark || e->question)
            continue;
        if (!e->key) {
            if (!set->dash && e->from - e->mark == strspn(text + e->mark, " "))
                set->dash = (unsigned)(e->from - e->start);
            continue;
        }
        if (e->value->type == YAML_SCALAR || e->value->flow)
            continue;
        inner = yaml_column(text, at);
        if (inner < col || yaml_same_line(text, e->start, at))
            continue;
        if (e->value->type == YAML_SEQ && !*offset_known) {
            set->list_offset = inner - col;
            *offset_known = true;
        } else if (e->value->type == YAML_MAP && !set->step && inner > col) {
            set->step = inner - col;
        }
    }
}

static void look_all(const char *text, const struct yaml_node *node, struct yaml_layout *set,
                     bool *offset_known)
{
    _cleanup_free_ struct yaml_entry *entries = NULL;
    size_t n;

    if (node->alias || node->flow || node->type == YAML_SCALAR ||
        (set->step && *offset_known && set->dash) || yaml_entries(text, node, &entries, &n) < 0)
        return;
    look(text, entries, n, set, offset_known);
    for (size_t i = 0; i < n; i++)
        look_all(text, entries[i].value, set, offset_known);
}

enum { STEP_MAX = 8 };

static struct yaml_layout or_default(struct yaml_layout l, struct yaml_layout other,
                                     bool offset_known)
{
    if (!l.step || l.step > STEP_MAX)
        l.step = other.step;
    if (!l.dash || l.dash > STEP_MAX)
        l.dash = other.dash;
    if (!offset_known || l.list_offset > STEP_MAX)
        l.list_offset = other.list_offset;
    l.quoted = other.quoted;
    return l;
}

struct yaml_layout yaml_layout_of(const struct yaml_doc *doc)
{
    static const struct yaml_layout usual = {.step = 2, .list_offset = 0, .dash = 2};
    struct yaml_layout set = {0};
    bool offset_known = false;

    look_all(yaml_doc_text(doc, NULL), yaml_doc_root(doc), &set, &offset_known);
    return or_default(set, usual, offset_known);
}

struct yaml_layout yaml_layout_near(const char *text, struct yaml_layout layout,
                                    const struct yaml_entry *entries, size_t n)
{
    struct yaml_layout set = {0};
    bool offset_known = false;

    look(text, entries, n, &set, &offset_known);
    return or_default(set, layout, offset_known);
}

/* ---- scalars --------------------------------------------------------------------------------- */

static bool fits_single_quotes(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f || *p >= 0x80)
            return false;
    return true;
}

/* An indented comment or a line of blanks below the old value would become part of a block scalar
 * in its place. Below an empty block scalar there may be blanks that nothing tells from its own. */
static bool has_part_below(const struct yaml_spot *spot)
{
    const struct yaml_node *old = spot->old;
    const char *text = spot->text;

    if (!old || old->alias || old->type != YAML_SCALAR)
        return false;
    if (yaml_is_block_scalar(old))
        return !*old->value;
    for (size_t at = yaml_next_line(text, yaml_content_end(text, old)); text[at];
         at = yaml_next_line(text, at)) {
        size_t blanks = strspn(text + at, " ");

        if (blanks > spot->col &&
            (text[at + blanks] == '#' || at + blanks == yaml_line_end(text, at)))
            return true;
        if (at + strspn(text + at, " \t") != yaml_line_end(text, at))
            return false;
    }
    return false;
}

/* May stand as lines of their own: all of it can be seen, and it is more than blanks. Blank lines
 * at its end could not be told from those that follow, but where they all are its own already. */
static bool fits_block(const char *s, const struct yaml_spot *spot)
{
    if (str_ends(s, "\n\n") && !(spot->old && yaml_is_block_scalar(spot->old) &&
                                 yaml_keeps_breaks(spot->text, spot->old)))
        return false;
    if (has_part_below(spot))
        return false;
    return s[strspn(s, " \t\n")] && yaml_can_be_lines(s);
}

static void add_block(struct sbuf *out, const char *s, char style, const struct yaml_spot *spot)
{
    unsigned col = spot->col + spot->layout.step;

    if (spot->old && yaml_is_block_scalar(spot->old) &&
        yaml_body_column(spot->text, spot->old) > spot->col)
        col = yaml_body_column(spot->text, spot->old);
    sbuf_addch(out, style);
    if (strchr(" \t\n", *s)) {
        if (col - spot->col > 9)
            col = spot->col + 9;
        sbuf_addf(out, "%u", col - spot->col);
    }
    yaml_add_lines(out, s, col);
}

static bool is_one_line(const char *s)
{
    const char *end = strchr(s, '\n');

    return !end || !end[1];
}

void yaml_render_text(struct sbuf *out, const char *s, const struct yaml_spot *spot)
{
    const struct yaml_node *old = spot->old;
    bool styled = old && old->type == YAML_SCALAR && !old->alias, block;
    const char *end = strchr(s, '\n');

    block = !spot->flow && !spot->layout.quoted && fits_block(s, spot) &&
            (end ? !(styled && old->style == YAML_DOUBLE)
                 : styled && yaml_is_block_scalar(old) && is_one_line(old->value));
    if (!spot->flow)
        sbuf_addch(out, ' ');
    if (block) {
        bool folded = is_one_line(s) && styled && old->style == YAML_FOLDED && !strchr(" \t", *s);

        add_block(out, s, folded ? '>' : '|', spot);
    } else if (styled && old->style == YAML_SINGLE && fits_single_quotes(s)) {
        sbuf_addch(out, '\'');
        for (; *s; s++)
            sbuf_addf(out, *s == '\'' ? "''" : "%c", *s);
        sbuf_addch(out, '\'');
    } else if (styled && old->style == YAML_DOUBLE) {
        yaml_add_json_string(out, s);
    } else {
        yaml_add_scalar(out, s, spot->flow);
    }
}

static void render_scalar(struct sbuf *out, const struct yaml_node *node,
                          const struct yaml_spot *spot)
{
    if (yaml_core_type(node) == YAML_STR) {
        yaml_render_text(out, node->value, spot);
        return;
    }
    if (!spot->flow)
        sbuf_addch(out, ' ');
    if (node->tag || node->style != YAML_PLAIN)
        yaml_add_json_scalar(out, node);
    else
        sbuf_addstr(out, *node->value ? node->value : "null");
}

/* ---- collections ----------------------------------------------------------------------------- */

static void render_key(struct sbuf *out, const struct yaml_node *key)
{
    yaml_add_scalar(out, key->value, true);
}

static void render_flow(struct sbuf *out, const struct yaml_node *node,
                        const struct yaml_spot *spot)
{
    struct yaml_spot inner = {.layout = spot->layout, .text = spot->text, .flow = true};
    bool map = node->type == YAML_MAP;

    if (node->type == YAML_SCALAR) {
        render_scalar(out, node, spot);
        return;
    }
    sbuf_addch(out, map ? '{' : '[');
    for (size_t i = 0; i < node->n; i++) {
        if (i)
            sbuf_addstr(out, ", ");
        if (map) {
            render_key(out, node->pairs[i].key);
            sbuf_addstr(out, ": ");
        }
        render_flow(out, map ? node->pairs[i].value : node->items[i], &inner);
    }
    sbuf_addch(out, map ? '}' : ']');
}

unsigned yaml_inner_column(const struct yaml_spot *spot, bool map)
{
    if (spot->root)
        return 0;
    if (spot->item && !spot->below)
        return spot->col + spot->layout.dash;
    return spot->col + (map || spot->item ? spot->layout.step : spot->layout.list_offset);
}

static void render_block(struct sbuf *out, const struct yaml_doc *from,
                         const struct yaml_node *node, const struct yaml_spot *spot)
{
    bool map = node->type == YAML_MAP, behind = spot->item && !spot->below;
    struct yaml_spot inner = {.layout = spot->layout, .text = spot->text, .item = !map};

    inner.col = yaml_inner_column(spot, map);
    for (size_t i = 0; i < node->n; i++) {
        if (i == 0 && behind)
            sbuf_addf(out, "%*s", (int)spot->layout.dash - 1, "");
        else
            sbuf_addf(out, "\n%*s", (int)inner.col, "");
        yaml_render_entry(out, from, map ? node->pairs[i].key : NULL,
                          map ? node->pairs[i].value : node->items[i], &inner);
    }
}

/* A text whose style and comments are worth keeping. JSON is written in the style of where it goes
 * to. */
static bool has_style(const struct yaml_doc *doc)
{
    const struct yaml_node *root = yaml_doc_root(doc);

    return !root->flow && !(root->type == YAML_SCALAR && root->style == YAML_DOUBLE);
}

/* At the start of a line, as a whole document stands, "--- x" would begin another one. */
static bool may_be_marker(const struct yaml_node *node, const struct yaml_spot *spot)
{
    return spot->root && node->type == YAML_SCALAR && node->style == YAML_PLAIN;
}

void yaml_render_value(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *node,
                       const struct yaml_spot *spot)
{
    if (spot->flow)
        render_flow(out, node, spot);
    else if (has_style(from) && !may_be_marker(node, spot) &&
             yaml_copy_value(out, from, node, spot))
        return;
    else if (node->type == YAML_SCALAR)
        render_scalar(out, node, spot);
    else if (node->n == 0)
        sbuf_addstr(out, node->type == YAML_MAP ? " {}" : " []");
    else
        render_block(out, from, node, spot);
}

void yaml_render_entry(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *key,
                       const struct yaml_node *node, const struct yaml_spot *spot)
{
    if (!spot->flow && has_style(from) && yaml_copy_entry(out, from, key, node, spot))
        return;
    if (key) {
        render_key(out, key);
        sbuf_addstr(out, spot->flow ? ": " : ":");
    } else if (!spot->flow) {
        sbuf_addch(out, '-');
    }
    yaml_render_value(out, from, node, spot);
}
