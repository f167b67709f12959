/* SPDX-License-Identifier: Apache-2.0 */
/* cima-seediso: reads a list of files (seedstream.h) from stdin and writes an ISO 9660 image with
 * Rock Ridge names and the label LABEL (argument; "cidata" without one) to stdout. The same input
 * gives the same bytes. A program of its own because libarchive costs a millisecond of start-up, and
 * so that it is this process that meets the data. */
#include "base/macro.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "cidata/seedstream.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

/* The time of everything; any fixed moment does. 2020-01-01. */
#define SEED_TIME 1577836800

#define SECTOR          2048u
#define VOLUME_LABEL_AT (16 * SECTOR + 40) /* in the primary volume descriptor, 32 bytes */

#define LABEL_MAX       32

static const char *label = "cidata";

/* Stands in for libc's, for libarchive: it gives the volume and the root directory the time of now,
 * and has no option for that. */
time_t time(time_t *ret)
{
    if (ret)
        *ret = SEED_TIME;
    return SEED_TIME;
}

static int fail(const char *fmt, ...) PRINTF_FORMAT(1, 2);
static int fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return -1;
}

/* ---- input ---------------------------------------------------------------------------------- */

static int read_exactly(void *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(0, (char *)buf + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail("stdin: %s", n < 0 ? strerror(errno) : "ends too early");
        done += (size_t)n;
    }
    return 0;
}

static int read_u32(uint32_t *ret)
{
    unsigned char b[4];
    if (read_exactly(b, sizeof(b)) < 0)
        return -1;
    *ret = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return 0;
}

struct file {
    char *name, *data;
    uint32_t mode, len;
};

static void file_release(struct file *f)
{
    free(f->name);
    free(f->data);
}

/* Relative, and without empty, "." and ".." parts. */
static bool name_is_good(const char *name)
{
    for (const char *p = name;; p++) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
        if (!*p)
            return true;
    }
}

static int read_file(struct file *f, uint64_t *total)
{
    uint32_t name_len;
    if (read_u32(&f->mode) < 0 || read_u32(&name_len) < 0 || read_u32(&f->len) < 0)
        return -1;
    *total += f->len;
    if (name_len == 0 || name_len > SEED_NAME_MAX || f->len > SEED_DATA_MAX ||
        *total > SEED_TOTAL_MAX)
        return fail("stdin: a length is out of range");
    f->name = xcalloc(name_len + 1, 1);
    f->data = xmalloc(f->len ? f->len : 1);
    if (read_exactly(f->name, name_len) < 0 || read_exactly(f->data, f->len) < 0)
        return -1;
    if (strlen(f->name) != name_len || !name_is_good(f->name))
        return fail("stdin: a file name is not acceptable");
    return 0;
}

/* ---- output --------------------------------------------------------------------------------- */

static ssize_t collect(struct archive *a, void *arg, const void *data, size_t len)
{
    (void)a;
    sbuf_add(arg, data, len);
    return (ssize_t)len;
}

static int archive_fail(struct archive *a)
{
    const char *why = archive_error_string(a);
    return fail("libarchive: %s", why ? why : "unknown error");
}

static struct archive_entry *new_entry(const char *name, unsigned type, unsigned mode, size_t size)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, type);
    archive_entry_set_perm(e, mode);
    archive_entry_set_size(e, (int64_t)size);
    archive_entry_set_uid(e, 0);
    archive_entry_set_gid(e, 0);
    archive_entry_set_nlink(e, 1);
    archive_entry_set_mtime(e, SEED_TIME, 0);
    archive_entry_set_atime(e, SEED_TIME, 0);
    archive_entry_set_ctime(e, SEED_TIME, 0);
    return e;
}

static int add_entry(struct archive *a, const char *name, unsigned type, unsigned mode,
                     const void *data, size_t len)
{
    struct archive_entry *e = new_entry(name, type, mode, len);
    int r = archive_write_header(a, e);
    archive_entry_free(e);
    if (r != ARCHIVE_OK)
        return archive_fail(a);
    if (len && archive_write_data(a, data, len) != (la_ssize_t)len)
        return archive_fail(a);
    return 0;
}

/* Directories that libarchive would otherwise make with the time of now. The files come grouped by
 * directory: remembering the last one is enough, and a repetition is harmless. */
static int add_directory_of(struct archive *a, const char *name, char **last)
{
    const char *slash = strrchr(name, '/');
    if (!slash)
        return 0;
    char *dir = xstrndup(name, (size_t)(slash - name));
    if (*last && streq(*last, dir)) {
        free(dir);
        return 0;
    }
    free(*last);
    *last = dir;
    return add_entry(a, dir, AE_IFDIR, 0755, NULL, 0);
}

static int add_files(struct archive *a)
{
    _cleanup_free_ char *last = NULL;
    char magic[SEED_MAGIC_LEN];
    uint32_t n;
    uint64_t total = 0;
    if (read_exactly(magic, sizeof(magic)) < 0)
        return -1;
    if (memcmp(magic, SEED_MAGIC, sizeof(magic)) != 0)
        return fail("stdin: not what cima writes");
    if (read_u32(&n) < 0 || n > SEED_FILES_MAX)
        return fail("stdin: the number of files is out of range");
    if (add_entry(a, ".", AE_IFDIR, 0755, NULL, 0) < 0)
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        _cleanup_(file_release) struct file f = {0};
        if (read_file(&f, &total) < 0 || add_directory_of(a, f.name, &last) < 0 ||
            add_entry(a, f.name, AE_IFREG, f.mode & 0777, f.data, f.len) < 0)
            return -1;
    }
    return 0;
}

/* libarchive writes the label in upper case and other characters as '_', as ISO 9660 says; the guest
 * looks for the lower case (/dev/disk/by-label/cidata). */
static int fix_label(struct sbuf *iso)
{
    size_t len = strlen(label);
    if (iso->len < VOLUME_LABEL_AT + LABEL_MAX)
        return fail("libarchive: the volume descriptor is not where it should be");
    for (size_t i = 0; i < len; i++) {
        char there = iso->buf[VOLUME_LABEL_AT + i];
        if (strncasecmp(&there, &label[i], 1) != 0 && there != '_')
            return fail("libarchive: the volume descriptor is not where it should be");
    }
    memcpy(iso->buf + VOLUME_LABEL_AT, label, len);
    return 0;
}

static int make_iso(struct sbuf *iso)
{
    struct archive *a = archive_write_new();
    if (!a)
        return fail("out of memory");
    int r = -1;
    _cleanup_free_ char *options = xasprintf("iso9660:volume-id=%s,iso9660:!joliet,"
                                             "iso9660:rockridge=strict,iso9660:!pad", label);
    if (archive_write_set_format_iso9660(a) != ARCHIVE_OK ||
        archive_write_set_options(a, options) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
        archive_write_open(a, iso, NULL, collect, NULL) != ARCHIVE_OK)
        archive_fail(a);
    else
        r = add_files(a);
    if (r == 0 && archive_write_close(a) != ARCHIVE_OK)
        r = archive_fail(a);
    archive_write_free(a);
    return r;
}

static int write_out(const struct sbuf *iso)
{
    for (size_t done = 0; done < iso->len;) {
        ssize_t n = write(1, iso->buf + done, iso->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail("stdout: %s", strerror(errno));
        done += (size_t)n;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        label = argv[1];
    if (argc > 2 || !*label || strlen(label) > LABEL_MAX || strpbrk(label, ",=!"))
        return fail("usage: cima-seediso [LABEL] <FILES >ISO; a label has at most %d bytes",
                    LABEL_MAX) < 0;
    /* Nothing here needs more; a fault in a library should not get more either. */
    (void)setenv("TZ", "UTC0", 1); /* ISO 9660 dates are local ones */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#if !WITH_ASAN /* whose look for leaks takes a process of its own */
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_NPROC, &none);
#endif
    _cleanup_sbuf_ struct sbuf iso = SBUF_INIT;
    return make_iso(&iso) < 0 || fix_label(&iso) < 0 || write_out(&iso) < 0;
}
