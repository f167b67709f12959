/* SPDX-License-Identifier: Apache-2.0 */
/* A driver whose machine is a small process: it locks qemu.pid as QEMU does, greets on a TCP port as
 * sshd does, and ends on SIGTERM (asked by the driver), SIGUSR1 (the guest's own poweroff) or when
 * it is killed. $FAKE_DRIVER makes it fail: plan, start, die (right after its start), stubborn
 * (ignores SIGTERM). On SIGUSR2 the agent's side reads an event from the file fake-event. */
#ifndef CIMA_TEST_FAKE_DRIVER_H
#define CIMA_TEST_FAKE_DRIVER_H

#include "driver/driver.h"

extern const struct driver fake_driver;

#endif
