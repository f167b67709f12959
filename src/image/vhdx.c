/* SPDX-License-Identifier: Apache-2.0 */
/* VHDX (MS-VHDX): enough of the region and metadata tables to learn the size and whether the disk
 * is a differencing one. Little-endian. */
#include "image/internal.h"

#define REGION_TABLE   UINT64_C(196608) /* 192 KiB; a copy is at 256 KiB */
#define REGION_TABLE_2 UINT64_C(262144)
#define ENTRIES_MAX    2047u

/* GUIDs as they lie in the file. */
static const uint8_t guid_metadata[16] = {0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                          0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e};
static const uint8_t guid_parameters[16] = {0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                            0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b};
static const uint8_t guid_size[16] = {0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                      0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8};

bool vhdx_detect(const struct image_head *h)
{
    return h->len >= 8 && memcmp(h->data, "vhdxfile", 8) == 0;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* Offset of the metadata region by one of the two region tables; 0 when it isn't there. */
static uint64_t metadata_region(const struct image_head *h, uint64_t table)
{
    uint8_t head[16], entry[32];
    if (image_pread(h->fd, head, sizeof(head), table) < 0 || memcmp(head, "regi", 4) != 0)
        return 0;
    uint32_t n = le32(head + 8);
    for (uint32_t i = 0; i < n && i < ENTRIES_MAX; i++) {
        if (image_pread(h->fd, entry, sizeof(entry), table + 16 + (uint64_t)i * 32) < 0)
            return 0;
        if (memcmp(entry, guid_metadata, 16) == 0)
            return le64(entry + 16);
    }
    return 0;
}

/* One item of the metadata table, at most `len` bytes of it. */
static int metadata_item(const struct image_head *h, uint64_t region, const uint8_t guid[16],
                         uint8_t *buf, size_t len)
{
    uint8_t head[32], entry[32];
    if (image_pread(h->fd, head, sizeof(head), region) < 0 || memcmp(head, "metadata", 8) != 0)
        return -1;
    uint32_t n = (uint32_t)head[10] | (uint32_t)head[11] << 8;
    for (uint32_t i = 0; i < n && i < ENTRIES_MAX; i++) {
        if (image_pread(h->fd, entry, sizeof(entry), region + 32 + (uint64_t)i * 32) < 0)
            return -1;
        if (memcmp(entry, guid, 16) == 0)
            return image_pread(h->fd, buf, len, region + le32(entry + 16));
    }
    return -1;
}

int vhdx_inspect(const struct image_head *h, struct image_info *ret, struct err *err)
{
    uint64_t region = metadata_region(h, REGION_TABLE);
    if (!region)
        region = metadata_region(h, REGION_TABLE_2);
    uint8_t size[8], parameters[8];
    if (!region || region > h->file_size ||
        metadata_item(h, region, guid_parameters, parameters, sizeof(parameters)) < 0 ||
        metadata_item(h, region, guid_size, size, sizeof(size)) < 0)
        return image_damaged(h->name, err, "its VHDX metadata is missing or cut off");
    uint64_t bytes = le64(size);
    if (bytes == 0 || bytes > INT64_MAX)
        return image_damaged(h->name, err, "its virtual size makes no sense");
    /* Bit 1 of the file parameters: HasParent. */
    *ret = (struct image_info){
        .format = IMAGE_VHDX, .virtual_size = bytes, .has_backing = parameters[4] & 2};
    return 0;
}
