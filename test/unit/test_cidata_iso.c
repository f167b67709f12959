/* SPDX-License-Identifier: Apache-2.0 */
/* The ISO and the helper program that writes it: read back with libarchive, and what the helper
 * refuses. The helper is that of the build tree (CIMA_LIBEXEC). */
#include "cidata_fixture.h"
#include "cidata/seedstream.h"
#include "sys/helper.h"
#include "tmpdir.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void use_build_tree(void)
{
    const char *dir = getenv("builddir");
    setenv("CIMA_LIBEXEC", str_empty(dir) ? "." : dir, 0);
    signal(SIGPIPE, SIG_IGN);
}

TestSuite(iso, .timeout = 600, .init = use_build_tree);

static void plan_and_write(struct cidata *c, const char *path)
{
    _seed_ struct seed *s = seed_new(IMAGES "provision: [{mode: system, script: '#!/bin/sh'}]\n");
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(cidata_plan(&s->in, c, &e), 0, "%s", e.msg);
    if (cidata_write_iso(c, path, &e) < 0) {
        _cleanup_free_ char *text = err_text(&e);
        cr_assert_fail("%s", text);
    }
}

static char *entry_data(struct archive *a, size_t size)
{
    char *data = xcalloc(size + 1, 1);
    cr_assert_eq(archive_read_data(a, data, size), (la_ssize_t)size);
    return data;
}

Test(iso, GS01_holds_exactly_the_files_of_the_plan)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "cidata.iso");
    _cleanup_cidata_ struct cidata c = {0};
    plan_and_write(&c, path);
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    archive_read_support_format_iso9660(a);
    cr_assert_eq(archive_read_open_filename(a, path, 10240), ARCHIVE_OK);
    size_t found = 0;
    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        if (archive_entry_filetype(e) != AE_IFREG)
            continue;
        const struct cidata_file *f = cidata_find(&c, archive_entry_pathname(e));
        cr_assert_not_null(f, "%s is not of the plan", archive_entry_pathname(e));
        cr_expect_eq((size_t)archive_entry_size(e), f->len, "%s", f->name);
        cr_expect_eq(archive_entry_perm(e), f->mode, "%s has mode %o", f->name,
                     archive_entry_perm(e));
        _cleanup_free_ char *data = entry_data(a, (size_t)archive_entry_size(e));
        cr_expect_eq(memcmp(data, f->data, f->len), 0, "%s differs", f->name);
        found++;
    }
    archive_read_free(a);
    cr_expect_eq(found, c.n);
}

Test(iso, GS01_label_mode_and_nothing_beside_it)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "cidata.iso");
    _cleanup_cidata_ struct cidata c = {0};
    mode_t old = umask(0);
    plan_and_write(&c, path);
    umask(old);
    size_t len;
    _cleanup_free_ char *data = file_read(path, 64u << 20, &len, NULL);
    cr_assert_gt(len, 0x8800);
    cr_expect_eq(memcmp(data + 0x8000, "\1CD001\1", 7), 0);
    cr_expect_eq(memcmp(data + 0x8000 + 40, "cidata                          ", 32), 0);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0600);
    _cleanup_strv_ struct strv names = STRV_INIT;
    cr_assert_eq(dir_list(dir, &names, NULL), 0);
    cr_expect_eq(names.n, 1);
}

Test(iso, S2_H4_config_drive)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "config.iso");
    _cleanup_cidata_ struct cidata c = {0};
    _cleanup_err_ struct err err = ERR_INIT;
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    size_t len, found = 0;
    cidata_config_drive("{\"uuid\": \"1\"}", "#cloud-config\n", &c);
    cr_assert_eq(cidata_write_iso(&c, path, &err), 0, "%s", err.msg);
    _cleanup_free_ char *data = file_read(path, 64u << 20, &len, NULL);
    cr_expect_eq(memcmp(data + 0x8000 + 40, "config-2                        ", 32), 0);
    archive_read_support_format_iso9660(a);
    cr_assert_eq(archive_read_open_filename(a, path, 10240), ARCHIVE_OK);
    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        if (archive_entry_filetype(e) != AE_IFREG)
            continue;
        const struct cidata_file *f = cidata_find(&c, archive_entry_pathname(e));
        cr_assert_not_null(f, "%s", archive_entry_pathname(e));
        _cleanup_free_ char *text = entry_data(a, (size_t)archive_entry_size(e));
        cr_expect_str_eq(text, f->data);
        found++;
    }
    archive_read_free(a);
    cr_expect_eq(found, 2);
}

Test(iso, same_content_same_bytes)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *p1 = path_join(dir, "1"), *p2 = path_join(dir, "2");
    _cleanup_cidata_ struct cidata c1 = {0}, c2 = {0};
    plan_and_write(&c1, p1);
    sleep(1); /* ISO 9660 counts seconds */
    setenv("TZ", "Asia/Tokyo", 1);
    plan_and_write(&c2, p2);
    size_t n1, n2;
    _cleanup_free_ char *d1 = file_read(p1, 64u << 20, &n1, NULL);
    _cleanup_free_ char *d2 = file_read(p2, 64u << 20, &n2, NULL);
    cr_assert_eq(n1, n2);
    cr_expect_eq(memcmp(d1, d2, n1), 0);
}

Test(iso, failure_leaves_the_old_one)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "cidata.iso"),
                        *helper = path_join(dir, "cima-seediso");
    cr_assert_eq(file_write_atomic(path, "old", 3, 0600, NULL), 0);
    static const char script[] = "#!/bin/sh\necho half an image\necho it broke >&2\nexit 3\n";
    cr_assert_eq(file_write_atomic(helper, script, strlen(script), 0700, NULL), 0);
    setenv("CIMA_LIBEXEC", dir, 1);
    _seed_ struct seed *s = seed_new(IMAGES);
    _cleanup_cidata_ struct cidata c = {0};
    cr_assert_eq(cidata_plan(&s->in, &c, NULL), 0);
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(cidata_write_iso(&c, path, &e), -1);
    expect_error(&e, "exited with status 3");
    expect_error(&e, "it broke");
    _cleanup_free_ char *now = file_read(path, 100, NULL, NULL);
    cr_expect_str_eq(now, "old");
    _cleanup_strv_ struct strv names = STRV_INIT;
    cr_assert_eq(dir_list(dir, &names, NULL), 0);
    cr_expect_eq(names.n, 2);
}

Test(iso, missing_helper_is_named)
{
    _tmpdir_ char *dir = tmpdir_new();
    setenv("CIMA_LIBEXEC", dir, 1);
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_null(helper_path("cima-seediso", &e));
    cr_expect_eq(e.kind, ERR_NOT_FOUND);
    expect_error(&e, dir);
    expect_error(&e, "cima-seediso");
    expect_error(&e, "CIMA_LIBEXEC");
}

Test(iso, data_too_large_for_a_seed)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "cidata.iso");
    struct cidata_file f = {(char *)"big", (char *)"", SEED_DATA_MAX + 1, 0644};
    struct cidata c = {.v = &f, .n = 1};
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(cidata_write_iso(&c, path, &e), -1);
    expect_error(&e, "'big' does not fit on the seed");
}

/* ---- the helper alone ----------------------------------------------------------------------- */

/* Feeds bytes; returns the exit status, and the length of what was written. */
static int feed(const void *data, size_t len, off_t *ret_written)
{
    _cleanup_free_ char *helper = helper_path("cima-seediso", NULL);
    cr_assert_not_null(helper);
    _cleanup_close_ int in = memfd_create("in", MFD_CLOEXEC),
                        out = memfd_create("out", MFD_CLOEXEC);
    cr_assert_eq(fd_write_all(in, data, len), 0);
    lseek(in, 0, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
            _exit(99);
        execl(helper, helper, (char *)NULL);
        _exit(98);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status), "died of signal %d", WTERMSIG(status));
    *ret_written = lseek(out, 0, SEEK_END);
    return WEXITSTATUS(status);
}

static size_t put_file_record(char *at, const char *name, size_t name_len, uint32_t len)
{
    const uint32_t head[3] = {0644, (uint32_t)name_len, len};
    memcpy(at, head, 12);
    memcpy(at + 12, name, name_len);
    return 12 + name_len;
}

Test(iso, helper_refuses_what_cima_does_not_write)
{
    static const struct {
        const char *name;
        size_t name_len;
        uint32_t len; /* announced; none follows */
    } cases[] = {
        {"../x", 4, 0},
        {"/x", 2, 0},
        {"x/", 2, 0},
        {"a/../b", 6, 0},
        {".", 1, 0},
        {"a//b", 4, 0},
        {"a\0b", 3, 0},
        {"", 0, 0},
        {"x", 1, 5},
        {"x", 1, 0xffffffff},
        {"x", 1, SEED_DATA_MAX + 1},
    };
    off_t written;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char data[300] = SEED_MAGIC "\1\0\0";
        size_t n = SEED_MAGIC_LEN + 4;
        n += put_file_record(data + n, cases[i].name, cases[i].name_len, cases[i].len);
        cr_expect_eq(feed(data, n, &written), 1, "case %zu", i);
        cr_expect_eq(written, 0);
    }
    static const char *const heads[] = {"", "cimaseed", "something else altogether", SEED_MAGIC,
                                        SEED_MAGIC "\xff\xff\xff\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        cr_expect_eq(feed(heads[i], strlen(heads[i]), &written), 1, "head %zu", i);
        cr_expect_eq(written, 0);
    }
    char good[300] = SEED_MAGIC "\1\0\0";
    size_t n = SEED_MAGIC_LEN + 4;
    n += put_file_record(good + n, "x", 1, 0);
    cr_expect_eq(feed(good, n, &written), 0);
    cr_expect_gt(written, 0x8000);
}
