/* SPDX-License-Identifier: Apache-2.0 */
/* Changes in block collections: entries are whole lines, but for a first one that stands behind a
 * dash. */
#include "base/mem.h"
#include "yaml/internal.h"

/* ---- lines of an entry ----------------------------------------------------------------------- */

/* The `#` of a line that is a comment, else 0. */
static size_t comment_at(const char *text, size_t line)
{
    size_t at = line + strspn(text + line, " \t");

    return text[at] == '#' ? at : 0;
}

static bool is_blank_line(const char *text, size_t line)
{
    return line + strspn(text + line, " \t") == yaml_line_end(text, line) && text[line];
}

size_t yaml_region_end(const char *text, size_t end, unsigned col)
{
    size_t region = yaml_next_line(text, end), line = region;

    while (text[line]) {
        size_t comment = comment_at(text, line);

        if (comment && comment - line > col)
            region = yaml_next_line(text, line);
        else if (!is_blank_line(text, line))
            break;
        line = yaml_next_line(text, line);
    }
    return region;
}

struct block {
    struct yaml_apply *a;
    const struct yaml_node *node;
    struct yaml_entry *v;
    size_t n;
    unsigned col;
    bool behind; /* the first entry stands behind a dash or colon */
    struct yaml_layout layout;
};

/* The first line of an entry: of the comments right above it. Those at the very start of the file
 * are about the file. */
static size_t lead_start(const struct block *b, size_t i)
{
    const char *text = b->a->text;
    size_t line = yaml_line_start(text, b->v[i].start), first = line;
    size_t limit = i ? yaml_region_end(text, b->v[i - 1].end, b->col) : 0;

    while (line > limit) {
        size_t above = yaml_line_start(text, line - 1), comment;

        if (line == yaml_line_start(text, 0))
            return b->node == yaml_doc_root(b->a->e->doc) && i == 0 ? first : line;
        comment = comment_at(text, above);
        if (!comment || above < limit || (i && comment - above > b->col))
            break;
        line = above;
    }
    return line;
}

/* The scalar that the lines of a value will end with, NULL for anything else. */
static const struct yaml_node *last_to_stay(const struct yaml_apply *a,
                                            const struct yaml_node *node)
{
    while (node && node->type != YAML_SCALAR && !node->alias && !node->flow) {
        size_t n = node->type == YAML_MAP ? node->n_own : node->n;
        const struct yaml_node *last = NULL;

        while (n > 0 && (!last || yaml_is_removed(a, last))) {
            n--;
            last = node->type == YAML_MAP ? node->own[n].value : node->items[n];
        }
        node = last && !yaml_is_removed(a, last) ? last : NULL;
    }
    return node;
}

/* Is the line above this one blank, or is there none? */
static bool is_blank_above(const char *text, size_t line)
{
    return line == yaml_line_start(text, 0) || is_blank_line(text, yaml_line_start(text, line - 1));
}

/* Where the lines of an entry that goes end; stays: the value of the last one in front of it that
 * does not go. Blank lines behind it would become part of a block scalar that keeps all of them;
 * where there are some in front of it, too, those are enough. */
static size_t cut_end(const struct block *b, size_t i, const struct yaml_node *stays)
{
    const char *text = b->a->text;
    size_t end = yaml_region_end(text, b->v[i].end, b->col);
    const struct yaml_node *last = stays ? last_to_stay(b->a, stays) : NULL;

    if (is_blank_above(text, lead_start(b, i)) ||
        (last && yaml_is_block_scalar(last) && yaml_keeps_breaks(text, last)))
        while (is_blank_line(text, end))
            end = yaml_next_line(text, end);
    return end;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The head goes behind the mark, where the part up to inline_end is cut; the lines up to
 * lines_end, if there are any, are replaced by the body. */
static void put_value(const struct block *b, const struct yaml_entry *e, const char *head,
                      char *body, size_t inline_end, size_t lines_end)
{
    struct yaml_apply *a = b->a;
    size_t blanks = strspn(a->text + e->mark, " "), start = e->mark;
    size_t next = yaml_next_line(a->text, inline_end);
    bool stuck = inline_end > e->mark && a->text[inline_end] &&
                 !strchr(" \t", a->text[inline_end]) && !yaml_break_len(a->text, inline_end);

    /* The blanks in front of the old value stay. */
    if (*head && inline_end > e->from && e->mark + blanks == e->from) {
        start = e->from;
        head += strspn(head, " ");
    }
    yaml_splice(a, start, inline_end, xasprintf("%s%s", head, stuck ? " " : ""));
    if (*body || lines_end > next)
        yaml_splice_lines(a, next, lines_end > next ? lines_end : next, body);
    else
        free(body);
}

static void replace_value(const struct block *b, const struct yaml_entry *e, const char *text,
                          const char *properties)
{
    const struct yaml_node *v = e->value;
    const char *doc = b->a->text, *lf = strchr(text, '\n');
    _cleanup_free_ char *first = xstrndup(text, lf ? (size_t)(lf - text) : strlen(text));
    _cleanup_free_ char *head = NULL;
    char *body = xstrdup(lf ? lf + 1 : "");
    size_t content = e->from == e->mark ? e->mark : yaml_value_start(doc, v);
    bool block = v->type != YAML_SCALAR && !v->flow && !v->alias;
    size_t region = yaml_region_end(doc, e->end, b->col);

    head = properties ? xasprintf(" %s%s", properties, first) : xstrdup(first);
    if (e->key && !e->colon) {
        /* `? key` alone */
        free(body);
        body = xasprintf("%*s:%s%s", (int)b->col, "", properties ? " " : "",
                         properties ? properties : "");
        char *lines = xasprintf("%s%s", body, text);

        free(body);
        yaml_splice_lines(b->a, region, region, lines);
    } else if (e->from == e->mark) {
        put_value(b, e, head, body, e->mark, 0);
    } else if (!yaml_same_line(doc, e->mark, e->from)) {
        if (!block && !yaml_is_block_scalar(v) && !*body && *head) {
            yaml_splice(b->a, e->from, e->end, xstrdup(head + strspn(head, " ")));
            free(body);
        } else {
            put_value(b, e, head, body, e->mark, region);
        }
    } else if (!yaml_same_line(doc, e->from, content)) {
        put_value(b, e, head, body, yaml_properties_end(doc, v), region);
    } else if (yaml_is_block_scalar(v)) {
        put_value(b, e, head, body, content + strcspn(doc + content, " \t\r\n#"),
                  yaml_next_line(doc, e->end));
    } else if (block) {
        /* Behind a dash: the rest of its first line goes with it. */
        put_value(b, e, head, body, yaml_line_end(doc, e->from), region);
    } else {
        put_value(b, e, head, body, e->end, 0);
    }
}

/* ---- entries --------------------------------------------------------------------------------- */

static void change_entry(const struct block *b, const struct yaml_entry *e)
{
    const char *doc = b->a->text;
    _cleanup_free_ char *properties = yaml_kept_properties(b->a, e->value), *text = NULL;
    struct yaml_spot spot = {.layout = b->layout, .text = doc, .old = e->value, .col = b->col,
                             .item = !e->key, .below = properties != NULL};

    /* A new mapping starts where the old value does. */
    if (!e->key && e->from > e->mark && e->from - e->mark == strspn(doc + e->mark, " "))
        spot.layout.dash = (unsigned)(e->from - e->start);
    else if (!e->key)
        spot.layout.dash = 2;
    text = yaml_new_value(b->a, e->value, &spot);
    if (text)
        replace_value(b, e, text, properties);
    else
        yaml_apply_inside(b->a, e->value);
}

/* Additions as lines, those in front of entry i or, with n, all that are left. */
static char *take_additions(const struct block *b, const struct yaml_change *const **add,
                            size_t *n, size_t i)
{
    struct yaml_spot spot = {.layout = b->layout, .text = b->a->text, .col = b->col,
                             .item = b->node->type == YAML_SEQ};
    struct sbuf out = SBUF_INIT;

    for (; *n && (i == b->n || (**add)->before <= i); ++*add, --*n) {
        sbuf_addf(&out, "%s%*s", out.len ? "\n" : "", (int)b->col, "");
        yaml_render_entry(&out, (**add)->from, (**add)->key, (**add)->node, &spot);
    }
    return out.len ? sbuf_detach(&out) : NULL;
}

/* Additions and removals in front of the first entry that stays, when the first one stands behind
 * a dash. Returns the index of the one that stays. */
static size_t change_behind(const struct block *b, const struct yaml_change *const **add, size_t *n)
{
    const char *doc = b->a->text;
    size_t keep = 0, lead;

    while (keep < b->n && yaml_is_removed(b->a, b->v[keep].value))
        keep++;
    if (keep == b->n)
        return keep;
    _cleanup_free_ char *more = take_additions(b, add, n, keep);
    if (!more && !keep)
        return 0;
    struct sbuf out = SBUF_INIT;

    lead = keep ? lead_start(b, keep) : b->v[0].start;
    if (more)
        sbuf_addf(&out, "%s\n%*s", more + b->col, (int)b->col, "");
    if (keep && lead < yaml_line_start(doc, b->v[keep].start)) {
        lead += strspn(doc + lead, " \t");
        for (size_t i = lead; i < b->v[keep].start; i++)
            if (doc[i] != '\r')
                sbuf_addch(&out, doc[i]);
    }
    yaml_splice(b->a, b->v[0].start, b->v[keep].start, sbuf_detach(&out));
    return keep;
}

void yaml_apply_block(struct yaml_apply *a, const struct yaml_node *node)
{
    struct block b = {.a = a, .node = node};
    const struct yaml_change *const *add;
    const struct yaml_node *stays = NULL;
    size_t n_add, i = 0, end;
    char *lines;

    if (yaml_entries(a->text, node, &b.v, &b.n) < 0 || !b.n)
        return;
    b.col = yaml_column(a->text, b.v[0].start);
    b.layout = yaml_layout_near(a->text, a->layout, b.v, b.n);
    b.behind = b.col != strspn(a->text + yaml_line_start(a->text, b.v[0].start), " ");
    add = yaml_additions(a, node, &n_add);
    if (b.behind)
        i = change_behind(&b, &add, &n_add);
    for (; i < b.n; i++) {
        lines = take_additions(&b, &add, &n_add, i);
        if (lines) {
            end = lead_start(&b, i);
            yaml_splice_lines(a, end, end, lines);
        }
        if (yaml_is_removed(a, b.v[i].value))
            yaml_splice_lines(a, lead_start(&b, i), cut_end(&b, i, stays), xstrdup(""));
        else
            change_entry(&b, &b.v[i]);
        if (!yaml_is_removed(a, b.v[i].value))
            stays = b.v[i].value;
    }
    lines = take_additions(&b, &add, &n_add, b.n);
    if (lines) {
        end = yaml_region_end(a->text, b.v[b.n - 1].end, b.col);
        yaml_splice_lines(a, end, end, lines);
    }
    free(b.v);
}
