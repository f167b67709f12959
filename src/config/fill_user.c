/* SPDX-License-Identifier: Apache-2.0 */
/* The user of the guest, what templates may name, and whether parameters are used. */
#include "config/fill.h"
#include "base/mem.h"
#include "tmpl/tmpl.h"

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
static char *default_home(const struct fill *f)
{
    bool old = config_older_than(f->ctx->existing_version, 2, 1);

    return cfg_printf(f->c->arena, "/%s/%s.%s", streq(f->v->os, "Darwin") ? "Users" : "home",
                      f->v->user.name, old ? "linux" : "guest");
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

/* ---- templates ------------------------------------------------------------------------------- */

static struct json *params(const struct config_instance *v)
{
    struct json *o = json_object_new();

    for (unsigned i = 0; i < v->param_count; i++)
        json_set_str(o, v->param[i].key, v->param[i].value);
    return o;
}

static struct json *host_names(const struct fill *f)
{
    const struct host_facts *host = f->ctx->host;
    struct json *o = json_object_new();

    json_set_str(o, "Dir", f->ctx->instance_dir);
    json_set_str(o, "Name", f->ctx->instance_name);
    json_set_int(o, "UID", host->uid);
    json_set_str(o, "User", host->user);
    json_set_str(o, "Home", host->home);
    json_set_str(o, "GlobalTempDir", "/tmp");
    json_set_str(o, "TempDir", host->temp_dir ? host->temp_dir : "/tmp");
    json_set_str(o, "Instance", f->ctx->instance_name); /* deprecated, as the next one */
    json_set_str(o, "LimaHome", f->ctx->home_dir);
    return o;
}

/* Home joins them when it has been expanded itself. */
static struct json *guest_names(const struct fill *f)
{
    const char *name = f->ctx->instance_name;
    _cleanup_free_ char *hostname = name ? config_hostname(name) : NULL;
    struct json *o = json_object_new();

    json_set_str(o, "Name", name);
    json_set_str(o, "Hostname", hostname);
    json_set_int(o, "UID", f->v->user.uid);
    json_set_str(o, "User", f->v->user.name);
    if (f->home_done)
        json_set_str(o, "Home", f->v->user.home);
    return o;
}

void fill_names_release(struct fill_names *names)
{
    json_free(names->data);
    names->data = NULL;
}

void fill_home(struct fill *f)
{
    fill_expand(f, &f->guest, &f->v->user.home, "user.home");
    f->home_done = true;
    fill_names_release(&f->guest);
}

void fill_expand(struct fill *f, struct fill_names *names, char **text, const char *path_fmt, ...)
{
    _cleanup_free_ char *problem = NULL, *out = NULL, *path = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    va_list ap;

    if (!*text || !strstr(*text, "{{"))
        return;
    if (!names->data) {
        names->data = names->host ? host_names(f) : guest_names(f);
        json_set(names->data, "Param", params(f->v));
    }
    out = tmpl_expand(*text, names->data, TMPL_KEEP_UNKNOWN, &problem, &err);
    if (out)
        *text = cfg_strdup(f->c->arena, out);
    if (out && !problem)
        return;
    va_start(ap, path_fmt);
    path = xvasprintf(path_fmt, ap);
    va_end(ap);
    struct diag *d = config_problem(f->d, RULE_TEMPLATE, path,
                                    "couldn't process field `%s` as a template: %s; %s", path,
                                    out ? problem : err.msg,
                                    out ? "that part stays as it is" : "the text stays as it is");
    if (err.hint)
        diag_set_hint(d, "%s", err.hint);
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
               !str_empty(p->playbook); /* it has them all in its environment */
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
