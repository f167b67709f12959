/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of a forward, looked at before ssh is asked: ssh tells its client nothing but
 * "forwarding failed". */
#ifndef CIMA_FORWARD_LISTEN_H
#define CIMA_FORWARD_LISTEN_H

#include "base/err.h"
#include "forward/rules.h"

/* Could ssh listen there now? For a TCP port by binding it for a moment: ERR_BUSY, ERR_PERMISSION
 * (below 1024) or ERR_NET with the reason and a hint. For a socket by making its directory (0750)
 * and removing a dead socket of ours; whatever else is there is refused (F06, S18). */
int forward_check_host(const struct forward *f, struct err *err);
/* Removes the socket file of a forward that is over, which ssh leaves behind. */
void forward_remove_socket(const struct forward *f);
/* Does another program listen on the other loopback address, where a client that says `localhost`
 * may end up? */
bool forward_port_shadowed(const struct forward *f);

#endif
