/* SPDX-License-Identifier: Apache-2.0 */
/* What is run in the guest for mounts, as text. It speaks in lines that begin with "cima:". */
#ifndef CIMA_MOUNT_REMOTE_H
#define CIMA_MOUNT_REMOTE_H

#include "base/strv.h"

#define REMOTE_MOUNTED  "cima:mounted"   /* the mount answers */
#define REMOTE_NO_SSHFS "cima:no-sshfs"  /* the guest has no such program */

/* The one argument behind the host name of ssh: makes way for the mount point, tells on stderr when
 * the mount answers (it is looked for during 30 s), and becomes sshfs, whose stdin and stdout are
 * the sftp connection. Caller frees. */
char *remote_sshfs_command(const char *local, const char *point, const char *options);

/* For `sh -s`: which of the mount points have no 9p mount? Answers on stdout:
 *   cima:9p yes|no         the kernel has it
 *   cima:missing N         no 9p mount on points[N]
 *   cima:checked           the end
 * Caller frees. */
#define REMOTE_HAS_9P  "cima:9p yes"
#define REMOTE_NO_9P   "cima:9p no"
#define REMOTE_MISSING "cima:missing "
#define REMOTE_CHECKED "cima:checked"
char *remote_check_9p_script(const struct strv *points);

/* For `sh -s`: unmounts them, the last one first; one that is in use stays. Caller frees. */
char *remote_unmount_script(const struct strv *points);

#endif
