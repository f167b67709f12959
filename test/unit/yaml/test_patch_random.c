/* SPDX-License-Identifier: Apache-2.0 */
/* Random documents, in all the styles people write, and random wishes: what comes out says what is
 * wanted, and the lines of what nobody touched are still there, in their order. The numbers are
 * the same in every run. */
#include "base/mem.h"
#include "base/strv.h"
#include "yaml/emit.h"
#include "yaml/patch.h"
#include <criterion/criterion.h>

enum { DOCUMENTS = 2500, DEPTH = 4 };

static uint64_t state;

static unsigned below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % n);
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* ---- a document ------------------------------------------------------------------------------ */

struct text {
    struct sbuf out;
    unsigned serial;  /* keys and values differ from all others */
    unsigned done[64]; /* anchors of mappings that are complete */
    unsigned anchors;  /* so many of them */
    bool crlf, ends_in_block;
};

static void add_comment(struct text *t)
{
    if (one_in(5))
        sbuf_addf(&t->out, "%*s# note %u", 1 + (int)below(3), "", t->serial++);
}

static void end_line(struct text *t)
{
    add_comment(t);
    sbuf_addch(&t->out, '\n');
}

static void between(struct text *t, unsigned col)
{
    if (one_in(6))
        sbuf_addch(&t->out, '\n');
    if (one_in(6))
        sbuf_addf(&t->out, "%*s# line %u\n", (int)col, "", t->serial++);
}

static void add_flow(struct text *t, unsigned depth)
{
    unsigned n = below(4), kind = depth ? below(6) : 5;
    bool map = kind == 1, apart = one_in(4);

    if (kind > 1) {
        sbuf_addf(&t->out, one_in(3) ? "'q %u'" : one_in(3) ? "\"d %u\"" : "%u", t->serial++);
        return;
    }
    sbuf_addch(&t->out, map ? '{' : '[');
    for (unsigned i = 0; i < n; i++) {
        if (apart)
            sbuf_addf(&t->out, one_in(4) ? " # in %u\n    " : "\n    ", t->serial++);
        else if (i || one_in(4))
            sbuf_addch(&t->out, ' ');
        if (map)
            sbuf_addf(&t->out, one_in(3) ? "\"k%u\": " : "k%u: ", t->serial++);
        add_flow(t, depth - 1);
        if (i + 1 < n || one_in(5))
            sbuf_addstr(&t->out, one_in(6) ? " ," : ",");
    }
    sbuf_addf(&t->out, "%s%c", apart ? "\n   " : "", map ? '}' : ']');
}

static void add_scalar_lines(struct text *t, unsigned col)
{
    static const char *const headers[] = {" |", " |-", " >", " >-", " |+", " | # b"};
    unsigned lines = 1 + below(3);

    sbuf_addf(&t->out, "%s\n", headers[below(6)]);
    for (unsigned i = 0; i < lines; i++)
        sbuf_addf(&t->out, "%*s%sbody %u\n%s", (int)col + 1, "",
                  i && one_in(3) ? "  " : "", t->serial++, one_in(6) ? "\n" : "");
}

/* What stands behind a colon or a dash, up to the end of the line. */
static void add_scalar(struct text *t, unsigned col)
{
    unsigned n = t->serial++;

    t->ends_in_block = false;
    switch (below(10)) {
    case 0:
        break;
    case 1:
        sbuf_addstr(&t->out, one_in(2) ? " ~" : " null");
        break;
    case 2:
        sbuf_addf(&t->out, "%*s%u", 1 + (int)below(3), "", n);
        break;
    case 3:
        sbuf_addf(&t->out, " 'it''s %u'", n);
        break;
    case 4:
        sbuf_addf(&t->out, " \"tab\\t %u\"", n);
        break;
    case 5:
        sbuf_addf(&t->out, " two\n%*slines %u", (int)col + 2, "", n);
        break;
    case 6:
        add_scalar_lines(t, col);
        t->ends_in_block = true; /* its chomping tells what a line break more would mean */
        return;
    case 7:
        sbuf_addch(&t->out, ' ');
        add_flow(t, 3);
        break;
    case 8:
        if (t->anchors && one_in(2)) {
            sbuf_addf(&t->out, " *a%u", t->done[below(t->anchors)]);
            break;
        } /* fall through */
    default:
        sbuf_addf(&t->out, " !!str text %u", n);
    }
    end_line(t);
}

static void add_block(struct text *t, bool map, unsigned col, unsigned depth, bool behind);

static void add_value(struct text *t, bool in_map, unsigned col, unsigned dash, unsigned depth)
{
    bool map = one_in(2), anchor = map && one_in(4);
    unsigned inner, name = t->serial;

    if (!depth || one_in(3)) {
        add_scalar(t, col);
        return;
    }
    if (!in_map && one_in(2)) {
        sbuf_addf(&t->out, "%*s", (int)dash - 1, "");
        add_block(t, map, col + dash, depth - 1, true);
        return;
    }
    if (anchor)
        sbuf_addf(&t->out, " &a%u", t->serial++);
    end_line(t);
    inner = col + (map || !in_map ? 1 + below(4) : one_in(2) ? 0 : 2);
    add_block(t, map, inner, depth - 1, false);
    if (anchor && t->anchors < ARRAY_SIZE(t->done))
        t->done[t->anchors++] = name;
}

static void add_block(struct text *t, bool map, unsigned col, unsigned depth, bool behind)
{
    unsigned n = 1 + below(4), dash = one_in(3) ? 4 : 2;

    for (unsigned i = 0; i < n; i++) {
        if (i || !behind) {
            between(t, col);
            sbuf_addf(&t->out, "%*s", (int)col, "");
        }
        if (map && i == 0 && t->anchors && one_in(5)) {
            sbuf_addf(&t->out, "<<: *a%u", t->done[below(t->anchors)]);
            end_line(t);
            continue;
        }
        if (map)
            sbuf_addf(&t->out, one_in(5) ? "'k %u':" : "k%u:", t->serial++);
        else
            sbuf_addch(&t->out, '-');
        add_value(t, map, col, dash, depth);
    }
}

static char *make_text(void)
{
    struct text t = {.crlf = one_in(6)};
    _cleanup_sbuf_ struct sbuf all = SBUF_INIT;

    if (one_in(8))
        sbuf_addstr(&all, "\xef\xbb\xbf");
    if (one_in(4))
        sbuf_addstr(&t.out, one_in(2) ? "---\n" : "%YAML 1.2\n---\n# marked\n");
    add_block(&t, !one_in(5), one_in(6) ? 3 : 0, DEPTH, false);
    if (one_in(8))
        sbuf_addstr(&t.out, "...\n---\nother: 1\n");
    else if (one_in(6) && !t.ends_in_block)
        t.out.buf[--t.out.len] = '\0';
    for (size_t i = 0; i < t.out.len; i++) {
        if (t.crlf && t.out.buf[i] == '\n')
            sbuf_addch(&all, '\r');
        sbuf_addch(&all, t.out.buf[i]);
    }
    sbuf_release(&t.out);
    return sbuf_detach(&all);
}

/* ---- a wish ---------------------------------------------------------------------------------- */

struct wish {
    struct yaml_writer w;
    const char *text;
    unsigned serial, odds; /* one change in so many places */
    int elsewhere;         /* levels of aliases: what is seen stands in another place */
    bool *kept;            /* lines that nobody touches */
};

static unsigned line_of(const char *text, size_t at)
{
    unsigned line = 1;

    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

/* The last byte that counts, whatever the parser's end mark says. */
static size_t content_end(const struct yaml_node *node)
{
    size_t n = node->type == YAML_MAP ? node->n_own : node->n;

    if (node->alias || node->type == YAML_SCALAR || node->flow || !n)
        return node->end - (node->end > node->start);
    return content_end(node->type == YAML_MAP ? node->own[n - 1].value : node->items[n - 1]);
}

static void new_value(struct wish *w)
{
    unsigned n = w->serial++;

    switch (below(6)) {
    case 0:
        yaml_write_open(&w->w, false);
        yaml_write_key(&w->w, "new");
        new_value(w);
        yaml_write_close(&w->w);
        break;
    case 1:
        yaml_write_open(&w->w, true);
        yaml_write_item(&w->w);
        new_value(w);
        yaml_write_close(&w->w);
        break;
    case 2:
        yaml_write_raw(&w->w, one_in(2) ? "null" : one_in(2) ? "{}" : "[]");
        break;
    default: {
        _cleanup_free_ char *s =
            xasprintf(one_in(4) ? "%u\nlines\n" : one_in(4) ? " %u: #" : "new %u", n);

        yaml_write_text(&w->w, s);
    }
    }
}

/* Writes what is wanted in place of a node. True when that is the node as it is. */
static bool wish_for(struct wish *w, const struct yaml_node *node);

/* Which item a changed one was is a guess when others come or go. */
static void forget_items(struct wish *w, const struct yaml_node *list, const bool *kept)
{
    for (size_t i = 0; i < list->n && !list->alias && !list->flow; i++)
        for (unsigned line = list->items[i]->line;
             !kept[i] && line <= line_of(w->text, content_end(list->items[i])); line++)
            w->kept[line] = false;
}

static bool wish_for_entries(struct wish *w, const struct yaml_node *node)
{
    bool map = node->type == YAML_MAP, same = true, in_block = !node->flow, twins = false;
    _cleanup_free_ bool *as_it_is = xcalloc(node->n, sizeof(bool));
    bool moved = false;
    size_t written = 0;

    /* With an alias in a list two items are alike: either may be the one that goes. */
    for (size_t i = 0; !map && i < node->n; i++)
        twins |= node->items[i]->alias;
    w->elsewhere += node->alias + twins;
    yaml_write_open(&w->w, !map);
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_node *v = map ? node->pairs[i].value : node->items[i];
        const struct yaml_node *first = map ? node->pairs[i].key : v;
        bool merged = map && node->pairs[i].merged, kept;

        /* Not the last one that is left: an entry is needed for the writer. */
        if (written && one_in(w->odds)) {
            moved = true;
            continue;
        }
        if (!map && one_in(w->odds)) {
            yaml_write_item(&w->w);
            new_value(w);
            moved = true;
        }
        if (map)
            yaml_write_key(&w->w, first->value);
        else
            yaml_write_item(&w->w);
        w->elsewhere += merged;
        kept = wish_for(w, v);
        same &= kept;
        as_it_is[i] = kept;
        written++;
        /* Which of several empty items goes nobody can tell. */
        if (kept && in_block && !v->refs && !w->elsewhere &&
            (map || !(v->type == YAML_SCALAR ? yaml_is_null(v) : v->n == 0)))
            for (unsigned line = first->line; line <= line_of(w->text, content_end(v)); line++)
                w->kept[line] = true;
        w->elsewhere -= merged;
    }
    if (one_in(w->odds)) {
        _cleanup_free_ char *key = xasprintf("added %u", w->serial++);

        if (map)
            yaml_write_key(&w->w, key);
        else
            yaml_write_item(&w->w);
        new_value(w);
        moved = true;
    }
    yaml_write_close(&w->w);
    if (!map && moved)
        forget_items(w, node, as_it_is);
    w->elsewhere -= node->alias + twins;
    return same && !moved;
}

static bool wish_for(struct wish *w, const struct yaml_node *node)
{
    if (one_in(w->odds * 2)) {
        new_value(w);
        return false;
    }
    if (node->type != YAML_SCALAR && node->n)
        return wish_for_entries(w, node);
    yaml_write_node(&w->w, node);
    return true;
}

/* ---- both together --------------------------------------------------------------------------- */

static void add_lines(struct strv *v, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        strv_push_consume(v, xstrndup(text, n));
        text += n + (text[n] == '\n');
    }
}

/* Each line that is kept is found again behind the one before. Its indentation may have become a
 * dash when what stood in front of it is gone. */
static void check_lines(const char *old, const char *got, const bool *kept)
{
    _cleanup_strv_ struct strv before = STRV_INIT, after = STRV_INIT;
    size_t at = 0;

    add_lines(&before, old + (str_starts(old, "\xef\xbb\xbf") ? 3 : 0));
    add_lines(&after, got);
    for (size_t i = 0; i < before.n; i++) {
        const char *line = before.v[i] + strspn(before.v[i], " -");

        /* Lines without a number are not one of a kind. */
        if (!kept[i + 1] || !strpbrk(line, "0123456789"))
            continue;
        while (at < after.n && !strstr(after.v[at], line))
            at++;
        cr_assert_lt(at, after.n, "line %zu '%s' is gone:\n%s\n----\n%s", i + 1, line, old, got);
        at++;
    }
}

static struct yaml_doc *parse(const char *what, const char *text, size_t len)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct yaml_doc *doc = yaml_doc_parse(what, text, len, &d);

    cr_assert(doc, "%s: %s in line %u:\n%s", what, d.v[0].msg, d.v[0].line, text);
    return doc;
}

static void check_one(unsigned seed)
{
    state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    _cleanup_free_ char *text = make_text();
    size_t len = strlen(text), got_len;
    struct wish w = {.w = YAML_WRITER_INIT(true), .text = text, .odds = 4 + below(20)};
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse("old", text, len);
    _cleanup_err_ struct err err = ERR_INIT;
    bool same;

    w.kept = xcalloc(line_of(text, len) + 2, sizeof(bool));
    same = wish_for(&w, yaml_doc_root(doc));
    _cleanup_free_ char *json = yaml_writer_finish(&w.w);
    _cleanup_yaml_doc_ struct yaml_doc *wanted = parse("wanted", json, strlen(json));
    _cleanup_free_ char *got = yaml_patch(doc, wanted, &got_len, &err);

    cr_assert(got, "seed %u: %s\n%s\n%s", seed, err.msg, text, json);
    _cleanup_yaml_doc_ struct yaml_doc *again = parse("got", got, got_len);
    cr_assert(yaml_equal(yaml_doc_root(again), yaml_doc_root(wanted)), "seed %u\n%s\n%s\n%s", seed,
              text, json, got);
    if (same)
        cr_assert_str_eq(got, text, "seed %u: nothing was wanted", seed);
    check_lines(text, got, w.kept);
    free(w.kept);
}

Test(yaml_patch, random_documents_and_wishes)
{
    for (unsigned seed = 0; seed < DOCUMENTS; seed++)
        check_one(seed);
}
