/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the fill stage share. */
#ifndef CIMA_CONFIG_FILL_H
#define CIMA_CONFIG_FILL_H

#include "config/internal.h"
#include "config/tmpl.h"
#include "json/json.h"

/* What a template of the guest or of the host may name; made when the first one asks. */
struct fill_names {
    bool host;
    struct json *data;
};

struct fill {
    struct config *c;
    struct config_instance *v;
    const struct config_context *ctx;
    struct diags *d;
    struct fill_names guest, host;
    bool home_done;
};

/* Sets a member that has no value yet. */
#define FILL_STR(f, ptr, st, m, text)                           \
    do {                                                        \
        if (!CFG_HAS(ptr, st, m)) {                             \
            (ptr)->m = cfg_strdup((f)->c->arena, (text));       \
            (ptr)->set |= CFG_BIT(st, m);                       \
        }                                                       \
    } while (0)
#define FILL_VALUE(ptr, st, m, value)                           \
    do {                                                        \
        if (!CFG_HAS(ptr, st, m)) {                             \
            (ptr)->m = (value);                                 \
            (ptr)->set |= CFG_BIT(st, m);                       \
        }                                                       \
    } while (0)

/* Expands *text in place; a problem is a warning at path. */
void fill_expand(struct fill *f, struct fill_names *names, char **text, const char *path_fmt, ...)
    PRINTF_FORMAT(4, 5);
void fill_names_release(struct fill_names *names);

void fill_user(struct fill *f);
/* Expands the home of the guest's user, which then can be named by others. */
void fill_home(struct fill *f);
void fill_param_use(struct fill *f);
void fill_mounts(struct fill *f);
void fill_networks(struct fill *f);
void fill_images(struct fill *f);
void fill_containerd(struct fill *f);
void fill_provision(struct fill *f);
void fill_probes(struct fill *f);
void fill_forwards(struct fill *f);
void fill_copies(struct fill *f);
void fill_driver(struct fill *f);
/* plain: true takes away what needs more than ssh. */
void fill_plain(struct fill *f);

#endif
