/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed images and kernels, compressed by the real programs: what comes out, what is refused
 * (S01), and what is stopped. */
#include "image/image.h"
#include "image/internal.h"
#include "image_fixture.h"
#include "store_fixture.h"
#include "sys/spawn.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>

TestSuite(unpack, .timeout = 600);

static const struct tool {
    const char *program, *suffix, *name;
} tools[] = {{"gzip", ".gz", "gzip"},
             {"bzip2", ".bz2", "bzip2"},
             {"xz", ".xz", "xz"},
             {"zstd", ".zst", "zstd"}};

struct scene {
    struct fixture f;
    struct instance inst;
    struct config_instance cfg;
    struct config_image image;
    struct sbuf notes;
    unsigned unpackings; /* notes that say so */
    struct image_report report;
};

static void scene_release(struct scene *s)
{
    sbuf_release(&s->notes);
    instance_release(&s->inst);
    fixture_release(&s->f);
}
#define _scene_ _cleanup_(scene_release)

static void on_note(void *arg, enum log_level level, const char *text)
{
    struct scene *s = arg;
    sbuf_addf(&s->notes, "%s: %s\n", log_level_to_string(level), text);
    s->unpackings += strstr(text, "Decompressing the ") != NULL;
}

static void scene_init(struct scene *s)
{
    *s = (struct scene){.f = fixture_new()};
    s->inst = make_instance(&s->f, "vm");
    s->cfg.arch = s->image.arch = (char *)"x86_64";
    s->cfg.images = &s->image;
    s->cfg.images_count = 1;
    s->report = (struct image_report){.note = on_note, .arg = s};
}

static int prepare(struct scene *s, const char *location, struct image_result *ret, struct err *err)
{
    s->image.location = (char *)location;
    return image_prepare(&s->f.store, &s->cfg, s->f.dir, &s->inst, &s->report, ret, err);
}

static void prepare_fails(struct scene *s, const char *location, const char *text)
{
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(s, location, &r, &e), -1, "%s: expected %s", location, text);
    expect_message(&e, text);
    _cleanup_free_ char *image = instance_path(&s->inst, INST_IMAGE);
    cr_expect(!path_exists(image));
}

/* Compresses path to path.SUFFIX; NULL when the program is not there. Caller frees. */
static char *compress(const struct tool *t, const char *path)
{
    const char *const argv[] = {t->program, "-k", "-f", "-1", path, NULL};
    struct spawn p = SPAWN_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_free_ char *program = find_program(t->program);
    if (!program) {
        fprintf(stderr, "skipped: %s is not installed\n", t->program);
        return NULL;
    }
    p.argv = argv;
    p.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(run_checked(&p, 60000, &e), 0, "%s", e.msg);
    return xasprintf("%s%s", path, t->suffix);
}

/* A qcow2 with content that compresses a bit. */
static char *put_image(const struct scene *s, const char *name)
{
    _cleanup_free_ struct qcow2 *q = xmalloc(sizeof(*q));
    char *path = path_join(s->f.dir, name);
    qcow2_make(q, 3, 10u << 20);
    for (size_t i = Q_L2 + 0x8000; i < sizeof(q->data); i += 8)
        q->data[i] = 0;
    put_bytes(path, q->data, sizeof(q->data));
    return path;
}

static char *sha(const char *path)
{
    static const struct image_report silent;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_err_ struct err e = ERR_INIT;
    struct digest d;
    cr_assert_eq(digest_of_fd(fd, "sha256", path, &silent, &d, &e), 0, "%s: %s", path, e.msg);
    return xasprintf("%s:%s", d.algorithm, d.hex);
}

static void expect_placed(const struct scene *s, enum inst_file f, const char *original)
{
    _cleanup_free_ char *placed = instance_path(&s->inst, f);
    _cleanup_free_ char *a = sha(placed), *b = sha(original);
    cr_expect_str_eq(a, b);
}

/* ---- what comes out ------------------------------------------------------------------------- */

Test(unpack, DL04_image_of_every_compression)
{
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        _scene_ struct scene s;
        scene_init(&s);
        _cleanup_free_ char *path = put_image(&s, "disk.qcow2"),
                            *packed = compress(&tools[i], path);
        /* By magic, never by name. */
        _cleanup_free_ char *renamed = path_join(s.f.dir, "disk.img");
        struct image_result r;
        _cleanup_err_ struct err e = ERR_INIT;
        if (!packed)
            continue;
        cr_assert_eq(rename(packed, renamed), 0);
        _cleanup_free_ char *digest = sha(renamed);
        s.image.digest = digest; /* of the compressed file, as published */
        cr_assert_eq(prepare(&s, renamed, &r, &e), 0, "%s: %s", tools[i].name, e.msg);
        cr_expect_eq(r.info.format, IMAGE_QCOW2);
        expect_placed(&s, INST_IMAGE, path);
        /* Once: the second time it is there. */
        cr_assert_eq(prepare(&s, renamed, &r, &e), 0, "%s", e.msg);
        cr_expect_eq(s.unpackings, 1);
    }
}

Test(unpack, DL04_kernel_yes_initrd_no)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *disk = put_image(&s, "disk"), *kernel = path_join(s.f.dir, "Image");
    put_file(kernel, "a kernel of another architecture");
    _cleanup_free_ char *packed = compress(&tools[0], kernel);
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_not_null(packed);
    s.image.kernel.location = s.image.initrd.location = packed;
    cr_assert_eq(prepare(&s, disk, &r, &e), 0, "%s", e.msg);
    expect_placed(&s, INST_KERNEL, kernel);
    expect_placed(&s, INST_INITRD, packed);
}

Test(unpack, changed_data_is_unpacked_again)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *path = put_image(&s, "disk"), *packed = compress(&tools[0], path);
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, packed, &r, &e), 0, "%s", e.msg);
    /* What lies there unpacked was cut or altered: it does not count. */
    _cleanup_free_ char *local = store_cache_path(&s.f.store, "local");
    _cleanup_strv_ struct strv names = STRV_INIT;
    cr_assert_eq(dir_list(local, &names, NULL), 0);
    cr_assert_eq(names.n, 1);
    _cleanup_free_ char *dir = path_join(local, names.v[0]), *file = path_join(dir, "unpacked");
    usleep(20000);
    _cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, "evil", 4, Q_L2 + 60000), 4);
    cr_assert_eq(prepare(&s, packed, &r, &e), 0, "%s", e.msg);
    expect_placed(&s, INST_IMAGE, path);
    cr_expect_eq(s.unpackings, 2);
}

Test(unpack, holes_stay_holes)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *raw = path_join(s.f.dir, "raw"), *out = path_join(s.f.dir, "out");
    put_file(raw, "a boot sector");
    cr_assert_eq(truncate(raw, 40 << 20), 0);
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        static const struct image_report silent;
        _cleanup_free_ char *packed = compress(&tools[i], raw);
        _cleanup_err_ struct err e = ERR_INIT;
        struct stat st;
        if (!packed)
            continue;
        _cleanup_close_ int in = open(packed, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int fd = open(out, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        cr_assert_eq(image_unpack(in, tools[i].name, fd, packed, 0, &silent, &e), 0, "%s", e.msg);
        cr_assert_eq(fstat(fd, &st), 0);
        cr_expect_eq(st.st_size, 40 << 20);
        cr_expect_lt(st.st_blocks, 2048, "%s: %lld blocks", tools[i].name, (long long)st.st_blocks);
        _cleanup_free_ char *a = sha(raw), *b = sha(out);
        cr_expect_str_eq(a, b, "%s", tools[i].name);
    }
}

/* ---- what is refused ------------------------------------------------------------------------ */

/* The images that name another file, and how much of a file each is. */
static size_t make_evil(int kind, const char *secret, struct qcow2 *q)
{
    _cleanup_free_ char *text = xasprintf("json:{\"driver\":\"file\",\"filename\":\"%s\"}", secret);
    qcow2_make(q, 3, 1u << 20);
    switch (kind) {
    case 0:
        qcow2_set_backing(q, secret);
        break;
    case 1:
        qcow2_set_backing(q, "../secret");
        break;
    case 2:
        qcow2_set_backing(q, text);
        break;
    case 3:
        qcow2_set_backing(q, "nbd:unix:/x");
        break;
    case 4:
        qcow2_add_extension(q, 104, 0x44415441, secret);
        break;
    case 5:
        put_be64(q, 72, 4);
        break;
    default:
        memset(q->data, 0, sizeof(q->data));
        return (size_t)snprintf((char *)q->data, sizeof(q->data),
                                "# Disk DescriptorFile\nversion=1\nRW 1 FLAT \"%s\" 0\n", secret);
    }
    return sizeof(q->data);
}

Test(unpack, S01_inside_every_compression_nothing_is_opened)
{
    enum { KINDS = 7 };
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *secret = path_join(s.f.dir, "secret"), *evil = path_join(s.f.dir, "evil");
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    put_file(secret, "secret");
    cr_assert_geq(inotify_add_watch(watch, secret, IN_OPEN | IN_ACCESS), 0);
    for (int kind = 0; kind < KINDS; kind++) {
        _cleanup_free_ struct qcow2 *q = xmalloc(sizeof(*q));
        size_t len = make_evil(kind, secret, q);
        put_bytes(evil, q->data, len);
        prepare_fails(&s, evil, "is not acceptable as a disk image");
        for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
            _cleanup_free_ char *packed = compress(&tools[i], evil);
            if (packed)
                prepare_fails(&s, packed, "is not acceptable as a disk image");
        }
    }
    char events[4096];
    cr_expect_eq(read(watch, events, sizeof(events)), -1, "the secret was opened");
    close(open(secret, O_RDONLY | O_CLOEXEC));
    cr_expect_gt(read(watch, events, sizeof(events)), 0, "the watch sees an opening");
}

Test(unpack, S01_one_layer_only)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *path = put_image(&s, "disk"), *once = compress(&tools[0], path);
    _cleanup_free_ char *twice = once ? compress(&tools[2], once) : NULL;
    if (!twice)
        return;
    prepare_fails(&s, twice, "is compressed (gzip) once more than allowed");
}

Test(unpack, F35_damaged_inside)
{
    _scene_ struct scene s;
    scene_init(&s);
    struct qcow2 *q = xmalloc(sizeof(*q));
    _cleanup_free_ char *path = path_join(s.f.dir, "disk");
    qcow2_make(q, 3, 10u << 20);
    put_be64(q, Q_L2, UINT64_C(1) << 40);
    put_bytes(path, q->data, sizeof(q->data));
    free(q);
    _cleanup_free_ char *packed = compress(&tools[0], path);
    prepare_fails(&s, packed, "behind its end");
    put_file(path, "");
    free(packed);
    packed = compress(&tools[0], path);
    prepare_fails(&s, packed, "nothing comes out of it");
}

Test(unpack, F35_damaged_and_cut_streams)
{
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        _scene_ struct scene s;
        scene_init(&s);
        _cleanup_free_ char *path = put_image(&s, "disk"), *packed = compress(&tools[i], path);
        _cleanup_free_ char *hint = xasprintf("the %s data is damaged or cut off", tools[i].name);
        struct stat st;
        if (!packed)
            continue;
        cr_assert_eq(stat(packed, &st), 0);
        cr_assert_eq(truncate(packed, st.st_size / 2), 0);
        prepare_fails(&s, packed, "unpacking failed: ");
        prepare_fails(&s, packed, hint);
        cr_assert_eq(truncate(packed, 7), 0);
        prepare_fails(&s, packed, packed);
        put_bytes(packed, i == 0 ? "\x1f\x8b" : "BZh", 2 + (i != 0));
        prepare_fails(&s, packed, packed);
    }
}

/* ---- what is stopped ------------------------------------------------------------------------ */

Test(unpack, S14_a_bomb_is_stopped)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *raw = path_join(s.f.dir, "raw"), *out = path_join(s.f.dir, "out");
    put_file(raw, "x");
    cr_assert_eq(truncate(raw, 64 << 20), 0);
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        static const struct image_report silent;
        _cleanup_free_ char *packed = compress(&tools[i], raw);
        _cleanup_err_ struct err e = ERR_INIT;
        if (!packed)
            continue;
        _cleanup_close_ int in = open(packed, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int fd = open(out, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        cr_assert_eq(image_unpack(in, tools[i].name, fd, packed, 10 << 20, &silent, &e), -1);
        expect_message(&e, "it unpacks to more than 10485760 bytes");
        expect_message(&e, "should not become more than 10MiB");
    }
}

/* Many small frames of zeros, each a gigabyte: 20 GiB from some kilobytes. */
Test(unpack, S14_a_real_bomb_is_stopped)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *raw = path_join(s.f.dir, "raw"), *bomb = path_join(s.f.dir, "bomb");
    put_file(raw, "");
    cr_assert_eq(truncate(raw, 1 << 30), 0);
    _cleanup_free_ char *packed = compress(&tools[3], raw);
    if (!packed) {
        cr_skip_test("skipped: zstd is not installed");
        return;
    }
    size_t len;
    _cleanup_free_ char *frame = file_read(packed, 10u << 20, &len, NULL);
    _cleanup_sbuf_ struct sbuf all = SBUF_INIT;
    for (int i = 0; i < 20; i++)
        sbuf_add(&all, frame, len);
    put_bytes(bomb, all.buf, all.len);
    prepare_fails(&s, bomb, "it unpacks to more than 17179869184 bytes");
    prepare_fails(&s, bomb, "it may be made to fill the disk");
}

Test(unpack, F34_full_disk)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *path = put_image(&s, "disk"), *packed = compress(&tools[0], path);
    const struct rlimit small = {20000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT, e2 = ERR_INIT;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int failed = prepare(&s, packed, &r, &e);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    cr_assert_eq(failed, -1);
    _cleanup_free_ char *text = err_text(&e);
    cr_expect_not_null(strstr(text, "what comes out of it"), "%s", text);
    cr_assert_eq(prepare(&s, packed, &r, &e2), 0, "%s", e2.msg);
    expect_placed(&s, INST_IMAGE, path);
}

Test(unpack, a_missing_helper_is_named)
{
    _scene_ struct scene s;
    scene_init(&s);
    _cleanup_free_ char *path = put_image(&s, "disk"), *packed = compress(&tools[0], path);
    set_env("CIMA_LIBEXEC", s.f.dir);
    prepare_fails(&s, packed, "the helper program 'cima-unpack' is missing");
}
