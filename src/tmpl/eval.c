/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines, commands and terms to values. */
#include "tmpl/tmpl.h"
#include "base/mem.h"
#include "tmpl/internal.h"
#include <strings.h>

int tmpl_eval_used(struct tmpl_run *r, size_t pos, const struct tmpl_value *v)
{
    if (v->kind != VAL_MISSING)
        return 0;
    return tmpl_run_unknown(r, pos, v->text, NULL);
}

/* ---- terms ------------------------------------------------------------------------------------- */

/* What a chain of fields was written as, up to its field number n. */
static char *chain_text(const struct tmpl_expr *e, size_t n)
{
    struct sbuf s = SBUF_INIT;

    if (e->kind == EXPR_VARIABLE && !streq(e->text, "$"))
        sbuf_addstr(&s, e->text);
    else if (e->kind == EXPR_PIPE)
        sbuf_addstr(&s, "(…)");
    for (size_t i = 0; i <= n && i < e->n_fields; i++)
        sbuf_addf(&s, ".%s", e->fields[i]);
    return sbuf_detach(&s);
}

static int no_field(struct tmpl_run *r, const struct tmpl_expr *e, size_t i,
                    const struct tmpl_value *v)
{
    _cleanup_free_ char *name = chain_text(e, i);
    _cleanup_free_ char *near =
        v->kind == VAL_MAP ? tmpl_value_nearest(v, e->fields[i], r->in->flags) : NULL;
    _cleanup_free_ char *hint = NULL;

    if (near) {
        _cleanup_free_ char *before = i ? chain_text(e, i - 1) : xstrdup("");

        hint = xasprintf("%s.%s", before, near);
    }
    if (v->kind != VAL_MAP && !(r->in->flags & TMPL_KEEP_UNKNOWN)) {
        if (v->kind == VAL_NIL || v->kind == VAL_MISSING)
            return tmpl_run_fail(r, e->pos, "can't evaluate field `%s`: there is nothing before "
                                            "the last point", name);
        return tmpl_run_fail(r, e->pos, "can't evaluate field `%s` in type %s", name,
                             tmpl_type_name(v));
    }
    return tmpl_run_unknown(r, e->pos, name, hint);
}

static int eval_fields(struct tmpl_run *r, const struct tmpl_expr *e, struct tmpl_value *v)
{
    for (size_t i = 0; i < e->n_fields; i++) {
        bool root = v->kind == VAL_MAP && v->json == r->in->data;
        struct tmpl_value next;

        if (tmpl_run_step(r, e->pos, 1) < 0)
            return -1;
        if (v->kind == VAL_MAP && tmpl_value_get(v, e->fields[i], r->in->flags, root, &next)) {
            *v = next;
            continue;
        }
        if (v->kind != VAL_MAP || !v->open || i + 1 < e->n_fields)
            return no_field(r, e, i, v);
        _cleanup_free_ char *name = chain_text(e, i);
        *v = (struct tmpl_value){.kind = VAL_MISSING,
                                 .text = arena_strndup(&r->arena, name, strlen(name))};
    }
    return 0;
}

static int eval_call(struct tmpl_run *r, const struct tmpl_cmd *c, const struct tmpl_value *piped,
                     struct tmpl_value *ret);

static int eval_term(struct tmpl_run *r, const struct tmpl_expr *e, struct tmpl_value *ret)
{
    switch (e->kind) {
    case EXPR_DOT:
        *ret = r->dot;
        break;
    case EXPR_NIL:
        *ret = (struct tmpl_value){.kind = VAL_NIL};
        break;
    case EXPR_BOOL:
        *ret = tmpl_value_bool(e->truth);
        break;
    case EXPR_INT:
        *ret = tmpl_value_int(e->number);
        break;
    case EXPR_FLOAT:
        *ret = (struct tmpl_value){.kind = VAL_FLOAT, .real = e->real};
        break;
    case EXPR_STRING:
        *ret = tmpl_value_text(e->text, e->len);
        break;
    case EXPR_VARIABLE:
        *ret = (struct tmpl_value){.kind = VAL_MISSING, .text = e->text};
        for (size_t i = r->n_vars; i-- > 0;)
            if (streq(r->vars[i].name, e->text)) {
                *ret = r->vars[i].value;
                break;
            }
        break;
    case EXPR_FUNCTION: {
        /* A function among values: called without any. */
        struct tmpl_expr name = *e;
        const struct tmpl_cmd alone = {.args = &name, .pos = e->pos};

        name.next = NULL;
        return eval_call(r, &alone, NULL, ret);
    }
    case EXPR_PIPE:
        if (tmpl_eval_pipe(r, e->pipe, ret) < 0)
            return -1;
        break;
    }
    return eval_fields(r, e, ret);
}

/* ---- commands ---------------------------------------------------------------------------------- */

/* and, or: the value that decides is the result; those behind it are not evaluated. */
static int eval_choice(struct tmpl_run *r, const struct tmpl_cmd *c,
                       const struct tmpl_value *piped, struct tmpl_value *ret)
{
    bool is_or = c->args->function == TMPL_FN_OR;
    bool any = false;

    for (const struct tmpl_expr *e = c->args->next; e; e = e->next, any = true) {
        if (eval_term(r, e, ret) < 0)
            return -1;
        if (tmpl_truth(ret) == is_or)
            return 0;
    }
    if (piped)
        *ret = *piped;
    if (!any && !piped)
        return tmpl_run_fail(r, c->pos, "wrong number of args for %s: want at least 1 got 0",
                             c->args->text);
    return 0;
}

static int check_count(struct tmpl_run *r, const struct tmpl_cmd *c,
                       const struct tmpl_function *f, size_t n)
{
    if (n < f->min)
        return tmpl_run_fail(r, c->pos, "wrong number of args for %s: want %s%u got %zu", f->name,
                             f->max == f->min ? "" : "at least ", f->min, n);
    if (f->max && n > f->max)
        return tmpl_run_fail(r, c->pos, "wrong number of args for %s: want %s%u got %zu", f->name,
                             f->max == f->min ? "" : "at most ", f->max, n);
    return 0;
}

static int eval_call(struct tmpl_run *r, const struct tmpl_cmd *c, const struct tmpl_value *piped,
                     struct tmpl_value *ret)
{
    const struct tmpl_function *f = &tmpl_functions[c->args->function];
    struct tmpl_value args[TMPL_ARGS_MAX + 1];
    size_t n = 0;

    if (!f->call)
        return eval_choice(r, c, piped, ret);
    for (const struct tmpl_expr *e = c->args->next; e; e = e->next)
        if (eval_term(r, e, &args[n++]) < 0)
            return -1;
    if (piped)
        args[n++] = *piped;
    if (check_count(r, c, f, n) < 0 || tmpl_run_step(r, c->pos, n + 1) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!f->takes_missing && tmpl_eval_used(r, c->pos, &args[i]) < 0)
            return -1;
        if (args[i].kind == VAL_STRING &&
            tmpl_run_step(r, c->pos, args[i].len / TMPL_STEP_BYTES) < 0)
            return -1;
    }
    const struct tmpl_call call = {c->pos, args, n};
    return f->call(r, &call, ret);
}

int tmpl_eval_pipe(struct tmpl_run *r, const struct tmpl_pipe *p, struct tmpl_value *ret)
{
    struct tmpl_value piped = {.kind = VAL_NIL};

    for (const struct tmpl_cmd *c = p->cmds; c; c = c->next) {
        struct tmpl_value v = {.kind = VAL_NIL};

        if (tmpl_run_step(r, c->pos, 1) < 0)
            return -1;
        if ((c->args->kind == EXPR_FUNCTION ? eval_call(r, c, c == p->cmds ? NULL : &piped, &v)
                                            : eval_term(r, c->args, &v)) < 0)
            return -1;
        piped = v;
    }
    *ret = piped;
    return 0;
}

/* ---- what is asked for ------------------------------------------------------------------------- */

static bool pipe_asks(const struct tmpl_pipe *p, const char *field);

static bool term_asks(const struct tmpl_expr *e, const char *field)
{
    if (e->kind == EXPR_PIPE)
        return pipe_asks(e->pipe, field);
    if (e->kind != EXPR_DOT && e->kind != EXPR_VARIABLE)
        return false;
    /* All of it, or something that only looks like a field of the data. */
    return !e->n_fields || strcasecmp(e->fields[0], field) == 0 ||
           strcasecmp(e->fields[0], "Instance") == 0;
}

static bool pipe_asks(const struct tmpl_pipe *p, const char *field)
{
    for (const struct tmpl_cmd *c = p ? p->cmds : NULL; c; c = c->next)
        for (const struct tmpl_expr *e = c->args; e; e = e->next)
            if (term_asks(e, field))
                return true;
    return false;
}

static bool list_asks(const struct tmpl_node *n, const char *field)
{
    for (; n; n = n->next)
        if (pipe_asks(n->pipe, field) || list_asks(n->body, field) ||
            list_asks(n->otherwise, field))
            return true;
    return false;
}

bool tmpl_asks_for(const struct tmpl *t, const char *field)
{
    for (const struct tmpl_define *d = t->defines; d; d = d->next)
        if (list_asks(d->body, field))
            return true;
    return list_asks(t->body, field);
}
