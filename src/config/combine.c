/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of lists that have a name. Within the instance's own YAML a later entry of the same name
 * fills what the first one leaves open, and the name `*` does so for all entries before it. Across
 * the layers it is the other way round: what a higher layer says wins, field by field. */
#include "config/internal.h"

/* Rows of an entry that name it: never copied into another one. */
struct keyed_list {
    const struct config_mapping *m;
    const char *(*key)(const void *entry);
    uint64_t name_rows;
};

static const char *disk_key(const void *entry)
{
    return ((const struct config_disk *)entry)->name;
}

static const char *mount_key(const void *entry)
{
    const struct config_mount *m = entry;

    return CFG_HAS(m, mount, mount_point) ? m->mount_point : m->location;
}

static const char *network_key(const void *entry)
{
    return ((const struct config_network *)entry)->interface;
}

static const struct keyed_list disk_list = {&config_disk_mapping, disk_key, CFG_BIT(disk, name)};
static const struct keyed_list mount_list = {
    &config_mount_mapping, mount_key, CFG_BIT(mount, location) | CFG_BIT(mount, mount_point)};
static const struct keyed_list network_list = {&config_network_mapping, network_key,
                                               CFG_BIT(network, interface)};

/* dst gets what it lacks. The source is changed on the way: it is not used afterwards. */
static void fill_gaps(struct config *c, const struct keyed_list *l, char *dst, const char *src)
{
    struct config_head *from = cfg_alloc(c->arena, 1, l->m->size);
    const struct config_network *to = (const struct config_network *)(const void *)dst;

    memcpy(from, src, l->m->size);
    from->set &= ~l->name_rows;
    /* lima and socket stand for each other: having one means not lacking the other. */
    if (l->m == &config_network_mapping &&
        (CFG_HAS(to, network, lima) || CFG_HAS(to, network, socket)))
        from->set &= ~(CFG_BIT(network, lima) | CFG_BIT(network, socket));
    config_merge_mapping(c, l->m, dst, from);
}

static void combine(struct config *c, const struct keyed_list *l, void *list, unsigned *count)
{
    char *v = list;
    size_t size = l->m->size;
    unsigned kept = 0;

    for (unsigned i = 0; i < *count; i++) {
        char *entry = v + i * size;
        const char *key = l->key(entry);
        bool all = key && streq(key, "*"), used = all;

        for (unsigned k = 0; k < kept && key && *key; k++) {
            char *earlier = v + k * size;

            if (all || streq0(l->key(earlier), key)) {
                fill_gaps(c, l, earlier, entry);
                used = true;
                if (!all)
                    break;
            }
        }
        if (!used) {
            memmove(v + kept * size, entry, size);
            kept++;
        }
    }
    *count = kept;
}

void config_combine(struct config *c)
{
    combine(c, &disk_list, c->v.additional_disks, &c->v.additional_disks_count);
    combine(c, &mount_list, c->v.mounts, &c->v.mounts_count);
    combine(c, &network_list, c->v.networks, &c->v.networks_count);
}

void config_combine_mounts(struct config *c)
{
    struct config_mount *v = c->v.mounts;
    unsigned kept = 0;

    for (unsigned i = 0; i < c->v.mounts_count; i++) {
        struct config_mount m = v[i];
        const char *key = mount_key(&m);
        unsigned k = kept;

        if (key && *key)
            for (k = 0; k < kept && !streq0(mount_key(&v[k]), key); k++)
                ;
        if (k < kept)
            config_merge_mapping(c, &config_mount_mapping, &m, &v[k]);
        v[k] = m;
        kept += k == kept;
    }
    c->v.mounts_count = kept;
}

void config_combine_networks(struct config *c)
{
    struct config_network *v = c->v.networks;
    unsigned kept = 0;

    for (unsigned i = 0; i < c->v.networks_count; i++) {
        struct config_network n = v[i];
        unsigned k = kept;

        if (!str_empty(n.interface))
            for (k = 0; k < kept && !streq0(v[k].interface, n.interface); k++)
                ;
        if (k < kept) {
            bool lima = !str_empty(n.lima), socket = !str_empty(n.socket);

            config_merge_mapping(c, &config_network_mapping, &n, &v[k]);
            if (socket && !lima) {
                n.lima = NULL;
                n.set &= ~CFG_BIT(network, lima);
            } else if (lima && !socket) {
                n.socket = NULL;
                n.set &= ~CFG_BIT(network, socket);
            }
        }
        v[k] = n;
        kept += k == kept;
    }
    c->v.networks_count = kept;
}
