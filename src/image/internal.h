/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef CIMA_IMAGE_INTERNAL_H
#define CIMA_IMAGE_INTERNAL_H

#include "image/image.h"
#include <endian.h>

/* Enough for every header that is looked at, the descriptor of a VMDK and an ISO's first volume
 * descriptor included. */
#define IMAGE_HEAD_SIZE 65536

/* The beginning of a file. Bytes behind `len` are zero. */
struct image_head {
    const char *name; /* for messages */
    int fd;
    uint64_t file_size;
    size_t len;
    uint8_t data[IMAGE_HEAD_SIZE];
};

/* Numbers at an offset of the head; the caller keeps within IMAGE_HEAD_SIZE. */
static inline uint32_t head_be32(const struct image_head *h, size_t at)
{
    uint32_t v;
    memcpy(&v, h->data + at, sizeof(v));
    return be32toh(v);
}

static inline uint64_t head_be64(const struct image_head *h, size_t at)
{
    uint64_t v;
    memcpy(&v, h->data + at, sizeof(v));
    return be64toh(v);
}

static inline uint32_t head_le32(const struct image_head *h, size_t at)
{
    uint32_t v;
    memcpy(&v, h->data + at, sizeof(v));
    return le32toh(v);
}

static inline uint64_t head_le64(const struct image_head *h, size_t at)
{
    uint64_t v;
    memcpy(&v, h->data + at, sizeof(v));
    return le64toh(v);
}

/* Reads exactly len bytes at offset; -1 with errno, or errno 0 at the end of the file. */
int image_pread(int fd, void *buf, size_t len, uint64_t offset);
/* "'NAME' is damaged: …", kind ERR_IO. Returns -1. */
int image_damaged(const char *name, struct err *err, const char *fmt, ...) PRINTF_FORMAT(3, 4);

bool qcow2_detect(const struct image_head *h);
int qcow2_inspect(const struct image_head *h, struct image_info *ret, struct err *err);
/* Walks the L1 and L2 tables: every cluster they name lies within the file. Costs a read of the
 * tables, not of the data. */
int qcow2_check_clusters(const struct image_head *h, struct err *err);
bool vmdk_detect(const struct image_head *h);
int vmdk_inspect(const struct image_head *h, struct image_info *ret, struct err *err);
bool vhdx_detect(const struct image_head *h);
int vhdx_inspect(const struct image_head *h, struct image_info *ret, struct err *err);

/* Reads the head. A directory, a device or an empty file is an error. */
int image_head_read(int fd, const char *name, struct image_head *ret, struct err *err);
/* "gzip", "xz", …; NULL when the head is none of these. */
const char *image_compression(const struct image_head *h);

/* As image_check_adoptable; `deep` also looks whether the file is complete. */
int image_adoptable(int fd, const char *name, bool deep, struct image_info *ret, struct err *err);

/* ---- digest.c ------------------------------------------------------------------------------- */
struct digest {
    char algorithm[8]; /* sha256, sha384, sha512 */
    char hex[129];     /* lower case */
};
/* "sha256:…"; the length of the hex part must fit the algorithm. */
int digest_parse(const char *text, struct digest *ret, struct err *err);
/* Of the whole file, from its beginning. */
int digest_of_fd(int fd, const char *algorithm, const char *name, struct digest *ret,
                 struct err *err);

/* ---- cache.c -------------------------------------------------------------------------------- */
struct image_cached {
    char *path;             /* the file in the cache */
    int lock_fd;            /* keeps it there */
    struct image_info info; /* of a disk */
};

#define _cleanup_image_cached_ _cleanup_(image_cached_release)
void image_cached_release(struct image_cached *c);
/* Brings a local file into the cache, unless it is there already. A disk is inspected (S01) and a
 * digest (may be NULL) is computed on the copy: what was checked is what will be used. */
int image_cache_local(const struct store *s, const char *path, const char *digest, bool is_disk,
                      struct image_cached *ret, struct err *err);
/* Hard link, else a copy (reflink where possible), in one step; a file that is there is replaced.
 */
int image_place(const char *from, const char *to, struct err *err);

#endif
