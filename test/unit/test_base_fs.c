/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, files, directories. */
#include "base/fs.h"
#include "base/mem.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

/* ---- paths ------------------------------------------------------------------------------ */

static void expect_text(char *got, const char *want)
{
    cr_expect_str_eq(got, want, "got %s, want %s", got, want);
    free(got);
}

Test(path, join)
{
    expect_text(path_join("a", "b"), "a/b");
    expect_text(path_join("a/", "b"), "a/b");
    expect_text(path_join("a//", "//b"), "a/b");
    expect_text(path_join("/", "b"), "/b");
    expect_text(path_join("", "b"), "b");
    expect_text(path_join("", "/b"), "/b");
}

Test(path, parts)
{
    expect_text(path_dirname("a/b"), "a");
    expect_text(path_dirname("/a"), "/");
    expect_text(path_dirname("a"), ".");
    expect_text(path_dirname("a//b"), "a");
    expect_text(path_dirname("//b"), "/");
    cr_expect_str_eq(path_basename("/a/b"), "b");
    cr_expect_str_eq(path_basename("b"), "b");
    cr_expect_str_eq(path_basename("b/"), "");
}

Test(path, normalise)
{
    expect_text(path_normalise("/base", "x"), "/base/x");
    expect_text(path_normalise("/base", "/x"), "/x");
    expect_text(path_normalise("/base/sub/", "../.././../x"), "/x");
    expect_text(path_normalise("/base", "a//b/./c/.."), "/base/a/b");
    expect_text(path_normalise("/", "."), "/");
    expect_text(path_normalise("/a", ""), "/a");
    expect_text(path_normalise("/a", "..."), "/a/...");
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    _cleanup_free_ char *want = path_join(cwd, "rel/x");
    expect_text(path_normalise("rel", "x"), want);
    expect_text(path_normalise(NULL, "."), cwd);
}

Test(path, path_below)
{
    cr_assert(path_is_below("/a/b", "/a"));
    cr_assert(path_is_below("/a/b", "/a/"));
    cr_assert_not(path_is_below("/a", "/a"));
    cr_assert_not(path_is_below("/ab", "/a"));
    cr_assert_not(path_is_below("/a", "/a/b"));
}

/* ---- files ------------------------------------------------------------------------------ */

Test(fs, read_and_write)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "f");
    _cleanup_err_ struct err e = ERR_INIT;
    struct stat st;
    size_t len = 0;

    umask(0077);
    cr_assert_eq(file_write_atomic(path, "a\0b", 3, 0644, &e), 0);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0644, "the mode is exact, whatever the umask");
    _cleanup_free_ char *text = file_read(path, 3, &len, &e);
    cr_assert_not_null(text);
    cr_assert_eq(len, 3);
    cr_assert_eq(memcmp(text, "a\0b", 4), 0);
    cr_assert_null(file_read(path, 2, &len, &e));
    cr_assert_eq(e.kind, ERR_IO);
    cr_assert_not_null(strstr(e.msg, path));
}

Test(fs, reading_what_is_not_there)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "none");
    _cleanup_err_ struct err e = ERR_INIT;

    cr_assert_null(file_read(path, 10, NULL, &e));
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
    err_clear(&e);
    cr_assert_null(file_read(dir, 10, NULL, &e), "a directory");
    cr_assert_eq(e.kind, ERR_IO);
    cr_assert_not(path_exists(path));
    cr_assert(path_exists(dir));
}

Test(fs, reads_files_without_a_size)
{
    size_t len = 0;
    _cleanup_free_ char *text = file_read("/proc/self/maps", 1 << 22, &len, NULL);

    cr_assert_not_null(text);
    cr_assert_gt(len, 0);
    cr_assert_eq(strlen(text), len);
}

Test(fs, read_all_of_a_large_file)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "big");
    _cleanup_free_ char *data = xmalloc(300000);
    size_t len = 0;

    for (size_t i = 0; i < 300000; i++)
        data[i] = (char)(i * 7);
    cr_assert_eq(file_write_atomic(path, data, 300000, 0600, NULL), 0);
    _cleanup_free_ char *back = file_read(path, 300000, &len, NULL);
    cr_assert_not_null(back);
    cr_assert_eq(len, 300000);
    cr_assert_eq(memcmp(back, data, len), 0);
    cr_assert_null(file_read(path, 299999, &len, NULL));
}

Test(fs, failed_write_leaves_the_old_file_and_nothing_else)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "d");
    _cleanup_free_ char *inside = path_join(path, "x");
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_strv_ struct strv names = STRV_INIT;

    /* A full directory can't be replaced by rename. */
    cr_assert_eq(dir_make(path, 0700, NULL), 0);
    cr_assert_eq(file_write_atomic(inside, "old", 3, 0600, NULL), 0);
    cr_assert_eq(file_write_atomic(path, "new", 3, 0600, &e), -1);
    cr_assert_eq(e.kind, ERR_IO);
    cr_assert_eq(dir_list(dir, &names, NULL), 0);
    cr_assert_eq(names.n, 1);
    cr_assert_str_eq(names.v[0], "d");
    err_clear(&e);
    _cleanup_free_ char *nowhere = path_join(dir, "no/such/x");
    cr_assert_eq(file_write_atomic(nowhere, "", 0, 0600, &e), -1);
    cr_assert_eq(e.kind, ERR_IO);
}

Test(fs, write_replaces_a_link_not_its_target)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *target = path_join(dir, "target");
    _cleanup_free_ char *link = path_join(dir, "link");
    struct stat st;

    cr_assert_eq(file_write_atomic(target, "t", 1, 0600, NULL), 0);
    cr_assert_eq(symlink("target", link), 0);
    cr_assert_eq(file_write_atomic(link, "l", 1, 0600, NULL), 0);
    cr_assert_eq(lstat(link, &st), 0);
    cr_assert(S_ISREG(st.st_mode));
    _cleanup_free_ char *text = file_read(target, 10, NULL, NULL);
    cr_assert_str_eq(text, "t");
}

Test(fs, long_names_can_be_written)
{
    _tmpdir_ char *dir = tmpdir_new();
    char name[256];

    memset(name, 'n', 255);
    name[255] = '\0';
    _cleanup_free_ char *path = path_join(dir, name);
    cr_assert_eq(file_write_atomic(path, "x", 1, 0600, NULL), 0);
    cr_assert(path_exists(path));
}

static void *write_many(void *path)
{
    for (int i = 0; i < 100; i++)
        if (file_write_atomic(path, "0123456789", 10, 0600, NULL) < 0)
            return path;
    return NULL;
}

Test(fs, concurrent_writers_and_a_reader_see_whole_files)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "f");
    _cleanup_strv_ struct strv names = STRV_INIT;
    pthread_t threads[3];

    cr_assert_eq(file_write_atomic(path, "0123456789", 10, 0600, NULL), 0);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, write_many, path), 0);
    for (int i = 0; i < 300; i++) {
        _cleanup_free_ char *text = file_read(path, 100, NULL, NULL);
        cr_assert_not_null(text);
        cr_assert_str_eq(text, "0123456789");
    }
    for (size_t i = 0; i < 3; i++) {
        void *failed = NULL;

        pthread_join(threads[i], &failed);
        cr_expect_null(failed);
    }
    cr_assert_eq(dir_list(dir, &names, NULL), 0);
    cr_assert_eq(names.n, 1, "no temporary file is left");
}

/* ---- copying ---------------------------------------------------------------------------- */

static int open_new(const char *dir, const char *name)
{
    _cleanup_free_ char *path = path_join(dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    return fd;
}

Test(fs, copy_keeps_content_and_holes)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_close_ int src = open_new(dir, "src");
    _cleanup_close_ int dst = open_new(dir, "dst");
    const off_t size = (off_t)64 << 20;
    struct stat a, b;
    char buf[16] = "";

    /* data, hole, data, hole at the end */
    cr_assert_eq(pwrite(src, "begin", 5, 0), 5);
    cr_assert_eq(pwrite(src, "middle", 6, size / 2), 6);
    cr_assert_eq(ftruncate(src, size), 0);
    cr_assert_eq(fd_copy_content(src, dst, NULL), 0);
    cr_assert_eq(fstat(src, &a), 0);
    cr_assert_eq(fstat(dst, &b), 0);
    cr_assert_eq(b.st_size, size);
    cr_assert_leq(b.st_blocks, a.st_blocks + 64, "%ld and %ld blocks", (long)a.st_blocks,
                  (long)b.st_blocks);
    cr_assert_eq(pread(dst, buf, 5, 0), 5);
    cr_assert_eq(memcmp(buf, "begin", 5), 0);
    cr_assert_eq(pread(dst, buf, 6, size / 2), 6);
    cr_assert_eq(memcmp(buf, "middle", 6), 0);
    cr_assert_eq(pread(dst, buf, 4, size - 4), 4);
    cr_assert_eq(memcmp(buf, "\0\0\0\0", 4), 0);
}

Test(fs, copy_of_empty_hole_and_odd_sizes)
{
    static const off_t sizes[] = {0, 1, 4095, 4097, 1 << 20, (1 << 20) + 1, 3000001};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        _tmpdir_ char *dir = tmpdir_new();
        _cleanup_close_ int src = open_new(dir, "src");
        _cleanup_close_ int dst = open_new(dir, "dst");
        size_t n = (size_t)sizes[i];
        _cleanup_free_ char *data = xmalloc(n);
        _cleanup_free_ char *back = NULL;
        size_t len = 0;

        memset(data, 'd', n);
        cr_assert_eq(fd_write_all(src, data, n), 0);
        cr_assert_eq(fd_copy_content(src, dst, NULL), 0);
        cr_assert_eq(lseek(dst, 0, SEEK_SET), 0);
        back = fd_read_all(dst, "dst", n, &len, NULL);
        cr_assert_not_null(back);
        cr_assert_eq(len, n);
        cr_assert_eq(memcmp(back, data, n), 0);
    }
}

Test(fs, copy_between_file_systems)
{
    _tmpdir_ char *dir = tmpdir_new();
    char shm[] = "/dev/shm/cima-test-XXXXXX";
    _cleanup_close_ int src = mkostemp(shm, O_CLOEXEC);
    _cleanup_close_ int dst = open_new(dir, "dst");
    char buf[8] = "";

    if (src < 0)
        cr_skip_test("/dev/shm can't be written to");
    unlink(shm);
    cr_assert_eq(pwrite(src, "data", 4, 1 << 20), 4);
    cr_assert_eq(fd_copy_content(src, dst, NULL), 0);
    cr_assert_eq(pread(dst, buf, 8, 1 << 20), 4);
    cr_assert_str_eq(buf, "data");
}

Test(fs, copy_to_a_full_device_is_an_error)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_close_ int src = open_new(dir, "src");
    _cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    _cleanup_err_ struct err e = ERR_INIT;

    cr_assert_eq(fd_write_all(src, "x", 1), 0);
    cr_assert_eq(fd_copy_content(src, full, &e), -1);
    cr_assert_eq(e.kind, ERR_IO);
    cr_assert_eq(fd_write_all(full, "x", 1), -1);
    cr_assert_eq(errno, ENOSPC);
}

/* ---- directories ------------------------------------------------------------------------ */

Test(fs, make_nested)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "a/b//c/");
    _cleanup_free_ char *file = path_join(dir, "file");
    _cleanup_free_ char *below = path_join(file, "x");
    _cleanup_err_ struct err e = ERR_INIT;
    struct stat st;

    cr_assert_eq(dir_make(path, 0700, &e), 0);
    cr_assert_eq(dir_make(path, 0700, &e), 0, "again is success");
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0700);
    cr_assert_eq(file_write_atomic(file, "", 0, 0600, NULL), 0);
    cr_assert_eq(dir_make(below, 0700, &e), -1);
    cr_assert_eq(e.kind, ERR_IO);
    err_clear(&e);
    cr_assert_eq(dir_make(file, 0700, &e), -1, "a file is in the way");
}

Test(fs, S12_remove_does_not_follow_links)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *tree = path_join(dir, "tree");
    _cleanup_free_ char *deep = path_join(dir, "tree/x/y/z");
    _cleanup_free_ char *file = path_join(dir, "tree/x/f");
    _cleanup_free_ char *outside = path_join(dir, "outside");
    _cleanup_free_ char *keep = path_join(dir, "outside/keep");
    _cleanup_free_ char *link = path_join(dir, "tree/x/link");
    _cleanup_free_ char *tree_slash = path_join(dir, "alias/");
    _cleanup_free_ char *alias = path_join(dir, "alias");

    cr_assert_eq(dir_make(deep, 0700, NULL), 0);
    cr_assert_eq(dir_make(outside, 0700, NULL), 0);
    cr_assert_eq(file_write_atomic(file, "", 0, 0600, NULL), 0);
    cr_assert_eq(file_write_atomic(keep, "", 0, 0600, NULL), 0);
    cr_assert_eq(symlink(outside, link), 0);
    cr_assert_eq(symlink("outside", alias), 0);
    cr_assert_eq(chmod(deep, 0), 0); /* closed even to its owner */
    cr_assert_eq(dir_remove(tree, NULL), 0);
    cr_assert_not(path_exists(tree));
    cr_assert_eq(dir_remove(tree_slash, NULL), 0);
    cr_assert_not(path_exists(alias));
    cr_assert(path_exists(keep));
    cr_assert_eq(dir_remove(tree, NULL), 0, "missing is success");
    cr_assert_eq(dir_remove(keep, NULL), 0, "a plain file goes too");
    cr_assert_not(path_exists(keep));
}

Test(fs, remove_many)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *tree = path_join(dir, "t");

    cr_assert_eq(dir_make(tree, 0700, NULL), 0);
    for (int i = 0; i < 2000; i++) {
        _cleanup_free_ char *path = xasprintf("%s/%d", tree, i);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        cr_assert_geq(fd, 0);
    }
    cr_assert_eq(dir_remove(tree, NULL), 0);
    cr_assert_not(path_exists(tree));
}

Test(fs, list_is_sorted)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_strv_ struct strv names = STRV_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    static const char *const want[] = {".hidden", "A", "a", "b"};

    for (size_t i = ARRAY_SIZE(want); i-- > 0;) {
        _cleanup_free_ char *path = path_join(dir, want[i]);
        cr_assert_eq(file_write_atomic(path, "", 0, 0600, NULL), 0);
    }
    cr_assert_eq(dir_list(dir, &names, &e), 0);
    cr_assert_eq(names.n, ARRAY_SIZE(want));
    for (size_t i = 0; i < names.n; i++)
        cr_expect_str_eq(names.v[i], want[i]);
    _cleanup_free_ char *none = path_join(dir, "none");
    cr_assert_eq(dir_list(none, &names, &e), -1);
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
    cr_assert_eq(names.n, ARRAY_SIZE(want));
    cr_assert_eq(dir_sync(dir, NULL), 0);
    cr_assert_eq(dir_sync(none, NULL), -1);
}

Test(fs, S04_private_directories)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *none = path_join(dir, "none");
    static const struct {
        mode_t mode;
        int ok;
    } t[] = {{0700, 1}, {0755, 1}, {0770, 0}, {0722, 0}, {01777, 0}};

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        _cleanup_err_ struct err e = ERR_INIT;

        cr_assert_eq(chmod(dir, t[i].mode), 0);
        cr_expect_eq(dir_check_private(dir, &e), t[i].ok ? 0 : -1, "%o", t[i].mode);
        cr_expect_eq(e.kind, t[i].ok ? ERR_NONE : ERR_PERMISSION, "%o", t[i].mode);
        cr_expect_eq(e.hint != NULL, !t[i].ok);
    }
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(dir_check_private(none, &e), -1);
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
    err_clear(&e);
    /* Somebody else's: /proc is root's; as root, make one that is not. */
    if (geteuid() == 0)
        cr_assert_eq(chmod(dir, 0700) + chown(dir, 12345, (gid_t)-1), 0);
    cr_assert_eq(dir_check_private(geteuid() == 0 ? dir : "/proc", &e), -1);
    cr_assert_eq(e.kind, ERR_PERMISSION);
}
