/* SPDX-License-Identifier: Apache-2.0 */
/* From the parsed template to the text. */
#include "tmpl/tmpl.h"
#include "base/mem.h"
#include "tmpl/internal.h"

int tmpl_run_fail(struct tmpl_run *r, size_t pos, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)tmpl_fail(r->t, pos, r->err, fmt, ap);
    va_end(ap);
    return -1;
}

int tmpl_run_unknown(struct tmpl_run *r, size_t pos, const char *name, const char *nearest)
{
    if (r->in->flags & TMPL_KEEP_UNKNOWN) {
        free(r->unknown);
        r->unknown = nearest ? xasprintf("`%s` is not known here (did you mean `%s`?)", name,
                                         nearest)
                             : xasprintf("`%s` is not known here", name);
        return -1;
    }
    tmpl_run_fail(r, pos, "can't evaluate field `%s`: there is none of that name", name);
    if (nearest)
        err_hint(r->err, "did you mean `%s`?", nearest);
    return -1;
}

int tmpl_run_step(struct tmpl_run *r, size_t pos, size_t n)
{
    if (n > TMPL_STEPS_MAX || r->steps + n > TMPL_STEPS_MAX)
        return tmpl_run_fail(r, pos, "the template takes more than %d steps", TMPL_STEPS_MAX);
    r->steps += n;
    return 0;
}

int tmpl_run_keep(struct tmpl_run *r, size_t pos, const struct sbuf *s, struct tmpl_value *ret)
{
    if (s->len > TMPL_RESULT_MAX)
        return tmpl_run_fail(r, pos, "a text is longer than %d MiB", TMPL_RESULT_MAX >> 20);
    if (r->memory + s->len > TMPL_MEMORY_MAX)
        return tmpl_run_fail(r, pos, "the template needs more than %d MiB", TMPL_MEMORY_MAX >> 20);
    r->memory += s->len;
    *ret = tmpl_value_text(arena_strndup(&r->arena, sbuf_str(s), s->len), s->len);
    return 0;
}

static int add_out(struct tmpl_run *r, size_t pos, const char *s, size_t len)
{
    if (r->out.len + len > TMPL_RESULT_MAX)
        return tmpl_run_fail(r, pos, "the result is longer than %d MiB", TMPL_RESULT_MAX >> 20);
    sbuf_add(&r->out, s, len);
    return 0;
}

/* ---- variables --------------------------------------------------------------------------------- */

static void push_var(struct tmpl_run *r, const char *name, const struct tmpl_value *v)
{
    GROW_ARRAY(r->vars, r->n_vars, r->cap_vars);
    r->vars[r->n_vars++] = (struct tmpl_variable){name, *v};
}

static struct tmpl_variable *find_var(struct tmpl_run *r, const char *name)
{
    for (size_t i = r->n_vars; i-- > 0;)
        if (streq(r->vars[i].name, name))
            return &r->vars[i];
    return NULL;
}

static void set_var(struct tmpl_run *r, const struct tmpl_pipe *p, size_t i,
                    const struct tmpl_value *v)
{
    struct tmpl_variable *old = p->assign ? find_var(r, p->vars[i]) : NULL;

    if (old)
        old->value = *v;
    else
        push_var(r, p->vars[i], v);
}

/* What an unknown name leaves behind in its variable: unknown, too. */
static void leave_unknown_var(struct tmpl_run *r, const struct tmpl_pipe *p)
{
    struct tmpl_value v = {.kind = VAL_MISSING, .text = p->vars[0]};

    for (size_t i = 0; i < p->n_vars; i++)
        set_var(r, p, i, &v);
}

/* ---- nodes ------------------------------------------------------------------------------------- */

static int run_list(struct tmpl_run *r, const struct tmpl_node *n);

static int run_action(struct tmpl_run *r, const struct tmpl_node *n)
{
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;
    struct tmpl_value v;

    if (tmpl_eval_pipe(r, n->pipe, &v) < 0) {
        leave_unknown_var(r, n->pipe);
        return -1;
    }
    if (n->pipe->n_vars) {
        set_var(r, n->pipe, 0, &v);
        return 0;
    }
    if (tmpl_eval_used(r, n->pipe->pos, &v) < 0)
        return -1;
    if (v.kind == VAL_STRING)
        return tmpl_run_step(r, n->pos, v.len / TMPL_STEP_BYTES) < 0
                   ? -1 : add_out(r, n->pos, v.text, v.len);
    tmpl_format_value(&text, &v);
    return tmpl_run_step(r, n->pos, text.len / TMPL_STEP_BYTES) < 0
               ? -1 : add_out(r, n->pos, sbuf_str(&text), text.len);
}

/* if and with. */
static int run_choice(struct tmpl_run *r, const struct tmpl_node *n)
{
    struct tmpl_value v, dot = r->dot;

    if (tmpl_eval_pipe(r, n->pipe, &v) < 0)
        return -1;
    if (n->pipe->n_vars)
        set_var(r, n->pipe, 0, &v);
    if (!tmpl_truth(&v))
        return run_list(r, n->otherwise);
    if (n->kind == NODE_WITH)
        r->dot = v;
    int result = run_list(r, n->body);
    r->dot = dot;
    return result;
}

/* One turn; 1 when it was the last. */
static int run_turn(struct tmpl_run *r, const struct tmpl_node *n, const struct tmpl_value *key,
                    const struct tmpl_value *v)
{
    const struct tmpl_pipe *p = n->pipe;
    size_t n_vars = r->n_vars;
    int result;

    if (tmpl_run_step(r, n->pos, 1) < 0)
        return -1;
    if (p->n_vars == 2)
        set_var(r, p, 0, key);
    if (p->n_vars)
        set_var(r, p, p->n_vars - 1, v);
    r->dot = *v;
    result = run_list(r, n->body);
    r->n_vars = n_vars;
    r->again = false;
    if (r->leave) {
        r->leave = false;
        return result < 0 ? -1 : 1;
    }
    return result;
}

static int range_over_map(struct tmpl_run *r, const struct tmpl_node *n,
                          const struct tmpl_value *map)
{
    _cleanup_strv_ struct strv keys = STRV_INIT;
    int result = 0;

    if (tmpl_run_step(r, n->pos, json_len(map->json)) < 0)
        return -1;
    tmpl_value_keys(map, &keys);
    for (size_t i = 0; i < keys.n && result == 0; i++) {
        const struct json *j = json_get(map->json, keys.v[i]);
        struct tmpl_value v = tmpl_value_json(j, map->open ? NULL : json_get(map->shape,
                                                                             keys.v[i]));
        struct tmpl_value key;
        const struct sbuf name = {keys.v[i], strlen(keys.v[i]), 0};

        if (tmpl_run_keep(r, n->pos, &name, &key) < 0)
            return -1;
        result = run_turn(r, n, &key, &v);
    }
    return result;
}

static int range_over(struct tmpl_run *r, const struct tmpl_node *n, const struct tmpl_value *v)
{
    int64_t count = v->kind == VAL_INT ? v->number : (int64_t)tmpl_value_len(v);
    int result = 0;

    if (v->kind == VAL_MAP)
        return range_over_map(r, n, v);
    for (int64_t i = 0; i < count && result == 0; i++) {
        struct tmpl_value key = tmpl_value_int(i);
        struct tmpl_value item = v->kind == VAL_INT ? key : tmpl_value_at(v, (size_t)i);

        result = run_turn(r, n, &key, &item);
    }
    return result;
}

static int run_range(struct tmpl_run *r, const struct tmpl_node *n)
{
    struct tmpl_value v, dot = r->dot;
    int result;

    if (tmpl_eval_pipe(r, n->pipe, &v) < 0)
        return -1;
    if (v.kind == VAL_BOOL || v.kind == VAL_STRING || v.kind == VAL_FLOAT) {
        tmpl_run_fail(r, n->pipe->pos, "range can't iterate over a %s", tmpl_type_name(&v));
        return err_hint(r->err, "it takes a list, a map or a number");
    }
    if (v.kind == VAL_INT && n->pipe->n_vars == 2)
        return tmpl_run_fail(r, n->pipe->pos, "can't use a number to iterate over with more than "
                                              "one variable");
    if (!tmpl_truth(&v) || (v.kind == VAL_INT && v.number < 0))
        return run_list(r, n->otherwise);
    result = range_over(r, n, &v);
    r->dot = dot;
    return result < 0 ? -1 : 0;
}

static int run_template(struct tmpl_run *r, const struct tmpl_node *n)
{
    struct tmpl_value v = {.kind = VAL_NIL}, dot = r->dot;
    const struct tmpl_define *d = r->t->defines;
    struct tmpl_variable *outer = r->vars;
    size_t n_outer = r->n_vars, cap_outer = r->cap_vars;

    while (d && !streq(d->name, n->name))
        d = d->next;
    if (!d)
        return tmpl_run_fail(r, n->pos, "template `%s` not defined", n->name);
    if (n->pipe && tmpl_eval_pipe(r, n->pipe, &v) < 0)
        return -1;
    if (++r->depth > TMPL_DEPTH_MAX)
        return tmpl_run_fail(r, n->pos, "templates call each other deeper than %d",
                             TMPL_DEPTH_MAX);
    r->vars = NULL;
    r->n_vars = r->cap_vars = 0;
    push_var(r, "$", &v);
    r->dot = v;
    int result = run_list(r, d->body);
    free(r->vars);
    r->vars = outer;
    r->n_vars = n_outer;
    r->cap_vars = cap_outer;
    r->dot = dot;
    r->depth--;
    return result;
}

static int run_node(struct tmpl_run *r, const struct tmpl_node *n)
{
    size_t n_vars = r->n_vars;
    int result = 0;

    switch (n->kind) {
    case NODE_TEXT:
        return tmpl_run_step(r, n->start, (n->text_end - n->text_start) / TMPL_STEP_BYTES) < 0
                   ? -1
                   : add_out(r, n->start, r->t->text + n->text_start,
                             n->text_end - n->text_start);
    case NODE_ACTION:
        return run_action(r, n); /* its variables stay */
    case NODE_IF:
    case NODE_WITH:
        result = run_choice(r, n);
        break;
    case NODE_RANGE:
        result = run_range(r, n);
        break;
    case NODE_TEMPLATE:
        result = run_template(r, n);
        break;
    case NODE_BREAK:
        r->leave = true;
        break;
    case NODE_CONTINUE:
        r->again = true;
        break;
    }
    r->n_vars = n_vars;
    return result;
}

/* An action that names something unknown stays as it is. */
static int keep_as_written(struct tmpl_run *r, const struct tmpl_node *n, char **problem)
{
    if (!*problem)
        *problem = TAKE_PTR(r->unknown);
    free(r->unknown);
    r->unknown = NULL;
    return add_out(r, n->start, r->t->text + n->start, n->end - n->start);
}

static int run_list(struct tmpl_run *r, const struct tmpl_node *n)
{
    for (; n && !r->leave && !r->again; n = n->next) {
        if (tmpl_run_step(r, n->pos, 1) < 0)
            return -1;
        if (run_node(r, n) == 0)
            continue;
        if (!r->unknown || n->chained || keep_as_written(r, n, &r->problem) < 0)
            return -1;
    }
    return 0;
}

char *tmpl_run(const struct tmpl *t, const struct tmpl_input *in, char **ret_problem,
               struct err *err)
{
    _cleanup_err_ struct err own = ERR_INIT;
    struct tmpl_run r = {.t = t, .in = in, .err = err ? err : &own};
    int result;

    if (ret_problem)
        *ret_problem = NULL;
    r.dot = tmpl_value_json(in->data, in->shape);
    push_var(&r, "$", &r.dot);
    result = run_list(&r, t->body);
    arena_release(&r.arena);
    free(r.vars);
    free(r.unknown);
    if (result < 0) {
        free(r.problem);
        sbuf_release(&r.out);
        return NULL;
    }
    if (ret_problem)
        *ret_problem = TAKE_PTR(r.problem);
    free(r.problem);
    return sbuf_detach(&r.out);
}

char *tmpl_expand(const char *text, const struct json *data, unsigned flags, char **ret_problem,
                  struct err *err)
{
    const struct tmpl_input in = {data, NULL, flags};
    _cleanup_tmpl_ struct tmpl *t = NULL;

    if (ret_problem)
        *ret_problem = NULL;
    t = tmpl_parse(text, err);
    return t ? tmpl_run(t, &in, ret_problem, err) : NULL;
}
