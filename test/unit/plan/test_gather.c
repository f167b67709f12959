/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked up for a plan: data disks, virtiofsd, the features of a binary. */
#include "driver/qemu/gather_disks.h"
#include "driver/qemu/gather_virtiofsd.h"
#include "image/image.h"
#include "sys/spawn.h"
#include "tmpdir.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void put(const char *dir, const char *name, const char *content, mode_t mode)
{
    _cleanup_free_ char *path = path_join(dir, name), *parent = path_dirname(path);
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(dir_make(parent, 0755, &err), 0, "%s", err.msg);
    cr_assert_eq(file_write_atomic(path, content, strlen(content), mode, &err), 0, "%s", err.msg);
}

/* ---- virtiofsd ------------------------------------------------------------------------------- */

static void put_daemon(const char *root, const char *path, const char *help)
{
    _cleanup_free_ char *script = xasprintf("#!/bin/sh\n"
                                            "case $1 in\n"
                                            "--version) echo virtiofsd 1.10.0 ;;\n"
                                            "--help) echo '%s' ;;\n"
                                            "*) exit 1 ;;\n"
                                            "esac\n",
                                            help);

    put(root, path, script, 0755);
}

static void put_description(const char *root, const char *path, const char *type,
                            const char *binary)
{
    _cleanup_free_ char *text =
        xasprintf("{\"type\": \"%s\", \"binary\": \"%s\"}", type, binary);

    put(root, path, text, 0644);
}

static void find(const char *root, struct qemu_virtiofsd *ret)
{
    qemu_find_virtiofsd(root, "/home/me", "/opt/q/bin/qemu-system-x86_64", ret);
}

Test(gather, SD_50_virtiofsd_by_description)
{
    _tmpdir_ char *root = tmpdir_new();
    _cleanup_free_ char *wanted = path_join(root, "opt/q/libexec/virtiofsd");
    struct qemu_virtiofsd v;

    find(root, &v);
    cr_assert_null(v.path);
    cr_assert_null(v.problem, "nothing was found: %s", v.problem);

    put(root, "usr/lib/old", "#!/bin/sh\necho 'unknown option'\nexit 1\n", 0755);
    put_description(root, "usr/share/qemu/vhost-user/50-old.json", "fs", "/usr/lib/old");
    put_description(root, "usr/share/qemu/vhost-user/10-gpu.json", "gpu", "/usr/lib/gpu");
    put(root, "usr/share/qemu/vhost-user/20-bad.json", "{", 0644);
    find(root, &v);
    cr_assert_null(v.path);
    cr_assert(strstr(v.problem, "/usr/lib/old' is not the virtiofsd written in Rust"), "%s",
              v.problem);
    cr_expect_not(strstr(v.problem, "gpu"));
    qemu_virtiofsd_release(&v);

    put_daemon(root, "opt/q/libexec/virtiofsd", "--shared-dir --readonly");
    put_description(root, "opt/q/share/qemu/vhost-user/a.json", "fs", "/opt/q/libexec/virtiofsd");
    put_daemon(root, "usr/libexec/virtiofsd", "--shared-dir");
    find(root, &v);
    cr_assert_str_eq(v.path, wanted);
    cr_expect(v.read_only);
    qemu_virtiofsd_release(&v);
}

Test(gather, SD_50_virtiofsd_at_the_usual_places)
{
    _tmpdir_ char *root = tmpdir_new();
    _cleanup_free_ char *wanted = path_join(root, "usr/libexec/virtiofsd");
    struct qemu_virtiofsd v;

    put_daemon(root, "usr/libexec/virtiofsd", "--shared-dir DIR");
    find(root, &v);
    cr_assert_str_eq(v.path, wanted);
    cr_expect_not(v.read_only);
    qemu_virtiofsd_release(&v);
    /* One that says its version and has other options. */
    put_daemon(root, "usr/libexec/virtiofsd", "-o source=DIR");
    find(root, &v);
    cr_assert_null(v.path);
    cr_expect(strstr(v.problem, "--shared-dir"));
    qemu_virtiofsd_release(&v);
}

static bool says(const struct err *e, const char *word)
{
    _cleanup_free_ char *text = err_text(e);

    return strstr(text, word);
}

/* ---- data disks ------------------------------------------------------------------------------ */

struct disks {
    char *home, *file, *lock;
    struct store store;
    struct instance inst;
    struct config_disk entry;
    struct config_instance cfg;
    struct json *formats;
    struct qemu_plan_disk *found;
};

static void disks_set_up(struct disks *d, char *home)
{
    *d = (struct disks){.home = home,
                        .file = path_join(home, "_disks/d/datadisk"),
                        .lock = path_join(home, "_disks/d/in_use_by"),
                        .store = {.home = home},
                        .entry = {.name = (char *)"d"},
                        .formats = json_object_new()};
    d->inst = (struct instance){.name = (char *)"me", .dir = path_join(home, "me")};
    d->cfg.additional_disks = &d->entry;
    d->cfg.additional_disks_count = 1;
}

static void disks_tear_down(struct disks *d)
{
    qemu_plan_disks_free(d->found, 1);
    json_free(d->formats);
    free(d->file);
    free(d->lock);
    free(d->inst.dir);
}

static int disks_find(struct disks *d, struct err *err)
{
    const struct qemu_disk_search s = {
        .store = &d->store, .inst = &d->inst, .cfg = &d->cfg, .formats = d->formats};

    qemu_plan_disks_free(d->found, 1);
    d->found = NULL;
    return qemu_find_disks(&s, &d->found, err);
}

static void make_qcow2(const struct disks *d, const char *backing)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_close_ int fd = -1;

    unlink(d->file);
    put(d->home, "_disks/d/other", "", 0644);
    fd = open(d->file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_eq(qcow2_create(fd, 1 << 20, backing, backing ? "raw" : NULL, &err), 0, "%s",
                 err.msg);
}

Test(gather, SD_16_S02_formats_of_data_disks_are_kept)
{
    _tmpdir_ char *home = tmpdir_new();
    _cleanup_err_ struct err err = ERR_INIT;
    struct disks d;

    disks_set_up(&d, home);
    cr_assert_eq(disks_find(&d, &err), -1);
    cr_expect_eq(err.kind, ERR_NOT_FOUND);
    cr_expect(says(&err, "additionalDisks[0]"));
    err_clear(&err);

    put(home, "_disks/d/datadisk", "raw", 0644);
    cr_assert_eq(truncate(d.file, 1 << 20), 0);
    cr_assert_eq(disks_find(&d, &err), 0, "%s", err.msg);
    cr_expect_str_eq(d.found[0].format, "raw");
    cr_expect_str_eq(d.found[0].lock, d.lock);
    /* Its guest has made it look like another format. */
    make_qcow2(&d, NULL);
    cr_assert_eq(disks_find(&d, &err), 0, "%s", err.msg);
    cr_expect_str_eq(d.found[0].format, "raw");
    cr_assert_eq(unlink(d.file), 0);
    cr_assert_eq(disks_find(&d, &err), -1, "it is gone");
    disks_tear_down(&d);
}

Test(gather, SD_16_S01_disks_that_name_other_files)
{
    _tmpdir_ char *home = tmpdir_new();
    _cleanup_err_ struct err err = ERR_INIT;
    struct disks d;

    disks_set_up(&d, home);
    make_qcow2(&d, NULL);
    cr_assert_eq(disks_find(&d, &err), 0, "%s", err.msg);
    cr_expect_str_eq(d.found[0].format, "qcow2");
    make_qcow2(&d, "other");
    cr_assert_eq(disks_find(&d, &err), -1, "a backing file is opened by QEMU");
    cr_expect(says(&err, "could not load disk 'd'"));
    disks_tear_down(&d);
}

/* A process that holds a pid file as QEMU does. */
static pid_t hold(const char *path)
{
    int pipe_fd[2];
    char ready;
    pid_t pid;

    cr_assert_eq(pipe(pipe_fd), 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || write(pipe_fd[1], "y", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(pipe_fd[1]);
    cr_assert_eq(read(pipe_fd[0], &ready, 1), 1);
    close(pipe_fd[0]);
    return pid;
}

Test(gather, SD_16_a_disk_of_a_running_machine)
{
    _tmpdir_ char *home = tmpdir_new();
    _cleanup_free_ char *other = path_join(home, "other"), *pidfile = path_join(other, "qemu.pid");
    _cleanup_err_ struct err err = ERR_INIT;
    struct disks d;
    pid_t pid;
    int status;

    disks_set_up(&d, home);
    make_qcow2(&d, NULL);
    put(home, "other/lima.yaml", "", 0644);
    cr_assert_eq(symlink(other, d.lock), 0);
    cr_assert_eq(disks_find(&d, &err), 0, "a link that is left over: %s", err.msg);
    pid = hold(pidfile);
    cr_assert_eq(disks_find(&d, &err), -1);
    cr_expect_eq(err.kind, ERR_BUSY);
    cr_expect(says(&err, "could not attach disk 'd', it is in use by instance 'other'"));
    err_clear(&err);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    cr_assert_eq(disks_find(&d, &err), 0, "%s", err.msg);
    disks_tear_down(&d);
}

/* ---- the probe ------------------------------------------------------------------------------- */

#define BINARY "/usr/bin/qemu-system-x86_64"

static char *only_file(const char *dir)
{
    _cleanup_strv_ struct strv files = STRV_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(dir_list(dir, &files, &err), 0, "%s", err.msg);
    cr_assert_eq(files.n, 1);
    return path_join(dir, files.v[0]);
}

Test(gather, SD_02_the_real_one_is_asked_once)
{
    _tmpdir_ char *cache = tmpdir_new();
    _cleanup_free_ char *dir = path_join(cache, "qemu-features"), *file = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *first = NULL;

    if (!path_exists(BINARY))
        cr_skip_test("no " BINARY);
    static const char *const damages[] = {NULL, "", "{", "{\"features\": {}}", "[1, 2]"};
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        _cleanup_qemu_features_ struct qemu_features f = QEMU_FEATURES_INIT;
        _cleanup_json_ struct json *j = NULL;

        if (file && damages[i])
            put(dir, path_basename(file), damages[i], 0600);
        cr_assert_eq(qemu_probe(BINARY, ARCH_X86_64, cache, &f, &err), 0, "%s", err.msg);
        cr_expect(strv_contains(&f.accels, "tcg"));
        cr_expect(strv_contains(&f.cpus, "max"));
        cr_expect(strv_contains(&f.netdevs, "socket"));
        cr_expect(strv_contains(&f.chardevs, "socket"));
        cr_expect(strv_contains(&f.objects, "memory-backend-memfd"));
        cr_expect(strv_contains(&f.machine_props, "vmport"));
        cr_expect(strv_contains(&f.devices, "virtio-blk-pci"));
        cr_expect(f.netdev_user);
        if (qemu_features_at_least(&f, 7, 2))
            cr_expect(strv_contains(&f.netdevs, "stream"));
        j = qemu_features_to_json(&f);
        if (!first)
            first = json_ref(j);
        cr_expect(json_equal(first, j), "after '%s'", damages[i] ? damages[i] : "");
        free(file);
        file = only_file(dir);
    }
}
