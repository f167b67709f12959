/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml/doc.h"
#include "base/mem.h"
#include "yaml/builder.h"

int yaml_fail_at(struct builder *b, size_t line, size_t col, const char *fmt, ...)
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

char *yaml_show_colon(const struct builder *b, const struct yaml_node *node, char *value)
{
    for (size_t i = 0; i < b->n_colons; i++)
        if (node->start == b->colons[i] && node->style == YAML_PLAIN && *value)
            *value = ':';
    return value;
}

/* The next step for mistakes that many make; NULL for others. */
static const char *hint_for(const struct builder *b, const yaml_parser_t *p)
{
    static const struct {
        const char *problem, *hint;
        const char *at; /* characters at the place, NULL for any */
    } hints[] = {
        {"cannot start any token", "indent with spaces, YAML takes no tabs there", "\t"},
        {"cannot start any token", "a text that starts with this character needs quotes", "@`%"},
        {"mapping values are not allowed", "a text that holds `: ` needs quotes; a key stands on a "
         "line of its own, in the column of its neighbours", NULL},
        {"unexpected end of stream", "close the quotes", NULL},
        {"unknown escape character", "in double quotes a backslash is written \\\\; single quotes "
         "take it as it is", NULL},
        {"expected hexdecimal number", "in double quotes a backslash is written \\\\; single "
         "quotes take it as it is", NULL},
        {"expected ',' or", "put a comma between the entries, and close the bracket", NULL},
        {"expected alphabetic or numeric", "a text that starts with & or * needs quotes", NULL},
        {"did not find expected '-' indicator", "keys and list items can't be mixed in one column",
         NULL},
        {"did not find expected key", "look at the indentation: keys of one mapping stand in one "
         "column", NULL},
    };
    size_t at = yaml_text_offset(&b->doc->text, p->problem_mark.line, p->problem_mark.column);
    char c = b->doc->text.s[at];

    for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
        if (p->problem && strstr(p->problem, hints[i].problem) &&
            (!hints[i].at || (c && strchr(hints[i].at, c))))
            return hints[i].hint;
    return NULL;
}

/* libyaml's own errors: two places and two half sentences. What ends too late (a quote, a flow
 * list) is better shown where it starts. */
static int on_parser_error(struct builder *b, const yaml_parser_t *p)
{
    const char *problem = p->problem ? p->problem : "not valid YAML";
    yaml_mark_t at = p->problem_mark, other = p->context_mark;

    if (p->error == YAML_MEMORY_ERROR)
        return yaml_fail_at(b, 0, 0, "out of memory");
    if (!p->context || (other.line == at.line && other.column == at.column))
        return yaml_fail_at(b, at.line, at.column, "%s%s%s", p->context ? p->context : "",
                       p->context ? ", " : "", problem);
    if (strstr(problem, "end of stream") || strstr(problem, "document indicator"))
        return yaml_fail_at(b, other.line, other.column, "%s, %s in line %zu", p->context, problem,
                       at.line + 1);
    return yaml_fail_at(b, at.line, at.column, "%s (%s that starts in line %zu)", problem, p->context,
                   other.line + 1);
}

/* After the first document: what follows it is read by nobody, which its author should know. A
 * mistake in there is one more reason, not another problem; but what has neither `---` nor `...`
 * in front belongs to this document and is wrong. */
static int warn_of_more(struct builder *b, yaml_parser_t *parser, yaml_mark_t end, bool ended)
{
    yaml_event_t ev;
    yaml_mark_t at;

    if (!ended && end.line < b->doc->text.n_lines &&
        b->doc->text.s[b->doc->text.lines[end.line]] == '%')
        return yaml_fail_at(b, end.line, 0, "a directive needs a line `...` in front of it");
    if (yaml_parser_parse(parser, &ev)) {
        bool more = ev.type == YAML_DOCUMENT_START_EVENT;

        at = ev.start_mark;
        yaml_event_delete(&ev);
        if (!more)
            return YAML_COMPLETE;
    } else {
        at = parser->problem_mark;
        if (!ended && parser->problem && strstr(parser->problem, "<document start>"))
            return yaml_fail_at(b, at.line, at.column,
                           "the document has ended before this: nothing can follow");
    }
    struct diag *p = diags_add(b->d, DIAG_WARNING, NULL,
                               "only the first document of the file counts; what follows is "
                               "ignored");
    _cleanup_free_ char *source = yaml_text_line(&b->doc->text, at.line);
    diag_set_position(p, b->doc->name, (unsigned)at.line + 1, (unsigned)at.column + 1, source);
    diag_set_hint(p, "remove it, or the line `---` in front of it");
    return YAML_COMPLETE;
}

/* YAML_COMPLETE, YAML_AGAIN or -1; the builder is empty afterwards. */
static int read_events(struct builder *b)
{
    yaml_parser_t parser;
    int r = 0;

    if (!yaml_parser_initialize(&parser))
        return yaml_fail_at(b, 0, 0, "out of memory");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser,
                                 (const unsigned char *)b->doc->text.s + b->doc->text.bom,
                                 b->doc->text.len - b->doc->text.bom);
    while (!r) {
        yaml_event_t ev;

        if (!yaml_parser_parse(&parser, &ev)) {
            r = hide_colon(b, &parser) ? YAML_AGAIN : on_parser_error(b, &parser);
            if (r < 0 && hint_for(b, &parser))
                diag_set_hint(&b->d->v[b->d->n - 1], "%s", hint_for(b, &parser));
            break;
        }
        bool end = ev.type == YAML_DOCUMENT_END_EVENT;
        bool ended = end && !ev.data.document_end.implicit;
        yaml_mark_t at = ev.start_mark;
        r = yaml_take_event(b, &ev);
        yaml_event_delete(&ev);
        if (end)
            r = warn_of_more(b, &parser, at, ended);
    }
    yaml_parser_delete(&parser);
    while (b->depth) {
        free(b->stack[--b->depth].pairs);
        free(b->stack[b->depth].items);
    }
    free(b->anchors);
    b->anchors = NULL;
    b->n_anchors = b->cap_anchors = b->weight = b->bytes = 0;
    return r;
}

static int build(struct builder *b)
{
    int r;

    do
        r = read_events(b);
    while (r == YAML_AGAIN);
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
