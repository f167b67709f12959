/* SPDX-License-Identifier: Apache-2.0 */
/* The user's readiness probes (HA-22, HA-29): scripts that are run in the guest, one after the
 * other, each again until it succeeds, before the instance counts as running. */
#ifndef CIMA_SSH_PROBES_H
#define CIMA_SSH_PROBES_H

#include "service/service.h"

extern const struct service_type probe_service;

#endif
