/* SPDX-License-Identifier: Apache-2.0 */
/* The user of the guest, what templates may name, and whether parameters are used. */
#include "config/fill.h"
#include "base/mem.h"

enum { ROOT_REPLACEMENT_UID = 1000 };

static const char *default_shell(const char *os)
{
    static const struct {
        const char *os, *shell;
    } shells[] = {{"Darwin", "/bin/zsh"}, {"FreeBSD", "/bin/sh"}, {"Windows", "cmd.exe"}};

    for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
        if (streq(shells[i].os, os))
            return shells[i].shell;
    return NULL; /* that of the row */
}

/* Instances from before 2.1.0 keep the home they were made with. */
static const char *default_home(const struct fill *f)
{
    bool darwin = streq(f->v->os, "Darwin");

    if (config_older_than(f->ctx->existing_version, 2, 1))
        return darwin ? "/Users/{{.User}}.linux" : "/home/{{.User}}.linux";
    return darwin ? "/Users/{{.User}}.guest" : "/home/{{.User}}.guest";
}

void fill_user(struct fill *f)
{
    const struct host_facts *host = f->ctx->host;
    struct config_user *u = &f->v->user;
    /* root can't be the guest's user: it has no home of its own and may do everything. */
    bool usable = host->uid != 0 && host->user && config_is_user_name(host->user);
    const char *shell = default_shell(f->v->os);

    FILL_STR(f, u, user, name, usable ? host->user : "lima");
    FILL_STR(f, u, user, comment, host->gecos ? host->gecos : "");
    FILL_VALUE(u, user, uid, host->uid ? host->uid : ROOT_REPLACEMENT_UID);
    FILL_STR(f, u, user, home, default_home(f));
    if (shell)
        FILL_STR(f, u, user, shell, shell);
    if (streq(f->v->os, "Darwin"))
        FILL_VALUE(u, user, passwordless_sudo, TRI_FALSE);
}

static void add_var(struct tmpl_vars *vars, struct tmpl_var *list, const char *name,
                    const char *value)
{
    list[vars->n++] = (struct tmpl_var){name, value};
    vars->v = list;
}

void fill_vars(struct fill *f)
{
    const struct host_facts *host = f->ctx->host;
    struct config_arena *a = f->c->arena;
    const char *name = f->ctx->instance_name;
    char *hostname = name ? config_hostname(name) : NULL;
    struct config_user *u = &f->v->user;

    add_var(&f->guest, f->guest_vars, "Name", name);
    add_var(&f->guest, f->guest_vars, "Hostname", hostname ? cfg_strdup(a, hostname) : NULL);
    add_var(&f->guest, f->guest_vars, "UID", cfg_printf(a, "%lld", (long long)u->uid));
    add_var(&f->guest, f->guest_vars, "User", u->name);
    add_var(&f->guest, f->guest_vars, "Home", NULL);
    add_var(&f->host, f->host_vars, "Dir", f->ctx->instance_dir);
    add_var(&f->host, f->host_vars, "Name", name);
    add_var(&f->host, f->host_vars, "UID", cfg_printf(a, "%u", host->uid));
    add_var(&f->host, f->host_vars, "User", host->user);
    add_var(&f->host, f->host_vars, "Home", host->home);
    add_var(&f->host, f->host_vars, "GlobalTempDir", "/tmp");
    add_var(&f->host, f->host_vars, "TempDir", host->temp_dir ? host->temp_dir : "/tmp");
    add_var(&f->host, f->host_vars, "Instance", name);
    add_var(&f->host, f->host_vars, "LimaHome", f->ctx->home_dir);
    f->guest.param = f->host.param = f->v->param;
    f->guest.n_param = f->host.n_param = f->v->param_count;
    free(hostname);
    fill_expand(f, &f->guest, &u->home, "user.home");
    f->guest_vars[f->guest.n - 1].value = u->home;
}

void fill_expand(struct fill *f, const struct tmpl_vars *vars, char **text, const char *path_fmt,
                 ...)
{
    _cleanup_free_ char *problem = NULL, *out = NULL, *path = NULL;
    va_list ap;

    if (!*text || !strstr(*text, "{{"))
        return;
    out = tmpl_expand(*text, vars, &problem);
    if (out)
        *text = cfg_strdup(f->c->arena, out);
    if (!problem)
        return;
    va_start(ap, path_fmt);
    path = xvasprintf(path_fmt, ap);
    va_end(ap);
    config_problem(f->d, RULE_TEMPLATE, path, "couldn't process field `%s` as a template: %s; %s", path, problem,
                out ? "that part stays as it is" : "the text stays as it is");
}

/* ---- use of parameters ----------------------------------------------------------------------- */

static bool uses(const char *text, const char *key)
{
    return text && tmpl_uses_param(text, key);
}

static bool is_used(const struct config_instance *v, const char *key)
{
    bool used = uses(v->user.home, key);

    for (unsigned i = 0; i < v->provision_count; i++) {
        const struct config_provision *p = &v->provision[i];

        used = used || uses(p->script, key) || uses(p->content, key) || uses(p->path, key) ||
               uses(p->owner, key) || uses(p->permissions, key) || uses(p->expression, key) ||
               uses(p->playbook, key);
    }
    for (unsigned i = 0; i < v->probes_count; i++)
        used = used || uses(v->probes[i].script, key);
    for (unsigned i = 0; i < v->copy_to_host_count; i++)
        used = used || uses(v->copy_to_host[i].guest, key) || uses(v->copy_to_host[i].host, key);
    for (unsigned i = 0; i < v->port_forwards_count; i++)
        used = used || uses(v->port_forwards[i].guest_socket, key) ||
               uses(v->port_forwards[i].host_socket, key);
    for (unsigned i = 0; i < v->mounts_count; i++)
        used = used || uses(v->mounts[i].location, key) || uses(v->mounts[i].mount_point, key);
    return used;
}

/* Looked for before the templates are expanded; what is not used, validate.c says. */
void fill_param_use(struct fill *f)
{
    unsigned n = f->v->param_count;
    bool *used = cfg_alloc(f->c->arena, n, sizeof(*used));

    for (unsigned i = 0; i < n; i++)
        used[i] = is_used(f->v, f->v->param[i].key);
    f->c->param_used = used;
}
