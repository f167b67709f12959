/* SPDX-License-Identifier: Apache-2.0 */
/* VMDK: the sparse extent header ("KDMV", little-endian) with its embedded descriptor, or a
 * descriptor file of text that names its extents. Only the first kind can stand alone. */
#include "image/internal.h"
#include "base/mem.h"
#include <ctype.h>
#include <strings.h>

enum {
    AT_VERSION = 4,
    AT_CAPACITY = 12, /* sectors */
    AT_DESC_OFFSET = 28,
    AT_DESC_SIZE = 36,
};

#define SECTOR         512u
#define DESCRIPTOR_MAX (1u << 20)

static const char text_start[] = "# Disk DescriptorFile";

/* QEMU skips blank lines and comments in front of "version=": the magic need not come first. */
static bool is_descriptor_text(const struct image_head *h)
{
    const char *p = (const char *)h->data, *end = p + h->len;
    if (h->len >= sizeof(text_start) - 1 && strncasecmp(p, text_start, sizeof(text_start) - 1) == 0)
        return true;
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            return false;
        while (p < eol && (*p == ' ' || *p == '\r' || *p == '\t'))
            p++;
        if (eol - p >= 8 && strncasecmp(p, "version=", 8) == 0)
            return true;
        if (p < eol && *p != '#')
            return false;
        p = eol + 1;
    }
    return false;
}

bool vmdk_detect(const struct image_head *h)
{
    return (h->len >= 4 && memcmp(h->data, "KDMV", 4) == 0) || is_descriptor_text(h);
}

static bool is_extent_line(const char *line)
{
    return strncasecmp(line, "RW ", 3) == 0 || strncasecmp(line, "RDONLY ", 7) == 0 ||
           strncasecmp(line, "NOACCESS ", 9) == 0;
}

/* Does an embedded descriptor name a parent, or more than the one extent that it lies in? */
static bool names_others(char *text)
{
    unsigned extents = 0;
    for (char *save = NULL, *line = strtok_r(text, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        line += strspn(line, " \t");
        if (is_extent_line(line))
            extents += strchr(line, '/') ? 2 : 1;
        else if (strncasecmp(line, "parentFileNameHint", 18) == 0)
            return true;
        else if (strncasecmp(line, "parentCID", 9) == 0) {
            const char *value = strchr(line, '=');
            if (!value || strncasecmp(value + 1 + strspn(value + 1, " "), "ffffffff", 8) != 0)
                return true;
        }
    }
    return extents > 1;
}

int vmdk_inspect(const struct image_head *h, struct image_info *ret, struct err *err)
{
    struct image_info info = {.format = IMAGE_VMDK};
    if (memcmp(h->data, "KDMV", 4) != 0) {
        info.has_backing = true;
        *ret = info;
        return 0;
    }
    if (h->len < SECTOR)
        return image_damaged(h->name, err, "the VMDK header is cut off");
    uint64_t capacity = head_le64(h, AT_CAPACITY), desc_at = head_le64(h, AT_DESC_OFFSET);
    uint64_t desc_len = head_le64(h, AT_DESC_SIZE);
    uint32_t version = head_le32(h, AT_VERSION);
    if (version < 1 || version > 3 || capacity > INT64_MAX / SECTOR)
        return image_damaged(h->name, err, "the VMDK header makes no sense");
    /* Without a capacity QEMU takes the descriptor at its word, extents and all. */
    info.has_backing = capacity == 0;
    if (desc_at) {
        uint64_t sectors = h->file_size / SECTOR;
        if (desc_len > DESCRIPTOR_MAX / SECTOR || desc_at > sectors || desc_len > sectors - desc_at)
            return image_damaged(h->name, err,
                                 "it is truncated: the VMDK descriptor lies behind the "
                                 "end of the file");
        size_t len = (size_t)desc_len * SECTOR;
        _cleanup_free_ char *text = xcalloc(len + 1, 1);
        if (image_pread(h->fd, text, len, desc_at * SECTOR) < 0)
            return err_set_errno(err, ERR_IO, "cannot read '%s'", h->name);
        if (names_others(text))
            info.has_backing = true;
    }
    info.virtual_size = capacity * SECTOR;
    *ret = info;
    return 0;
}
