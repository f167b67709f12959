/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of disk images (S20). The input is the beginning of a file; its first byte chooses how
 * much is behind it, so that offsets into tables lead somewhere. Whatever it is: no crash, and what
 * is adopted names no other file. */
#include "base/fs.h"
#include "base/mem.h"
#include "image/image.h"
#include <assert.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAIL_UNIT = 4096 };

static int backing_is_named(const uint8_t *p, size_t size)
{
    static const uint8_t zero[8];

    return size >= 72 && memcmp(p, "QFI\xfb", 4) == 0 && memcmp(p + 8, zero, 8) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct image_info info;
    _cleanup_err_ struct err err = ERR_INIT;

    if (size < 1)
        return 0;
    if (fd < 0)
        fd = memfd_create("image", MFD_CLOEXEC);
    assert(fd >= 0);
    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
        fd_write_all(fd, data + 1, size - 1) < 0 ||
        ftruncate(fd, (off_t)(size - 1 + (size_t)data[0] * TAIL_UNIT)) < 0)
        return 0;
    if (image_check_adoptable(fd, "input", &info, &err) == 0) {
        assert(!info.has_backing && !info.has_external_data && !info.compressed);
        assert(info.virtual_size > 0 && info.virtual_size <= INT64_MAX);
        assert(!backing_is_named(data + 1, size - 1));
    } else {
        assert(err_is_set(&err));
    }
    return 0;
}
