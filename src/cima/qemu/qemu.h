/* SPDX-License-Identifier: Apache-2.0 */
/* libcima-qemu: describe a machine by typed devices, start QEMU with it, talk to QEMU. All headers
 * of the library at once; libcima-qemu(3) shows how they go together. */
#ifndef CIMA_QEMU_QEMU_H
#define CIMA_QEMU_QEMU_H

#include "cima/qemu/cmdline.h"
#include "cima/qemu/commands.h"
#include "cima/qemu/device.h"
#include "cima/qemu/error.h"
#include "cima/qemu/json.h"
#include "cima/qemu/launch.h"
#include "cima/qemu/machine.h"
#include "cima/qemu/opts.h"
#include "cima/qemu/qmp.h"

#endif
