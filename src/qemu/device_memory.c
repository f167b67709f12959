/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, and objects without a device. */
#include "qemu/making.h"
#include "base/enum.h"

static const char *const cima_memory_kind_names[] = {
    [CIMA_MEMORY_RAM] = "memory-backend-ram",
    [CIMA_MEMORY_FILE] = "memory-backend-file",
    [CIMA_MEMORY_MEMFD] = "memory-backend-memfd",
    [CIMA_MEMORY_EPC] = "memory-backend-epc",
};
ENUM_STRINGS_DEFINE(cima_memory_kind, CIMA_MEMORY_KIND_COUNT)

static const char *const cima_dimm_kind_names[] = {
    [CIMA_DIMM_PC] = "pc-dimm",
    [CIMA_DIMM_NVDIMM] = "nvdimm",
};
ENUM_STRINGS_DEFINE(cima_dimm_kind, CIMA_DIMM_KIND_COUNT)

static const char *const cima_protection_kind_names[] = {
    [CIMA_PROTECTION_SEV] = "sev-guest", [CIMA_PROTECTION_SEV_SNP] = "sev-snp-guest",
    [CIMA_PROTECTION_TDX] = "tdx-guest", [CIMA_PROTECTION_S390_PV] = "s390-pv-guest",
    [CIMA_PROTECTION_PEF] = "pef-guest",
};
ENUM_STRINGS_DEFINE(cima_protection_kind, CIMA_PROTECTION_KIND_COUNT)

static const char *protection_kind(unsigned k)
{
    return cima_protection_kind_to_string((enum cima_protection_kind)k);
}

static const char *memory_kind(unsigned k)
{
    return cima_memory_kind_to_string((enum cima_memory_kind)k);
}

static const char *dimm_kind(unsigned k)
{
    return cima_dimm_kind_to_string((enum cima_dimm_kind)k);
}

static bool power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

/* What only a file has. */
static void set_file(struct making *m, struct cima_opts *o, const struct cima_memory_backend *x)
{
    if (x->kind == CIMA_MEMORY_FILE && need_text(m, "path", x->path))
        cima_opts_str(o, "mem-path", x->path);
    if (x->kind != CIMA_MEMORY_FILE)
        unwanted(m, x->path || x->align || x->read_only || x->pmem, x->path ? "path" : "align",
                 "is for memory out of a file only");
    if (x->kind != CIMA_MEMORY_FILE)
        return;
    if (x->align && !power_of_two(x->align))
        fault(m, "align", "must be a power of two");
    else if (x->align)
        cima_opts_size(o, "align", x->align);
    set_flag(o, "readonly", x->read_only);
    set_flag(o, "pmem", x->pmem);
}

void make_memory_part(struct making *m, const struct cima_memory_backend *x)
{
    struct cima_opts *o;

    if (!need_enum(m, "kind", x->kind, CIMA_MEMORY_KIND_COUNT, memory_kind))
        return;
    o = cima_opts_new("qom-type", memory_kind(x->kind));
    if (need_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    if (need_number(m, "size", x->size, 1, INT64_MAX))
        cima_opts_size(o, "size", x->size);
    set_file(m, o, x);
    set_flag(o, "share", x->share);
    set_flag(o, "prealloc", x->prealloc);
    if (x->hugetlb_size && x->kind != CIMA_MEMORY_MEMFD)
        unwanted(m, true, "hugetlb_size", "is for memory of memfd only");
    else if (x->hugetlb_size && !power_of_two(x->hugetlb_size))
        fault(m, "hugetlb_size", "must be a power of two");
    else if (x->hugetlb_size) {
        cima_opts_bool(o, "hugetlb", true);
        cima_opts_size(o, "hugetlbsize", x->hugetlb_size);
    }
    part(m, "-object", o);
}

void make_memory_backend(struct making *m, const struct cima_memory_backend *x)
{
    making_name(m, "memory", x->id);
    make_memory_part(m, x);
}

/* S2-01, S2-02. */
void make_dimm(struct making *m, const struct cima_dimm *x)
{
    struct cima_opts *o;

    making_name(m, "memory module", x->id);
    if (!need_enum(m, "kind", x->kind, CIMA_DIMM_KIND_COUNT, dimm_kind))
        return;
    if (x->kind == CIMA_DIMM_NVDIMM && x->memory.kind != CIMA_MEMORY_FILE)
        fault(m, "memory.kind", "must be memory-backend-file: what is in it stays");
    make_memory_part(m, &x->memory);
    o = cima_opts_new("driver", dimm_kind(x->kind));
    if (has_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    cima_opts_str(o, "memdev", x->memory.id);
    if (x->kind == CIMA_DIMM_NVDIMM) {
        if (x->label_size)
            cima_opts_size(o, "label-size", x->label_size);
        set_flag(o, "unarmed", x->unarmed || x->memory.read_only);
    } else {
        unwanted(m, x->label_size, "label_size", "is for an nvdimm only");
        unwanted(m, x->unarmed, "unarmed", "is for an nvdimm only");
    }
    part(m, "-device", o);
}

void make_virtio_mem(struct making *m, const struct cima_virtio_mem *x)
{
    struct cima_opts *o;

    making_name(m, "memory device", x->place.id);
    if (!good_transport(m, &x->place) || !need_id(m, "id", x->place.id))
        return;
    make_memory_part(m, &x->memory);
    o = cima_virtio(x->place.transport, "mem");
    cima_opts_str(o, "memdev", x->memory.id);
    if (x->requested > x->memory.size)
        fault(m, "requested", "must not be more than the memory's `size`");
    else if (x->requested)
        cima_opts_size(o, "requested-size", x->requested);
    if (x->block && !power_of_two(x->block))
        fault(m, "block", "must be a power of two");
    else if (x->block)
        cima_opts_size(o, "block-size", x->block);
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO | PLACE_NO_MODERN);
    part(m, "-device", o);
}

void make_iothread(struct making *m, const struct cima_iothread *x)
{
    struct cima_opts *o = cima_opts_new("qom-type", "iothread");

    making_name(m, "I/O thread", x->id);
    if (need_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    if (x->poll_max_ns < 0)
        fault(m, "poll_max_ns", "must not be negative");
    else if (x->poll_max_ns)
        cima_opts_int(o, "poll-max-ns", x->poll_max_ns);
    part(m, "-object", o);
}

void make_secret(struct making *m, const struct cima_secret *x)
{
    struct cima_opts *o = cima_opts_new("qom-type", "secret");

    making_name(m, "secret", x->id);
    if (need_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    if (need_text(m, "file", x->file))
        cima_opts_str(o, "file", x->file);
    if (x->base64)
        cima_opts_str(o, "format", "base64");
    part(m, "-object", o);
}

static void set_sev(struct making *m, struct cima_opts *o, const struct cima_protection *x)
{
    bool first = x->kind == CIMA_PROTECTION_SEV;

    if (need_number(m, "c_bit", x->c_bit, 1, 63))
        cima_opts_int(o, "cbitpos", x->c_bit);
    if (need_number(m, "reduced_phys_bits", x->reduced_phys_bits, 1, 63))
        cima_opts_int(o, "reduced-phys-bits", x->reduced_phys_bits);
    if (x->has_policy && x->policy > (first ? UINT32_MAX : INT64_MAX))
        fault(m, "policy", "must have at most %d bits", first ? 32 : 63);
    else if (x->has_policy)
        cima_opts_int(o, "policy", (int64_t)x->policy);
    set_flag(o, "kernel-hashes", x->kernel_hashes);
    if (first) {
        set_text(m, o, "dh-cert-file", "dh_cert_file", x->dh_cert_file);
        set_text(m, o, "session-file", "session_file", x->session_file);
    }
    unwanted(m, !first && (x->dh_cert_file || x->session_file),
             x->dh_cert_file ? "dh_cert_file" : "session_file", "is for SEV only");
}

void make_protection(struct making *m, const struct cima_protection *x)
{
    struct cima_opts *o;

    making_name(m, "protection", x->id);
    if (!need_enum(m, "kind", x->kind, CIMA_PROTECTION_KIND_COUNT, protection_kind))
        return;
    o = cima_opts_new("qom-type", protection_kind(x->kind));
    if (need_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    if (x->kind == CIMA_PROTECTION_SEV || x->kind == CIMA_PROTECTION_SEV_SNP)
        set_sev(m, o, x);
    else
        unwanted(m,
                 x->c_bit || x->reduced_phys_bits || x->has_policy || x->kernel_hashes ||
                     x->dh_cert_file || x->session_file,
                 "c_bit", "and what follows it are for SEV and SEV-SNP only");
    part(m, "-object", o);
}

/* The source and the device. */
void make_rng(struct making *m, const struct cima_rng *x)
{
    struct cima_opts *source, *o;

    making_name(m, "random numbers", x->object);
    if (!good_transport(m, &x->place))
        return;
    if ((unsigned)x->source >= CIMA_RNG_SOURCE_COUNT)
        fault(m, "source", "must be random or builtin");
    source =
        cima_opts_new("qom-type", x->source == CIMA_RNG_BUILTIN ? "rng-builtin" : "rng-random");
    if (need_id(m, "object", x->object))
        cima_opts_str(source, "id", x->object);
    if (x->source == CIMA_RNG_RANDOM)
        set_text(m, source, "filename", "filename", x->filename);
    else
        unwanted(m, x->filename, "filename", "is for the source random only");
    part(m, "-object", source);
    o = cima_virtio(x->place.transport, "rng");
    cima_opts_str(o, "rng", x->object);
    set_number(m, o, "max-bytes", "max_bytes", x->max_bytes, INT64_MAX);
    set_number(m, o, "period", "period", x->period, UINT32_MAX);
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO);
    part(m, "-device", o);
}

DEFINE_ADD(memory_backend)
DEFINE_ADD(dimm)
DEFINE_ADD(virtio_mem)
DEFINE_ADD(iothread)
DEFINE_ADD(secret)
DEFINE_ADD(protection)
DEFINE_ADD(rng)
