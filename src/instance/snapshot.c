/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots (S1-58): of a running machine or of the disks of a stopped one, as the instance is. */
#include "base/mem.h"
#include "base/utf8.h"
#include "instance/machine.h"

#define TAG_MAX 127

const char *inst_snapshot_tag_problem(const char *tag)
{
    size_t len = strlen(tag), digits = strspn(tag, "0123456789");

    if (!len)
        return "it is empty";
    if (len > TAG_MAX)
        return "it is longer than 127 bytes";
    if (*tag == '-')
        return "it begins with '-'";
    if (digits == len)
        return "it is a number, which could be taken for the id of another one";
    if (*tag == ' ' || tag[len - 1] == ' ')
        return "it begins or ends with a blank";
    for (size_t at = 0, n; at < len; at += n) {
        uint32_t c;

        n = utf8_decode(tag + at, len - at, &c);
        if (!n)
            return "it is not UTF-8";
        if (!utf8_is_printable(c))
            return "it has a control character";
    }
    return NULL;
}

static int check_tag(const char *tag, struct err *err)
{
    const char *why = inst_snapshot_tag_problem(tag);

    if (!*tag) {
        err_set(err, ERR_USAGE, "expected tag");
        return err_hint(err, "give the snapshot a name: --tag NAME");
    }
    if (!why)
        return 0;
    _cleanup_sbuf_ struct sbuf shown = SBUF_INIT;
    sbuf_add_printable(&shown, tag, strlen(tag));
    return err_set(err, ERR_USAGE, "'%s' can't be the tag of a snapshot: %s", sbuf_str(&shown),
                   why);
}

/* ---- what there is --------------------------------------------------------------------------- */

static const struct driver_snapshot *find(const struct driver_snapshots *s, const char *tag)
{
    for (size_t k = 0; k < s->n; k++)
        if (streq(s->v[k].tag, tag))
            return &s->v[k];
    return NULL;
}

static int not_found(const struct instance *i, const struct driver_snapshots *s, const char *tag,
                     struct err *err)
{
    _cleanup_sbuf_ struct sbuf names = SBUF_INIT;

    for (size_t k = 0; k < s->n; k++) {
        if (k)
            sbuf_addstr(&names, ", ");
        sbuf_addch(&names, '\'');
        sbuf_add_printable(&names, s->v[k].tag, strlen(s->v[k].tag));
        sbuf_addch(&names, '\'');
    }
    err_set(err, ERR_NOT_FOUND, "instance `%s` has no snapshot '%s'", i->name, tag);
    return names.len ? err_hint(err, "it has %s", sbuf_str(&names))
                     : err_hint(err, "it has none; `cima snapshot create %s --tag %s` takes one",
                                i->name, tag);
}

int inst_snapshot_list(const struct inst_env *env, const struct instance *i,
                       struct driver_snapshots *ret, struct err *err)
{
    _cleanup_inst_machine_ struct inst_machine m = INST_MACHINE_INIT;

    if (inst_machine_open(env, i, &m, err) < 0 ||
        m.driver->tools->snapshot_list(&m.ctx, m.runs ? &m.monitor : NULL, ret, err) < 0)
        return err_wrap(err, "listing the snapshots of instance `%s`", i->name);
    return 0;
}

/* ---- what is done ---------------------------------------------------------------------------- */

enum what { CREATE, APPLY, DELETE };

static int change(const struct inst_machine *m, enum what what, const char *tag, struct err *err)
{
    const struct driver_monitor *monitor = m->runs ? &m->monitor : NULL;
    const struct driver_tools *t = m->driver->tools;

    switch (what) {
    case CREATE:
        return t->snapshot_create(&m->ctx, monitor, tag, err);
    case APPLY:
        return t->snapshot_apply(&m->ctx, monitor, tag, err);
    default:
        return t->snapshot_delete(&m->ctx, monitor, tag, err);
    }
}

static int check_there(const struct inst_machine *m, const struct instance *i, enum what what,
                       const char *tag, const struct inst_report *r, struct err *err)
{
    _cleanup_driver_snapshots_ struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;

    if (m->driver->tools->snapshot_list(&m->ctx, m->runs ? &m->monitor : NULL, &all, err) < 0)
        return -1;
    const struct driver_snapshot *there = find(&all, tag);
    if (what != CREATE && !there)
        return not_found(i, &all, tag, err);
    if (what == CREATE && there) {
        err_set(err, ERR_EXISTS, "instance `%s` has a snapshot '%s' already", i->name, tag);
        return err_hint(err, "take another tag, or `cima snapshot delete %s --tag %s` first",
                        i->name, tag);
    }
    if (what == APPLY && there->vm_size && !m->runs)
        inst_note(r, LOG_INFO,
                  "Only the disks go back to snapshot '%s': the instance does not run", tag);
    return 0;
}

static int operate(const struct inst_env *env, const struct instance *i, enum what what,
                   const char *tag, const struct inst_report *r, struct err *err)
{
    static const char *const doing[] = {
        [CREATE] = "taking", [APPLY] = "applying", [DELETE] = "deleting"};
    _cleanup_inst_machine_ struct inst_machine m = INST_MACHINE_INIT;

    if (check_tag(tag, err) < 0)
        return -1;
    /* A start under way has it, too. */
    _cleanup_close_ int lock = inst_lock(i, /* wait_ms= */ 0, err);
    if (lock < 0)
        return -1;
    if (inst_machine_open(env, i, &m, err) < 0 || check_there(&m, i, what, tag, r, err) < 0)
        return -1;
    inst_step(r, what == CREATE ? "taking the snapshot"
                                : (what == APPLY ? "going back to the snapshot"
                                                 : "deleting the snapshot"));
    if (change(&m, what, tag, err) < 0)
        return err_wrap(err, "%s snapshot '%s' of instance `%s`", doing[what], tag, i->name);
    return 0;
}

int inst_snapshot_create(const struct inst_env *env, const struct instance *i, const char *tag,
                         const struct inst_report *r, struct err *err)
{
    return operate(env, i, CREATE, tag, r, err);
}

int inst_snapshot_apply(const struct inst_env *env, const struct instance *i, const char *tag,
                        const struct inst_report *r, struct err *err)
{
    return operate(env, i, APPLY, tag, r, err);
}

int inst_snapshot_delete(const struct inst_env *env, const struct instance *i, const char *tag,
                         const struct inst_report *r, struct err *err)
{
    return operate(env, i, DELETE, tag, r, err);
}
