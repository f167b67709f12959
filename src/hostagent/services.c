/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/agent.h"
#include "forward/agent_service.h"
#include "forward/forward_service.h"
#include "mount/copy_service.h"
#include "mount/mount_service.h"
#include "ssh/probes.h"
#include "ssh/ssh_service.h"

const struct service_type *const agent_services[] = {
    &ssh_service,
    &forward_service,
    &mount_service,
    &ssh_agent_service,
    &copy_service,
    &probe_service,
    NULL,
};
