/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about the instance as a whole. */
#include "config/validate.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"

enum { SECTOR = 512, SMALL_MEMORY = 16 << 20 };

static void check_base(const struct check *k)
{
    if (k->v->base_count)
        problem(k, RULE_BASE, "base",
                "field `base` must be empty for YAML validation: `%s` is not "
                "part of this file yet",
                k->v->base[0].url ? k->v->base[0].url : "");
}

static void check_minimum_lima_version(const struct check *k)
{
    const char *text = k->v->minimum_lima_version;
    struct config_version wanted, ours;

    if (!CFG_HAS(k->v, instance, minimum_lima_version))
        return;
    if (config_parse_version(text, true, &wanted) < 0) {
        problem(k, RULE_MINIMUM_LIMA_VERSION, "minimumLimaVersion",
                "field `minimumLimaVersion` must be a semvar value, got `%s`", text);
        return;
    }
    if (config_parse_version(LIMA_VERSION, true, &ours) == 0 &&
        config_version_cmp(&wanted, &ours) > 0)
        problem(
            k, RULE_LIMA_VERSION_TOO_NEW, "minimumLimaVersion",
            "template requires Lima version `%s` (field `minimumLimaVersion`); the formats here "
            "are those of `%s`",
            text, LIMA_VERSION);
}

static void check_vm_type(const struct check *k)
{
    check_word(k, RULE_VM_TYPE, "vmType", k->v->vm_type, &config_shape_vm_type);
}

static void check_qemu_opts(const struct check *k)
{
    const struct config_qemu_opts *q = &k->v->vm_opts.qemu;
    struct config_version version;

    if (CFG_HAS(q, qemu_opts, minimum_version) &&
        config_parse_version(q->minimum_version, false, &version) < 0)
        problem(k, RULE_QEMU_MINIMUM_VERSION, "vmOpts.qemu.minimumVersion",
                "field `vmOpts.qemu.minimumVersion` must be a semvar value, got `%s`",
                q->minimum_version);
    if (!str_empty(q->accel))
        check_word(k, RULE_QEMU_ACCEL, "vmOpts.qemu.accel", q->accel, &config_shape_accel);
    for (unsigned i = 0; i < q->cpu_type_count; i++) {
        _cleanup_free_ char *path = xasprintf("vmOpts.qemu.cpuType.%s", q->cpu_type[i].key);
        enum arch arch;

        if (arch_from_string(q->cpu_type[i].key, &arch) < 0)
            problem(k, RULE_CPU_TYPE_ARCH, path,
                    "field `%s`: `%s` is no architecture; the entry is ignored", path,
                    q->cpu_type[i].key);
    }
}

/* S1-16 to S1-18. */
static void check_cpu_type(const struct check *k)
{
    const struct config_qemu_opts *q = &k->v->vm_opts.qemu;

    if (k->v->cpu_type_count)
        problem(k, RULE_CPU_TYPE_DEPRECATED, "cpuType",
                "The top-level `cpuType` field is deprecated and will be removed in a "
                "future release. Please migrate to `vmOpts.qemu.cpuType`.");
    for (unsigned i = 0; i < k->v->cpu_type_count; i++) {
        const struct config_kv *old = &k->v->cpu_type[i];

        for (unsigned n = 0; n < q->cpu_type_count; n++)
            if (streq(q->cpu_type[n].key, old->key) && *old->value && *q->cpu_type[n].value &&
                !streq(q->cpu_type[n].value, old->value))
                problem(k, RULE_CPU_TYPE_CONFLICT, "cpuType",
                        "Conflicting cpuType for arch `%s`: top-level=`%s`, "
                        "vmOpts.qemu=`%s`; using vmOpts.qemu value",
                        old->key, old->value, q->cpu_type[n].value);
    }
}

static void check_os(const struct check *k)
{
    const char *os = k->v->os, *arch = k->v->arch;

    check_word(k, RULE_OS, "os", os, &config_shape_os);
    if (streq(os, "Windows") && !streq(arch, "x86_64") && !streq(arch, "aarch64"))
        problem(k, RULE_OS_WINDOWS_ARCH, "os",
                "field `os`: a Windows guest needs the architecture `x86_64` or `aarch64`, "
                "got `%s`",
                arch);
    if (!streq(os, "Linux") && config_shape_has(&config_shape_os, os))
        problem(k, RULE_OS_EXPERIMENTAL, "os", "`os: %s` is experimental", os);
}

static void check_architecture(const struct check *k)
{
    const char *arch = k->v->arch;
    enum arch known;

    check_arch(k, "arch", arch);
    if (arch_from_string(arch, &known) == 0 && known != ARCH_X86_64 && known != ARCH_AARCH64)
        problem(k, RULE_ARCH_EXPERIMENTAL, "arch", "`arch: %s` is experimental", arch);
}

static void check_cpus(const struct check *k)
{
    if (k->v->cpus < 1)
        problem(k, RULE_CPUS, "cpus",
                "field `cpus` must be set to a number greater than 0, got %lld",
                (long long)k->v->cpus);
}

static bool size_of(const struct check *k, const char *path, const char *text, uint64_t *ret)
{
    if (parse_size(text, ret) < 0 || *ret > INT64_MAX) {
        problem(k, RULE_SIZE, path, "field `%s` has an invalid value: `%s`", path, text);
        return false;
    }
    if (*ret == 0)
        problem(k, RULE_SIZE_ZERO, path,
                "field `%s` has an invalid value: `%s` is no size to work with", path, text);
    return *ret > 0;
}

static void check_memory(const struct check *k)
{
    const char *text = k->v->memory;
    bool no_unit = text[strspn(text, "0123456789")] == '\0';
    uint64_t bytes = 0;

    if (!size_of(k, "memory", text, &bytes) || bytes >= SMALL_MEMORY)
        return;
    struct diag *d = problem(k, RULE_MEMORY_SMALL, "memory", "field `memory` is only %llu bytes",
                             (unsigned long long)bytes);
    if (no_unit)
        diag_set_hint(d, "a number without unit counts bytes; write `%sGiB` for gibibytes", text);
    else
        diag_set_hint(d, "hardly a system can do with so little; write `512MiB` or more");
}

static void check_disk(const struct check *k)
{
    const char *text = k->v->disk;
    bool no_unit = text[strspn(text, "0123456789")] == '\0';
    uint64_t bytes = 0;

    if (!size_of(k, "disk", text, &bytes) || bytes >= SECTOR)
        return;
    /* A bare number is what people write who mean GiB: said, not refused. */
    if (no_unit)
        diag_set_hint(problem(k, RULE_DISK_SMALL, "disk", "field `disk` is only %llu bytes",
                              (unsigned long long)bytes),
                      "a number without unit counts bytes; write `%sGiB` for gibibytes", text);
    else
        problem(k, RULE_DISK_SECTOR, "disk",
                "field `disk` has an invalid value: `%s` is less than a sector of 512 "
                "bytes",
                text);
}

/* S1-06 to S1-09, S1-25. */
static void check_mount_type(const struct check *k)
{
    const struct config_instance *v = k->v;
    const char *const *refused = (const char *const *)v->mount_types_unsupported;
    bool given = CFG_HAS(v, instance, mount_type);
    const char *path = given ? "mountType" : "mountTypesUnsupported";
    _cleanup_free_ char *all = NULL;

    check_word(k, RULE_MOUNT_TYPE, "mountType", v->mount_type, &config_shape_mount_type);
    if (is_word(v->mount_type, refused, v->mount_types_unsupported_count) &&
        (given || !k->ctx->only_listed)) {
        all = words_joined(refused, v->mount_types_unsupported_count);
        problem(k, RULE_MOUNT_TYPE_UNSUPPORTED, path,
                "mount type `%s` is explicitly unsupported: field `mountType` must not be "
                "one of %s (`mountTypesUnsupported`)",
                v->mount_type, all);
    }
    if (streq(v->mount_type, "virtiofs"))
        problem(k, RULE_MOUNT_TYPE_EXPERIMENTAL, "mountType",
                "`mountType: virtiofs` on Linux is experimental");
    if (v->mount_inotify == TRI_TRUE)
        problem(k, RULE_MOUNT_INOTIFY_EXPERIMENTAL, "mountInotify",
                "`mountInotify` is experimental");
}

static void check_ssh(const struct check *k)
{
    int64_t port = k->v->ssh.local_port;

    if (port && port_problem(port))
        problem(k, RULE_SSH_PORT, "ssh.localPort", "field `ssh.localPort` %s, got %lld",
                port_problem(port), (long long)port);
}

static void check_audio_video(const struct check *k)
{
    const struct config_instance *v = k->v;

    if (*v->audio.device)
        problem(k, RULE_AUDIO_EXPERIMENTAL, "audio.device", "`audio.device: %s` is experimental",
                v->audio.device);
    if (!config_shape_has(&config_shape_audio_interface, v->audio.interface))
        problem(k, RULE_AUDIO_INTERFACE, "audio.interface",
                "invalid audio.interface `%s`, must be `hda` or `virtio`", v->audio.interface);
    else if (*v->audio.interface)
        problem(k, RULE_AUDIO_EXPERIMENTAL, "audio.interface",
                "`audio.interface: %s` is experimental", v->audio.interface);
    if (strstr(v->video.display, "vnc"))
        problem(k, RULE_VIDEO_EXPERIMENTAL, "video.display", "`video.display: %s` is experimental",
                v->video.display);
}

static void check_prefix(const struct check *k)
{
    if (*k->v->guest_install_prefix)
        check_absolute(k, RULE_GUEST_INSTALL_PREFIX, "guestInstallPrefix",
                       k->v->guest_install_prefix);
}

static void check_dns(const struct check *k)
{
    if (k->v->dns_count && k->v->host_resolver.enabled == TRI_TRUE)
        diag_set_hint(problem(k, RULE_DNS_AND_HOST_RESOLVER, "dns",
                              "field `dns` must be empty when field "
                              "`hostResolver.enabled` is true"),
                      "add `hostResolver: {enabled: false}`, or leave `dns` out");
}

static bool is_printable(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(s + i, len - i, &c);

        if (!n || (c != '\t' && !utf8_is_printable(c)))
            return false;
        i += n;
    }
    return true;
}

static void check_param(const struct check *k)
{
    for (unsigned i = 0; i < k->v->param_count; i++) {
        const struct config_kv *p = &k->v->param[i];
        _cleanup_free_ char *path = xasprintf("param.%s", p->key);

        if (!config_is_param_name(p->key))
            problem(k, RULE_PARAM_NAME, path,
                    "field `%s`: the name `%s` does not match "
                    "`^[a-zA-Z][a-zA-Z0-9_]*$`",
                    path, p->key);
        if (!is_printable(p->value))
            problem(k, RULE_PARAM_VALUE, path,
                    "field `%s`: the value contains an unprintable character", path);
    }
}

/* Parameters that only default.yaml or override.yaml sets may be meant for other instances; those
 * called internal_… are switches of the seed (cidata/userdata.c), not for scripts. */
void check_param_used(const struct check *k)
{
    for (unsigned i = 0; k->c->param_used && i < k->v->param_count; i++) {
        const char *key = k->v->param[i].key;
        _cleanup_free_ char *path = xasprintf("param.%s", key);

        if (k->c->param_used[i] || !config_is_param_name(key) || str_starts(key, "internal_") ||
            !config_origin_is_own_key(k->c, "param", key))
            continue;
        diag_set_hint(problem(k, RULE_PARAM_UNUSED, path,
                              "field `param` key `%s` is not used in any provision, "
                              "probe, copyToHost, or portForward",
                              key),
                      "use it as {{.Param.%s}} or $PARAM_%s, or remove it", key, key);
    }
}

static void check_user(const struct check *k)
{
    const struct config_user *u = &k->v->user;
    bool windows = streq(k->v->os, "Windows");

    if (!config_is_user_name(u->name))
        problem(k, RULE_USER_NAME, "user.name",
                "field `user.name` must match "
                "`^[a-z_][a-z0-9_-]*$`, got `%s`",
                u->name);
    if (strpbrk(u->comment, ":\n"))
        problem(k, RULE_USER_COMMENT, "user.comment",
                "field `user.comment` must not contain a colon or a line break");
    if (!windows)
        check_absolute(k, RULE_USER_HOME, "user.home", u->home);
    if (strpbrk(u->home, ":\n") && !windows)
        problem(k, RULE_USER_HOME, "user.home",
                "field `user.home` must not contain a colon or a line break");
    if (!windows && *u->shell != '/')
        problem(k, RULE_USER_SHELL, "user.shell",
                "field `user.shell` must be an absolute path, got `%s`", u->shell);
    else if (windows && *u->shell == '/')
        problem(k, RULE_USER_SHELL, "user.shell",
                "field `user.shell` must be a program of Windows such as "
                "`cmd.exe`, got `%s`",
                u->shell);
}

static void check_sudo(const struct check *k)
{
    const struct config_instance *v = k->v;

    if (v->user.passwordless_sudo != TRI_FALSE || streq(v->os, "Darwin"))
        return;
    if (v->plain != TRI_TRUE)
        problem(k, RULE_SUDO_NEEDS_PLAIN, "user.passwordlessSudo",
                "`user.passwordlessSudo: false` requires `plain: true`");
    else
        problem(k, RULE_SUDO_EXPERIMENTAL, "user.passwordlessSudo",
                "`user.passwordlessSudo: false` is experimental");
}

static void check_tpm(const struct check *k)
{
    if (k->v->tpm == TRI_TRUE && (streq(k->v->arch, "ppc64le") || streq(k->v->arch, "s390x")))
        problem(k, RULE_TPM_ARCH, "tpm", "field `tpm` is not supported on architecture `%s`",
                k->v->arch);
}

static void check_rosetta(const struct check *k)
{
    if (k->v->rosetta.enabled == TRI_TRUE)
        problem(k, RULE_ROSETTA_IGNORED, "rosetta",
                "field `rosetta` is for macOS only; it is ignored");
}

static const struct rule rules[] = {
    {"base", check_base},
    {"minimum-lima-version", check_minimum_lima_version},
    {"vm-type", check_vm_type},
    {"qemu-opts", check_qemu_opts},
    {"cpu-type", check_cpu_type},
    {"os", check_os},
    {"arch", check_architecture},
    {"cpus", check_cpus},
    {"memory", check_memory},
    {"disk", check_disk},
    {"mount-type", check_mount_type},
    {"ssh", check_ssh},
    {"audio-video", check_audio_video},
    {"guest-install-prefix", check_prefix},
    {"dns", check_dns},
    {"param", check_param},
    {"param-used", check_param_used},
    {"user", check_user},
    {"sudo", check_sudo},
    {"tpm", check_tpm},
    {"rosetta", check_rosetta},
};
const struct rules rules_instance = {rules, ARRAY_SIZE(rules)};
