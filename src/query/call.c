/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of functions: those of the table, and those that the expression defines. */
#include "query/internal.h"
#include "base/mem.h"
#include "base/parse.h"

enum { ARGS_MAX = 16 };

struct call {
    char *name;
    size_t at;
    struct strv args;
    bool commas; /* the arguments had commas between, as some functions of yq have */
};

static void call_release(struct call *c)
{
    free(c->name);
    strv_release(&c->args);
}

static bool is_user_function(const struct query_parser *p, const char *name)
{
    for (size_t i = 0; i < p->n_names; i++)
        if (!p->names[i].variable && streq(p->names[i].name, name))
            return true;
    return false;
}

/* ---- errors ----------------------------------------------------------------------------------- */

static int refuse(struct query_parser *p, const char *name, const char *why)
{
    query_fail(p, p->token.at, "`%s` cannot be used: %s", name, why);
    if (streq(name, "env") || streq(name, "strenv"))
        return query_fail_hint(p, "let the shell put the value into the expression");
    return query_fail_hint(p, "`cima yq-restrictions` tells what expressions may do");
}

static int unknown(struct query_parser *p, const struct call *c)
{
    size_t n;
    const char *const *names = query_function_names(&n);
    const char *nearest = str_nearest(c->name, names, n);
    _cleanup_sbuf_ struct sbuf arities = SBUF_INIT;

    if (query_function_known(c->name, &arities))
        return query_fail(p, c->at, "`%s` takes %s, not %zu", c->name, sbuf_str(&arities),
                          c->args.n);
    if (is_user_function(p, c->name))
        return query_fail(p, c->at, "`%s` is defined with another number of arguments than %zu",
                          c->name, c->args.n);
    query_fail(p, c->at, "there is no function `%s`", c->name);
    if (nearest && c->args.n)
        return query_fail_hint(p, "did you mean `%s`?", nearest);
    if (nearest)
        return query_fail_hint(p, "did you mean the key `.%s` or the function `%s`?", c->name,
                               nearest);
    return c->args.n ? -1
                     : query_fail_hint(p, "a key is written `.%s`, and a text \"%s\"", c->name,
                                       c->name);
}

/* ---- arguments -------------------------------------------------------------------------------- */

/* "re", "text": of the functions of yq that have commas between their arguments. */
static bool takes_commas(const char *name)
{
    return streq(name, "sub");
}

static int read_argument(struct query_parser *p, struct call *c)
{
    _cleanup_query_code_ struct query_code arg = {0};
    size_t at = p->token.at;

    if (takes_commas(c->name) && query_read_assignment(p, &arg) == 0 && query_at_op(p, ",")) {
        c->commas = true;
    } else if (!takes_commas(c->name) || (arg.text && query_at_op(p, "|"))) {
        query_code_release(&arg);
        query_seek(p, at);
        if (query_read_pipe(p, &arg) < 0)
            return -1;
    }
    if (!arg.text)
        return -1;
    strv_push(&c->args, arg.text);
    return 0;
}

static int read_arguments(struct query_parser *p, struct call *c)
{
    if (!query_at_op(p, "("))
        return 0;
    if (query_enter(p) < 0)
        return -1;
    do {
        query_next(p); /* `(`, `;` or `,` */
        if (c->args.n >= ARGS_MAX)
            return query_fail(p, p->token.at, "too many arguments");
        if (read_argument(p, c) < 0)
            return -1;
    } while (query_at_op(p, ";") || (c->commas && query_at_op(p, ",")));
    query_leave(p);
    return query_expect_op(p, ")", "expected `;` or `)`");
}

/* ---- the call --------------------------------------------------------------------------------- */

static void write_call(const char *name, const struct strv *args, struct query_code *ret)
{
    _cleanup_free_ char *list = strv_join(args, "; ");

    if (args->n)
        query_code_set(ret, false, "%s(%s)", name, list);
    else
        query_code_set(ret, false, "%s", name);
}

int query_read_call(struct query_parser *p, struct query_code *ret)
{
    _cleanup_(call_release) struct call c = {query_token_text(p, 0), p->token.at, STRV_INIT, false};
    const struct query_function *f;
    const char *refused = is_user_function(p, c.name) ? NULL : query_refusal(c.name);

    if (refused)
        return refuse(p, c.name, refused);
    query_next(p);
    if (read_arguments(p, &c) < 0)
        return -1;
    unsigned arity = (unsigned)c.args.n;
    if (query_is_defined(p, c.name, arity, false)) {
        write_call(c.name, &c.args, ret);
        return 0;
    }
    f = query_function_find(c.name, arity);
    if (!f)
        return unknown(p, &c);
    if (c.commas)
        write_call("_q_replace", &c.args, ret);
    else
        write_call(f->jq ? f->jq : f->name, &c.args, ret);
    return 0;
}
