/* SPDX-License-Identifier: Apache-2.0 */
/* F13: KVM that is not there, may not be used, or does not work. The device is a file of the test,
 * and its ioctl is answered here. */
#include "base/fs.h"
#include "base/mem.h"
#include "sys/host.h"
#include "tmpdir.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int api_version, create_errno;
static unsigned created;

/* In the place of the C library's. The device counts as one when the test says so. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if (api_version && request == KVM_GET_API_VERSION)
        return api_version;
    if (api_version && request == KVM_CREATE_VM) {
        created++;
        if (!create_errno)
            return open("/dev/null", O_RDONLY | O_CLOEXEC);
        errno = create_errno;
        return -1;
    }
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

struct fixture {
    char *dir, *device, *cpuinfo;
};

static void write_text(const char *path, const char *text)
{
    cr_assert_eq(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void set_up(struct fixture *f)
{
    f->dir = tmpdir_new();
    f->device = path_join(f->dir, "kvm");
    f->cpuinfo = path_join(f->dir, "cpuinfo");
    write_text(f->cpuinfo, "processor\t: 0\nflags\t\t: fpu sse2 vmx aes\n");
    write_text(f->device, "");
    api_version = create_errno = 0;
    created = 0;
}

static void tear_down(struct fixture *f)
{
    tmpdir_remove(&f->dir);
    free(f->device);
    free(f->cpuinfo);
}

/* Takes away what is not the same everywhere: the path. */
static void expect(struct fixture *f, const char *text)
{
    _cleanup_free_ char *why = host_kvm_problem(f->device, f->cpuinfo);
    _cleanup_free_ char *prefixed = xasprintf("%s%s", f->device, text);

    cr_assert(streq0(why, *text == ':' || *text == ' ' ? prefixed : text), "%s", why);
}

Test(kvm, F13_works)
{
    struct fixture f;

    set_up(&f);
    api_version = KVM_API_VERSION;
    cr_assert_null(host_kvm_problem(f.device, f.cpuinfo));
    cr_assert_eq(created, 1);
    tear_down(&f);
}

Test(kvm, F13_missing)
{
    struct fixture f;

    set_up(&f);
    unlink(f.device);
    expect(&f, " does not exist (is the kvm module loaded?)");
    tear_down(&f);
}

Test(kvm, F13_mode_000)
{
    struct fixture f;

    set_up(&f);
    chmod(f.device, 0);
    chmod(f.dir, 0755);
    chmod(f.cpuinfo, 0644);
    pid_t pid = fork();
    if (pid == 0) {
        /* Modes mean nothing to root. */
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(2);
        _cleanup_free_ char *why = host_kvm_problem(f.device, f.cpuinfo);
        _exit(!strstr(why, "/kvm: permission denied (add yourself to the group kvm)"));
    }
    int status = -1;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    tear_down(&f);
}

Test(kvm, F13_no_device)
{
    struct fixture f;

    set_up(&f);
    expect(&f, " is no KVM device: Inappropriate ioctl for device");
    unlink(f.device);
    cr_assert_eq(mkdir(f.device, 0700), 0);
    expect(&f, ": Is a directory");
    tear_down(&f);
}

Test(kvm, F13_other_version)
{
    struct fixture f;

    set_up(&f);
    api_version = 11;
    expect(&f, "the kernel's KVM has version 11, not 12");
    tear_down(&f);
}

Test(kvm, F13_ebusy)
{
    struct fixture f;

    set_up(&f);
    api_version = KVM_API_VERSION;
    create_errno = EBUSY;
    expect(&f, "KVM can't create a machine: Device or resource busy (another hypervisor uses the "
               "CPU's virtualisation: end it)");
    tear_down(&f);
}

Test(kvm, F13_eperm)
{
    struct fixture f;

    set_up(&f);
    api_version = KVM_API_VERSION;
    create_errno = EPERM;
    expect(&f, "KVM can't create a machine: Operation not permitted (a container or a security "
               "policy forbids it)");
    tear_down(&f);
}

#ifdef __x86_64__
Test(kvm, F13_cpu_without)
{
    struct fixture f;

    set_up(&f);
    api_version = KVM_API_VERSION;
    write_text(f.cpuinfo, "processor\t: 0\nflags\t\t: fpu sse2 vmxnot aes\n");
    expect(&f, "the CPU has neither vmx nor svm (virtualisation is off in the firmware or in the "
               "hypervisor around this machine)");
    cr_assert_eq(created, 0, "a device that hangs is not touched");
    tear_down(&f);
}
#endif
