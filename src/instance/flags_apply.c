/* SPDX-License-Identifier: Apache-2.0 */
/* What each flag does to the YAML. */
#include "instance/flags_internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "query/query.h"

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool is_true(const struct strv *values)
{
    return values->n && streq(values->v[values->n - 1], "true");
}

static int set_text(struct flag_job *j, const char *const *path, const char *text, struct err *err)
{
    return value_set(j->root, path, json_string_new(text), err);
}

static int set_bool(struct flag_job *j, const char *const *path, bool v, struct err *err)
{
    return value_set(j->root, path, json_bool_new(v), err);
}

/* The value is checked already. */
static int set_int(struct flag_job *j, const char *const *path, const char *text, struct err *err)
{
    int64_t v = 0;

    (void)parse_int64(text, &v);
    return value_set(j->root, path, json_int_new(v), err);
}

static bool list_has(const struct json *list, const struct json *item)
{
    for (size_t i = 0; i < json_len(list); i++)
        if (json_equal(json_at(list, i), item))
            return true;
    return false;
}

/* ---- dns, networks, ports --------------------------------------------------------------------- */

static int apply_dns(struct flag_job *j, const struct strv *values, struct err *err)
{
    _cleanup_json_ struct json *old = value_list(j->root, "dns", err);
    _cleanup_json_ struct json *list = old ? json_copy(old) : NULL;
    _cleanup_free_ char *words = strv_join(values, ", ");

    if (!list)
        return -1;
    for (size_t i = 0; i < values->n; i++) {
        struct json *item = json_string_new(values->v[i]);

        if (list_has(list, item))
            json_free(item);
        else
            json_append(list, item);
    }
    inst_note(j->report, LOG_WARN,
              "Disabling HostResolver, as custom DNS addresses (%s) are specified", words);
    json_set(j->root, "dns", TAKE_PTR(list));
    return set_bool(j, PATH("hostResolver", "enabled"), false, err);
}

/* Is it in the network already, whatever else its entry says? */
static bool has_network(const struct json *list, const char *name)
{
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *n = json_at(list, i);

        if (name ? streq0(json_get_str(n, "lima"), name) : json_get_bool(n, "vzNAT", false))
            return true;
    }
    return false;
}

static int apply_network(struct flag_job *j, const struct strv *values, struct err *err)
{
    _cleanup_json_ struct json *old = value_list(j->root, "networks", err);
    _cleanup_json_ struct json *list = old ? json_copy(old) : NULL;
    const char *name;

    if (!list)
        return -1;
    for (size_t i = 0; i < values->n; i++) {
        if (network_parse(values->v[i], &name, err) < 0)
            return -1;
        if (has_network(list, name))
            continue;
        struct json *entry = json_object_new();
        if (name)
            json_set_str(entry, "lima", name);
        else
            json_set_bool(entry, "vzNAT", true);
        json_append(list, entry);
    }
    json_set(j->root, "networks", TAKE_PTR(list));
    return 0;
}

/* A number where it is one: a word may be meant for a template of the YAML. */
static void set_port(struct json *rule, const char *key, const char *text)
{
    uint64_t port;

    if (parse_uint(text, UINT16_MAX, &port) == 0 && strspn(text, "0123456789") == strlen(text))
        json_set_int(rule, key, (int64_t)port);
    else
        json_set_str(rule, key, text);
}

static int apply_port_forward(struct flag_job *j, const struct strv *values, struct err *err)
{
    _cleanup_json_ struct json *old = value_list(j->root, "portForwards", err);
    _cleanup_json_ struct json *list = old ? json_copy(old) : NULL;

    if (!list)
        return -1;
    for (size_t i = 0; i < values->n; i++) {
        _cleanup_(port_forward_release) struct port_forward p = {NULL, NULL, false};

        if (port_forward_parse(values->v[i], &p, err) < 0)
            return -1;
        struct json *rule = json_object_new();
        set_port(rule, "guestPort", p.guest);
        set_port(rule, "hostPort", p.host);
        json_set_bool(rule, "static", p.is_static);
        json_append(list, rule);
    }
    json_set(j->root, "portForwards", TAKE_PTR(list));
    return 0;
}

/* ---- mounts ----------------------------------------------------------------------------------- */

/* "~/src:w" as an entry of `mounts`. */
static struct json *make_mount(const struct host_facts *host, const char *text, struct err *err)
{
    bool writable = str_ends(text, ":w");
    _cleanup_free_ char *dir = xstrndup(text, strlen(text) - (writable ? 2 : 0));
    _cleanup_free_ char *cwd = getcwd(NULL, 0), *path = NULL;

    if (!*dir || (*dir == '~' && dir[1] && dir[1] != '/')) {
        err_set(err, ERR_USAGE, "cannot mount '%s': %s", text,
                *dir ? "the home of another user is not looked up" : "there is no directory in it");
        err_hint(err, "write the directory as /DIR, DIR or ~/DIR, with `:w` for writable");
        return NULL;
    }
    if (*dir == '~') {
        _cleanup_free_ char *in_home = xasprintf("%s/%s", host->home, dir + 1);

        path = path_normalise("/", in_home);
    } else {
        path = path_normalise(cwd ? cwd : "/", dir);
    }
    struct json *entry = json_object_new();
    json_set_str(entry, "location", path);
    json_set_str(entry, "mountPoint", path);
    json_set_bool(entry, "writable", writable);
    return entry;
}

/* In front of others the last one given stands first; alone they keep their order. */
static int add_mounts(struct flag_job *j, const struct strv *values, const struct json *others,
                      struct err *err)
{
    _cleanup_json_ struct json *list = json_array_new();

    for (size_t i = 0; i < values->n; i++) {
        const char *value = values->v[others ? values->n - 1 - i : i];
        struct json *entry = make_mount(j->host, value, err);

        if (!entry)
            return -1;
        if (list_has(list, entry))
            json_free(entry);
        else
            json_append(list, entry);
    }
    for (size_t i = 0; others && i < json_len(others); i++)
        if (!list_has(list, json_at(others, i)))
            json_append(list, json_ref(json_at(others, i)));
    json_set(j->root, "mounts", TAKE_PTR(list));
    return 0;
}

static int apply_mount(struct flag_job *j, const struct strv *values, struct err *err)
{
    _cleanup_json_ struct json *old = value_list(j->root, "mounts", err);

    return old ? add_mounts(j, values, old, err) : -1;
}

/* Lists of mounts are joined across the layers and templates: null says "none of mine". */
static int apply_mount_none(struct flag_job *j, const struct strv *values)
{
    if (is_true(values))
        json_set(j->root, "mounts", json_null_new());
    return 0;
}

static int apply_mount_writable(struct flag_job *j, const struct strv *values, struct err *err)
{
    _cleanup_json_ struct json *old = value_list(j->root, "mounts", err);
    _cleanup_json_ struct json *list = old ? json_copy(old) : NULL;

    if (!list)
        return -1;
    if (!json_len(list))
        return 0;
    for (size_t i = 0; i < json_len(list); i++)
        if (json_is_object(json_at(list, i)))
            json_set_bool(json_at(list, i), "writable", is_true(values));
    json_set(j->root, "mounts", TAKE_PTR(list));
    return 0;
}

/* ---- images, parameters, containerd ----------------------------------------------------------- */

/* Only the images whose `key` is that value stay. */
static int keep_images(struct flag_job *j, const char *key, const char *value, struct err *err)
{
    _cleanup_json_ struct json *old = value_list(j->root, "images", err);
    _cleanup_json_ struct json *list = json_array_new();
    _cleanup_strv_ struct strv others = STRV_INIT;

    if (!old)
        return -1;
    for (size_t i = 0; i < json_len(old); i++) {
        const char *has = json_get_str(json_at(old, i), key);

        if (streq0(has, value))
            json_append(list, json_ref(json_at(old, i)));
        else if (has && !strv_contains(&others, has))
            strv_push(&others, has);
    }
    if (!json_len(list)) {
        _cleanup_free_ char *words = strv_join(&others, ", ");

        err_set(err, ERR_USAGE, "no entry of `images` has the %s `%s`", key, value);
        return others.n ? err_hint(err, "there is: %s", words)
                        : err_hint(err, "no entry of `images` says its %s", key);
    }
    if (json_len(list) < json_len(old))
        json_set(j->root, "images", TAKE_PTR(list));
    return 0;
}

static int apply_param(struct flag_job *j, const struct strv *values, struct err *err)
{
    for (size_t i = 0; i < values->n; i++) {
        struct json *param = json_get(j->root, "param");
        size_t n;

        if (param_parse(values->v[i], &n, err) < 0)
            return -1;
        _cleanup_free_ char *name = xstrndup(values->v[i], n);
        if (!json_is_object(param) || !json_get(param, name)) {
            const char *names[64];
            size_t count = 0;

            if (json_is_object(param))
                for (void *it = json_iter(param); it && count < ARRAY_SIZE(names);
                     it = json_iter_next(param, it))
                    names[count++] = json_iter_key(it);
            const char *nearest = str_nearest(name, names, count);
            err_set(err, ERR_USAGE, "template does not define param `%s`", name);
            return nearest ? err_hint(err, "did you mean `--param %s=%s`?", nearest,
                                      values->v[i] + n + 1)
                           : err_hint(err, "its parameters are the keys of `param`");
        }
        json_set_str(param, name, values->v[i] + n + 1);
    }
    return 0;
}

static int apply_containerd(struct flag_job *j, const char *mode, struct err *err)
{
    bool user, system;

    if (containerd_parse(mode, &user, &system, err) < 0 ||
        set_bool(j, PATH("containerd", "user"), user, err) < 0)
        return -1;
    return set_bool(j, PATH("containerd", "system"), system, err);
}

/* ---- --set ------------------------------------------------------------------------------------ */

static int apply_set(struct flag_job *j, const struct strv *values, struct err *err)
{
    _cleanup_free_ char *text = value_to_json(j->root);
    _cleanup_query_result_ struct query_result result = QUERY_RESULT_INIT;
    const char *input = text;

    if (query_run((const char *const *)values->v, values->n, &input, 1, &result, err) < 0)
        return !err || err->hint || err->kind != ERR_USAGE
                   ? -1
                   : err_hint(err, "look at the values that it meets: `cima template yq FILE.yaml "
                                   "EXPR` shows what an expression gives");
    if (result.values.n != 1) {
        err_set(err, ERR_USAGE, "the expression gives %zu values instead of one",
                result.values.n);
        return err_hint(err, result.values.n
                                 ? "put a `|` between changes, and `(…)` around what selects: "
                                   "`(.mounts[] | select(…)).writable = true`"
                                 : "`select` around everything gives nothing when it does not "
                                   "match: write `(.a | select(…)) = 1`");
    }
    struct json *value = json_parse(result.values.v[0], strlen(result.values.v[0]), "--set", err);
    if (!value)
        return -1;
    if (!json_is_object(value)) {
        json_free(value);
        err_set(err, ERR_USAGE, "the expression gives no mapping, but %.60s",
                result.values.v[0]);
        return err_hint(err, "it must give the whole YAML: `.cpus = 4`");
    }
    value = value_restore_numbers(j->root, value);
    json_free(j->root);
    j->root = value;
    return 0;
}

/* ---- the flags -------------------------------------------------------------------------------- */

static int apply_rosetta(struct flag_job *j, bool on, struct err *err)
{
    inst_note(j->report, LOG_WARN, "`--rosetta` is for macOS hosts and has no effect here");
    if (set_bool(j, PATH("vmOpts", "vz", "rosetta", "enabled"), on, err) < 0)
        return -1;
    return set_bool(j, PATH("vmOpts", "vz", "rosetta", "binfmt"), on, err);
}

static int apply_list(struct flag_job *j, enum inst_flag flag, const struct strv *values,
                      struct err *err)
{
    switch (flag) {
    case INST_FLAG_DNS:
        return apply_dns(j, values, err);
    case INST_FLAG_MOUNT:
        return apply_mount(j, values, err);
    case INST_FLAG_MOUNT_ONLY:
        return add_mounts(j, values, NULL, err);
    case INST_FLAG_NETWORK:
        return apply_network(j, values, err);
    case INST_FLAG_PARAM:
        return apply_param(j, values, err);
    case INST_FLAG_PORT_FORWARD:
        return apply_port_forward(j, values, err);
    default:
        return apply_set(j, values, err);
    }
}

int flag_apply(struct flag_job *j, enum inst_flag flag, const struct strv *values, struct err *err)
{
    const char *value = values->n ? values->v[0] : "";
    bool on = is_true(values);

    switch (flag) {
    case INST_FLAG_CPUS:
        return set_int(j, PATH("cpus"), value, err);
    case INST_FLAG_MEMORY:
        return set_text(j, PATH("memory"), value, err);
    case INST_FLAG_MOUNT_NONE:
        return apply_mount_none(j, values);
    case INST_FLAG_MOUNT_TYPE:
        return set_text(j, PATH("mountType"), value, err);
    case INST_FLAG_VM_TYPE:
        return set_text(j, PATH("vmType"), value, err);
    case INST_FLAG_MOUNT_INOTIFY:
        return set_bool(j, PATH("mountInotify"), on, err);
    case INST_FLAG_MOUNT_WRITABLE:
        return apply_mount_writable(j, values, err);
    case INST_FLAG_NESTED_VIRT:
        return set_bool(j, PATH("nestedVirtualization"), on, err);
    case INST_FLAG_ROSETTA:
        return apply_rosetta(j, on, err);
    case INST_FLAG_VIDEO:
        return set_text(j, PATH("video", "display"), on ? "default" : "none", err);
    case INST_FLAG_AUDIO_DEVICE:
        return set_text(j, PATH("audio", "device"), value, err);
    case INST_FLAG_AUDIO_INTERFACE:
        return set_text(j, PATH("audio", "interface"), value, err);
    case INST_FLAG_SSH_PORT:
        return set_int(j, PATH("ssh", "localPort"), value, err);
    case INST_FLAG_IMAGE_VARIANT:
        return keep_images(j, "variant", value, err);
    case INST_FLAG_ARCH_VARIANT:
        return keep_images(j, "archVariant", value, err);
    case INST_FLAG_ARCH:
        return set_text(j, PATH("arch"), value, err);
    case INST_FLAG_CONTAINERD:
        return apply_containerd(j, value, err);
    case INST_FLAG_DISK:
        return set_text(j, PATH("disk"), value, err);
    case INST_FLAG_PLAIN:
        return set_bool(j, PATH("plain"), on, err);
    case INST_FLAG_SHELL:
        return set_text(j, PATH("user", "shell"), value, err);
    default:
        return apply_list(j, flag, values, err);
    }
}
