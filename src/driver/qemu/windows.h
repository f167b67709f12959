/* SPDX-License-Identifier: Apache-2.0 */
/* Windows guests (S1-H3): a start from the installation CD asks for a key first. */
#ifndef CIMA_DRIVER_QEMU_WINDOWS_H
#define CIMA_DRIVER_QEMU_WINDOWS_H

#include "config/config.h"
#include "json/json.h"
#include "store/store.h"

/* An installation CD is there and was not booted yet: `win-done-installation` is not there. */
bool windows_wants_key(const struct instance *inst, const struct config_instance *cfg);
/* Writes that file. */
int windows_mark_installation(const struct instance *inst, struct err *err);
/* The arguments of send-key for Enter. */
struct json *windows_enter_key(void);

#endif
