/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list.h"
#include "base/mem.h"
#include "base/parse.h"

/* ---- table ----------------------------------------------------------------------------------- */

/* Columns of a terminal that one unit of the hiding rule stands for. */
enum { UNIT = 8 };

struct shown {
    bool vm_type, arch, dir;
};

/* "" for an instance whose YAML is broken. */
static const char *vm_type_of(const struct inst_info *i)
{
    return i->has_config && i->config.v.vm_type ? i->config.v.vm_type : "";
}

static const char *arch_of(const struct inst_info *i)
{
    return i->has_config ? arch_to_string(config_arch(&i->config.v)) : "";
}

/* The rule counts what is there so far in units of 8: NAME 1, STATUS 2, SSH 2. */
static struct shown choose_columns(const struct inst_info *infos, size_t n,
                                   const struct host_facts *host, unsigned width, bool all)
{
    struct shown s = {true, true, true};
    bool one_type = true, host_arch = true;
    unsigned units = 1 + 2 + 2;

    if (all || !width)
        return s;
    for (size_t i = 0; i < n; i++) {
        one_type = one_type && streq(vm_type_of(&infos[i]), vm_type_of(&infos[0]));
        host_arch =
            host_arch && (!infos[i].has_config || config_arch(&infos[i].config.v) == host->arch);
    }
    s.vm_type = (units + 7) * UNIT <= width || !one_type;
    units += s.vm_type;
    s.arch = (units + 6) * UNIT <= width || !host_arch;
    units += s.arch + 3; /* CPUS, MEMORY, DISK */
    s.dir = (units + 2) * UNIT <= width;
    return s;
}

static char *short_dir(const char *dir, const char *home)
{
    size_t n = home ? strlen(home) : 0;

    if (n > 1 && strncmp(dir, home, n) == 0 && (dir[n] == '/' || !dir[n]))
        return xasprintf("~%s", dir + n);
    return xstrdup(dir);
}

static void add_row(struct table *t, const struct inst_info *i, const struct shown *s,
                    const struct host_facts *host)
{
    struct strv *row = table_row(t);
    const char *status = inst_status_to_string(i->state.status);

    strv_push(row, i->name);
    if (i->state.condition)
        strv_pushf(row, "%s (%s)", status, i->state.condition);
    else
        strv_push(row, status);
    strv_pushf(row, "127.0.0.1:%u", i->ssh_port);
    if (s->vm_type)
        strv_push(row, vm_type_of(i));
    if (s->arch)
        strv_push(row, arch_of(i));
    if (i->has_config) {
        strv_pushf(row, "%lld", (long long)i->config.v.cpus);
        strv_push_consume(row, format_size(config_memory_bytes(&i->config.v)));
        strv_push_consume(row, format_size(config_disk_bytes(&i->config.v)));
    } else {
        strv_pushl(row, "-", "-", "-", NULL);
    }
    if (s->dir)
        strv_push_consume(row, short_dir(i->dir, host->home));
}

void list_table(const struct inst_info *infos, size_t n, const struct host_facts *host,
                unsigned columns, bool all_fields, struct sbuf *out)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    struct shown s = choose_columns(infos, n, host, columns, all_fields);
    struct strv *head = table_row(&t);

    strv_pushl(head, "NAME", "STATUS", "SSH", NULL);
    if (s.vm_type)
        strv_push(head, "VMTYPE");
    if (s.arch)
        strv_push(head, "ARCH");
    strv_pushl(head, "CPUS", "MEMORY", "DISK", NULL);
    if (s.dir)
        strv_push(head, "DIR");
    for (size_t i = 0; i < n; i++)
        add_row(&t, &infos[i], &s, host);
    table_format(&t, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

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
    struct json *list;

    if (!errors->n)
        return;
    list = json_array_new();
    for (size_t i = 0; i < errors->n; i++)
        json_append(list, json_string_new(errors->v[i]));
    json_set(o, "errors", list);
}

static void set_config_facts(struct json *o, const struct inst_info *info)
{
    const struct config_instance *c = &info->config.v;

    json_set_str(o, "vmType", info->has_config ? vm_type_of(info) : "");
    json_set_str(o, "arch", arch_of(info));
    if (!info->has_config)
        return;
    set_int(o, "cpus", (uint64_t)c->cpus);
    set_int(o, "memory", config_memory_bytes(c));
    set_int(o, "disk", config_disk_bytes(c));
    set_text(o, "message", info->message);
}

static struct json *config_json(const struct inst_info *info)
{
    _cleanup_free_ char *text = info->has_config ? config_to_json(&info->config.v) : NULL;

    return text ? json_parse(text, strlen(text), "configuration", NULL) : NULL;
}

struct json *list_json(const struct inst_info *info, const struct inst_env *env)
{
    const struct instance inst = {.name = info->name, .dir = info->dir};
    _cleanup_free_ char *hostname = config_hostname(info->name);
    _cleanup_free_ char *ssh_config = instance_path(&inst, INST_SSH_CONFIG);
    _cleanup_free_ char *identity = store_config_path(env->store, "user");
    _cleanup_json_ struct json *config = config_json(info);
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
    set_part(o, "param", config, "param");
    set_errors(o, &info->state.errors);
    json_set_str(o, "HostOS", "linux");
    json_set_str(o, "HostArch", arch_to_string(env->host->arch));
    json_set_str(o, "LimaHome", env->store->home);
    json_set_str(o, "IdentityFile", identity);
    set_text(o, "condition", info->state.condition);
    return o;
}
