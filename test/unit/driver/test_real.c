/* SPDX-License-Identifier: Apache-2.0 */
/* What runs beside a machine, with the real programs. The guest does not run (-S). */
#include "driver_fixture.h"
#include "driver/des.h"
#include "driver/log_capture.h"
#include "driver/qemu/helper.h"
#include "sys/sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>

static bool has_program(const char *name)
{
    _cleanup_free_ char *path = find_program(name);

    return path != NULL;
}

static bool comes_up(struct fixture *f, const char *yaml)
{
    set_up(f, yaml, NULL);
    capture_log(f->dir);
    setenv("QEMU_SYSTEM_X86_64", "qemu-system-x86_64 -S", 1);
    start(f);
    f->quit_when_running = true;
    loop_run(f->loop);
    f->quit_when_running = false;
    return f->running == 1;
}

static void begin(struct fixture *f, const char *yaml)
{
    cr_assert(comes_up(f, yaml), "%s\n%s", f->end.msg, f->end.detail);
}

static void on_time(void *arg)
{
    loop_quit(arg);
}

static void run_for(struct fixture *f, int ms)
{
    struct loop_source *timer = loop_add_timer(f->loop, ms, on_time, f->loop);

    loop_run(f->loop);
    loop_source_free(timer);
}

static void end(struct fixture *f)
{
    f->driver->kill(f->vm);
    loop_run(f->loop);
    cr_assert_eq(f->exited, 1);
}

/* ---- VNC ------------------------------------------------------------------------------------- */

Test(des, known_answer)
{
    cr_assert_eq(des_encrypt(0x133457799BBCDFF1, 0x0123456789ABCDEF), 0x85E813540F0AB405);
}

static void get(int fd, void *to, size_t len)
{
    cr_assert_eq(recv(fd, to, len, MSG_WAITALL), (ssize_t)len);
}

/* The handshake of RFC 6143, 7.1 and 7.2.2; returns the security result, 0: come in. */
static uint32_t knock(uint16_t port, const char *password)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint8_t version[12], n, types[255], challenge[16], response[16];
    uint32_t result;

    cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    get(fd, version, sizeof(version));
    cr_assert_eq(memcmp(version, "RFB 003.008\n", 12), 0);
    cr_assert_eq(send(fd, version, 12, MSG_NOSIGNAL), 12);
    get(fd, &n, 1);
    get(fd, types, n);
    cr_assert_eq(n, 1);
    cr_assert_eq(types[0], 2, "VNC authentication, and nothing else");
    cr_assert_eq(send(fd, types, 1, MSG_NOSIGNAL), 1);
    get(fd, challenge, sizeof(challenge));
    vnc_response(password, challenge, response);
    cr_assert_eq(send(fd, response, sizeof(response), MSG_NOSIGNAL), 16);
    get(fd, &result, sizeof(result));
    return ntohl(result);
}

/* S1-43 to S1-45, S07, B-VNC: a display that nobody enters without the password in the file. The
 * first port is taken, so that QEMU has to choose. */
Test(real, S1_43_S1_44_S1_45_vnc_password)
{
    _cleanup_free_ char *path = NULL, *display = NULL, *password = NULL, *taken = NULL;
    struct fixture f;
    struct stat st;

    if (!has_program("qemu-system-x86_64"))
        cr_skip_test("qemu-system-x86_64 is not installed");
    begin(&f, "firmware: {legacyBIOS: true}\nvideo: {display: vnc, vnc: {display: "
              "\"127.0.0.1:0,to=90\"}}");
    path = instance_path(&f.inst, INST_VNC_DISPLAY);
    for (int i = 0; i < LONG_MS / 50 && !path_exists(path) && !f.degraded; i++)
        run_for(&f, 50);
    cr_assert_eq(f.degraded, 0, "%s", f.trouble.msg);
    display = file_read(path, 64, NULL, NULL);
    cr_assert(display && str_starts(display, "127.0.0.1:"), "%s", display);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    _cleanup_free_ char *password_file = instance_path(&f.inst, INST_VNC_PASSWORD);
    password = file_read(password_file, 64, NULL, NULL);
    cr_assert(password && strlen(password) == 8);
    uint16_t port = (uint16_t)(5900 + atoi(strchr(display, ':') + 1));
    cr_assert_eq(knock(port, password), 0);
    cr_assert_neq(knock(port, "wrong"), 0);
    cr_assert_neq(knock(port, ""), 0);
    taken = xasprintf("VNC server running at %s <vnc://127.0.0.1:%u>", display, port);
    expect_log(f.dir, taken);
    expect_no_log(f.dir, password);
    end(&f);
    cr_assert_not(has(&f, INST_VNC_DISPLAY));
    cr_assert_not(has(&f, INST_VNC_PASSWORD));
    tear_down(&f);
}

/* ---- TPM ------------------------------------------------------------------------------------- */

struct reply {
    struct loop *loop;
    struct json *ret;
    struct err err;
};

static void on_reply(void *arg, const struct json *ret, const struct err *err)
{
    struct reply *r = arg;

    r->ret = ret ? json_copy(ret) : NULL;
    if (err)
        err_copy(&r->err, err);
    loop_quit(r->loop);
}

/* S1-H2 with the real swtpm: QEMU is connected to it, and its state is private. */
Test(real, S1_H2_swtpm)
{
    struct fixture f;
    struct stat st;

    if (!has_program("qemu-system-x86_64") || !has_program("swtpm"))
        cr_skip_test("qemu-system-x86_64 or swtpm is not installed");
    /* QEMU (7.2) does not wait for a swtpm that is kept from the processor for long. */
    for (int i = 0; !comes_up(&f, "firmware: {legacyBIOS: true}\ntpm: true"); i++) {
        cr_assert(i < 20 && f.end.detail && strstr(f.end.detail, "is not emulating TPM device"),
                  "%s\n%s", f.end.msg, f.end.detail);
        tear_down(&f);
    }
    struct reply r = {.loop = f.loop};
    struct cima_qmp_call call = {.command = "query-tpm", .done = on_reply, .arg = &r};
    qemu_vm_send(f.vm, &call);
    loop_run(f.loop);
    cr_assert_not(err_is_set(&r.err), "%s", r.err.msg);
    _cleanup_free_ char *text = json_dump(r.ret);
    cr_assert(strstr(text, "emulator") && strstr(text, "tpm-crb"), "%s", text);
    _cleanup_free_ char *dir = instance_path(&f.inst, INST_SWTPM_DIR);
    cr_assert_eq(stat(dir, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0700);
    _cleanup_free_ char *lock = path_join(f.inst.dir, "swtpm.lock");
    cr_assert_eq(lock_probe(lock, NULL), 1);
    end(&f);
    cr_assert_eq(lock_probe(lock, NULL), 0);
    cr_assert_not(has(&f, INST_SWTPM_SOCK));
    cr_assert_eq(f.degraded, 0);
    json_free(r.ret);
    tear_down(&f);
}

/* ---- virtiofs -------------------------------------------------------------------------------- */

/* The daemon that is there, the Rust one or the old one of QEMU. */
static char *find_virtiofsd(bool *ret_old)
{
    static const char *const places[] = {"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd",
                                         "/usr/lib/qemu/virtiofsd"};
    char *path = find_program("virtiofsd");

    for (size_t i = 0; !path && i < ARRAY_SIZE(places); i++)
        path = find_program(places[i]);
    *ret_old = path && str_ends(path, "/qemu/virtiofsd");
    return path;
}

/* The greeting comes before the devices; an answer comes when everything is there. */
static void await_machine(int in, int out)
{
    static const char command[] = "{\"execute\": \"qmp_capabilities\"}\n";
    char text[4096] = "";
    size_t len = 0;

    cr_assert_eq(write(in, command, sizeof(command) - 1), (ssize_t)sizeof(command) - 1);
    while (!strstr(text, "\"return\"")) {
        struct pollfd p = {.fd = out, .events = POLLIN};
        ssize_t n;

        cr_assert_eq(poll(&p, 1, LONG_MS), 1);
        n = read(out, text + len, sizeof(text) - 1 - len);
        cr_assert_gt(n, 0, "the device was refused");
        len += (size_t)n;
        text[len] = '\0';
    }
}

/* QEMU's vhost-user connection is the only one that the daemon takes: waiting for its socket must
 * not use it up. Then the daemon dies, and QEMU goes on without. */
Test(real, S1_30_S1_38_F42_virtiofsd)
{
    char dir[] = "/tmp/cima-vfs-XXXXXX";
    bool old;
    _cleanup_free_ char *daemon = find_virtiofsd(&old);
    struct qemu_helpers *helpers = NULL;
    struct qemu_helper plan = {.argv = STRV_INIT};
    _cleanup_err_ struct err err = ERR_INIT;
    struct child qemu = CHILD_INIT;
    int status;

    if (!daemon || !has_program("qemu-system-x86_64"))
        cr_skip_test("no virtiofsd or no qemu-system-x86_64 is installed");
    if (old && geteuid() != 0)
        cr_skip_test("the old virtiofsd of QEMU needs root");
    cr_assert(mkdtemp(dir));
    capture_log(dir);
    const struct instance inst = {.name = (char *)"i", .dir = dir};
    plan.name = xstrdup("virtiofsd-0");
    plan.socket = path_join(dir, "virtiofsd-0.sock");
    strv_push(&plan.argv, daemon);
    strv_pushf(&plan.argv, "--socket-path=%s", plan.socket);
    if (old) {
        strv_pushl(&plan.argv, "-f", "-o", "sandbox=chroot", "-o", NULL);
        strv_pushf(&plan.argv, "source=%s", dir);
    } else {
        strv_pushl(&plan.argv, "--sandbox", "none", "--shared-dir", dir, NULL);
    }
    if (qemu_helpers_start(&inst, &plan, 1, &helpers, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    _cleanup_free_ char *chardev = xasprintf("socket,id=c,path=%s", plan.socket);
    const char *const argv[] = {"qemu-system-x86_64",
                                "-nodefaults",
                                "-S",
                                "-display",
                                "none",
                                "-machine",
                                "q35,memory-backend=m",
                                "-object",
                                "memory-backend-memfd,id=m,size=64M,share=on",
                                "-m",
                                "64",
                                "-chardev",
                                chardev,
                                "-device",
                                "vhost-user-fs-pci,chardev=c,tag=t",
                                "-qmp",
                                "stdio",
                                NULL};
    int out[2], in[2];
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(in, O_CLOEXEC), 0); /* at the end of its monitor QEMU would end, too */
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stdin_fd = in[0];
    s.stdout_fd = out[1];
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(spawn_child(&s, &qemu, &err), 0, "%s", err.msg);
    close(out[1]);
    await_machine(in[1], out[0]);
    qemu_helpers_end(helpers);
    cr_assert_eq(child_wait(&qemu, 1000, &status), 0, "the machine ends with its helper");
    child_kill(&qemu, SIGKILL);
    child_wait(&qemu, -1, &status);
    child_release(&qemu);
    qemu_helpers_free(helpers);
    strv_release(&plan.argv);
    free(plan.name);
    free(plan.socket);
    close(out[0]);
    close(in[0]);
    close(in[1]);
    dir_remove(dir, NULL);
}
