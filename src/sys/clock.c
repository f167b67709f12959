/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/clock.h"
#include <limits.h>
#include <time.h>

int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t deadline_in(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : monotonic_ms() + timeout_ms;
}

int deadline_left(int64_t deadline)
{
    if (deadline == INT64_MAX)
        return -1;
    int64_t left = deadline - monotonic_ms();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}
