/* SPDX-License-Identifier: Apache-2.0 */
/* Accelerator, CPU, machine type, memory, firmware. */
#include "driver/qemu/plan_internal.h"
#include "base/mem.h"

#define RAM_ID "ram"

/* ---- acceleration ---------------------------------------------------------------------------- */

/* What was asked for, by the environment or the YAML; NULL: nothing. */
static const char *wanted_accel(const struct builder *b, const char **ret_field)
{
    if (!str_empty(b->in->accel_env)) {
        *ret_field = "CIMA_QEMU_ACCEL";
        return b->in->accel_env;
    }
    *ret_field = "vmOpts.qemu.accel";
    return str_empty(b->in->cfg->vm_opts.qemu.accel) ? NULL : b->in->cfg->vm_opts.qemu.accel;
}

/* Why KVM can't be had; NULL: it can. Caller frees. */
static char *no_kvm(const struct builder *b)
{
    if (!b->in->host->arch_known || b->in->host->arch != b->arch_id)
        return xasprintf("the guest's architecture %s is not the host's",
                         arch_to_string(b->arch_id));
    if (!b->in->kvm_usable)
        return xstrdup(b->in->kvm_reason ? b->in->kvm_reason : "KVM does not work");
    if (!strv_contains(&b->in->features->accels, "kvm"))
        return xasprintf("'%s' is built without KVM", b->in->exe);
    return NULL;
}

static int choose_accel(struct builder *b)
{
    const char *field, *wanted = wanted_accel(b, &field);
    _cleanup_free_ char *why = no_kvm(b);

    if (wanted && !streq(wanted, "kvm") && !streq(wanted, "tcg") && !streq(wanted, "kvm:tcg"))
        return err_set(b->err, ERR_CONFIG, "`%s` must be 'kvm', 'tcg' or 'kvm:tcg', got '%s'",
                       field, wanted);
    if (wanted && streq(wanted, "kvm:tcg"))
        wanted = NULL; /* the first that works, which is the rule anyway */
    if (wanted && streq(wanted, "kvm") && why) {
        err_set(b->err, ERR_UNSUPPORTED, "`%s` asks for KVM: %s", field, why);
        return err_hint(b->err, "take it out, or say 'tcg' (much slower)");
    }
    b->plan->accel = (wanted ? streq(wanted, "tcg") : why != NULL) ? "tcg" : "kvm";
    if (!wanted && why)
        plan_note(b, "TCG: %s; expect a slow machine", why);
    if (b->in->features->accels.n && !strv_contains(&b->in->features->accels, b->plan->accel))
        return err_set(b->err, ERR_UNSUPPORTED, "accelerator '%s' is not supported by '%s'",
                       b->plan->accel, b->in->exe);
    return 0;
}

/* Translated code is kept for as much as the host can spare (B-TB-SIZE). MiB. */
static int64_t tb_size(const struct builder *b)
{
    uint64_t mib = b->in->host->memory_bytes >> 20, spare = mib / 16;

    return spare < 64 ? 64 : spare > 512 ? 512 : (int64_t)spare;
}

static void plan_accel(struct builder *b)
{
    struct cima_opts *o = cima_opts_new("accel", b->plan->accel);

    if (streq(b->plan->accel, "tcg")) {
        /* Several threads are the default where they are safe; an x86 guest on x86 always is. */
        if (b->arch_id == ARCH_X86_64)
            cima_opts_str(o, "thread", "multi");
        cima_opts_int(o, "tb-size", tb_size(b));
    }
    plan_opts(b, "-accel", o);
}

/* ---- CPU ------------------------------------------------------------------------------------- */

#define CPUS_NAMED 3

static int by_length(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t nx = strlen(x), ny = strlen(y);

    return nx != ny ? (nx < ny ? -1 : 1) : strcmp(x, y);
}

/* The models that may have been meant, "'Haswell', 'Haswell-IBRS'": those that begin so, the shortest
 * ones first, else the nearest. NULL: none. Caller frees. */
static char *likely_cpus(const struct strv *known, const char *model)
{
    _cleanup_strv_ struct strv found = STRV_INIT, quoted = STRV_INIT;
    const char *near = str_nearest(model, (const char *const *)known->v, known->n);

    for (size_t i = 0; i < known->n; i++)
        if (str_starts(known->v[i], model))
            strv_push(&found, known->v[i]);
    if (!found.n && near)
        strv_push(&found, near);
    if (!found.n)
        return NULL;
    qsort(found.v, found.n, sizeof(*found.v), by_length);
    for (size_t i = 0; i < found.n && i < CPUS_NAMED; i++)
        strv_pushf(&quoted, "'%s'", found.v[i]);
    return strv_join(&quoted, ", ");
}

/* Only whole names out of the binary's own list (B-CPU-CHECK). */
static int check_cpu(struct builder *b, const char *model)
{
    const struct strv *known = &b->in->features->cpus;
    _cleanup_free_ char *near = NULL;

    if (!known->n || strv_contains(known, model) || streq(model, "max"))
        return 0;
    err_set(b->err, ERR_UNSUPPORTED, "cpu '%s' is not supported by '%s'", model, b->in->exe);
    near = likely_cpus(known, model);
    if (near)
        return err_hint(b->err, "did you mean %s?", near);
    return err_hint(b->err, "see '%s -cpu help' for the models", b->in->exe);
}

static int check_emulated(struct builder *b, const char *model)
{
    if (!streq(model, "host"))
        return 0;
    err_set(b->err, ERR_UNSUPPORTED, "cpu 'host' needs KVM, the machine runs with TCG");
    return err_hint(b->err, "'max' is the most that TCG can do");
}

/* As much as there is. QEMU before 8.2 has no "max" for riscv64. */
static const char *default_cpu(const struct builder *b, bool kvm)
{
    const struct strv *known = &b->in->features->cpus;

    if (kvm && (!known->n || strv_contains(known, "host")))
        return "host";
    if (b->arch->cpu && strv_contains(known, b->arch->cpu) && !strv_contains(known, "max"))
        return b->arch->cpu;
    return "max";
}

/* The CPU decides about it; a host that allows it (KVM does so by default) hands it on with "host".
 */
static void note_nested(struct builder *b, const char *cpu, bool kvm)
{
    if (b->in->cfg->nested_virtualization != TRI_TRUE || (kvm && str_starts(cpu, "host")))
        return;
    if (!kvm)
        plan_note(b, "field `nestedVirtualization`: without KVM the emulated CPU decides; of the "
                     "default ones only that of x86_64 has it");
    else if (!strstr(cpu, "vmx") && !strstr(cpu, "svm"))
        plan_note(b,
                  "field `nestedVirtualization` has no effect with the CPU '%s': take "
                  "`vmOpts.qemu.cpuType` out, or add ',+vmx' (Intel) or ',+svm' (AMD) to it",
                  cpu);
}

static int plan_cpu(struct builder *b)
{
    const struct qemu_features *f = b->in->features;
    const char *asked = config_cpu_type(b->in->cfg, b->arch_id);
    bool kvm = streq(b->plan->accel, "kvm");
    _cleanup_free_ char *model = NULL;
    struct cima_opts *o;

    if (!str_empty(asked)) {
        const char *end = strchr(asked, ',');

        model = xstrndup(asked, end ? (size_t)(end - asked) : strlen(asked));
        if ((!kvm && check_emulated(b, model) < 0) || check_cpu(b, model) < 0)
            return err_wrap(b->err, "field `vmOpts.qemu.cpuType.%s`", arch_to_string(b->arch_id));
        /* Features behind the model are QEMU's own syntax (+x, -x, x=off): handed over as they are.
         */
        plan_text(b, "-cpu", asked);
        note_nested(b, asked, kvm);
        return 0;
    }
    model = xstrdup(default_cpu(b, kvm));
    o = cima_opts_new("model", model);
    /* The architected pointer authentication costs most of an emulated boot. */
    if (b->arch_id == ARCH_AARCH64 && !kvm && qemu_features_at_least(f, 6, 0))
        cima_opts_bool(o, "pauth-impdef", true);
    plan_opts(b, "-cpu", o);
    note_nested(b, model, kvm);
    return 0;
}

int plan_accel_and_cpu(struct builder *b)
{
    if (choose_accel(b) < 0 || plan_cpu(b) < 0)
        return -1;
    plan_accel(b);
    return 0;
}

/* ---- machine --------------------------------------------------------------------------------- */

/* The type that was frozen when the instance was made, or the newest of the family
 * (B-MACHINE-VERSION). One that this QEMU no longer has is replaced with a warning. */
static int choose_machine(struct builder *b)
{
    const struct qemu_features *f = b->in->features;
    const char *frozen = b->in->machine, *newest = qemu_features_machine(f, b->arch->machine);

    if (f->n_machines && !newest) {
        err_set(b->err, ERR_UNSUPPORTED, "'%s' has no machine type '%s'", b->in->exe,
                b->arch->machine);
        return err_hint(b->err, "is it the QEMU for %s?", arch_to_string(b->arch_id));
    }
    if (!newest)
        newest = b->arch->machine;
    if (frozen && f->n_machines && !qemu_features_machine(f, frozen)) {
        plan_note(b, "this QEMU has no machine type '%s' any more, taking '%s'", frozen, newest);
        frozen = NULL;
    }
    b->plan->machine = xstrdup(frozen ? frozen : newest);
    return 0;
}

static int plan_memory(struct builder *b)
{
    uint64_t mib = config_memory_bytes(b->in->cfg) >> 20;
    _cleanup_free_ char *text = xasprintf("%llu", (unsigned long long)mib);

    if (mib == 0)
        return err_set(b->err, ERR_CONFIG, "field `memory` must be at least 1MiB");
    plan_text(b, "-m", text);
    return 0;
}

static int plan_smp(struct builder *b)
{
    int64_t n = b->in->cfg->cpus;
    struct cima_opts *o;

    for (size_t i = 0; i < b->in->features->n_machines; i++) {
        const struct qemu_machine_type *m = &b->in->features->machines[i];

        if (streq(m->name, b->plan->machine) && m->max_cpus && n > m->max_cpus) {
            err_set(b->err, ERR_UNSUPPORTED, "field `cpus` is %lld, machine type '%s' can have %u",
                    (long long)n, m->name, m->max_cpus);
            return err_hint(b->err, "lower `cpus` to %u or less", m->max_cpus);
        }
    }
    o = cima_opts_new(NULL, NULL);
    cima_opts_int(o, "cpus", n);
    cima_opts_int(o, "sockets", 1);
    cima_opts_int(o, "cores", n);
    cima_opts_int(o, "threads", 1);
    plan_opts(b, "-smp", o);
    return 0;
}

static bool has_shared_mounts(const struct builder *b)
{
    return b->in->cfg->mounts_count && streq0(b->in->cfg->mount_type, "virtiofs");
}

/* RAM that virtiofsd can map. /dev/shm may be too small for it, and kills the guest then (B-SHM):
 * only where there is no memfd. */
static void shared_memory(struct builder *b, struct cima_opts *machine)
{
    const struct qemu_features *f = b->in->features;
    uint64_t bytes = (config_memory_bytes(b->in->cfg) >> 20) << 20;

    plan_opts(b, "-object",
              qemu_features_has_object(f, "memory-backend-memfd")
                  ? cima_memory_memfd(RAM_ID, bytes)
                  : cima_memory_file(RAM_ID, bytes, "/dev/shm"));
    if (f->machine_props.n ? strv_contains(&f->machine_props, "memory-backend")
                           : qemu_features_at_least(f, 5, 0)) {
        cima_opts_str(machine, "memory-backend", RAM_ID);
    } else {
        struct cima_opts *node = cima_opts_new("type", "node");

        cima_opts_str(node, "memdev", RAM_ID);
        plan_opts(b, "-numa", node);
    }
}

int plan_machine(struct builder *b)
{
    const struct qemu_features *f = b->in->features;
    struct cima_opts *o;

    if (choose_machine(b) < 0)
        return -1;
    o = cima_opts_new("type", b->plan->machine);
    if (b->arch_id == ARCH_X86_64 && streq(b->plan->accel, "tcg"))
        cima_opts_bool(o, "vmport", false);
    /* Device trees are what riscv64 guests are tested with; QEMU 7.2 has no such property
     * (B-RISCV-ACPI). */
    if (b->arch_id == ARCH_RISCV64 &&
        (f->machine_props.n ? strv_contains(&f->machine_props, "acpi")
                            : f->version_known && qemu_features_at_least(f, 8, 0)))
        cima_opts_bool(o, "acpi", false);
    if (has_shared_mounts(b))
        shared_memory(b, o);
    plan_opts(b, "-machine", o);
    if (b->arch_id == ARCH_X86_64 && streq(b->plan->accel, "tcg")) {
        /* Sleep states that nobody wakes the machine from. */
        if (cima_add_global(b->plan->cmdline, "ICH9-LPC.disable_s3=1", b->err) < 0 ||
            cima_add_global(b->plan->cmdline, "ICH9-LPC.disable_s4=1", b->err) < 0)
            return -1;
    }
    if (plan_smp(b) < 0)
        return -1;
    return plan_memory(b);
}

/* ---- firmware -------------------------------------------------------------------------------- */

int plan_firmware(struct builder *b)
{
    const struct qemu_firmware *fw = b->in->firmware;
    struct cima_cmdline *c = b->plan->cmdline;
    _cleanup_free_ char *vars = NULL;
    struct qemu_step *s;

    if (!qemu_plan_wants_firmware(b->in->cfg))
        return 0;
    if (!fw && b->arch->starts_kernels && b->in->has_kernel)
        return 0;
    if (!fw)
        return err_set(b->err, ERR_NOT_FOUND, "could not find firmware for '%s'",
                       arch_to_string(b->arch_id));
    cima_cmdline_opts(c, "-drive", cima_pflash(0, fw->code_format, fw->code, true));
    if (!fw->vars && !b->in->has_vars)
        return 0;
    /* qcow2, because a raw store would forbid snapshots of the running machine. */
    vars = plan_path(b, INST_EFI_VARS);
    if (!b->in->has_vars) {
        s = plan_step(b, QEMU_STEP_VARS, vars);
        s->from = xstrdup(fw->vars);
        s->format = xstrdup(fw->vars_format);
    }
    cima_cmdline_opts(c, "-drive", cima_pflash(1, "qcow2", vars, false));
    return 0;
}
