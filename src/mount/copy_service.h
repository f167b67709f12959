/* SPDX-License-Identifier: Apache-2.0 */
/* `copyToHost` (HA-32): files of the guest are fetched when its boot scripts are over, one after the
 * other, before the instance counts as running. What is there on the host is replaced in one step,
 * a symbolic link too; mode 0600. With deleteOnStop the copy goes with the instance. */
#ifndef CIMA_MOUNT_COPY_SERVICE_H
#define CIMA_MOUNT_COPY_SERVICE_H

#include "service/service.h"

/* Larger files are refused: they pass through memory. */
#define COPY_BYTES_MAX (64 * 1024 * 1024)

extern const struct service_type copy_service;

#endif
