/* SPDX-License-Identifier: Apache-2.0 */
/* What the plan has to know, looked up once: the only part of planning that touches the machine. */
#include "run/internal.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "driver/qemu/arch.h"
#include "driver/qemu/features.h"
#include "image/image.h"
#include "sys/lock.h"
#include "sys/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>

#define SMALL_FILE_MAX (64u << 10)

void run_facts_release(struct run_facts *f)
{
    free(f->kvm_reason);
    free(f->accel_env);
    free(f->qemu);
    free(f->qemu_img);
    free(f->virtiofsd);
    free(f->firmware);
    free(f->uuid);
    free(f->mac);
    for (size_t i = 0; i < f->n_files; i++) {
        free(f->files[i].path);
        free(f->files[i].text);
        free(f->files[i].real);
    }
    free(f->files);
    *f = (struct run_facts){0};
}

/* ---- files ----------------------------------------------------------------------------------- */

const struct run_file *run_facts_file(const struct run_facts *f, const char *path)
{
    for (size_t i = 0; i < f->n_files; i++)
        if (streq(f->files[i].path, path))
            return &f->files[i];
    return NULL;
}

/* What can't be told is left to QEMU: formats that only it knows, files too small for a disk. */
static void look_at_format(int fd, struct run_file *file)
{
    _cleanup_err_ struct err e = ERR_INIT;
    struct image_info info;

    if (image_inspect_fd(fd, file->path, &info, &e) < 0) {
        log_debug("the format of '%s' is left to QEMU: %s", file->path, e.msg);
        return;
    }
    file->format = info.format == IMAGE_ISO ? "raw" : image_format_to_string(info.format);
    file->has_backing = info.has_backing || info.has_external_data;
}

static void read_text(int fd, const struct stat *st, struct run_file *file)
{
    _cleanup_err_ struct err e = ERR_INIT;

    if (st->st_size <= (off_t)SMALL_FILE_MAX && lseek(fd, 0, SEEK_SET) == 0)
        file->text = fd_read_all(fd, file->path, SMALL_FILE_MAX, NULL, &e);
}

void run_facts_add_file(struct run_facts *f, const char *path, int error, int fd)
{
    struct run_file file = {.path = xstrdup(path), .error = error};
    struct stat st;

    if (!error && fstat(fd, &st) < 0)
        file.error = errno;
    if (!file.error) {
        file.directory = S_ISDIR(st.st_mode);
        file.device = S_ISBLK(st.st_mode);
        file.writable = access(path, W_OK) == 0;
        file.real = file.directory ? realpath(path, NULL) : NULL;
        if (S_ISREG(st.st_mode)) {
            look_at_format(fd, &file);
            read_text(fd, &st, &file);
        }
    }
    GROW_ARRAY(f->files, f->n_files, f->cap_files);
    f->files[f->n_files++] = file;
}

/* A pipe must not hold us up; a device must not start to do something. */
static void look_at_file(struct run_facts *f, const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (!run_facts_file(f, path))
        run_facts_add_file(f, path, fd < 0 ? errno : 0, fd);
}

/* ---- architecture and programs --------------------------------------------------------------- */

const char *run_arch_name(const struct run_request *r, const struct run_facts *f)
{
    if (r->arch)
        return r->arch;
    if (f->arch_known && (f->arch == ARCH_AARCH64 || f->arch == ARCH_X86_64 ||
                          f->arch == ARCH_S390X || f->arch == ARCH_RISCV64))
        return arch_to_string(f->arch);
    return NULL;
}

char *run_qemu_name(const struct run_request *r, const struct run_facts *f)
{
    const char *arch = run_arch_name(r, f);

    if (r->qemu)
        return xstrdup(r->qemu);
    return xasprintf("qemu-system-%s", arch ? arch : "");
}

/* Distributions keep it out of PATH: beside QEMU's own files. */
static char *find_virtiofsd(const char *qemu)
{
    static const char *const places[] = {"/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd",
                                         "/usr/lib/virtiofsd"};
    static const char *const beside[] = {"libexec/virtiofsd", "lib/qemu/virtiofsd"};
    char *found = find_program("virtiofsd");

    if (!found && qemu) {
        _cleanup_free_ char *bin = path_dirname(qemu), *prefix = path_dirname(bin);

        for (size_t i = 0; !found && i < ARRAY_SIZE(beside); i++) {
            _cleanup_free_ char *path = path_join(prefix, beside[i]);

            found = find_program(path);
        }
    }
    for (size_t i = 0; !found && i < ARRAY_SIZE(places); i++)
        found = find_program(places[i]);
    return found;
}

/* The C daemon of QEMU up to 7.2 knows shared directories as -o source=. */
static bool is_old_virtiofsd(const char *program)
{
    const char *const argv[] = {program, "--version", NULL};
    _cleanup_run_result_ struct run_result result = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    return run_capture(&s, NULL, 4096, 30000, &result, &e) == 0 &&
           strstr(sbuf_str(&result.out), "QEMU Project");
}

static void find_programs(const struct run_request *r, struct run_facts *f)
{
    _cleanup_free_ char *name = run_qemu_name(r, f);

    f->qemu = find_program(name);
    f->qemu_img = find_program("qemu-img");
    if (!r->virtiofs.n)
        return;
    f->virtiofsd = r->virtiofsd ? find_program(r->virtiofsd) : find_virtiofsd(f->qemu);
    f->virtiofsd_old = f->virtiofsd && is_old_virtiofsd(f->virtiofsd);
}

/* What QEMU says of itself. One that can't be asked may still run: then nothing is known. */
static void ask_qemu(const struct run_request *r, const char *cache_dir, struct run_facts *f)
{
    _cleanup_qemu_features_ struct qemu_features features = QEMU_FEATURES_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    const char *name = run_arch_name(r, f);
    enum arch arch;

    if (!f->qemu || !name || arch_from_string(name, &arch) < 0)
        return;
    if (qemu_probe(f->qemu, arch, cache_dir, &features, &e) < 0) {
        log_debug("%s", e.msg);
        return;
    }
    f->sandbox = features.sandbox;
    f->no_kvm_in_qemu = features.accels.n && !strv_contains(&features.accels, "kvm");
}

/* The firmware of the guest's architecture where a distribution has put it. */
static void find_firmware(const struct run_request *r, struct run_facts *f)
{
    const struct run_file *usual = run_facts_file(f, RUN_FIRMWARE);
    const char *name = run_arch_name(r, f), *const *file;
    enum arch arch;

    if (!r->uefi || r->fw || !usual || usual->error == 0 || !name ||
        arch_from_string(name, &arch) < 0)
        return;
    for (file = qemu_arch(arch)->firmware_files; file && *file; file += 2)
        if (access(*file, R_OK) == 0) {
            f->firmware = xstrdup(*file);
            return;
        }
}

/* ---- randomness ------------------------------------------------------------------------------ */

char *run_make_mac(run_random_fn *fresh, struct err *err)
{
    uint8_t mac[6];
    ssize_t n = fresh(mac, sizeof(mac));

    if (n < 0) {
        err_set_errno(err, ERR_IO, "failed to generate random mac address");
        return NULL;
    }
    if (n != sizeof(mac)) {
        err_set(err, ERR_IO, "generated %zd bytes for random mac address", n);
        return NULL;
    }
    mac[0] = (uint8_t)((mac[0] & ~1u) | 2u); /* of one machine, given by nobody */
    return format_mac(mac);
}

char *run_make_uuid(run_random_fn *fresh, struct err *err)
{
    uint8_t b[16];

    if (fresh(b, sizeof(b)) != sizeof(b)) {
        err_set_errno(err, ERR_IO, "failed to generate random uuid");
        return NULL;
    }
    b[6] = (uint8_t)((b[6] & 0x0fu) | 0x40u);
    b[8] = (uint8_t)((b[8] & 0x3fu) | 0x80u);
    return xasprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                     b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
                     b[13], b[14], b[15]);
}

static ssize_t kernel_random(void *buf, size_t len)
{
    return getrandom(buf, len, 0);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void look_at_host(struct run_facts *f)
{
    struct host_facts host;

    host_facts_gather(&host);
    f->arch = host.arch;
    f->arch_known = host.arch_known;
    host_facts_release(&host);
    f->kvm_there = access("/dev/kvm", F_OK) == 0 || errno != ENOENT; /* S0-20 */
    f->kvm_usable = host_kvm_usable(&f->kvm_reason);
    f->accel_env = xstrdup0(getenv("LINUXKIT_QEMU_ACCEL"));
}

int run_facts_gather(const struct run_request *r, const char *cache_dir, struct run_facts *ret,
                     struct err *err)
{
    _cleanup_run_facts_ struct run_facts f = {0};
    _cleanup_strv_ struct strv paths = STRV_INIT;
    _cleanup_free_ char *state = run_state_path(r), *pid_file = path_join(state, RUN_PID_FILE);

    look_at_host(&f);
    run_request_paths(r, &paths);
    for (size_t i = 0; i < paths.n; i++)
        look_at_file(&f, paths.v[i]);
    find_programs(r, &f);
    find_firmware(r, &f);
    ask_qemu(r, cache_dir, &f);
    f.state_holder = lock_posix_holder(pid_file);
    f.uuid = run_make_uuid(kernel_random, err);
    f.mac = f.uuid ? run_make_mac(kernel_random, err) : NULL;
    if (!f.mac)
        return -1;
    *ret = f;
    f = (struct run_facts){0};
    return 0;
}
