/* SPDX-License-Identifier: Apache-2.0 */
/* Disk images: what a file is (without trusting its name), the cache, and how an image gets into an
 * instance directory. */
#ifndef CIMA_IMAGE_IMAGE_H
#define CIMA_IMAGE_IMAGE_H

#include "base/enum.h"
#include "base/log.h"
#include "base/strv.h"
#include "config/config.h"
#include "store/store.h"

enum image_format { IMAGE_RAW, IMAGE_QCOW2, IMAGE_ISO, IMAGE_VMDK, IMAGE_VHDX, IMAGE_FORMAT_COUNT };
ENUM_STRINGS_DECLARE(image_format);

struct image_info {
    enum image_format format;
    uint64_t virtual_size;  /* bytes */
    bool has_backing;       /* qcow2 backing file, vmdk extents */
    bool has_external_data; /* qcow2 data file */
    bool compressed;        /* gzip, xz, zstd, bzip2 by magic: not a disk image yet */
};

/* Reads only the header of the open file; opens nothing it names. Damaged headers are errors. */
int image_inspect_fd(int fd, const char *name, struct image_info *ret, struct err *err);
/* As above, and refuses what may not be adopted (S01): backing file, external data, vmdk extents.
 */
int image_check_adoptable(int fd, const char *name, struct image_info *ret, struct err *err);

/* Writes an empty qcow2 of `size` bytes (a multiple of 512) into the empty file fd, unsynced.
 * backing: its backing file as the header names it, and that file's format; NULL: none. */
int qcow2_create(int fd, uint64_t size, const char *backing, const char *backing_format,
                 struct err *err);
/* What a qcow2 file names as its backing file, and what it says of that file's format; NULL where it
 * says nothing. Opens nothing. Both are allocated. */
int image_backing_fd(int fd, const char *name, char **ret_file, char **ret_format,
                     struct err *err);

/* What image_prepare put into the directory. */
struct image_result {
    struct image_info info;
    bool has_kernel, has_initrd;
};

/* What is being done to a file now. */
enum image_phase {
    IMAGE_WAITING,    /* another process fetches the same file */
    IMAGE_CONNECTING, /* no byte has come yet */
    IMAGE_DOWNLOADING,
    IMAGE_COPYING,  /* a local file into the cache */
    IMAGE_CHECKING, /* its digest */
    IMAGE_UNPACKING,
    IMAGE_PHASE_COUNT,
};
ENUM_STRINGS_DECLARE(image_phase);

struct image_progress {
    enum image_phase phase;
    const char *location;
    uint64_t done, total; /* bytes; total 0: not known */
};

/* How a fetch talks to its caller. Every function may be NULL. None is called while a local file is
 * copied into the cache: there is one IMAGE_COPYING at its beginning. */
struct image_report {
    void (*note)(void *arg, enum log_level level, const char *text);
    /* At each change of phase, and several times a second while bytes move. */
    void (*progress)(void *arg, const struct image_progress *p);
    /* Has the person asked to stop? Asked several times a second. */
    bool (*interrupted)(void *arg);
    void *arg;
};

/* Chooses the images of the configuration's architecture in their order (DL-05), brings the first
 * that works into the cache and from there into the instance directory: `image`, and `kernel`,
 * `kernel.cmdline`, `initrd` when the entry has them. Files of our cache are hard-linked
 * (reflinked, copied across file systems); a local file is copied once into the cache, keyed by
 * device, inode, size and mtime; a URL is downloaded into it once. base_dir: where relative paths
 * of the YAML start. The error lists every attempt; ERR_INTERRUPTED when r's interrupted() said so.
 * r may be NULL. */
int image_prepare(const struct store *s, const struct config_instance *cfg, const char *base_dir,
                  const struct instance *inst, const struct image_report *r,
                  struct image_result *ret, struct err *err);

/* Brings one firmware file into the cache as above, checks its digest (NULL or empty: any) and puts
 * it at `to`. r may be NULL. */
int image_fetch_firmware(const struct store *s, const char *location, const char *digest,
                         const char *arch, const char *base_dir, const struct image_report *r,
                         const char *to, struct err *err);

/* ---- prune (DL-07) --------------------------------------------------------------------------- */

/* What instances refer to. Zero-initialised is nothing. */
struct image_refs {
    struct strv urls;  /* locations that are URLs */
    struct strv paths; /* local ones, absolute */
    struct strv texts; /* YAML that can't be read: whatever URL stands in it counts */
};
#define _cleanup_image_refs_ _cleanup_(image_refs_release)
void image_refs_release(struct image_refs *r);
/* Adds a location; empty ones and unknown schemes are ignored. */
void image_refs_add(struct image_refs *r, const char *location, const char *base_dir);

struct image_pruned {
    unsigned removed, kept; /* entries; kept: because they are referred to */
    uint64_t freed;         /* bytes of the disk; not what instances still have links to */
    struct strv busy;       /* URLs (or directories) of entries that another process uses: kept */
    struct strv failed;     /* why entries are still there: messages */
};
#define _cleanup_image_pruned_ _cleanup_(image_pruned_release)
void image_pruned_release(struct image_pruned *p);
/* Empties the cache of downloads, Lima's ones included, and of local images. keep (may be NULL):
 * entries that stay, without leftovers of killed downloads. An entry that is locked is in use and
 * stays (F39). *ret is filled in any case. */
int image_prune(const struct store *s, const struct image_refs *keep, struct image_pruned *ret,
                struct err *err);

#endif
