/* SPDX-License-Identifier: Apache-2.0 */
#include "qemu/cmdline.h"
#include "base/mem.h"

void qemu_cmdline_release(struct qemu_cmdline *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].name);
        free(c->v[i].text);
        qemu_opts_free(c->v[i].opts);
    }
    free(c->v);
    *c = (struct qemu_cmdline)QEMU_CMDLINE_INIT;
}

static struct qemu_arg *add(struct qemu_cmdline *c, const char *name)
{
    GROW_ARRAY(c->v, c->n, c->cap);
    c->v[c->n] = (struct qemu_arg){.name = xstrdup(name)};
    return &c->v[c->n++];
}

void qemu_cmdline_flag(struct qemu_cmdline *c, const char *name)
{
    add(c, name);
}

void qemu_cmdline_text(struct qemu_cmdline *c, const char *name, const char *text)
{
    add(c, name)->text = xstrdup(text);
}

void qemu_cmdline_opts(struct qemu_cmdline *c, const char *name, struct qemu_opts *opts)
{
    add(c, name)->opts = opts;
}

int qemu_cmdline_argv(const struct qemu_cmdline *c, struct strv *out, struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct qemu_arg *a = &c->v[i];

        strv_push(out, a->name);
        if (a->text) {
            strv_push(out, a->text);
        } else if (a->opts) {
            char *text = qemu_opts_to_argv(a->opts, err);

            if (!text)
                return err_wrap(err, "QEMU option '%s'", a->name);
            strv_push_consume(out, text);
        }
    }
    return 0;
}
