/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the host in the guest, as far as the host has to do something for them (HA-25,
 * HA-70, F24, F43, F45).
 *
 * reverse-sshfs: per mount one ssh session with sshfs at its end and a host sftp-server on its pipe
 * (sftp_pair.h). A mount waits for the ones that it lies in. It is there when it answers; after a
 * failure it is tried once more over a mount point that is not empty, then the instance is
 * degraded. One that was there and is lost is made again, less and less often; all are made again
 * after a new ssh master and after each boot of the guest.
 *
 * 9p: mounted by the guest itself. Afterwards it is asked which mounts are there; with a kernel that
 * has no 9p, reverse-sshfs takes their place. */
#ifndef CIMA_MOUNT_MOUNT_SERVICE_H
#define CIMA_MOUNT_MOUNT_SERVICE_H

#include "service/service.h"

extern const struct service_type mount_service;

#endif
