/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/features.h"
#include "base/mem.h"
#include <stddef.h>

void qemu_features_release(struct qemu_features *f)
{
    strv_release(&f->accels);
    strv_release(&f->cpus);
    strv_release(&f->devices);
    strv_release(&f->machine_props);
    strv_release(&f->netdevs);
    strv_release(&f->chardevs);
    strv_release(&f->objects);
    strv_release(&f->displays);
    strv_release(&f->audiodevs);
    for (size_t i = 0; i < f->n_machines; i++) {
        free(f->machines[i].name);
        free(f->machines[i].alias);
    }
    free(f->machines);
    *f = (struct qemu_features)QEMU_FEATURES_INIT;
}

bool qemu_features_at_least(const struct qemu_features *f, unsigned major, unsigned minor)
{
    if (!f->version_known)
        return true;
    return f->version.major > major || (f->version.major == major && f->version.minor >= minor);
}

bool qemu_features_has_device(const struct qemu_features *f, const char *device)
{
    return f->devices.n == 0 || strv_contains(&f->devices, device);
}

bool qemu_features_has_object(const struct qemu_features *f, const char *type)
{
    return f->objects.n == 0 || strv_contains(&f->objects, type);
}

const char *qemu_features_machine(const struct qemu_features *f, const char *name)
{
    for (size_t i = 0; i < f->n_machines; i++)
        if (streq(f->machines[i].name, name) || streq0(f->machines[i].alias, name))
            return f->machines[i].name;
    return NULL;
}

/* ---- JSON: the cache's form and that of the tests' facts ------------------------------------- */

static int list_from_json(const struct json *list, struct strv *ret)
{
    if (!json_is_array(list))
        return -1;
    for (size_t i = 0; i < json_len(list); i++) {
        if (!json_is_string(json_at(list, i)))
            return -1;
        strv_push(ret, json_str(json_at(list, i)));
    }
    return 0;
}

/* The lists of names, with their keys. */
static const struct {
    const char *key;
    size_t offset;
} lists[] = {
    {"accels", offsetof(struct qemu_features, accels)},
    {"cpus", offsetof(struct qemu_features, cpus)},
    {"machineProperties", offsetof(struct qemu_features, machine_props)},
    {"netdevs", offsetof(struct qemu_features, netdevs)},
    {"chardevs", offsetof(struct qemu_features, chardevs)},
    {"objects", offsetof(struct qemu_features, objects)},
    {"devices", offsetof(struct qemu_features, devices)},
};

struct strv *qemu_features_list(struct qemu_features *f, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (streq(lists[i].key, key))
            return (struct strv *)((char *)f + lists[i].offset);
    return NULL;
}

struct json *qemu_features_to_json(const struct qemu_features *f)
{
    struct json *j = json_object_new(), *machines = json_array_new();

    if (f->version_known) {
        _cleanup_free_ char *v = xasprintf("%u.%u.%u", (unsigned)f->version.major,
                                           (unsigned)f->version.minor, (unsigned)f->version.patch);

        json_set_str(j, "version", v);
    }
    for (size_t i = 0; i < f->n_machines; i++) {
        struct json *m = json_object_new();

        json_set_str(m, "name", f->machines[i].name);
        json_set_str(m, "alias", f->machines[i].alias);
        json_set_int(m, "maxCpus", f->machines[i].max_cpus);
        json_append(machines, m);
    }
    json_set(j, "machines", machines);
    json_set_bool(j, "sandbox", f->sandbox);
    json_set_bool(j, "netdevUser", f->netdev_user);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        json_set(j, lists[i].key,
                 json_strings((const struct strv *)((const char *)f + lists[i].offset)));
    return j;
}

static int machines_from_json(const struct json *list, struct qemu_features *f)
{
    if (!json_is_array(list))
        return -1;
    f->machines = xcalloc(json_len(list) + 1, sizeof(*f->machines));
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *m = json_at(list, i);
        int64_t cpus = json_get_int(m, "maxCpus", 0);

        if (!json_get_str(m, "name") || cpus < 0 || cpus > INT32_MAX)
            return -1;
        f->machines[f->n_machines++] = (struct qemu_machine_type){
            .name = xstrdup(json_get_str(m, "name")),
            .alias = xstrdup0(json_get_str(m, "alias")),
            .max_cpus = (unsigned)cpus,
        };
    }
    return 0;
}

int qemu_features_from_json(const struct json *j, struct qemu_features *ret)
{
    struct qemu_features f = QEMU_FEATURES_INIT;
    const char *version = json_get_str(j, "version");

    f.version_known = version && parse_semver(version, &f.version) == 0;
    f.sandbox = json_get_bool(j, "sandbox", false);
    f.netdev_user = json_get_bool(j, "netdevUser", false);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (list_from_json(json_get(j, lists[i].key), qemu_features_list(&f, lists[i].key)) < 0)
            goto bad;
    if (machines_from_json(json_get(j, "machines"), &f) < 0)
        goto bad;
    *ret = f;
    return 0;
bad:
    qemu_features_release(&f);
    return -1;
}
