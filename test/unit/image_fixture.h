/* SPDX-License-Identifier: Apache-2.0 */
/* Disk images made by hand, to be made wrong. */
#ifndef CIMA_TEST_IMAGE_FIXTURE_H
#define CIMA_TEST_IMAGE_FIXTURE_H

#include "base/macro.h"
#include <endian.h>

/* A qcow2 of clusters of 64 KiB: header, refcount table, refcount block, L1, one empty L2. */
#define Q_REFTABLE 0x10000u
#define Q_REFBLOCK 0x20000u
#define Q_L1       0x30000u
#define Q_L2       0x40000u

struct qcow2 {
    uint8_t data[0x50000];
};

static inline void put_be32(struct qcow2 *q, size_t at, uint32_t v)
{
    v = htobe32(v);
    memcpy(q->data + at, &v, sizeof(v));
}

static inline void put_be64(struct qcow2 *q, size_t at, uint64_t v)
{
    v = htobe64(v);
    memcpy(q->data + at, &v, sizeof(v));
}

static inline void qcow2_make(struct qcow2 *q, unsigned version, uint64_t size)
{
    memset(q, 0, sizeof(*q));
    memcpy(q->data, "QFI\xfb", 4);
    put_be32(q, 4, version);
    put_be32(q, 20, 16);
    put_be64(q, 24, size);
    put_be32(q, 36, 1);
    put_be64(q, 40, Q_L1);
    put_be64(q, 48, Q_REFTABLE);
    put_be32(q, 56, 1);
    if (version >= 3) {
        put_be32(q, 96, 4);
        put_be32(q, 100, 104);
    }
    put_be64(q, Q_REFTABLE, Q_REFBLOCK);
    put_be64(q, Q_L1, Q_L2 | UINT64_C(1) << 63);
}

static inline void qcow2_set_backing(struct qcow2 *q, const char *name)
{
    put_be64(q, 8, 512);
    put_be32(q, 16, (uint32_t)strlen(name));
    memcpy(q->data + 512, name, strlen(name));
}

/* Returns where the next one goes. */
static inline size_t qcow2_add_extension(struct qcow2 *q, size_t at, uint32_t type,
                                         const char *text)
{
    put_be32(q, at, type);
    put_be32(q, at + 4, (uint32_t)strlen(text));
    memcpy(q->data + at + 8, text, strlen(text));
    return at + 8 + ((strlen(text) + 7) & ~(size_t)7);
}

/* A sparse VMDK whose descriptor is in its second sector. */
static inline void vmdk_make(char *data, size_t len, uint64_t sectors, const char *descriptor)
{
    const uint32_t version = htole32(1);
    const uint64_t capacity = htole64(sectors), at = htole64(1), count = htole64(4);
    memset(data, 0, len);
    memcpy(data, "KDMV", 4);
    memcpy(data + 4, &version, 4);
    memcpy(data + 12, &capacity, 8);
    memcpy(data + 28, &at, 8);
    memcpy(data + 36, &count, 8);
    memcpy(data + 512, descriptor, strlen(descriptor));
}

#endif
