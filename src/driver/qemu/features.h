/* SPDX-License-Identifier: Apache-2.0 */
/* What one QEMU binary can do: asked once over QMP (`-M none`), kept under the cache directory. */
#ifndef CIMA_DRIVER_QEMU_FEATURES_H
#define CIMA_DRIVER_QEMU_FEATURES_H

#include "base/parse.h"
#include "base/strv.h"
#include "json/json.h"
#include "sys/host.h"

struct qemu_machine_type {
    char *name;  /* "pc-q35-7.2" */
    char *alias; /* "q35"; NULL: none */
    unsigned max_cpus;
};

struct qemu_features {
    bool version_known;
    struct semver version;
    struct strv accels;        /* "kvm", "tcg" */
    struct strv cpus;          /* models; empty: not known, nothing is checked */
    struct strv devices;       /* device models; empty: not known */
    struct strv machine_props; /* of the architecture's default machine; empty: not known */
    struct strv netdevs, chardevs, objects; /* types for -netdev, -chardev, -object; the same */
    struct qemu_machine_type *machines;
    size_t n_machines;
    bool sandbox;     /* -sandbox */
    bool netdev_user; /* user networking is compiled in */
    /* Asked only when an instance wants a window or sound (they live in modules that come and go);
     * empty: not asked. */
    struct strv displays, audiodevs;
};

#define QEMU_FEATURES_INIT                                                                         \
    {                                                                                              \
        0                                                                                          \
    }
#define _cleanup_qemu_features_ _cleanup_(qemu_features_release)
void qemu_features_release(struct qemu_features *f);

/* At least this version? True when the version is not known. */
bool qemu_features_at_least(const struct qemu_features *f, unsigned major, unsigned minor);
/* The device model exists, or nothing is known. */
bool qemu_features_has_device(const struct qemu_features *f, const char *device);
/* Such a type of -object exists, or nothing is known. */
bool qemu_features_has_object(const struct qemu_features *f, const char *type);
/* Full name of a machine type or alias ("q35" gives "pc-q35-7.2"); NULL when there is none. */
const char *qemu_features_machine(const struct qemu_features *f, const char *name);

/* The list with that key of the JSON form ("cpus", "devices", …); NULL: there is no such list. */
struct strv *qemu_features_list(struct qemu_features *f, const char *key);
struct json *qemu_features_to_json(const struct qemu_features *f);
/* -1 when a part is missing or of a wrong type. */
int qemu_features_from_json(const struct json *j, struct qemu_features *ret);

/* Asks the binary, or the cache when the binary has not changed (path, inode, size, mtime).
 * cache_dir NULL: no cache. A binary that can't be run, does not speak QMP or takes longer than 20
 * s is an error with its stderr as detail (F14). */
int qemu_probe(const char *exe, enum arch arch, const char *cache_dir, struct qemu_features *ret,
               struct err *err);
/* Fills displays and audiodevs; what can't be found out stays empty. */
void qemu_probe_desktop(const char *exe, struct qemu_features *f);

#endif
