/* SPDX-License-Identifier: Apache-2.0 */
/* Files and directories. fds are O_CLOEXEC; messages name the path. */
#ifndef CIMA_BASE_FS_H
#define CIMA_BASE_FS_H

#include "base/err.h"
#include <sys/stat.h>

/* "dir/name"; one slash between. Caller frees. */
char *path_join(const char *dir, const char *name);
/* An absolute path below another root; NULL: below the real one. Caller frees. */
char *path_rooted(const char *root, const char *path);
/* The part after the last slash; points into path. */
const char *path_basename(const char *path);
/* Everything before the last slash ("." or "/" when there is none). Caller frees. */
char *path_dirname(const char *path);
/* Absolute and without ".", ".." and double slashes, by text only. Relative to base. */
char *path_normalise(const char *base, const char *path);
/* Does `inner` lie below `outer`? By text only; both are normal. */
bool path_is_below(const char *inner, const char *outer);
/* Is fd the file of that name now? A lock on one that was replaced or removed is worth nothing. */
bool fd_is_at(int fd, const char *path);
/* Follows symbolic links. False also when it can't be seen. */
bool path_exists(const char *path);

/* Reads a whole file of at most max bytes; more is an error. NUL-terminated, *ret_len may be NULL.
 * Caller frees. A missing file is ERR_NOT_FOUND, everything else ERR_IO. */
char *file_read(const char *path, size_t max, size_t *ret_len, struct err *err);
/* As file_read from an open fd (to end of file); name is for messages. */
char *fd_read_all(int fd, const char *name, size_t max, size_t *ret_len, struct err *err);
/* Replaces path in one step: temporary file of a private name beside it (O_EXCL), write, fsync,
 * rename, fsync of the directory. On failure the old file is untouched and nothing is left. */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode,
                      struct err *err);
/* The same without the two fsync: for what a power cut may take (pid files), and for a file of a
 * draft, whose commit syncs everything. */
int file_write_unsynced(const char *path, const void *data, size_t len, mode_t mode,
                        struct err *err);
/* Writes all, with EINTR and short writes handled. -1 and errno. */
int fd_write_all(int fd, const void *data, size_t len);
/* The same at an offset of a file. */
int fd_pwrite_all(int fd, const void *data, size_t len, off_t at);
/* Reads all of it from an offset. -1 and errno, which is 0 when the file ends before. */
int fd_pread_all(int fd, void *data, size_t len, off_t at);
/* Copies the content (reflink, else copy_file_range with holes kept, else read/write). Both are
 * regular files; dst_fd is empty. */
int fd_copy_content(int src_fd, int dst_fd, struct err *err);

/* mkdir -p with mode for what is made. */
int dir_make(const char *path, mode_t mode, struct err *err);
/* Removes a tree beneath path without following links (openat). Missing is success. */
int dir_remove(const char *path, struct err *err);
/* fsync of a directory. */
int dir_sync(const char *path, struct err *err);
/* Names in a directory without "." and "..", sorted. Missing directory: ERR_NOT_FOUND. */
int dir_list(const char *path, struct strv *ret, struct err *err);
/* Refuses a directory that is not ours or that others may write to (ERR_PERMISSION). */
int dir_check_private(const char *path, struct err *err);

#endif
