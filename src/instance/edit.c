/* SPDX-License-Identifier: Apache-2.0 */
/* A new text for a YAML file. The lock is taken only to write: an editor may be open for hours, so
 * that what happened meanwhile is looked at then. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "instance/internal.h"
#include "yaml/doc.h"
#include <errno.h>

void inst_edit_release(struct inst_edit *e)
{
    instance_release(&e->inst);
    free(e->name);
    free(e->path);
    free(e->text);
    *e = (struct inst_edit)INST_EDIT_INIT;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static int check_not_running(const struct instance *i, struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    inst_state_read(i, &st);
    if (!inst_is_alive(&st))
        return 0;
    err_set(err, ERR_STATE, "cannot edit a running instance (`%s`)", i->name);
    return err_hint(err, "`cima stop %s` first", i->name);
}

static int read_text(const char *path, struct inst_edit *e, struct err *err)
{
    struct stat st;

    e->path = realpath(path, NULL);
    if (!e->path || stat(e->path, &st) < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot read '%s'",
                             path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "cannot edit '%s': it is not a regular file", path);
    e->mode = st.st_mode & 0777;
    e->text = file_read(e->path, TEMPLATE_MAX, &e->len, err);
    return e->text ? 0 : -1;
}

int inst_edit_begin(const struct instance *i, struct inst_edit *ret, struct err *err)
{
    return check_not_running(i, err) < 0 ? -1 : inst_edit_begin_running(i, ret, err);
}

int inst_edit_begin_running(const struct instance *i, struct inst_edit *ret, struct err *err)
{
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT;
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_YAML);

    if (read_text(path, &e, err) < 0)
        return -1;
    e.inst = (struct instance){.name = xstrdup(i->name), .dir = xstrdup(i->dir)};
    e.name = xstrdup(i->name);
    *ret = e;
    e = (struct inst_edit)INST_EDIT_INIT;
    return 0;
}

int inst_edit_begin_file(const char *path, struct inst_edit *ret, struct err *err)
{
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT;
    _cleanup_template_ struct template t = TEMPLATE_INIT;

    if (template_read_file(path, &t, err) < 0 || read_text(path, &e, err) < 0)
        return -1;
    e.name = TAKE_PTR(t.name);
    *ret = e;
    e = (struct inst_edit)INST_EDIT_INIT;
    return 0;
}

/* ---- checking -------------------------------------------------------------------------------- */

/* The place of a top-level field, when the text has it. */
static void place_field(const struct config_layer *layer, const char *field, struct diag *d)
{
    _cleanup_diags_ struct diags ignored = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc =
        yaml_doc_parse(layer->name, layer->text, layer->len, &ignored);
    const struct yaml_node *node = doc && yaml_doc_root(doc)->type == YAML_MAP
                                       ? yaml_map_get(yaml_doc_root(doc), field)
                                       : NULL;

    if (node)
        yaml_doc_place(doc, node, d);
}

static bool differs(const char *a, const char *b)
{
    return !streq(a ? a : "", b ? b : "");
}

static bool images_differ(const struct config_instance *a, const struct config_instance *b)
{
    bool differ = a->images_count != b->images_count;

    for (unsigned k = 0; !differ && k < a->images_count; k++)
        differ = differs(a->images[k].location, b->images[k].location) ||
                 differs(a->images[k].arch, b->images[k].arch) ||
                 differs(a->images[k].digest, b->images[k].digest);
    return differ;
}

static void warn_field(const struct config_layer *layer, const struct inst_report *r,
                       const char *field, const char *what, const char *name)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct diag *w = diags_add(&d, DIAG_WARNING, field, "field `%s`: %s", field, what);

    diag_set_hint(w, "`cima factory-reset %s` makes a new disk", name);
    place_field(layer, field, w);
    inst_warnings(r, &d);
}

/* What a disk that exists was made with: changing it there has no effect, or a bad one. */
static void warn_settled(const struct inst_env *env, const struct inst_edit *e,
                         const struct config_instance *now, const struct config_layer *layer,
                         const struct inst_report *r)
{
    _cleanup_free_ char *disk = instance_path(&e->inst, INST_DISK);
    _cleanup_config_ struct config before = CONFIG_INIT;

    if (!path_exists(disk) ||
        instance_load_config(env->store, &e->inst, env->host, &before, NULL, NULL) < 0)
        return;
    const struct config_instance *old = &before.v;
    const struct {
        const char *field, *was, *is;
    } texts[] = {
        {"arch", old->arch, now->arch},
        {"os", old->os, now->os},
        {"vmType", old->vm_type, now->vm_type},
        {"user", old->user.name, now->user.name},
    };
    for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
        if (!differs(texts[k].was, texts[k].is))
            continue;
        _cleanup_free_ char *what =
            streq(texts[k].field, "user")
                ? xasprintf("the guest's disk has the user `%s` already, who stays; `%s` is "
                            "made beside",
                            texts[k].was ? texts[k].was : "", texts[k].is ? texts[k].is : "")
                : xasprintf("the disk was made for `%s`, `%s` may not be able to use it",
                            texts[k].was ? texts[k].was : "", texts[k].is ? texts[k].is : "");
        warn_field(layer, r, texts[k].field, what, e->name);
    }
    if (images_differ(old, now))
        warn_field(layer, r, "images", "the disk exists already, so other images have no effect",
                   e->name);
}

/* One problem of the field `disk`, with its place in the text. */
static int disk_problem(const struct config_layer *layer, const char *why, const char *hint,
                        struct err *err)
{
    err_set(err, ERR_CONFIG, "'%s' is not valid: 1 problem", layer->name);
    if (err) {
        struct diag *d = diags_add(&err->diags, DIAG_ERROR, "disk", "%s", why);

        if (hint)
            diag_set_hint(d, "%s", hint);
        place_field(layer, "disk", d);
    }
    return -1;
}

/* A size below that of the YAML until now: the disk has it, or gets it at the next start. */
static int check_shrink(const struct inst_env *env, const struct inst_edit *e,
                        const struct config_instance *now, const struct config_layer *layer,
                        struct err *err)
{
    _cleanup_free_ char *disk = instance_path(&e->inst, INST_DISK);
    _cleanup_config_ struct config before = CONFIG_INIT;

    if (!path_exists(disk) ||
        instance_load_config(env->store, &e->inst, env->host, &before, NULL, NULL) < 0 ||
        config_disk_bytes(now) >= config_disk_bytes(&before.v))
        return 0;
    _cleanup_free_ char *was = format_size(config_disk_bytes(&before.v));
    _cleanup_free_ char *is = format_size(config_disk_bytes(now));
    _cleanup_free_ char *why = xasprintf(
        "field `disk` says %s, it was %s: disk shrinking is not supported", is, was);
    _cleanup_free_ char *hint = xasprintf("leave it at %s", was);
    return disk_problem(layer, why, hint, err);
}

/* The driver's word about the disk, as a problem with its place in the text. */
static int check_disk(const struct inst_env *env, const struct inst_edit *e,
                      const struct config_instance *cfg, const struct config_layer *layer,
                      struct err *err)
{
    const struct driver_ctx ctx = {
        .store = env->store, .inst = &e->inst, .cfg = cfg, .host = env->host};
    const struct driver *driver = inst_driver(cfg, err);
    _cleanup_err_ struct err why = ERR_INIT;

    if (!driver)
        return -1;
    /* A disk that can't be looked at is no matter of the YAML. */
    if (driver->check_disk(&ctx, &why) == 0 || why.kind != ERR_CONFIG)
        return 0;
    return disk_problem(layer, why.msg, why.hint, err);
}

/* A file that is no instance's: with the base templates that it names. */
static int check_template(const struct inst_env *env, const struct inst_edit *e, const char *name,
                          const struct config_layer *layer, struct config *ret,
                          struct diags *ret_warnings, struct err *err)
{
    const struct template_env places = {.store = env->store, .host = env->host};
    _cleanup_template_ struct template t = {
        .locator = xstrdup(layer->name),
        .base = path_dirname(e->path),
        .text = xmemdup(layer->text, layer->len + 1),
        .len = layer->len,
    };

    if (template_embed(&places, &t, TEMPLATE_EMBED_ALL | TEMPLATE_DEFAULT_BASE, err) < 0)
        return -1;
    const struct config_layer whole = {t.locator, t.text, t.len, t.places};
    return store_load_template(env->store, name, &whole, env->host, ret, ret_warnings, err);
}

int inst_edit_check(const struct inst_env *env, const struct inst_edit *e,
                    const struct config_layer *layer, const struct inst_report *r, struct err *err)
{
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    const char *name = e->name && !config_instance_name_problem(e->name) ? e->name : "edit";
    int loaded;

    if (!e->inst.name)
        loaded = check_template(env, e, name, layer, &config, &warnings, err);
    else
        loaded =
            instance_load_text(env->store, &e->inst, layer, env->host, &config, &warnings, err);
    if (loaded < 0)
        return -1;
    inst_warnings(r, &warnings);
    if (!e->inst.name)
        return 0;
    if (check_disk(env, e, &config.v, layer, err) < 0 ||
        check_shrink(env, e, &config.v, layer, err) < 0)
        return -1;
    warn_settled(env, e, &config.v, layer, r);
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Is the file still what the edit began with? */
static int check_unchanged(const struct inst_edit *e, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    size_t len = 0;
    _cleanup_free_ char *text = file_read(e->path, TEMPLATE_MAX, &len, &why);

    if (text && len == e->len && memcmp(text, e->text, len) == 0)
        return 0;
    err_set(err, ERR_BUSY, "'%s' was %s by somebody else in the meantime", e->path,
            text                        ? "changed"
            : why.kind == ERR_NOT_FOUND ? "removed"
                                        : "made unreadable");
    return err_hint(err, "look at both texts, and edit again");
}

int inst_edit_commit(const struct inst_edit *e, const char *text, size_t len, struct err *err)
{
    _cleanup_close_ int lock = -1;

    if (e->inst.name) {
        lock = inst_lock(&e->inst, 0, err);
        if (lock < 0 || check_not_running(&e->inst, err) < 0)
            return -1;
    }
    if (check_unchanged(e, err) < 0)
        return -1;
    return file_write_atomic(e->path, text, len, e->mode, err);
}
