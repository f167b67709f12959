/* SPDX-License-Identifier: Apache-2.0 */
/* `message` of the YAML: a template over what `list` shows of the instance. */
#include "base/mem.h"
#include "config/tmpl.h"
#include "instance/instance.h"

char *inst_message(const struct inst_env *env, const struct instance *i,
                   const struct config_instance *cfg, enum inst_status status, uint16_t ssh_port)
{
    if (str_empty(cfg->message))
        return xstrdup("");
    _cleanup_free_ char *hostname = config_hostname(i->name);
    _cleanup_free_ char *cpus = xasprintf("%lld", (long long)cfg->cpus);
    _cleanup_free_ char *memory = xasprintf("%llu", (unsigned long long)config_memory_bytes(cfg));
    _cleanup_free_ char *disk = xasprintf("%llu", (unsigned long long)config_disk_bytes(cfg));
    _cleanup_free_ char *port = xasprintf("%u", ssh_port);
    _cleanup_free_ char *ssh_config = instance_path(i, INST_SSH_CONFIG);
    _cleanup_free_ char *identity = store_config_path(env->store, "user");
    const struct tmpl_var list[] = {
        {"Name", i->name},
        {"Hostname", hostname},
        {"Status", inst_status_to_string(status)},
        {"Dir", i->dir},
        {"VMType", cfg->vm_type},
        {"Arch", arch_to_string(config_arch(cfg))},
        {"CPUs", cpus},
        {"Memory", memory},
        {"Disk", disk},
        {"SSHLocalPort", port},
        {"SSHConfigFile", ssh_config},
        {"SSHAddress", "127.0.0.1"},
        {"HostOS", "linux"},
        {"HostArch", arch_to_string(env->host->arch)},
        {"LimaHome", env->store->home},
        {"IdentityFile", identity},
    };
    const struct tmpl_vars vars = {list, ARRAY_SIZE(list), cfg->param, cfg->param_count};
    _cleanup_free_ char *problem = NULL;
    char *text = tmpl_expand(cfg->message, &vars, &problem);

    return text ? text : xstrdup(cfg->message);
}
