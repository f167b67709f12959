/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is: hand-made headers, hostile and damaged ones (S01, F35), and images of the real
 * qemu-img. */
#include "image/image.h"
#include "image_fixture.h"
#include "store_fixture.h"
#include "sys/spawn.h"
#include <fcntl.h>

TestSuite(image, .timeout = 600);

static int inspect(const char *path, struct image_info *ret, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "opening %s", path);
    return image_inspect_fd(fd, path, ret, err);
}

static int adopt(const char *path, struct image_info *ret, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "opening %s", path);
    return image_check_adoptable(fd, path, ret, err);
}

static void expect_refused(const char *path, enum err_kind kind, const char *text)
{
    struct image_info info;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(adopt(path, &info, &e), -1, "was adopted, expected: %s", text);
    cr_expect_eq(e.kind, kind);
    expect_message(&e, text);
}

/* Writes bytes to a file of the fixture and looks at it. */
static void expect_bytes_refused(struct fixture *f, const void *data, size_t len,
                                 enum err_kind kind, const char *text)
{
    _cleanup_free_ char *path = path_join(f->dir, "image");
    put_bytes(path, data, len);
    expect_refused(path, kind, text);
}

static void expect_qcow2_refused(struct fixture *f, const struct qcow2 *q, enum err_kind kind,
                                 const char *text)
{
    expect_bytes_refused(f, q->data, sizeof(q->data), kind, text);
}

/* ---- what is good --------------------------------------------------------------------------- */

Test(image, qcow2_versions)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "image");
    for (unsigned version = 2; version <= 3; version++) {
        struct qcow2 q;
        struct image_info info;
        _cleanup_err_ struct err e = ERR_INIT;
        qcow2_make(&q, version, 10u << 20);
        put_bytes(path, q.data, sizeof(q.data));
        cr_assert_eq(adopt(path, &info, &e), 0, "%s", e.msg);
        cr_expect_eq(info.format, IMAGE_QCOW2);
        cr_expect_eq(info.virtual_size, 10u << 20);
        cr_expect(!info.has_backing && !info.has_external_data && !info.compressed);
    }
}

Test(image, F35_format_is_never_guessed_from_the_name)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "disk.qcow2"),
                        *other = path_join(f.dir, "disk.raw");
    char sectors[1024] = {0};
    struct image_info info;
    put_bytes(path, sectors, sizeof(sectors));
    cr_assert_eq(adopt(path, &info, NULL), 0);
    cr_expect_eq(info.format, IMAGE_RAW);
    cr_expect_eq(info.virtual_size, 1024);
    struct qcow2 q;
    qcow2_make(&q, 3, 1u << 20);
    put_bytes(other, q.data, sizeof(q.data));
    cr_assert_eq(adopt(other, &info, NULL), 0);
    cr_expect_eq(info.format, IMAGE_QCOW2);
}

Test(image, iso)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "image"), *data = xcalloc(1, 34u << 10);
    struct image_info info;
    memcpy(data + 32769, "CD001", 5);
    put_bytes(path, data, 34u << 10);
    cr_assert_eq(adopt(path, &info, NULL), 0);
    cr_expect_eq(info.format, IMAGE_ISO);
    cr_expect_eq(info.virtual_size, 34u << 10);
}

Test(image, names_go_both_ways)
{
    for (int i = 0; i < IMAGE_FORMAT_COUNT; i++) {
        enum image_format back;
        cr_assert_eq(image_format_from_string(image_format_to_string((enum image_format)i), &back),
                     0);
        cr_expect_eq((int)back, i);
    }
}

/* ---- S01: images that name other files ------------------------------------------------------ */

Test(image, SD_63_S01_qcow2_backing_file)
{
    static const char *const names[] = {"/etc/shadow", "../secret", "json:{\"driver\":\"file\"}",
                                        "nbd:unix:/x", "x"};
    _fixture_ struct fixture f = fixture_new();
    for (unsigned version = 2; version <= 3; version++)
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            struct qcow2 q;
            qcow2_make(&q, version, 1u << 20);
            qcow2_set_backing(&q, names[i]);
            expect_qcow2_refused(&f, &q, ERR_UNSUPPORTED, "a backing file");
        }
}

Test(image, S01_qcow2_half_a_backing_file)
{
    _fixture_ struct fixture f = fixture_new();
    struct qcow2 q;
    qcow2_make(&q, 3, 1u << 20);
    put_be64(&q, 8, 512);
    expect_qcow2_refused(&f, &q, ERR_UNSUPPORTED, "a backing file");
    qcow2_make(&q, 3, 1u << 20);
    put_be32(&q, 16, 5);
    expect_qcow2_refused(&f, &q, ERR_UNSUPPORTED, "a backing file");
    /* A backing format without a file. */
    qcow2_make(&q, 3, 1u << 20);
    qcow2_add_extension(&q, 104, 0xe2792aca, "raw");
    expect_qcow2_refused(&f, &q, ERR_UNSUPPORTED, "a backing file");
}

Test(image, S01_qcow2_external_data)
{
    _fixture_ struct fixture f = fixture_new();
    struct qcow2 q;
    qcow2_make(&q, 3, 1u << 20);
    put_be64(&q, 72, 4);
    expect_qcow2_refused(&f, &q, ERR_UNSUPPORTED, "an external data file");
    qcow2_make(&q, 3, 1u << 20);
    qcow2_add_extension(&q, 104, 0x44415441, "/etc/shadow");
    expect_qcow2_refused(&f, &q, ERR_UNSUPPORTED, "an external data file");
    /* Behind another extension, which must be skipped with its padding. */
    qcow2_make(&q, 3, 1u << 20);
    size_t at = qcow2_add_extension(&q, 104, 0x6803f857, "x");
    qcow2_add_extension(&q, at, 0x44415441, "/etc/shadow");
    expect_qcow2_refused(&f, &q, ERR_UNSUPPORTED, "an external data file");
}

Test(image, S01_vmdk)
{
    _fixture_ struct fixture f = fixture_new();
    static const char *const texts[] = {
        "# Disk DescriptorFile\nversion=1\nRW 1000 FLAT \"/etc/shadow\" 0\n",
        "# disk descriptorfile\r\nversion=1\r\n",
        "version=1\nRW 1000 FLAT \"/etc/shadow\" 0\n",
        "\n  # a comment\n\nversion=1\nRW 1000 FLAT \"/etc/shadow\" 0\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        expect_bytes_refused(&f, texts[i], strlen(texts[i]), ERR_UNSUPPORTED,
                             "extents or a parent");

    static const char *const embedded[] = {
        "# Disk DescriptorFile\nparentCID=12345678\nRW 10 SPARSE \"x.vmdk\"\n",
        "# Disk DescriptorFile\nparentFileNameHint=\"/etc/shadow\"\n",
        "# Disk DescriptorFile\nRW 10 SPARSE \"x.vmdk\"\nRW 10 SPARSE \"y.vmdk\"\n",
        "# Disk DescriptorFile\nRW 10 FLAT \"/etc/shadow\" 0\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(embedded); i++) {
        char data[4096];
        vmdk_make(data, sizeof(data), 100, embedded[i]);
        expect_bytes_refused(&f, data, sizeof(data), ERR_UNSUPPORTED, "extents or a parent");
    }
    char data[4096];
    vmdk_make(data, sizeof(data), 0, "# Disk DescriptorFile\n");
    expect_bytes_refused(&f, data, sizeof(data), ERR_UNSUPPORTED, "extents or a parent");
}

Test(image, SD_63_vmdk_alone)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "image");
    char data[4096];
    struct image_info info;
    vmdk_make(data, sizeof(data), 100,
              "# Disk DescriptorFile\nparentCID=ffffffff\nRW 100 SPARSE \"x.vmdk\"\n");
    put_bytes(path, data, sizeof(data));
    cr_assert_eq(adopt(path, &info, NULL), 0);
    cr_expect_eq(info.format, IMAGE_VMDK);
    cr_expect_eq(info.virtual_size, 51200);
}

Test(image, S01_compressed_images_are_refused)
{
    _fixture_ struct fixture f = fixture_new();
    static const struct {
        const char *magic;
        size_t len;
        const char *name;
    } cases[] = {{"\x1f\x8b\x08", 3, "gzip"},
                 {"\xfd"
                  "7zXZ\0",
                  6, "xz"},
                 {"\x28\xb5\x2f\xfd", 4, "zstd"},
                 {"BZh9", 4, "bzip2"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char data[1024] = {0};
        memcpy(data, cases[i].magic, cases[i].len);
        _cleanup_free_ char *text = xasprintf("is compressed (%s)", cases[i].name);
        expect_bytes_refused(&f, data, sizeof(data), ERR_UNSUPPORTED, text);
    }
}

/* ---- F35: damage ---------------------------------------------------------------------------- */

struct damage {
    size_t offset;
    unsigned bytes; /* 4 or 8 */
    uint64_t value;
    enum err_kind kind;
    const char *text;
};

Test(image, F35_damaged_qcow2_headers)
{
    static const struct damage cases[] = {
        {4, 4, 4, ERR_IO, "qcow2 version 4 does not exist"},
        {20, 4, 8, ERR_IO, "cluster size 2^8 is not possible"},
        {20, 4, 22, ERR_IO, "cluster size 2^22 is not possible"},
        {20, 4, 0xffffffff, ERR_IO, "cluster size"},
        {24, 8, 0, ERR_IO, "virtual size is 0"},
        {24, 8, UINT64_MAX, ERR_IO, "virtual size is too large"},
        {24, 8, UINT64_C(1) << 50, ERR_IO, "L1 table does not fit"},
        {32, 4, 1, ERR_UNSUPPORTED, "is encrypted"},
        {36, 4, 0, ERR_IO, "L1 table does not fit"},
        {36, 4, 0xffffffff, ERR_IO, "L1 table does not fit"},
        {40, 8, 12345, ERR_IO, "L1 table does not fit"},
        {40, 8, UINT64_C(1) << 40, ERR_IO, "truncated"},
        {40, 8, 0xffffffffffff0000, ERR_IO, "truncated"},
        {48, 8, 0, ERR_IO, "no refcount table"},
        {48, 8, UINT64_C(1) << 40, ERR_IO, "truncated"},
        {56, 4, 0, ERR_IO, "no refcount table"},
        {72, 8, 2, ERR_IO, "marked it as corrupt"},
        {72, 8, 1 << 20, ERR_UNSUPPORTED, "not known here"},
        {100, 4, 72, ERR_IO, "length of the qcow2 header"},
        {100, 4, 0xfffffff8, ERR_IO, "length of the qcow2 header"},
        {104, 8, 0x123456780000ffff, ERR_IO, "extension is longer"},
        {104, 8, 0x12345678ffffffff, ERR_IO, "extension is longer"},
        /* The tables: L1 entry 0, then L2 entry 0. */
        {Q_L1, 8, UINT64_C(1) << 40, ERR_IO, "behind its end"},
        {Q_L1, 8, Q_L2 + 512, ERR_IO, "not aligned"},
        {Q_L2, 8, UINT64_C(1) << 40, ERR_IO, "behind its end"},
        {Q_L2, 8, (UINT64_C(1) << 62) | 0x3fffff, ERR_IO, "behind its end"},
        {Q_L2, 8, Q_L2 + 512, ERR_IO, "not aligned"},
    };
    _fixture_ struct fixture f = fixture_new();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct qcow2 q;
        qcow2_make(&q, 3, 10u << 20);
        if (cases[i].bytes == 4)
            put_be32(&q, cases[i].offset, (uint32_t)cases[i].value);
        else
            put_be64(&q, cases[i].offset, cases[i].value);
        expect_qcow2_refused(&f, &q, cases[i].kind, cases[i].text);
    }
}

Test(image, F35_cut_files)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "image");
    struct qcow2 q;
    qcow2_make(&q, 3, 10u << 20);
    expect_bytes_refused(&f, "", 0, ERR_IO, "is empty");
    expect_bytes_refused(&f, "x", 1, ERR_IO, "only 1 bytes");
    /* Wherever it is cut, it is never taken for good, and never for a raw disk. */
    static const size_t lengths[] = {4,   7,     8,    71,       72,   103,         104,
                                     512, 65536, Q_L1, Q_L1 + 7, Q_L2, Q_L2 + 65535};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct image_info info;
        put_bytes(path, q.data, lengths[i]);
        cr_expect_eq(adopt(path, &info, NULL), -1, "cut at %zu", lengths[i]);
    }
}

Test(image, F35_foreign_formats_and_web_pages)
{
    _fixture_ struct fixture f = fixture_new();
    static const struct {
        size_t offset;
        const char *magic;
        size_t len;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {0, "QED\0", 4, ERR_UNSUPPORTED, "format qed"},
        {0, "QFI\xfb\0\0\0\x01", 8, ERR_UNSUPPORTED, "format qcow,"},
        {64, "\x7f\x10\xda\xbe", 4, ERR_UNSUPPORTED, "format vdi"},
        {0, "conectix", 8, ERR_UNSUPPORTED, "format vpc"},
        {0, "<!DOCTYPE html>", 15, ERR_IO, "a web page"},
        {0, "\n <HTML>", 8, ERR_IO, "a web page"},
        {0, "vhdxfile", 8, ERR_IO, "VHDX metadata"},
        {0, "KDMV\x09", 5, ERR_IO, "VMDK header"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char data[2048] = {0};
        memcpy(data + cases[i].offset, cases[i].magic, cases[i].len);
        expect_bytes_refused(&f, data, sizeof(data), cases[i].kind, cases[i].text);
    }
}

Test(image, no_regular_file)
{
    struct image_info info;
    _cleanup_err_ struct err e = ERR_INIT, e2 = ERR_INIT;
    cr_expect_eq(inspect("/dev/null", &info, &e), -1);
    expect_message(&e, "not a regular file");
    cr_expect_eq(inspect("/tmp", &info, &e2), -1);
    expect_message(&e2, "not a regular file");
}

/* Any bytes may be wrong; nothing may crash, and a flag must never be lost: what QEMU would follow
 * stays refused. A fixed sequence, so that a failure can be repeated. */
Test(image, S20_mutated_headers)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "image");
    uint32_t seed = 12345;
    unsigned accepted = 0;
    for (unsigned round = 0; round < 4000; round++) {
        struct qcow2 q;
        struct image_info info;
        qcow2_make(&q, 2 + round % 2, 10u << 20);
        for (unsigned k = 0; k < 3; k++) {
            seed = seed * 1664525 + 1013904223;
            size_t at = (seed >> 8) % 160;
            seed = seed * 1664525 + 1013904223;
            q.data[at < 136 ? at : Q_L1 + at - 136] = (uint8_t)(seed >> 16);
        }
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        cr_assert_eq(fd_write_all(fd, q.data, sizeof(q.data)), 0);
        if (image_check_adoptable(fd, path, &info, NULL) < 0)
            continue;
        accepted++;
        if (info.format == IMAGE_QCOW2) {
            uint64_t backing;
            memcpy(&backing, q.data + 8, 8);
            cr_expect_eq(backing, 0, "round %u", round);
        }
    }
    cr_expect_gt(accepted, 0);
}

/* ---- images of the real qemu-img ------------------------------------------------------------ */

static void qemu_img(struct fixture *f, const char *const *args)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;
    strv_push(&argv, "qemu-img");
    for (; *args; args++)
        strv_push(&argv, *args);
    struct spawn s = SPAWN_INIT;
    s.argv = (const char *const *)strv_argv(&argv);
    s.cwd = f->dir;
    s.flags = SPAWN_SEARCH_PATH;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(run_checked(&s, 60000, &e), 0, "%s %s", e.msg, e.detail);
}

#define QEMU_IMG(f, ...) qemu_img(f, (const char *const[]){__VA_ARGS__, NULL})

static bool have_qemu_img(void)
{
    _cleanup_free_ char *path = find_program("qemu-img");
    if (!path)
        cr_skip_test("skipped: there is no qemu-img");
    return path != NULL;
}

Test(image, real_images_that_stand_alone)
{
    if (!have_qemu_img())
        return;
    _fixture_ struct fixture f = fixture_new();
    static const struct {
        const char *format, *options;
        enum image_format expected;
    } cases[] = {
        {"qcow2", "compat=0.10", IMAGE_QCOW2},
        {"qcow2", "compat=1.1", IMAGE_QCOW2},
        {"qcow2", "cluster_size=512", IMAGE_QCOW2},
        {"qcow2", "cluster_size=2M", IMAGE_QCOW2},
        {"qcow2", "extended_l2=on,cluster_size=128k", IMAGE_QCOW2},
        {"qcow2", "preallocation=metadata", IMAGE_QCOW2},
        {"qcow2", "compression_type=zstd", IMAGE_QCOW2},
        {"vmdk", "subformat=monolithicSparse", IMAGE_VMDK},
        {"vmdk", "subformat=streamOptimized", IMAGE_VMDK},
        {"vhdx", "subformat=dynamic", IMAGE_VHDX},
        {"raw", "preallocation=off", IMAGE_RAW},
    };
    _cleanup_free_ char *src = path_join(f.dir, "src"), *path = path_join(f.dir, "image");
    char pattern[300000];
    memset(pattern, 'x', sizeof(pattern));
    put_bytes(src, pattern, sizeof(pattern));
    QEMU_IMG(&f, "resize", "-q", "-f", "raw", "src", "20M");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct image_info info;
        _cleanup_err_ struct err e = ERR_INIT;
        QEMU_IMG(&f, "convert", "-f", "raw", "-O", cases[i].format, "-o", cases[i].options, "src",
                 "image");
        cr_expect_eq(adopt(path, &info, &e), 0, "%s,%s: %s", cases[i].format, cases[i].options,
                     e.msg);
        cr_expect_eq(info.format, cases[i].expected);
        cr_expect_eq(info.virtual_size, 20u << 20, "%s", cases[i].format);
    }
    struct image_info info;
    QEMU_IMG(&f, "convert", "-c", "-O", "qcow2", "src", "image");
    cr_expect_eq(adopt(path, &info, NULL), 0, "compressed clusters");
}

Test(image, S01_real_images_that_do_not)
{
    if (!have_qemu_img())
        return;
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "image");
    QEMU_IMG(&f, "create", "-q", "-f", "raw", "base", "10M");
    QEMU_IMG(&f, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "image");
    expect_refused(path, ERR_UNSUPPORTED, "a backing file");
    QEMU_IMG(&f, "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "-b",
             "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"base\"}}", "-F",
             "raw", "image");
    expect_refused(path, ERR_UNSUPPORTED, "a backing file");
    QEMU_IMG(&f, "create", "-q", "-f", "qcow2", "-o", "data_file=data,data_file_raw=on", "image",
             "10M");
    expect_refused(path, ERR_UNSUPPORTED, "an external data file");
    static const char *const subformats[] = {"subformat=monolithicFlat",
                                             "subformat=twoGbMaxExtentSparse"};
    for (size_t i = 0; i < ARRAY_SIZE(subformats); i++) {
        unlink(path);
        QEMU_IMG(&f, "create", "-q", "-f", "vmdk", "-o", subformats[i], "image", "10M");
        expect_refused(path, ERR_UNSUPPORTED, "extents or a parent");
    }
    unlink(path);
    QEMU_IMG(&f, "create", "-q", "-f", "vmdk", "base.vmdk", "10M");
    QEMU_IMG(&f, "create", "-q", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", "image");
    expect_refused(path, ERR_UNSUPPORTED, "extents or a parent");
}

Test(image, F35_real_image_cut_short)
{
    if (!have_qemu_img())
        return;
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *src = path_join(f.dir, "src"), *path = path_join(f.dir, "image");
    const size_t len = 3u << 20;
    _cleanup_free_ char *pattern = xmalloc(len);
    for (size_t i = 0; i < len; i++)
        pattern[i] = (char)(i * 2654435761u >> 13);
    put_bytes(src, pattern, len);
    static const char *const ways[] = {"-n0", "-c"};
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        if (i == 0)
            QEMU_IMG(&f, "convert", "-f", "raw", "-O", "qcow2", "src", "image");
        else
            QEMU_IMG(&f, "convert", ways[i], "-f", "raw", "-O", "qcow2", "src", "image");
        struct stat st;
        cr_assert_eq(stat(path, &st), 0);
        cr_assert_eq(truncate(path, st.st_size / 2), 0);
        expect_refused(path, ERR_IO, "truncated");
    }
}
