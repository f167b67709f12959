/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the seed, in their order (GS-01 to GS-03). */
#include "cidata/cidata.h"
#include "cidata/internal.h"
#include "base/mem.h"
#include <sys/types.h>
#include <sha2.h>

#define HOSTNAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

void cidata_release(struct cidata *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].name);
        free(c->v[i].data);
    }
    free(c->v);
    free(c->iid);
    *c = (struct cidata){0};
}

const struct cidata_file *cidata_find(const struct cidata *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (streq(c->v[i].name, name))
            return &c->v[i];
    return NULL;
}

static void add_file(struct cidata *c, const char *name, const char *data, size_t len,
                     unsigned mode)
{
    char *copy = xmalloc(len + 1);
    memcpy(copy, data, len);
    copy[len] = '\0';
    GROW_ARRAY(c->v, c->n, c->cap);
    c->v[c->n++] = (struct cidata_file){xstrdup(name), copy, len, mode};
}

static void add_text(struct cidata *c, const char *name, const struct sbuf *text)
{
    add_file(c, name, sbuf_str(text), text->len, 0644);
}

/* The scripts that cloud-init gets inside user-data are not on the seed once more. */
static bool is_in_user_data(const char *name)
{
    static const char *const names[] = {"lima.boot.sh", "lima.bootcmd.sh", "lima.early.sh",
                                        "lima.nics.sh", NULL};

    return str_is_one_of(name, names);
}

static void add_embedded(struct cidata *c)
{
    for (size_t i = 0; i < embedded_files_count; i++) {
        const struct embedded_file *f = &embedded_files[i];
        if (!is_in_user_data(f->name))
            add_file(c, f->name, f->data, f->len, 0755);
    }
}

static const char *provision_content(const struct config_provision *p)
{
    const char *s = p->mode == PROVISION_DATA ? p->content
                    : p->mode == PROVISION_YQ ? p->expression
                                              : p->script;
    return s ? s : "";
}

/* The number is the position in the list of the YAML, whatever the modes: it is what a report of a
 * failed script refers to. */
static void add_provisions(struct cidata *c, const struct config_instance *cfg)
{
    for (unsigned i = 0; i < cfg->provision_count; i++) {
        const struct config_provision *p = &cfg->provision[i];
        enum provision_mode mode = p->mode == PROVISION_UNSET ? PROVISION_SYSTEM : p->mode;
        if (mode == PROVISION_ANSIBLE)
            continue;
        bool is_script = mode != PROVISION_DATA && mode != PROVISION_YQ;
        _cleanup_free_ char *name =
            xasprintf("provision.%s/%08u", provision_mode_to_string(mode), i);
        const char *content = provision_content(p);
        add_file(c, name, content, strlen(content), is_script ? 0755 : 0644);
    }
}

/* What cloud-init acts upon once per instance: when it is as it was, a restart is no first boot.
 * The rest of the seed is read on every boot anyway, and lima.env differs every time. */
static char *instance_id(const struct sbuf *user_data, const struct sbuf *network,
                         const char *hostname)
{
    SHA2_CTX ctx;
    uint8_t out[SHA256_DIGEST_LENGTH];
    char hex[33];
    SHA256Init(&ctx);
    /* Each with its NUL, so that no two lists of parts run together to the same bytes. */
    SHA256Update(&ctx, (const uint8_t *)sbuf_str(user_data), user_data->len + 1);
    SHA256Update(&ctx, (const uint8_t *)sbuf_str(network), network->len + 1);
    SHA256Update(&ctx, (const uint8_t *)hostname, strlen(hostname) + 1);
    SHA256Final(out, &ctx);
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", out[i]);
    return xasprintf("iid-%s", hex);
}

static int meta_data(const struct cidata_input *in, const struct sbuf *user_data,
                     const struct sbuf *network, struct sbuf *out, struct err *err)
{
    _cleanup_free_ char *hostname = config_hostname(in->instance_name);
    _cleanup_free_ char *id = instance_id(user_data, network, hostname);
    /* Both are plain words, and stand without quotes for those who read this file line by line. */
    if (hostname[strspn(hostname, HOSTNAME_CHARS)])
        return err_set(err, ERR_CONFIG, "`%s` can't be a host name", hostname);
    sbuf_addf(out, "instance-id: %s\nlocal-hostname: %s\n", id, hostname);
    return 0;
}

struct texts {
    struct sbuf user, meta, network, lima, param, etc;
};

static void texts_release(struct texts *t)
{
    sbuf_release(&t->user);
    sbuf_release(&t->meta);
    sbuf_release(&t->network);
    sbuf_release(&t->lima);
    sbuf_release(&t->param);
    sbuf_release(&t->etc);
}

int cidata_plan(const struct cidata_input *in, struct cidata *ret, struct err *err)
{
    _cleanup_(texts_release) struct texts t = {0};
    if (cidata_user_data(in, &t.user, err) < 0 || cidata_network_config(in, &t.network, err) < 0 ||
        meta_data(in, &t.user, &t.network, &t.meta, err) < 0 ||
        cidata_lima_env(in, &t.lima, err) < 0 || cidata_param_env(in, &t.param, err) < 0 ||
        cidata_etc_environment(in, &t.etc, err) < 0)
        return err_wrap(err, "the seed of instance `%s`", in->instance_name);
    struct cidata c = {.iid = xstrdup(in->boot_id)};
    add_text(&c, "user-data", &t.user);
    add_text(&c, "meta-data", &t.meta);
    add_text(&c, "network-config", &t.network);
    add_text(&c, "lima.env", &t.lima);
    add_text(&c, "param.env", &t.param);
    add_text(&c, "etc_environment", &t.etc);
    add_embedded(&c);
    add_provisions(&c, in->cfg);
    *ret = c;
    return 0;
}

/* S2-H4. */
void cidata_config_drive(const char *meta_data, const char *user_data, struct cidata *ret)
{
    ret->label = "config-2";
    add_file(ret, "openstack/latest/meta_data.json", meta_data, strlen(meta_data), 0644);
    add_file(ret, "openstack/latest/user_data", user_data, strlen(user_data), 0644);
}
