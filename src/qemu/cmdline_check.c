/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a command line say about each other, and about the host. */
#include "qemu/making.h"
#include <sys/vfs.h>

/* By what key a part means another, and the class of that one. */
static const struct {
    const char *option, *key, *class;
} references[] = {
    {"-device", "drive", "block node"},
    {"-device", "netdev", "network"},
    {"-device", "chardev", "character device"},
    {"-device", "fsdev", "file system"},
    {"-device", "memdev", "object"},
    {"-device", "iothread", "object"},
    {"-device", "rng", "object"},
    {"-device", "iommufd", "object"},
    {"-device", "tpmdev", "TPM"},
    {"-device", "audiodev", "sound"},
    {"-netdev", "chardev", "character device"},
    {"-tpmdev", "chardev", "character device"},
    {"-mon", "chardev", "character device"},
    {"-machine", "memory-backend", "object"},
    {"-machine", "confidential-guest-support", "object"},
    {"-machine", "sgx-epc.0.memdev", "object"},
    {"-numa", "memdev", "object"},
};

static bool there(const struct cima_cmdline *c, const char *class, const char *id)
{
    const char *other, *other_class;

    for (size_t i = 0; i < cima_cmdline_len(c); i++) {
        other = part_id(c, i, &other_class);
        if (other && streq(other, id) && streq(other_class, class))
            return true;
    }
    return false;
}

static void check_references(const struct cima_cmdline *c, size_t i, struct cima_problems *p)
{
    const struct cima_opts *o = cima_cmdline_value(c, i);
    const char *name = cima_cmdline_name(c, i), *id;

    for (size_t k = 0; k < ARRAY_SIZE(references); k++) {
        if (references[k].option[1] != name[1] || !streq(references[k].option, name))
            continue;
        id = cima_opts_get(o, references[k].key);
        if (id && !there(c, references[k].class, id))
            problems_add(p, NULL, name, CIMA_EFFECT_REFUSED, "`%s` means '%s', which is no %s here",
                         references[k].key, id, references[k].class);
    }
}

static void check_id(const struct cima_cmdline *c, size_t i, struct cima_problems *p)
{
    const char *class = NULL, *id = part_id(c, i, &class), *other_class = NULL, *other;

    if (!id)
        return;
    if (!id_valid(id))
        problems_add(p, NULL, cima_cmdline_name(c, i), CIMA_EFFECT_REFUSED,
                     "QEMU does not accept '%s' as an id", id);
    for (size_t k = 0; k < i; k++) {
        other = part_id(c, k, &other_class);
        if (other && class == other_class && streq(other, id)) {
            problems_add(p, NULL, cima_cmdline_name(c, i), CIMA_EFFECT_REFUSED,
                         "the id '%s' is there twice", id);
            return;
        }
    }
}

/* Whether there is a memory module of that kind. */
static bool has_module(const struct cima_cmdline *c, const char *driver)
{
    for (size_t i = 0; i < cima_cmdline_len(c); i++) {
        const char *other = cima_cmdline_value(c, i) && streq(cima_cmdline_name(c, i), "-device")
                                ? cima_opts_get(cima_cmdline_value(c, i), "driver")
                                : NULL;

        if (other && streq(other, driver))
            return true;
    }
    return false;
}

/* Whether a part of that option has the key, with that value if one is given. */
static bool says(const struct cima_cmdline *c, const char *option, const char *key,
                 const char *value)
{
    for (size_t i = 0; i < cima_cmdline_len(c); i++) {
        const struct cima_opts *o = cima_cmdline_value(c, i);
        _cleanup_free_ char *text =
            o && streq(cima_cmdline_name(c, i), option) ? cima_opts_text(o, key) : NULL;

        if (text && (!value || streq(text, value)))
            return true;
    }
    return false;
}

static void check_modules(const struct cima_cmdline *c, struct cima_problems *p)
{
    bool nvdimm = has_module(c, "nvdimm");

    if (nvdimm && !says(c, "-machine", "nvdimm", "on"))
        problems_add(p, NULL, "-device", CIMA_EFFECT_REFUSED,
                     "an nvdimm needs the machine option nvdimm=on");
    if ((nvdimm || has_module(c, "pc-dimm")) &&
        (!says(c, "-m", "slots", NULL) || !says(c, "-m", "maxmem", NULL)))
        problems_add(p, NULL, "-m", CIMA_EFFECT_REFUSED, "memory modules need slots and a maximum");
    if ((has_module(c, "virtio-mem-pci") || has_module(c, "virtio-mem-ccw")) &&
        !says(c, "-m", "maxmem", NULL))
        problems_add(p, NULL, "-m", CIMA_EFFECT_REFUSED, "virtio-mem needs a maximum");
}

size_t cima_cmdline_check(const struct cima_cmdline *c, struct cima_problems *p)
{
    size_t before = cima_problems_len(p);

    for (size_t i = 0; i < cima_cmdline_len(c); i++) {
        if (!cima_cmdline_value(c, i))
            continue;
        check_id(c, i, p);
        check_references(c, i, p);
    }
    check_modules(c, p);
    return cima_problems_len(p) - before;
}

/* ---- the host -------------------------------------------------------------------------------- */

#define HUGETLBFS 0x958458f6

static void check_hugepages(const struct cima_opts *o, struct cima_problems *p)
{
    const char *path = cima_opts_get(o, "mem-path");
    struct statfs fs;

    if (!path || (!streq(path, "/dev/hugepages") && !str_starts(path, "/dev/hugepages/")))
        return;
    if (statfs("/dev/hugepages", &fs) < 0 || (unsigned long)fs.f_type != HUGETLBFS)
        problems_add(p, NULL, "-object", CIMA_EFFECT_REFUSED,
                     "'%s' is not on a mounted hugetlbfs: QEMU would write a plain file", path);
}

static void check_vhost(const struct cima_opts *o, struct cima_problems *p)
{
    _cleanup_free_ char *vhost = cima_opts_text(o, "vhost"), *fds = cima_opts_text(o, "vhostfds");

    if (vhost && streq(vhost, "on") && !fds && access("/dev/vhost-net", R_OK | W_OK) < 0)
        problems_add(p, NULL, "-netdev", CIMA_EFFECT_REFUSED,
                     "vhost=on needs /dev/vhost-net, which can't be opened here");
}

size_t cima_cmdline_check_host(const struct cima_cmdline *c, struct cima_problems *p)
{
    size_t before = cima_problems_len(p);

    for (size_t i = 0; i < cima_cmdline_len(c); i++) {
        const struct cima_opts *o = cima_cmdline_value(c, i);

        if (o && streq(cima_cmdline_name(c, i), "-object"))
            check_hugepages(o, p);
        if (o && streq(cima_cmdline_name(c, i), "-netdev"))
            check_vhost(o, p);
    }
    return cima_problems_len(p) - before;
}
