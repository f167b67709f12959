/* SPDX-License-Identifier: Apache-2.0 */
#include "query/query.h"
#include "base/mem.h"
#include "base/parse.h"
#include "query/internal.h"
#include "query/protocol.h"
#include "sys/helper.h"
#include "sys/spawn.h"
#include <signal.h>
#include <sys/wait.h>

static const char helper[] = "cima-query";

void query_result_release(struct query_result *r)
{
    strv_release(&r->values);
    free(r->counts);
    *r = (struct query_result)QUERY_RESULT_INIT;
}

/* ---- what the helper reads -------------------------------------------------------------------- */

static int make_program(const char *const *exprs, size_t n, struct sbuf *out, struct err *err)
{
    _cleanup_sbuf_ struct sbuf program = SBUF_INIT;

    sbuf_addstr(&program, query_prelude);
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *code = query_translate(exprs[i], err);

        if (!code)
            return -1;
        sbuf_addf(&program, "%s(%s)", i ? " | " : "", code);
    }
    if (!n)
        sbuf_addch(&program, '.');
    sbuf_addf(out, "program %zu\n", program.len);
    sbuf_add(out, program.buf, program.len);
    return 0;
}

static int add_inputs(const char *const *inputs, size_t n, struct sbuf *out, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(inputs[i]);

        if (len > QUERY_INPUT_MAX || out->len > QUERY_INPUT_MAX)
            return err_set(err, ERR_USAGE, "the values are too large for an expression");
        sbuf_addf(out, "input %zu\n", len);
        sbuf_add(out, inputs[i], len);
    }
    sbuf_addstr(out, "end\n");
    return 0;
}

/* ---- what it says ----------------------------------------------------------------------------- */

struct reader {
    const char *s;
    size_t len, at;
};

/* The line at the place, behind which the place is then. NULL when there is none. Caller frees. */
static char *take_line(struct reader *r)
{
    const char *end = r->at < r->len ? memchr(r->s + r->at, '\n', r->len - r->at) : NULL;

    if (!end)
        return NULL;
    char *line = xstrndup(r->s + r->at, (size_t)(end - r->s) - r->at);
    r->at = (size_t)(end - r->s) + 1;
    return line;
}

static int take_value(struct reader *r, const char *length, struct query_result *ret)
{
    uint64_t len;

    if (parse_uint(length, r->len - r->at, &len) < 0)
        return -1;
    strv_push_consume(&ret->values, xstrndup(r->s + r->at, len));
    r->at += len;
    return 0;
}

/* 1 at "done", 0 for a line that was understood. */
static int take(struct reader *r, size_t *input, struct query_result *ret, struct err *err)
{
    _cleanup_free_ char *line = take_line(r);

    if (line && streq(line, "done") && *input == ret->n)
        return 1;
    if (line && streq(line, "next") && *input < ret->n) {
        ++*input;
        return 0;
    }
    if (line && str_starts(line, "value ") && *input && take_value(r, line + 6, ret) == 0) {
        ret->counts[*input - 1]++;
        return 0;
    }
    if (line && str_starts(line, "fail ")) {
        err_set(err, ERR_USAGE, "the expression failed: %s", line + 5);
        return -1;
    }
    return err_set(err, ERR_PROTOCOL, "the helper program '%s' speaks nonsense", helper);
}

static int read_results(const char *s, size_t len, struct query_result *ret, struct err *err)
{
    struct reader r = {s, len, 0};
    size_t input = 0;
    int taken;

    while ((taken = take(&r, &input, ret, err)) == 0)
        ;
    return taken < 0 ? -1 : 0;
}

/* It ended without a word of an end. */
static int died(const struct run_result *run, struct err *err)
{
    if (WIFSIGNALED(run->status) &&
        (WTERMSIG(run->status) == SIGXCPU || WTERMSIG(run->status) == SIGKILL))
        return err_set(err, ERR_USAGE, "the expression failed: it takes too long (more than %d s)",
                       QUERY_CPU_SECONDS);
    if (WIFSIGNALED(run->status) && WTERMSIG(run->status) == SIGSEGV) /* libjq recurses */
        return err_set(err, ERR_USAGE,
                       "the expression failed: a value is nested too deeply, or it needs too much "
                       "memory");
    if (strstr(sbuf_str(&run->err_out), "cannot allocate memory"))
        return err_set(err, ERR_USAGE, "the expression failed: it needs too much memory");
    _cleanup_free_ char *how = wait_status_text(run->status);
    err_set(err, ERR_USAGE, "the expression failed: the helper program '%s' %s", helper, how);
    return run->err_out.len ? err_detail(err, sbuf_str(&run->err_out)) : -1;
}

static int run_helper(const char *input, struct query_result *ret, struct err *err)
{
    static const char *const no_env[] = {NULL};
    _cleanup_free_ char *program = helper_path(helper, err);
    _cleanup_(run_result_release) struct run_result run = {0};
    struct spawn s = SPAWN_INIT;

    if (!program)
        return -1;
    s.argv = (const char *const[]){program, NULL};
    s.env = no_env;
    s.flags = SPAWN_NEW_GROUP | SPAWN_DIE_WITH_PARENT | SPAWN_NO_CORE;
    if (run_capture(&s, input, QUERY_OUTPUT_MAX + (1 << 20), QUERY_WALL_MS, &run, err) < 0)
        return err_wrap(err, "the helper program '%s'", helper);
    if (!run.out.len || !WIFEXITED(run.status))
        return died(&run, err);
    return read_results(sbuf_str(&run.out), run.out.len, ret, err);
}

int query_run(const char *const *exprs, size_t n_exprs, const char *const *inputs, size_t n,
              struct query_result *ret, struct err *err)
{
    _cleanup_query_result_ struct query_result result = QUERY_RESULT_INIT;
    _cleanup_sbuf_ struct sbuf input = SBUF_INIT;

    if (make_program(exprs, n_exprs, &input, err) < 0 || add_inputs(inputs, n, &input, err) < 0)
        return -1;
    result.counts = xcalloc(n + 1, sizeof(*result.counts));
    result.n = n;
    if (run_helper(sbuf_str(&input), &result, err) < 0)
        return -1;
    *ret = result;
    result = (struct query_result)QUERY_RESULT_INIT;
    return 0;
}
