/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/absolute.h"
#include "base/fs.h"
#include "base/mem.h"
#include "yaml/doc.h"
#include "yaml/emit.h"

/* Locations to change, in the order of the text. */
struct places {
    const struct yaml_node **v;
    size_t n, cap;
};

/* A path that starts nowhere: no URL ("https:…", "template:…"), not "/…", not "~/…". */
static bool is_relative(const char *location)
{
    size_t scheme = strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789+.-");

    return *location && *location != '/' && *location != '~' &&
           !(scheme > 1 && location[scheme] == ':');
}

static void add_place(struct places *p, const struct yaml_node *map)
{
    const struct yaml_node *n = map && map->type == YAML_MAP ? yaml_map_get(map, "location") : NULL;

    if (!n || n->type != YAML_SCALAR || !is_relative(n->value))
        return;
    /* One place may be reached twice, by an alias of a whole mapping. */
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i]->start == n->start)
            return;
    GROW_ARRAY(p->v, p->n, p->cap);
    p->v[p->n++] = n;
}

static void find_places(const struct yaml_node *root, struct places *p)
{
    const struct yaml_node *images = root->type == YAML_MAP ? yaml_map_get(root, "images") : NULL;

    for (size_t i = 0; images && images->type == YAML_SEQ && i < images->n; i++) {
        const struct yaml_node *image = images->items[i];

        if (image->type != YAML_MAP)
            continue;
        add_place(p, image);
        add_place(p, yaml_map_get(image, "kernel"));
        add_place(p, yaml_map_get(image, "initrd"));
    }
}

static int by_start(const void *a, const void *b)
{
    const struct yaml_node *const *x = a, *const *y = b;

    return (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

/* Where the value itself begins, behind an anchor and a tag. */
static size_t value_start(const char *text, const struct yaml_node *n)
{
    size_t at = n->start;

    while (at < n->end && (text[at] == '&' || text[at] == '!')) {
        at += strcspn(text + at, " \t\r\n");
        at += strspn(text + at, " \t\r\n");
    }
    return at;
}

static int cannot_edit(const struct yaml_doc *doc, const struct yaml_node *n, const char *why,
                       struct err *err)
{
    struct diag *d;

    err_set(err, ERR_CONFIG, "cannot make a relative location absolute");
    d = diags_add(&err->diags, DIAG_ERROR, "images", "%s", why);
    yaml_doc_place(doc, n, d);
    return err_hint(err, "write the absolute path of the file");
}

static int splice(const struct yaml_doc *doc, const struct inst_template *t, struct places *p,
                  struct sbuf *out, struct err *err)
{
    size_t len, at = 0;
    const char *text = yaml_doc_text(doc, &len);

    if (p->n > 1)
        qsort(p->v, p->n, sizeof(*p->v), by_start);
    for (size_t i = 0; i < p->n; i++) {
        const struct yaml_node *n = p->v[i];

        if (n->style == YAML_LITERAL || n->style == YAML_FOLDED)
            return cannot_edit(doc, n, "a relative location must stand on one line", err);
        if (!yaml_doc_is_editable(doc))
            return cannot_edit(doc, n, "a file in UTF-16 can't have relative locations", err);
        _cleanup_free_ char *path = path_normalise(t->base_dir, n->value);
        size_t start = value_start(text, n);
        sbuf_add(out, text + at, start - at);
        yaml_add_scalar(out, path, true);
        at = n->end;
    }
    sbuf_add(out, text + at, len - at);
    return 0;
}

int template_make_absolute(const struct inst_template *t, struct sbuf *ret, struct err *err)
{
    _cleanup_diags_ struct diags problems = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse(t->path, t->text, t->len, &problems);
    struct places places = {NULL, 0, 0};
    int r = 0;

    if (!doc)
        return err_set(err, ERR_CONFIG, "cannot read '%s': %s", t->path,
                       problems.n ? problems.v[0].msg : "not YAML");
    find_places(yaml_doc_root(doc), &places);
    if (places.n)
        r = splice(doc, t, &places, ret, err);
    else
        sbuf_add(ret, t->text, t->len);
    free(places.v);
    return r;
}
