/* SPDX-License-Identifier: Apache-2.0 */
/* qcow2 as QEMU's docs/interop/qcow2.txt describes it; all numbers are big-endian. */
#include "driver/qemu/disk_native.h"
#include "base/fs.h"
#include "base/mem.h"
#include "image/image.h"
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

#define SECTOR 512u

/* The part of the header that both versions have, and that of version 3. */
struct qcow2_head {
    uint8_t magic[4];
    uint32_t version;
    uint64_t backing_offset;
    uint32_t backing_len, cluster_bits;
    uint64_t size;
    uint32_t crypt_method, l1_size;
    uint64_t l1_offset, refcount_offset;
    uint32_t refcount_clusters, snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order, header_length;
};
_Static_assert(sizeof(struct qcow2_head) == 104, "no padding");

static int unsupported(const char *name, const char *why, struct err *err)
{
    err_set(err, ERR_UNSUPPORTED, "'%s' can't be enlarged without qemu-img: %s", name, why);
    return err_hint(err, "install the package 'qemu-utils'");
}

/* ---- raw ------------------------------------------------------------------------------------- */

static int grow_raw(int fd, const char *name, uint64_t bytes, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || (bytes > (uint64_t)st.st_size && ftruncate(fd, (off_t)bytes) < 0))
        return err_set_errno(err, ERR_IO, "enlarging '%s' failed", name);
    return 0;
}

/* ---- qcow2 ----------------------------------------------------------------------------------- */

/* Entries of the L1 table that its last cluster has room for and that are not used must be zero:
 * what they say becomes true. */
static int check_room(int fd, const char *name, const struct qcow2_head *h, uint64_t used,
                      uint64_t wanted, struct err *err)
{
    uint64_t cluster = UINT64_C(1) << be32toh(h->cluster_bits);
    uint64_t room = (used * 8 + cluster - 1) / cluster * cluster / 8;
    _cleanup_free_ uint64_t *rest = NULL;

    if (wanted > room)
        return unsupported(name, "its L1 table would have to move", err);
    if (wanted == used)
        return 0;
    rest = xcalloc(wanted - used, sizeof(*rest));
    if (fd_pread_all(fd, rest, (wanted - used) * 8, (off_t)(be64toh(h->l1_offset) + used * 8)) <
            0 &&
        errno)
        return err_set_errno(err, ERR_IO, "reading '%s' failed", name);
    for (uint64_t i = 0; i < wanted - used; i++)
        if (rest[i])
            return unsupported(name, "something stands behind its L1 table", err);
    return 0;
}

static int check_simple(const struct qcow2_head *h, const char *name, struct err *err)
{
    if (be32toh(h->snapshots))
        return unsupported(name, "it has snapshots", err);
    if (be32toh(h->version) < 3)
        return 0;
    if (h->incompatible)
        return unsupported(name, "it was not closed in order, or has special features", err);
    if (h->autoclear)
        return unsupported(name, "it has bitmaps", err);
    return 0;
}

static int grow_qcow2(int fd, const char *name, uint64_t bytes, struct err *err)
{
    struct image_info info;
    struct qcow2_head h = {.version = 0};
    uint64_t cluster, per_l1, used, wanted;

    /* Its geometry makes sense after that. */
    if (image_inspect_fd(fd, name, &info, err) < 0)
        return -1;
    if (info.format != IMAGE_QCOW2)
        return err_set(err, ERR_IO, "'%s' is no qcow2", name);
    if (bytes <= info.virtual_size)
        return 0;
    if (fd_pread_all(fd, &h, sizeof(h), 0) < 0)
        return err_set_errno(err, ERR_IO, "reading '%s' failed", name);
    if (check_simple(&h, name, err) < 0)
        return -1;
    cluster = UINT64_C(1) << be32toh(h.cluster_bits);
    per_l1 = cluster / 8 * cluster;
    used = be32toh(h.l1_size);
    wanted = (bytes + per_l1 - 1) / per_l1;
    if (wanted < used)
        wanted = used;
    if (check_room(fd, name, &h, used, wanted, err) < 0)
        return -1;
    h.size = htobe64(bytes);
    h.l1_size = htobe32((uint32_t)wanted);
    /* Both in one sector, so both or none are there after a power cut. */
    size_t from = offsetof(struct qcow2_head, size), to = offsetof(struct qcow2_head, l1_offset);
    if (fd_pwrite_all(fd, (const uint8_t *)&h + from, to - from, (off_t)from) < 0 || fsync(fd) < 0)
        return err_set_errno(err, ERR_IO, "enlarging '%s' failed", name);
    return 0;
}

int disk_native_grow(int fd, const char *name, const char *format, uint64_t bytes, struct err *err)
{
    if (bytes % SECTOR || bytes > INT64_MAX)
        return err_set(err, ERR_USAGE, "a disk of %" PRIu64 " bytes is not possible", bytes);
    if (streq(format, "raw"))
        return grow_raw(fd, name, bytes, err);
    if (streq(format, "qcow2"))
        return grow_qcow2(fd, name, bytes, err);
    return unsupported(name, "it is neither raw nor qcow2", err);
}

/* ---- raw to qcow2 ---------------------------------------------------------------------------- */

#define CLUSTER_BITS 16
#define CLUSTER      (UINT64_C(1) << CLUSTER_BITS)
#define CONTENT_MAX  (UINT64_C(64) << 20)

/* Header, refcount table, refcount block, L1 table, L2 table, content: one cluster each, then as
 * many as it takes. One block and one L2 table are enough for CONTENT_MAX. */
enum { AT_HEADER, AT_REFTABLE, AT_REFBLOCK, AT_L1, AT_L2, AT_CONTENT };
#define COPIED (UINT64_C(1) << 63) /* has exactly one user */

static void put64(uint8_t *file, uint64_t at, uint64_t value)
{
    value = htobe64(value);
    memcpy(file + at, &value, sizeof(value));
}

static void put_tables(uint8_t *file, uint64_t size, uint64_t clusters)
{
    const struct qcow2_head h = {.magic = {'Q', 'F', 'I', 0xfb},
                                 .version = htobe32(3),
                                 .cluster_bits = htobe32(CLUSTER_BITS),
                                 .size = htobe64(size),
                                 .l1_size = htobe32(1),
                                 .l1_offset = htobe64(AT_L1 * CLUSTER),
                                 .refcount_offset = htobe64(AT_REFTABLE * CLUSTER),
                                 .refcount_clusters = htobe32(1),
                                 .refcount_order = htobe32(4),
                                 .header_length = htobe32(sizeof(h))};

    memcpy(file, &h, sizeof(h));
    put64(file, AT_REFTABLE * CLUSTER, AT_REFBLOCK * CLUSTER);
    for (uint64_t i = 0; i < AT_CONTENT + clusters; i++) {
        uint16_t one = htobe16(1);

        memcpy(file + AT_REFBLOCK * CLUSTER + 2 * i, &one, sizeof(one));
    }
    put64(file, AT_L1 * CLUSTER, AT_L2 * CLUSTER | COPIED);
    for (uint64_t i = 0; i < clusters; i++)
        put64(file, AT_L2 * CLUSTER + 8 * i, (AT_CONTENT + i) * CLUSTER | COPIED);
}

int disk_native_to_qcow2(int from, const char *name, int to, struct err *err)
{
    _cleanup_free_ uint8_t *file = NULL;
    uint64_t size, clusters, total;
    struct stat st;

    if (fstat(from, &st) < 0)
        return err_set_errno(err, ERR_IO, "cannot look at '%s'", name);
    size = ((uint64_t)st.st_size + SECTOR - 1) / SECTOR * SECTOR;
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || size > CONTENT_MAX)
        return err_set(err, ERR_UNSUPPORTED, "'%s' is no file of 1 byte to 64 MiB", name);
    clusters = (size + CLUSTER - 1) / CLUSTER;
    total = (AT_CONTENT + clusters) * CLUSTER;
    file = xcalloc(1, total);
    if (fd_pread_all(from, file + AT_CONTENT * CLUSTER, (size_t)st.st_size, 0) < 0)
        return err_set_errno(err, ERR_IO, "reading '%s' failed", name);
    put_tables(file, size, clusters);
    if (fd_pwrite_all(to, file, total, 0) < 0)
        return err_set_errno(err, ERR_IO, "writing the copy of '%s' failed", name);
    return 0;
}
