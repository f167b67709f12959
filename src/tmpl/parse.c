/* SPDX-License-Identifier: Apache-2.0 */
/* Texts, actions and blocks. */
#include "tmpl/tmpl.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tmpl/internal.h"

static const char BLANKS[] = " \t\r\n";

/* Line and column (in characters) of a place, from 1. */
static void find_place(const struct tmpl *t, size_t pos, unsigned *ret_line, unsigned *ret_col)
{
    size_t line_start = 0;
    unsigned line = 1, col = 1;

    for (size_t i = 0; i < pos && i < t->len; i++)
        if (t->text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    for (size_t i = line_start; i < pos && i < t->len; col++) {
        uint32_t c;
        size_t n = utf8_decode(t->text + i, t->len - i, &c);

        i += n ? n : 1;
    }
    *ret_line = line;
    *ret_col = col;
}

int tmpl_fail(const struct tmpl *t, size_t pos, struct err *err, const char *fmt, va_list ap)
{
    unsigned line, col;

    if (!err || err_is_set(err))
        return -1;
    find_place(t, pos, &line, &col);
    _cleanup_free_ char *why = xvasprintf(fmt, ap);
    return err_set(err, ERR_CONFIG, "%u:%u: %s", line, col, why);
}

int tmpl_parse_fail(struct tmpl_parser *p, size_t pos, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)tmpl_fail(p->t, pos, p->err, fmt, ap);
    va_end(ap);
    return -1;
}

void tmpl_parse_blanks(struct tmpl_parser *p)
{
    p->pos += strspn(p->s + p->pos, BLANKS);
}

bool tmpl_is_name(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

bool tmpl_parse_at_end(const struct tmpl_parser *p)
{
    const char *s = p->s + p->pos;

    return str_starts(s, "}}") ||
           (str_starts(s, "-}}") && p->pos > 0 && strchr(BLANKS, s[-1]) != NULL);
}

int tmpl_parse_end(struct tmpl_parser *p)
{
    tmpl_parse_blanks(p);
    if (!tmpl_parse_at_end(p)) {
        if (!p->s[p->pos]) {
            tmpl_parse_fail(p, p->pos, "unclosed action");
            return err_hint(p->err, "an action ends with `}}`");
        }
        tmpl_parse_fail(p, p->pos, "unexpected `%.10s`, an action should end here",
                        p->s + p->pos);
        return err_hint(p->err, "an action ends with `}}`");
    }
    p->trim_next = p->s[p->pos] == '-';
    p->pos += p->trim_next ? 3 : 2;
    return 0;
}

/* ---- blocks ------------------------------------------------------------------------------------ */

enum stop { STOP_EOF, STOP_END, STOP_ELSE };

struct opening {
    size_t start;   /* of {{ */
    size_t keyword; /* of the word behind it */
};

static int parse_list(struct tmpl_parser *p, struct tmpl_node **ret, enum stop *ret_stop,
                      struct opening *ret_at);

static struct tmpl_node *new_node(struct tmpl_parser *p, enum tmpl_node_kind kind,
                                  const struct opening *o)
{
    struct tmpl_node *n = arena_alloc(&p->t->arena, sizeof(*n));

    n->kind = kind;
    n->start = o->start;
    n->pos = o->keyword;
    return n;
}

/* The word at the place, when it is all of the word. */
static bool take_word(struct tmpl_parser *p, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(p->s + p->pos, word, n) != 0 || tmpl_is_name(p->s[p->pos + n]) ||
        p->s[p->pos + n] == '.')
        return false;
    p->pos += n;
    return true;
}

static int parse_block(struct tmpl_parser *p, const struct opening *o, enum tmpl_node_kind kind,
                       struct tmpl_node **ret);

/* Variables live until the end of their block. */
static void pop_vars(struct tmpl_parser *p, size_t n)
{
    while (p->vars.n > n) {
        free(p->vars.v[--p->vars.n]);
        p->vars.v[p->vars.n] = NULL;
    }
}

/* Behind `else`: its own list, or `else if …` whose end is the end of all. */
static int parse_else(struct tmpl_parser *p, const struct opening *o, struct tmpl_node *n,
                      const struct opening *at)
{
    enum stop stop = STOP_EOF;
    struct opening end = {0, 0};

    tmpl_parse_blanks(p);
    size_t word = p->pos;
    if (n->kind != NODE_RANGE && (take_word(p, "if") || take_word(p, "with"))) {
        struct opening inner = {at->start, word};
        enum tmpl_node_kind kind = p->s[word] == 'i' ? NODE_IF : NODE_WITH;

        if (parse_block(p, &inner, kind, &n->otherwise) < 0)
            return -1;
        n->otherwise->chained = true;
        return 0;
    }
    if (tmpl_parse_end(p) < 0 || parse_list(p, &n->otherwise, &stop, &end) < 0)
        return -1;
    if (stop == STOP_ELSE)
        return tmpl_parse_fail(p, end.keyword, "a second {{else}}");
    if (stop == STOP_EOF) {
        tmpl_parse_fail(p, o->start, "unexpected end of the template: {{end}} is missing");
        return err_hint(p->err, "the block that begins here needs an {{end}}");
    }
    return 0;
}

/* Behind the word if, with or range. */
static int parse_block(struct tmpl_parser *p, const struct opening *o, enum tmpl_node_kind kind,
                       struct tmpl_node **ret)
{
    static const char *const words[] = {[NODE_IF] = "if", [NODE_WITH] = "with",
                                        [NODE_RANGE] = "range"};
    struct tmpl_node *n = new_node(p, kind, o);
    size_t n_vars = p->vars.n;
    enum stop stop = STOP_EOF;
    struct opening at = {0, 0};

    if (++p->depth > TMPL_DEPTH_MAX)
        return tmpl_parse_fail(p, o->start, "blocks are nested deeper than %d", TMPL_DEPTH_MAX);
    if (tmpl_parse_pipe(p, kind == NODE_RANGE, words[kind], &n->pipe) < 0 || tmpl_parse_end(p) < 0)
        return -1;
    p->ranges += kind == NODE_RANGE;
    size_t n_own = p->vars.n;
    if (parse_list(p, &n->body, &stop, &at) < 0)
        return -1;
    pop_vars(p, n_own);
    p->ranges -= kind == NODE_RANGE;
    if (stop == STOP_ELSE) {
        if (parse_else(p, o, n, &at) < 0)
            return -1;
    } else if (stop == STOP_EOF) {
        tmpl_parse_fail(p, o->start, "unexpected end of the template: {{end}} is missing");
        return err_hint(p->err, "the {{%s}} that begins here needs an {{end}}", words[kind]);
    }
    pop_vars(p, n_vars);
    n->end = p->pos;
    p->depth--;
    *ret = n;
    return 0;
}

/* A name in quotes: of a template. */
static int parse_name(struct tmpl_parser *p, const char *what, const char **ret)
{
    struct tmpl_expr e = {0};

    tmpl_parse_blanks(p);
    if (p->s[p->pos] != '"' && p->s[p->pos] != '`')
        return tmpl_parse_fail(p, p->pos, "{{%s}} needs a name in quotes", what);
    if (tmpl_parse_string(p, &e) < 0)
        return -1;
    *ret = e.text;
    return 0;
}

static int parse_define(struct tmpl_parser *p, const struct opening *o, const char *name)
{
    struct tmpl_define *d = arena_alloc(&p->t->arena, sizeof(*d));
    struct strv outer = p->vars;
    unsigned ranges = p->ranges;
    enum stop stop = STOP_EOF;
    struct opening at = {0, 0};

    if (++p->depth > TMPL_DEPTH_MAX)
        return tmpl_parse_fail(p, o->start, "blocks are nested deeper than %d", TMPL_DEPTH_MAX);
    p->vars = (struct strv)STRV_INIT; /* it sees none of those around it */
    p->ranges = 0;
    strv_push(&p->vars, "$");
    int r = tmpl_parse_end(p) < 0 ? -1 : parse_list(p, &d->body, &stop, &at);
    strv_release(&p->vars);
    p->vars = outer;
    p->ranges = ranges;
    p->depth--;
    if (r < 0)
        return -1;
    if (stop != STOP_END)
        return tmpl_parse_fail(p, stop == STOP_ELSE ? at.keyword : o->start,
                               stop == STOP_ELSE ? "unexpected {{else}}"
                                                 : "{{end}} is missing");
    d->name = name;
    d->next = p->t->defines;
    p->t->defines = d;
    return 0;
}

/* {{template "x" pipe}} and {{block "x" pipe}}…{{end}}. */
static int parse_template(struct tmpl_parser *p, const struct opening *o, bool block,
                          struct tmpl_node **ret)
{
    struct tmpl_node *n = new_node(p, NODE_TEMPLATE, o);
    const char *what = block ? "block" : "template";

    if (parse_name(p, what, &n->name) < 0)
        return -1;
    tmpl_parse_blanks(p);
    if ((block || !tmpl_parse_at_end(p)) && tmpl_parse_pipe(p, false, what, &n->pipe) < 0)
        return -1;
    if ((block ? parse_define(p, o, n->name) : tmpl_parse_end(p)) < 0)
        return -1;
    n->end = p->pos;
    *ret = n;
    return 0;
}

static int parse_jump(struct tmpl_parser *p, const struct opening *o, enum tmpl_node_kind kind,
                      struct tmpl_node **ret)
{
    if (!p->ranges)
        return tmpl_parse_fail(p, o->keyword, "{{%s}} outside of {{range}}",
                               kind == NODE_BREAK ? "break" : "continue");
    *ret = new_node(p, kind, o);
    if (tmpl_parse_end(p) < 0)
        return -1;
    (*ret)->end = p->pos;
    return 0;
}

static int parse_action(struct tmpl_parser *p, const struct opening *o, struct tmpl_node **ret)
{
    struct tmpl_node *n;

    if (take_word(p, "if"))
        return parse_block(p, o, NODE_IF, ret);
    if (take_word(p, "with"))
        return parse_block(p, o, NODE_WITH, ret);
    if (take_word(p, "range"))
        return parse_block(p, o, NODE_RANGE, ret);
    if (take_word(p, "break"))
        return parse_jump(p, o, NODE_BREAK, ret);
    if (take_word(p, "continue"))
        return parse_jump(p, o, NODE_CONTINUE, ret);
    if (take_word(p, "template"))
        return parse_template(p, o, false, ret);
    if (take_word(p, "block"))
        return parse_template(p, o, true, ret);
    if (take_word(p, "define")) {
        const char *name = NULL;

        if (p->depth)
            return tmpl_parse_fail(p, o->keyword, "{{define}} inside of a block");
        return parse_name(p, "define", &name) < 0 ? -1 : parse_define(p, o, name);
    }
    n = new_node(p, NODE_ACTION, o);
    if (tmpl_parse_pipe(p, false, "command", &n->pipe) < 0 || tmpl_parse_end(p) < 0)
        return -1;
    n->end = p->pos;
    *ret = n;
    return 0;
}

/* ---- lists ------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c && strchr(BLANKS, c);
}

/* The text up to the next action, without the blanks that markers take away. */
static struct tmpl_node *text_node(struct tmpl_parser *p, size_t end, bool trim_end)
{
    struct opening o = {p->pos, p->pos};
    struct tmpl_node *n;
    size_t start = p->pos;

    while (p->trim_next && start < end && is_blank(p->s[start]))
        start++;
    while (trim_end && end > start && is_blank(p->s[end - 1]))
        end--;
    if (start == end)
        return NULL;
    n = new_node(p, NODE_TEXT, &o);
    n->text_start = start;
    n->text_end = end;
    return n;
}

/* At a comment: moves behind its action. 0 when there is none. */
static int skip_comment(struct tmpl_parser *p)
{
    const char *end;

    if (!str_starts(p->s + p->pos, "/*"))
        return 0;
    end = strstr(p->s + p->pos, "*/");
    if (!end)
        return tmpl_parse_fail(p, p->pos, "unclosed comment");
    size_t at = (size_t)(end - p->s) + 2;

    p->pos = at;
    tmpl_parse_blanks(p);
    if (!tmpl_parse_at_end(p))
        return tmpl_parse_fail(p, at, "a comment ends before its action does");
    return tmpl_parse_end(p) < 0 ? -1 : 1;
}

static void append(struct tmpl_node ***tail, struct tmpl_node *n)
{
    if (!n)
        return;
    **tail = n;
    *tail = &n->next;
}

static int parse_list(struct tmpl_parser *p, struct tmpl_node **ret, enum stop *ret_stop,
                      struct opening *ret_at)
{
    struct tmpl_node **tail = ret;

    *ret = NULL;
    for (;;) {
        const char *open = memmem(p->s + p->pos, p->t->len - p->pos, "{{", 2);
        size_t at = open ? (size_t)(open - p->s) : p->t->len;
        bool trim = open && open[2] == '-' && is_blank(open[3]);

        append(&tail, text_node(p, at, trim));
        p->pos = at;
        p->trim_next = false;
        if (!open) {
            *ret_stop = STOP_EOF;
            return 0;
        }
        if (++p->actions > TMPL_ACTIONS_MAX)
            return tmpl_parse_fail(p, at, "more than %d actions", TMPL_ACTIONS_MAX);
        p->pos += trim ? 3 : 2;
        tmpl_parse_blanks(p);
        int comment = skip_comment(p);
        if (comment < 0)
            return -1;
        if (comment)
            continue;

        struct opening o = {at, p->pos};
        if (take_word(p, "end")) {
            *ret_stop = STOP_END;
            *ret_at = o;
            return tmpl_parse_end(p);
        }
        if (take_word(p, "else")) {
            *ret_stop = STOP_ELSE;
            *ret_at = o;
            return 0;
        }
        struct tmpl_node *n = NULL;
        if (parse_action(p, &o, &n) < 0)
            return -1;
        append(&tail, n);
    }
}

struct tmpl *tmpl_parse(const char *text, struct err *err)
{
    _cleanup_tmpl_ struct tmpl *t = xcalloc(1, sizeof(*t));
    struct tmpl_parser p = {.t = t, .err = err, .vars = STRV_INIT};
    enum stop stop = STOP_EOF;
    struct opening at = {0, 0};

    t->len = strlen(text);
    if (t->len > TMPL_TEXT_MAX) {
        err_set(err, ERR_CONFIG, "1:1: the template is longer than %d MiB", TMPL_TEXT_MAX >> 20);
        return NULL;
    }
    t->text = xstrdup(text);
    p.s = t->text;
    strv_push(&p.vars, "$");
    int r = parse_list(&p, &t->body, &stop, &at);
    if (r == 0 && stop != STOP_EOF)
        r = tmpl_parse_fail(&p, at.keyword, "unexpected {{%s}}: no block is open",
                            stop == STOP_END ? "end" : "else");
    strv_release(&p.vars);
    return r < 0 ? NULL : TAKE_PTR(t);
}

void tmpl_free(struct tmpl *t)
{
    if (!t)
        return;
    arena_release(&t->arena);
    free(t->text);
    free(t);
}
