/* SPDX-License-Identifier: Apache-2.0 */
/* Port and socket forwards through the ssh master, as a service of the host agent (HA-27, HA-50 to
 * HA-52, F24, F29).
 *
 * They live in the master: when it comes up they are asked for (`ssh -O forward`), when it ends they
 * are gone, and when it is back they are asked for again. One that can't be had (the port of the
 * host is busy) is told and tried again, less and less often; when all are up nothing runs here. */
#ifndef CIMA_FORWARD_FORWARD_SERVICE_H
#define CIMA_FORWARD_FORWARD_SERVICE_H

#include "service/service.h"

extern const struct service_type forward_service;

#endif
