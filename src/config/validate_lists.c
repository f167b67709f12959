/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about the entries of lists: images, disks, mounts, networks, provisioning, probes. */
#include "config/validate.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include <errno.h>

enum { INTERFACE_NAME_MAX = 15 };

/* ---- files ----------------------------------------------------------------------------------- */

static void check_image_part(const struct check *k, const char *path, const char *image_arch,
                             const char *location, const char *arch, const char *digest)
{
    _cleanup_free_ char *p_arch = xasprintf("%s.arch", path);

    check_file(k, path, location, arch, digest);
    if (!streq(arch, image_arch))
        problem(k, RULE_IMAGE_PART_ARCH, p_arch,
                "%s has unexpected architecture `%s`, must be `%s` as that of its image", path,
                arch, image_arch);
}

static void check_images(const struct check *k)
{
    const struct config_instance *v = k->v;

    if (!v->images_count)
        problem(k, RULE_IMAGES_MISSING, "images", "field `images` must be set");
    for (unsigned i = 0; i < v->images_count; i++) {
        const struct config_image *m = &v->images[i];
        _cleanup_free_ char *path = xasprintf("images[%u]", i);
        _cleanup_free_ char *kernel = xasprintf("%s.kernel", path);
        _cleanup_free_ char *initrd = xasprintf("%s.initrd", path);

        check_file(k, path, m->location, m->arch, m->digest);
        if (CFG_HAS(m, image, kernel))
            check_image_part(k, kernel, m->arch, m->kernel.location, m->kernel.arch,
                             m->kernel.digest);
        if (CFG_HAS(m, image, initrd))
            check_image_part(k, initrd, m->arch, m->initrd.location, m->initrd.arch,
                             m->initrd.digest);
    }
}

static void check_firmware(const struct check *k)
{
    for (unsigned i = 0; i < k->v->firmware.images_count; i++) {
        const struct config_firmware_image *m = &k->v->firmware.images[i];
        _cleanup_free_ char *path = xasprintf("firmware.images[%u]", i);

        check_file(k, path, m->location, m->arch, m->digest);
    }
}

static void check_containerd(const struct check *k)
{
    const struct config_containerd *c = &k->v->containerd;

    if (c->system != TRI_TRUE && c->user != TRI_TRUE)
        return;
    for (unsigned i = 0; i < c->archives_count; i++) {
        const struct config_file_ref *m = &c->archives[i];
        _cleanup_free_ char *path = xasprintf("containerd.archives[%u]", i);

        check_file(k, path, m->location, m->arch, m->digest);
        if (m->location && *m->location == '/' && k->path_kind(m->location) == PATH_MISSING) {
            _cleanup_free_ char *location = xasprintf("%s.location", path);

            problem(k, RULE_ARCHIVE_MISSING, location,
                    "field `%s` refers to a non-existent path: `%s`", location, m->location);
        }
    }
}

static void check_disks(const struct check *k)
{
    for (unsigned i = 0; i < k->v->additional_disks_count; i++) {
        const char *name = k->v->additional_disks[i].name;
        _cleanup_free_ char *path = xasprintf("additionalDisks[%u].name", i);
        const char *why = config_instance_name_problem(name ? name : "");

        if (why && !(name && (str_ends(name, ".yaml") || str_ends(name, ".yml"))))
            problem(k, RULE_DISK_NAME, path, "field `%s is invalid`: `%s`: %s", path,
                    name ? name : "", why);
    }
}

/* ---- mounts ---------------------------------------------------------------------------------- */

static void check_location(const struct check *k, const struct config_mount *m, unsigned i)
{
    _cleanup_free_ char *path = xasprintf("mounts[%u].location", i);
    const char *loc = m->location;

    if (*loc == '~') {
        problem(k, RULE_MOUNT_LOCATION_HOME, path,
                "field `%s` refers to an unexpandable path: `%s`: only `~/` is replaced by "
                "a home directory",
                path, loc);
        return;
    }
    if (!check_absolute(k, RULE_MOUNT_LOCATION_ABSOLUTE, path, loc))
        return;
    switch (k->path_kind(loc)) {
    case PATH_DIR:
        return;
    case PATH_MISSING:
        problem(k, RULE_MOUNT_LOCATION_MISSING, path,
                "field `%s` refers to a non-existent path: `%s`", path, loc);
        return;
    case PATH_UNREADABLE:
        problem(k, RULE_MOUNT_LOCATION_UNREADABLE, path,
                "field `%s` refers to an inaccessible path: `%s`: %s", path, loc, strerror(errno));
        return;
    case PATH_FILE:
    case PATH_SOCKET:
        problem(k, RULE_MOUNT_LOCATION_NO_DIRECTORY, path,
                "field `%s` refers to a non-directory path: `%s`", path, loc);
    }
}

static void check_mount_point(const struct check *k, const struct config_mount *m, unsigned i)
{
    static const char *const system_dirs[] = {"/",    "/bin",  "/dev", "/etc", "/home",
                                              "/opt", "/sbin", "/tmp", "/usr", "/var"};
    _cleanup_free_ char *path = xasprintf("mounts[%u].mountPoint", i), *clean = NULL, *home = NULL;
    const char *point = m->mount_point;

    if (*point == '~' && !streq(point, m->location)) {
        problem(k, RULE_MOUNT_POINT_HOME, path,
                "field `%s` must not start with \"~\": there is no shell that replaces it "
                "in the guest",
                path);
        return;
    }
    if (*point != '/') {
        /* The default is the location, and that has been said. */
        if (!streq(point, m->location))
            check_absolute(k, RULE_MOUNT_POINT_ABSOLUTE, path, point);
        return;
    }
    clean = path_normalise("/", point);
    home = path_normalise("/", k->v->user.home);
    if (is_word(clean, system_dirs, ARRAY_SIZE(system_dirs)))
        diag_set_hint(problem(k, RULE_MOUNT_POINT_SYSTEM, path,
                              "field `%s` must not be a system path such as /etc or /usr, "
                              "got `%s`",
                              path, point),
                      "choose another mountPoint, for example /mnt%s",
                      streq(clean, "/") ? "" : clean);
    else if (streq(clean, home))
        problem(k, RULE_MOUNT_POINT_USER_HOME, path,
                "field `%s` is the reserved internal home directory `%s`", path, home);
}

static void check_mount_options(const struct check *k, const struct config_mount *m, unsigned i)
{
    _cleanup_free_ char *model = xasprintf("mounts[%u].9p.securityModel", i);
    _cleanup_free_ char *version = xasprintf("mounts[%u].9p.protocolVersion", i);
    _cleanup_free_ char *cache = xasprintf("mounts[%u].9p.cache", i);
    _cleanup_free_ char *msize = xasprintf("mounts[%u].9p.msize", i);
    _cleanup_free_ char *driver = xasprintf("mounts[%u].sshfs.sftpDriver", i);
    _cleanup_free_ char *queue = xasprintf("mounts[%u].virtiofs.queueSize", i);
    uint64_t size;

    check_word(k, RULE_MOUNT_9P_SECURITY_MODEL, model, m->ninep.security_model,
               &config_shape_security_model);
    check_word(k, RULE_MOUNT_9P_PROTOCOL_VERSION, version, m->ninep.protocol_version,
               &config_shape_protocol_version);
    check_word(k, RULE_MOUNT_9P_CACHE, cache, m->ninep.cache, &config_shape_cache);
    check_word(k, RULE_MOUNT_SFTP_DRIVER, driver, m->sshfs.sftp_driver, &config_shape_sftp_driver);
    if (parse_size(m->ninep.msize, &size) < 0)
        problem(k, RULE_MOUNT_9P_MSIZE, msize, "field `%s` has an invalid value: `%s`", msize,
                m->ninep.msize);
    if (CFG_HAS(&m->virtiofs, virtiofs, queue_size) && m->virtiofs.queue_size < 1)
        problem(k, RULE_MOUNT_QUEUE_SIZE, queue, "field `%s` must be > 0, got %lld", queue,
                (long long)m->virtiofs.queue_size);
}

static void check_mounts(const struct check *k)
{
    for (unsigned i = 0; i < k->v->mounts_count; i++) {
        check_location(k, &k->v->mounts[i], i);
        check_mount_point(k, &k->v->mounts[i], i);
        check_mount_options(k, &k->v->mounts[i], i);
    }
}

/* ---- networks -------------------------------------------------------------------------------- */

enum network_mode { NETWORK_UNDEFINED, NETWORK_USER, NETWORK_MACOS };

/* Modes by networks.yaml; without one, those that it would be made with. */
static enum network_mode network_mode(const struct yaml_doc *doc, const char *name)
{
    static const char *const macos[] = {"shared", "bridged", "host"};
    const struct yaml_node *net, *mode;

    if (streq(name, "user-v2"))
        return NETWORK_USER;
    if (!doc)
        return is_word(name, macos, ARRAY_SIZE(macos)) ? NETWORK_MACOS : NETWORK_UNDEFINED;
    net = yaml_map_get(yaml_map_get(yaml_doc_root(doc), "networks"), name);
    if (!net)
        return NETWORK_UNDEFINED;
    mode = yaml_map_get(net, "mode");
    return mode && mode->type == YAML_SCALAR && streq(mode->value, "user-v2") ? NETWORK_USER
                                                                              : NETWORK_MACOS;
}

static void check_network_lima(const struct check *k, const struct config_network *n,
                               const char *path, const struct yaml_doc *doc)
{
    _cleanup_free_ char *lima = xasprintf("%s.lima", path);
    enum network_mode mode = network_mode(doc, n->lima);

    if (mode == NETWORK_UNDEFINED) {
        struct diag *d = problem(k, RULE_NETWORK_UNDEFINED, lima,
                                 "field `%s` references network "
                                 "`%s` which is not defined in networks.yaml",
                                 lima, n->lima);
        const char *const known[] = {"user-v2"}, *near = config_nearest(n->lima, known, 1);

        if (near)
            diag_set_hint(d, "did you mean `%s`?", near);
    } else if (mode == NETWORK_MACOS)
        problem(k, RULE_NETWORK_MACOS, lima,
                "field `%s` is only supported on macOS right now: network "
                "`%s` is of another mode than user-v2",
                lima, n->lima);
    if (!str_empty(n->socket))
        problem(k, RULE_NETWORK_EXCLUSIVE, lima,
                "field `%s` and field `%s.socket` are mutually exclusive", lima, path);
    if (n->vz_nat == TRI_TRUE)
        problem(k, RULE_NETWORK_EXCLUSIVE, lima,
                "field `%s` and field `%s.vzNAT` are mutually exclusive", lima, path);
}

static void check_network_link(const struct check *k, const struct config_network *n,
                               const char *path, const struct yaml_doc *doc)
{
    _cleanup_free_ char *socket = xasprintf("%s.socket", path);
    _cleanup_free_ char *lima = xasprintf("%s.lima", path);
    enum config_path_kind kind;

    if (!str_empty(n->lima)) {
        check_network_lima(k, n, path, doc);
    } else if (!str_empty(n->socket)) {
        if (n->vz_nat == TRI_TRUE)
            problem(k, RULE_NETWORK_EXCLUSIVE, socket,
                    "field `%s` and field `%s.vzNAT` are mutually exclusive", socket, path);
        kind = k->path_kind(n->socket);
        if (kind == PATH_UNREADABLE)
            problem(k, RULE_NETWORK_SOCKET_UNREADABLE, socket,
                    "field `%s` refers to an inaccessible path: `%s`: %s", socket, n->socket,
                    strerror(errno));
        else if (kind != PATH_SOCKET && kind != PATH_MISSING)
            problem(k, RULE_NETWORK_SOCKET_KIND, socket,
                    "field `%s` `%s` points to a non-socket file", socket, n->socket);
    } else if (n->vz_nat == TRI_TRUE) {
        problem(k, RULE_NETWORK_VZNAT_IGNORED, path, "vmType qemu: ignoring %s: [vzNAT]", path);
    } else {
        problem(k, RULE_NETWORK_EMPTY, lima, "field `%s` or field `%s` must be set", lima, socket);
    }
}

static void check_network_mac(const struct check *k, const struct config_network *n,
                              const char *path)
{
    _cleanup_free_ char *mac = xasprintf("%s.macAddress", path);
    uint8_t octets[6];

    if (config_parse_mac(n->mac_address, octets) < 0)
        problem(k, RULE_NETWORK_MAC, mac,
                "field `%s` must be a 48 bit (6 bytes) MAC address, got `%s`", mac, n->mac_address);
    else if (octets[0] & 1)
        problem(k, RULE_NETWORK_MAC_GROUP, mac,
                "field `%s` is a group address and can't be the address of a card: `%s`", mac,
                n->mac_address);
}

static void check_network_interface(const struct check *k, const struct config_network *n,
                                    const char *path, unsigned i)
{
    _cleanup_free_ char *interface = xasprintf("%s.interface", path);
    const char *name = n->interface;

    if (strlen(name) > INTERFACE_NAME_MAX)
        problem(k, RULE_NETWORK_INTERFACE_LENGTH, interface,
                "field `%s` must be less than 16 bytes, but is %zu bytes: `%s`", interface,
                strlen(name), name);
    if (strpbrk(name, " \t\r\n/"))
        problem(k, RULE_NETWORK_INTERFACE_CHARACTERS, interface,
                "field `%s` must not contain whitespace or slashes, got `%s`", interface, name);
    if (streq(name, "eth0"))
        problem(k, RULE_NETWORK_INTERFACE_ETH0, interface,
                "field `%s` must not be set to `eth0` because it is reserved for "
                "slirp",
                interface);
    for (unsigned j = 0; j < i; j++)
        if (streq(k->v->networks[j].interface, name)) {
            problem(k, RULE_NETWORK_INTERFACE_TWICE, interface,
                    "field `%s` value `%s` has already been used by field "
                    "`networks[%u].interface`",
                    interface, name, j);
            break;
        }
}

static void check_networks(const struct check *k)
{
    const char *text = k->ctx->networks_yaml;
    /* What is wrong with the file is said by whoever uses it. */
    _cleanup_diags_ struct diags ignored = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc =
        text && k->v->networks_count ? yaml_doc_parse("networks.yaml", text, strlen(text), &ignored)
                                     : NULL;

    for (unsigned i = 0; i < k->v->networks_count; i++) {
        const struct config_network *n = &k->v->networks[i];
        _cleanup_free_ char *path = xasprintf("networks[%u]", i);

        check_network_link(k, n, path, doc);
        check_network_mac(k, n, path);
        check_network_interface(k, n, path, i);
    }
}

/* ---- provisioning ---------------------------------------------------------------------------- */

/* "`mode: data` or `mode: yq`". Caller frees. */
static char *modes_joined(unsigned modes)
{
    struct sbuf out = SBUF_INIT;

    for (enum provision_mode m = PROVISION_SYSTEM; m < PROVISION_MODE_COUNT; m++)
        if (modes >> m & 1)
            sbuf_addf(&out, "%s`mode: %s`", out.len ? " or " : "", provision_mode_to_string(m));
    return sbuf_detach(&out);
}

/* Fields that only some modes know. */
static void check_mode_fields(const struct check *k, const struct config_provision *p,
                              const char *path)
{
    const struct config_provision_only *only = config_provision_only;

    for (size_t i = 0; i < config_provision_only_count; i++) {
        const char *key = config_provision_mapping.fields[only[i].row].key;
        _cleanup_free_ char *field = xasprintf("%s.%s", path, key);

        if (only[i].row == CFG_ROW_provision_skip_default_dependency_resolution)
            continue; /* below: it has a text of its own */
        if (cfg_has(p, only[i].row) && !(only[i].modes >> p->mode & 1)) {
            _cleanup_free_ char *modes = modes_joined(only[i].modes);

            diag_set_hint(problem(k, RULE_PROVISION_FIELD_OF_MODE, field,
                                  "field `%s` must not be set when mode is `%s`", field,
                                  provision_mode_to_string(p->mode)),
                          "remove it, or set %s", modes);
        }
    }
    if (CFG_HAS(p, provision, skip_default_dependency_resolution) &&
        p->mode != PROVISION_DEPENDENCY) {
        _cleanup_free_ char *field = xasprintf("%s.mode", path);

        problem(k, RULE_PROVISION_SKIP_DEPENDENCY, field,
                "field `%s` cannot set skipDefaultDependencyResolution, only valid on "
                "scripts of type `dependency`",
                field);
    }
}

static void check_provision_path(const struct check *k, const struct config_provision *p,
                                 const char *path)
{
    _cleanup_free_ char *file = xasprintf("%s.path", path);
    _cleanup_free_ char *permissions = xasprintf("%s.permissions", path);
    unsigned mode;

    if (str_empty(p->path))
        problem(k, RULE_PROVISION_PATH_MISSING, file,
                "field `%s` must not be empty when mode is `%s`", file,
                provision_mode_to_string(p->mode));
    else
        check_absolute(k, RULE_PROVISION_PATH_ABSOLUTE, file, p->path);
    if (parse_octal_mode(p->permissions, &mode) < 0)
        problem(k, RULE_PROVISION_PERMISSIONS, permissions,
                "field `%s` must be an octal number, got `%s`", permissions, p->permissions);
}

static void check_file_url(const struct check *k, const struct config_base_ref *file,
                           const char *path)
{
    _cleanup_free_ char *url = xasprintf("%s.file.url", path);

    if (!str_empty(file->url))
        problem(k, RULE_FILE_NOT_EMBEDDED, url,
                "field `%s` must be empty during validation "
                "(script should already be embedded): `%s` is not part of this file yet",
                url, file->url);
}

static void check_script(const struct check *k, const struct config_provision *p, const char *path)
{
    _cleanup_free_ char *script = xasprintf("%s.script", path);

    if (p->mode == PROVISION_DATA || p->mode == PROVISION_YQ)
        return;
    if (str_empty(p->script) && str_empty(p->playbook) && str_empty(p->file.url))
        problem(k, RULE_PROVISION_SCRIPT_MISSING, script, "field `%s` must not be empty", script);
    if (p->script && strstr(p->script, "LIMA_CIDATA"))
        problem(k, RULE_PROVISION_LIMA_CIDATA, script,
                "field `%s`: provisioning scripts should not reference the LIMA_CIDATA "
                "variables",
                script);
}

static void check_provision(const struct check *k)
{
    for (unsigned i = 0; i < k->v->provision_count; i++) {
        const struct config_provision *p = &k->v->provision[i];
        _cleanup_free_ char *path = xasprintf("provision[%u]", i);
        _cleanup_free_ char *expression = xasprintf("%s.expression", path);

        check_file_url(k, &p->file, path);
        check_mode_fields(k, p, path);
        check_script(k, p, path);
        if (p->mode == PROVISION_DATA || p->mode == PROVISION_YQ)
            check_provision_path(k, p, path);
        if (p->mode == PROVISION_YQ && str_empty(p->expression))
            problem(k, RULE_PROVISION_EXPRESSION_MISSING, expression,
                    "field `%s` must not be empty when mode is `yq`", expression);
        if (p->mode == PROVISION_ANSIBLE)
            problem(k, RULE_PROVISION_ANSIBLE_DEPRECATED, path,
                    "%s: provision mode `ansible` is deprecated", path);
    }
}

static void check_probes(const struct check *k)
{
    for (unsigned i = 0; i < k->v->probes_count; i++) {
        const struct config_probe *p = &k->v->probes[i];
        _cleanup_free_ char *path = xasprintf("probes[%u]", i);
        _cleanup_free_ char *mode = xasprintf("%s.mode", path);
        _cleanup_free_ char *script = xasprintf("%s.script", path);

        check_file_url(k, &p->file, path);
        if (!streq(p->mode, "readiness"))
            problem(k, RULE_PROBE_MODE, mode, "field `%s` can only be `readiness`, got `%s`", mode,
                    p->mode);
        if (!str_starts(p->script, "#!") && str_empty(p->file.url))
            problem(k, RULE_PROBE_SHEBANG, script, "field `%s` must start with a '#!' line",
                    script);
    }
}

static const struct rule rules[] = {
    {"images", check_images},         {"firmware", check_firmware},
    {"containerd", check_containerd}, {"additional-disks", check_disks},
    {"mounts", check_mounts},         {"networks", check_networks},
    {"provision", check_provision},   {"probes", check_probes},
};
const struct rules rules_lists = {rules, ARRAY_SIZE(rules)};
