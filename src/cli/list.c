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
    return i->has_config ? i->vm_type : "";
}

static const char *arch_of(const struct inst_info *i)
{
    return i->has_config ? arch_to_string(i->arch) : "";
}

/* The rule counts what is there so far in units of 8: NAME 1, STATUS 2, SSH 2. */
static struct shown choose_columns(const struct inst_info *const *infos, size_t n,
                                   const struct host_facts *host, unsigned width, bool all)
{
    struct shown s = {true, true, true};
    bool one_type = true, host_arch = true;
    unsigned units = 1 + 2 + 2;

    if (all || !width)
        return s;
    for (size_t i = 0; i < n; i++) {
        one_type = one_type && streq(vm_type_of(infos[i]), vm_type_of(infos[0]));
        host_arch = host_arch && (!infos[i]->has_config || infos[i]->arch == host->arch);
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

    strv_pushl(row, i->name, inst_status_to_string(i->state.status), NULL);
    strv_pushf(row, "127.0.0.1:%u", i->ssh_port);
    if (s->vm_type)
        strv_push(row, vm_type_of(i));
    if (s->arch)
        strv_push(row, arch_of(i));
    if (i->has_config) {
        strv_pushf(row, "%lld", (long long)i->cpus);
        strv_push_consume(row, format_size(i->memory));
        strv_push_consume(row, format_size(i->disk));
    } else {
        strv_pushl(row, "-", "-", "-", NULL);
    }
    if (s->dir)
        strv_push_consume(row, short_dir(i->dir, host->home));
}

void list_table(const struct inst_info *const *infos, size_t n, const struct host_facts *host,
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
        add_row(&t, infos[i], &s, host);
    table_format(&t, out);
}

/* ---- notes ----------------------------------------------------------------------------------- */

static const struct {
    const char *condition;
    enum log_level level;
    const char *text; /* %s: the instance */
    bool with_errors; /* they say more; else they only say the same in other words */
} notes[] = {
    {"starting", LOG_INFO, "The instance `%s` is starting", false},
    {"stopping", LOG_INFO, "The instance `%s` is shutting down", false},
    {"agent lost", LOG_WARN,
     "The instance `%s` is Broken: qemu driver is running but host agent is not; `cima start %s` "
     "gives it a new one",
     false},
    {"not responding", LOG_WARN,
     "The host agent of `%s` does not respond; `cima restart %s` replaces it", true},
    {"crashed", LOG_WARN, "The instance `%s` was not shut down properly; `cima start %s` cleans up",
     true},
};

static bool note_condition(const struct inst_info *i, list_note_fn *fn, void *arg)
{
    for (size_t k = 0; i->state.condition && k < ARRAY_SIZE(notes); k++) {
        _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

        if (!streq(notes[k].condition, i->state.condition))
            continue;
        for (const char *p = notes[k].text; *p; p++)
            if (p[0] == '%' && p[1] == 's') {
                sbuf_addstr(&text, i->name);
                p++;
            } else {
                sbuf_addch(&text, *p);
            }
        fn(arg, notes[k].level, sbuf_str(&text));
        return notes[k].with_errors;
    }
    return true;
}

void list_notes(const struct inst_info *i, list_note_fn *fn, void *arg)
{
    bool degraded = streq0(i->state.condition, "degraded");

    if (i->state.agent_foreign) {
        _cleanup_free_ char *text = xasprintf("The instance `%s` is run by Lima's host agent (pid "
                                              "%d)",
                                              i->name, (int)i->state.agent_pid);

        fn(arg, LOG_INFO, text);
    }
    if (!note_condition(i, fn, arg))
        return;
    for (size_t k = 0; k < i->state.errors.n; k++) {
        _cleanup_free_ char *text = xasprintf(
            "The instance `%s` is %s: %s", i->name,
            degraded ? "degraded" : inst_status_to_string(i->state.status), i->state.errors.v[k]);

        fn(arg, LOG_WARN, text);
    }
    if (degraded && !i->state.errors.n) {
        _cleanup_free_ char *text = xasprintf("The instance `%s` is degraded; its ha.stderr.log "
                                              "says why",
                                              i->name);

        fn(arg, LOG_WARN, text);
    }
}
