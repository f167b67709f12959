/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service.h"

void service_waiting(const struct service *s, const char *text)
{
    if (s->host->waiting)
        s->host->waiting(s->host, s->type->name, text);
}

static const char *const stage_names[] = {
    [STAGE_CREATED] = "created",
    [STAGE_DISK_READY] = "disk ready",
    [STAGE_VM_RUNNING] = "vm running",
    [STAGE_SSH_BANNER] = "ssh banner",
    [STAGE_USER_SESSION] = "user session",
    [STAGE_AGENT_HELLO] = "agent hello",
    [STAGE_BOOT_DONE] = "boot done",
    [STAGE_RUNNING] = "running",
    [STAGE_STOPPING] = "stopping",
    [STAGE_GONE] = "gone",
};
ENUM_STRINGS_DEFINE(stage, STAGE_COUNT)

static const char *const guest_event_names[] = {
    [GUEST_RESET] = "reset",
    [GUEST_PAUSED] = "paused",
    [GUEST_RESUMED] = "resumed",
    [GUEST_RESTORED] = "restored",
    [GUEST_LINK_UP] = "link up",
    [GUEST_LINK_DOWN] = "link down",
    [GUEST_BOOTED] = "booted",
};
ENUM_STRINGS_DEFINE(guest_event, GUEST_EVENT_COUNT)
