/* SPDX-License-Identifier: Apache-2.0 */
/* Every command that commands.h can make, with everything that can be said to it. */
#ifndef CIMA_TEST_QMP_CALLS_H
#define CIMA_TEST_QMP_CALLS_H

#include "cima/qemu/commands.h"

struct known_call {
    const char *maker;   /* the name behind cima_cmd_ */
    const char *command; /* of QMP */
    const char *args;    /* as JSON, with ' for "; NULL: none */
    struct cima_qmp_call (*make)(void);
};
extern const struct known_call known_calls[];
extern const size_t n_known_calls;

#endif
