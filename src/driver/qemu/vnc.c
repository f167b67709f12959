/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/vnc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include <errno.h>
#include <sys/random.h>

#define PASSWORD_LEN 8
#define FIRST_PORT   5900

/* Letters and digits that can't be taken for one another; 32 of them, so that five bits of a random
 * byte choose one without bias: 40 bits in all, the most that eight characters are asked for here.
 */
static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789A";

int vnc_make_password(const struct instance *inst, struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, INST_VNC_PASSWORD);
    unsigned char noise[PASSWORD_LEN];
    char password[PASSWORD_LEN];

    _Static_assert(sizeof(alphabet) == 32 + 1, "five bits");
    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
        return err_set_errno(err, ERR_IO, "making a VNC password");
    for (size_t i = 0; i < PASSWORD_LEN; i++)
        password[i] = alphabet[noise[i] & 31];
    if (file_write_unsynced(path, password, PASSWORD_LEN, 0600, err) < 0)
        return err_wrap(err, "writing the VNC password");
    return 0;
}

char *vnc_read_password(const struct instance *inst, struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, INST_VNC_PASSWORD);

    return file_read(path, 64, NULL, err);
}

int vnc_display_of(const struct json *answer, char **ret_display, char **ret_service,
                   struct err *err)
{
    const char *host = json_get_str(answer, "host"), *service = json_get_str(answer, "service");
    const char *family = json_get_str(answer, "family");
    uint64_t port;

    if (!json_get_bool(answer, "enabled", false) || !service)
        return err_set(err, ERR_QEMU, "QEMU says that it has no VNC display");
    if (streq0(family, "unix")) {
        *ret_display = xasprintf("unix:%s", service);
        *ret_service = NULL;
        return 0;
    }
    if (!host || parse_uint(service, UINT16_MAX, &port) < 0 || port < FIRST_PORT)
        return err_set(err, ERR_QEMU, "QEMU does not tell the port of its VNC display");
    *ret_display =
        xasprintf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)(port - FIRST_PORT));
    *ret_service = xstrdup(service);
    return 0;
}

int vnc_write_display(const struct instance *inst, const char *display, struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, INST_VNC_DISPLAY);

    return file_write_unsynced(path, display, strlen(display), 0600, err);
}

void vnc_remove_files(const struct instance *inst)
{
    static const enum inst_file files[] = {INST_VNC_DISPLAY, INST_VNC_PASSWORD};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = instance_path(inst, files[i]);

        unlink(path);
    }
}
