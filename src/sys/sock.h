/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_SYS_SOCK_H
#define CIMA_SYS_SOCK_H

#include "base/err.h"

/* Longest path that fits in sockaddr_un, without the NUL. */
#define UNIX_PATH_LIMIT 107

/* Listens on a stream socket, mode 0600 from the moment it exists. Only a dead socket of ours is
 * removed first: a live one is ERR_BUSY, anything that is no socket (or another user's) ERR_EXISTS.
 * Two that replace a dead socket at the same time must exclude each other by a lock. */
int unix_listen(const char *path, int backlog, struct err *err);
/* Non-blocking connected fd within timeout_ms. A missing socket is ERR_NOT_FOUND, a dead one
 * ERR_NET, no answer ERR_TIMEOUT. */
int unix_connect(const char *path, int timeout_ms, struct err *err);
/* Does somebody listen at the path, given as it was bound? Asks the kernel: connecting to find out
 * could be the only connection that is taken. False also for a socket of another network namespace,
 * which can't be seen. */
bool unix_is_listening(const char *path);
/* uid of the other end of a unix socket; -1 with errno. */
int unix_peer_uid(int fd, unsigned *ret_uid);
/* Reserves a free TCP port of 127.0.0.1: nobody is given it as long as the returned fd is open, but a
 * server that sets SO_REUSEADDR (QEMU does) may listen there meanwhile. */
int tcp_reserve_port(uint16_t *ret_port, struct err *err);
/* May 127.0.0.1:port be bound now? */
bool tcp_port_free(uint16_t port);
/* Starts a non-blocking connect to 127.0.0.1:port; fd or -1 with errno. */
int tcp_connect_start(uint16_t port);
int fd_set_nonblock(int fd, bool on);

#endif
