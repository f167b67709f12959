/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor of the fake driver's machine (test/unit/hostagent/test_monitor.c says what it knows),
 * and its screen, which can be seen once. */
#ifndef CIMA_TEST_FAKE_TOOLS_H
#define CIMA_TEST_FAKE_TOOLS_H

#include "driver/tools.h"

extern const struct driver_tools fake_driver_tools;
/* Of the agent; the fake driver sets it. */
extern struct loop *fake_tools_loop;
/* Ends the machine at once, as its driver sees it; the fake driver sets it. */
extern void (*fake_tools_end)(struct vm *vm);

#endif
