/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML and facts about the host (plan_case.h) ► what `cima start` would run. */
#include "argv-case/case.h"
#include "base/fs.h"
#include "base/mem.h"
#include "driver/qemu/helper.h"
#include "golden/plan_case.h"
#include "sys/sock.h"

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

/* ---- what the start finds -------------------------------------------------------------------- */

/* A helper process that behaves as the facts say (virtiofsd: silent, dies) is really started, by the
 * function that starts the real one. */
static int start_helpers(const struct plan_case *c, const struct qemu_plan *p, struct err *err)
{
    const char *how = json_get_str(c->facts, "virtiofsd");
    bool silent = streq0(how, "silent"), dies = streq0(how, "dies");
    char dir[] = "/tmp/cima-case-XXXXXX";
    struct instance inst = {.name = (char *)c->instance, .dir = dir};
    struct qemu_helper *stand_in = xcalloc(p->n_helpers + 1, sizeof(*stand_in));
    struct qemu_helpers *running = NULL;
    int r = 0;

    for (size_t i = 0; i < p->n_helpers; i++) {
        stand_in[i] = p->helpers[i];
        stand_in[i].argv = (struct strv)STRV_INIT;
        strv_pushl(&stand_in[i].argv, dies ? "/bin/false" : "/bin/sleep", "60", NULL);
    }
    if ((silent || dies) && p->n_helpers && mkdtemp(dir)) {
        r = qemu_helpers_start(&inst, stand_in, p->n_helpers, &running, err);
        qemu_helpers_end(running);
        qemu_helpers_free(running);
        dir_remove(dir, NULL);
    }
    for (size_t i = 0; i < p->n_helpers; i++)
        strv_release(&stand_in[i].argv);
    free(stand_in);
    return r;
}

/* Does somebody listen there? facts: listening_sockets, usernets */
static bool is_live(const struct plan_case *c, const char *path)
{
    const struct json *live = json_get(c->facts, "listening_sockets");
    const struct json *nets = json_get(c->facts, "usernets");
    _cleanup_free_ char *symbols = plan_case_symbols(c, path);

    for (size_t k = 0; k < json_len(live); k++)
        if (streq0(json_str(json_at(live, k)), symbols))
            return true;
    for (size_t k = 0; k < json_len(nets); k++) {
        const char *name = json_str(json_at(nets, k));
        _cleanup_free_ char *own = xasprintf("@HOME@/_networks/%s/%s_qemu.sock", name, name);

        if (streq(own, symbols))
            return true;
    }
    return false;
}

/* The directories of a case don't exist, so a connection to what is dead fails as it would. */
static int connect_sockets(const struct plan_case *c, const struct qemu_plan *p, struct err *err)
{
    for (size_t i = 0; i < p->n_fds; i++) {
        const struct qemu_plan_fd *f = &p->fds[i];
        int fd;

        if (f->listen || is_live(c, f->path))
            continue;
        fd = unix_connect(f->path, 1000, err);
        if (fd < 0)
            return err_wrap(err, "field `%s`", f->field);
        close(fd);
    }
    return 0;
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

    if (plan_case_run(&c, &r) < 0 || connect_sockets(&c, r.plan, &r.err) < 0 ||
        start_helpers(&c, r.plan, &r.err) < 0) {
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
