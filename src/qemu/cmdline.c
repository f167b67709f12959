/* SPDX-License-Identifier: Apache-2.0 */
#include "qemu/cmdline_internal.h"
#include "base/mem.h"
#include "qemu/qemu.h"

struct part {
    char *name; /* "-device" */
    char *text;
    struct cima_opts *opts; /* at most one of text and opts; none: a flag */
    const char *class, *id; /* of part_id; both in opts or static */
};

struct cima_cmdline {
    struct part *v;
    size_t n, cap;
    int *fds; /* of the caller; the first one is first_fd in QEMU */
    size_t n_fds, cap_fds;
    int first_fd;
};

/* 0, 1 and 2 are QEMU's own. */
#define FIRST_FD 3

struct cima_cmdline *cima_cmdline_new(void)
{
    struct cima_cmdline *c = xcalloc(1, sizeof(*c));

    c->first_fd = FIRST_FD;
    return c;
}

struct cima_cmdline *cima_cmdline_new_behind(const struct cima_cmdline *c)
{
    struct cima_cmdline *next = cima_cmdline_new();

    next->first_fd = c->first_fd + (int)c->n_fds;
    return next;
}

void cima_cmdline_free(struct cima_cmdline *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].name);
        free(c->v[i].text);
        cima_opts_free(c->v[i].opts);
    }
    free(c->v);
    free(c->fds);
    free(c);
}

static struct part *add(struct cima_cmdline *c, const char *name)
{
    GROW_ARRAY(c->v, c->n, c->cap);
    c->v[c->n] = (struct part){.name = xstrdup(name)};
    return &c->v[c->n++];
}

void cima_cmdline_flag(struct cima_cmdline *c, const char *name)
{
    add(c, name);
}

void cima_cmdline_text(struct cima_cmdline *c, const char *name, const char *text)
{
    add(c, name)->text = xstrdup(text);
}

static const char block_node[] = "block node";
static const struct {
    const char *name, *key, *class;
} classes[] = {
    {"-device", "id", "device"},     {"-object", "id", "object"},
    {"-netdev", "id", "network"},    {"-chardev", "id", "character device"},
    {"-fsdev", "id", "file system"}, {"-blockdev", "node-name", block_node},
    {"-drive", "id", block_node},    {"-tpmdev", "id", "TPM"},
    {"-audiodev", "id", "sound"},
};

void cima_cmdline_opts(struct cima_cmdline *c, const char *name, struct cima_opts *opts)
{
    struct part *p = add(c, name);

    p->opts = opts;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (streq(classes[i].name, name)) {
            p->class = classes[i].class;
            p->id = cima_opts_get(opts, classes[i].key);
            return;
        }
}

const char *part_id(const struct cima_cmdline *c, size_t i, const char **ret_class)
{
    *ret_class = c->v[i].class;
    return c->v[i].id;
}

void cima_cmdline_move(struct cima_cmdline *dst, struct cima_cmdline *src)
{
    for (size_t i = 0; i < src->n; i++) {
        GROW_ARRAY(dst->v, dst->n, dst->cap);
        dst->v[dst->n++] = src->v[i];
    }
    src->n = 0;
    for (size_t i = 0; i < src->n_fds; i++)
        cima_cmdline_inherit(dst, src->fds[i]);
    src->n_fds = 0;
}

int cima_cmdline_inherit(struct cima_cmdline *c, int fd)
{
    GROW_ARRAY(c->fds, c->n_fds, c->cap_fds);
    c->fds[c->n_fds] = fd;
    return c->first_fd + (int)c->n_fds++;
}

size_t cima_cmdline_fds(const struct cima_cmdline *c, const int **ret_fds)
{
    if (ret_fds)
        *ret_fds = c->fds;
    return c->n_fds;
}

char *cima_cmdline_fd_name(int number)
{
    return xasprintf("cima-fd%d", number);
}

size_t cima_cmdline_len(const struct cima_cmdline *c)
{
    return c->n;
}

const char *cima_cmdline_name(const struct cima_cmdline *c, size_t i)
{
    return c->v[i].name;
}

const struct cima_opts *cima_cmdline_value(const struct cima_cmdline *c, size_t i)
{
    return c->v[i].opts;
}

const char *cima_cmdline_plain(const struct cima_cmdline *c, size_t i)
{
    return c->v[i].text;
}

char **cima_cmdline_argv(const struct cima_cmdline *c, struct cima_error *error)
{
    struct strv words = STRV_INIT;

    for (size_t i = 0; i < c->n; i++) {
        const struct part *p = &c->v[i];
        char *text;

        strv_push(&words, p->name);
        if (p->text)
            strv_push(&words, p->text);
        if (!p->opts)
            continue;
        text = cima_opts_to_argv(p->opts, error);
        if (!text) {
            strv_release(&words);
            err_wrap(error, "QEMU option '%s'", p->name);
            return NULL;
        }
        strv_push_consume(&words, text);
    }
    return strv_argv(&words);
}

void cima_strings_free(char **strings)
{
    for (size_t i = 0; strings && strings[i]; i++)
        free(strings[i]);
    free(strings);
}
