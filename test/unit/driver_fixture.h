/* SPDX-License-Identifier: Apache-2.0 */
/* A machine of the driver, with qemu-stub or the real QEMU. */
#ifndef CIMA_TEST_DRIVER_FIXTURE_H
#define CIMA_TEST_DRIVER_FIXTURE_H

#include "driver/driver.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/features.h"
#include "driver/qemu/vm.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/spawn.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Milliseconds for what has to happen, however busy the machine is. */
enum { LONG_MS = 240000 };

struct fixture {
    char *dir, *exe;
    struct store store;
    struct instance inst;
    struct host_facts host;
    struct config config;
    struct driver_ctx ctx;
    const struct driver *driver;
    struct driver_plan *plan;
    struct loop *loop;
    struct vm *vm;
    struct diags notes;
    /* what the callbacks were told */
    unsigned running, exited;
    uint16_t port;
    int status;
    char events[256];
    struct err end, trouble;
    unsigned degraded;
    bool quit_when_degraded;
    bool shutdown_when_running, quit_when_running;
};

static inline void on_running(void *arg, uint16_t port)
{
    struct fixture *f = arg;

    f->running++;
    f->port = port;
    if (f->shutdown_when_running)
        f->driver->shutdown(f->vm);
    if (f->quit_when_running)
        loop_quit(f->loop);
}

static inline void on_event(void *arg, enum vm_event ev, const char *detail)
{
    struct fixture *f = arg;
    size_t used = strlen(f->events);

    snprintf(f->events + used, sizeof(f->events) - used, "%d:%s;", ev, detail ? detail : "");
}

static inline void on_degraded(void *arg, const struct err *why)
{
    struct fixture *f = arg;

    f->degraded++;
    if (!err_is_set(&f->trouble))
        err_copy(&f->trouble, why);
    if (f->quit_when_degraded)
        loop_quit(f->loop);
}

static inline void on_exited(void *arg, int status, const struct err *err)
{
    struct fixture *f = arg;

    f->exited++;
    f->status = status;
    if (err) {
        err_set(&f->end, err->kind, "%s", err->msg);
        if (err->hint)
            err_hint(&f->end, "%s", err->hint);
        if (err->detail)
            err_detail(&f->end, err->detail);
    }
    loop_quit(f->loop);
}

static const struct vm_callbacks callbacks = {.running = on_running, .event = on_event, .degraded = on_degraded, .exited = on_exited};

static inline void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
    _cleanup_free_ char *path = path_join(dir, name);
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(file_write_atomic(path, text, strlen(text), mode, &err), 0, "%s", err.msg);
}

/* stub_mode NULL: the real QEMU. */
static inline void set_up(struct fixture *f, const char *yaml, const char *stub_mode)
{
    char dir[] = "/tmp/cima-driver-XXXXXX";
    _cleanup_free_ char *text = xasprintf("images: [{location: /a, arch: x86_64}]\ncpus: 1\n"
                                          "memory: 256MiB\ndisk: 64MiB\n%s\n",
                                          yaml);
    const struct config_input in = {
        .instance = {.name = "i.yaml", .text = text, .len = strlen(text)}};
    struct config_context ctx = {0};
    _cleanup_err_ struct err err = ERR_INIT;

    log_set_level(LOG_LEVEL_COUNT);
    *f = (struct fixture){.config = CONFIG_INIT, .notes = DIAGS_INIT};
    cr_assert(mkdtemp(dir));
    f->dir = xstrdup(dir);
    f->store = (struct store){.home = xstrdup(dir), .cache = path_join(dir, "cache")};
    f->inst = (struct instance){.name = xstrdup("i"), .dir = path_join(dir, "i")};
    cr_assert_eq(mkdir(f->inst.dir, 0700), 0);
    host_facts_gather(&f->host);
    ctx = (struct config_context){
        .host = &f->host, .instance_name = "i", .instance_dir = f->inst.dir, .home_dir = dir};
    if (config_load(&in, &ctx, &f->config, &f->notes, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    f->ctx = (struct driver_ctx){&f->store, &f->inst, &f->config.v, &f->host};
    f->driver = driver_find("qemu");
    f->loop = loop_new(&err);
    unsetenv("CIMA_QEMU_ACCEL");
    unsetenv("QEMU_SYSTEM_X86_64");
    if (stub_mode) {
        _cleanup_free_ char *stub =
            xasprintf("%s/qemu-stub", getenv("builddir") ? getenv("builddir") : ".");
        _cleanup_free_ char *real = realpath(stub, NULL);

        cr_assert(real, "%s is not built", stub);
        f->exe = path_join(dir, "qemu-stub");
        cr_assert_eq(symlink(real, f->exe), 0);
        write_file(dir, "qemu-stub.mode", stub_mode, 0600);
        setenv("QEMU_SYSTEM_X86_64", f->exe, 1);
    }
}

static inline void tear_down(struct fixture *f)
{
    if (f->vm) {
        if (!f->exited && f->driver->pid(f->vm) > 0)
            kill(f->driver->pid(f->vm), SIGKILL);
        f->driver->vm_free(f->vm);
    }
    f->driver->plan_free(f->plan);
    loop_free(f->loop);
    diags_release(&f->notes);
    config_release(&f->config);
    host_facts_release(&f->host);
    instance_release(&f->inst);
    store_release(&f->store);
    err_clear(&f->end);
    err_clear(&f->trouble);
    dir_remove(f->dir, NULL);
    free(f->dir);
    free(f->exe);
}

/* The disk as image_prepare and create_disk make it. */
static inline void make_disk(struct fixture *f, const char *content)
{
    _cleanup_json_ struct json *facts = json_object_new();
    _cleanup_free_ char *image = instance_path(&f->inst, INST_IMAGE);
    struct image_result r = {.info = {.format = IMAGE_RAW, .virtual_size = 1 << 20}};
    _cleanup_err_ struct err err = ERR_INIT;

    write_file(f->inst.dir, "image", content, 0600);
    cr_assert_eq(truncate(image, 1 << 20), 0);
    if (f->driver->create_disk(&f->ctx, &r, facts, &err) < 0 ||
        instance_facts_write(&f->inst, facts, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
    write_file(f->inst.dir, "cidata.iso", "seed", 0600);
}

static inline void start(struct fixture *f)
{
    _cleanup_err_ struct err err = ERR_INIT;

    make_disk(f, "x");
    if (f->driver->plan(&f->ctx, &f->plan, &f->notes, &err) < 0 ||
        f->driver->start(&f->ctx, f->plan, f->loop, &callbacks, f, &f->vm, &err) < 0)
        cr_assert_fail("%s", err_text(&err));
}

static inline bool has(const struct fixture *f, enum inst_file file)
{
    _cleanup_free_ char *path = instance_path(&f->inst, file);

    return path_exists(path);
}

/* All of them are met on purpose: a test that wants something to happen within one makes it long. */
static const struct qemu_vm_limits short_limits = {
    .greeting = 300, .powerdown_first = 100, .powerdown_again = 100, .powerdown = 400, .quit = 200};

#endif
