/* SPDX-License-Identifier: Apache-2.0 */
/* One string table per enum. In a header: ENUM_STRINGS_DECLARE(vm_stage); in the .c file:
 *   static const char *const vm_stage_names[] = { [VM_STAGE_GONE] = "gone", … };
 *   ENUM_STRINGS_DEFINE(vm_stage, VM_STAGE_COUNT)
 */
#ifndef CIMA_BASE_ENUM_H
#define CIMA_BASE_ENUM_H

#include "base/macro.h"

#define ENUM_STRINGS_DECLARE(name)                   \
    const char *name##_to_string(enum name value);   \
    int name##_from_string(const char *s, enum name *ret)

#define ENUM_STRINGS_DEFINE(name, count)                                                     \
    _Static_assert(ARRAY_SIZE(name##_names) == (count), "a name for every " #name);          \
    const char *name##_to_string(enum name value)                                            \
    {                                                                                        \
        return (size_t)value < (size_t)(count) && name##_names[value] ? name##_names[value]  \
                                                                      : "?";                 \
    }                                                                                        \
    int name##_from_string(const char *s, enum name *ret)                                    \
    {                                                                                        \
        for (size_t i = 0; i < (size_t)(count); i++)                                         \
            if (name##_names[i] && streq(name##_names[i], s)) {                              \
                *ret = (enum name)i;                                                         \
                return 0;                                                                    \
            }                                                                                \
        return -1;                                                                           \
    }

#endif
