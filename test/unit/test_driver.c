/* SPDX-License-Identifier: Apache-2.0 */
/* The driver as the rooms above see it, with a stub and with the real QEMU. */
#include "driver_fixture.h"

/* ---- with the stub --------------------------------------------------------------------------- */

Test(driver, names)
{
    cr_assert(driver_find("qemu"));
    cr_assert_null(driver_find("vz"));
    cr_assert_null(driver_find(NULL));
    cr_assert_str_eq(driver_names()[0], "qemu");
    cr_assert_null(driver_names()[1]);
}

Test(driver, start_and_power_down)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    start(&f);
    cr_assert_gt(f.driver->pid(f.vm), 0);
    cr_assert_eq(f.running, 0, "callbacks come from the loop only");
    f.shutdown_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.running, 1);
    cr_assert_eq(f.port, 40022);
    cr_assert_eq(f.exited, 1);
    cr_assert_eq(f.status, 0);
    cr_assert_not(err_is_set(&f.end), "%s", f.end.msg);
    cr_assert_not(has(&f, INST_QEMU_PID));
    cr_assert_not(has(&f, INST_QMP_SOCK));
    cr_assert_not(has(&f, INST_SERIAL_SOCK));
    f.driver->shutdown(f.vm);
    f.driver->kill(f.vm);
    tear_down(&f);
}

/* F15: what QEMU says is shown: its end is seen, not the limit of its greeting. */
Test(driver, F15_option_refused)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "reject");
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_eq(f.running, 0);
    cr_assert_eq(f.end.kind, ERR_QEMU);
    cr_assert(strstr(f.end.msg, "exited with status 1 before the machine ran"), "%s", f.end.msg);
    cr_assert(strstr(f.end.detail, "invalid option"), "%s", f.end.detail);
    cr_assert(strstr(f.end.hint, "right version"), "%s", f.end.hint);
    cr_assert(strstr(f.end.hint, "`vmOpts.qemu.extraArgs`"), "%s", f.end.hint);
    tear_down(&f);
}

Test(driver, dies_after_greeting)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "die");
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.running, 0);
    cr_assert_eq(WEXITSTATUS(f.status), 3);
    cr_assert(strstr(f.end.detail, "something dreadful"));
    cr_assert(strstr(f.end.hint, "qemu.log"), "%s", f.end.hint);
    tear_down(&f);
}

Test(driver, F18_mute_monitor)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "mute");
    start(&f);
    qemu_vm_set_limits(f.vm, &short_limits);
    loop_run(f.loop);
    cr_assert_eq(f.running, 0);
    cr_assert_eq(f.end.kind, ERR_TIMEOUT);
    cr_assert(strstr(f.end.msg, "no greeting"), "%s", f.end.msg);
    cr_assert(WIFSIGNALED(f.status));
    tear_down(&f);
}

/* The plan has reserved a port: a monitor that does not tell it is no reason to fail. */
Test(driver, no_port)
{
    struct qemu_vm_limits limits = short_limits;
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "noport");
    start(&f);
    limits.greeting = LONG_MS;
    qemu_vm_set_limits(f.vm, &limits);
    f.shutdown_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.running, 1);
    cr_assert_eq(f.exited, 1);
    tear_down(&f);
}

static void power_down(const char *mode, bool forced, int signo)
{
    struct qemu_vm_limits limits = short_limits;
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", mode);
    start(&f);
    if (!forced)
        limits.powerdown = LONG_MS;
    if (!signo)
        limits.quit = LONG_MS;
    limits.greeting = LONG_MS;
    qemu_vm_set_limits(f.vm, &limits);
    f.shutdown_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_eq(err_is_set(&f.end), forced, "%s", mode);
    cr_assert_eq(WIFSIGNALED(f.status) ? WTERMSIG(f.status) : 0, signo);
    cr_assert_not(has(&f, INST_QEMU_PID));
    tear_down(&f);
}

/* F20 and rows S1-55 to S1-57. */
Test(driver, F20_pressed_again)
{
    power_down("slow", false, 0);
}

Test(driver, F20_quit_at_the_limit)
{
    power_down("stubborn", true, 0);
}

Test(driver, F20_killed_after_quit)
{
    power_down("deaf", true, SIGKILL);
}

Test(driver, guest_powers_off)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "guest");
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_eq(f.status, 0);
    cr_assert_not(err_is_set(&f.end), "%s", f.end.msg);
    tear_down(&f);
}

Test(driver, crash)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "crash");
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert(strstr(f.end.msg, "signal 6"), "%s", f.end.msg);
    tear_down(&f);
}

Test(driver, kill)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    start(&f);
    f.driver->kill(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_not(err_is_set(&f.end));
    cr_assert_eq(WTERMSIG(f.status), SIGKILL);
    tear_down(&f);
}

Test(driver, adopt)
{
    struct fixture f;
    struct vm *second;
    _cleanup_err_ struct err err = ERR_INIT;
    pid_t pid;
    int status;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    cr_assert_eq(f.driver->adopt(&f.ctx, f.loop, &callbacks, &f, &f.vm, &err), -1);
    cr_assert_eq(err.kind, ERR_STATE);
    err_clear(&err);
    start(&f);
    f.quit_when_running = true;
    loop_run(f.loop);
    pid = f.driver->pid(f.vm);
    cr_assert_eq(f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &second, &err), -1);
    cr_assert(strstr(err.msg, "is running already"), "%s", err.msg);
    err_clear(&err);
    cr_assert(has(&f, INST_QMP_SOCK) && has(&f, INST_SERIAL_SOCK), "nothing of it was touched");
    f.driver->vm_free(f.vm);
    f.vm = NULL;
    cr_assert_eq(kill(pid, 0), 0, "it outlives us");
    f.quit_when_running = false;
    f.shutdown_when_running = true;
    if (f.driver->adopt(&f.ctx, f.loop, &callbacks, &f, &f.vm, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    cr_assert_eq(f.driver->pid(f.vm), pid);
    loop_run(f.loop);
    cr_assert_eq(f.running, 2);
    cr_assert_eq(f.exited, 1);
    cr_assert_eq(f.status, -1);
    cr_assert_not(err_is_set(&f.end), "%s", f.end.msg);
    waitpid(pid, &status, 0);
    tear_down(&f);
}

Test(driver, adopted_machine_is_killed)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;
    pid_t pid;
    int status;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    start(&f);
    f.quit_when_running = true;
    loop_run(f.loop);
    pid = f.driver->pid(f.vm);
    f.driver->vm_free(f.vm);
    cr_assert_eq(f.driver->adopt(&f.ctx, f.loop, &callbacks, &f, &f.vm, &err), 0);
    loop_run(f.loop);
    f.quit_when_running = false;
    kill(pid, SIGKILL);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert(strstr(f.end.msg, "unexpectedly"), "%s", f.end.msg);
    waitpid(pid, &status, 0);
    tear_down(&f);
}

/* ---- planning -------------------------------------------------------------------------------- */

static void plan_fails(struct fixture *f, enum err_kind kind, const char *word)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL;

    cr_assert_eq(f->driver->plan(&f->ctx, &f->plan, &f->notes, &err), -1);
    text = err_text(&err);
    cr_assert_eq(err.kind, kind, "%s", text);
    cr_assert(strstr(text, word), "'%s' without '%s'", text, word);
    err_clear(&err);
}

Test(driver, F14_no_binary)
{
    struct fixture f;

    set_up(&f, "", NULL);
    setenv("QEMU_SYSTEM_X86_64", "/nonexistent/qemu", 1);
    plan_fails(&f, ERR_NOT_FOUND, "$QEMU_SYSTEM_X86_64");
    unsetenv("QEMU_SYSTEM_X86_64");
    setenv("PATH", "/nonexistent", 1);
    plan_fails(&f, ERR_NOT_FOUND, "qemu-system-x86");
    setenv("QEMU_SYSTEM_X86_64", "'/a", 1);
    plan_fails(&f, ERR_USAGE, "unbalanced");
    tear_down(&f);
}

Test(driver, F14_binary_that_is_none)
{
    struct fixture f;
    char *path;

    set_up(&f, "", NULL);
    write_file(f.dir, "qemu",
               "#!/bin/sh\necho 'QEMU emulator version 10.1.2'\necho oops >&2\nexit 5\n", 0700);
    path = path_join(f.dir, "qemu");
    setenv("QEMU_SYSTEM_X86_64", path, 1);
    plan_fails(&f, ERR_PROTOCOL, "oops");
    write_file(f.dir, "qemu", "not a program", 0700);
    plan_fails(&f, ERR_IO, "qemu");
    write_file(f.dir, "qemu", "#!/bin/sh\n", 0600);
    plan_fails(&f, ERR_NOT_FOUND, "can't be executed");
    free(path);
    tear_down(&f);
}

Test(driver, F14_old_and_broken)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "old");
    plan_fails(&f, ERR_UNSUPPORTED, "QEMU 3.1.0 is too old, 4.0.0 or later required");
    tear_down(&f);
    set_up(&f, "firmware: {legacyBIOS: true}", "nohelp");
    plan_fails(&f, ERR_QEMU, "error while loading shared libraries");
    tear_down(&f);
}

Test(driver, disk_missing)
{
    struct fixture f;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    plan_fails(&f, ERR_STATE, "the instance is damaged");
    tear_down(&f);
}

/* Nobody can fetch it again. */
Test(driver, disk_damaged)
{
    struct fixture f;
    _cleanup_free_ char *disk = NULL;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    make_disk(&f, "x");
    disk = instance_path(&f.inst, INST_DISK);
    cr_assert_eq(truncate(disk, 60), 0);
    plan_fails(&f, ERR_IO, "qemu-img check");
    tear_down(&f);
}

Test(driver, a_new_image_without_kernel_needs_none)
{
    struct fixture f;
    _cleanup_json_ struct json *facts = json_object_new();
    struct image_result r = {.info = {.format = IMAGE_RAW, .virtual_size = 1 << 20},
                             .has_kernel = true};
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *disk = NULL;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    write_file(f.inst.dir, "image", "x", 0600);
    cr_assert_eq(f.driver->create_disk(&f.ctx, &r, facts, &err), 0, "%s", err.msg);
    cr_assert_eq(instance_facts_write(&f.inst, facts, &err), 0);
    plan_fails(&f, ERR_STATE, "the kernel of the instance is missing");
    disk = instance_path(&f.inst, INST_DISK);
    cr_assert_eq(unlink(disk), 0);
    make_disk(&f, "x");
    cr_assert_eq(f.driver->plan(&f.ctx, &f.plan, &f.notes, &err), 0, "%s", err.msg);
    tear_down(&f);
}

Test(driver, SD_16_no_such_disk)
{
    struct fixture f;

    set_up(&f, "additionalDisks: [data]\nfirmware: {legacyBIOS: true}", "run");
    make_disk(&f, "x");
    plan_fails(&f, ERR_NOT_FOUND, "could not load disk 'data'");
    tear_down(&f);
}

Test(driver, dead_network_socket)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL;

    set_up(&f, "firmware: {legacyBIOS: true}\nnetworks: [{socket: /nonexistent/gone.sock}]", "run");
    make_disk(&f, "x");
    cr_assert_eq(f.driver->plan(&f.ctx, &f.plan, &f.notes, &err), 0, "%s", err.msg);
    cr_assert_eq(f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &f.vm, &err), -1);
    text = err_line(&err);
    cr_assert(strstr(text, "networks[0]") && strstr(text, "gone.sock"), "%s", text);
    cr_assert(strstr(err.hint, "or take `networks[0]` out"), "%s", err.hint);
    tear_down(&f);
}

/* The path is searched for these: a directory of the test first. */
static void fake_program(struct fixture *f, const char *name, const char *script)
{
    _cleanup_free_ char *path = xasprintf("%s:%s", f->dir, getenv("PATH"));

    write_file(f->dir, name, script, 0700);
    setenv("PATH", path, 1);
}

Test(driver, helper_ends_with_the_machine)
{
    struct fixture f;
    _cleanup_free_ char *pidfile = NULL, *text = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    size_t len;

    set_up(&f, "firmware: {legacyBIOS: true}\ntpm: true", "run");
    fake_program(&f, "swtpm",
                 "#!/bin/sh\nfor a; do case $a in type=unixio,path=*) s=${a#*path=};; "
                 "dir=*) d=${a#dir=};; esac; done\necho $$ >\"$d/pid\"\n: >\"$s\"\n"
                 "exec sleep 100\n");
    start(&f);
    pidfile = path_join(f.inst.dir, "swtpm/pid");
    text = file_read(pidfile, 64, &len, &err);
    cr_assert(text, "%s", err.msg);
    cr_assert_eq(kill(atoi(text), 0), 0);
    f.shutdown_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_neq(kill(atoi(text), 0), 0, "it is left behind");
    tear_down(&f);
}

Test(driver, helper_fails)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *line = NULL;

    set_up(&f, "firmware: {legacyBIOS: true}\ntpm: true", "run");
    fake_program(&f, "swtpm", "#!/bin/sh\nexit 3\n");
    make_disk(&f, "x");
    cr_assert_eq(f.driver->plan(&f.ctx, &f.plan, &f.notes, &err), 0, "%s", err.msg);
    cr_assert_eq(f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &f.vm, &err), -1);
    line = err_line(&err);
    cr_assert(strstr(line, "swtpm never created its socket: it exited with status 3"), "%s", line);
    cr_assert_not(has(&f, INST_QEMU_PID));
    tear_down(&f);
}

/* A disk of Lima's (no facts) is inspected once; then its format stays, whatever the guest writes.
 */
Test(driver, S02_format_stays)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *disk = NULL, *line = NULL;
    int fd;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    disk = instance_path(&f.inst, INST_DISK);
    write_file(f.inst.dir, "disk", "raw bytes", 0600);
    write_file(f.inst.dir, "cidata.iso", "seed", 0600);
    cr_assert_eq(truncate(disk, 64 << 20), 0);
    if (f.driver->plan(&f.ctx, &f.plan, &f.notes, &err) < 0 ||
        f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &f.vm, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    f.shutdown_when_running = true;
    loop_run(f.loop);
    f.driver->plan_free(f.plan);
    f.plan = NULL;
    fd = open(disk, O_WRONLY);
    cr_assert_eq(pwrite(fd, "QFI\xfb\0\0\0\3", 8, 0), 8);
    close(fd);
    if (f.driver->plan(&f.ctx, &f.plan, &f.notes, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    line = f.driver->plan_text(f.plan);
    cr_assert(strstr(line, "raw,node-name=boot-disk"), "%s", line);
    tear_down(&f);
}

Test(driver, S1_27_SD_60_disk_is_made_once)
{
    struct fixture f;
    _cleanup_free_ char *disk = NULL;
    struct stat a, b;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    disk = instance_path(&f.inst, INST_DISK);
    make_disk(&f, "x");
    cr_assert_eq(stat(disk, &a), 0);
    make_disk(&f, "x");
    cr_assert_eq(stat(disk, &b), 0);
    cr_assert_eq(a.st_ino, b.st_ino);
    tear_down(&f);
}

Test(driver, iso_becomes_iso)
{
    struct fixture f;
    _cleanup_json_ struct json *facts = json_object_new();
    struct image_result r = {.info = {.format = IMAGE_ISO, .virtual_size = 4096}};
    _cleanup_err_ struct err err = ERR_INIT;

    set_up(&f, "firmware: {legacyBIOS: true}", "run");
    write_file(f.inst.dir, "image", "iso", 0600);
    /* A directory in the way of the disk's temporary name. */
    _cleanup_free_ char *way = path_join(f.inst.dir, "disk.tmp");
    cr_assert_eq(mkdir(way, 0700), 0);
    cr_assert_eq(f.driver->create_disk(&f.ctx, &r, facts, &err), -1);
    cr_assert(has(&f, INST_IMAGE), "put back");
    err_clear(&err);
    cr_assert_eq(rmdir(way), 0);
    cr_assert_eq(f.driver->create_disk(&f.ctx, &r, facts, &err), 0, "%s", err.msg);
    cr_assert(has(&f, INST_ISO) && has(&f, INST_DISK) && !has(&f, INST_IMAGE));
    tear_down(&f);
}

/* ---- features -------------------------------------------------------------------------------- */

Test(features, json_round_trip)
{
    _cleanup_qemu_features_ struct qemu_features f = {.version_known = true,
                                                      .version = {.major = 7},
                                                      .sandbox = true},
                                                 g = QEMU_FEATURES_INIT;
    _cleanup_json_ struct json *a = NULL, *b = NULL, *bad = json_object_new();

    strv_push(&f.accels, "tcg");
    strv_push(&f.cpus, "max");
    a = qemu_features_to_json(&f);
    cr_assert_eq(qemu_features_from_json(a, &g), 0);
    b = qemu_features_to_json(&g);
    cr_assert(json_equal(a, b));
    cr_assert_eq(qemu_features_from_json(bad, &g), -1);
}

Test(features, cache)
{
    struct fixture f;
    _cleanup_qemu_features_ struct qemu_features a = QEMU_FEATURES_INIT, b = QEMU_FEATURES_INIT,
                                                 c = QEMU_FEATURES_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up(&f, "", "run");
    cr_assert_eq(qemu_probe(f.exe, ARCH_X86_64, f.store.cache, &a, &err), 0, "%s", err.msg);
    /* The binary is the same: it is not asked again. */
    write_file(f.dir, "qemu-stub.mode", "nohelp", 0600);
    cr_assert_eq(qemu_probe(f.exe, ARCH_X86_64, f.store.cache, &b, &err), 0, "%s", err.msg);
    cr_assert_str_eq(qemu_features_machine(&b, "q35"), "pc-q35-7.2");
    cr_assert_eq(qemu_probe(f.exe, ARCH_X86_64, NULL, &c, &err), -1);
    err_clear(&err);
    cr_assert_eq(qemu_probe(f.exe, ARCH_AARCH64, f.store.cache, &c, &err), -1, "another question");
    tear_down(&f);
}

/* ---- with the real QEMU ---------------------------------------------------------------------- */

static bool no_qemu(void)
{
    _cleanup_free_ char *path = find_program("qemu-system-x86_64");

    if (!path)
        fprintf(stderr, "skipped: qemu-system-x86_64 is not installed\n");
    return !path;
}

/* Stopped before its first instruction: enough for QEMU to make every device. */
static void accepts(const char *yaml)
{
    struct fixture f;

    if (no_qemu())
        cr_skip_test("qemu-system-x86_64 is not installed");
    set_up(&f, yaml, NULL);
    setenv("QEMU_SYSTEM_X86_64", "qemu-system-x86_64 -S", 1);
    start(&f);
    f.quit_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.running, 1, "%s\n%s", f.end.msg, f.end.detail);
    cr_assert_gt(f.port, 1023);
    f.quit_when_running = false;
    f.driver->kill(f.vm);
    loop_run(f.loop);
    cr_assert(strstr(f.events, "prelaunch"), "%s", f.events);
    tear_down(&f);
}

Test(real, uefi)
{
    accepts("");
}

Test(real, bios)
{
    accepts("firmware: {legacyBIOS: true}");
}

Test(real, mounts)
{
    _cleanup_free_ char *dir = xasprintf("/tmp/cima-test-%d,readonly=off", (int)getpid());
    _cleanup_free_ char *yaml =
        xasprintf("firmware: {legacyBIOS: true}\nmountType: 9p\nmounts: [{location: /usr, "
                  "mountPoint: /mnt/usr}, {location: \"%s\"}]",
                  dir);

    accepts(yaml);
    cr_assert_eq(rmdir(dir), 0, "SD-34: it was made");
}

Test(real, cpu_and_vnc)
{
    accepts("firmware: {legacyBIOS: true}\nvmOpts: {qemu: {cpuType: {x86_64: \"qemu64,+ssse3\"}}}\n"
            "video: {display: vnc}");
}

/* S28, S07, B-SOCKETS: what a look from outside finds. */
Test(real, S28_outside_view)
{
    struct qemu_vm_limits limits = short_limits;
    struct fixture f;
    _cleanup_free_ char *path = NULL, *env = NULL, *core = NULL, *sock = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    struct stat st;
    size_t len;

    if (no_qemu())
        cr_skip_test("qemu-system-x86_64 is not installed");
    setenv("SECRET_TOKEN", "geheim", 1);
    set_up(&f, "firmware: {legacyBIOS: true}", NULL);
    start(&f);
    f.quit_when_running = true;
    loop_run(f.loop);
    cr_assert_eq(f.running, 1, "%s\n%s", f.end.msg, f.end.detail);
    path = xasprintf("/proc/%d/environ", (int)f.driver->pid(f.vm));
    env = file_read(path, 65536, &len, &err);
    cr_assert(env);
    cr_assert_null(memmem(env, len, "geheim", 6));
    free(path);
    path = xasprintf("/proc/%d/limits", (int)f.driver->pid(f.vm));
    core = file_read(path, 65536, &len, &err);
    cr_assert(strstr(core, "Max core file size        0"), "%s", core);
    sock = instance_path(&f.inst, INST_QMP_SOCK);
    cr_assert_eq(stat(sock, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    free(sock);
    sock = instance_path(&f.inst, INST_SERIAL_LOG);
    cr_assert_eq(stat(sock, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    /* SeaBIOS does not know the power button: the end is forced, by `quit`. */
    limits.quit = LONG_MS;
    qemu_vm_set_limits(f.vm, &limits);
    f.quit_when_running = false;
    f.driver->shutdown(f.vm);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert_eq(f.status, 0);
    cr_assert(strstr(f.end.msg, "by force"));
    cr_assert_not(has(&f, INST_QMP_SOCK));
    tear_down(&f);
}

Test(real, SD_64_disk_grows)
{
    struct fixture f;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *disk = NULL;
    struct image_info info;
    int fd;

    if (no_qemu())
        cr_skip_test("qemu-system-x86_64 is not installed");
    set_up(&f, "firmware: {legacyBIOS: true}", NULL);
    make_disk(&f, "x");
    f.config.v.disk = xstrdup("96MiB");
    if (f.driver->plan(&f.ctx, &f.plan, &f.notes, &err) < 0 ||
        f.driver->start(&f.ctx, f.plan, f.loop, &callbacks, &f, &f.vm, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    disk = instance_path(&f.inst, INST_DISK);
    fd = open(disk, O_RDONLY);
    cr_assert_eq(image_inspect_fd(fd, disk, &info, &err), 0);
    close(fd);
    cr_assert_eq(info.virtual_size, 96u << 20);
    f.driver->kill(f.vm);
    loop_run(f.loop);
    free(f.config.v.disk);
    tear_down(&f);
}

Test(real, port_taken)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_free_ char *yaml = NULL;
    struct fixture f;

    if (no_qemu())
        cr_skip_test("qemu-system-x86_64 is not installed");
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    yaml = xasprintf("firmware: {legacyBIOS: true}\nssh: {localPort: %u}", ntohs(addr.sin_port));
    set_up(&f, yaml, NULL);
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.exited, 1);
    cr_assert(strstr(f.end.hint, "ssh.localPort"), "%s", f.end.hint);
    close(fd);
    tear_down(&f);
}
