/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's settings. */
#include "qemu/making.h"
#include "base/enum.h"
#include "base/parse.h"
#include <ctype.h>

int cima_parse_memory(const char *text, uint64_t *ret_bytes, struct err *error)
{
    uint64_t n;

    if (parse_uint(text, (uint64_t)INT64_MAX >> 20, &n) == 0)
        n <<= 20;
    else if (parse_size(text, &n) < 0)
        return err_set(error, ERR_CONFIG, "must be a size such as 512M or 4G, got '%s'", text);
    *ret_bytes = n;
    return 0;
}

/* ---- name, machine, CPU ---------------------------------------------------------------------- */

static bool uuid_valid(const char *s)
{
    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    return !s[36];
}

/* S2-35, S2-36. */
void make_identity(struct making *m, const struct cima_identity *x)
{
    struct cima_opts *o;

    making_name(m, "machine", x->name);
    if (has_text(m, "name", x->name)) {
        o = cima_opts_new("guest", x->name);
        set_flag(o, "debug-threads", x->debug_threads);
        part(m, "-name", o);
    } else {
        unwanted(m, x->debug_threads, "debug_threads", "goes with a name only");
    }
    if (x->uuid && !uuid_valid(x->uuid))
        dropped(m, "uuid", "must be a UUID such as 01234567-89ab-cdef-0123-456789abcdef");
    else if (x->uuid)
        cima_cmdline_text(m->parts, "-uuid", x->uuid);
}

/* "key=value", or "key" for key=on, into o. */
static void add_option(struct making *m, struct cima_opts *o, const char *field, const char *text)
{
    _cleanup_free_ char *key = NULL;
    const char *eq;

    if (!need_text(m, field, text))
        return;
    eq = strchr(text, '=');
    key = eq ? xstrndup(text, (size_t)(eq - text)) : xstrdup(text);
    cima_opts_str(o, key, eq ? eq + 1 : "on");
    if (!m->failed && cima_opts_problem(o))
        fault(m, field, "must be a name, or a name with '=' and a value, got '%s'", text);
}

/* S2-37, B-ACCEL-DROPPED: each its own option, in order. */
static void make_acceleration(struct making *m, const char *text)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct cima_opts *o;

    o = cima_opts_parse(text, "accel", &err);
    if (o)
        part(m, "-accel", o);
    else
        fault(m, "accelerations", "must be a name such as kvm, with options or without: %s",
              err.msg);
}

/* What QEMU's accelerators know. */
static bool of_accelerator(const char *option)
{
    static const char *const keys[] = {
        "thread",
        "tb-size",
        "split-wx",
        "one-insn-per-tb",
        "kernel-irqchip",
        "kvm-shadow-mem",
        "dirty-ring-size",
        "eager-split-size",
        "notify-vmexit",
        "notify-window",
        "device",
        "igd-passthru",
        NULL,
    };
    _cleanup_free_ char *key = xstrndup(option, strcspn(option, "="));

    return str_is_one_of(key, keys);
}

/* Behind -machine's accel= come further options of the machine: "kvm,nvdimm". *machine gets those,
 * and is made when it is not there yet. What is left is the accelerator's. Caller frees. */
static char *take_machine_options(struct making *m, struct cima_opts **machine, const char *text)
{
    _cleanup_strv_ struct strv words = STRV_INIT;
    struct sbuf own = SBUF_INIT;

    strv_split(&words, text, ',');
    for (size_t i = 0; i < words.n; i++) {
        const char *word = words.v[i];

        if (i == 0 || !*word || of_accelerator(word)) {
            sbuf_addf(&own, "%s%s", i ? "," : "", word);
            continue;
        }
        if (!*machine)
            *machine = cima_opts_new(NULL, NULL);
        add_option(m, *machine, "accelerations", word);
    }
    return sbuf_detach(&own);
}

/* "kvm:tcg" is how -machine says both. */
static void make_accelerations(struct making *m, const char *text)
{
    _cleanup_strv_ struct strv names = STRV_INIT;

    if (strchr(text, ',')) {
        make_acceleration(m, text);
        return;
    }
    strv_split(&names, text, ':');
    for (size_t i = 0; i < names.n; i++)
        make_acceleration(m, names.v[i]);
}

void make_machine(struct making *m, const struct cima_machine *x)
{
    _cleanup_strv_ struct strv accelerations = STRV_INIT;
    struct cima_opts *o = NULL;

    making_name(m, "machine", NULL);
    if (has_text(m, "type", x->type))
        o = cima_opts_new("type", x->type);
    else if (x->options && x->options[0])
        o = cima_opts_new(NULL, NULL);
    for (size_t i = 0; o && x->options && x->options[i]; i++)
        add_option(m, o, "options", x->options[i]);
    for (size_t i = 0; x->accelerations && x->accelerations[i]; i++)
        if (need_text(m, "accelerations", x->accelerations[i]))
            strv_push_consume(&accelerations, take_machine_options(m, &o, x->accelerations[i]));
    if (o)
        part(m, "-machine", o);
    for (size_t i = 0; i < accelerations.n; i++)
        make_accelerations(m, accelerations.v[i]);
}

/* "+a", "-a", "a" and "a=b". */
static void add_feature(struct making *m, struct cima_opts *o, const char *text)
{
    _cleanup_free_ char *said = NULL;

    if (!need_text(m, "features", text))
        return;
    if (*text == '+' || *text == '-') {
        said = xasprintf("%s=%s", text + 1, *text == '+' ? "on" : "off");
        text = said;
    }
    add_option(m, o, "features", text);
}

/* S2-38. */
void make_cpu(struct making *m, const struct cima_cpu *x)
{
    _cleanup_strv_ struct strv words = STRV_INIT;
    struct cima_opts *o;

    making_name(m, "CPU", NULL);
    if (!x->model) {
        unwanted(m, x->features && x->features[0], "features", "go with a model only");
        return;
    }
    if (!has_text(m, "model", x->model))
        return;
    strv_split(&words, x->model, ',');
    need_text(m, "model", words.v[0]);
    if (m->failed)
        return;
    o = cima_opts_new("model", words.v[0]);
    for (size_t i = 1; i < words.n; i++)
        add_feature(m, o, words.v[i]);
    for (size_t i = 0; x->features && x->features[i]; i++)
        add_feature(m, o, x->features[i]);
    part(m, "-cpu", o);
}

/* ---- processors, memory ---------------------------------------------------------------------- */

#define CPUS_MAX 65535

/* QEMU wants sockets × cores × threads to be all CPUs; what is not said it works out itself. */
static void check_topology(struct making *m, const struct cima_smp *x)
{
    uint64_t product = (uint64_t)x->sockets * x->cores * x->threads;
    unsigned all = x->max_cpus ? x->max_cpus : x->cpus;

    if (product && product != all)
        doubtful(m, "cores", "%u times threads %u times sockets %u must be %u", x->cores,
                 x->threads, x->sockets, all);
}

/* S2-40, S2-H1. */
void make_smp(struct making *m, const struct cima_smp *x)
{
    struct cima_opts *o;

    making_name(m, "processors", NULL);
    if (!x->cpus) {
        unwanted(m, x->cores || x->threads || x->sockets || x->max_cpus, "cpus", "is missing");
        return;
    }
    need_number(m, "cpus", x->cpus, 1, CPUS_MAX);
    if (x->max_cpus && x->max_cpus < x->cpus)
        fault(m, "max_cpus", "is too small: MaxCPUs %u must be equal to or greater than CPUs %u",
              x->max_cpus, x->cpus);
    if (m->failed)
        return;
    o = cima_opts_new(NULL, NULL);
    cima_opts_int(o, "cpus", x->cpus);
    set_number(m, o, "cores", "cores", x->cores, CPUS_MAX);
    set_number(m, o, "threads", "threads", x->threads, CPUS_MAX);
    set_number(m, o, "sockets", "sockets", x->sockets, CPUS_MAX);
    set_number(m, o, "maxcpus", "max_cpus", x->max_cpus, CPUS_MAX);
    check_topology(m, x);
    part(m, "-smp", o);
}

/* S2-45, S2-46, B-PREALLOC: the back end is the machine's memory, not a module beside it. */
static void make_ram(struct making *m, const struct cima_memory *x)
{
    struct cima_memory_backend b = {
        .id = x->id ? x->id : "dimm1",
        .size = x->size,
        .share = x->share || x->hugepages,
        .prealloc = x->prealloc || x->hugepages,
    };
    struct cima_opts *o;

    if (!x->hugepages && !x->file && !x->memfd && !x->share && !x->prealloc)
        return;
    if ((x->hugepages != 0) + (x->file != NULL) + (x->memfd != 0) > 1) {
        fault(m, "file", "must be the only one of `file`, `hugepages` and `memfd`");
        return;
    }
    if (x->hugepages || x->file)
        b.kind = CIMA_MEMORY_FILE;
    else if (x->memfd)
        b.kind = CIMA_MEMORY_MEMFD;
    if (x->memfd)
        b.share = true;
    b.path = x->hugepages ? "/dev/hugepages" : x->file;
    make_memory_part(m, &b);
    o = cima_opts_new(NULL, NULL);
    cima_opts_str(o, "memory-backend", b.id);
    part(m, "-machine", o);
}

/* S2-39, S2-47. */
void make_memory(struct making *m, const struct cima_memory *x)
{
    struct cima_opts *o;

    making_name(m, "memory", NULL);
    if (!x->size) {
        unwanted(m, x->max || x->slots || x->hugepages || x->file || x->memfd || x->prealloc,
                 "size", "is missing");
        return;
    }
    if (x->size % 1024 || x->size > INT64_MAX)
        fault(m, "size", "must be whole KiB");
    if (x->max && (x->max < x->size || x->max > INT64_MAX || x->max % 1024))
        fault(m, "max", "must be whole KiB and not less than `size`");
    if (!x->max != !x->slots)
        doubtful(m, x->max ? "slots" : "max", "is missing: both make room for modules");
    if (m->failed)
        return;
    o = cima_opts_new(NULL, NULL);
    cima_opts_size(o, "size", x->size);
    set_number(m, o, "slots", "slots", x->slots, 256);
    if (x->max)
        cima_opts_size(o, "maxmem", x->max);
    part(m, "-m", o);
    make_ram(m, x);
}

/* ---- clock ----------------------------------------------------------------------------------- */

/* S2-30, S2-31, B-RTC. */
void make_rtc(struct making *m, const struct cima_rtc *x)
{
    struct cima_opts *o;

    making_name(m, "clock", NULL);
    has_text(m, "base", x->base);
    has_word(m, "drift_fix", x->drift_fix, "slew|none");
    has_word(m, "clock", x->clock, "host|vm");
    if (m->failed || (!x->base && !x->clock && !x->drift_fix))
        return;
    o = cima_opts_new(NULL, NULL);
    cima_opts_str(o, "base", x->base);
    cima_opts_str(o, "driftfix", x->drift_fix);
    cima_opts_str(o, "clock", x->clock);
    part(m, "-rtc", o);
}

DEFINE_ADD(identity)
DEFINE_ADD(machine)
DEFINE_ADD(cpu)
DEFINE_ADD(smp)
DEFINE_ADD(memory)
DEFINE_ADD(rtc)
