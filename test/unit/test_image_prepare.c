/* SPDX-License-Identifier: Apache-2.0 */
/* From the list of images to files in the instance directory: choice (DL-05), cache, digests
 * (DL-03, S16), what an error says. */
#include "image/image.h"
#include "image/http.h"
#include "image/internal.h"
#include "image_fixture.h"
#include "store_fixture.h"
#include "sys/clock.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>

TestSuite(prepare, .timeout = 600);

#define MAX_IMAGES 4

struct scene {
    struct fixture f;
    struct instance inst;
    struct config_instance cfg;
    struct config_image images[MAX_IMAGES];
};

static void scene_release(struct scene *s)
{
    instance_release(&s->inst);
    fixture_release(&s->f);
}
#define _scene_ _cleanup_(scene_release)

static struct scene scene_new(void)
{
    struct scene s = {.f = fixture_new()};
    s.inst = make_instance(&s.f, "vm");
    s.cfg.arch = (char *)"x86_64";
    return s;
}

static struct config_image *add_image(struct scene *s, const char *location)
{
    struct config_image *im = &s->images[s->cfg.images_count++];
    *im = (struct config_image){.location = (char *)location, .arch = (char *)"x86_64"};
    return im;
}

static int prepare(struct scene *s, struct image_result *ret, struct err *err)
{
    s->cfg.images = s->images;
    return image_prepare(&s->f.store, &s->cfg, s->f.dir, &s->inst, NULL, ret, err);
}

static char *put_qcow2(struct scene *s, const char *name, uint64_t size)
{
    struct qcow2 q;
    qcow2_make(&q, 3, size);
    char *path = path_join(s->f.dir, name);
    put_bytes(path, q.data, sizeof(q.data));
    return path;
}

static char *put_text(struct scene *s, const char *name, const char *text)
{
    char *path = path_join(s->f.dir, name);
    put_file(path, text);
    return path;
}

static char *sha(const char *path, const char *algorithm)
{
    struct digest d;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_err_ struct err e = ERR_INIT;
    static const struct image_report silent;
    cr_assert_eq(digest_of_fd(fd, algorithm, path, &silent, &d, &e), 0, "%s", e.msg);
    return xasprintf("%s:%s", d.algorithm, d.hex);
}

static ino_t inode_of(const struct instance *in, enum inst_file f)
{
    _cleanup_free_ char *path = instance_path(in, f);
    struct stat st;
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* The cached file of a local disk; caller frees. */
static char *cached_path(struct scene *s, const char *location)
{
    _cleanup_(fetcher_release) struct fetcher f = {.store = &s->f.store,
                                                   .report = &(const struct image_report){0}};
    const struct want w = {location, NULL, IMAGE_FOR_DISK, "x86_64"};
    _cleanup_image_file_ struct image_file file = IMAGE_FILE_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(image_cache_local(&f, location, &w, &file, &e), 0, "%s", e.msg);
    return TAKE_PTR(file.path);
}

/* Number of files in the cache. */
static size_t cache_entries(const struct scene *s)
{
    _cleanup_free_ char *path = store_cache_path(&s->f.store, "local");
    _cleanup_strv_ struct strv names = STRV_INIT;
    size_t n = 0;
    if (dir_list(path, &names, NULL) < 0)
        return 0;
    for (size_t i = 0; i < names.n; i++) {
        _cleanup_free_ char *dir = path_join(path, names.v[i]), *data = path_join(dir, "data");
        n += path_exists(data);
    }
    return n;
}

/* ---- what works ----------------------------------------------------------------------------- */

Test(prepare, relative_path_with_kernel_and_initrd)
{
    _scene_ struct scene s = scene_new();
    free(put_qcow2(&s, "disk.qcow2", 5u << 20));
    free(put_text(&s, "vmlinuz", "a kernel"));
    _cleanup_free_ char *initrd = put_text(&s, "initrd.img", "\x1f\x8b gzip is for the kernel");
    struct config_image *im = add_image(&s, "./disk.qcow2");
    im->kernel.location = (char *)"vmlinuz";
    im->kernel.cmdline = (char *)"console=ttyS0 quiet";
    im->initrd.location = initrd;
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), 0, "%s", e.msg);
    cr_expect(r.has_kernel && r.has_initrd);
    cr_expect_eq(r.info.format, IMAGE_QCOW2);
    cr_expect_eq(r.info.virtual_size, 5u << 20);
    static const struct {
        enum inst_file file;
        const char *text;
    } cases[] = {{INST_KERNEL, "a kernel"},
                 {INST_KERNEL_CMDLINE, "console=ttyS0 quiet"},
                 {INST_INITRD, "\x1f\x8b gzip is for the kernel"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *path = instance_path(&s.inst, cases[i].file);
        _cleanup_free_ char *text = file_read(path, 4096, NULL, NULL);
        cr_expect_str_eq(text, cases[i].text);
    }
}

Test(prepare, one_file_in_several_places)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    _cleanup_free_ char *digest = sha(disk, "sha512");
    struct config_image *im = add_image(&s, disk);
    im->kernel.location = im->initrd.location = disk;
    im->kernel.digest = digest;
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), 0, "%s", e.msg);
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), inode_of(&s.inst, INST_KERNEL));
    cr_expect_eq(cache_entries(&s), 1);
}

Test(prepare, F40_ways_to_name_a_file)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "a b,c:d%e\xc3\xbc.img", 1u << 20);
    _cleanup_free_ char *url = xasprintf("file://%s", disk);
    const char *const locations[] = {disk, url, "a b,c:d%e\xc3\xbc.img", "~/a b,c:d%e\xc3\xbc.img"};
    set_env("HOME", s.f.dir);
    for (size_t i = 0; i < ARRAY_SIZE(locations); i++) {
        struct image_result r;
        _cleanup_err_ struct err e = ERR_INIT;
        s.cfg.images_count = 0;
        add_image(&s, locations[i]);
        cr_expect_eq(prepare(&s, &r, &e), 0, "%s: %s", locations[i], e.msg);
    }
    cr_expect_eq(cache_entries(&s), 1);
}

Test(prepare, instances_share_the_copy_and_the_source_is_left_alone)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    _cleanup_instance_ struct instance other = make_instance(&s.f, "other");
    struct stat before, after;
    cr_assert_eq(stat(disk, &before), 0);
    struct image_result r;
    add_image(&s, disk);
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    cr_assert_eq(image_prepare(&s.f.store, &s.cfg, s.f.dir, &other, NULL, &r, NULL), 0);
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), inode_of(&other, INST_IMAGE));
    cr_assert_eq(stat(disk, &after), 0);
    cr_expect_eq(after.st_nlink, 1);
    cr_expect_neq(after.st_ino, inode_of(&s.inst, INST_IMAGE));
    /* Again over the same files: as before. */
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), inode_of(&other, INST_IMAGE));
    _cleanup_free_ char *tmp = path_join(s.inst.dir, "image.tmp");
    cr_expect(!path_exists(tmp));
}

Test(prepare, a_cache_on_another_file_system_is_copied_from)
{
    _scene_ struct scene s = scene_new();
    struct stat here, there;
    cr_assert_eq(stat(s.f.dir, &here), 0);
    if (stat("/dev/shm", &there) < 0 || here.st_dev == there.st_dev ||
        access("/dev/shm", W_OK) < 0) {
        cr_skip_test("skipped: no second file system on /dev/shm");
        return;
    }
    _cleanup_free_ char *cache = xasprintf("/dev/shm/cima-test-%ld", (long)getpid());
    free(s.f.store.cache);
    s.f.store.cache = xstrdup(cache);
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    add_image(&s, disk);
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    mode_t old = umask(0);
    int failed = prepare(&s, &r, &e);
    umask(old);
    cr_assert_eq(dir_remove(cache, NULL), 0);
    cr_assert_eq(failed, 0, "%s", e.msg);
    _cleanup_free_ char *image = instance_path(&s.inst, INST_IMAGE);
    _cleanup_free_ char *a = sha(disk, "sha256"), *b = sha(image, "sha256");
    cr_expect_str_eq(a, b);
    struct stat st;
    cr_assert_eq(stat(image, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_expect_eq(st.st_nlink, 1);
}

Test(prepare, a_changed_source_is_another_entry)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    struct image_result r;
    add_image(&s, disk);
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    ino_t first = inode_of(&s.inst, INST_IMAGE);
    usleep(20000);
    free(put_qcow2(&s, "disk", 2u << 20));
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    cr_expect_neq(inode_of(&s.inst, INST_IMAGE), first);
    cr_expect_eq(r.info.virtual_size, 2u << 20);
    cr_expect_eq(cache_entries(&s), 2);
}

Test(prepare, S04_modes_whatever_the_umask)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    cr_assert_eq(chmod(disk, 0666), 0);
    struct image_result r;
    add_image(&s, disk);
    mode_t old = umask(0);
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    umask(old);
    _cleanup_free_ char *image = instance_path(&s.inst, INST_IMAGE);
    _cleanup_free_ char *local = store_cache_path(&s.f.store, "local");
    struct stat st;
    cr_assert_eq(stat(image, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(stat(local, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0700);
    cr_assert_eq(stat(s.f.store.cache, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0700);
}

Test(prepare, S22_cache_that_others_may_write_to)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    cr_assert_eq(dir_make(s.f.store.cache, 0700, NULL), 0);
    cr_assert_eq(chmod(s.f.store.cache, 0777), 0);
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    add_image(&s, disk);
    cr_assert_eq(prepare(&s, &r, &e), -1);
    cr_expect_eq(e.kind, ERR_PERMISSION);
}

Test(prepare, parallel_creates_share_one_copy)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    enum { N = 8 };
    add_image(&s, disk);
    s.cfg.images = s.images;
    for (int i = 0; i < N; i++)
        if (fork() == 0) {
            struct image_result r;
            struct instance_draft d;
            struct instance in;
            _cleanup_free_ char *name = xasprintf("vm%d", i);
            _exit(store_create_begin(&s.f.store, name, &d, NULL) < 0 ||
                  image_prepare(&s.f.store, &s.cfg, s.f.dir, &d.inst, NULL, &r, NULL) < 0 ||
                  store_create_commit(&d, &in, NULL) < 0);
        }
    for (int i = 0; i < N; i++) {
        int status;
        cr_assert_gt(wait(&status), 0);
        cr_expect_eq(status, 0);
    }
    cr_expect_eq(cache_entries(&s), 1);
    _cleanup_instance_ struct instance first = INSTANCE_INIT, last = INSTANCE_INIT;
    cr_assert_eq(store_find(&s.f.store, "vm0", &first, NULL), 0);
    cr_assert_eq(store_find(&s.f.store, "vm7", &last, NULL), 0);
    cr_expect_eq(inode_of(&first, INST_IMAGE), inode_of(&last, INST_IMAGE));
}

Test(prepare, F11_killed_copy_is_made_again)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    struct image_result r;
    add_image(&s, disk);
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    /* As a killed copy leaves it: a half temporary file and no data. */
    _cleanup_free_ char *path = cached_path(&s, disk), *tmp = xasprintf("%s.tmp", path);
    cr_assert_eq(rename(path, tmp), 0);
    cr_assert_eq(truncate(tmp, 1000), 0);
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    cr_expect(!path_exists(tmp));
    /* Cut data (a full disk, long ago) is not believed either. */
    cr_assert_eq(truncate(path, 1000), 0);
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    _cleanup_free_ char *image = instance_path(&s.inst, INST_IMAGE);
    struct stat st;
    cr_assert_eq(stat(image, &st), 0);
    cr_expect_eq((size_t)st.st_size, sizeof(struct qcow2));
}

/* In a process of its own: creates "victim" and, when asked to, deletes it again. */
static void create_victim(struct scene *s, bool delete_it)
{
    struct image_result r;
    struct instance_draft d;
    struct instance in;
    if (store_create_begin(&s->f.store, "victim", &d, NULL) < 0 ||
        image_prepare(&s->f.store, &s->cfg, s->f.dir, &d.inst, NULL, &r, NULL) < 0)
        _exit(1);
    put_in(&d.inst, INST_LIMA_YAML, "cpus: 1\n");
    if (store_create_commit(&d, &in, NULL) < 0)
        _exit(1);
    _exit(delete_it && store_delete(&s->f.store, &in, NULL) < 0);
}

/* Kills it after so many microseconds (-1: not at all). Is a whole instance there? */
static bool kill_create(struct scene *s, bool delete_it, int us, size_t size)
{
    pid_t pid = fork();
    if (pid == 0)
        create_victim(s, delete_it);
    if (us >= 0) {
        usleep((useconds_t)us);
        kill(pid, SIGKILL);
    }
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    _cleanup_instance_ struct instance in = INSTANCE_INIT;
    if (store_find(&s->f.store, "victim", &in, NULL) < 0)
        return false;
    _cleanup_free_ char *yaml = instance_path(&in, INST_LIMA_YAML);
    _cleanup_free_ char *image = instance_path(&in, INST_IMAGE);
    struct stat st;
    cr_expect(path_exists(yaml), "killed after %d us", us);
    cr_expect(stat(image, &st) == 0 && (size_t)st.st_size == size, "killed after %d us", us);
    cr_assert_eq(store_delete(&s->f.store, &in, NULL), 0);
    return true;
}

/* A create (and a delete) that is killed at any moment: there is a whole instance or none, and the
 * next command finds its way. */
Test(prepare, F11_killed_at_any_moment)
{
    enum { ROUNDS = 60 };
    _scene_ struct scene s = scene_new();
    const size_t size = 8u << 20;
    _cleanup_free_ char *raw = path_join(s.f.dir, "raw"), *data = xcalloc(1, size);
    _cleanup_free_ char *cache = store_cache_path(&s.f.store, "local");
    memset(data, 'x', size / 2);
    put_bytes(raw, data, size);
    add_image(&s, raw);
    s.cfg.images = s.images;
    int64_t start = monotonic_ms();
    cr_assert(kill_create(&s, false, -1, size));
    int us = (int)(monotonic_ms() - start + 1) * 1000;
    unsigned whole = 0;
    for (int round = 0; round < ROUNDS; round++) {
        /* Every other time the cache starts empty. */
        if (round % 2)
            cr_assert_eq(dir_remove(cache, NULL), 0);
        whole += kill_create(&s, round % 4 < 2, us / 4 + us * round / ROUNDS, size);
    }
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), 0, "%s", e.msg);
    add_instance(&s.f, "victim");
    _cleanup_strv_ struct strv names = STRV_INIT;
    cr_assert_eq(dir_list(s.f.store.home, &names, NULL), 0);
    cr_expect_eq(names.n, 3, "besides _config, victim and vm there is something");
    cr_log_info("%u of %d were whole when killed", whole, ROUNDS);
}

Test(prepare, F34_full_disk)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    add_image(&s, disk);
    const struct rlimit small = {100000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT, e2 = ERR_INIT;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int failed = prepare(&s, &r, &e);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    cr_assert_eq(failed, -1);
    expect_message(&e, "file too large");
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), 0);
    cr_assert_eq(prepare(&s, &r, &e2), 0, "%s", e2.msg);
}

/* ---- digests -------------------------------------------------------------------------------- */

Test(prepare, digests_of_known_texts)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *path = put_text(&s, "abc", "abc");
    static const char *const expected[] = {
        ("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha384:"
         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca"
         "134c825a7"),
        ("sha512:"
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c2"
         "3a3feebbd454d4423643ce80e2a9ac94fa54ca49f")};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        _cleanup_free_ char *algorithm = xstrndup(expected[i], 6), *got = sha(path, algorithm);
        cr_expect_str_eq(got, expected[i]);
    }
}

Test(prepare, digest_forms)
{
    static const char *const bad[] = {
        "",
        "abc",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "sha256:",
        "sha256:abc",
        "SHA256:abc",
        ("sha256:zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
         "f20015ad")};
    struct digest d;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_err_ struct err e = ERR_INIT;
        cr_expect_eq(digest_parse(bad[i], &d, &e), -1, "%s", bad[i]);
        cr_expect_eq(e.kind, ERR_CONFIG);
    }
    cr_expect_eq(
        digest_parse("sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", &d,
                     NULL),
        0);
    cr_expect_eq(strncmp(d.hex, "ba7816bf", 8), 0);
}

Test(prepare, DL03_digest_is_checked)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    struct config_image *im = add_image(&s, disk);
    struct image_result r;
    static const char *const algorithms[] = {"sha256", "sha384", "sha512"};
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        _cleanup_free_ char *good = sha(disk, algorithms[i]), *bad = xstrdup(good);
        bad[10] = bad[10] == '0' ? '1' : '0';
        _cleanup_err_ struct err e = ERR_INIT, e2 = ERR_INIT;
        im->digest = bad;
        cr_assert_eq(prepare(&s, &r, &e), -1);
        _cleanup_free_ char *text = xasprintf("expected digest `%s`, got `%s`", bad, good);
        expect_message(&e, text);
        im->digest = good;
        cr_assert_eq(prepare(&s, &r, &e2), 0, "%s", e2.msg);
    }
}

Test(prepare, DL03_nothing_is_kept_of_a_wrong_file)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    struct config_image *im = add_image(&s, disk);
    im->digest = (char *)"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct image_result r;
    cr_assert_eq(prepare(&s, &r, NULL), -1);
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), 0);
    im->digest = (char *)"sha1:abc";
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), -1);
    expect_message(&e, "invalid digest");
}

Test(prepare, S16_F38_altered_cache_is_found)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    _cleanup_free_ char *good = sha(disk, "sha256");
    struct config_image *im = add_image(&s, disk);
    struct image_result r;
    /* Cached without a digest, altered, then asked for with one. */
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    for (int round = 0; round < 2; round++) {
        _cleanup_free_ char *path = cached_path(&s, disk);
        usleep(20000);
        _cleanup_close_ int evil = open(path, O_WRONLY | O_CLOEXEC);
        cr_assert_eq(pwrite(evil, "evil", 4, Q_L2 + 60000), 4);
        im->digest = good;
        _cleanup_err_ struct err e = ERR_INIT;
        cr_assert_eq(prepare(&s, &r, &e), 0, "%s", e.msg);
        _cleanup_free_ char *image = instance_path(&s.inst, INST_IMAGE),
                            *now = sha(image, "sha256");
        cr_expect_str_eq(now, good, "round %d", round);
    }
}

/* ---- choice and errors ---------------------------------------------------------------------- */

Test(prepare, DL05_first_image_of_the_architecture_that_works)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *good = put_qcow2(&s, "good", 1u << 20);
    _cleanup_free_ char *never = put_qcow2(&s, "never", 7u << 20);
    add_image(&s, "other-arch")->arch = (char *)"aarch64";
    add_image(&s, "missing");
    add_image(&s, good);
    add_image(&s, never);
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), 0, "%s", e.msg);
    cr_expect_eq(r.info.virtual_size, 1u << 20);
}

Test(prepare, DL05_variant_of_the_first_match_binds)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *a = put_qcow2(&s, "a", 1u << 20), *b = put_qcow2(&s, "b", 2u << 20);
    add_image(&s, "missing")->variant = (char *)"minimal";
    add_image(&s, a);
    add_image(&s, b)->variant = (char *)"minimal";
    struct image_result r;
    cr_assert_eq(prepare(&s, &r, NULL), 0);
    cr_expect_eq(r.info.virtual_size, 2u << 20);
}

Test(prepare, HA02_the_error_lists_every_attempt)
{
    _scene_ struct scene s = scene_new();
    http_limits.tries = 1;
    add_image(&s, "/none/one");
    add_image(&s, "http://127.0.0.1:1/image.qcow2");
    add_image(&s, "/none/arm")->arch = (char *)"aarch64";
    add_image(&s, "/none/v")->arch_variant = (char *)"v3";
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), -1);
    static const char *const texts[] = {
        "none of the 2 images for `x86_64` can be used",
        "images[0] /none/one: '/none/one' does not exist",
        "images[1] http://127.0.0.1:1/image.qcow2: ",
        "failed to download `http://127.0.0.1:1/image.qcow2`",
        "check the address, the network and the proxy",
        "images[2] /none/arm: skipped: it is for aarch64",
        "images[3] /none/v: skipped: its archVariant is `v3`",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        expect_message(&e, texts[i]);
}

Test(prepare, one_image_is_named_in_its_error)
{
    _scene_ struct scene s = scene_new();
    add_image(&s, "/none/one");
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), -1);
    _cleanup_free_ char *line = err_line(&e);
    cr_expect_str_eq(line, "images[0]: '/none/one' does not exist");
    cr_expect_eq(e.kind, ERR_NOT_FOUND);
}

Test(prepare, no_images)
{
    _scene_ struct scene s = scene_new();
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT, e2 = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e), -1);
    expect_message(&e,
                   "no images are configured (did you set --image-variant or --arch-variant to a "
                   "value not present in the template?)");
    add_image(&s, "x")->arch = (char *)"aarch64";
    cr_assert_eq(prepare(&s, &r, &e2), -1);
    expect_message(&e2, "no image for the architecture `x86_64`");
    expect_message(&e2, "skipped: it is for aarch64");
}

Test(prepare, locations_that_are_no_files)
{
    static const char *const cases[][2] = {
        {"http://x/a b.img", "no blanks and no control characters"},
        {"https://x/a\nurl file:///etc/shadow", "no blanks and no control characters"},
        {"ftp://x/y", "'ftp:' are not supported"},
        {"oci://x/y", "'oci:' are not supported"},
        {"template:debian", "'template:' are not supported"},
        {"file://relative", "'file:' are not supported"},
        {"/dev/zero", "is not a regular file"},
        {"/tmp", "is not a regular file"},
        {"", "`location` is empty"},
    };
    _scene_ struct scene s = scene_new();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct image_result r;
        _cleanup_err_ struct err e = ERR_INIT;
        s.cfg.images_count = 0;
        add_image(&s, cases[i][0]);
        cr_assert_eq(prepare(&s, &r, &e), -1);
        expect_message(&e, cases[i][1]);
    }
}

Test(prepare, S01_refused_image_leaves_nothing)
{
    _scene_ struct scene s = scene_new();
    struct qcow2 q;
    qcow2_make(&q, 3, 1u << 20);
    qcow2_set_backing(&q, "/etc/shadow");
    _cleanup_free_ char *path = path_join(s.f.dir, "evil");
    put_bytes(path, q.data, sizeof(q.data));
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    add_image(&s, path);
    cr_assert_eq(prepare(&s, &r, &e), -1);
    expect_message(&e, "is not acceptable as a disk image");
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), 0);
    cr_expect_eq(cache_entries(&s), 0);
}

/* What an image names is not even looked at. */
Test(prepare, S01_the_target_is_never_opened)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *secret = put_text(&s, "secret", "secret");
    _cleanup_free_ char *evil = path_join(s.f.dir, "evil"), *text = NULL;
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    cr_assert_geq(inotify_add_watch(watch, secret, IN_OPEN | IN_ACCESS), 0);
    add_image(&s, evil);
    struct image_result r;
    struct qcow2 q;
    for (int kind = 0; kind < 4; kind++) {
        qcow2_make(&q, 3, 1u << 20);
        if (kind == 0)
            qcow2_set_backing(&q, secret);
        else if (kind == 1)
            qcow2_add_extension(&q, 104, 0x44415441, secret);
        else if (kind == 2)
            vmdk_make((char *)q.data, sizeof(q.data), 0, secret);
        put_bytes(evil, q.data, sizeof(q.data));
        if (kind == 3) {
            text = xasprintf("# Disk DescriptorFile\nversion=1\nRW 1 FLAT \"%s\" 0\n", secret);
            put_file(evil, text);
        }
        cr_expect_eq(prepare(&s, &r, NULL), -1, "kind %d", kind);
    }
    char events[4096];
    cr_expect_eq(read(watch, events, sizeof(events)), -1, "the secret was opened");
    /* The watch does see an opening. */
    close(open(secret, O_RDONLY | O_CLOEXEC));
    cr_expect_gt(read(watch, events, sizeof(events)), 0);
}

Test(prepare, missing_kernel_leaves_no_image)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *disk = put_qcow2(&s, "disk", 1u << 20);
    _cleanup_free_ char *xz = put_text(&s, "kernel.xz",
                                       "\xfd"
                                       "7zXZ");
    struct config_image *im = add_image(&s, disk);
    struct image_result r;
    _cleanup_err_ struct err e = ERR_INIT;
    im->kernel.location = (char *)"/none/kernel";
    cr_assert_eq(prepare(&s, &r, &e), -1);
    expect_message(&e, "kernel: '/none/kernel' does not exist");
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), 0);
    im->kernel.location = (char *)"kernel.xz";
    put_bytes(xz,
              "\xfd"
              "7zXZ\0\0\0",
              8);
    _cleanup_err_ struct err e2 = ERR_INIT;
    cr_assert_eq(prepare(&s, &r, &e2), -1);
    expect_message(&e2, "kernel: unpacking failed: ");
    expect_message(&e2, "the xz data is damaged or cut off");
    cr_expect_eq(inode_of(&s.inst, INST_IMAGE), 0);
}

/* ---- firmware -------------------------------------------------------------------------------- */

static int firmware(struct scene *s, const char *location, const char *digest, struct err *err)
{
    _cleanup_free_ char *to = instance_path(&s->inst, INST_EFI_CODE);

    return image_fetch_firmware(&s->f.store, location, digest, "x86_64", s->f.dir, NULL, to, err);
}

Test(prepare, SD_14_firmware_is_checked_and_put_into_place)
{
    _scene_ struct scene s = scene_new();
    _cleanup_free_ char *path = put_text(&s, "fw.fd", "firmware bytes"), *right = sha(path, "sha256");
    _cleanup_free_ char *to = instance_path(&s.inst, INST_EFI_CODE), *got = NULL;
    _cleanup_err_ struct err e = ERR_INIT;
    size_t len;

    cr_assert_eq(firmware(&s, path,
                          "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                          &e),
                 -1);
    cr_expect_not(path_exists(to), "nothing is left of a wrong file");
    err_clear(&e);
    cr_assert_eq(firmware(&s, "gone.fd", NULL, &e), -1);
    err_clear(&e);
    cr_assert_eq(firmware(&s, "fw.fd", right, &e), 0, "%s", e.msg);
    got = file_read(to, 4096, &len, &e);
    cr_assert_str_eq(got, "firmware bytes");
}
