/* SPDX-License-Identifier: Apache-2.0 */
/* qcow2 headers, as QEMU's docs/interop/qcow2.txt describes them. All numbers are big-endian. */
#include "image/internal.h"
#include "base/mem.h"
#include <errno.h>

enum {
    AT_VERSION = 4,
    AT_BACKING_OFFSET = 8,
    AT_BACKING_SIZE = 16,
    AT_CLUSTER_BITS = 20,
    AT_SIZE = 24,
    AT_CRYPT = 32,
    AT_L1_SIZE = 36,
    AT_L1_OFFSET = 40,
    AT_REFCOUNT_OFFSET = 48,
    AT_REFCOUNT_CLUSTERS = 56,
    AT_INCOMPATIBLE = 72,
    AT_HEADER_LENGTH = 100,
};

#define HEADER_V2 72u
#define HEADER_V3 104u

#define INCOMPAT_CORRUPT     (UINT64_C(1) << 1)
#define INCOMPAT_DATA_FILE   (UINT64_C(1) << 2)
#define INCOMPAT_EXTENDED_L2 (UINT64_C(1) << 4)
#define INCOMPAT_KNOWN       UINT64_C(0x1f)

#define EXT_END            0u
#define EXT_BACKING_FORMAT 0xe2792acau
#define EXT_DATA_FILE      0x44415441u

/* QEMU's own limits. */
#define L1_BYTES_MAX  (UINT64_C(32) << 20)
#define OFFSET_MASK   UINT64_C(0x00fffffffffffe00)
#define L2_COMPRESSED (UINT64_C(1) << 62)

bool qcow2_detect(const struct image_head *h)
{
    /* Version 1 is another format with the same magic; a cut header is still a qcow2's. */
    return h->len >= 4 && memcmp(h->data, "QFI\xfb", 4) == 0 &&
           !(h->len >= 8 && head_be32(h, AT_VERSION) == 1);
}

static bool fits(const struct image_head *h, uint64_t offset, uint64_t bytes)
{
    return offset <= h->file_size && bytes <= h->file_size - offset;
}

/* The header's length, checked; 0 with err when it is none. */
static uint32_t header_length(const struct image_head *h, struct err *err)
{
    if (h->len < HEADER_V2) {
        image_damaged(h->name, err, "the qcow2 header is cut off");
        return 0;
    }
    uint32_t version = head_be32(h, AT_VERSION);
    if (version != 2 && version != 3) {
        image_damaged(h->name, err, "qcow2 version %u does not exist", version);
        return 0;
    }
    if (version == 2)
        return HEADER_V2;
    uint32_t len = h->len < HEADER_V3 ? 0 : head_be32(h, AT_HEADER_LENGTH);
    if (len < HEADER_V3 || len > h->len || len % 8) {
        image_damaged(h->name, err, "the length of the qcow2 header makes no sense");
        return 0;
    }
    return len;
}

/* Does the list of header extensions name a backing format or a data file? A list that runs over
 * its end is damage. */
static int scan_extensions(const struct image_head *h, uint32_t at, struct image_info *info,
                           struct err *err)
{
    uint64_t end = UINT64_C(1) << head_be32(h, AT_CLUSTER_BITS);
    uint64_t backing = head_be64(h, AT_BACKING_OFFSET);
    if (backing && backing < end)
        end = backing;
    if (end > h->len)
        end = h->len;
    for (uint64_t p = at; p + 8 <= end;) {
        uint32_t type = head_be32(h, (size_t)p), len = head_be32(h, (size_t)p + 4);
        if (type == EXT_END)
            return 0;
        if (len > end - p - 8)
            return image_damaged(h->name, err,
                                 "a qcow2 header extension is longer than the header");
        if (type == EXT_BACKING_FORMAT)
            info->has_backing = true;
        else if (type == EXT_DATA_FILE)
            info->has_external_data = true;
        p += 8 + (((uint64_t)len + 7) & ~UINT64_C(7));
    }
    return 0;
}

static int check_geometry(const struct image_head *h, struct err *err)
{
    uint32_t bits = head_be32(h, AT_CLUSTER_BITS);
    if (bits < 9 || bits > 21)
        return image_damaged(h->name, err, "cluster size 2^%u is not possible", bits);
    uint64_t size = head_be64(h, AT_SIZE), cluster = UINT64_C(1) << bits;
    if (size == 0 || size > INT64_MAX)
        return image_damaged(h->name, err, "its virtual size is %s", size ? "too large" : "0");
    uint64_t l1 = head_be32(h, AT_L1_SIZE), l1_at = head_be64(h, AT_L1_OFFSET);
    uint64_t l2_entry =
        head_be32(h, AT_VERSION) == 3 && (head_be64(h, AT_INCOMPATIBLE) & INCOMPAT_EXTENDED_L2) ? 16
                                                                                                : 8;
    uint64_t per_l1 = cluster * (cluster / l2_entry);
    if (l1 * 8 > L1_BYTES_MAX || l1_at % cluster || l1 < (size - 1) / per_l1 + 1)
        return image_damaged(h->name, err, "its L1 table does not fit its size");
    if (!fits(h, l1_at, l1 * 8))
        return image_damaged(h->name, err,
                             "it is truncated: its L1 table lies behind the end of the "
                             "file");
    uint64_t ref_at = head_be64(h, AT_REFCOUNT_OFFSET);
    uint64_t ref = (uint64_t)head_be32(h, AT_REFCOUNT_CLUSTERS) * cluster;
    if (!ref || !ref_at || ref_at % cluster)
        return image_damaged(h->name, err, "it has no refcount table");
    /* A sparse tail may be missing: only the table's beginning must be there. */
    if (ref_at >= h->file_size)
        return image_damaged(h->name, err,
                             "it is truncated: its refcount table lies behind the end "
                             "of the file");
    return 0;
}

int qcow2_inspect(const struct image_head *h, struct image_info *ret, struct err *err)
{
    struct image_info info = {.format = IMAGE_QCOW2};
    uint32_t header = header_length(h, err);
    if (!header)
        return -1;
    uint64_t incompatible = header >= HEADER_V3 ? head_be64(h, AT_INCOMPATIBLE) : 0;
    if (incompatible & INCOMPAT_CORRUPT)
        return image_damaged(h->name, err, "QEMU has marked it as corrupt");
    if (incompatible & ~INCOMPAT_KNOWN)
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' uses qcow2 features that are not known here "
                       "(bits 0x%llx)",
                       h->name, (unsigned long long)(incompatible & ~INCOMPAT_KNOWN));
    info.has_external_data = incompatible & INCOMPAT_DATA_FILE;
    info.has_backing = head_be64(h, AT_BACKING_OFFSET) || head_be32(h, AT_BACKING_SIZE);
    if (check_geometry(h, err) < 0 || scan_extensions(h, header, &info, err) < 0)
        return -1;
    if (head_be32(h, AT_CRYPT)) {
        err_set(err, ERR_UNSUPPORTED, "'%s' is encrypted", h->name);
        return err_hint(err, "decrypt it with qemu-img convert");
    }
    info.virtual_size = head_be64(h, AT_SIZE);
    *ret = info;
    return 0;
}

/* ---- backing file --------------------------------------------------------------------------- */

/* Text of the header extension; NULL when there is none. The list was checked by qcow2_inspect. */
static char *extension_text(const struct image_head *h, uint32_t header, uint32_t wanted)
{
    for (uint64_t p = header; p + 8 <= h->len;) {
        uint32_t type = head_be32(h, (size_t)p), len = head_be32(h, (size_t)p + 4);

        if (type == EXT_END || len > h->len - p - 8)
            return NULL;
        if (type == wanted)
            return xstrndup((const char *)h->data + p + 8, len);
        p += 8 + (((uint64_t)len + 7) & ~UINT64_C(7));
    }
    return NULL;
}

int image_backing_fd(int fd, const char *name, char **ret_file, char **ret_format, struct err *err)
{
    _cleanup_free_ struct image_head *h = xmalloc(sizeof(*h));
    struct image_info info;

    if (image_head_read(fd, name, h, err) < 0)
        return -1;
    *ret_file = *ret_format = NULL;
    if (!qcow2_detect(h))
        return 0;
    if (qcow2_inspect(h, &info, err) < 0)
        return -1;
    uint64_t at = head_be64(h, AT_BACKING_OFFSET), len = head_be32(h, AT_BACKING_SIZE);
    if (!at)
        return 0;
    /* QEMU's own limit is 1023. */
    if (len > 1023 || at > h->len || len > h->len - at)
        return image_damaged(name, err, "the name of its backing file is not in its header");
    *ret_file = xstrndup((const char *)h->data + at, len);
    *ret_format = extension_text(
        h, head_be32(h, AT_VERSION) == 2 ? HEADER_V2 : head_be32(h, AT_HEADER_LENGTH),
        EXT_BACKING_FORMAT);
    return 0;
}

/* ---- clusters ------------------------------------------------------------------------------- */

struct walk {
    const struct image_head *h;
    uint64_t cluster;
    unsigned bits, entry_size;
    uint64_t *table; /* one cluster */
};

static int behind_the_end(const struct walk *w, struct err *err)
{
    return image_damaged(w->h->name, err,
                         "it is truncated: it refers to data behind its end (%llu "
                         "bytes)",
                         (unsigned long long)w->h->file_size);
}

static int check_entry(const struct walk *w, uint64_t entry, struct err *err)
{
    if (entry & L2_COMPRESSED) {
        /* 62 - (bits - 8) bits of host offset; the rest counts further sectors, and the last one
         * may be cut where the file ends. */
        uint64_t at = entry & ((UINT64_C(1) << (62 - (w->bits - 8))) - 1);
        return at < w->h->file_size ? 0 : behind_the_end(w, err);
    }
    uint64_t at = entry & OFFSET_MASK;
    if (at % w->cluster)
        return image_damaged(w->h->name, err, "a cluster offset is not aligned");
    /* The last cluster of the file may be cut: what is missing reads as zeros. */
    return !at || at < w->h->file_size ? 0 : behind_the_end(w, err);
}

static int check_l2(const struct walk *w, uint64_t offset, struct err *err)
{
    if (offset % w->cluster)
        return image_damaged(w->h->name, err, "an L2 table is not aligned");
    if (!fits(w->h, offset, w->cluster) ||
        image_pread(w->h->fd, w->table, (size_t)w->cluster, offset) < 0)
        return behind_the_end(w, err);
    size_t step = w->entry_size / 8;
    for (size_t i = 0; i < w->cluster / 8; i += step)
        if (w->table[i] && check_entry(w, be64toh(w->table[i]), err) < 0)
            return -1;
    return 0;
}

int qcow2_check_clusters(const struct image_head *h, struct err *err)
{
    uint32_t bits = head_be32(h, AT_CLUSTER_BITS), l1_size = head_be32(h, AT_L1_SIZE);
    bool extended =
        head_be32(h, AT_VERSION) == 3 && (head_be64(h, AT_INCOMPATIBLE) & INCOMPAT_EXTENDED_L2);
    struct walk w = {
        .h = h, .cluster = UINT64_C(1) << bits, .bits = bits, .entry_size = extended ? 16 : 8};
    _cleanup_free_ uint64_t *l1 = xcalloc(l1_size, 8);
    _cleanup_free_ uint64_t *table = xmalloc((size_t)w.cluster);
    w.table = table;
    if (image_pread(h->fd, l1, (size_t)l1_size * 8, head_be64(h, AT_L1_OFFSET)) < 0)
        return behind_the_end(&w, err);
    /* An honest file has no more tables than clusters; a crafted one must not cost more than that.
     */
    uint64_t budget = h->file_size / w.cluster + 1;
    for (uint32_t i = 0; i < l1_size; i++) {
        uint64_t offset = be64toh(l1[i]) & OFFSET_MASK;
        if (!offset)
            continue;
        if (!budget--)
            return image_damaged(h->name, err, "it has more L2 tables than clusters");
        if (check_l2(&w, offset, err) < 0)
            return -1;
    }
    return 0;
}
