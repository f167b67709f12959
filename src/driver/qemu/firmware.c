/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/firmware.h"
#include "base/fs.h"
#include "base/mem.h"
#include "driver/qemu/arch.h"
#include "json/json.h"
#include <fnmatch.h>

#define DESCRIPTOR_MAX 65536

struct search {
    const struct qemu_firmware_search *in;
    const struct qemu_arch *arch;
    struct strv tried;
    struct diags *notes;
};

void qemu_firmware_release(struct qemu_firmware *f)
{
    free(f->code);
    free(f->code_format);
    free(f->vars);
    free(f->vars_format);
    *f = (struct qemu_firmware)QEMU_FIRMWARE_INIT;
}

static bool there(const struct search *s, const char *path)
{
    _cleanup_free_ char *full = path_rooted(s->in->root, path);

    return path_exists(full);
}

/* Is the code at path? Then it is the result, with the variables where they are. */
static bool try_pair(struct search *s, const char *code, const char *vars,
                     struct qemu_firmware *ret)
{
    strv_push(&s->tried, code);
    if (!there(s, code))
        return false;
    ret->code = xstrdup(code);
    ret->code_format = xstrdup("raw");
    if (!str_empty(vars) && there(s, vars)) {
        ret->vars = xstrdup(vars);
        ret->vars_format = xstrdup("raw");
    }
    return true;
}

/* ---- firmware.images ------------------------------------------------------------------------- */

static bool image_fits(const struct search *s, const struct config_firmware_image *im)
{
    return !str_empty(im->location) && (str_empty(im->vm_type) || streq(im->vm_type, "qemu")) &&
           (str_empty(im->arch) || streq(im->arch, arch_to_string(s->in->arch)));
}

/* The first one that can be had is put into the instance directory (SD-14). */
static bool try_images(struct search *s, const char *own, struct qemu_firmware *ret)
{
    const struct config_firmware *fw = &s->in->cfg->firmware;

    for (unsigned i = 0; s->in->fetch && i < fw->images_count; i++) {
        _cleanup_free_ char *at = xasprintf("firmware.images[%u]", i), *why = NULL;
        _cleanup_err_ struct err e = ERR_INIT;

        if (!image_fits(s, &fw->images[i]))
            continue;
        strv_push(&s->tried, fw->images[i].location);
        if (s->in->fetch(s->in->fetch_arg, &fw->images[i], own, &e) == 0) {
            ret->code = xstrdup(own);
            ret->code_format = xstrdup("raw");
            return true;
        }
        why = err_line(&e);
        diags_add(s->notes, DIAG_WARNING, at, "%s: %s; trying the next", fw->images[i].location,
                  why);
    }
    return false;
}

/* ---- as QEMU ships it ------------------------------------------------------------------------ */

static bool try_shipped(struct search *s, const char *dir, struct qemu_firmware *ret)
{
    _cleanup_free_ char *code = xasprintf("%s/edk2-%s-code.fd", dir, s->arch->firmware_name);
    _cleanup_free_ char *vars = xasprintf("%s/%s", dir, s->arch->firmware_vars);

    return try_pair(s, code, vars, ret);
}

/* share/qemu of the prefix that the binary is in. */
static char *prefix_share(const char *exe)
{
    _cleanup_free_ char *bin = path_dirname(exe), *up = path_dirname(bin);

    return path_join(up, "share/qemu");
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static bool list_has(const struct json *list, const char *word)
{
    for (size_t i = 0; json_is_array(list) && i < json_len(list); i++)
        if (streq0(json_str(json_at(list, i)), word))
            return true;
    return false;
}

static bool target_fits(const struct search *s, const struct json *targets)
{
    const char *arch = s->arch->exe;

    for (size_t i = 0; json_is_array(targets) && i < json_len(targets); i++) {
        const struct json *t = json_at(targets, i), *machines = json_get(t, "machines");

        if (!streq0(json_get_str(t, "architecture"), arch))
            continue;
        for (size_t k = 0; json_is_array(machines) && k < json_len(machines); k++) {
            const char *pattern = json_str(json_at(machines, k));

            if (pattern && s->in->machine && fnmatch(pattern, s->in->machine, 0) == 0)
                return true;
        }
    }
    return false;
}

/* Only plain UEFI in two flash chips: what asks for SMM or memory encryption needs a machine that
 * is made for it, and enrolled keys would lock out kernels that are not signed. */
static bool descriptor_fits(const struct search *s, const struct json *j)
{
    static const char *const unwanted[] = {"requires-smm", "secure-boot", "enrolled-keys",
                                           "amd-sev-es",   "amd-sev-snp", "intel-tdx"};
    const struct json *mapping = json_get(j, "mapping"), *features = json_get(j, "features");
    const char *mode = json_get_str(mapping, "mode");

    if (!list_has(json_get(j, "interface-types"), "uefi") ||
        !streq0(json_get_str(mapping, "device"), "flash") || (mode && !streq(mode, "split")))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++)
        if (list_has(features, unwanted[i]))
            return false;
    return target_fits(s, json_get(j, "targets"));
}

static bool format_known(const char *format)
{
    return !format || streq(format, "raw") || streq(format, "qcow2");
}

static bool use_descriptor(struct search *s, const struct json *j, struct qemu_firmware *ret)
{
    const struct json *mapping = json_get(j, "mapping");
    const struct json *code = json_get(mapping, "executable");
    const struct json *vars = json_get(mapping, "nvram-template");
    const char *code_file = json_get_str(code, "filename");

    if (!code_file || !format_known(json_get_str(code, "format")) ||
        !format_known(json_get_str(vars, "format")) ||
        !try_pair(s, code_file, json_get_str(vars, "filename"), ret))
        return false;
    if (json_get_str(code, "format")) {
        free(ret->code_format);
        ret->code_format = xstrdup(json_get_str(code, "format"));
    }
    if (ret->vars && json_get_str(vars, "format")) {
        free(ret->vars_format);
        ret->vars_format = xstrdup(json_get_str(vars, "format"));
    }
    return true;
}

static bool try_descriptor(struct search *s, const char *path, struct qemu_firmware *ret)
{
    _cleanup_free_ char *full = path_rooted(s->in->root, path), *text = NULL;
    _cleanup_json_ struct json *j = NULL;
    _cleanup_err_ struct err e = ERR_INIT;
    size_t len;

    text = file_read(full, DESCRIPTOR_MAX, &len, &e);
    if (text && len == 0)
        return false; /* an empty file masks one of the same name below */
    j = text ? json_parse(text, len, "firmware descriptor", &e) : NULL;
    if (!j) {
        diags_add(s->notes, DIAG_WARNING, NULL, "firmware descriptor '%s' skipped: %s", path,
                  e.msg);
        return false;
    }
    return descriptor_fits(s, j) && use_descriptor(s, j, ret);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(path_basename(*(char *const *)a), path_basename(*(char *const *)b));
}

/* All directories together, by file name; a name in an earlier directory hides the later ones. */
static bool try_descriptors(struct search *s, struct qemu_firmware *ret)
{
    _cleanup_free_ char *user = path_join(s->in->home ? s->in->home : "", ".config/qemu/firmware");
    const char *dirs[] = {user, "/etc/qemu/firmware", "/usr/share/qemu/firmware"};
    _cleanup_strv_ struct strv files = STRV_INIT, names = STRV_INIT;

    for (size_t d = 0; d < ARRAY_SIZE(dirs); d++) {
        _cleanup_free_ char *full = path_rooted(s->in->root, dirs[d]);
        _cleanup_strv_ struct strv list = STRV_INIT;
        _cleanup_err_ struct err ignored = ERR_INIT;

        strv_pushf(&s->tried, "%s/*.json", dirs[d]);
        if (dir_list(full, &list, &ignored) < 0)
            continue;
        for (size_t i = 0; i < list.n; i++)
            if (str_ends(list.v[i], ".json") && !strv_contains(&names, list.v[i])) {
                strv_push(&names, list.v[i]);
                strv_pushf(&files, "%s/%s", dirs[d], list.v[i]);
            }
    }
    if (files.n)
        qsort(files.v, files.n, sizeof(*files.v), by_name);
    for (size_t i = 0; i < files.n; i++)
        if (try_descriptor(s, files.v[i], ret))
            return true;
    return false;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool try_known(struct search *s, struct qemu_firmware *ret)
{
    for (const char *const *f = s->arch->firmware_files; *f; f += 2)
        if (try_pair(s, f[0], f[1], ret))
            return true;
    return false;
}

static bool search_all(struct search *s, struct qemu_firmware *ret)
{
    _cleanup_free_ char *own = instance_path(s->in->inst, INST_EFI_CODE);
    _cleanup_free_ char *user = path_join(s->in->home ? s->in->home : "", ".local/share/qemu");
    _cleanup_free_ char *share = prefix_share(s->in->exe);

    if (there(s, own)) {
        ret->code = TAKE_PTR(own);
        ret->code_format = xstrdup("raw");
        return true;
    }
    strv_push(&s->tried, own);
    return try_images(s, own, ret) || try_shipped(s, user, ret) || try_shipped(s, share, ret) ||
           try_descriptors(s, ret) || try_known(s, ret);
}

static int not_found(const struct search *s, struct err *err)
{
    _cleanup_free_ char *list = strv_join(&s->tried, "\n");
    _cleanup_free_ char *text = xasprintf("looked for:\n%s", list);

    err_set(err, ERR_NOT_FOUND, "could not find firmware for '%s'", arch_to_string(s->in->arch));
    err_detail(err, text);
    if (s->in->arch == ARCH_X86_64)
        return err_hint(err,
                        "install the package '%s', or try setting `firmware.legacyBIOS` to `true`",
                        s->arch->firmware_package);
    return err_hint(err,
                    "install the package '%s', or copy the `edk2-%s-code.fd` firmware to "
                    "$HOME/.local/share/qemu/",
                    s->arch->firmware_package, s->arch->firmware_name);
}

int qemu_firmware_find(const struct qemu_firmware_search *in, struct qemu_firmware *ret,
                       struct diags *notes, struct err *err)
{
    struct search s = {.in = in, .arch = qemu_arch(in->arch), .tried = STRV_INIT, .notes = notes};
    struct qemu_firmware f = QEMU_FIRMWARE_INIT;
    int r = 0;

    if (search_all(&s, &f))
        *ret = f;
    else
        r = not_found(&s, err);
    strv_release(&s.tried);
    return r;
}
