/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "base/fs.h"
#include "base/mem.h"
#include "instance/internal.h"

static int write_text(const struct instance *i, enum inst_file f, const char *text, size_t len,
                      struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, f);

    return file_write_unsynced(path, text, len, f == INST_LIMA_YAML ? 0644 : 0600, err);
}

static int write_files(const struct inst_env *env, const struct instance *i,
                       const struct template *t, struct err *err)
{
    const struct template_env places = {.store = env->store, .host = env->host};
    _cleanup_template_ struct template own = TEMPLATE_INIT;

    /* An instance does not know where its template was. */
    template_copy(&own, t);
    if (template_make_absolute(&places, &own, true, err) < 0 ||
        write_text(i, INST_LIMA_YAML, own.text, own.len, err) < 0 ||
        write_text(i, INST_LIMA_VERSION, LIMA_VERSION, strlen(LIMA_VERSION), err) < 0)
        return -1;
    return write_text(i, INST_CIMA_VERSION, PACKAGE_VERSION, strlen(PACKAGE_VERSION), err);
}

/* Between two steps: has the person asked to stop? Then the draft goes at once (F11). */
static int check_interrupt(const struct inst_report *r, struct err *err)
{
    if (r->interrupted && r->interrupted(r->arg))
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    return 0;
}

/* What this host can't do or does not have (an older QEMU than asked for, a device that it lacks, a
 * helper program, a data disk) may be there on the day of the start, which refuses it again: here
 * it is a warning. */
static int try_plan(const struct driver_ctx *ctx, const struct inst_report *r, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;

    if (inst_try_plan(ctx, &(struct inst_report){0}, &why) == 0)
        return 0;
    if (why.kind != ERR_UNSUPPORTED && why.kind != ERR_NOT_FOUND)
        return err_move(err, &why);
    _cleanup_free_ char *text = err_message(&why);
    struct diag *warning = diags_add(&d, DIAG_WARNING, NULL, "instance `%s` cannot start as it is: "
                                     "%s", ctx->inst->name, text);
    if (why.hint)
        diag_set_hint(warning, "%s", why.hint);
    inst_warnings(r, &d);
    return 0;
}

static int hint_images(const struct template *t, struct err *err)
{
    if (*t->base != '/')
        return err_hint(err, "look at `images` in %s", t->locator);
    return err_hint(err, "look at `images` in %s; relative locations start in '%s'", t->locator,
                    t->base);
}

/* Everything that can fail: the image, the disk, the plan. */
static int fill_draft(const struct inst_env *env, const struct instance *i,
                      const struct template *t, const struct config_instance *cfg,
                      const struct inst_report *r, struct err *err)
{
    struct driver_ctx ctx = {.store = env->store, .inst = i, .cfg = cfg, .host = env->host};
    struct image_result image;

    if (!inst_driver(cfg, err) || write_files(env, i, t, err) < 0)
        return -1;
    if (inst_fetch_image(env, i, cfg, t->base, r, &image, err) < 0)
        return err->hint ? -1 : hint_images(t, err);
    if (check_interrupt(r, err) < 0 || inst_make_disk(env, i, cfg, &image, r, err) < 0 ||
        check_interrupt(r, err) < 0)
        return -1;
    inst_step(r, "checking that the machine can start");
    if (try_plan(&ctx, r, err) < 0)
        return -1;
    return check_interrupt(r, err);
}

int inst_create(const struct inst_env *env, const char *name, const struct template *t,
                const struct inst_report *r, struct instance *ret, struct err *err)
{
    _cleanup_draft_ struct instance_draft draft = {.lock_fd = -1};
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    _cleanup_instance_ struct instance taken = INSTANCE_INIT;
    struct config_layer layer = {t->locator, t->text, t->len, t->places};

    if (store_check_name(env->store, name, err) < 0)
        return -1;
    /* A taken name first: nobody wants to mend a file for a name that is taken. */
    if (store_find(env->store, name, &taken, NULL) == 0) {
        err_set(err, ERR_EXISTS, "instance `%s` already exists", name);
        return err_hint(err, "`cima start %s` starts it; or choose another name with --name", name);
    }
    int loaded = store_load_template(env->store, name, &layer, env->host, &config, &warnings, err);
    if (!r->config_told)
        inst_warnings(r, &warnings);
    if (loaded < 0 && !err->hint)
        err_hint(err, "mend the file; `cima validate %s` checks it",
                 t->from_stdin ? "-" : t->locator);
    if (loaded < 0 || store_create_begin(env->store, name, &draft, err) < 0)
        return -1;
    if (fill_draft(env, &draft.inst, t, &config.v, r, err) < 0)
        return err_wrap(err, "cannot create instance `%s`", name);
    return store_create_commit(&draft, ret, err);
}
