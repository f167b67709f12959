/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_SYS_CLOCK_H
#define CIMA_SYS_CLOCK_H

#include "base/macro.h"

/* Milliseconds of the monotonic clock. */
int64_t monotonic_ms(void);
/* The moment timeout_ms from now; INT64_MAX (never) for a negative timeout. */
int64_t deadline_in(int timeout_ms);
/* What is left until the deadline as poll() wants it: 0 when it is over, -1 when it never comes. */
int deadline_left(int64_t deadline);

#endif
