/* SPDX-License-Identifier: Apache-2.0 */
/* Disks of an instance: made, enlarged, adopted from others, refused; with and without qemu-img. */
#include "driver_fixture.h"
#include "driver/qemu/disk.h"
#include "driver/qemu/disk_native.h"
#include <limits.h>
#include <sys/inotify.h>

#define BIOS "firmware: {legacyBIOS: true}\n"

static char *plan_error(struct fixture *f)
{
    _cleanup_err_ struct err err = ERR_INIT;

    if (f->driver->plan(&f->ctx, &f->plan, &f->notes, &err) == 0) {
        f->driver->plan_free(f->plan);
        f->plan = NULL;
        return NULL;
    }
    return err_text(&err);
}

static bool noted(const struct fixture *f, const char *text)
{
    for (size_t i = 0; i < f->notes.n; i++)
        if (strstr(f->notes.v[i].msg, text))
            return true;
    return false;
}

/* qemu-img as far as the tests themselves need it. */
static bool qemu_img(const char *const *argv)
{
    struct spawn s = SPAWN_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH;
    if (run_checked(&s, LONG_MS, &err) == 0)
        return true;
    _cleanup_free_ char *text = err_text(&err);
    fprintf(stderr, "%s\n", text);
    return false;
}

static bool no_qemu_img(void)
{
    _cleanup_free_ char *path = find_program("qemu-img");

    return !path;
}

static char *disk_of(const struct fixture *f)
{
    return instance_path(&f->inst, INST_DISK);
}

static uint64_t size_of(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_err_ struct err err = ERR_INIT;
    struct image_info info;

    if (fd < 0 || image_inspect_fd(fd, path, &info, &err) < 0)
        cr_assert_fail("%s: %s", path, err.msg);
    return info.virtual_size;
}

/* Nobody finds a program any more. */
static void hide_programs(void)
{
    setenv("PATH", "/nonexistent", 1);
}

/* ---- SD-66: without qemu-img ----------------------------------------------------------------- */

Test(disks, SD_66_qcow2_grows_without_qemu_img)
{
    static const uint64_t sizes[] = {65 << 20, UINT64_C(10) << 30, UINT64_C(100) << 30,
                                     UINT64_C(3) << 40};
    _cleanup_free_ char *path = getenv("PATH") ? xstrdup(getenv("PATH")) : NULL;
    struct fixture f;

    set_up(&f, BIOS, "run");
    make_disk(&f, "x");
    _cleanup_free_ char *disk = disk_of(&f);
    const char *const check[] = {"qemu-img", "check", "-q", "-f", "qcow2", disk, NULL};
    const char *const write[] = {"qemu-io",          "-f", "qcow2", "-c", "write -P 7 3G 64k", "-c",
                                 "read -P 7 3G 64k", disk, NULL};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        _cleanup_err_ struct err err = ERR_INIT;

        hide_programs();
        int r = qemu_disk_grow(disk, "qcow2", sizes[i], &err);
        setenv("PATH", path, 1);
        cr_assert_eq(r, 0, "%s", err.msg);
        cr_assert_eq(size_of(disk), sizes[i]);
        if (!no_qemu_img())
            cr_assert(qemu_img(check) && (i == 0 || qemu_img(write)));
    }
    tear_down(&f);
}

Test(disks, SD_66_what_only_qemu_img_can)
{
    static const struct {
        off_t at;
        const char *bytes;
        size_t len;
        uint64_t size;
        const char *error;
    } cases[] = {
        {0, "QFI\xfb", 4, UINT64_C(8) << 40, "its L1 table would have to move"},
        {60, "\0\0\0\1", 4, UINT64_C(1) << 30, "it has snapshots"},
        {79, "\1", 1, UINT64_C(1) << 30, "was not closed in order"},
        {95, "\1", 1, UINT64_C(1) << 30, "it has bitmaps"},
        {3 * 65536 + 8 + 6, "\1", 1, UINT64_C(1) << 30, "something stands behind"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture f;
        _cleanup_err_ struct err err = ERR_INIT;

        set_up(&f, BIOS, "run");
        make_disk(&f, "x");
        _cleanup_free_ char *disk = disk_of(&f);
        _cleanup_close_ int fd = open(disk, O_RDWR | O_CLOEXEC);
        cr_assert_eq(pwrite(fd, cases[i].bytes, cases[i].len, cases[i].at), (ssize_t)cases[i].len);
        cr_assert_eq(disk_native_grow(fd, disk, "qcow2", cases[i].size, &err), -1, "%zu", i);
        cr_assert_eq(err.kind, ERR_UNSUPPORTED);
        cr_assert(strstr(err.msg, cases[i].error), "%s", err.msg);
        cr_assert(strstr(err.hint, "qemu-utils"), "%s", err.hint);
        cr_assert_eq(size_of(disk), 64 << 20, "unchanged");
        tear_down(&f);
    }
}

Test(disks, SD_66_raw_grows)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;
    struct stat st;

    set_up(&f, BIOS, "run");
    _cleanup_free_ char *disk = disk_of(&f);
    /* What its guest has written there is nobody's business (S02). */
    write_file(f.inst.dir, "disk", "QFI\xfb\0\0\0\3 and nonsense", 0600);
    cr_assert_eq(qemu_disk_grow(disk, "raw", 1 << 20, &err), 0, "%s", err.msg);
    cr_assert_eq(stat(disk, &st), 0);
    cr_assert_eq(st.st_size, 1 << 20);
    cr_assert_eq(qemu_disk_grow(disk, "raw", 1 << 19, &err), 0);
    cr_assert_eq(stat(disk, &st), 0);
    cr_assert_eq(st.st_size, 1 << 20, "never smaller");
    tear_down(&f);
}

/* The variable store of UEFI, with and without qemu-img: the same content. */
Test(disks, SD_66_variables_without_qemu_img)
{
    _cleanup_free_ char *path = xstrdup(getenv("PATH"));
    _cleanup_err_ struct err err = ERR_INIT;
    struct fixture f;

    set_up(&f, BIOS, "run");
    _cleanup_free_ char *raw = path_join(f.dir, "vars.fd"), *one = path_join(f.dir, "one.qcow2");
    _cleanup_free_ char *noise = xmalloc(540672);
    for (size_t i = 0; i < 540672; i++)
        noise[i] = (char)(i * 7 + i / 4096);
    cr_assert_eq(file_write_atomic(raw, noise, 540672, 0600, NULL), 0);
    hide_programs();
    int r = qemu_disk_copy_vars(raw, "raw", one, &err);
    setenv("PATH", path, 1);
    cr_assert_eq(r, 0, "%s", err.msg);
    cr_assert_eq(size_of(one), 540672);
    if (!no_qemu_img()) {
        const char *const check[] = {"qemu-img", "check", "-q", "-f", "qcow2", one, NULL};
        const char *const compare[] = {"qemu-img", "compare", "-q", "-f", "qcow2",
                                       "-F",       "raw",     one,  raw,  NULL};

        cr_assert(qemu_img(check) && qemu_img(compare));
    }
    _cleanup_free_ char *empty = path_join(f.dir, "empty.fd"), *two = path_join(f.dir, "two.qcow2");
    write_file(f.dir, "empty.fd", "", 0600);
    hide_programs();
    cr_assert_eq(qemu_disk_copy_vars(empty, "raw", two, &err), -1);
    cr_assert_not(path_exists(two));
    setenv("PATH", path, 1);
    tear_down(&f);
}

/* ---- SD-64, F36: size ------------------------------------------------------------------------ */

static void want(struct fixture *f, const char *size)
{
    f->config.v.disk = (char *)size; /* the arena has the old one */
}

Test(disks, SD_64_F36_shrinking_is_refused)
{
    struct fixture f;

    set_up(&f, BIOS, "run");
    make_disk(&f, "x");
    want(&f, "32MiB");
    _cleanup_free_ char *text = plan_error(&f);
    cr_assert(text && strstr(text, "disk shrinking is not supported"), "%s", text);
    cr_assert(strstr(text, "set `disk: 64MiB`"), "%s", text);
    tear_down(&f);
}

Test(disks, SD_64_growth_is_told)
{
    struct fixture f;

    set_up(&f, BIOS, "run");
    make_disk(&f, "x");
    want(&f, "96MiB");
    _cleanup_free_ char *text = plan_error(&f);
    cr_assert_null(text, "%s", text);
    cr_assert(noted(&f, "Resize instance i's disk from 64MiB to 96MiB"));
    tear_down(&f);
}

Test(disks, F36_resized_by_hand)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up(&f, BIOS, "run");
    make_disk(&f, "x");
    _cleanup_free_ char *disk = disk_of(&f);
    cr_assert_eq(qemu_disk_grow(disk, "qcow2", 128 << 20, &err), 0, "%s", err.msg);
    _cleanup_free_ char *text = plan_error(&f);
    cr_assert_null(text, "%s", text);
    cr_assert(noted(&f, "it stays at 128MiB"));
    tear_down(&f);
}

/* The image is larger than the YAML says: the disk has its size. */
Test(disks, F36_image_larger_than_the_yaml)
{
    struct fixture f;
    uint64_t minimum = 0;
    _cleanup_err_ struct err err = ERR_INIT;
    const struct image_info image = {.format = IMAGE_RAW, .virtual_size = 200 << 20};

    set_up(&f, BIOS, "run");
    write_file(f.inst.dir, "image", "x", 0600);
    cr_assert_eq(qemu_disk_create(&f.inst, &image, 64 << 20, &minimum, &err), 1, "%s", err.msg);
    _cleanup_free_ char *disk = disk_of(&f);
    cr_assert_eq(size_of(disk), 200 << 20);
    cr_assert_eq(minimum, 200 << 20);
    tear_down(&f);
}

/* ---- SD-65: names of an older Lima ----------------------------------------------------------- */

Test(disks, SD_65_diffdisk_and_basedisk)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;
    char target[64] = "";

    if (no_qemu_img())
        cr_skip_test("qemu-img is not installed");
    set_up(&f, BIOS, "run");
    write_file(f.inst.dir, "basedisk", "x", 0600);
    _cleanup_free_ char *base = path_join(f.inst.dir, "basedisk");
    _cleanup_free_ char *diff = path_join(f.inst.dir, "diffdisk"), *disk = disk_of(&f);
    cr_assert_eq(truncate(base, 1 << 20), 0);
    const char *const create[] = {"qemu-img", "create", "-q", "-f", "qcow2", "-F",
                                  "raw",      "-b",     base, diff, "64M",   NULL};
    cr_assert(qemu_img(create));
    write_file(f.inst.dir, "cidata.iso", "seed", 0600);
    if (f.driver->plan(&f.ctx, &f.plan, &f.notes, &err) < 0 ||
        f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &f.vm, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    f.shutdown_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(readlink(disk, target, sizeof(target) - 1), 8);
    cr_assert_str_eq(target, "diffdisk");
    tear_down(&f);
}

/* ---- S01, F35: disks that somebody else has made --------------------------------------------- */

/* Plans with such a `disk`; nothing may look into the file it names. */
static void refuses(const char *name, const char *const *create, const char *word)
{
    struct fixture f;
    struct inotify_event event;
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    set_up(&f, BIOS, "run");
    char here[PATH_MAX];
    cr_assert(getcwd(here, sizeof(here)));
    cr_assert_eq(chdir(f.inst.dir), 0);
    write_file(f.inst.dir, "secret", "x", 0600);
    _cleanup_free_ char *secret = path_join(f.inst.dir, "secret");
    cr_assert_eq(truncate(secret, 1 << 20), 0);
    if (create)
        cr_assert(qemu_img(create), "%s", name);
    cr_assert_geq(inotify_add_watch(watch, secret, IN_OPEN | IN_ACCESS), 0);
    _cleanup_free_ char *text = plan_error(&f);
    cr_assert(text && strstr(text, word), "%s: %s", name, text ? text : "was accepted");
    cr_assert_eq(read(watch, &event, sizeof(event)), -1, "%s: the file was opened", name);
    cr_assert_eq(chdir(here), 0);
    tear_down(&f);
}

#define CREATE(...)                                                                                \
    (const char *const[])                                                                          \
    {                                                                                              \
        "qemu-img", "create", "-q", __VA_ARGS__, NULL                                              \
    }

Test(disks, S01_SD_63_disks_that_name_other_files)
{
    if (no_qemu_img())
        cr_skip_test("qemu-img is not installed");
    refuses("relative", CREATE("-f", "qcow2", "-F", "raw", "-b", "secret", "disk"),
            "refers to another file ('secret')");
    refuses("absolute", CREATE("-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/shadow", "disk", "1M"),
            "refers to another file ('/etc/shadow')");
    refuses("json",
            CREATE("-u", "-f", "qcow2", "-F", "raw", "-b",
                   "json:{\"driver\":\"file\",\"filename\":\"secret\"}", "disk", "1M"),
            "refers to another file");
    refuses("nbd",
            CREATE("-u", "-f", "qcow2", "-F", "raw", "-b", "nbd://127.0.0.1:1", "disk", "1M"),
            "refers to another file");
    refuses("data file",
            CREATE("-f", "qcow2", "-o", "data_file=other,data_file_raw=on", "disk", "1M"),
            "refers to another file");
    refuses("vmdk", CREATE("-f", "vmdk", "-o", "subformat=monolithicFlat", "disk", "1M"),
            "refers to another file");
}

static void damage(const char *name, const char *content, size_t len, const char *word)
{
    struct fixture f;

    set_up(&f, BIOS, "run");
    _cleanup_free_ char *disk = disk_of(&f);
    cr_assert_eq(file_write_atomic(disk, content, len, 0600, NULL), 0);
    _cleanup_free_ char *text = plan_error(&f);
    cr_assert(text && strstr(text, word), "%s: %s", name, text ? text : "was accepted");
    cr_assert_null(strstr(text, "fetch or build"), "an instance's disk can't be fetched: %s", text);
    tear_down(&f);
}

Test(disks, F35_damaged)
{
    char head[512] = "QFI\xfb\0\0\0\3";

    damage("empty", "", 0, "is empty");
    damage("cut", "QFI\xfb\0\0\0\3", 8, "is damaged");
    head[23] = 16;
    damage("no size", head, sizeof(head), "is damaged");
    damage("tiny", "tiny", 4, "no disk image");
}

/* A raw disk called disk stays raw, and a qcow2 is one whatever its name. */
Test(disks, F35_S02_not_by_name)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up(&f, BIOS, "run");
    _cleanup_free_ char *disk = disk_of(&f);
    write_file(f.inst.dir, "disk", "just bytes", 0600);
    write_file(f.inst.dir, "cidata.iso", "seed", 0600);
    cr_assert_eq(truncate(disk, 64 << 20), 0);
    if (f.driver->plan(&f.ctx, &f.plan, &f.notes, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    _cleanup_free_ char *text = f.driver->plan_text(f.plan);
    cr_assert(strstr(text, "raw,node-name=boot-disk"), "%s", text);
    tear_down(&f);
}

/* vmdk and vhdx that stand alone are taken as they are (SD-62), with the format named. */
Test(disks, SD_62_vmdk_and_vhdx)
{
    static const char *const formats[] = {"vmdk", "vhdx"};

    if (no_qemu_img())
        cr_skip_test("qemu-img is not installed");
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct fixture f;
        _cleanup_err_ struct err err = ERR_INIT;

        set_up(&f, BIOS, "run");
        _cleanup_free_ char *disk = disk_of(&f);
        _cleanup_free_ char *wanted = xasprintf("%s,node-name=boot-disk", formats[i]);
        const char *const create[] = {"qemu-img", "create", "-q",  "-f",
                                      formats[i], disk,     "64M", NULL};
        cr_assert(qemu_img(create));
        write_file(f.inst.dir, "cidata.iso", "seed", 0600);
        if (f.driver->plan(&f.ctx, &f.plan, &f.notes, &err) < 0)
            cr_assert_fail("%s: %s", formats[i], err_text(&err));
        _cleanup_free_ char *text = f.driver->plan_text(f.plan);
        cr_assert(strstr(text, wanted), "%s", text);
        tear_down(&f);
    }
}

/* SD-61: a rollback when the disk can't be made. */
Test(disks, SD_61_iso_is_put_back)
{
    struct fixture f;
    uint64_t minimum = 0;
    _cleanup_err_ struct err err = ERR_INIT;
    const struct image_info iso = {.format = IMAGE_ISO, .virtual_size = 4096};

    set_up(&f, BIOS, "run");
    write_file(f.inst.dir, "image", "iso", 0600);
    _cleanup_free_ char *way = path_join(f.inst.dir, "disk.tmp");
    cr_assert_eq(mkdir(way, 0700), 0);
    cr_assert_eq(qemu_disk_create(&f.inst, &iso, 64 << 20, &minimum, &err), -1);
    cr_assert(has(&f, INST_IMAGE) && !has(&f, INST_ISO));
    err_clear(&err);
    cr_assert_eq(rmdir(way), 0);
    cr_assert_eq(qemu_disk_create(&f.inst, &iso, 64 << 20, &minimum, &err), 1, "%s", err.msg);
    cr_assert(has(&f, INST_ISO) && !has(&f, INST_IMAGE));
    _cleanup_free_ char *disk = disk_of(&f);
    cr_assert_eq(size_of(disk), 64 << 20);
    tear_down(&f);
}
