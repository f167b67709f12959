/* SPDX-License-Identifier: Apache-2.0 */
/* What a template refers to: {url, digest} or the URL alone. */
#include "base/mem.h"
#include "template/locator.h"
#include "template/piece.h"

void refs_release(struct refs *r)
{
    for (size_t i = 0; i < r->n; i++) {
        yaml_doc_unref(r->v[i].doc);
        free(r->v[i].path);
        free(r->v[i].locator);
        free(r->v[i].digest);
    }
    free(r->v);
    *r = (struct refs)REFS_INIT;
}

int refs_problem(const struct ref *ref, struct err *why, struct err *err)
{
    _cleanup_free_ char *text = err_message(why);
    struct diag *d;

    if (!ref->node || !err || why->kind == ERR_INTERRUPTED)
        return err_move(err, why);
    err_set(err, why->kind, "'%s' is not valid: 1 problem", yaml_doc_name(ref->doc));
    d = diags_add(&err->diags, DIAG_ERROR, ref->path, "field `%s`: %s", ref->path, text);
    if (why->hint)
        diag_set_hint(d, "%s", why->hint);
    if (why->detail)
        err_detail(err, why->detail);
    yaml_doc_place(ref->doc, ref->node, d);
    return -1;
}

static int problem(const struct ref *ref, const char *text, const char *hint, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;

    err_set(&why, ERR_CONFIG, "%s", text);
    err_hint(&why, "%s", hint);
    return refs_problem(ref, &why, err);
}

int refs_check_source(bool remote, const char *locator, struct err *err)
{
    if (remote && locator_is_local(locator)) {
        err_set(err, ERR_PERMISSION,
                "a template from the network can't use the file '%s' of this "
                "host",
                locator);
        return err_hint(err, "copy the template to a file first, and look at what it says");
    }
    if (locator_kind(locator) == LOCATOR_STDIN) {
        err_set(err, ERR_CONFIG, "`-` (standard input) can't be used here");
        return err_hint(err, "only the template itself may come from standard input");
    }
    return 0;
}

static int join(const struct template_env *env, const struct piece *p, const char *text, char **ret,
                struct err *err)
{
    bool relative = locator_kind(text) == LOCATOR_PATH && *text != '/' && *text != '~';
    _cleanup_free_ char *locator = NULL;

    if (relative && p->from_stdin) {
        err_set(err, ERR_CONFIG, "can't use relative paths when reading template from STDIN: `%s`",
                text);
        return err_hint(err, "write the absolute path, or read the template from its file");
    }
    if (locator_kind(text) == LOCATOR_STDIN)
        return refs_check_source(p->remote, text, err);
    locator = locator_join(p->base, text, env->host->home, err);
    if (!locator || refs_check_source(p->remote, locator, err) < 0)
        return -1;
    *ret = TAKE_PTR(locator);
    return 0;
}

static int read_ref(struct ref *r, const struct template_env *env, const struct piece *p,
                    const struct yaml_node *node, struct err *err)
{
    const struct yaml_node *url = node, *digest = NULL;
    _cleanup_err_ struct err why = ERR_INIT;

    r->node = piece_origin(p, node, &r->doc);
    r->doc = yaml_doc_ref(r->doc);
    if (node->type == YAML_MAP) {
        url = yaml_map_get(node, "url");
        digest = yaml_map_get(node, "digest");
        if (!url)
            return problem(r, "`url` is missing", "write {url: …, digest: …}", err);
        if (digest && yaml_is_null(digest))
            digest = NULL;
    }
    if (url->type != YAML_SCALAR || (digest && digest->type != YAML_SCALAR))
        return problem(r, "this is neither a locator nor a mapping with url and digest",
                       "write a path, template:NAME, a URL, or {url: …, digest: …}", err);
    yaml_doc_unref(r->doc);
    r->node = piece_origin(p, url, &r->doc);
    r->doc = yaml_doc_ref(r->doc);
    r->digest = digest ? xstrdup(digest->value) : NULL;
    if (join(env, p, yaml_is_null(url) ? "" : url->value, &r->locator, &why) < 0)
        return refs_problem(r, &why, err);
    return 0;
}

int refs_add(struct refs *r, const struct template_env *env, const struct piece *p,
             const struct yaml_node *node, const char *path, struct err *err)
{
    GROW_ARRAY(r->v, r->n, r->cap);
    r->v[r->n] = (struct ref){.path = xstrdup(path)};
    return read_ref(&r->v[r->n++], env, p, node, err);
}

int refs_of_base(struct refs *r, const struct template_env *env, const struct piece *p,
                 struct err *err)
{
    const struct yaml_node *root = piece_root(p);
    const struct yaml_node *base = root ? yaml_map_get(root, "base") : NULL;

    if (!base || yaml_is_null(base))
        return 0;
    if (base->type != YAML_SEQ)
        return refs_add(r, env, p, base, "base", err);
    for (size_t i = 0; i < base->n; i++) {
        _cleanup_free_ char *path = xasprintf("base[%zu]", i);

        if (refs_add(r, env, p, base->items[i], path, err) < 0)
            return -1;
    }
    return 0;
}
