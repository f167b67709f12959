/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is, by its content alone. Nothing here opens a second file: an image that names
 * others (a backing file, an extent, a parent) is recognised and refused by whoever adopts it
 * (S01). */
#include "image/image.h"
#include "image/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include <errno.h>
#include <strings.h>

static const char *const image_format_names[] = {
    [IMAGE_RAW] = "raw",   [IMAGE_QCOW2] = "qcow2", [IMAGE_ISO] = "iso",
    [IMAGE_VMDK] = "vmdk", [IMAGE_VHDX] = "vhdx",
};
ENUM_STRINGS_DEFINE(image_format, IMAGE_FORMAT_COUNT)

static const char *const image_phase_names[] = {
    [IMAGE_WAITING] = "waiting",         [IMAGE_CONNECTING] = "connecting",
    [IMAGE_DOWNLOADING] = "downloading", [IMAGE_COPYING] = "copying",
    [IMAGE_CHECKING] = "checking",       [IMAGE_UNPACKING] = "unpacking",
};
ENUM_STRINGS_DEFINE(image_phase, IMAGE_PHASE_COUNT)

int image_damaged(const char *name, struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *why = xvasprintf(fmt, ap);
    va_end(ap);
    err_set(err, ERR_IO, "'%s' is damaged: %s", name, why);
    return err_hint(err, "fetch or build the image again");
}

int image_head_read(int fd, const char *name, struct image_head *ret, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set_errno(err, ERR_IO, "cannot look at '%s'", name);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "'%s' is not a regular file", name);
    if (st.st_size == 0)
        return err_set(err, ERR_IO, "'%s' is empty", name);
    ret->name = name;
    ret->fd = fd;
    ret->file_size = (uint64_t)st.st_size;
    ret->len = ret->file_size < IMAGE_HEAD_SIZE ? (size_t)ret->file_size : IMAGE_HEAD_SIZE;
    memset(ret->data + ret->len, 0, IMAGE_HEAD_SIZE - ret->len);
    if (image_pread(fd, ret->data, ret->len, 0) < 0) {
        if (errno)
            return err_set_errno(err, ERR_IO, "cannot read '%s'", name);
        return err_set(err, ERR_IO, "'%s' became shorter while it was read", name);
    }
    return 0;
}

struct magic {
    size_t offset;
    const char *bytes;
    size_t len;
    const char *name;
};
#define MAGIC(offset, bytes, name)                                                                 \
    {                                                                                              \
        offset, bytes, sizeof(bytes) - 1, name                                                     \
    }

static const struct magic compressions[] = {
    MAGIC(0, "\x1f\x8b", "gzip"),
    MAGIC(0,
          "\xfd"
          "7zXZ\0",
          "xz"),
    MAGIC(0, "\x28\xb5\x2f\xfd", "zstd"),
    MAGIC(0, "BZh", "bzip2"),
};

/* Disk images of formats that are not used here: taken as raw they would boot nothing. */
static const struct magic foreign[] = {
    MAGIC(0, "QFI\xfb\0\0\0\x01", "qcow"),     MAGIC(0, "QED\0", "qed"),
    MAGIC(0, "COWD", "vmdk version 3"),        MAGIC(0, "conectix", "vpc"),
    MAGIC(64, "\x7f\x10\xda\xbe", "vdi"),      MAGIC(0, "LUKS\xba\xbe", "luks"),
    MAGIC(0, "WithoutFreeSpace", "parallels"), MAGIC(0, "WithouFreSpacExt", "parallels"),
};

static const char *find_magic(const struct image_head *h, const struct magic *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].offset + table[i].len <= h->len &&
            memcmp(h->data + table[i].offset, table[i].bytes, table[i].len) == 0)
            return table[i].name;
    return NULL;
}

const char *image_compression(const struct image_head *h)
{
    return find_magic(h, compressions, ARRAY_SIZE(compressions));
}

static bool is_iso(const struct image_head *h)
{
    return h->len >= 32769 + 5 && memcmp(h->data + 32769, "CD001", 5) == 0;
}

bool image_is_web_page(const struct image_head *h)
{
    static const char *const starts[] = {"<!doctype html", "<html", "<?xml"};
    size_t at = 0;
    while (at < h->len && at < 64 && strchr(" \t\r\n", h->data[at]) && h->data[at])
        at++;
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
        if (at + strlen(starts[i]) <= h->len &&
            strncasecmp((const char *)h->data + at, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static int inspect_raw(const struct image_head *h, struct image_info *ret, struct err *err)
{
    const char *other = find_magic(h, foreign, ARRAY_SIZE(foreign));
    if (other) {
        err_set(err, ERR_UNSUPPORTED, "'%s' has the format %s, which is not supported", h->name,
                other);
        return err_hint(err, "convert it: qemu-img convert -O qcow2 IMAGE NEW");
    }
    if (image_is_web_page(h))
        return err_set(err, ERR_IO, "'%s' is a web page, not a disk image", h->name);
    if (h->file_size < 512)
        return err_set(err, ERR_IO, "'%s' has only %llu bytes: that is no disk image", h->name,
                       (unsigned long long)h->file_size);
    *ret = (struct image_info){.format = IMAGE_RAW, .virtual_size = h->file_size};
    return 0;
}

static int inspect_head(const struct image_head *h, struct image_info *ret, struct err *err)
{
    if (image_compression(h)) {
        *ret = (struct image_info){.format = IMAGE_RAW, .compressed = true};
        return 0;
    }
    if (qcow2_detect(h))
        return qcow2_inspect(h, ret, err);
    if (vmdk_detect(h))
        return vmdk_inspect(h, ret, err);
    if (vhdx_detect(h))
        return vhdx_inspect(h, ret, err);
    if (is_iso(h)) {
        *ret = (struct image_info){.format = IMAGE_ISO, .virtual_size = h->file_size};
        return 0;
    }
    return inspect_raw(h, ret, err);
}

int image_inspect_fd(int fd, const char *name, struct image_info *ret, struct err *err)
{
    _cleanup_free_ struct image_head *h = xmalloc(sizeof(*h));
    if (image_head_read(fd, name, h, err) < 0)
        return -1;
    return inspect_head(h, ret, err);
}

static int refuse(const struct image_head *h, const struct image_info *info, struct err *err)
{
    if (info->compressed)
        return err_set(err, ERR_UNSUPPORTED, "'%s' is compressed (%s) once more than allowed",
                       h->name, image_compression(h));
    const char *what = info->has_external_data       ? "an external data file"
                       : info->format == IMAGE_QCOW2 ? "a backing file"
                                                     : "other files (extents or a parent)";
    err_set(
        err, ERR_UNSUPPORTED,
        "file `%s` is not acceptable as a disk image: it refers to %s, so it could make QEMU open "
        "any file of the host",
        h->name, what);
    return err_hint(err, "if you trust it, make it self-contained: qemu-img convert -O qcow2 IMAGE "
                         "NEW");
}

int image_adoptable(int fd, const char *name, bool deep, struct image_info *ret, struct err *err)
{
    _cleanup_free_ struct image_head *h = xmalloc(sizeof(*h));
    struct image_info info;
    if (image_head_read(fd, name, h, err) < 0 || inspect_head(h, &info, err) < 0)
        return -1;
    if (info.compressed || info.has_backing || info.has_external_data)
        return refuse(h, &info, err);
    if (deep && info.format == IMAGE_QCOW2 && qcow2_check_clusters(h, err) < 0)
        return -1;
    *ret = info;
    return 0;
}

int image_check_adoptable(int fd, const char *name, struct image_info *ret, struct err *err)
{
    return image_adoptable(fd, name, true, ret, err);
}
