/* SPDX-License-Identifier: Apache-2.0 */
#include "template/absolute.h"
#include "base/fs.h"
#include "base/mem.h"
#include "yaml/edit.h"

/* A path that starts nowhere: no URL ("https:…", "template:…"), not "/…", not "~/…". */
static bool is_relative(const char *location)
{
    size_t scheme = strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789+.-");

    return *location && *location != '/' && *location != '~' &&
           !(scheme > 1 && location[scheme] == ':');
}

/* The location in one of images[], kernel, initrd; anything else is not for us to judge. */
static int change(struct yaml_edit *e, const struct inst_template *t, const struct yaml_node *map,
                  struct err *err)
{
    const struct yaml_pair *p =
        map && map->type == YAML_MAP ? yaml_map_pair(map, "location") : NULL;

    if (!p || p->value->type != YAML_SCALAR || !is_relative(p->value->value))
        return 0;
    _cleanup_free_ char *path = path_normalise(t->base_dir, p->value->value);
    if (yaml_edit_set(e, p, path, err) < 0) {
        err_wrap(err, "cannot make the relative location '%s' absolute", p->value->value);
        return err_hint(err, "write the absolute path of the file");
    }
    return 0;
}

static int change_all(struct yaml_edit *e, const struct inst_template *t, struct err *err)
{
    const struct yaml_node *root = yaml_doc_root(e->doc);
    const struct yaml_node *images = root->type == YAML_MAP ? yaml_map_get(root, "images") : NULL;

    for (size_t i = 0; images && images->type == YAML_SEQ && i < images->n; i++) {
        const struct yaml_node *image = images->items[i];

        if (image->type != YAML_MAP)
            continue;
        if (change(e, t, image, err) < 0 || change(e, t, yaml_map_get(image, "kernel"), err) < 0 ||
            change(e, t, yaml_map_get(image, "initrd"), err) < 0)
            return -1;
    }
    return 0;
}

int template_make_absolute(const struct inst_template *t, struct sbuf *ret, struct err *err)
{
    _cleanup_diags_ struct diags problems = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse(t->path, t->text, t->len, &problems);

    if (!doc)
        return err_set(err, ERR_CONFIG, "cannot read '%s': %s", t->path,
                       problems.n ? problems.v[0].msg : "not YAML");
    _cleanup_yaml_edit_ struct yaml_edit edit = YAML_EDIT_INIT(doc);
    if (change_all(&edit, t, err) < 0)
        return -1;
    if (edit.n) {
        size_t len;
        _cleanup_free_ char *text = yaml_edit_apply(&edit, &len);

        sbuf_add(ret, text, len);
    } else {
        sbuf_add(ret, t->text, t->len); /* also what could not be edited, such as UTF-16 */
    }
    return 0;
}
