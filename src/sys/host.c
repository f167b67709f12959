/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/host.h"
#include "base/fs.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <pwd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

enum { CPUINFO_MAX = 1 << 14, SMALL_FILE_MAX = 4096 };

static const char cpuinfo_path[] = "/proc/cpuinfo";
static const char zoneinfo[] = "/usr/share/zoneinfo/";

static const char *const arch_names[] = {
    [ARCH_X86_64] = "x86_64",   [ARCH_AARCH64] = "aarch64", [ARCH_ARMV7L] = "armv7l",
    [ARCH_PPC64LE] = "ppc64le", [ARCH_RISCV64] = "riscv64", [ARCH_S390X] = "s390x",
};
ENUM_STRINGS_DEFINE(arch, ARCH_COUNT)

static unsigned count_cpus(void)
{
    /* The kernel refuses a set that is smaller than its own. */
    for (size_t n = CPU_SETSIZE; n <= 1 << 20; n *= 2) {
        cpu_set_t *set = CPU_ALLOC(n);
        size_t size = CPU_ALLOC_SIZE(n);
        int count = set && sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        bool too_small = set && count == 0 && errno == EINVAL;

        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
        if (!too_small)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

/* The text without white space around it, NULL when the file can't be read or is blank. */
static char *read_trimmed(const char *path)
{
    static const char blanks[] = " \t\r\n";
    _cleanup_free_ char *text = file_read(path, SMALL_FILE_MAX, NULL, NULL);

    if (!text)
        return NULL;
    const char *start = text + strspn(text, blanks);
    size_t len = strlen(start);
    while (len && strchr(blanks, start[len - 1]))
        len--;
    return len ? xstrndup(start, len) : NULL;
}

/* "Europe/Berlin" out of a name or path of a zone, when the zone exists. */
static char *zone_name(const char *zone)
{
    if (*zone == ':')
        zone++;
    if (str_starts(zone, zoneinfo))
        zone += strlen(zoneinfo);
    if (!*zone || *zone == '/' || strstr(zone, ".."))
        return NULL;
    _cleanup_free_ char *path = path_join(zoneinfo, zone);
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? xstrdup(zone) : NULL;
}

static char *find_timezone(void)
{
    const char *tz = getenv("TZ");
    char *zone = tz ? zone_name(tz) : NULL;
    char target[PATH_MAX];

    if (!zone)
        zone = read_trimmed("/etc/timezone");
    if (!zone && realpath("/etc/localtime", target)) {
        const char *p = strstr(target, "/zoneinfo/");

        if (p)
            zone = xstrdup(p + strlen("/zoneinfo/"));
    }
    return zone ? zone : xstrdup("");
}

static void gather_user(struct host_facts *h)
{
    char buf[16384];
    struct passwd pw, *found = NULL;
    const char *home = getenv("HOME"), *user = getenv("USER");

    h->uid = getuid();
    h->gid = getgid();
    if (getpwuid_r(h->uid, &pw, buf, sizeof(buf), &found) != 0)
        found = NULL;
    const char *gecos = found && pw.pw_gecos ? pw.pw_gecos : "";
    h->gecos = xstrndup(gecos, strcspn(gecos, ","));
    if (found)
        h->user = xstrdup(pw.pw_name);
    else
        h->user = str_empty(user) ? xasprintf("%u", h->uid) : xstrdup(user);
    if (!str_empty(home))
        h->home = xstrdup(home);
    else
        h->home = xstrdup(found && !str_empty(pw.pw_dir) ? pw.pw_dir : "/");
}

void host_facts_gather(struct host_facts *ret)
{
    struct host_facts h = {.cpus = count_cpus()};
    struct utsname uts;
    struct sysinfo info;
    const char *tmp = getenv("TMPDIR");

    if (uname(&uts) == 0) {
        h.arch_known = arch_from_string(uts.machine, &h.arch) == 0;
        h.hostname = xstrdup(uts.nodename);
    } else {
        h.hostname = xstrdup("localhost");
    }
    if (sysinfo(&info) == 0)
        h.memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    gather_user(&h);
    h.machine_id = read_trimmed("/etc/machine-id");
    if (!h.machine_id)
        h.machine_id = read_trimmed("/var/lib/dbus/machine-id");
    if (!h.machine_id)
        h.machine_id = xstrdup(h.hostname);
    h.timezone = find_timezone();
    h.temp_dir = xstrdup(str_empty(tmp) ? "/tmp" : tmp);
    *ret = h;
}

void host_facts_release(struct host_facts *h)
{
    free(h->user);
    free(h->gecos);
    free(h->home);
    free(h->hostname);
    free(h->machine_id);
    free(h->timezone);
    free(h->temp_dir);
    *h = (struct host_facts){0};
}

/* Is word among the features of the first processor in cpuinfo? */
static bool cpu_has(const char *cpuinfo, const char *word)
{
    char text[CPUINFO_MAX];
    _cleanup_close_ int fd = open(cpuinfo, O_RDONLY | O_CLOEXEC);
    /* Only the first part: the kernel measures each processor's clock to show it. */
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (n <= 0)
        return false;
    text[n] = '\0';
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!str_starts(line, "flags") && !str_starts(line, "Features"))
            continue;
        line[strcspn(line, "\n")] = '\0';
        char *rest = NULL;
        for (char *w = strtok_r(line, " \t", &rest); w; w = strtok_r(NULL, " \t", &rest))
            if (streq(w, word))
                return true;
        return false;
    }
    return false;
}

bool host_cpu_has_aes(void)
{
    return cpu_has(cpuinfo_path, "aes");
}

/* What a person can do about it; "" when nothing is known. */
static const char *kvm_advice(int error)
{
    switch (error) {
    case EACCES:
        return " (add yourself to the group kvm)";
    case EPERM:
        return " (a container or a security policy forbids it)";
    case EBUSY:
        return " (another hypervisor uses the CPU's virtualisation: end it)";
    case ENXIO:
    case ENODEV:
    case EOPNOTSUPP:
        return " (is virtualisation switched on in the firmware?)";
    default:
        return "";
    }
}

/* Why the open kvm device does not work, NULL when it does. */
static char *kvm_trouble(const char *device, int kvm)
{
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0);

    if (version < 0)
        return xasprintf("%s is no KVM device: %s%s", device, strerror(errno), kvm_advice(errno));
    if (version != KVM_API_VERSION)
        return xasprintf("the kernel's KVM has version %d, not %d", version, KVM_API_VERSION);
    _cleanup_close_ int vm = -1;
    do
        vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
    while (vm < 0 && errno == EINTR);
    return vm < 0
               ? xasprintf("KVM can't create a machine: %s%s", strerror(errno), kvm_advice(errno))
               : NULL;
}

char *host_kvm_problem(const char *device, const char *cpuinfo)
{
#if defined(__x86_64__) || defined(__i386__)
    /* First, because it is the root of the matter: where a hypervisor around us hides these, a
     * /dev/kvm that opens hangs or dies with the first guest. */
    if (!cpu_has(cpuinfo, "vmx") && !cpu_has(cpuinfo, "svm"))
        return xstrdup("the CPU has neither vmx nor svm (virtualisation is off in the firmware "
                       "or in the hypervisor around this machine)");
#else
    (void)cpuinfo;
#endif
    _cleanup_close_ int kvm = open(device, O_RDWR | O_CLOEXEC);
    if (kvm >= 0)
        return kvm_trouble(device, kvm);
    if (errno == ENOENT)
        return xasprintf("%s does not exist (is the kvm module loaded?)", device);
    return xasprintf("%s: %s%s", device, errno == EACCES ? "permission denied" : strerror(errno),
                     kvm_advice(errno));
}

bool host_kvm_usable(char **ret_reason)
{
    char *reason = host_kvm_problem("/dev/kvm", cpuinfo_path);

    if (!reason)
        return true;
    if (ret_reason)
        *ret_reason = reason;
    else
        free(reason);
    return false;
}
