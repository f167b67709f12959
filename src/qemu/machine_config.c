/* SPDX-License-Identifier: Apache-2.0 */
/* A whole machine out of its settings and devices. */
#include "qemu/making.h"

/* One after the other goes into c; what is wrong is collected. */
struct whole {
    struct cima_cmdline *c;
    struct cima_problems *problems;
    struct making m;
    char *where;
};

static struct making *begin(struct whole *w, const char *where)
{
    w->where = xstrdup(where);
    making_begin(&w->m, w->c, w->where, w->problems);
    return &w->m;
}

static struct making *begin_item(struct whole *w, const char *where, size_t i)
{
    _cleanup_free_ char *item = xasprintf("%s[%zu]", where, i);

    return begin(w, item);
}

static void end(struct whole *w)
{
    making_end(&w->m);
    free(w->where);
    w->where = NULL;
}

#define SETTING(w, config, name)                                                                   \
    do {                                                                                           \
        make_##name(begin((w), #name), &(config)->name);                                           \
        end(w);                                                                                    \
    } while (0)

#define ITEMS(w, config, list, name)                                                               \
    for (size_t item_ = 0; item_ < (config)->n_##list; item_++) {                                  \
        make_##name(begin_item((w), #list, item_), &(config)->list[item_]);                        \
        end(w);                                                                                    \
    }

static void text(struct whole *w, const char *option, const char *field, const char *value)
{
    if (!value)
        return;
    begin(w, field)->is_field = true;
    make_text(&w->m, option, field, value);
    end(w);
}

/* S2-50. */
static void make_all(struct whole *w, const struct cima_config *config)
{
    SETTING(w, config, identity);
    SETTING(w, config, machine);
    SETTING(w, config, cpu);
    ITEMS(w, config, qmp_sockets, qmp_socket)
    SETTING(w, config, memory);
    SETTING(w, config, smp);
    ITEMS(w, config, devices, device)
    SETTING(w, config, rtc);
    for (size_t i = 0; config->globals && config->globals[i]; i++) {
        begin_item(w, "globals", i)->is_field = true;
        make_global(&w->m, config->globals[i]);
        end(w);
    }
    text(w, "-vga", "vga", config->vga);
    if (config->display) {
        begin(w, "display")->is_field = true;
        make_display(&w->m, config->display);
        end(w);
    }
    SETTING(w, config, knobs);
    SETTING(w, config, kernel);
    text(w, "-bios", "bios", config->bios);
    ITEMS(w, config, fw_cfg, fw_cfg)
    SETTING(w, config, incoming);
    SETTING(w, config, sandbox);
    text(w, "-pidfile", "pidfile", config->pidfile);
    text(w, "-D", "logfile", config->logfile);
}

struct cima_cmdline *cima_config_cmdline(const struct cima_config *config,
                                         struct cima_problems *problems, struct err *error)
{
    _cleanup_problems_ struct cima_problems *own = problems ? NULL : cima_problems_new();
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    struct whole w = {.c = c, .problems = problems ? problems : own};

    make_all(&w, config);
    cima_cmdline_check(c, w.problems);
    if (own && cima_problems_len(own)) {
        const struct cima_problem *first = cima_problems_at(own, 0);

        err_set(error, ERR_CONFIG, "%s: %s", first->where, first->message);
        return NULL;
    }
    return TAKE_PTR(c);
}
