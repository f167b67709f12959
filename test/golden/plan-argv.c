/* SPDX-License-Identifier: Apache-2.0 */
/* plan-argv CASE.json: plans the machine of a case {"input": {"yaml", "instance"}, "facts": {…}}
 * and prints {"argv", "fds", "helpers", "notes"} or {"exit", "message", "notes"}. */
#include "golden/plan_case.h"
#include "base/fs.h"
#include "base/mem.h"

static struct json *strings(const struct strv *v)
{
    struct json *list = json_array_new();

    for (size_t i = 0; i < v->n; i++)
        json_append(list, json_string_new(v->v[i]));
    return list;
}

static void add_fds(const struct plan_case *c, const struct qemu_plan *p, struct json *out)
{
    struct json *fds = json_object_new(), *helpers = json_array_new();

    for (size_t i = 0; i < p->n_fds; i++) {
        _cleanup_free_ char *key = xasprintf("%d", p->fds[i].fd);
        _cleanup_free_ char *path = plan_case_symbols(c, p->fds[i].path);
        _cleanup_free_ char *text = xasprintf("%s%s", p->fds[i].listen ? "listen:" : "", path);

        json_set_str(fds, key, text);
    }
    for (size_t i = 0; i < p->n_helpers; i++)
        json_append(helpers, strings(&p->helpers[i].argv));
    json_set(out, "fds", fds);
    json_set(out, "helpers", helpers);
}

static struct json *notes_of(const struct diags *d)
{
    struct json *list = json_array_new();

    for (size_t i = 0; i < d->n; i++)
        json_append(list, json_string_new(d->v[i].msg));
    return list;
}

/* What the start would find: nobody listens at a socket of the YAML. */
static const char *dead_socket(const struct plan_case *c, const struct qemu_plan *p)
{
    const struct json *live = json_get(c->facts, "listening_sockets");

    for (size_t i = 0; i < p->n_fds; i++) {
        _cleanup_free_ char *path = plan_case_symbols(c, p->fds[i].path);
        bool found = p->fds[i].listen;

        for (size_t k = 0; k < json_len(live); k++)
            found |= streq0(json_str(json_at(live, k)), path);
        if (!found)
            return p->fds[i].path;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;
    _cleanup_json_ struct json *j = NULL, *out = json_object_new();
    _cleanup_free_ char *text = NULL, *message = NULL, *dump = NULL;
    struct plan_case c = {.ssh_port = 60042};
    size_t len;

    if (argc != 2) {
        fprintf(stderr, "usage: plan-argv CASE.json\n");
        return 2;
    }
    text = file_read(argv[1], 4u << 20, &len, &err);
    j = text ? json_parse(text, len, argv[1], &err) : NULL;
    if (!j) {
        fprintf(stderr, "%s\n", err.msg);
        return 2;
    }
    c.yaml = json_get_str(json_get(j, "input"), "yaml");
    c.instance = json_get_str(json_get(j, "input"), "instance");
    c.facts = json_get(j, "facts");
    if (plan_case_run(&c, &r) == 0 && dead_socket(&c, r.plan))
        err_set(&r.err, ERR_NET, "connecting to '%s' failed", dead_socket(&c, r.plan));
    if (err_is_set(&r.err)) {
        message = err_text(&r.err);
        json_set_int(out, "exit", 1);
        json_set_str(out, "message", message);
    } else {
        json_set(out, "argv", strings(&r.argv));
        add_fds(&c, r.plan, out);
    }
    json_set(out, "notes", notes_of(&r.notes));
    dump = json_dump(out);
    puts(dump);
    return 0;
}
