/* SPDX-License-Identifier: Apache-2.0 */
/* Changes inside of {…} and […]. Between two entries stand, in this order: what belongs to the
 * first, a comma, a comment on the line of the comma (of the first as well), and what leads to the
 * second. */
#include "base/mem.h"
#include "yaml/internal.h"

struct flow {
    struct yaml_apply *a;
    struct yaml_entry *v;
    size_t n;
    size_t open, close; /* behind the opening bracket, and the closing one */
    bool last_comma;    /* a comma behind the last entry */
};

/* The pieces behind an entry: the comma (or the place for one), and the end of the comment on its
 * line. */
struct gap {
    size_t comma, lead;
    bool has_comma;
};

static struct gap gap_behind(const struct flow *f, size_t i)
{
    const char *text = f->a->text;
    struct gap g = {.comma = f->v[i].end, .has_comma = i + 1 < f->n || f->last_comma};
    size_t hash;

    if (g.has_comma)
        g.comma = yaml_skip_trivia(text, f->v[i].end);
    hash = g.comma + g.has_comma;
    g.lead = hash;
    hash += strspn(text + hash, " \t");
    if (text[hash] == '#')
        g.lead = yaml_line_end(text, hash);
    return g;
}

static bool has_break(const char *text, size_t start, size_t end)
{
    return yaml_line_end(text, start) < end;
}

/* New text for a gap. A comment that is still open gets its line break before anything else. */
struct joint {
    struct sbuf out;
    bool comment;
    unsigned col;
};

static void join(struct joint *j, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (j->comment && s[i] != '\n') {
            sbuf_addf(&j->out, "\n%*s", (int)j->col, "");
            j->comment = false;
        } else if (j->comment && s[i] == '\n') {
            j->comment = false;
        }
        /* To the end of a comment at once. Behind a comma it needs no blank, elsewhere it does. */
        if (s[i] == '#') {
            size_t n = 0;

            if (j->out.len == 0 || !strchr(" \t\n", j->out.buf[j->out.len - 1]))
                sbuf_addch(&j->out, ' ');
            while (i + n < len && s[i + n] != '\n')
                n++;
            sbuf_add(&j->out, s + i, n);
            i += n - 1;
            j->comment = true;
        } else {
            sbuf_addch(&j->out, s[i]);
        }
    }
}

static void join_doc(struct joint *j, const char *text, size_t start, size_t end)
{
    struct sbuf plain = SBUF_INIT;

    /* Line breaks are put in again as those of the document. */
    while (start < end) {
        size_t n = yaml_break_len(text, start);

        sbuf_addch(&plain, n ? '\n' : text[start]);
        start += n ? n : 1;
    }
    join(j, sbuf_str(&plain), plain.len);
    sbuf_release(&plain);
}

static void join_text(struct joint *j, const char *s)
{
    if (j->comment && *s) {
        sbuf_addf(&j->out, "\n%*s", (int)j->col, "");
        j->comment = false;
    }
    sbuf_addstr(&j->out, s);
}

/* What stands in front of a new entry, as in front of entry i: a line break, or blanks. */
static void join_lead(struct joint *j, const struct flow *f, size_t i, bool first)
{
    const char *text = f->a->text;
    size_t from = i ? gap_behind(f, i - 1).comma : f->open;

    if (has_break(text, from, f->v[i].start)) {
        if (j->comment)
            j->comment = false;
        sbuf_addf(&j->out, "\n%*s", (int)yaml_column(text, f->v[i].start), "");
    } else if (!first) {
        join_text(j, " ");
    } else if (!i) {
        join_doc(j, text, f->open, f->v[0].start);
    }
}

/* Replaces what stands between two entries that stay: `left` (SIZE_MAX: the opening bracket) and
 * `right` (n: the closing one), with n_add new ones between them. */
static void change_gap(const struct flow *f, size_t left, size_t right,
                       const struct yaml_change *const *add, size_t n_add)
{
    const char *text = f->a->text;
    struct yaml_spot spot = {.layout = f->a->layout, .text = text, .flow = true};
    bool first = left == SIZE_MAX, more = n_add || right < f->n || f->last_comma;
    size_t start = first ? f->open : f->v[left].end;
    size_t end = right < f->n ? f->v[right].start : f->close, lead;
    struct joint j = {.col = yaml_column(text, f->open)};

    if (!first) {
        struct gap g = gap_behind(f, left);
        /* Right behind its colon a comma would be part of the key. */
        bool at_colon = !g.has_comma && f->v[left].colon && f->v[left].end == f->v[left].mark;

        if (g.has_comma)
            join_doc(&j, text, start, g.comma);
        join_text(&j, !more ? "" : at_colon ? " ," : ",");
        join_doc(&j, text, g.comma + g.has_comma, g.lead);
    }
    for (size_t i = 0; i < n_add; i++) {
        struct sbuf entry = SBUF_INIT;

        join_lead(&j, f, first ? right : left, first && i == 0);
        yaml_render_entry(&entry, add[i]->from, add[i]->key, add[i]->node, &spot);
        join_text(&j, sbuf_str(&entry));
        join_text(&j, i + 1 < n_add || right < f->n || f->last_comma ? "," : "");
        sbuf_release(&entry);
    }
    lead = right ? gap_behind(f, right - 1).lead : f->open;
    if (right == f->n || has_break(text, lead, end) || memchr(text + lead, '#', end - lead))
        join_doc(&j, text, lead, end);
    else
        join_lead(&j, f, first && !n_add ? 0 : right, first && !n_add);
    join_text(&j, "");
    if (j.comment)
        sbuf_addf(&j.out, "\n%*s", (int)j.col, "");
    yaml_splice(f->a, start, end, sbuf_detach(&j.out));
}

static void change_entry(const struct flow *f, const struct yaml_entry *e)
{
    struct yaml_apply *a = f->a;
    struct yaml_spot spot = {.layout = a->layout, .text = a->text, .old = e->value, .flow = true};
    _cleanup_free_ char *text = yaml_new_value(a, e->value, &spot), *properties = NULL;
    const char *front = "";

    if (!text) {
        yaml_apply_inside(a, e->value);
        return;
    }
    properties = yaml_kept_properties(a, e->value);
    if (e->key && !e->colon)
        front = e->question ? " : " : ": ";
    else if (e->from == e->mark && e->key)
        front = " ";
    yaml_splice(a, e->from, e->end, xasprintf("%s%s%s%s", front, properties ? properties : "",
                                              properties ? " " : "", text));
}

/* A pair in […] without braces gets them, so that it can hold more. */
static void add_to_bare_pair(struct yaml_apply *a, const struct yaml_entry *e,
                             const struct yaml_change *const *add, size_t n)
{
    struct yaml_spot spot = {.layout = a->layout, .text = a->text, .flow = true};
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < n; i++) {
        sbuf_addstr(&out, ", ");
        yaml_render_entry(&out, add[i]->from, add[i]->key, add[i]->node, &spot);
    }
    sbuf_addch(&out, '}');
    yaml_splice(a, e->start, e->start, xstrdup("{"));
    yaml_splice(a, e->end, e->end, sbuf_detach(&out));
}

static void apply_entries(const struct flow *f, const struct yaml_change *const *add, size_t n)
{
    size_t left = SIZE_MAX, taken = 0;

    for (size_t i = 0; i <= f->n; i++) {
        size_t from = taken;

        if (i < f->n && yaml_is_removed(f->a, f->v[i].value))
            continue;
        while (taken < n && (i == f->n || add[taken]->before <= i))
            taken++;
        if (taken > from || left + 1 != i)
            change_gap(f, left, i, add + from, taken - from);
        if (i < f->n)
            change_entry(f, &f->v[i]);
        left = i;
    }
}

void yaml_apply_flow(struct yaml_apply *a, const struct yaml_node *node)
{
    struct flow f = {.a = a};
    const struct yaml_change *const *add;
    size_t n_add, end;

    if (yaml_entries(a->text, node, &f.v, &f.n) < 0 || !f.n)
        return;
    add = yaml_additions(a, node, &n_add);
    if (!yaml_has_brackets(a->text, node)) {
        change_entry(&f, &f.v[0]);
        if (n_add)
            add_to_bare_pair(a, &f.v[0], add, n_add);
    } else {
        f.open = yaml_value_start(a->text, node) + 1;
        end = yaml_skip_trivia(a->text, f.v[f.n - 1].end);
        f.last_comma = a->text[end] == ',';
        f.close = f.last_comma ? yaml_skip_trivia(a->text, end + 1) : end;
        apply_entries(&f, add, n_add);
    }
    free(f.v);
}
