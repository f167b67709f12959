/* SPDX-License-Identifier: Apache-2.0 */
/* `ssh.forwardAgent` for everybody in the guest (HA-24): /run/host-services/ssh-auth.sock leads to
 * the agent of the host. A session of the master holds the forwarded agent open; it is made anew
 * with each master. */
#ifndef CIMA_FORWARD_AGENT_SERVICE_H
#define CIMA_FORWARD_AGENT_SERVICE_H

#include "service/service.h"

extern const struct service_type ssh_agent_service;

#endif
