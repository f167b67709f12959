/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_DRIVER_QEMU_QEMU_H
#define CIMA_DRIVER_QEMU_QEMU_H

#include "driver/driver.h"

extern const struct driver qemu_driver;

#endif
