/* SPDX-License-Identifier: Apache-2.0 */
/* Process identity, locks, sockets, host facts. */
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/holders.h"
#include "sys/host.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { LONG = 240000 }; /* ms for what has to happen, on any machine */

/* A failed assertion must not leave a helper process behind. */
static pid_t test_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

/* Forks a process that does fn(arg), says so over a pipe and then waits to be killed. */
static pid_t holder_start(int (*fn)(const char *), const char *arg)
{
    int fds[2];
    char c = 0;

    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = test_fork();
    if (pid == 0) {
        c = fn(arg) >= 0 ? 'y' : 'n';
        if (write(fds[1], &c, 1) == 1)
            pause();
        _exit(0);
    }
    close(fds[1]);
    cr_assert_eq(read(fds[0], &c, 1), 1);
    close(fds[0]);
    cr_assert_eq(c, 'y', "the holder could not set up");
    return pid;
}

static void holder_end(pid_t pid)
{
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static int do_nothing(const char *arg)
{
    (void)arg;
    return 0;
}

/* ---- processes -------------------------------------------------------------------------- */

Test(proc, identity_of_the_living)
{
    struct proc_id id, back;

    cr_assert_eq(proc_id_of(getpid(), &id), 0);
    cr_assert_eq(id.pid, getpid());
    cr_assert_gt(id.start_time, 0);
    cr_assert_eq(strlen(id.boot_id), 36);
    cr_assert(proc_id_alive(&id));
    _cleanup_free_ char *text = proc_id_format(&id);
    cr_assert_eq(proc_id_parse(text, &back), 0);
    cr_assert_eq(back.pid, id.pid);
    cr_assert_eq(back.start_time, id.start_time);
    cr_assert_str_eq(back.boot_id, id.boot_id);
}

Test(proc, recycled_pid_is_another_process)
{
    struct proc_id id;

    cr_assert_eq(proc_id_of(getpid(), &id), 0);
    id.start_time++;
    cr_assert_not(proc_id_alive(&id));
    cr_assert_eq(proc_id_open(&id), -1);
    cr_assert_eq(errno, ESRCH);
    id.start_time--;
    id.boot_id[0] = id.boot_id[0] == '0' ? '1' : '0';
    cr_assert_not(proc_id_alive(&id), "the same numbers after a reboot");
}

Test(proc, zombie_is_not_alive)
{
    struct proc_id id;
    pid_t pid = holder_start(do_nothing, NULL);

    cr_assert_eq(proc_id_of(pid, &id), 0);
    _cleanup_close_ int fd = proc_id_open(&id);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pidfd_wait(fd, 20), 0);
    cr_assert_eq(pidfd_signal(fd, SIGKILL), 0);
    cr_assert_eq(pidfd_wait(fd, LONG), 1);
    cr_assert_not(proc_id_alive(&id), "not reaped yet, but dead");
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cr_assert_not(proc_id_alive(&id));
    cr_assert_eq(pidfd_signal(fd, SIGKILL), -1);
    cr_assert_eq(errno, ESRCH);
    cr_assert_eq(proc_id_of(pid, &id), -1);
    cr_assert_eq(proc_id_of(0, &id), -1);
    cr_assert_eq(proc_id_of(-5, &id), -1);
}

/* A name with parentheses and spaces must not move the fields of /proc/PID/stat. */
Test(proc, hostile_program_name)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "a) Z 1 (b");
    _cleanup_child_ struct child c = CHILD_INIT;
    struct spawn s = SPAWN_INIT;
    struct proc_id id;
    _cleanup_free_ char *sleep_path = find_program("sleep");
    _cleanup_close_ int src = open(sleep_path, O_RDONLY | O_CLOEXEC);
    int dst = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

    cr_assert_eq(fd_copy_content(src, dst, NULL), 0);
    close(dst);
    s.argv = (const char *const[]){path, "60", NULL};
    cr_assert_eq(spawn_child(&s, &c, NULL), 0);
    cr_assert_eq(proc_id_of(c.pid, &id), 0);
    cr_assert(proc_id_alive(&id));
    _cleanup_free_ char *exe = proc_exe(c.pid);
    cr_assert_not_null(exe);
    cr_assert_str_eq(path_basename(exe), "a) Z 1 (b");
    cr_assert_eq(unlink(path), 0);
    _cleanup_free_ char *deleted = proc_exe(c.pid);
    cr_assert_str_eq(deleted, exe);
    child_kill(&c, SIGKILL);
    child_wait(&c, LONG, NULL);
    cr_assert_null(proc_exe(c.pid));
}

Test(proc, identity_text_from_outside)
{
    static const char boot[] = "01234567-89ab-cdef-0123-456789abcdef";
    static const char *const bad[] = {
        "",          "1",      "1 2",    "0 2 B",   "-1 2 B",          "1 x B",
        "1 2 short", "1  2 B", " 1 2 B", "1 2 B x", "99999999999 2 B", "1 99999999999999999999 B",
    };
    struct proc_id id = {.pid = 77};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_strv_ struct strv parts = STRV_INIT;

        strv_split(&parts, bad[i], 'B'); /* B stands for a boot id */
        _cleanup_free_ char *text = strv_join(&parts, boot);
        cr_expect_eq(proc_id_parse(text, &id), -1, "'%s'", text);
    }
    cr_expect_eq(id.pid, 77);
    _cleanup_free_ char *good = xasprintf("12 34 %s\nrest", boot);
    cr_expect_eq(proc_id_parse(good, &id), 0);
    cr_expect_eq(id.pid, 12);
    cr_expect_eq(id.start_time, 34);
}

/* ---- locks ------------------------------------------------------------------------------ */

static int take_now(const char *path)
{
    return lock_take(path, 0, NULL);
}

static int take_shared_now(const char *path)
{
    return lock_take_shared(path, 0, NULL);
}

Test(lock, holder_is_known_and_death_releases)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "l");
    _cleanup_err_ struct err e = ERR_INIT;
    struct stat st;
    pid_t seen = -1;

    cr_assert_eq(lock_probe(path, &seen), 0, "missing is free");
    cr_assert_not(path_exists(path), "a probe makes no file");
    pid_t pid = holder_start(take_now, path);
    cr_assert_eq(lock_probe(path, &seen), 1);
    cr_assert_eq(seen, pid);
    cr_assert_eq(lock_take(path, 0, &e), -1);
    cr_assert_eq(e.kind, ERR_BUSY);
    _cleanup_free_ char *number = xasprintf("process %d", (int)pid);
    cr_assert_not_null(strstr(e.msg, number), "%s", e.msg);
    holder_end(pid);
    cr_assert_eq(lock_probe(path, &seen), 0);
    _cleanup_close_ int fd = lock_take(path, 0, NULL);
    cr_assert_geq(fd, 0);
    cr_assert_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
}

/* A process that waits to be killed, with the descriptors that it inherits. */
static pid_t bystander(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return pid;
}

Test(lock, holders_are_those_of_the_lock)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "lock");
    _cleanup_free_ pid_t *pids = NULL;
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), other;
    pid_t holder, reader;

    cr_assert_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    holder = bystander(); /* shares it */
    close(lock);
    other = open(path, O_RDONLY | O_CLOEXEC);
    reader = bystander();
    close(other);
    cr_assert_eq(lock_probe(path, NULL), 1);
    cr_assert_eq(file_holders(path, &pids), 1);
    cr_assert_eq(pids[0], holder);
    cr_assert_eq(file_holders_kill(path, 60000), 0);
    cr_assert_eq(lock_probe(path, NULL), 0);
    cr_assert_eq(waitpid(holder, NULL, 0), holder);
    cr_assert_eq(waitpid(reader, NULL, WNOHANG), 0, "who only reads lives");
    kill(reader, SIGKILL);
    waitpid(reader, NULL, 0);
}

Test(lock, timed_wait)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "l");
    _cleanup_err_ struct err e = ERR_INIT;
    int64_t start = monotonic_ms();
    pid_t pid = holder_start(take_now, path);

    cr_assert_eq(lock_take(path, 150, &e), -1);
    cr_assert_eq(e.kind, ERR_BUSY);
    cr_assert_geq(monotonic_ms() - start, 150);
    /* The holder dies while we wait. */
    pid_t killer = test_fork();
    if (killer == 0) {
        usleep(100000);
        kill(pid, SIGKILL);
        _exit(0);
    }
    _cleanup_close_ int fd = lock_take(path, LONG, NULL);
    cr_assert_geq(fd, 0);
    waitpid(killer, NULL, 0);
    waitpid(pid, NULL, 0);
}

Test(lock, endless_wait)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "l");
    pid_t pid = holder_start(take_now, path);
    pid_t killer = test_fork();

    if (killer == 0) {
        usleep(50000);
        kill(pid, SIGKILL);
        _exit(0);
    }
    _cleanup_close_ int fd = lock_take(path, -1, NULL);
    cr_assert_geq(fd, 0);
    waitpid(killer, NULL, 0);
    waitpid(pid, NULL, 0);
}

Test(lock, shared_with_who_shares)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "l");
    _cleanup_err_ struct err e = ERR_INIT;
    pid_t pid = holder_start(take_shared_now, path);
    _cleanup_close_ int fd = lock_take_shared(path, 0, NULL);

    cr_assert_geq(fd, 0);
    close(TAKE_FD(fd));
    cr_assert_eq(lock_take(path, 0, &e), -1);
    cr_assert_eq(e.kind, ERR_BUSY);
    holder_end(pid);
}

/* Probes hold a shared lock for a moment: that must not fail a take that does not wait. */
Test(lock, probes_do_not_disturb_takers)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "l");
    pid_t probers[2];

    for (size_t i = 0; i < 2; i++) {
        probers[i] = test_fork();
        while (probers[i] == 0) {
            lock_probe(path, NULL);
            usleep(200);
        }
    }
    for (int i = 0; i < 500; i++) {
        _cleanup_close_ int fd = lock_take(path, 0, NULL);
        cr_assert_geq(fd, 0, "try %d", i);
    }
    for (size_t i = 0; i < 2; i++)
        holder_end(probers[i]);
}

Test(lock, follows_the_name_when_the_file_is_replaced)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "l");
    struct stat ours, there;
    pid_t pid = holder_start(take_now, path);
    pid_t other = test_fork();

    if (other == 0) {
        usleep(50000);
        unlink(path); /* as when the directory is deleted and made anew */
        kill(pid, SIGKILL);
        _exit(0);
    }
    _cleanup_close_ int fd = lock_take(path, LONG, NULL);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fstat(fd, &ours), 0);
    cr_assert_eq(stat(path, &there), 0);
    cr_assert_eq(ours.st_ino, there.st_ino);
    waitpid(other, NULL, 0);
    waitpid(pid, NULL, 0);
}

Test(lock, S22_links_are_not_followed)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "l");
    _cleanup_free_ char *target = path_join(dir, "target");
    _cleanup_err_ struct err e = ERR_INIT;

    cr_assert_eq(symlink(target, path), 0);
    cr_assert_eq(lock_take(path, 0, &e), -1);
    cr_assert_eq(e.kind, ERR_IO);
    cr_assert_not(path_exists(target));
}

/* As QEMU locks its pid file. */
static int posix_lock(const char *path)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return fcntl(fd, F_SETLK, &l);
}

Test(lock, posix_holder)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "qemu.pid");

    cr_assert_eq(lock_posix_holder(path), 0);
    pid_t pid = holder_start(posix_lock, path);
    cr_assert_eq(lock_posix_holder(path), pid);
    holder_end(pid);
    cr_assert_eq(lock_posix_holder(path), 0);
    cr_assert(path_exists(path));
}

/* ---- sockets ---------------------------------------------------------------------------- */

Test(sock, S04_listens_with_mode_0600)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "s");
    _cleanup_err_ struct err e = ERR_INIT;
    struct stat st;
    unsigned uid = 12345;

    umask(0);
    _cleanup_close_ int fd = unix_listen(path, 5, NULL);
    cr_assert_geq(fd, 0);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    _cleanup_close_ int client = unix_connect(path, LONG, NULL);
    cr_assert_geq(client, 0);
    cr_assert_neq(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
    cr_assert_neq(fcntl(client, F_GETFD) & FD_CLOEXEC, 0);
    _cleanup_close_ int server = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(server, 0);
    cr_assert_eq(unix_peer_uid(server, &uid), 0);
    cr_assert_eq(uid, geteuid());
    cr_assert_eq(unix_listen(path, 5, &e), -1);
    cr_assert_eq(e.kind, ERR_BUSY, "somebody listens: %s", e.msg);
}

Test(sock, S18_only_dead_sockets_are_replaced)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "s");
    _cleanup_free_ char *file = path_join(dir, "file");
    _cleanup_free_ char *link = path_join(dir, "link");
    _cleanup_err_ struct err e = ERR_INIT;

    int fd = unix_listen(path, 5, NULL);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert(path_exists(path), "what is left of a dead listener");
    cr_assert_eq(unix_connect(path, 1000, &e), -1);
    cr_assert_eq(e.kind, ERR_NET);
    err_clear(&e);
    /* A link to a dead socket is no socket of ours. */
    cr_assert_eq(symlink("s", link), 0);
    cr_assert_eq(unix_listen(link, 5, &e), -1);
    cr_assert_eq(e.kind, ERR_EXISTS);
    err_clear(&e);
    fd = unix_listen(path, 5, NULL);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(file_write_atomic(file, "precious", 8, 0600, NULL), 0);
    cr_assert_eq(unix_listen(file, 5, &e), -1);
    cr_assert_eq(e.kind, ERR_EXISTS);
    _cleanup_free_ char *text = file_read(file, 100, NULL, NULL);
    cr_assert_str_eq(text, "precious");
}

Test(sock, S18_dead_socket_of_another_user_stays)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "s");
    _cleanup_err_ struct err e = ERR_INIT;

    if (geteuid() != 0)
        cr_skip_test("only root can make a socket of another user");
    int fd = unix_listen(path, 5, NULL);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(chown(path, 12345, 12345), 0);
    cr_assert_eq(unix_listen(path, 5, &e), -1);
    cr_assert_eq(e.kind, ERR_EXISTS);
    cr_assert(path_exists(path));
}

Test(sock, connect_errors)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "s");
    _cleanup_err_ struct err e = ERR_INIT;
    char name[200];

    cr_assert_eq(unix_connect(path, 1000, &e), -1);
    cr_assert_eq(e.kind, ERR_NOT_FOUND);
    err_clear(&e);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    cr_assert_eq(unix_connect(name, 1000, &e), -1);
    cr_assert_not_null(e.hint);
    err_clear(&e);
    cr_assert_eq(unix_listen(name, 1, &e), -1);
    name[UNIX_PATH_LIMIT] = '\0';
    cr_assert_eq(chdir(dir), 0);
    int fd = unix_listen(name, 1, NULL);
    cr_assert_geq(fd, 0, "the longest path works");
    close(fd);
}

Test(sock, full_backlog_times_out)
{
    _tmpdir_ char *dir = tmpdir_new();
    _cleanup_free_ char *path = path_join(dir, "s");
    _cleanup_close_ int fd = unix_listen(path, 0, NULL);
    _cleanup_err_ struct err e = ERR_INIT;
    int clients[8], n = 0;

    cr_assert_geq(fd, 0);
    for (; n < 8; n++) {
        clients[n] = unix_connect(path, n ? 100 : LONG, &e);
        if (clients[n] < 0)
            break;
    }
    cr_assert(n > 0 && n < 8, "%d connections went through", n);
    cr_assert_eq(e.kind, ERR_TIMEOUT, "%s", e.msg);
    err_clear(&e);
    cr_assert_eq(unix_connect(path, 0, &e), -1);
    cr_assert_eq(e.kind, ERR_TIMEOUT);
    err_clear(&e);
    cr_assert_eq(unix_listen(path, 5, &e), -1, "busy is not dead");
    cr_assert_eq(e.kind, ERR_BUSY);
    while (n--)
        close(clients[n]);
}

/* A socket has its name before somebody listens; relative names are as they were bound. */
Test(sock, listening_is_seen_without_connecting)
{
    _tmpdir_ char *dir = tmpdir_new();
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "a-socket.sock"};
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(chdir(dir), 0);
    cr_assert_not(unix_is_listening("a-socket.sock"));
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert(path_exists("a-socket.sock"));
    cr_assert_not(unix_is_listening("a-socket.sock"));
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert(unix_is_listening("a-socket.sock"));
    cr_assert_not(unix_is_listening("socket.sock"));
    _cleanup_free_ char *path = path_join(dir, "with a blank");
    _cleanup_close_ int other = unix_listen(path, 1, NULL);
    cr_assert(other >= 0 && unix_is_listening(path));
    cr_assert_eq(chdir("/"), 0);
}

Test(sock, tcp_ports)
{
    uint16_t port = 0, other = 0;
    _cleanup_close_ int reserved = tcp_reserve_port(&port, NULL);
    _cleanup_close_ int reserved_too = tcp_reserve_port(&other, NULL);
    const int on = 1;
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(reserved_too >= 0);
    cr_assert_geq(reserved, 0);
    cr_assert_gt(port, 0);
    cr_assert_neq(port, other);
    cr_assert(tcp_port_free(port), "for servers that set SO_REUSEADDR");
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), -1, "not for others");
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_not(tcp_port_free(port));
    cr_assert_not(tcp_port_free(0));
    _cleanup_close_ int client = tcp_connect_start(port);
    cr_assert_geq(client, 0);
    struct pollfd p = {.fd = client, .events = POLLOUT};
    int error = -1;
    socklen_t len = sizeof(error);
    cr_assert_eq(poll(&p, 1, LONG), 1);
    cr_assert_eq(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    cr_assert_eq(error, 0);
}

/* ---- the host --------------------------------------------------------------------------- */

Test(host, facts_agree_with_the_system)
{
    struct host_facts h;
    struct utsname uts;
    const struct passwd *pw = getpwuid(getuid());

    unsetenv("HOME");
    setenv("TMPDIR", "/var/tmp", 1);
    host_facts_gather(&h);
    uname(&uts);
    cr_expect(h.arch_known);
    cr_expect_str_eq(arch_to_string(h.arch), uts.machine);
    cr_expect_str_eq(h.hostname, uts.nodename);
    cr_expect_geq(h.cpus, 1);
    cr_expect_leq((long)h.cpus, sysconf(_SC_NPROCESSORS_CONF));
    cr_expect_eq(h.memory_bytes,
                 (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
    cr_expect_eq(h.uid, getuid());
    cr_expect_eq(h.gid, getgid());
    if (pw) {
        cr_expect_str_eq(h.user, pw->pw_name);
        cr_expect_str_eq(h.home, pw->pw_dir);
        cr_expect_null(strchr(h.gecos, ','));
    }
    cr_expect_gt(strlen(h.machine_id), 0);
    cr_expect_null(strpbrk(h.machine_id, " \n"));
    cr_expect_not_null(h.timezone);
    cr_expect_str_eq(h.temp_dir, "/var/tmp");
    host_facts_release(&h);
    cr_expect_null(h.user);
}

Test(host, environment_comes_first)
{
    struct host_facts h;

    setenv("HOME", "/some/home", 1);
    unsetenv("TMPDIR");
    host_facts_gather(&h);
    cr_expect_str_eq(h.home, "/some/home");
    cr_expect_str_eq(h.temp_dir, "/tmp");
    host_facts_release(&h);
    if (!path_exists("/usr/share/zoneinfo/Europe/Berlin"))
        cr_skip_test("no time zone data on this machine");
    static const char *const zones[] = {"Europe/Berlin", ":Europe/Berlin",
                                        "/usr/share/zoneinfo/Europe/Berlin"};
    for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
        setenv("TZ", zones[i], 1);
        host_facts_gather(&h);
        cr_expect_str_eq(h.timezone, "Europe/Berlin", "%s gives %s", zones[i], h.timezone);
        host_facts_release(&h);
    }
    static const char *const no_names[] = {"CET-1CEST", "../../etc/passwd", "", "/etc/passwd"};
    for (size_t i = 0; i < ARRAY_SIZE(no_names); i++) {
        setenv("TZ", no_names[i], 1);
        host_facts_gather(&h);
        cr_expect_str_neq(h.timezone, no_names[i][0] ? no_names[i] : "x");
        host_facts_release(&h);
    }
}

Test(host, arch_names_round_trip)
{
    for (int i = 0; i < ARCH_COUNT; i++) {
        enum arch back = ARCH_COUNT;

        cr_assert_eq(arch_from_string(arch_to_string((enum arch)i), &back), 0);
        cr_assert_eq(back, (enum arch)i);
    }
}

Test(host, kvm_says_why_not)
{
    char *reason = NULL;
    _cleanup_free_ char *cpuinfo = file_read("/proc/cpuinfo", 1 << 22, NULL, NULL);
    bool usable = host_kvm_usable(&reason);

    cr_assert_eq(usable, reason == NULL);
    if (!path_exists("/dev/kvm"))
        cr_assert_not(usable);
#ifdef __x86_64__
    if (cpuinfo && !strstr(cpuinfo, " vmx") && !strstr(cpuinfo, " svm")) {
        cr_assert_not(usable);
        cr_assert_not_null(strstr(reason, "neither vmx nor svm"), "%s", reason);
    }
    cr_assert_eq(host_cpu_has_aes(), cpuinfo && strstr(cpuinfo, " aes") != NULL);
#endif
    cr_assert_eq(host_kvm_usable(NULL), usable);
    free(reason);
}

Test(clock, deadlines)
{
    cr_assert_eq(deadline_left(deadline_in(-1)), -1);
    cr_assert_eq(deadline_left(deadline_in(0)), 0);
    int64_t begun = monotonic_ms();
    int left = deadline_left(deadline_in(LONG));
    cr_assert(left <= LONG && left >= LONG - (monotonic_ms() - begun), "%d", left);
    cr_assert_eq(deadline_left(monotonic_ms() - 100), 0);
}
