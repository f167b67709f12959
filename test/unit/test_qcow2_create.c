/* SPDX-License-Identifier: Apache-2.0 */
/* Our own empty qcow2 against the judgement of qemu-img and of our own inspection. */
#include "base/fs.h"
#include "base/mem.h"
#include "image/image.h"
#include "sys/spawn.h"
#include "tmpdir.h"
#include <fcntl.h>

static char *dir;

static void setup(void)
{
    dir = tmpdir_new();
}

static void teardown(void)
{
    tmpdir_remove(&dir);
}

TestSuite(qcow2_create, .init = setup, .fini = teardown);

static int make(const char *name, uint64_t size, const char *backing, const char *format,
                struct err *err)
{
    _cleanup_free_ char *path = path_join(dir, name);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    return qcow2_create(fd, size, backing, format, err);
}

/* The output of qemu-img; NULL when it fails. Caller frees. */
static char *qemu_img(const char *command, const char *file)
{
    const char *const argv[] = {"qemu-img", command, "-f", "qcow2", "--output=json", file, NULL};
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;

    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH;
    s.cwd = dir;
    cr_assert_eq(run_capture(&s, NULL, 65536, 60000, &r, &err), 0, "%s", err.msg);
    return r.status == 0 ? xstrdup(sbuf_str(&r.out)) : NULL;
}

static void check(const char *name, uint64_t size)
{
    _cleanup_free_ char *path = path_join(dir, name), *checked = qemu_img("check", name),
                        *info = qemu_img("info", name),
                        *virtual_size = xasprintf("\"virtual-size\": %llu",
                                                  (unsigned long long)size);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct image_info ours = {0};
    struct err err = ERR_INIT;

    cr_assert_not_null(checked, "qemu-img check finds fault with %s", name);
    cr_assert_null(strstr(checked, "leaks"), "%s", checked);
    cr_assert_not_null(info);
    cr_assert_not_null(strstr(info, virtual_size), "%s", info);
    cr_assert_eq(image_inspect_fd(fd, name, &ours, &err), 0, "%s", err.msg);
    cr_assert_eq(ours.format, IMAGE_QCOW2);
    cr_assert_eq(ours.virtual_size, size);
}

Test(qcow2_create, SD_66_empty_disks_of_all_sizes)
{
    static const uint64_t sizes[] = {512, 65536, UINT64_C(1) << 29, (UINT64_C(1) << 29) + 512,
                                     UINT64_C(100) << 30, UINT64_C(4) << 40, UINT64_C(1) << 50};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        _cleanup_free_ char *name = xasprintf("d%zu", i);
        struct err err = ERR_INIT;
        cr_assert_eq(make(name, sizes[i], NULL, NULL, &err), 0, "%s", err.msg);
        check(name, sizes[i]);
    }
}

Test(qcow2_create, an_overlay_names_its_backing_file_and_format)
{
    _cleanup_free_ char *image = path_join(dir, "image");
    struct err err = ERR_INIT;

    cr_assert_eq(file_write_atomic(image, "x", 1, 0600, &err), 0);
    cr_assert_eq(truncate(image, 1 << 20), 0);
    cr_assert_eq(make("disk", 1 << 24, "image", "raw", &err), 0, "%s", err.msg);
    check("disk", 1 << 24);
    _cleanup_free_ char *info = qemu_img("info", "disk");
    cr_assert_not_null(strstr(info, "\"backing-filename\": \"image\""), "%s", info);
    cr_assert_not_null(strstr(info, "\"backing-filename-format\": \"raw\""), "%s", info);
}

Test(qcow2_create, impossible_ones_are_refused)
{
    _cleanup_free_ char *long_name = xcalloc(1, 2000);
    static const uint64_t bad[] = {0, 511, 513, UINT64_MAX / 512 * 512, UINT64_C(1) << 62};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *name = xasprintf("d%zu", i);
        _cleanup_err_ struct err err = ERR_INIT;
        cr_assert_eq(make(name, bad[i], NULL, NULL, &err), -1);
        cr_assert_eq(err.kind, ERR_USAGE);
    }
    memset(long_name, 'a', 1999);
    cr_assert_eq(make("d", 512, long_name, "raw", NULL), -1);
}
