/* SPDX-License-Identifier: Apache-2.0 */
/* Changes become splices of the text; the text with them. */
#include "base/mem.h"
#include "yaml/edit.h"
#include "yaml/internal.h"

/* ---- changes by place ------------------------------------------------------------------------ */

static int cmp_place(const void *x, const void *y)
{
    const struct yaml_change *a = *(const struct yaml_change *const *)x;
    const struct yaml_change *b = *(const struct yaml_change *const *)y;
    bool add_a = a->kind == YAML_ADD, add_b = b->kind == YAML_ADD;

    if (a->place != b->place)
        return (uintptr_t)a->place < (uintptr_t)b->place ? -1 : 1;
    if (add_a != add_b)
        return add_a ? 1 : -1;
    if (add_a && a->before != b->before)
        return a->before < b->before ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static void sort_changes(struct yaml_apply *a)
{
    a->sorted = xcalloc(a->e->n ? a->e->n : 1, sizeof(struct yaml_change *));
    for (size_t i = 0; i < a->e->n; i++)
        a->sorted[i] = &a->e->v[i];
    if (a->e->n)
        qsort(a->sorted, a->e->n, sizeof(struct yaml_change *), cmp_place);
}

/* Index of the first change of a place. */
static size_t first_of(const struct yaml_apply *a, const struct yaml_node *place)
{
    size_t low = 0, high = a->e->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if ((uintptr_t)a->sorted[mid]->place < (uintptr_t)place)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct yaml_change *yaml_change_of(const struct yaml_apply *a, const struct yaml_node *value)
{
    const struct yaml_change *last = NULL;

    for (size_t i = first_of(a, value); i < a->e->n && a->sorted[i]->place == value; i++)
        if (a->sorted[i]->kind != YAML_ADD)
            last = a->sorted[i];
    return last;
}

bool yaml_is_removed(const struct yaml_apply *a, const struct yaml_node *value)
{
    const struct yaml_change *c = yaml_change_of(a, value);

    return c && c->kind == YAML_REMOVE;
}

const struct yaml_change *const *yaml_additions(const struct yaml_apply *a,
                                                const struct yaml_node *node, size_t *ret_n)
{
    size_t i = first_of(a, node), n = 0;

    while (i < a->e->n && a->sorted[i]->place == node && a->sorted[i]->kind != YAML_ADD)
        i++;
    while (i + n < a->e->n && a->sorted[i + n]->place == node)
        n++;
    *ret_n = n;
    return a->sorted + i;
}

/* ---- new values ------------------------------------------------------------------------------ */

static bool is_emptied(const struct yaml_apply *a, const struct yaml_node *node)
{
    size_t n = node->type == YAML_MAP ? node->n_own : node->n;

    for (size_t i = 0; i < n; i++)
        if (!yaml_is_removed(a, node->type == YAML_MAP ? node->own[i].value : node->items[i]))
            return false;
    return true;
}

/* A collection of nothing but what is added. */
static char *render_added(const struct yaml_change *const *add, size_t n, bool map,
                          const struct yaml_spot *spot)
{
    struct yaml_spot inner = {.layout = spot->layout, .text = spot->text, .flow = spot->flow,
                              .item = !map, .col = yaml_inner_column(spot, map)};
    bool behind = spot->item && !spot->below;
    struct sbuf out = SBUF_INIT;

    if (spot->flow)
        sbuf_addch(&out, map ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        if (spot->flow)
            sbuf_addstr(&out, i ? ", " : "");
        else if (i == 0 && behind)
            sbuf_addf(&out, "%*s", (int)spot->layout.dash - 1, "");
        else
            sbuf_addf(&out, "\n%*s", (int)inner.col, "");
        yaml_render_entry(&out, add[i]->from, add[i]->key, add[i]->node, &inner);
    }
    if (spot->flow)
        sbuf_addch(&out, map ? '}' : ']');
    return sbuf_detach(&out);
}

char *yaml_new_value(const struct yaml_apply *a, const struct yaml_node *value,
                     const struct yaml_spot *spot)
{
    const struct yaml_change *c = yaml_change_of(a, value), *const *add;
    struct sbuf out = SBUF_INIT;
    size_t n;
    bool map;

    if (c && c->kind == YAML_SET) {
        yaml_render_text(&out, c->text, spot);
        return sbuf_detach(&out);
    }
    if (c && c->kind == YAML_REPLACE) {
        yaml_render_value(&out, c->from, c->node, spot);
        return sbuf_detach(&out);
    }
    if (value->alias)
        return NULL;
    add = yaml_additions(a, value, &n);
    map = n ? add[0]->key != NULL : value->type == YAML_MAP;
    if (value->type == YAML_SCALAR)
        return n ? render_added(add, n, map, spot) : NULL;
    if (!is_emptied(a, value))
        return NULL;
    if (n)
        return render_added(add, n, map, spot);
    if (!(map ? value->n_own : value->n))
        return NULL;
    return xasprintf("%s%s", spot->flow ? "" : " ", map ? "{}" : "[]");
}

char *yaml_kept_properties(const struct yaml_apply *a, const struct yaml_node *value)
{
    const struct yaml_change *c = yaml_change_of(a, value);
    bool tags = c && c->kind == YAML_SET && !yaml_is_binary(value); /* the new text is no base64 */
    struct sbuf out = SBUF_INIT;
    size_t at = value->start;

    for (size_t n; !value->alias && at < value->end && (n = yaml_property_len(a->text, at)) > 0;) {
        if (a->text[at] == '&' || tags) {
            sbuf_addstr(&out, out.len ? " " : "");
            sbuf_add(&out, a->text + at, n);
        }
        at = yaml_skip_trivia(a->text, at + n);
    }
    return out.len ? sbuf_detach(&out) : NULL;
}

/* ---- splices --------------------------------------------------------------------------------- */

static void splice(struct yaml_apply *a, size_t start, size_t end, char *text, bool lines)
{
    GROW_ARRAY(a->v, a->n, a->cap);
    a->v[a->n] = (struct yaml_splice){start, end, text, lines, a->n};
    a->n++;
}

void yaml_splice(struct yaml_apply *a, size_t start, size_t end, char *text)
{
    splice(a, start, end, text, false);
}

void yaml_splice_lines(struct yaml_apply *a, size_t start, size_t end, char *text)
{
    splice(a, start, end, text, true);
}

static int cmp_splice(const void *x, const void *y)
{
    const struct yaml_splice *a = x, *b = y;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    /* What goes in between stands in front of what is taken out. */
    if ((a->start == a->end) != (b->start == b->end))
        return a->start == a->end ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Lines behind a block scalar whose last line has no line break would give it one. */
static void end_block_scalar(struct yaml_apply *a)
{
    const struct yaml_node *s = yaml_last_scalar(yaml_doc_root(a->e->doc));
    size_t at, n;
    bool more = false;

    for (size_t i = 0; i < a->n; i++)
        more |= a->v[i].lines && a->v[i].start == a->len && *a->v[i].text;
    if (!more || !s || !yaml_is_block_scalar(s) || s->end < a->len || str_ends(s->value, "\n"))
        return;
    at = yaml_value_start(a->text, s);
    n = strcspn(a->text + at, "+- \t\r\n#");
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].start <= at && a->v[i].end > at)
            return;
    if (a->text[at + n] != '-')
        yaml_splice(a, at + n, at + n + (a->text[at + n] == '+'), xstrdup("-"));
}

static const char *line_break(const char *text)
{
    size_t n = strcspn(text, "\r\n");

    return text[n] == '\r' ? (text[n + 1] == '\n' ? "\r\n" : "\r") : "\n";
}

static void add_lines(struct sbuf *out, const char *s, const char *line_end)
{
    while (*s) {
        size_t n = strcspn(s, "\n");

        sbuf_add(out, s, n);
        if (s[n])
            sbuf_addstr(out, line_end);
        s += n + (s[n] == '\n');
    }
}

static bool at_line_start(const struct sbuf *out)
{
    return out->len == 0 || strchr("\r\n", out->buf[out->len - 1]) ||
           yaml_line_start(out->buf, out->len) == out->len;
}

static char *write_splices(struct yaml_apply *a, size_t *ret_len)
{
    const char *line_end = line_break(a->text);
    struct sbuf out = SBUF_INIT;
    size_t at = 0;

    if (a->n)
        qsort(a->v, a->n, sizeof(*a->v), cmp_splice);
    for (size_t i = 0; i < a->n; i++) {
        const struct yaml_splice *s = &a->v[i];

        /* Additions to an entry that ends in blank lines which go with the one behind it come
         * right behind what is gone. */
        if (s->start < at && s->end > s->start)
            continue;
        if (s->start > at)
            sbuf_add(&out, a->text + at, s->start - at);
        if (s->lines && *s->text && !at_line_start(&out))
            sbuf_addstr(&out, line_end);
        add_lines(&out, s->text, line_end);
        if (s->lines && *s->text)
            sbuf_addstr(&out, line_end);
        at = s->end > at ? s->end : at;
    }
    sbuf_add(&out, a->text + at, a->len - at);
    if (ret_len)
        *ret_len = out.len;
    return sbuf_detach(&out);
}

/* ---- the document ---------------------------------------------------------------------------- */

void yaml_apply_inside(struct yaml_apply *a, const struct yaml_node *node)
{
    if (node->alias || node->type == YAML_SCALAR)
        return;
    if (node->flow)
        yaml_apply_flow(a, node);
    else
        yaml_apply_block(a, node);
}

static bool is_blank(const char *text, size_t start, size_t end)
{
    return start + strspn(text + start, " \t") >= end;
}

static void apply_root(struct yaml_apply *a)
{
    const struct yaml_node *root = yaml_doc_root(a->e->doc);
    bool flow = root->flow && root->n;
    struct yaml_spot spot = {.layout = a->layout, .text = a->text, .old = root, .root = true,
                             .flow = flow};
    _cleanup_free_ char *text = yaml_new_value(a, root, &spot);
    size_t end, from;

    if (!text) {
        yaml_apply_inside(a, root);
        return;
    }
    char *lines = xstrdup(text + (*text == ' ' || *text == '\n'));

    if (root->start == root->end) {
        from = yaml_skip_trivia(a->text, root->start ? root->start
                                                     : yaml_line_start(a->text, 0));
        yaml_splice_lines(a, from, from, lines);
        return;
    }
    end = yaml_content_end(a->text, root);
    from = yaml_line_start(a->text, root->start);
    if (is_blank(a->text, from, root->start) &&
        is_blank(a->text, end, yaml_line_end(a->text, end))) {
        yaml_splice_lines(a, from, yaml_region_end(a->text, end, 0), lines);
    } else {
        /* Without the blanks: a tab must not start a line. */
        yaml_splice(a, root->start, end + strspn(a->text + end, " \t"), xstrdup(""));
        end = yaml_next_line(a->text, end);
        yaml_splice_lines(a, end, end, lines);
    }
}

char *yaml_edit_apply(const struct yaml_edit *e, size_t *ret_len)
{
    struct yaml_apply a = {.e = e};
    char *out;

    a.text = yaml_doc_text(e->doc, &a.len);
    if (e->n) {
        a.layout = yaml_layout_of(e->doc);
        a.layout.quoted = e->quoted;
        sort_changes(&a);
        apply_root(&a);
        end_block_scalar(&a);
    }
    out = write_splices(&a, ret_len);
    for (size_t i = 0; i < a.n; i++)
        free(a.v[i].text);
    free(a.v);
    free(a.sorted);
    return out;
}
