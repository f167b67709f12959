/* SPDX-License-Identifier: Apache-2.0 */
/* What the QEMU of a case can do: the table of its architecture, changed to its version
 * (features/versions.json), and then what the facts say. */
#include "golden/plan_case.h"
#include "base/fs.h"
#include "base/mem.h"

#define FILE_MAX (4u << 20)

static struct json *read_table(const char *name)
{
    _cleanup_free_ char *path = xasprintf(TEST_GOLDEN_DIR "/features/%s.json", name), *text = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *j;
    size_t len;

    text = file_read(path, FILE_MAX, &len, &err);
    j = text ? json_parse(text, len, path, &err) : NULL;
    if (!j)
        fprintf(stderr, "%s: %s\n", path, err.msg);
    return j;
}

static void drop(struct strv *list, const char *name)
{
    struct strv rest = STRV_INIT;

    for (size_t i = 0; i < list->n; i++)
        if (!streq(list->v[i], name))
            strv_push(&rest, list->v[i]);
    strv_release(list);
    *list = rest;
}

static bool is_for(const struct json *entry, enum arch arch)
{
    const struct json *arches = json_get(entry, "arches");
    bool found = !arches;

    for (size_t i = 0; arches && i < json_len(arches); i++)
        found |= streq0(json_str(json_at(arches, i)), arch_to_string(arch));
    return found;
}

/* -1, 0, 1 as versions of the form "8.2" compare with that of f. */
static int compare(const struct qemu_features *f, const char *version)
{
    _cleanup_free_ char *text = xasprintf("%s.0", version);
    struct semver v, mine = {.major = f->version.major, .minor = f->version.minor};

    return parse_semver(text, &v) < 0 ? 0 : semver_cmp(&mine, &v);
}

static void follow_entry(struct qemu_features *f, const struct json *e)
{
    struct strv *list = qemu_features_list(f, json_get_str(e, "list"));
    const char *since = json_get_str(e, "since"), *until = json_get_str(e, "until");
    bool there = (!since || compare(f, since) >= 0) && (!until || compare(f, until) < 0);
    const struct json *names = json_get(e, "names");

    for (size_t i = 0; list && i < json_len(names); i++) {
        const char *name = json_str(json_at(names, i));

        drop(list, name);
        if (there)
            strv_push(list, name);
    }
}

static void follow(struct qemu_features *f, const struct json *entries, enum arch arch)
{
    for (size_t i = 0; i < json_len(entries); i++)
        if (is_for(json_at(entries, i), arch))
            follow_entry(f, json_at(entries, i));
}

/* pc-q35-7.2 of the table is pc-q35-9.2 there, and what is newer than that is not there yet. */
static void follow_machines(struct qemu_features *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n_machines; i++) {
        struct qemu_machine_type m = f->machines[i];
        const char *dash = strrchr(m.name, '-');
        _cleanup_free_ char *with_patch = xasprintf("%s.0", dash ? dash + 1 : "");
        struct semver v, mine = {.major = f->version.major, .minor = f->version.minor};
        bool versioned = dash && parse_semver(with_patch, &v) == 0;

        if (versioned && m.alias) {
            char *name = xasprintf("%.*s-%u.%u", (int)(dash - m.name), m.name,
                                   (unsigned)mine.major, (unsigned)mine.minor);

            free(m.name);
            m.name = name;
        } else if (versioned && semver_cmp(&v, &mine) >= 0) {
            free(m.name);
            free(m.alias);
            continue;
        }
        f->machines[n++] = m;
    }
    f->n_machines = n;
}

static void replace_list(struct strv *list, const struct json *names)
{
    if (!names)
        return;
    strv_release(list);
    for (size_t i = 0; i < json_len(names); i++)
        strv_push(list, json_str(json_at(names, i)));
}

/* facts.qemu: version, accels, cpus, devices, netdevs, …, displays, audiodevs; sandbox */
static void follow_facts(struct qemu_features *f, const struct json *q)
{
    static const char *const keys[] = {"accels",  "cpus",     "machineProperties", "netdevs",
                                       "objects", "chardevs", "devices"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        replace_list(qemu_features_list(f, keys[i]), json_get(q, keys[i]));
    replace_list(&f->displays, json_get(q, "displays"));
    replace_list(&f->audiodevs, json_get(q, "audiodevs"));
    if (f->netdevs.n)
        f->netdev_user = strv_contains(&f->netdevs, "user");
    f->sandbox = json_get_bool(q, "sandbox", f->sandbox);
}

/* "host" comes with KVM, which the emulators of other architectures in the tables lack. */
static void follow_kvm(struct qemu_features *f)
{
    drop(&f->cpus, "host");
    if (f->cpus.n && strv_contains(&f->accels, "kvm"))
        strv_push(&f->cpus, "host");
}

/* facts.qemu.fail: what the binary does not tell. */
static void forget(struct qemu_features *f, const struct json *fail)
{
    for (size_t i = 0; i < json_len(fail); i++) {
        const char *what = json_str(json_at(fail, i));

        if (streq0(what, "version"))
            f->version_known = false;
        if (streq0(what, "cpu"))
            strv_release(&f->cpus);
        if (streq0(what, "netdev"))
            strv_release(&f->netdevs);
        if (streq0(what, "machine"))
            strv_release(&f->machine_props);
    }
}

int plan_case_features(const struct json *facts, enum arch arch, struct qemu_features *ret)
{
    _cleanup_json_ struct json *table = read_table(arch_to_string(arch));
    _cleanup_json_ struct json *versions = read_table("versions");
    const struct json *q = json_get(facts, "qemu");
    const char *version = json_get_str(q, "version");

    if (!table || !versions || qemu_features_from_json(table, ret) < 0)
        return -1;
    if (version) {
        ret->version_known = parse_semver(version, &ret->version) == 0;
        if (ret->version_known) {
            follow(ret, json_get(versions, "entries"), arch);
            follow_machines(ret);
        }
    }
    follow(ret, json_get(versions, "assumed"), arch);
    follow_facts(ret, q);
    if (!json_get(q, "cpus"))
        follow_kvm(ret);
    forget(ret, json_get(q, "fail"));
    return 0;
}
