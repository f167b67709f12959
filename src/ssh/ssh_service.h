/* SPDX-License-Identifier: Apache-2.0 */
/* ssh into the guest, as a service of the host agent: from the first banner to a master connection
 * that is kept up (HA-21, HA-23, HA-31, F21, F24).
 *
 *   banner ─► login ─► master ─► boot done ─► up
 *     ▲         │         │          │         │
 *     └─────────┴─────────┴──────────┴─────────┘  anything that breaks, and a reboot of the guest
 *
 *   banner  TCP connections to the forwarded port until an ssh server greets (banner.h): the one
 *           place that polls
 *   login   one ssh of its own (groups and limits of a login are those of its time), which waits in
 *           the guest for the user session
 *   master  the ControlMaster, a supervised child in the foreground. Its own session waits in the
 *           guest for the end of the boot scripts and then prints their report: an event stream.
 *           The session stays as long as the master; when we die, its stdin ends, and so does it
 *   up      nothing is done here until the master ends
 *
 * Others learn by GUEST_LINK_UP, GUEST_BOOTED and GUEST_LINK_DOWN. At the end of the instance a
 * master that is up only loses its own session: it leaves with the last of the others.
 */
#ifndef CIMA_SSH_SSH_SERVICE_H
#define CIMA_SSH_SSH_SERVICE_H

#include "service/service.h"

extern const struct service_type ssh_service;

#endif
