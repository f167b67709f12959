/* SPDX-License-Identifier: Apache-2.0 */
/* An instance as a value: what `list --json` prints, and what templates and queries see. */
#include "base/mem.h"
#include "instance/instance.h"
#include "instance/internal.h"
#include "json/json.h"

/* ---- the object ------------------------------------------------------------------------------ */

/* Go leaves out zero numbers, empty texts, lists and maps. */
static void set_int(struct json *o, const char *key, uint64_t v)
{
    if (v)
        json_set_int(o, key, (int64_t)v);
}

static void set_text(struct json *o, const char *key, const char *v)
{
    if (!str_empty(v))
        json_set_str(o, key, v);
}

/* A member of the configuration under another name, when there is anything in it. */
static void set_part(struct json *o, const char *key, const struct json *config, const char *part)
{
    struct json *v = config ? json_get(config, part) : NULL;

    if (v && (json_is_array(v) || json_is_object(v)) && json_len(v) > 0)
        json_set(o, key, json_ref(v));
}

static void set_errors(struct json *o, const struct strv *errors)
{
    if (errors->n)
        json_set(o, "errors", json_strings(errors));
}

static void set_config_facts(struct json *o, const struct inst_info *info)
{
    json_set_str(o, "vmType", info->has_config ? info->vm_type : "");
    json_set_str(o, "arch", info->has_config ? arch_to_string(info->arch) : "");
    if (!info->has_config)
        return;
    set_int(o, "cpus", (uint64_t)info->cpus);
    set_int(o, "memory", info->memory);
    set_int(o, "disk", info->disk);
    set_text(o, "message", info->message);
}

static void set_param(struct json *o, const struct config_instance *c)
{
    struct json *map;

    if (!c->param_count)
        return;
    map = json_object_new();
    for (unsigned i = 0; i < c->param_count; i++)
        json_set_str(map, c->param[i].key, c->param[i].value);
    json_set(o, "param", map);
}

/* Maps without entries say nothing, wherever they are. */
static void drop_empty_maps(struct json *j)
{
    void *it = json_is_object(j) ? json_iter(j) : NULL;

    for (size_t i = 0; json_is_array(j) && i < json_len(j); i++)
        drop_empty_maps(json_at(j, i));
    while (it) {
        struct json *v = json_iter_value(it);
        const char *key = json_iter_key(it);

        drop_empty_maps(v);
        it = json_iter_next(j, it);
        if (json_is_object(v) && json_len(v) == 0)
            json_del(j, key);
    }
}

static struct json *config_json(const struct inst_info *info)
{
    _cleanup_free_ char *text = info->has_config ? config_to_json(&info->config.v) : NULL;
    struct json *j = text ? json_parse(text, strlen(text), "configuration", NULL) : NULL;

    if (j)
        drop_empty_maps(j);
    return j;
}

struct json *inst_object(const struct inst_info *info, const struct inst_env *env, bool with_config)
{
    const struct instance inst = {.name = info->name, .dir = info->dir};
    _cleanup_free_ char *hostname = config_hostname(info->name);
    _cleanup_free_ char *ssh_config = instance_path(&inst, INST_SSH_CONFIG);
    _cleanup_free_ char *identity = store_config_path(env->store, "user");
    _cleanup_json_ struct json *config = with_config ? config_json(info) : NULL;
    struct json *o = json_object_new();

    json_set_str(o, "name", info->name);
    json_set_str(o, "hostname", hostname);
    json_set_str(o, "status", inst_status_to_string(info->state.status));
    json_set_str(o, "dir", info->dir);
    set_config_facts(o, info);
    set_part(o, "additionalDisks", config, "additionalDisks");
    set_part(o, "network", config, "networks");
    set_int(o, "sshLocalPort", info->ssh_port);
    json_set_str(o, "sshConfigFile", ssh_config);
    set_int(o, "hostAgentPID", (uint64_t)info->state.agent_pid);
    set_int(o, "driverPID", (uint64_t)info->state.driver_pid);
    if (config)
        json_set(o, "config", json_ref(config));
    json_set_str(o, "sshAddress", "127.0.0.1");
    json_set_bool(o, "protected", info->protected_);
    json_set_str(o, "limaVersion", info->lima_version);
    if (info->has_config)
        set_param(o, &info->config.v);
    set_errors(o, &info->state.errors);
    json_set_str(o, "HostOS", "linux");
    json_set_str(o, "HostArch", arch_to_string(env->host->arch));
    json_set_str(o, "LimaHome", env->store->home);
    json_set_str(o, "IdentityFile", identity);
    set_text(o, "condition", info->state.condition);
    return o;
}

/* ---- its shape ------------------------------------------------------------------------------- */

static struct json *list_of(struct json *element)
{
    struct json *list = json_array_new();

    json_append(list, element);
    return list;
}

static struct json *mapping_shape(const struct config_mapping *m)
{
    struct json *o = json_object_new();

    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];
        struct json *v;

        switch (f->kind) {
        case KIND_SUB:
            v = mapping_shape(f->sub);
            break;
        case KIND_LIST:
            v = list_of(mapping_shape(f->sub));
            break;
        case KIND_STRS:
        case KIND_IPS:
        case KIND_PORTS:
            v = list_of(json_null_new());
            break;
        case KIND_MAP:
        case KIND_ANY:
            v = json_object_new();
            break;
        case KIND_STR:
        case KIND_BOOL:
        case KIND_INT:
        case KIND_SIZE:
        case KIND_ENUM:
        case KIND_UINT:
        case KIND_IP:
        default:
            v = json_null_new();
            break;
        }
        json_set(o, f->key, v);
    }
    return o;
}

const char *const inst_fields[] = {
    "AdditionalDisks", "Arch",       "AutoStartedIdentifier", "CPUs",          "Config",
    "Dir",             "Disk",       "DriverPID",             "Errors",        "HostAgentPID",
    "HostArch",        "HostOS",     "Hostname",              "IdentityFile",  "LimaHome",
    "LimaVersion",     "Memory",     "Message",               "Name",          "Networks",
    "Param",           "Protected",  "SSHAddress",            "SSHConfigFile", "SSHLocalPort",
    "Status",          "VMType",     NULL,
};

static struct json *make_shape(void)
{
    static const char *const texts[] = {
        "name",        "hostname",      "status",   "dir",     "vmType",   "arch",
        "message",     "sshConfigFile", "sshAddress", "limaVersion", "autoStartedIdentifier",
        "HostOS",      "HostArch",      "LimaHome", "IdentityFile", "condition",
    };
    static const char *const numbers[] = {"cpus", "memory", "disk", "sshLocalPort", "hostAgentPID",
                                          "driverPID"};
    struct json *o = json_object_new();
    struct json *config = mapping_shape(&config_instance_mapping);

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        json_set_str(o, texts[i], "");
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        json_set_int(o, numbers[i], 0);
    json_set(o, "additionalDisks", json_ref(json_get(config, "additionalDisks")));
    json_set(o, "network", json_ref(json_get(config, "networks")));
    json_set(o, "param", json_object_new());
    json_set(o, "errors", list_of(json_null_new()));
    json_set_bool(o, "protected", false);
    json_set(o, "config", config);
    return o;
}

const struct json *inst_shape(void)
{
    static struct json *shape; /* every message of a long list needs it */

    if (!shape)
        shape = make_shape();
    return shape;
}
