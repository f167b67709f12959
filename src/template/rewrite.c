/* SPDX-License-Identifier: Apache-2.0 */
/* What changes in the text of one template before it is joined with others: `base` goes, locators
 * become absolute, files come in. Everything else stays byte for byte. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/utf8.h"
#include "template/locator.h"
#include "template/piece.h"
#include "yaml/emit.h"

/* An entry whose file comes into the text: of provision[] or probes[], and the key it goes to. */
struct taken {
    const char *list;
    size_t index;
    const char *key;
    const struct yaml_node *old_key; /* in the document as it was */
};

struct rewriter {
    struct piece *p;
    const struct template_env *env;
    unsigned what;
    struct spent *spent;
    struct yaml_edit edit;
    struct taken *taken;
    size_t n_taken, cap_taken;
};

static const char *const lists[] = {"provision", "probes"};

static bool is_list(const struct yaml_node *node)
{
    return node && node->type == YAML_SEQ;
}

static bool is_map(const struct yaml_node *node)
{
    return node && node->type == YAML_MAP;
}

/* ---- locators -------------------------------------------------------------------------------- */

static int make_ref_absolute(struct rewriter *w, const struct yaml_pair *pair, const char *path,
                             struct err *err)
{
    _cleanup_refs_ struct refs r = REFS_INIT;
    const struct yaml_pair *target = pair;

    if (refs_add(&r, w->env, w->p, pair->value, path, err) < 0)
        return -1;
    if (pair->value->type == YAML_MAP)
        target = yaml_map_pair(pair->value, "url");
    if (streq(target->value->value, r.v[0].locator))
        return 0;
    return yaml_edit_set(&w->edit, target, r.v[0].locator, err);
}

/* The location in one of images[], kernel, initrd; anything else is not for us to judge. */
static int make_location_absolute(struct rewriter *w, const struct yaml_node *map, struct err *err)
{
    const struct yaml_pair *pair = is_map(map) ? yaml_map_pair(map, "location") : NULL;
    const char *text = pair && pair->value->type == YAML_SCALAR ? pair->value->value : "";

    if (locator_kind(text) != LOCATOR_PATH || *text == '/' || *text == '~')
        return 0;
    _cleanup_free_ char *absolute =
        *w->p->base == '/' ? path_normalise(w->p->base, text) : xasprintf("%s%s", w->p->base, text);
    if (yaml_edit_set(&w->edit, pair, absolute, err) < 0) {
        err_wrap(err, "cannot make the relative location '%s' absolute", text);
        return err_hint(err, "write the absolute path of the file");
    }
    return 0;
}

static int rewrite_images(struct rewriter *w, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *images = yaml_map_get(root, "images");

    for (size_t i = 0; is_list(images) && i < images->n; i++) {
        const struct yaml_node *image = images->items[i];

        if (is_map(image) && (make_location_absolute(w, image, err) < 0 ||
                              make_location_absolute(w, yaml_map_get(image, "kernel"), err) < 0 ||
                              make_location_absolute(w, yaml_map_get(image, "initrd"), err) < 0))
            return -1;
    }
    return 0;
}

/* ---- base ------------------------------------------------------------------------------------ */

static int remove_base(struct rewriter *w, const struct yaml_node *root, struct err *err)
{
    const struct yaml_pair *pair = yaml_map_pair(root, "base");

    return pair ? yaml_edit_remove_pair(&w->edit, root, (size_t)(pair - root->pairs), err) : 0;
}

/* `base` without a change but for what is relative. */
static int make_base_absolute(struct rewriter *w, const struct yaml_node *root, struct err *err)
{
    const struct yaml_pair *pair = yaml_map_pair(root, "base");

    if (!pair || yaml_is_null(pair->value))
        return 0;
    if (pair->value->type != YAML_SEQ)
        return make_ref_absolute(w, pair, "base", err);
    for (size_t i = 0; i < pair->value->n; i++) {
        const struct yaml_node *item = pair->value->items[i];
        _cleanup_free_ char *path = xasprintf("base[%zu]", i);
        _cleanup_refs_ struct refs r = REFS_INIT;
        _cleanup_yaml_doc_ struct yaml_doc *text = NULL;

        if (refs_add(&r, w->env, w->p, item, path, err) < 0)
            return -1;
        if (item->type == YAML_MAP) {
            if (make_ref_absolute(w, &(struct yaml_pair){item, item, false}, path, err) < 0)
                return -1;
        } else if (!streq(item->value, r.v[0].locator)) {
            _cleanup_sbuf_ struct sbuf json = SBUF_INIT;
            _cleanup_diags_ struct diags d = DIAGS_INIT;

            yaml_add_json_string(&json, r.v[0].locator);
            text = yaml_doc_parse("", sbuf_str(&json), json.len, &d);
            if (!text || yaml_edit_replace_item(&w->edit, pair->value, i, text, yaml_doc_root(text),
                                                err) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- files: their keys ----------------------------------------------------------------------- */

/* The key that a file's text goes to, or NULL when there is one already: to have both is a mistake
 * that the check of the result shows. */
static const char *key_for(const struct yaml_node *entry, bool probe)
{
    const struct yaml_node *mode = yaml_map_get(entry, "mode");
    const char *key = "script";

    if (!probe && mode && mode->type == YAML_SCALAR)
        key = streq(mode->value, "data") ? "content"
              : streq(mode->value, "yq") ? "expression"
                                         : "script";
    return yaml_map_get(entry, key) ? NULL : key;
}

/* Is it to stay outside, because it is named as template:NAME? */
static bool stays(const struct rewriter *w, const struct yaml_node *file)
{
    const struct yaml_node *url = file->type == YAML_MAP ? yaml_map_get(file, "url") : file;
    const char *text = url && url->type == YAML_SCALAR ? url->value : "";
    enum locator_kind kind = locator_kind(text);

    if (w->what & REWRITE_ALL)
        return false;
    return kind == LOCATOR_TEMPLATE ||
           (kind == LOCATOR_PATH && *text != '/' && str_starts(w->p->base, "template:"));
}

static int refuse_alias(struct rewriter *w, const struct yaml_node *file, const char *path,
                        struct err *err)
{
    _cleanup_refs_ struct refs r = REFS_INIT;
    _cleanup_err_ struct err why = ERR_INIT;

    if (refs_add(&r, w->env, w->p, file, path, err) < 0)
        return -1;
    err_set(&why, ERR_CONFIG, "a file can't come in by an alias or a merge key");
    err_hint(&why, "write the entry out");
    return refs_problem(&r.v[0], &why, err);
}

static int find_taken(struct rewriter *w, const struct yaml_node *root, struct err *err)
{
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
        const struct yaml_node *list = yaml_map_get(root, lists[l]);

        for (size_t i = 0; is_list(list) && i < list->n; i++) {
            const struct yaml_node *entry = list->items[i];
            const struct yaml_pair *pair = is_map(entry) ? yaml_map_pair(entry, "file") : NULL;
            const char *key = pair ? key_for(entry, l == 1) : NULL;

            if (!key || yaml_is_null(pair->value) || stays(w, pair->value))
                continue;
            if (entry->alias || list->alias || pair->merged) {
                _cleanup_free_ char *path = xasprintf("%s[%zu].file", lists[l], i);

                return refuse_alias(w, pair->value, path, err);
            }
            GROW_ARRAY(w->taken, w->n_taken, w->cap_taken);
            w->taken[w->n_taken++] = (struct taken){lists[l], i, key, pair->key};
        }
    }
    return 0;
}

static int by_start(const void *a, const void *b)
{
    const struct taken *x = a, *y = b;

    return x->old_key->start < y->old_key->start ? -1 : x->old_key->start > y->old_key->start;
}

/* A key that is new stands for the file that it was. */
static void place_renamed(struct yaml_places *to, const struct yaml_node *root, void *arg)
{
    const struct rewriter *w = arg;
    const struct yaml_node *old = yaml_doc_root(w->p->doc);

    piece_follow(to, root, w->p, old);
    for (size_t i = 0; i < w->n_taken; i++) {
        const struct taken *t = &w->taken[i];
        const struct yaml_node *was = yaml_map_get(old, t->list)->items[t->index];
        const struct yaml_node *is = yaml_map_get(root, t->list);
        const struct yaml_pair *pair =
            is_list(is) && t->index < is->n ? yaml_map_pair(is->items[t->index], t->key) : NULL;

        if (!pair)
            continue;
        piece_place(to, pair->key, w->p, t->old_key);
        piece_follow(to, pair->value, w->p, yaml_map_get(was, "file"));
    }
}

/* `file: x` becomes `script: x`: the value follows in the next step, comments stay. */
static int rename_keys(struct rewriter *w, struct err *err)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    size_t len, at = 0;
    const char *text = yaml_doc_text(w->p->doc, &len);

    if (!w->n_taken)
        return 0;
    qsort(w->taken, w->n_taken, sizeof(*w->taken), by_start);
    for (size_t i = 0; i < w->n_taken; i++) {
        const struct yaml_node *key = w->taken[i].old_key;

        sbuf_add(&out, text + at, key->start - at);
        sbuf_addstr(&out, w->taken[i].key);
        at = key->end;
    }
    sbuf_add(&out, text + at, len - at);
    return piece_replace(w->p, sbuf_str(&out), out.len, place_renamed, w, err);
}

/* ---- files: their texts ---------------------------------------------------------------------- */

static struct yaml_doc *text_doc(const char *text, size_t len)
{
    _cleanup_sbuf_ struct sbuf json = SBUF_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_free_ char *copy = xstrndup(text, len);

    yaml_add_json_string(&json, copy);
    return yaml_doc_parse("", sbuf_str(&json), json.len, &d);
}

static int take_file(struct rewriter *w, const struct yaml_pair *pair, const struct ref *ref,
                     struct err *err)
{
    _cleanup_template_ struct template file = TEMPLATE_INIT;
    _cleanup_err_ struct err why = ERR_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *text = NULL;
    if (!ref->digest)
        template_warn_plain(w->env, ref->locator);
    _cleanup_free_ char *at = template_resolve(w->env, ref->locator, &why);
    int r = !at || refs_check_source(w->p->remote, at, &why) < 0 ? -1 : 0;

    if (r == 0 && ++w->spent->files > TEMPLATE_COUNT_MAX)
        r = err_set(&why, ERR_CONFIG, "more than %d base templates and files",
                    TEMPLATE_COUNT_MAX);
    if (r == 0)
        r = template_fetch(w->env, at, &file, &why);
    if (r == 0 && ref->digest)
        r = template_check_digest(ref->digest, file.text, file.len, &why);
    if (r == 0 && (!utf8_valid(file.text, file.len) || memchr(file.text, 0, file.len))) {
        r = err_set(&why, ERR_CONFIG, "'%s' is not a text: it has bytes that YAML can't hold",
                    ref->locator);
        err_hint(&why, "encode it (base64) and let a script decode it in the guest");
    }
    if (r == 0 && (w->spent->bytes += file.len) > TEMPLATE_TOTAL_MAX)
        r = err_set(&why, ERR_CONFIG, "the template and its files exceed the limit of %d MiB",
                    TEMPLATE_TOTAL_MAX >> 20);
    if (r == 0 && !(text = text_doc(file.text, file.len)))
        r = err_set(&why, ERR_CONFIG, "'%s' is too large", ref->locator);
    if (r < 0)
        return refs_problem(ref, &why, err);
    return yaml_edit_replace(&w->edit, pair, text, yaml_doc_root(text), err);
}

/* The file of an entry that is not taken in. */
static int rewrite_ref(struct rewriter *w, const struct yaml_node *entry, const char *path,
                       struct err *err)
{
    const struct yaml_pair *pair = is_map(entry) ? yaml_map_pair(entry, "file") : NULL;

    return pair && !yaml_is_null(pair->value) ? make_ref_absolute(w, pair, path, err) : 0;
}

static const char *taken_key(const struct rewriter *w, const char *list, size_t index)
{
    for (size_t i = 0; i < w->n_taken; i++)
        if (w->taken[i].index == index && streq(w->taken[i].list, list))
            return w->taken[i].key;
    return NULL;
}

static int rewrite_files(struct rewriter *w, const struct yaml_node *root, struct err *err)
{
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
        const struct yaml_node *list = yaml_map_get(root, lists[l]);

        for (size_t i = 0; is_list(list) && i < list->n; i++) {
            const char *key = taken_key(w, lists[l], i);
            _cleanup_free_ char *path = xasprintf("%s[%zu].file", lists[l], i);
            _cleanup_refs_ struct refs r = REFS_INIT;

            if (!key) {
                if (rewrite_ref(w, list->items[i], path, err) < 0)
                    return -1;
                continue;
            }
            const struct yaml_pair *pair = yaml_map_pair(list->items[i], key);
            if (!pair)
                return err_set(err, ERR_INTERNAL, "'%s' lost %s", w->p->locator, path);
            if (refs_add(&r, w->env, w->p, pair->value, path, err) < 0 ||
                take_file(w, pair, &r.v[0], err) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void place_all(struct yaml_places *to, const struct yaml_node *root, void *arg)
{
    const struct piece *p = arg;

    piece_follow(to, root, p, yaml_doc_root(p->doc));
}

static int rewrite(struct rewriter *w, struct err *err)
{
    const struct yaml_node *root = piece_root(w->p);
    _cleanup_free_ char *text = NULL;
    size_t len;

    if (!root)
        return 0;
    if ((w->what & REWRITE_FILES) && (find_taken(w, root, err) < 0 || rename_keys(w, err) < 0))
        return -1;
    root = piece_root(w->p);
    w->edit = (struct yaml_edit)YAML_EDIT_INIT(w->p->doc);
    if ((w->what & REWRITE_BASE ? remove_base(w, root, err) : make_base_absolute(w, root, err)) <
            0 ||
        rewrite_files(w, root, err) < 0 ||
        ((w->what & REWRITE_IMAGES) && rewrite_images(w, root, err) < 0))
        return -1;
    if (!w->edit.n)
        return 0;
    text = yaml_edit_apply(&w->edit, &len);
    return piece_replace(w->p, text, len, place_all, w->p, err);
}

int piece_rewrite(struct piece *p, const struct template_env *env, unsigned what,
                  struct spent *spent, struct err *err)
{
    struct rewriter w = {.p = p, .env = env, .what = what, .spent = spent};
    int r = rewrite(&w, err);

    yaml_edit_release(&w.edit);
    free(w.taken);
    return r;
}
