/* SPDX-License-Identifier: Apache-2.0 */
/* cima-unpack FILTER MAX ROOM <COMPRESSED, the output on descriptor 3: undoes one layer of gzip,
 * bzip2, xz or zstd. Blocks of zeros become holes. At most MAX bytes come out, and at most ROOM of
 * them that are no holes, whatever the input promises. Ends with "done SIZE" (helperio.h); "at"
 * counts bytes of the input. */
#include "image/helperio.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include <archive.h>
#include <archive_entry.h>
#include <limits.h>

#define OUT_FD 3
#define HOLE   4096u

static const struct {
    const char *name;
    int code;
} filters[] = {
    {"gzip", ARCHIVE_FILTER_GZIP},
    {"bzip2", ARCHIVE_FILTER_BZIP2},
    {"xz", ARCHIVE_FILTER_XZ},
    {"zstd", ARCHIVE_FILTER_ZSTD},
};

static int archive_fail(struct archive *a)
{
    const char *why = archive_error_string(a);
    return say("fail %s", why ? why : "unknown error of libarchive");
}

static bool all_zero(const uint8_t *p, size_t len)
{
    return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Bytes that may still be written. */
static uint64_t room;

static int put(const uint8_t *p, size_t len, uint64_t at)
{
    errno = ENOSPC;
    if (len > room)
        return say_errno("cannot write what comes out of it");
    room -= len;
    return fd_pwrite_all(OUT_FD, p, len, (off_t)at) < 0
               ? say_errno("cannot write what comes out of it")
               : 0;
}

/* In pieces of the file's blocks, so that runs of zeros leave holes. */
static int put_sparse(const uint8_t *p, size_t len, uint64_t at)
{
    while (len) {
        size_t n = HOLE - (size_t)(at % HOLE);
        n = n < len ? n : len;
        bool zero = all_zero(p, n);
        while (n < len) {
            size_t more = len - n < HOLE ? len - n : HOLE;
            if (all_zero(p + n, more) != zero)
                break;
            n += more;
        }
        if (!zero && put(p, n, at) < 0)
            return -1;
        p += n;
        len -= n;
        at += n;
    }
    return 0;
}

static int copy_data(struct archive *a, uint64_t max)
{
    uint64_t end = 0;
    for (;;) {
        const void *block;
        size_t len;
        la_int64_t at;
        int r = archive_read_data_block(a, &block, &len, &at);
        if (r == ARCHIVE_EOF)
            break;
        if (r != ARCHIVE_OK)
            return archive_fail(a);
        if (at < 0 || (uint64_t)at > max || len > max - (uint64_t)at) {
            (void)say("fail it unpacks to more than %" PRIu64 " bytes", max);
            return -1;
        }
        if (put_sparse(block, len, (uint64_t)at) < 0)
            return -1;
        end = (uint64_t)at + len;
        say_at((uint64_t)archive_filter_bytes(a, -1));
    }
    if (ftruncate(OUT_FD, (off_t)end) < 0)
        return say_errno("cannot set the length of what comes out of it");
    (void)say("done %" PRIu64, end);
    return 0;
}

static int unpack(struct archive *a, int filter, uint64_t max)
{
    struct archive_entry *entry;
    /* The one filter that the caller has seen: guessing would also undo layers within layers. */
    if (archive_read_append_filter(a, filter) != ARCHIVE_OK ||
        archive_read_support_format_raw(a) != ARCHIVE_OK ||
        archive_read_support_format_empty(a) != ARCHIVE_OK ||
        archive_read_open_fd(a, STDIN_FILENO, 1u << 18) != ARCHIVE_OK)
        return archive_fail(a);
    int r = archive_read_next_header(a, &entry);
    if (r == ARCHIVE_EOF)
        return say("fail nothing comes out of it");
    if (r != ARCHIVE_OK)
        return archive_fail(a);
    return copy_data(a, max);
}

int main(int argc, char **argv)
{
    uint64_t max;
    int filter = -1;
    confine();
#if !WITH_ASAN /* whose look for leaks takes a process of its own */
    /* libarchive would run a program for a filter that it was built without. */
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_NPROC, &none);
#endif
    for (size_t i = 0; argc == 4 && i < ARRAY_SIZE(filters); i++)
        if (streq(argv[1], filters[i].name))
            filter = filters[i].code;
    if (filter < 0 || parse_uint(argv[2], INT64_MAX, &max) < 0 ||
        parse_uint(argv[3], INT64_MAX, &room) < 0)
        return say("fail wrong arguments") < 0;
    if (lseek(STDIN_FILENO, 0, SEEK_SET) < 0)
        return say_errno("cannot read") < 0;
    struct archive *a = archive_read_new();
    int r = a ? unpack(a, filter, max) : say("fail out of memory");
    if (a)
        archive_read_free(a);
    return r < 0;
}
