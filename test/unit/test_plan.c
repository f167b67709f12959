/* SPDX-License-Identifier: Apache-2.0 */
/* YAML and facts → QEMU's command line: every test/golden/argv/NAME.yaml gives NAME.argv, one word
 * per line, notes behind '#'; facts of the host are in NAME.facts (JSON) when they matter. A case
 * that is refused has its message there. With UPDATE_GOLDEN=1 the files are written instead. */
#include "base/fs.h"
#include "base/mem.h"
#include "plan/fixture.h"

#define GOLDEN "test/golden/argv"

static char *golden_path(const char *name, const char *suffix)
{
    const char *dir = getenv("srcdir") ? getenv("srcdir") : ".";

    return xasprintf("%s/" GOLDEN "/%s%s", dir, name, suffix);
}

static char *read_golden(const char *name, const char *suffix)
{
    _cleanup_free_ char *path = golden_path(name, suffix);
    _cleanup_err_ struct err ignored = ERR_INIT;
    size_t len;

    return file_read(path, 1 << 20, &len, &ignored);
}

static struct json *facts_of(const char *name)
{
    static const char standard[] =
        "{\"firmware_files\": [\"/usr/share/OVMF/OVMF_CODE.fd\", "
        "\"/usr/share/OVMF/OVMF_CODE_4M.fd\","
        " \"/usr/share/OVMF/OVMF_VARS_4M.fd\", \"/usr/share/AAVMF/AAVMF_CODE.fd\","
        " \"/usr/share/AAVMF/AAVMF32_CODE.fd\", "
        "\"/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd\"]}";
    _cleanup_free_ char *text = read_golden(name, ".facts");
    const char *use = text ? text : standard;
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *j = json_parse(use, strlen(use), name, &err);

    cr_assert(j, "%s", err.msg);
    return j;
}

static char *outcome(const char *name)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;
    _cleanup_free_ char *yaml = read_golden(name, ".yaml");
    _cleanup_json_ struct json *facts = facts_of(name);
    const struct plan_case c = {.yaml = yaml, .instance = name, .facts = facts};
    struct sbuf out = SBUF_INIT;

    cr_assert(yaml, "no %s.yaml", name);
    if (plan_case_run(&c, &r) < 0) {
        _cleanup_free_ char *message = err_text(&r.err);
        _cleanup_free_ char *text = plan_case_symbols(&c, message);

        sbuf_addf(&out, "refused: %s\n", text);
    }
    for (size_t i = 0; i < r.argv.n; i++)
        sbuf_addf(&out, i && r.argv.v[i][0] != '-' ? "    %s\n" : "%s\n", r.argv.v[i]);
    for (size_t i = 0; i < r.notes.n; i++) {
        _cleanup_free_ char *text = plan_case_symbols(&c, r.notes.v[i].msg);

        sbuf_addf(&out, "# %s\n", text);
    }
    return sbuf_detach(&out);
}

static void check(const char *name)
{
    _cleanup_free_ char *got = outcome(name), *wanted = read_golden(name, ".argv");

    if (getenv("UPDATE_GOLDEN")) {
        _cleanup_free_ char *path = golden_path(name, ".argv");
        _cleanup_err_ struct err err = ERR_INIT;

        cr_assert_eq(file_write_atomic(path, got, strlen(got), 0644, &err), 0, "%s", err.msg);
        return;
    }
    cr_expect(wanted && streq(got, wanted), "%s differs; got:\n%s", name, got);
}

Test(plan, golden)
{
    _cleanup_free_ char *dir = golden_path("", "");
    _cleanup_strv_ struct strv files = STRV_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    size_t n = 0;

    cr_assert_eq(dir_list(dir, &files, &err), 0, "%s", err.msg);
    for (size_t i = 0; i < files.n; i++)
        if (str_ends(files.v[i], ".yaml")) {
            files.v[i][strlen(files.v[i]) - strlen(".yaml")] = '\0';
            check(files.v[i]);
            n++;
        }
    cr_assert_geq(n, 10, "only %zu cases in %s", n, dir);
}

/* ---- what a golden can't say ----------------------------------------------------------------- */

Test(plan, accel)
{
    refused("vmOpts: {qemu: {accel: kvm}}", "{\"kvm_reason\": \"/dev/kvm: permission denied\"}",
            "permission denied");
    refused("vmOpts: {qemu: {accel: hvf}}", "{}", "hvf");
    refused("", "{\"env\": {\"CIMA_QEMU_ACCEL\": \"kvm\"}}", "CIMA_QEMU_ACCEL");
    refused("", "{\"qemu\": {\"accels\": [\"hvf\"]}}", "accelerator 'tcg' is not supported");
}

Test(plan, accel_environment_wins)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;

    cr_assert_eq(plan_yaml("vmOpts: {qemu: {accel: kvm}}",
                           "{\"kvm\": true, \"env\": {\"CIMA_QEMU_ACCEL\": \"tcg\"}}", &r),
                 0);
    cr_assert_str_eq(r.plan->accel, "tcg");
    cr_assert_not(has_note(&r, "TCG:"), "what was asked for needs no note");
}

Test(plan, SD09_cpu_model_by_whole_name)
{
    refused("vmOpts: {qemu: {cpuType: {x86_64: Haswe}}}", "{}", "did you mean 'Haswell'");
    refused("vmOpts: {qemu: {cpuType: {x86_64: \"zx81,+sse\"}}}", "{}", "'zx81'");
    refused("vmOpts: {qemu: {cpuType: {x86_64: \"host,-vmx\"}}}", "{}", "'host' needs KVM");
}

Test(plan, frozen_machine)
{
    _cleanup_plan_result_ struct plan_result old = PLAN_RESULT_INIT, gone = PLAN_RESULT_INIT;

    cr_assert_eq(plan_yaml("", "{\"machine\": \"pc-q35-6.1\"}", &old), 0);
    cr_assert_str_eq(old.plan->machine, "pc-q35-6.1");
    cr_assert_eq(plan_yaml("", "{\"machine\": \"pc-q35-1.4\"}", &gone), 0);
    cr_assert_str_eq(gone.plan->machine, "pc-q35-7.2");
    cr_assert(has_note(&gone, "pc-q35-1.4"));
}

Test(plan, SD64_disk_grows_and_never_shrinks)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT, same = PLAN_RESULT_INIT;
    bool grows = false;

    cr_assert_eq(plan_yaml("disk: 20GiB", "{\"disk_size\": \"10GiB\"}", &r), 0);
    for (size_t i = 0; i < r.plan->n_steps; i++)
        grows |= r.plan->steps[i].kind == QEMU_STEP_GROW &&
                 r.plan->steps[i].size == UINT64_C(20) << 30 &&
                 streq(r.plan->steps[i].format, "qcow2");
    cr_assert(grows);
    cr_assert(has_note(&r, "from 10GiB to 20GiB"));
    cr_assert_eq(plan_yaml("disk: 10GiB", "{\"disk_size\": \"10GiB\"}", &same), 0);
    cr_assert_not(has_note(&same, "Resize"));
    refused("disk: 5GiB", "{\"disk_size\": \"10GiB\"}", "disk shrinking is not supported");
}

static bool resizes(const struct plan_result *r)
{
    for (size_t i = 0; i < r->plan->n_steps; i++)
        if (r->plan->steps[i].kind == QEMU_STEP_GROW)
            return true;
    return false;
}

Test(plan, F36_disk_that_is_larger_than_the_yaml)
{
    _cleanup_plan_result_ struct plan_result image = PLAN_RESULT_INIT, by_hand = PLAN_RESULT_INIT,
                                             more = PLAN_RESULT_INIT;

    /* The image is larger: that is how it always was. */
    cr_assert_eq(
        plan_yaml("disk: 5GiB", "{\"disk_size\": \"10GiB\", \"disk_minimum\": \"10GiB\"}", &image),
        0);
    cr_expect_not(resizes(&image));
    cr_expect_not(has_note(&image, "enlarged"));
    /* Enlarged by hand. */
    cr_assert_eq(
        plan_yaml("disk: 10GiB", "{\"disk_size\": \"20GiB\", \"disk_asked\": \"10GiB\"}", &by_hand),
        0);
    cr_expect_not(resizes(&by_hand));
    cr_expect(has_note(&by_hand, "the disk was enlarged to 20GiB, field `disk` says 10GiB: it "
                                 "stays at 20GiB"));
    cr_assert_eq(
        plan_yaml("disk: 15GiB", "{\"disk_size\": \"20GiB\", \"disk_asked\": \"10GiB\"}", &more), 0);
    cr_expect(has_note(&more, "it stays at 20GiB"));
    /* And then the YAML was reduced. */
    refused("disk: 9GiB", "{\"disk_size\": \"20GiB\", \"disk_asked\": \"10GiB\"}",
            "field `disk` says 9GiB, the disk has 20GiB: disk shrinking is not supported");
    /* The image's size is no excuse for a disk that has grown since. */
    refused("disk: 9GiB",
            "{\"disk_size\": \"20GiB\", \"disk_minimum\": \"5GiB\", \"disk_asked\": \"20GiB\"}",
            "disk shrinking is not supported");
}

Test(plan, refusals)
{
    refused("cpus: 300", "{}", "300");
    refused("mountType: 9p\nmounts: [{location: /a, 9p: {securityModel: \"none,x=y\"}}]", "{}",
            "securityModel");
    refused("video: {display: gtk}", "{\"qemu\": {\"displays\": [\"none\", \"curses\"]}}",
            "qemu-system-gui");
    refused("video: {display: default}", "{\"qemu\": {\"displays\": [\"none\", \"curses\"]}}",
            "'default' is not offered");
    refused("audio: {device: \"pa,server=x\"}", "{\"qemu\": {\"audiodevs\": [\"none\", \"alsa\"]}}",
            "it offers: none, alsa");
}

Test(plan, F16_built_without_9p)
{
    refused("mountType: 9p\nmounts: [{location: /a}]",
            "{\"qemu\": {\"devices\": [\"qemu-xhci\", \"virtio-net-pci\", \"virtio-rng-pci\", "
            "\"virtio-serial-pci\", \"virtconsole\"]}}",
            "mountType: reverse-sshfs");
}

Test(plan, audio_default_is_what_there_is)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;

    cr_assert_eq(plan_yaml("audio: {device: default}",
                           "{\"qemu\": {\"audiodevs\": [\"none\", \"alsa\", \"oss\"]}}", &r),
                 0);
    cr_assert(strv_contains(&r.argv, "alsa,id=snd0"));
}

/* Every socket that QEMU makes is one of ours, in the instance directory (S07, B-SOCKETS). */
Test(plan, S07_no_listener_of_qemu)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;

    cr_assert_eq(plan_yaml("", "{}", &r), 0);
    for (size_t i = 0; i < r.argv.n; i++) {
        cr_assert(!strstr(r.argv.v[i], "path=") || !strstr(r.argv.v[i], "server=on"), "%s",
                  r.argv.v[i]);
        cr_assert(!strstr(r.argv.v[i], "hostfwd") ||
                  strstr(r.argv.v[i], "hostfwd=tcp:127.0.0.1:"));
    }
    for (size_t i = 0; i < r.plan->n_fds; i++) {
        cr_assert(r.plan->fds[i].listen);
        cr_assert_eq(r.plan->fds[i].fd, 3 + (int)i);
    }
}

/* S02: a block device without a format would be probed. */
Test(plan, S02_formats_are_explicit)
{
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;

    cr_assert_eq(plan_yaml("", "{}", &r), 0);
    for (size_t i = 0; i + 1 < r.argv.n; i++) {
        if (streq(r.argv.v[i], "-drive"))
            cr_assert(strstr(r.argv.v[i + 1], "format="), "%s", r.argv.v[i + 1]);
        if (streq(r.argv.v[i], "-blockdev"))
            cr_assert(str_starts(r.argv.v[i + 1], "qcow2,") || str_starts(r.argv.v[i + 1], "raw,"),
                      "%s", r.argv.v[i + 1]);
    }
}
