/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/snapshot.h"
#include "base/mem.h"
#include "driver/qemu/disk.h"
#include "sys/spawn.h"
#include <sys/wait.h>

#define INFO_MS  60000
#define TEXT_MAX (4U << 20)

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

/* limited: it only reads. One that changes the image must not be ended in the middle of that. */
static int qemu_img(struct strv *args, bool limited, int timeout_ms, struct run_result *ret, struct err *err)
{
    _cleanup_free_ char *program = find_program("qemu-img"), *how = NULL;
    struct spawn s = SPAWN_INIT;

    if (!program) {
        err_set(err, ERR_NOT_FOUND, "qemu-img not found in PATH");
        return err_hint(err, "install the package 'qemu-utils'");
    }
    strv_insert(args, 0, program);
    s.argv = (const char *const *)strv_argv(args);
    s.umask_ = 077;
    if (limited)
        qemu_img_limit(&s);
    if (run_capture(&s, NULL, TEXT_MAX, timeout_ms, ret, err) < 0)
        return -1;
    if (WIFEXITED(ret->status) && WEXITSTATUS(ret->status) == 0)
        return 0;
    how = wait_status_text(ret->status);
    err_set(err, ERR_QEMU, "qemu-img %s", how);
    return ret->err_out.len ? err_detail(err, sbuf_str(&ret->err_out)) : -1;
}

struct json *snapshot_image_info(const char *path, struct err *err)
{
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_free_ char *options = image_options(path);
    _cleanup_strv_ struct strv args = STRV_INIT;
    struct json *info = NULL;

    strv_pushl(&args, "info", "-U", "--output=json", "--image-opts", options, NULL);
    if (qemu_img(&args, /* limited= */ true, INFO_MS, &r, err) == 0)
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
    if (qemu_img(&args, /* limited= */ false, /* timeout_ms= */ -1, &r, err) < 0)
        return err_wrap(err, "the disk '%s'", path);
    return 0;
}
