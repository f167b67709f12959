/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/plan_internal.h"
#include "base/mem.h"

/* Oldest version that is tried, and the oldest one without a warning (SD-03). */
#define QEMU_MIN_MAJOR  4
#define QEMU_GOOD_MAJOR 6
#define QEMU_GOOD_MINOR 2

/* Options that hold one thing: what $QEMU_SYSTEM_… says about them wins (SD-06). */
static const char *const single_options[] = {"-m",       "-object", "-numa",   "-cpu",
                                             "-machine", "-accel",  "-smp",    "-boot",
                                             "-display", "-kernel", "-append", "-initrd"};

/* ---- the plan as a value --------------------------------------------------------------------- */

void qemu_plan_free(struct qemu_plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_steps; i++) {
        free(p->steps[i].path);
        free(p->steps[i].from);
        free(p->steps[i].format);
    }
    for (size_t i = 0; i < p->n_fds; i++) {
        free(p->fds[i].path);
        free(p->fds[i].field);
    }
    for (size_t i = 0; i < p->n_helpers; i++) {
        free(p->helpers[i].name);
        strv_release(&p->helpers[i].argv);
        free(p->helpers[i].socket);
    }
    free(p->steps);
    free(p->fds);
    free(p->helpers);
    free(p->exe);
    free(p->machine);
    cima_cmdline_free(p->cmdline);
    strv_release(&p->argv);
    free(p);
}

void plan_note(struct builder *b, const char *fmt, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    diags_add(b->notes, DIAG_WARNING, NULL, "%s", text);
}

struct qemu_step *plan_step(struct builder *b, enum qemu_step_kind kind, const char *path)
{
    struct qemu_plan *p = b->plan;

    GROW_ARRAY(p->steps, p->n_steps, p->cap_steps);
    p->steps[p->n_steps] = (struct qemu_step){.kind = kind, .path = xstrdup(path)};
    return &p->steps[p->n_steps++];
}

int plan_fd(struct builder *b, const char *path, bool listen, const char *field)
{
    struct qemu_plan *p = b->plan;

    GROW_ARRAY(p->fds, p->n_fds, p->cap_fds);
    p->fds[p->n_fds++] = (struct qemu_plan_fd){
        .fd = b->next_fd, .path = xstrdup(path), .listen = listen, .field = xstrdup0(field)};
    return b->next_fd++;
}

struct qemu_helper *plan_helper(struct builder *b, const char *name, const char *program,
                                const char *socket)
{
    struct qemu_plan *p = b->plan;
    struct qemu_helper *h;

    GROW_ARRAY(p->helpers, p->n_helpers, p->cap_helpers);
    h = &p->helpers[p->n_helpers++];
    *h = (struct qemu_helper){.name = xstrdup(name), .socket = xstrdup(socket), .argv = STRV_INIT};
    strv_push(&h->argv, program);
    plan_step(b, QEMU_STEP_REMOVE, socket);
    return h;
}

char *plan_path(const struct builder *b, enum inst_file f)
{
    return instance_path(b->in->inst, f);
}

/* The value that $QEMU_SYSTEM_…'s words give to an option that exists once; NULL: they don't. */
static const char *env_value(const struct builder *b, const char *name)
{
    const struct strv *words = b->in->env_args;
    bool single = false;

    for (size_t i = 0; i < ARRAY_SIZE(single_options); i++)
        single |= streq(name, single_options[i]);
    for (size_t i = 0; single && words && i < words->n; i++) {
        const char *w = words->v[i];

        if (str_starts(w, "--"))
            w++;
        if (streq(w, name) || (streq(name, "-machine") && streq(w, "-M")))
            return i + 1 < words->n ? words->v[i + 1] : "";
    }
    return NULL;
}

static bool pushed_out(struct builder *b, const char *name, const char *ours)
{
    const char *theirs = env_value(b, name);

    if (!theirs)
        return false;
    plan_note(b, "Not adding QEMU argument `%s` `%s`, as it conflicts with `%s` `%s`", name, ours,
              name, theirs);
    return true;
}

void plan_text(struct builder *b, const char *name, const char *text)
{
    if (!pushed_out(b, name, text))
        cima_cmdline_text(b->plan->cmdline, name, text);
}

void plan_opts(struct builder *b, const char *name, struct cima_opts *opts)
{
    _cleanup_err_ struct err ignored = ERR_INIT;
    _cleanup_free_ char *text = env_value(b, name) ? cima_opts_to_argv(opts, &ignored) : NULL;

    if (text && pushed_out(b, name, text))
        cima_opts_free(opts);
    else
        cima_cmdline_opts(b->plan->cmdline, name, opts);
}

int plan_device(struct builder *b, const char *field, struct cima_opts *opts)
{
    const char *driver = cima_opts_get(opts, "driver");

    if (!qemu_features_has_device(b->in->features, driver)) {
        err_set(b->err, ERR_UNSUPPORTED,
                "field `%s` needs the device '%s', which '%s' does not have", field, driver,
                b->in->exe);
        cima_opts_free(opts);
        return err_hint(b->err, "install the full QEMU (package '%s')", b->arch->package);
    }
    cima_cmdline_opts(b->plan->cmdline, "-device", opts);
    return 0;
}

/* ---- checks ---------------------------------------------------------------------------------- */

bool qemu_plan_wants_firmware(const struct config_instance *cfg)
{
    const struct qemu_arch *a = qemu_arch(config_arch(cfg));

    return a->uefi && !(a->legacy_bios && cfg->firmware.legacy_bios == TRI_TRUE);
}

bool qemu_plan_wants_desktop(const struct config_instance *cfg)
{
    bool window = !str_empty(cfg->video.display) && !streq(cfg->video.display, "none") &&
                  !streq(cfg->video.display, "vnc");
    bool sound = !str_empty(cfg->audio.device) && !streq(cfg->audio.device, "none");

    return window || sound;
}

static char *version_text(const struct semver *v)
{
    return xasprintf("%u.%u.%u", (unsigned)v->major, (unsigned)v->minor, (unsigned)v->patch);
}

int qemu_plan_check_version(const struct qemu_plan_input *in, struct diags *notes, struct err *err)
{
    const struct semver oldest = {.major = QEMU_MIN_MAJOR};
    const struct semver good = {.major = QEMU_GOOD_MAJOR, .minor = QEMU_GOOD_MINOR};
    const char *wanted = in->cfg->vm_opts.qemu.minimum_version;
    const struct qemu_features *f = in->features;
    _cleanup_free_ char *have = version_text(&f->version);
    struct semver min;

    if (!str_empty(wanted) && parse_semver(wanted, &min) < 0)
        return err_set(
            err, ERR_CONFIG,
            "field `vmOpts.qemu.minimumVersion` must be a version such as 7.2.0, got '%s'", wanted);
    if (!f->version_known) {
        diags_add(notes, DIAG_WARNING, NULL, "the version of '%s' could not be found out", in->exe);
        return 0;
    }
    if (semver_cmp(&f->version, &oldest) < 0)
        return err_set(err, ERR_UNSUPPORTED, "QEMU %s is too old, %u.0.0 or later required", have,
                       QEMU_MIN_MAJOR);
    if (!str_empty(wanted) && semver_cmp(&f->version, &min) < 0) {
        err_set(err, ERR_UNSUPPORTED, "QEMU %s is too old, template requires '%s' or later", have,
                wanted);
        return err_hint(err, "`vmOpts.qemu.minimumVersion` says so");
    }
    if (semver_cmp(&f->version, &good) < 0)
        diags_add(notes, DIAG_WARNING, NULL, "QEMU %s is too old, %u.%u.0 or later is recommended",
                  have, QEMU_GOOD_MAJOR, QEMU_GOOD_MINOR);
    return 0;
}

static void check_ignored(struct builder *b)
{
    const struct config_instance *cfg = b->in->cfg;

    if (cfg->firmware.legacy_bios == TRI_TRUE && !b->arch->legacy_bios)
        plan_note(b, "field `firmware.legacyBIOS` is not supported for architecture `%s`, ignoring",
                  arch_to_string(b->arch_id));
    if (cfg->ssh.over_vsock == TRI_TRUE)
        plan_note(b, "field `ssh.overVsock` is not implemented yet for QEMU driver, ignoring");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int plan_general(struct builder *b)
{
    struct cima_cmdline *c = b->plan->cmdline;
    _cleanup_free_ char *name = xasprintf("lima-%s", b->in->inst->name);
    _cleanup_free_ char *pidfile = plan_path(b, INST_QEMU_PID);
    const struct cima_identity identity = {.name = name};
    const struct cima_knobs knobs = {.no_user_config = true, .no_defaults = true};

    if (cima_add_identity(c, &identity, b->err) < 0 || cima_add_knobs(c, &knobs, b->err) < 0 ||
        plan_sandbox(b) < 0)
        return -1;
    return cima_add_pidfile(c, pidfile, b->err);
}

static int build(struct builder *b)
{
    const struct config_qemu_opts *q = &b->in->cfg->vm_opts.qemu;
    char **words;

    check_ignored(b);
    if (plan_general(b) < 0 || plan_extra(b) < 0 || plan_accel_and_cpu(b) < 0 ||
        plan_machine(b) < 0 || plan_firmware(b) < 0 || plan_disks(b) < 0 || plan_networks(b) < 0 ||
        plan_desktop(b) < 0 || plan_consoles(b) < 0 || plan_mounts(b) < 0 || plan_tpm(b) < 0)
        return -1;
    strv_push(&b->plan->argv, b->plan->exe);
    if (b->in->env_args)
        strv_extend(&b->plan->argv, b->in->env_args);
    words = cima_cmdline_argv(b->plan->cmdline, b->err);
    if (!words)
        return -1;
    for (size_t i = 0; words[i]; i++)
        strv_push_consume(&b->plan->argv, words[i]);
    free(words);
    for (unsigned i = 0; i < q->extra_args_count; i++)
        strv_push(&b->plan->argv, q->extra_args[i]);
    return 0;
}

int qemu_plan_build(const struct qemu_plan_input *in, struct qemu_plan **ret, struct diags *notes,
                    struct err *err)
{
    _cleanup_(qemu_plan_freep) struct qemu_plan *p = xcalloc(1, sizeof(*p));
    enum arch arch = config_arch(in->cfg);
    struct builder b = {.in = in,
                        .arch = qemu_arch(arch),
                        .arch_id = arch,
                        .plan = p,
                        .notes = notes,
                        .err = err,
                        .next_fd = 3};

    if (qemu_plan_check_version(in, notes, err) < 0)
        return -1;
    p->cmdline = cima_cmdline_new();
    p->exe = xstrdup(in->exe);
    p->desktop = qemu_plan_wants_desktop(in->cfg);
    if (in->env_args && in->env_args->n) {
        _cleanup_free_ char *words = strv_to_shell(in->env_args);

        plan_note(&b, "Specifying args (%s) via $%s is supported only for debugging!", words,
                  in->env_name);
    }
    if (build(&b) < 0)
        return -1;
    *ret = TAKE_PTR(p);
    return 0;
}
