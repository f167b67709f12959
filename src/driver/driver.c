/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/driver.h"
#include "driver/qemu/qemu.h"

static const struct driver *const drivers[] = {&qemu_driver};

const struct driver *driver_find(const char *vm_type)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (streq0(drivers[i]->name, vm_type))
            return drivers[i];
    return NULL;
}

void driver_sweep(const struct instance *inst)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        drivers[i]->sweep(inst);
}

const char *const *driver_names(void)
{
    static const char *names[ARRAY_SIZE(drivers) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        names[i] = drivers[i]->name;
    return names;
}
