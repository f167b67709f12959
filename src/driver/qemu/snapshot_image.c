/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/snapshot.h"
#include "base/mem.h"
#include "driver/qemu/qemu_img.h"

#define INFO_MS 60000

/* The format is named, never guessed (S02); a comma in the name is doubled. */
static char *image_options(const char *path)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    sbuf_addstr(&s, "driver=qcow2,file.driver=file,file.filename=");
    for (; *path; path++) {
        if (*path == ',')
            sbuf_addch(&s, ',');
        sbuf_addch(&s, *path);
    }
    return sbuf_detach(&s);
}

static int run_qemu_img(const struct strv *args, bool limited, int timeout_ms, struct run_result *ret,
                        struct err *err)
{
    _cleanup_free_ char *program = find_program("qemu-img");

    if (!program) {
        err_set(err, ERR_NOT_FOUND, "qemu-img not found in PATH");
        return err_hint(err, "install the package 'qemu-utils'");
    }
    return qemu_img(program, args, limited, timeout_ms, ret, err);
}

struct json *snapshot_image_info(const char *path, struct err *err)
{
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_free_ char *options = image_options(path);
    _cleanup_strv_ struct strv args = STRV_INIT;
    struct json *info = NULL;

    strv_pushl(&args, "info", "-U", "--output=json", "--image-opts", options, NULL);
    if (run_qemu_img(&args, /* limited= */ true, INFO_MS, &r, err) == 0)
        info = json_parse(sbuf_str(&r.out), r.out.len, "answer of qemu-img", err);
    if (!info)
        err_wrap(err, "reading the snapshots of '%s'", path);
    return info;
}

int snapshot_image_change(const char *path, const char *operation, const char *tag,
                          struct err *err)
{
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_free_ char *options = image_options(path);
    _cleanup_strv_ struct strv args = STRV_INIT;

    strv_pushl(&args, "snapshot", operation, tag, "--image-opts", options, NULL);
    if (run_qemu_img(&args, /* limited= */ false, /* timeout_ms= */ -1, &r, err) < 0)
        return err_wrap(err, "the disk '%s'", path);
    return 0;
}
