/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults. Reads the configuration and the context, nothing else; filling a filled configuration
 * changes nothing but the templates, which are expanded once. */
#include "config/fill.h"
#include "base/mem.h"
#include "base/parse.h"
#include "config/shape.h"

static const uint64_t GiB = UINT64_C(1) << 30, MiB = UINT64_C(1) << 20;
enum { MAX_DEFAULT_CPUS = 4, MAX_DEFAULT_GIB = 4 };

/* ---- defaults of the rows -------------------------------------------------------------------- */

static void set_default(struct fill *f, const struct config_field *row, void *member)
{
    int word;

    if (config_kind_is_text(row->kind))
        *(char **)member = cfg_strdup(f->c->arena, row->default_);
    else if (config_kind_is_int(row->kind))
        *(int64_t *)member = strtoll(row->default_, NULL, 10);
    else if (row->kind == KIND_BOOL)
        *(enum tristate *)member = streq(row->default_, "true") ? TRI_TRUE : TRI_FALSE;
    else if (row->kind == KIND_ENUM && row->words->from_string(row->default_, &word) == 0)
        *(int *)member = word;
}

/* The default column of config.def, for what is still not set. */
static void fill_rows(struct fill *f, const struct config_mapping *m, void *mapping)
{
    struct config_head *head = mapping;

    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *row = &m->fields[i];
        void *member = cfg_member(mapping, row);

        if (row->kind == KIND_SUB) {
            fill_rows(f, row->sub, member);
        } else if (row->kind == KIND_LIST) {
            for (unsigned k = 0; k < cfg_count_c(mapping, row); k++)
                fill_rows(f, row->sub, *(char **)member + k * row->sub->size);
        } else if (config_field_default(row) && !cfg_has(mapping, i)) {
            set_default(f, row, member);
            head->set |= UINT64_C(1) << i;
        }
    }
}

/* ---- texts and numbers that mean "not given" ------------------------------------------------- */

static bool is_zero(const struct config_field *row, const void *member)
{
    if (config_kind_is_text(row->kind))
        return str_empty(*(char *const *)member);
    if (config_kind_is_int(row->kind))
        return *(const int64_t *)member == 0;
    return row->kind == KIND_BOOL && *(const enum tristate *)member == TRI_FALSE;
}

/* In these entries an empty text, a zero and a false are the same as leaving the key out, and it
 * is left out when the configuration is written. */
static void drop_zeros(const struct config_mapping *m, void *list, unsigned n, uint64_t keep)
{
    for (unsigned i = 0; i < n; i++) {
        void *entry = (char *)list + i * m->size;
        struct config_head *head = entry;

        for (size_t k = 0; k < m->n_fields; k++)
            if (!(keep >> k & 1) && is_zero(&m->fields[k], cfg_member(entry, &m->fields[k])))
                head->set &= ~(UINT64_C(1) << k);
    }
}

static void drop_all_zeros(struct config_instance *v)
{
    for (unsigned i = 0; i < v->images_count; i++) {
        drop_zeros(&config_kernel_mapping, &v->images[i].kernel, 1, CFG_BIT(kernel, location));
        drop_zeros(&config_file_ref_mapping, &v->images[i].initrd, 1, CFG_BIT(file_ref, location));
    }
    drop_zeros(&config_image_mapping, v->images, v->images_count, CFG_BIT(image, location));
    drop_zeros(&config_firmware_image_mapping, v->firmware.images, v->firmware.images_count,
               CFG_BIT(firmware_image, location));
    drop_zeros(&config_file_ref_mapping, v->containerd.archives, v->containerd.archives_count,
               CFG_BIT(file_ref, location));
    drop_zeros(&config_network_mapping, v->networks, v->networks_count,
               CFG_BIT(network, vz_nat) | CFG_BIT(network, metric));
    drop_zeros(&config_port_forward_mapping, v->port_forwards, v->port_forwards_count,
               CFG_BIT(port_forward, guest_ip_must_be_zero));
    drop_zeros(&config_copy_to_host_mapping, v->copy_to_host, v->copy_to_host_count, 0);
    if (str_empty(v->message))
        v->set &= ~CFG_BIT(instance, message);
}

/* ---- the instance's own fields --------------------------------------------------------------- */

static void unset_words(struct config_instance *v)
{
    if (CFG_HAS(v, instance, os) && (!*v->os || streq(v->os, "default")))
        v->set &= ~CFG_BIT(instance, os);
    if (CFG_HAS(v, instance, arch) && (!*v->arch || streq(v->arch, "default")))
        v->set &= ~CFG_BIT(instance, arch);
    if (v->cpus == 0)
        v->set &= ~CFG_BIT(instance, cpus);
    if (str_empty(v->memory))
        v->set &= ~CFG_BIT(instance, memory);
    if (str_empty(v->disk))
        v->set &= ~CFG_BIT(instance, disk);
    if (str_empty(v->video.display))
        v->video.set &= ~CFG_BIT(video, display);
}

static char *default_memory(struct fill *f)
{
    uint64_t half = f->ctx->host->memory_bytes / 2;

    if (half >= MAX_DEFAULT_GIB * GiB || half < MiB)
        return cfg_printf(f->c->arena, "%dGiB", MAX_DEFAULT_GIB);
    return cfg_printf(f->c->arena, "%lluMiB", (unsigned long long)(half / MiB));
}

static void fill_over_vsock(struct fill *f)
{
    const char *env = f->ctx->ssh_over_vsock;
    bool value;

    if (str_empty(env))
        return;
    if (parse_bool(env, &value) < 0) {
        config_problem(f->d, RULE_OVER_VSOCK_VARIABLE, "ssh.overVsock",
                    "the environment variable LIMA_SSH_OVER_VSOCK must be true or false, got `%s`; "
                    "it is ignored", env);
        return;
    }
    f->v->ssh.over_vsock = value ? TRI_TRUE : TRI_FALSE;
    f->v->ssh.set |= CFG_BIT(ssh, over_vsock);
}

static void fill_scalars(struct fill *f)
{
    const struct host_facts *host = f->ctx->host;
    struct config_instance *v = f->v;
    unsigned cpus = host->cpus < MAX_DEFAULT_CPUS ? host->cpus : MAX_DEFAULT_CPUS;

    unset_words(v);
    FILL_STR(f, v, instance, os, "Linux");
    FILL_STR(f, v, instance, arch, arch_to_string(host->arch));
    FILL_VALUE(v, instance, cpus, cpus ? cpus : 1);
    FILL_VALUE(v, instance, memory, default_memory(f));
    FILL_STR(f, v, instance, timezone, host->timezone ? host->timezone : "");
    fill_over_vsock(f);
}

void config_fill(struct config *c, const struct config_context *ctx, struct diags *d)
{
    struct fill f = {.c = c, .v = &c->v, .ctx = ctx, .d = d, .host = {.host = true}};
    size_t first = d->n;

    fill_scalars(&f);
    fill_user(&f);
    fill_home(&f);
    fill_param_use(&f);
    fill_images(&f);
    fill_mounts(&f);
    fill_networks(&f);
    fill_provision(&f);
    fill_probes(&f);
    fill_forwards(&f);
    fill_copies(&f);
    fill_containerd(&f);
    fill_driver(&f);
    fill_plain(&f);
    uint64_t driver_rows = ~c->v.set & CFG_BIT(instance, vm_type);

    fill_rows(&f, &config_instance_mapping, &c->v);
    c->v.set &= ~driver_rows;
    drop_all_zeros(&c->v);
    config_origin_place(c, d, first);
    fill_names_release(&f.guest);
    fill_names_release(&f.host);
}

void config_settle_driver(struct config *c)
{
    if (str_empty(c->v.vm_type) || streq(c->v.vm_type, "default"))
        c->v.vm_type = cfg_strdup(c->arena, "qemu");
    c->v.set |= CFG_BIT(instance, vm_type);
}
