/* SPDX-License-Identifier: Apache-2.0 */
/* Two programs connected crosswise: ssh with the sshfs of the guest at its far end, and the host's
 * sftp-server. Their bytes do not pass through us. */
#ifndef CIMA_MOUNT_SFTP_PAIR_H
#define CIMA_MOUNT_SFTP_PAIR_H

#include "sys/loop.h"

struct sftp_pair;

struct sftp_pair_spec {
    const char *const *ssh_argv, *const *server_argv; /* looked up in $PATH */
    /* A line of the stderr of either. */
    void (*line)(void *arg, const char *line, size_t len);
    /* Both are over, whichever ended first; ssh's wait status. The pair is gone then. Never from
     * within sftp_pair_start(). */
    void (*ended)(void *arg, int ssh_status);
    void *arg;
};

/* $CIMA_SFTP_SERVER, else the sftp-server of the system's OpenSSH where distributions keep it, else
 * in $PATH. Caller frees. */
char *sftp_server_find(struct err *err);
struct sftp_pair *sftp_pair_start(struct loop *loop, const struct sftp_pair_spec *spec,
                                  struct err *err);
/* Asks both to end; ended() follows. */
void sftp_pair_terminate(struct sftp_pair *p);
/* Kills and reaps both without another callback. NULL is allowed. Returns NULL. */
struct sftp_pair *sftp_pair_free(struct sftp_pair *p);

#endif
