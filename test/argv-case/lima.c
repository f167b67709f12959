/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML and facts about the host (plan_case.h) ► what `cima start` would run. */
#include "argv-case/case.h"
#include "base/mem.h"
#include "golden/plan_case.h"

static struct json *strings(const struct plan_case *c, const struct strv *v, size_t from)
{
    struct json *list = json_array_new();

    for (size_t i = from; i < v->n; i++) {
        _cleanup_free_ char *text = plan_case_symbols(c, v->v[i]);

        json_append(list, json_string_new(text));
    }
    return list;
}

static void add_fds(const struct plan_case *c, const struct qemu_plan *p, struct json *out)
{
    struct json *fds = json_object_new();

    for (size_t i = 0; i < p->n_fds; i++) {
        _cleanup_free_ char *key = xasprintf("%d", p->fds[i].fd);
        _cleanup_free_ char *path = plan_case_symbols(c, p->fds[i].path);
        _cleanup_free_ char *text = xasprintf("%s%s", p->fds[i].listen ? "listen:" : "", path);

        json_set_str(fds, key, text);
    }
    json_set(out, "fds", fds);
}

static void add_helpers(const struct plan_case *c, const struct qemu_plan *p, struct json *out)
{
    struct json *helpers = json_array_new();

    for (size_t i = 0; i < p->n_helpers; i++)
        json_append(helpers, strings(c, &p->helpers[i].argv, 0));
    json_set(out, "helpers", helpers);
}

static struct json *notes_of(const struct diags *d)
{
    struct json *list = json_array_new();

    for (size_t i = 0; i < d->n; i++)
        json_append(list, json_string_new(d->v[i].msg));
    return list;
}

struct json *case_lima(const struct json *input, const struct json *facts)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;
    const char *name = json_get_str(input, "instance");
    const struct plan_case c = {.yaml = json_get_str(input, "yaml"),
                                .instance = name ? name : "default",
                                .facts = facts,
                                .ssh_port = 60042};
    struct json *out = json_object_new();

    if (plan_case_run(&c, &r) < 0) {
        _cleanup_free_ char *message = err_text(&r.err);

        json_set_int(out, "exit", 1);
        json_set_str(out, "message", message);
    } else {
        json_set(out, "argv", strings(&c, &r.argv, 0));
        add_fds(&c, r.plan, out);
        add_helpers(&c, r.plan, out);
    }
    json_set(out, "notes", notes_of(&r.notes));
    return out;
}
