/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "base/fs.h"
#include "base/mem.h"
#include "hostagent/client.h"
#include "instance/internal.h"
#include "sys/clock.h"
#include <errno.h>
#include <fcntl.h>

/* The last event is in the last of the file, however long the agent has run. */
#define TAIL_MAX    (2 * EVENT_LINE_MAX)
#define VERSION_MAX 4096
/* An agent that is well answers in far less. */
enum { ANSWER_MS = 200, BIRTH_MS = 20000 };

bool inst_has_agent(const struct instance_state *st)
{
    return st->agent_pid > 0 || st->status == INST_RUNNING || streq0(st->condition, "starting") ||
           streq0(st->condition, "stopping");
}

bool inst_is_alive(const struct instance_state *st)
{
    return st->driver_pid > 0 || inst_has_agent(st);
}

void inst_state_read(const struct instance *i, struct instance_state *ret)
{
    instance_state_read(i, ret);
    if (inst_is_alive(ret))
        return;
    (void)instance_settle(i, BIRTH_MS); /* whoever starts one beside it finds it in the way */
    instance_state_release(ret);
    instance_state_read(i, ret);
}

/* ---- the last event -------------------------------------------------------------------------- */

/* Up to TAIL_MAX bytes from the end of the file. NULL when there is nothing. */
static char *read_tail(const char *path, size_t *ret_len)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return NULL;
    size_t want = st.st_size > TAIL_MAX ? TAIL_MAX : (size_t)st.st_size;
    _cleanup_free_ char *text = xmalloc(want);
    ssize_t n = pread(fd, text, want, st.st_size - (off_t)want);
    if (n <= 0)
        return NULL;
    *ret_len = (size_t)n;
    return TAKE_PTR(text);
}

int inst_last_event(const struct instance *i, struct event *ret)
{
    _cleanup_free_ char *path = instance_path(i, INST_HA_STDOUT);
    size_t len = 0;
    _cleanup_free_ char *text = read_tail(path, &len);

    /* Lines from the last one on: what follows the last line end was never finished. */
    while (text && len > 0) {
        const char *end = memrchr(text, '\n', len);
        if (!end)
            return -1;
        const char *before = memrchr(text, '\n', (size_t)(end - text));
        const char *line = before ? before + 1 : text;

        if (event_parse(line, (size_t)(end - line), ret, NULL) == 0)
            return 0;
        len = (size_t)(line - text);
    }
    return -1;
}

/* ---- the row --------------------------------------------------------------------------------- */

void inst_info_release(struct inst_info *info)
{
    free(info->name);
    free(info->dir);
    instance_state_release(&info->state);
    config_release(&info->config);
    free(info->vm_type);
    free(info->lima_version);
    free(info->message);
    free(info->message_problem);
    *info = (struct inst_info){0};
}

static void set_condition(struct instance_state *st, const char *condition)
{
    free(st->condition);
    st->condition = xstrdup(condition);
}

/* On one line: the first problem with its place. */
static char *config_problem(const struct err *err)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    const struct diag *first = NULL;

    for (size_t i = 0; !first && i < err->diags.n; i++)
        if (err->diags.v[i].severity == DIAG_ERROR)
            first = &err->diags.v[i];
    if (!first)
        return err_line(err);
    size_t n = diags_count(&err->diags, DIAG_ERROR);
    sbuf_addf(&s, "%s:%u:%u: %s", first->file ? first->file : "lima.yaml", first->line, first->col,
              first->msg);
    if (n > 1)
        sbuf_addf(&s, " (and %zu more problem%s)", n - 1, n > 2 ? "s" : "");
    return sbuf_detach(&s);
}

static void read_config(const struct inst_env *env, const struct instance *i,
                        struct inst_info *info)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct config config = CONFIG_INIT;

    /* Empty, missing or unreadable: the state says so already. */
    if (info->state.status == INST_BROKEN && !inst_is_alive(&info->state))
        return;
    if ((env->around ? instance_load_config_in(env->store, env->around, i, env->host, &config, &err)
                     : instance_load_config(env->store, i, env->host, &config, NULL, &err)) == 0) {
        info->config = config;
        info->has_config = true;
        info->vm_type = xstrdup(config.v.vm_type ? config.v.vm_type : "");
        info->arch = config_arch(&config.v);
        info->cpus = config.v.cpus;
        info->memory = config_memory_bytes(&config.v);
        info->disk = config_disk_bytes(&config.v);
        return;
    }
    info->state.status = INST_BROKEN;
    strv_push_consume(&info->state.errors, config_problem(&err));
}

/* What the agent has written about itself, and whether it answers. */
static void ask_agent(const struct instance *i, int *budget_ms, struct inst_info *info)
{
    _cleanup_event_ struct event e = EVENT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    bool known = inst_last_event(i, &e) == 0;
    uint16_t port = 0;

    if (known) {
        info->ssh_port = e.ssh_local_port;
        if (e.stage == STAGE_STOPPING && info->state.driver_pid)
            set_condition(&info->state, "stopping");
        else if (e.degraded && e.running)
            set_condition(&info->state, "degraded");
        else if (!e.running && !e.exiting && e.stage < STAGE_RUNNING && info->state.driver_pid)
            set_condition(&info->state, "starting");
        for (size_t k = 0; k < e.errors.n; k++)
            strv_push(&info->state.errors, e.errors.v[k]);
    }
    if (info->state.agent_foreign || !info->state.driver_pid || *budget_ms <= 0)
        return;
    int64_t start = monotonic_ms();
    int wait = *budget_ms < ANSWER_MS ? *budget_ms : ANSWER_MS;
    if (agent_info(i, wait, &port, &err) == 0) {
        if (port)
            info->ssh_port = port;
    } else if (err.kind == ERR_TIMEOUT) {
        set_condition(&info->state, "not responding");
    }
    *budget_ms -= (int)(monotonic_ms() - start);
}

static char *read_version(const struct instance *i)
{
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_VERSION);
    char *text = file_read(path, VERSION_MAX, NULL, NULL);

    if (!text)
        return xstrdup("");
    text[strcspn(text, " \t\r\n")] = '\0';
    return text;
}

/* A message that is no template breaks an instance, but not a machine that runs. */
static void read_message(const struct inst_env *env, struct inst_info *info)
{
    _cleanup_err_ struct err err = ERR_INIT;

    if (!info->has_config)
        return;
    info->message = inst_message(env, info, &err);
    if (info->message) {
        size_t len = strlen(info->message);

        if (len && info->message[len - 1] == '\n')
            info->message[len - 1] = '\0';
        return;
    }
    info->message_problem = err_line(&err);
    strv_push(&info->state.errors, info->message_problem);
    if (!inst_is_alive(&info->state))
        info->state.status = INST_BROKEN;
}

static void read_files(const struct instance *i, struct inst_info *info)
{
    _cleanup_free_ char *protected_path = instance_path(i, INST_PROTECTED);

    info->protected_ = path_exists(protected_path);
    info->lima_version = read_version(i);
}

/* State and configuration: what every form of `list` shows. */
static void read_row(const struct inst_env *env, const struct instance *i, int *budget_ms,
                     bool files, struct inst_info *ret)
{
    *ret = (struct inst_info){.name = xstrdup(i->name), .dir = xstrdup(i->dir)};
    instance_state_read(i, &ret->state);
    read_config(env, i, ret);
    if (inst_has_agent(&ret->state))
        ask_agent(i, budget_ms, ret);
    if (files || (ret->has_config && ret->config.v.message && strstr(ret->config.v.message, "{{")))
        read_files(i, ret);
    read_message(env, ret);
}

void inst_info_read_row(const struct inst_env *env, const struct instance *i, int *budget_ms,
                        struct inst_info *ret)
{
    read_row(env, i, budget_ms, false, ret);
    config_release(&ret->config);
}

void inst_info_read(const struct inst_env *env, const struct instance *i, int *budget_ms,
                    struct inst_info *ret)
{
    read_row(env, i, budget_ms, true, ret);
}
