/* SPDX-License-Identifier: Apache-2.0 */
/* One reverse-sshfs mount: what is run, and what its failure means. Pure but for sshfs_prepare(). */
#ifndef CIMA_MOUNT_SSHFS_H
#define CIMA_MOUNT_SSHFS_H

#include "base/err.h"
#include "config/config.h"
#include "ssh/ssh.h"

/* The directory is there, or is made (0755); else ERR_NOT_FOUND, ERR_IO, ERR_CONFIG. */
int sshfs_prepare(const char *local, struct err *err);
/* "slave,ro,allow_other,…" of HA-70. Caller frees. */
char *sshfs_options(const struct config_mount *m, bool nonempty);
/* ssh with the sshfs of the guest at its end, as sftp_pair_spec.ssh_argv. */
int sshfs_ssh_argv(const struct ssh_target *t, const struct config_mount *m, const char *local,
                   bool nonempty, struct strv *ret, struct err *err);
/* The sftp-server for it; of a mount that is not writable it can only read. */
void sshfs_server_argv(const char *server, const struct config_mount *m, struct strv *ret);

#endif
