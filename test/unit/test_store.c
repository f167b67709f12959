/* SPDX-License-Identifier: Apache-2.0 */
/* Home, names, creation and deletion as transactions, what an instance is made of. */
#include "store/store.h"
#include "store_fixture.h"
#include "base/sbuf.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

TestSuite(store, .timeout = 600);

/* ---- home ----------------------------------------------------------------------------------- */

Test(store, home_from_environment)
{
    struct host_facts host = {.home = (char *)"/nowhere/at/all"};
    static const struct {
        const char *cima, *lima, *expected;
    } cases[] = {
        {"/tmp/x-cima", "/tmp/x-lima", "/tmp/x-cima"},
        {NULL, "/tmp/x-lima", "/tmp/x-lima"},
        {"", "/tmp/x-lima/", "/tmp/x-lima"},
        {NULL, NULL, "/nowhere/at/all/.cima"},
        {"rel/../dir", NULL, "/tmp/dir"},
    };
    cr_assert_eq(chdir("/tmp"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        set_env("CIMA_HOME", cases[i].cima);
        set_env("LIMA_HOME", cases[i].lima);
        _cleanup_store_ struct store s = {0};
        _cleanup_err_ struct err e = ERR_INIT;
        cr_assert_eq(store_open(&s, &host, &e), 0, "case %zu", i);
        cr_expect_str_eq(s.home, cases[i].expected);
    }
}

Test(store, cache_from_environment)
{
    struct host_facts host = {.home = (char *)"/nowhere"};
    set_env("CIMA_HOME", "/nowhere/home");
    static const char *const cases[][3] = {
        {"/x", "/x/cima", "/x/lima/download"},
        {NULL, "/nowhere/.cache/cima", "/nowhere/.cache/lima/download"},
        {"relative", "/nowhere/.cache/cima", "/nowhere/.cache/lima/download"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        set_env("XDG_CACHE_HOME", cases[i][0]);
        _cleanup_store_ struct store s = {0};
        cr_assert_eq(store_open(&s, &host, NULL), 0);
        cr_expect_str_eq(s.cache, cases[i][1]);
        cr_expect_str_eq(s.downloads, cases[i][2], "DL-01: Lima's directory");
    }
}

Test(store, S04_home_that_others_may_write_to)
{
    _fixture_ struct fixture f = fixture_new();
    cr_assert_eq(chmod(f.store.home, 0777), 0);
    _cleanup_store_ struct store s = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_open(&s, &f.host, &e), -1);
    cr_expect_eq(e.kind, ERR_PERMISSION);
    cr_assert_eq(chmod(f.store.home, 0700), 0);
}

Test(store, home_is_a_file)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *path = path_join(f.dir, "file");
    put_file(path, "x");
    set_env("CIMA_HOME", path);
    _cleanup_store_ struct store s = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_open(&s, &f.host, &e), -1);
    expect_message(&e, "is not a directory");
}

/* ---- names ---------------------------------------------------------------------------------- */

Test(store, file_names_are_all_there_and_differ)
{
    for (int a = 0; a < INST_FILE_COUNT; a++) {
        cr_assert_not_null(inst_file_name((enum inst_file)a), "file %d has no name", a);
        for (int b = 0; b < a; b++)
            cr_expect_str_neq(inst_file_name((enum inst_file)a), inst_file_name((enum inst_file)b));
    }
}

Test(store, F40_name_too_long_for_sockets)
{
    struct store s = {.home = (char *)"/h", .cache = (char *)"/c"};
    char name[77];
    memset(name, 'a', sizeof(name) - 1);
    name[76] = '\0';
    /* "/h/" + 76 + "/" + 25 = 105: fits. */
    cr_expect_eq(store_check_name(&s, name, NULL), 0);
    s.home = (char *)"/home/abcdef";
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_check_name(&s, name, &e), -1);
    expect_message(&e, "UNIX_PATH_MAX=108");
    expect_message(&e, "too long");
    cr_expect_not_null(strstr(e.hint, "CIMA_HOME"));
}

Test(store, S09_hostile_names)
{
    _fixture_ struct fixture f = fixture_new();
    static const char *const names[] = {"",        ".",       "..",    "../x",   "a/b",
                                        "-x",      "a b",     "$(id)", "a;b",    "a\nb",
                                        "_config", ".hidden", "a..b",  "x.yaml", "\x1b[31m"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct instance in = INSTANCE_INIT;
        struct instance_draft d;
        _cleanup_err_ struct err e1 = ERR_INIT, e2 = ERR_INIT;
        cr_expect_eq(store_find(&f.store, names[i], &in, &e1), -1, "name %zu", i);
        cr_expect_eq(e1.kind, ERR_USAGE);
        cr_expect_null(strchr(e1.msg, '\x1b'));
        cr_expect_null(strchr(e1.msg, '\n'));
        cr_expect_eq(store_create_begin(&f.store, names[i], &d, &e2), -1, "name %zu", i);
    }
}

static void make_instances(struct fixture *f, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_instance(f, names[i]);
}

Test(store, list_is_sorted_and_shows_instances_alone)
{
    _fixture_ struct fixture f = fixture_new();
    static const char *const names[] = {"web", "alpha", "db.1"};
    make_instances(&f, names, ARRAY_SIZE(names));
    static const char *const others[] = {"_disks", ".x.new-1.abcdef", "not an instance"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        _cleanup_free_ char *path = path_join(f.store.home, others[i]);
        cr_assert_eq(mkdir(path, 0700), 0);
    }
    _cleanup_free_ char *file = path_join(f.store.home, "file");
    put_file(file, "");
    _cleanup_strv_ struct strv list = STRV_INIT;
    cr_assert_eq(store_list(&f.store, &list, NULL), 0);
    _cleanup_free_ char *joined = strv_join(&list, " ");
    cr_expect_str_eq(joined, "alpha db.1 web");
}

Test(store, list_of_a_home_that_is_not_there)
{
    struct store s = {.home = (char *)"/nowhere/at/all", .cache = (char *)"/c"};
    _cleanup_strv_ struct strv list = STRV_INIT;
    cr_assert_eq(store_list(&s, &list, NULL), 0);
    cr_expect_eq(list.n, 0);
}

Test(store, find_names_the_nearest)
{
    _fixture_ struct fixture f = fixture_new();
    static const char *const names[] = {"default", "debian", "web"};
    make_instances(&f, names, ARRAY_SIZE(names));
    struct instance in = INSTANCE_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_find(&f.store, "defualt", &in, &e), -1);
    cr_expect_eq(e.kind, ERR_NOT_FOUND);
    cr_expect_str_eq(e.msg, "instance `defualt` does not exist");
    cr_expect_not_null(strstr(e.hint, "`default`"), "%s", e.hint);
    cr_expect_null(strstr(e.hint, "web"));
    cr_expect_not_null(strstr(e.hint, "cima create --name=defualt"));

    _cleanup_err_ struct err e2 = ERR_INIT;
    cr_assert_eq(store_find(&f.store, "zzzzz", &in, &e2), -1);
    cr_expect_not_null(strstr(e2.hint, "cima list"));

    cr_assert_eq(store_find(&f.store, "web", &in, NULL), 0);
    cr_expect_str_eq(in.name, "web");
    instance_release(&in);
}

/* ---- creation ------------------------------------------------------------------------------- */

static void expect_no_hidden(const struct fixture *f)
{
    _cleanup_strv_ struct strv names = STRV_INIT;
    cr_assert_eq(dir_list(f->store.home, &names, NULL), 0);
    for (size_t i = 0; i < names.n; i++)
        cr_expect_neq(names.v[i][0], '.', "'%s' is left", names.v[i]);
}

Test(store, create_is_invisible_until_the_commit)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_draft_ struct instance_draft d = {.lock_fd = -1};
    cr_assert_eq(store_create_begin(&f.store, "vm", &d, NULL), 0);
    put_in(&d.inst, INST_LIMA_YAML, "cpus: 1\n");
    _cleanup_strv_ struct strv list = STRV_INIT;
    cr_assert_eq(store_list(&f.store, &list, NULL), 0);
    cr_expect_eq(list.n, 0);
    struct instance missing = INSTANCE_INIT;
    cr_expect_eq(store_find(&f.store, "vm", &missing, NULL), -1);

    _cleanup_instance_ struct instance in = INSTANCE_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_create_commit(&d, &in, &e), 0, "%s", e.msg);
    cr_expect_str_eq(in.name, "vm");
    _cleanup_free_ char *yaml = instance_path(&in, INST_LIMA_YAML);
    cr_expect(path_exists(yaml));
    expect_no_hidden(&f);
}

Test(store, S04_modes_whatever_the_umask)
{
    static const mode_t masks[] = {0, 077, 0777};
    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        _fixture_ struct fixture f = fixture_new();
        mode_t old = umask(masks[i]);
        _cleanup_instance_ struct instance in = make_instance(&f, "vm");
        umask(old);
        struct stat st;
        cr_assert_eq(stat(in.dir, &st), 0);
        cr_expect_eq(st.st_mode & 07777, 0700, "umask %o: %o", masks[i], st.st_mode);
        _cleanup_free_ char *config = path_join(f.store.home, "_config");
        cr_assert_eq(stat(config, &st), 0);
        cr_expect_eq(st.st_mode & 07777, 0700, "umask %o: %o", masks[i], st.st_mode);
    }
}

Test(store, create_refuses_a_name_that_is_taken)
{
    _fixture_ struct fixture f = fixture_new();
    add_instance(&f, "vm");
    struct instance_draft d;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_create_begin(&f.store, "vm", &d, &e), -1);
    cr_expect_eq(e.kind, ERR_EXISTS);
    expect_message(&e, "already exists");
    expect_no_hidden(&f);
}

Test(store, create_names_the_process_that_is_creating)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_draft_ struct instance_draft d1 = {.lock_fd = -1};
    cr_assert_eq(store_create_begin(&f.store, "vm", &d1, NULL), 0);
    struct instance_draft d2;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_create_begin(&f.store, "vm", &d2, &e), -1);
    cr_expect_eq(e.kind, ERR_BUSY);
    _cleanup_free_ char *pid = xasprintf("process %ld", (long)getpid());
    expect_message(&e, pid);
    /* Another name is another matter. */
    _cleanup_draft_ struct instance_draft d3 = {.lock_fd = -1};
    cr_expect_eq(store_create_begin(&f.store, "vm2", &d3, NULL), 0);
    cr_expect(path_exists(d1.inst.dir), "a living draft was swept");
}

Test(store, abort_leaves_nothing)
{
    _fixture_ struct fixture f = fixture_new();
    struct instance_draft d;
    cr_assert_eq(store_create_begin(&f.store, "vm", &d, NULL), 0);
    put_in(&d.inst, INST_DISK, "data");
    store_create_abort(&d);
    store_create_abort(&d);
    expect_no_hidden(&f);
}

Test(store, commit_never_replaces)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_draft_ struct instance_draft d = {.lock_fd = -1};
    cr_assert_eq(store_create_begin(&f.store, "vm", &d, NULL), 0);
    cr_assert_eq(mkdir(d.final_dir, 0700), 0);
    struct instance in = INSTANCE_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_create_commit(&d, &in, &e), -1);
    cr_expect_eq(e.kind, ERR_EXISTS);
}

Test(store, F11_killed_create_is_swept)
{
    _fixture_ struct fixture f = fixture_new();
    pid_t pid = fork();
    if (pid == 0) {
        struct instance_draft d;
        if (store_create_begin(&f.store, "vm", &d, NULL) == 0)
            put_in(&d.inst, INST_DISK, "half");
        raise(SIGKILL);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status));
    _cleanup_strv_ struct strv before = STRV_INIT;
    cr_assert_eq(dir_list(f.store.home, &before, NULL), 0);
    cr_assert_eq(before.n, 2, "_config and the half instance");
    _cleanup_strv_ struct strv list = STRV_INIT;
    cr_assert_eq(store_list(&f.store, &list, NULL), 0);
    cr_expect_eq(list.n, 0);
    add_instance(&f, "vm");
    expect_no_hidden(&f);
}

Test(store, F12_one_of_many_creates_wins)
{
    _fixture_ struct fixture f = fixture_new();
    enum { RIVALS = 8 };
    int won = 0;
    for (int i = 0; i < RIVALS; i++)
        if (fork() == 0) {
            struct instance_draft d;
            struct instance in = INSTANCE_INIT;
            int r = store_create_begin(&f.store, "vm", &d, NULL);
            if (r == 0)
                put_in(&d.inst, INST_LIMA_YAML, "cpus: 1\n");
            _exit(r == 0 && store_create_commit(&d, &in, NULL) == 0 ? 0 : 1);
        }
    for (int i = 0; i < RIVALS; i++) {
        int status;
        cr_assert_gt(wait(&status), 0);
        won += status == 0;
    }
    cr_expect_eq(won, 1, "%d creates won", won);
    expect_no_hidden(&f);
}

/* ---- deletion ------------------------------------------------------------------------------- */

Test(store, delete_removes_everything)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_free_ char *sock = instance_path(&in, INST_SOCK_DIR);
    cr_assert_eq(mkdir(sock, 0700), 0);
    _cleanup_free_ char *inner = path_join(sock, "file");
    put_file(inner, "x");
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(store_delete(&f.store, &in, &e), 0, "%s", e.msg);
    cr_expect(!path_exists(in.dir));
    expect_no_hidden(&f);
    cr_assert_eq(store_delete(&f.store, &in, &e), -1);
    cr_expect_eq(e.kind, ERR_NOT_FOUND);
}

Test(store, delete_follows_no_link)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_free_ char *outside = path_join(f.dir, "outside"), *kept = path_join(outside, "kept");
    cr_assert_eq(mkdir(outside, 0700), 0);
    put_file(kept, "x");
    _cleanup_free_ char *link = path_join(in.dir, "link");
    cr_assert_eq(symlink(outside, link), 0);
    cr_assert_eq(store_delete(&f.store, &in, NULL), 0);
    cr_expect(path_exists(kept));
}

Test(store, F11_killed_delete_is_swept)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *left = path_join(f.store.home, ".old.del-4711.abcdef");
    _cleanup_free_ char *file = path_join(left, "disk");
    cr_assert_eq(mkdir(left, 0700), 0);
    put_file(file, "x");
    add_instance(&f, "vm");
    cr_expect(!path_exists(left));
}

Test(store, sweep_touches_only_its_own_names)
{
    _fixture_ struct fixture f = fixture_new();
    static const char *const names[] = {".git", ".new-", ".vm.new-x.abcdef", ".vm.new-12.abc",
                                        ".vm.del-99999999999999.abcdef"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = path_join(f.store.home, names[i]);
        cr_assert_eq(mkdir(path, 0700), 0);
    }
    add_instance(&f, "vm");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = path_join(f.store.home, names[i]);
        cr_expect(path_exists(path), "'%s' was removed", names[i]);
    }
}

/* ---- locks, run-time files, facts ----------------------------------------------------------- */

Test(store, F12_operation_lock_names_its_holder)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_close_ int held = instance_lock(&in, 0, NULL);
    cr_assert_geq(held, 0);
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(instance_lock(&in, 0, &e), -1);
    cr_expect_eq(e.kind, ERR_BUSY);
    _cleanup_free_ char *pid = xasprintf("%ld", (long)getpid());
    expect_message(&e, pid);
    expect_message(&e, "instance `vm` is busy");
}

Test(store, F12_lock_of_an_instance_that_is_deleted_meanwhile)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    int held = instance_lock(&in, 0, NULL);
    cr_assert_geq(held, 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(held);
        struct err e = ERR_INIT;
        int fd = instance_lock(&in, 240000, &e);
        _exit(fd < 0 && e.kind == ERR_NOT_FOUND ? 0 : 1);
    }
    usleep(200000);
    cr_assert_eq(store_delete(&f.store, &in, NULL), 0);
    close(held);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0);
}

static int listen_at(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    cr_assert_lt(strlen(path), sizeof(a.sun_path));
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(fd, 1), 0);
    return fd;
}

Test(store, F06_S18_sweep_removes_only_dead_runtime_files)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_free_ char *dead = instance_path(&in, INST_QMP_SOCK);
    _cleanup_free_ char *live = instance_path(&in, INST_SSH_SOCK);
    _cleanup_free_ char *dir = instance_path(&in, INST_GA_SOCK);
    _cleanup_free_ char *link = instance_path(&in, INST_SERIAL_SOCK);
    _cleanup_free_ char *tmp = path_join(in.dir, "cidata.iso.tmp");
    _cleanup_free_ char *yaml = instance_path(&in, INST_LIMA_YAML);
    close(listen_at(dead));
    _cleanup_close_ int fd = listen_at(live);
    cr_assert_geq(fd, 0);
    cr_assert_eq(mkdir(dir, 0700), 0);
    cr_assert_eq(symlink("/nowhere", link), 0);
    put_in(&in, INST_HA_SOCK, "a file of somebody");
    put_in(&in, INST_QEMU_PID, "1\n");
    put_in(&in, INST_HA_PID, "1\n");
    put_in(&in, INST_SERIAL_LOG, "log");
    put_file(tmp, "half");
    instance_sweep_runtime(&in);

    static const struct {
        enum inst_file file;
        bool stays;
    } cases[] = {{INST_QMP_SOCK, false}, {INST_SSH_SOCK, true},  {INST_GA_SOCK, true},
                 {INST_HA_SOCK, true},   {INST_QEMU_PID, false}, {INST_HA_PID, false},
                 {INST_SERIAL_LOG, true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *path = instance_path(&in, cases[i].file);
        cr_expect_eq(path_exists(path), cases[i].stays, "%s", inst_file_name(cases[i].file));
    }
    struct stat st;
    cr_expect_eq(lstat(link, &st), 0, "a dangling link is not ours to remove");
    cr_expect(!path_exists(tmp));
    cr_expect(path_exists(yaml));
}

Test(store, facts_round_trip)
{
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    _cleanup_json_ struct json *none = instance_facts_read(&in, NULL);
    cr_assert_not_null(none);
    cr_expect_eq(json_len(none), 0);
    json_set_str(none, "machine", "pc-q35-7.2");
    cr_assert_eq(instance_facts_write(&in, none, NULL), 0);
    _cleanup_json_ struct json *again = instance_facts_read(&in, NULL);
    cr_expect(json_equal(none, again));
    _cleanup_free_ char *path = instance_path(&in, INST_FACTS);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);

    put_in(&in, INST_FACTS, "[1]");
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_null(instance_facts_read(&in, &e));
    expect_message(&e, "not a JSON object");
    put_in(&in, INST_FACTS, "{\"a\":");
    _cleanup_err_ struct err e2 = ERR_INIT;
    cr_assert_null(instance_facts_read(&in, &e2));
    expect_message(&e2, "cima.json");
}
