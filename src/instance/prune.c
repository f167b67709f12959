/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "base/fs.h"
#include "base/mem.h"

#define YAML_MAX (4u << 20)

static void add_image(struct image_refs *refs, const struct config_image *im, const char *base)
{
    image_refs_add(refs, im->location, base);
    image_refs_add(refs, im->kernel.location, base);
    image_refs_add(refs, im->initrd.location, base);
}

static void add_config(struct image_refs *refs, const struct config_instance *cfg, const char *base)
{
    for (unsigned i = 0; i < cfg->images_count; i++)
        add_image(refs, &cfg->images[i], base);
    for (unsigned i = 0; i < cfg->firmware.images_count; i++)
        image_refs_add(refs, cfg->firmware.images[i].location, base);
    for (unsigned i = 0; i < cfg->containerd.archives_count; i++)
        image_refs_add(refs, cfg->containerd.archives[i].location, base);
}

/* A YAML that can't be used still tells its URLs. */
static int add_text(struct image_refs *refs, const struct instance *i, const struct inst_report *r,
                    struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_YAML);
    _cleanup_err_ struct err why = ERR_INIT;
    char *text = file_read(path, YAML_MAX, NULL, &why);

    if (text) {
        strv_push_consume(&refs->texts, text);
        inst_note(r, LOG_WARN,
                  "instance `%s` is broken: downloads are kept whose URLs stand in its lima.yaml",
                  i->name);
        return 0;
    }
    if (why.kind == ERR_NOT_FOUND)
        return 0;
    err_move(err, &why);
    err_wrap(err, "what instance `%s` refers to is not known", i->name);
    return err_hint(err, "delete the instance, or prune without --keep-referred");
}

static int add_instance(const struct inst_env *env, const char *name, struct image_refs *refs,
                        const struct inst_report *r, struct err *err)
{
    _cleanup_instance_ struct instance i = INSTANCE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;

    if (store_find(env->store, name, &i, NULL) < 0)
        return 0; /* deleted since */
    if (instance_load_config(env->store, &i, env->host, &config, NULL, NULL) < 0)
        return add_text(refs, &i, r, err);
    add_config(refs, &config.v, i.dir);
    return 0;
}

static int find_refs(const struct inst_env *env, struct image_refs *refs,
                     const struct inst_report *r, struct err *err)
{
    _cleanup_strv_ struct strv names = STRV_INIT;

    if (store_list(env->store, &names, err) < 0)
        return -1;
    for (size_t k = 0; k < names.n; k++)
        if (add_instance(env, names.v[k], refs, r, err) < 0)
            return -1;
    return 0;
}

int inst_prune(const struct inst_env *env, bool keep_referred, const struct inst_report *r,
               struct image_pruned *ret, struct err *err)
{
    _cleanup_image_refs_ struct image_refs refs = {0};

    if (keep_referred && find_refs(env, &refs, r, err) < 0)
        return -1;
    return image_prune(env->store, keep_referred ? &refs : NULL, ret, err);
}
