/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration to a machine: plan, seed, start; or the machine that is there already. */
#include "hostagent/agent.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cidata/cidata.h"
#include "json/json.h"
#include "ssh/ssh.h"
#include "sys/proc.h"
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#define BOOT_FILE_MAX 4096

static void log_diags(const struct diags *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *p = &d->v[i];
        _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

        if (p->path && p->file)
            sbuf_addf(&text, "%s: ", p->path);
        sbuf_addstr(&text, p->msg);
        if (p->hint)
            sbuf_addf(&text, "; hint: %s", p->hint);
        log_at(p->severity == DIAG_WARNING ? LOG_WARN : LOG_ERROR, "%s", sbuf_str(&text));
    }
}

int boot_load(struct hostagent *a, struct err *err)
{
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    struct service_host *h = &a->host;

    if (instance_load_config(h->store, h->inst, h->facts, &a->config, &warnings, err))
        return -1;
    a->config_loaded = true;
    h->cfg = &a->config.v;
    log_diags(&warnings);
    a->driver = a->options->driver ? a->options->driver : driver_find(h->cfg->vm_type);
    if (!a->driver)
        return err_set(err, ERR_UNSUPPORTED, "there is no driver for vmType '%s'", h->cfg->vm_type);
    a->driver_ctx = (struct driver_ctx){
        .store = h->store, .inst = h->inst, .cfg = h->cfg, .host = h->facts};
    return 0;
}

/* ---- the boot file: which boot of the guest is it that runs -------------------------------------- */

/* Written after the machine has been started: a file that is missing costs nothing but the check of
 * the markers, one that belongs to another machine would make us wait for ever. */
static void write_boot_file(struct hostagent *a)
{
    _cleanup_free_ char *path = instance_path(a->host.inst, INST_BOOT);
    _cleanup_json_ struct json *j = json_object_new();
    struct err err = ERR_INIT;
    struct proc_id id;

    if (proc_id_of(a->driver->pid(a->vm), &id))
        return; /* it has ended already; exited() will say so */
    _cleanup_free_ char *driver = proc_id_format(&id);
    json_set_str(j, "iid", a->iid);
    json_set_str(j, "driver", driver);
    _cleanup_free_ char *text = json_dump(j);
    if (file_write_atomic(path, text, strlen(text), 0600, &err)) {
        _cleanup_free_ char *line = err_line(&err);

        log_warn("%s, ignoring", line);
        err_clear(&err);
    }
}

/* NULL when the file is not about this machine: another program has started it. */
static char *read_boot_file(const struct instance *inst, pid_t driver)
{
    _cleanup_free_ char *path = instance_path(inst, INST_BOOT);
    size_t len = 0;
    _cleanup_free_ char *text = file_read(path, BOOT_FILE_MAX, &len, NULL);
    _cleanup_json_ struct json *j = text ? json_parse(text, len, path, NULL) : NULL;
    const char *owner = j ? json_get_str(j, "driver") : NULL;
    struct proc_id id;

    if (!owner || proc_id_parse(owner, &id) || id.pid != driver || !proc_id_alive(&id))
        return NULL;
    return xstrdup0(json_get_str(j, "iid"));
}

void boot_forget(const struct instance *inst)
{
    _cleanup_free_ char *path = instance_path(inst, INST_BOOT);

    unlink(path);
}

void boot_crashed(const struct instance *inst, const char *how)
{
    _cleanup_free_ char *path = instance_path(inst, INST_BOOT);
    _cleanup_json_ struct json *j = json_object_new();
    _cleanup_err_ struct err err = ERR_INIT;

    json_set_str(j, "end", how);
    _cleanup_free_ char *text = json_dump(j);
    if (file_write_atomic(path, text, strlen(text), 0600, &err) < 0)
        log_debug("%s", err.msg);
}

/* ---- the seed ------------------------------------------------------------------------------------ */

/* The time, as in Lima, and something that no other start of this second has. */
static char *new_boot_id(void)
{
    uint32_t noise = (uint32_t)getpid();

    if (getrandom(&noise, sizeof(noise), GRND_NONBLOCK) < 0)
        log_debug("no random numbers: %s", strerror(errno));
    return xasprintf("iid-%lld-%08x", (long long)time(NULL), noise);
}

/* The host's proxy settings, "NAME=value". */
static void proxy_environment(const struct config_instance *cfg, struct strv *ret)
{
    static const char *const names[] = {"ftp_proxy",  "http_proxy",  "https_proxy", "no_proxy",
                                        "FTP_PROXY",  "HTTP_PROXY",  "HTTPS_PROXY", "NO_PROXY"};

    if (cfg->propagate_proxy_env == TRI_FALSE)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);

        if (value)
            strv_pushf(ret, "%s=%s", names[i], value);
    }
}

static int write_seed(struct hostagent *a, struct err *err)
{
    struct service_host *h = &a->host;
    _cleanup_strv_ struct strv keys = STRV_INIT, proxy = STRV_INIT;
    _cleanup_cidata_ struct cidata seed = {0};
    _cleanup_free_ char *boot_id = new_boot_id();

    if (ssh_ensure_key(h->store, err) ||
        ssh_public_keys(h->store, h->cfg, h->facts, &keys, err))
        return err_wrap(err, "preparing the ssh key");
    proxy_environment(h->cfg, &proxy);
    struct cidata_input in = {
        .cfg = h->cfg,
        .instance_name = h->inst->name,
        .instance_dir = h->inst->dir,
        .host = h->facts,
        .ssh_keys = (const char *const *)strv_argv(&keys),
        .n_ssh_keys = keys.n,
        .boot_id = boot_id,
        .debug = log_get_level() <= LOG_DEBUG,
        .proxy_env = (const char *const *)strv_argv(&proxy),
    };
    if (cidata_plan(&in, &seed, err))
        return err_wrap(err, "planning the seed");
    a->iid = xstrdup(seed.iid ? seed.iid : boot_id);
    h->iid = a->iid;

    const struct cidata_file *user_data = cidata_find(&seed, "user-data");
    _cleanup_free_ char *cloud_config = instance_path(h->inst, INST_CLOUD_CONFIG);
    if (user_data && file_write_atomic(cloud_config, user_data->data, user_data->len, 0600, err))
        return -1;
    _cleanup_free_ char *iso = instance_path(h->inst, INST_CIDATA_ISO);
    if (cidata_write_iso(&seed, iso, err))
        return err_wrap(err, "writing the seed");
    return 0;
}

/* ---- the machine --------------------------------------------------------------------------------- */

static int adopt(struct hostagent *a, pid_t pid, struct err *err)
{
    a->iid = read_boot_file(a->host.inst, pid);
    a->host.iid = a->iid;
    log_info("The machine runs already (pid %d): taking it over", (int)pid);
    if (a->driver->adopt(&a->driver_ctx, a->loop, &machine_callbacks, a, &a->vm, err))
        return err_wrap(err, "taking over the machine (pid %d)", (int)pid);
    return 0;
}

static int start(struct hostagent *a, struct err *err)
{
    _cleanup_diags_ struct diags notes = DIAGS_INIT;
    struct driver_plan *plan = NULL;

    if (a->driver->plan(&a->driver_ctx, &plan, &notes, err))
        return -1;
    log_diags(&notes);
    _cleanup_free_ char *text = a->driver->plan_text(plan);
    log_debug("command line of the machine: %s", text);
    int r = write_seed(a, err) ||
            a->driver->start(&a->driver_ctx, plan, a->loop, &machine_callbacks, a, &a->vm, err);
    a->driver->plan_free(plan);
    if (r)
        return -1;
    write_boot_file(a);
    return 0;
}

int boot_machine(struct hostagent *a, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    instance_state_read(a->host.inst, &st);
    if (st.driver_pid ? adopt(a, st.driver_pid, err) : start(a, err))
        return -1;
    a->vm_lives = true;
    rest_attach(a->rest, a->host.inst, a->driver, a->vm);
    line_claim(a->line, STAGE_DISK_READY);
    return 0;
}
