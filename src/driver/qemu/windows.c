/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/windows.h"
#include "base/fs.h"
#include "base/mem.h"

#define DONE_FILE "win-done-installation"

bool windows_wants_key(const struct instance *inst, const struct config_instance *cfg)
{
    _cleanup_free_ char *done = path_join(inst->dir, DONE_FILE);
    _cleanup_free_ char *iso = instance_path(inst, INST_ISO);

    return streq0(cfg->os, "Windows") && path_exists(iso) && !path_exists(done);
}

int windows_mark_installation(const struct instance *inst, struct err *err)
{
    _cleanup_free_ char *done = path_join(inst->dir, DONE_FILE);

    return file_write_atomic(done, "", 0, 0600, err);
}

struct json *windows_enter_key(void)
{
    struct json *args = json_object_new(), *keys = json_array_new(), *key = json_object_new();

    json_set_str(key, "type", "qcode");
    json_set_str(key, "data", "ret");
    json_append(keys, key);
    json_set(args, "keys", keys);
    return args;
}
