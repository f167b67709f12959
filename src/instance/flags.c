/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/flags.h"
#include "base/mem.h"
#include "instance/flags_internal.h"
#include "query/query.h"

const struct inst_flag_info inst_flag_table[INST_FLAG_COUNT] = {
#define FLAG(id, flag_name, flag_kind, var, creation, trial, text)                                 \
    [INST_FLAG_##id] = {.name = (flag_name), .metavar = (var), .help = (text),                     \
                        .kind = FLAG_##flag_kind, .create_only = (creation),                       \
                        .experimental = (trial)},
#include "instance/flags.def"
#undef FLAG
};

void inst_flags_release(struct inst_flags *f)
{
    for (size_t i = 0; i < INST_FLAG_COUNT; i++)
        strv_release(&f->values[i]);
}

static bool given(const struct inst_flags *f, enum inst_flag flag)
{
    return f->values[flag].n > 0;
}

bool inst_flags_any(const struct inst_flags *f)
{
    for (size_t i = 0; i < INST_FLAG_COUNT; i++)
        if (given(f, (enum inst_flag)i))
            return true;
    return false;
}

/* An error that came of a flag says so. */
static int of_flag(enum inst_flag flag, struct err *err)
{
    return err_wrap(err, "error while processing flag `%s`", inst_flag_table[flag].name);
}

/* ---- checking --------------------------------------------------------------------------------- */

static int check_conflicts(const struct inst_flags *f, struct err *err)
{
    bool mount = given(f, INST_FLAG_MOUNT), only = given(f, INST_FLAG_MOUNT_ONLY);
    const struct strv *none = &f->values[INST_FLAG_MOUNT_NONE];

    if (none->n && streq(none->v[none->n - 1], "true") && (mount || only))
        err_set(err, ERR_USAGE, "flag `--mount-none` conflicts with `--%s`",
                mount ? "mount" : "mount-only");
    else if (mount && only)
        err_set(err, ERR_USAGE, "flag `--mount` conflicts with `--mount-only`");
    else
        return 0;
    return err_hint(err, "--mount adds to the mounts of the YAML, --mount-only replaces them");
}

static int check_expression(const char *expr, struct err *err)
{
    if (query_check(expr, err) == 0)
        return 0;
    return !err || err->diags.v[0].hint
               ? -1
               : err_hint(err, "`cima yq-restrictions` tells how expressions are written");
}

static int check_each(enum inst_flag flag, const char *value, struct err *err)
{
    _cleanup_(port_forward_release) struct port_forward forward = {NULL, NULL, false};
    const char *network;
    bool user, system;
    size_t n;

    switch (flag) {
    case INST_FLAG_NETWORK:
        return network_parse(value, &network, err);
    case INST_FLAG_PARAM:
        return param_parse(value, &n, err);
    case INST_FLAG_CONTAINERD:
        return containerd_parse(value, &user, &system, err);
    case INST_FLAG_PORT_FORWARD:
        return port_forward_parse(value, &forward, err);
    case INST_FLAG_SET:
        return check_expression(value, err);
    case INST_FLAG_IMAGE_VARIANT:
    case INST_FLAG_ARCH_VARIANT:
        if (*value)
            return 0;
        err_set(err, ERR_USAGE, "`--%s` must not be empty", inst_flag_table[flag].name);
        return err_hint(err, "without the flag all images may be used");
    default:
        return 0;
    }
}

int inst_flags_check(const struct inst_flags *f, struct err *err)
{
    for (unsigned i = 0; i < INST_FLAG_COUNT; i++) {
        _cleanup_strv_ struct strv values = STRV_INIT;

        if (flag_parse((enum inst_flag)i, &f->values[i], &values, err) < 0)
            return -1;
        for (size_t k = 0; k < values.n; k++)
            if (check_each((enum inst_flag)i, values.v[k], err) < 0)
                return of_flag((enum inst_flag)i, err);
    }
    return check_conflicts(f, err);
}

/* ---- applying --------------------------------------------------------------------------------- */

/* False for a flag that is of no use, which is said then. */
static bool applies(const struct inst_flag_info *info, const struct strv *values, bool existing,
                    const struct inst_report *r)
{
    if (info->create_only && existing) {
        _cleanup_free_ char *words = strv_join(values, ",");

        inst_note(r, LOG_WARN,
                  "`--%s` is not applicable to an existing instance (Hint: create a new instance "
                  "with `cima create --%s=%s --name=NAME`)",
                  info->name, info->name, words);
        return false;
    }
    if (info->experimental)
        inst_note(r, LOG_WARN, "`--%s` is experimental", info->name);
    return true;
}

static int apply_all(const struct inst_flags *f, bool existing, struct flag_job *job,
                     struct err *err)
{
    for (unsigned i = 0; i < INST_FLAG_COUNT; i++) {
        _cleanup_strv_ struct strv values = STRV_INIT;

        if (!given(f, (enum inst_flag)i) ||
            !applies(&inst_flag_table[i], &f->values[i], existing, job->report))
            continue;
        if (flag_parse((enum inst_flag)i, &f->values[i], &values, err) < 0)
            return -1;
        if (flag_apply(job, (enum inst_flag)i, &values, err) < 0)
            return of_flag((enum inst_flag)i, err);
    }
    return 0;
}

int inst_flags_apply(const struct inst_flags *f, const struct inst_flags_input *in,
                     const struct host_facts *host, const struct inst_report *r, char **ret,
                     size_t *ret_len, struct err *err)
{
    struct flag_job job = {.host = host, .report = r};
    char *text = NULL;

    if (inst_flags_check(f, err) < 0)
        return -1;
    job.root = value_of_text(in, err);
    if (!job.root)
        return -1;
    if (apply_all(f, in->existing, &job, err) == 0)
        text = text_of_value(in, job.root, ret_len, err);
    json_free(job.root);
    if (!text)
        return -1;
    *ret = text;
    return 0;
}
