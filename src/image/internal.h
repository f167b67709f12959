/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef CIMA_IMAGE_INTERNAL_H
#define CIMA_IMAGE_INTERNAL_H

#include "image/image.h"
#include "base/fs.h"
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

/* fd_pread_all at an offset that an image says: one that no file has is an error as any other. */
static inline int image_pread(int fd, void *buf, size_t len, uint64_t offset)
{
    return fd_pread_all(fd, buf, len, (off_t)offset);
}

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

/* A page that a server or a login portal sent in place of the file. */
bool image_is_web_page(const struct image_head *h);

/* ---- report.c: to the caller, whose functions may be NULL ----------------------------------- */
void image_note(const struct image_report *r, enum log_level level, const char *fmt, ...)
    PRINTF_FORMAT(3, 4);
void image_tell(const struct image_report *r, enum image_phase phase, const char *location,
                uint64_t done, uint64_t total);
/* -1 with ERR_INTERRUPTED when the caller wants to stop. */
int image_go_on(const struct image_report *r, struct err *err);
/* Before another try: tells p (may be NULL) and asks whether to go on several times a second. -1 as
 * above. */
int image_wait(const struct image_report *r, unsigned ms, const struct image_progress *p,
               struct err *err);

/* ---- digest.c ------------------------------------------------------------------------------- */
struct digest {
    char algorithm[8]; /* sha256, sha384, sha512 */
    char hex[129];     /* lower case */
};
extern const char *const digest_algorithms[]; /* ends with NULL */
/* "sha256:…"; the length of the hex part must fit the algorithm. */
int digest_parse(const char *text, struct digest *ret, struct err *err);
/* Of the whole file, from its beginning, by the helper program cima-digest. err is not NULL. */
int digest_of_fd(int fd, const char *algorithm, const char *name, const struct image_report *r,
                 struct digest *ret, struct err *err);

/* ---- unpack.c ------------------------------------------------------------------------------- */
/* Undoes one layer of `how` (image_compression) into the empty dst_fd, by the helper program
 * cima-unpack. max: the most bytes that may come out, 0: what is sane for the size. err is not
 * NULL. */
int image_unpack(int fd, const char *how, int dst_fd, const char *name, uint64_t max,
                 const struct image_report *r, struct err *err);

/* ---- entry.c: one directory of a cache ------------------------------------------------------ */
enum image_purpose {
    IMAGE_FOR_DISK, IMAGE_FOR_KERNEL, IMAGE_FOR_INITRD, IMAGE_FOR_FIRMWARE,
    IMAGE_PURPOSE_COUNT,
};
ENUM_STRINGS_DECLARE(image_purpose); /* "image", "kernel", "initrd" */

/* What somebody wants. */
struct want {
    const char *location;        /* as it is configured; for messages */
    const struct digest *digest; /* NULL: any */
    enum image_purpose purpose;
    const char *arch; /* of the image, for messages */
};

/* A file that was checked: it is known by its descriptor, not by its name. */
struct image_file {
    int fd;
    char *path;             /* where it was in the cache */
    struct image_info info; /* of a disk */
};
#define IMAGE_FILE_INIT                                                                            \
    {                                                                                              \
        .fd = -1                                                                                   \
    }
#define _cleanup_image_file_ _cleanup_(image_file_release)
void image_file_release(struct image_file *f);

/* What the fetches for one create share. Shared locks on the entries that it uses keep prune away
 * from them; no more than that depends on them, so they are given up before we wait for a lock. */
struct fetcher {
    const struct store *store;
    const struct image_report *report;
    int held[8];
    unsigned n_held;
};
void fetcher_release(struct fetcher *f);
/* Takes the lock over, and makes it a shared one. */
void fetcher_hold(struct fetcher *f, int lock);

struct entry {
    char *dir, *data;
    bool limas; /* of the directory that we share with Lima: plain <algo>.digest files count */
};
#define _cleanup_entry_ _cleanup_(entry_release)
void entry_release(struct entry *e);
/* base/key, its directories made (0700); base must not be writable for others. */
int entry_open(const char *base, const char *key, bool limas, struct entry *ret, struct err *err);
/* flock on the entry's directory, which is made when it is gone: exclusive for who fills or removes
 * the entry, shared for who uses it. Tells IMAGE_WAITING while another process has it. */
int entry_lock(struct fetcher *f, const struct entry *e, bool exclusive, const struct want *w,
               struct err *err);
/* Is there data, as wanted and good? Under the entry's lock; with the exclusive one compressed data
 * is unpacked where that was not done yet. 1 yes; 0 no, err says why; -1 no, and another copy
 * would not be better (or we are to stop). err is not NULL. */
int entry_check(struct fetcher *f, const struct entry *e, const struct want *w, bool exclusive,
                struct image_file *ret, struct err *err);
/* Forgets and removes what was made from the data and said of it, before the data changes. */
void entry_forget(const struct entry *e);
/* Remembers a digest of the entry's data, which fd is. */
void entry_remember(const struct entry *e, int fd, const struct digest *d);

/* ---- cache.c -------------------------------------------------------------------------------- */
/* Brings a local file into the cache, unless it is there already. Everything is checked on the
 * copy: what was checked is what will be used. err is not NULL, nor below. */
int image_cache_local(struct fetcher *f, const char *path, const struct want *w,
                      struct image_file *ret, struct err *err);
/* Key of the source in the cache of local files. Caller frees. */
char *image_local_key(const struct stat *source);
/* Hard link to that very file, else a copy of it (reflink where possible), in one step; a file that
 * is there is replaced. */
int image_place(const struct image_file *from, const char *to, struct err *err);

/* ---- download.c ----------------------------------------------------------------------------- */
/* The same for a URL (DL-01, DL-03). */
int image_cache_url(struct fetcher *f, const char *url, const struct want *w,
                    struct image_file *ret, struct err *err);
/* Key of the URL in the download cache: its SHA-256. Caller frees. */
char *image_url_key(const char *url);

/* ---- prepare.c ------------------------------------------------------------------------------ */
bool image_is_url(const char *location);
/* The path of a location that is no URL, or NULL with err. Caller frees. */
char *image_local_path(const char *location, const char *base_dir, struct err *err);

#endif
