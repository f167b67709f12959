/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of base templates becomes one text, depth first: a template takes in its first base,
 * which has taken in its own before, then the next one. A base that two others share is taken in
 * once, where it is met first; one that leads back to itself is an error. */
#include "base/fs.h"
#include "base/mem.h"
#include "template/locator.h"
#include "template/piece.h"
#include "yaml/emit.h"

struct embedder {
    const struct template_env *env;
    unsigned what;
    struct strv stack, done; /* ids of the templates we are in, and of all so far */
    struct spent spent;
    const char *root_base;
};

static int embed_piece(struct embedder *x, struct piece *p, bool alone, struct refs *ret_left,
                       struct err *err);

/* ---- one base -------------------------------------------------------------------------------- */

/* The same text for the same file. Caller frees. */
static char *id_of(const struct template_env *env, const char *locator)
{
    enum locator_kind kind = locator_kind(locator);
    _cleanup_free_ char *path = NULL;
    char *real;

    if (kind == LOCATOR_TEMPLATE)
        path = template_find(env->store, locator_template_name(locator), NULL);
    else if (kind == LOCATOR_PATH)
        path = xstrdup(locator);
    else if (kind == LOCATOR_FILE_URL && locator_file_path(locator))
        path = xstrdup(locator_file_path(locator));
    real = path ? realpath(path, NULL) : NULL;
    return real ? real : xstrdup(locator);
}

static int check_limits(const struct embedder *x, struct err *err)
{
    if (x->stack.n > TEMPLATE_DEPTH_MAX) {
        err_set(err, ERR_CONFIG, "base templates are nested more than %d deep", TEMPLATE_DEPTH_MAX);
        return err_hint(err, "look for one that leads on and on");
    }
    if (x->spent.files > TEMPLATE_COUNT_MAX)
        return err_set(err, ERR_CONFIG, "more than %d base templates and files",
                       TEMPLATE_COUNT_MAX);
    if (x->spent.bytes > TEMPLATE_TOTAL_MAX)
        return err_set(err, ERR_CONFIG,
                       "the template and its base templates exceed the limit of "
                       "%d MiB",
                       TEMPLATE_TOTAL_MAX >> 20);
    return 0;
}

static char *shown_as(const struct template_env *env, const char *locator)
{
    char *path = locator_kind(locator) == LOCATOR_TEMPLATE
                     ? template_find(env->store, locator_template_name(locator), NULL)
                     : NULL;

    return path ? path : xstrdup(locator);
}

/* 1: it is there already. */
static int read_base(struct embedder *x, const struct ref *ref, bool remote, struct piece *ret,
                     struct err *err)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_free_ char *at = template_resolve(x->env, ref->locator, err);
    _cleanup_free_ char *id = at ? id_of(x->env, at) : NULL;

    if (!at || refs_check_source(remote, at, err) < 0)
        return -1;
    if (strv_contains(&x->stack, id)) {
        err_set(err, ERR_CONFIG, "base template loop detected: template `%s` already included", at);
        return err_hint(err, "a template can't be its own base, not by way of others either");
    }
    if (strv_contains(&x->done, id))
        return 1;
    if (!ref->digest)
        template_warn_plain(x->env, at);
    if (template_read(x->env, at, &t, err) < 0)
        return -1;
    if (ref->digest && template_check_digest(ref->digest, t.text, t.len, err) < 0)
        return -1;
    x->spent.bytes += t.len;
    x->spent.files++;
    ret->locator = shown_as(x->env, at);
    ret->base = TAKE_PTR(t.base);
    ret->id = TAKE_PTR(id);
    ret->remote = t.remote;
    strv_push(&x->done, ret->id);
    return t.len ? piece_parse(ret, t.text, t.len, err) : 0;
}

static int check_root(const struct piece *p, struct err *err)
{
    const struct yaml_node *root = yaml_doc_root(p->doc);

    if (root->type == YAML_MAP || yaml_is_null(root))
        return 0;
    err_set(err, ERR_CONFIG, "'%s' is not valid: 1 problem", p->locator);
    if (err)
        yaml_doc_place(p->doc, root,
                       diags_add(&err->diags, DIAG_ERROR, NULL,
                                 "the file must hold a mapping (`key: value` lines), but this is "
                                 "%s",
                                 yaml_describe(root)));
    return -1;
}

/* A mistake in a base has its place in that file, which is better than where it is named. */
static int add_context(const struct ref *ref, struct err *why, struct err *err)
{
    return why->diags.n ? err_move(err, why) : refs_problem(ref, why, err);
}

static int embed_base(struct embedder *x, struct piece *p, const struct ref *ref, bool alone,
                      struct refs *ret_left, struct err *err)
{
    _cleanup_piece_ struct piece base = PIECE_INIT;
    _cleanup_err_ struct err why = ERR_INIT;
    int r = read_base(x, ref, p->remote, &base, &why);

    if (r < 0)
        return add_context(ref, &why, err);
    if (r > 0 || !base.doc)
        return 0;
    strv_push(&x->stack, base.id);
    r = check_limits(x, &why) < 0 || check_root(&base, &why) < 0 ||
        embed_piece(x, &base, alone, ret_left, &why) < 0 || piece_merge(p, &base, &why) < 0;
    free(x->stack.v[--x->stack.n]);
    x->stack.v[x->stack.n] = NULL;
    return r ? add_context(ref, &why, err) : 0;
}

/* ---- all of a template ----------------------------------------------------------------------- */

static void take_ref(struct refs *to, struct ref *from)
{
    GROW_ARRAY(to->v, to->n, to->cap);
    to->v[to->n++] = *from;
    *from = (struct ref){0};
}

/* What stays named (template:NAME, unless all are wanted) comes last: what would follow it must not
 * come before it. */
static int keep_for_later(struct embedder *x, struct ref *ref, struct refs *left, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    bool named = locator_kind(ref->locator) == LOCATOR_TEMPLATE;

    if ((x->what & TEMPLATE_EMBED_ALL) || (!named && !left->n))
        return 0;
    if (named) {
        take_ref(left, ref);
        return 1;
    }
    err_set(&why, ERR_CONFIG, "cannot embed template `%s` after not embedding `%s`", ref->locator,
            left->v[left->n - 1].locator);
    err_hint(&why, "--embed-all embeds them all");
    return refs_problem(ref, &why, err);
}

static unsigned rewrite_flags(const struct embedder *x, const struct piece *p)
{
    unsigned flags = REWRITE_BASE | REWRITE_FILES;

    if (x->what & TEMPLATE_EMBED_ALL)
        flags |= REWRITE_ALL;
    /* Locations of images start at the first template when its text is used later on. */
    if (*x->root_base != '/' || !streq(p->base, x->root_base))
        flags |= REWRITE_IMAGES;
    return flags;
}

static int embed_all(struct embedder *x, struct piece *p, struct refs *bases, struct refs *left,
                     struct err *err)
{
    bool alone = bases->n == 1 && piece_is_blank(p);

    for (size_t i = 0; i < bases->n; i++) {
        int r = keep_for_later(x, &bases->v[i], left, err);

        if (r < 0 || (r == 0 && embed_base(x, p, &bases->v[i], alone, left, err) < 0))
            return -1;
        size_t len;

        (void)yaml_doc_text(p->doc, &len);
        if (len > TEMPLATE_MAX)
            return err_set(err, ERR_CONFIG,
                           "template `%s` embedding exceeded the size limit (%d bytes)", p->locator,
                           TEMPLATE_MAX);
    }
    return 0;
}

static bool all_stay(const struct embedder *x, const struct refs *bases)
{
    if (x->what & TEMPLATE_EMBED_ALL)
        return false;
    for (size_t i = 0; i < bases->n; i++)
        if (locator_kind(bases->v[i].locator) != LOCATOR_TEMPLATE)
            return false;
    return true;
}

/* Alone: nothing else comes into the text that it is for; what stays named stays where it is. */
static int embed_piece(struct embedder *x, struct piece *p, bool alone, struct refs *ret_left,
                       struct err *err)
{
    _cleanup_refs_ struct refs bases = REFS_INIT;
    unsigned flags = rewrite_flags(x, p);

    if (refs_of_base(&bases, x->env, p, err) < 0)
        return -1;
    if (alone && bases.n && all_stay(x, &bases))
        return piece_rewrite(p, x->env, flags & ~(unsigned)REWRITE_BASE, &x->spent, err);
    if (piece_rewrite(p, x->env, flags, &x->spent, err) < 0)
        return -1;
    return embed_all(x, p, &bases, ret_left, err);
}

/* ---- the template itself --------------------------------------------------------------------- */

static void add_default_base(const struct template_env *env, struct refs *bases)
{
    char *path = env->store ? store_config_path(env->store, "base.yaml") : NULL;

    if (path && path_exists(path)) {
        GROW_ARRAY(bases->v, bases->n, bases->cap);
        bases->v[bases->n++] = (struct ref){.path = xstrdup("base"), .locator = TAKE_PTR(path)};
    }
    free(path);
}

static void place_kept(struct yaml_places *to, const struct yaml_node *root, void *arg)
{
    const struct piece *p = arg;

    piece_follow(to, root, p, yaml_doc_root(p->doc));
}

/* A `base` with what stays named, at the end of the text. */
static int put_left(struct piece *p, const struct refs *left, struct err *err)
{
    _cleanup_yaml_edit_ struct yaml_edit edit = YAML_EDIT_INIT(p->doc);
    _cleanup_sbuf_ struct sbuf json = SBUF_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    size_t len;

    if (!left->n)
        return 0;
    sbuf_addstr(&json, "{\"base\":[");
    for (size_t i = 0; i < left->n; i++) {
        sbuf_addstr(&json, i ? "," : "");
        sbuf_addstr(&json, left->v[i].digest ? "{\"url\":" : "");
        yaml_add_json_string(&json, left->v[i].locator);
        if (left->v[i].digest) {
            sbuf_addstr(&json, ",\"digest\":");
            yaml_add_json_string(&json, left->v[i].digest);
            sbuf_addch(&json, '}');
        }
    }
    sbuf_addstr(&json, "]}");
    _cleanup_yaml_doc_ struct yaml_doc *doc = yaml_doc_parse("", sbuf_str(&json), json.len, &d);
    if (!doc)
        return err_set(err, ERR_CONFIG, "'%s' has too many base templates", p->locator);
    if (yaml_edit_add_pair(&edit, yaml_doc_root(p->doc), doc, &yaml_doc_root(doc)->pairs[0], err) <
        0)
        return -1;
    _cleanup_free_ char *text = yaml_edit_apply(&edit, &len);

    return piece_replace(p, text, len, place_kept, p, err);
}

static int embed_root(struct embedder *x, struct piece *p, struct err *err)
{
    _cleanup_refs_ struct refs bases = REFS_INIT, left = REFS_INIT;
    unsigned flags = rewrite_flags(x, p);

    if (x->what & TEMPLATE_DEFAULT_BASE)
        add_default_base(x->env, &bases);
    if (refs_of_base(&bases, x->env, p, err) < 0)
        return -1;
    if (all_stay(x, &bases)) {
        if (piece_rewrite(p, x->env, flags & ~(unsigned)REWRITE_BASE, &x->spent, err) < 0)
            return -1;
    } else if (piece_rewrite(p, x->env, flags, &x->spent, err) < 0 ||
               embed_all(x, p, &bases, &left, err) < 0 || put_left(p, &left, err) < 0) {
        return -1;
    }
    return piece_combine(p, err);
}

static void take_result(struct template *t, struct piece *p)
{
    size_t len;
    const char *text = yaml_doc_text(p->doc, &len);

    if (!p->places)
        return; /* nothing to embed: not a byte has changed */
    free(t->text);
    t->text = xstrndup(text, len);
    t->len = len;
    yaml_places_unref(t->places);
    t->places = TAKE_PTR(p->places);
}

static void piece_of(const struct template_env *env, const struct template *t, struct piece *p)
{
    p->locator = xstrdup(t->locator);
    p->base = xstrdup(t->base);
    p->id = t->from_stdin ? NULL : id_of(env, t->locator);
    p->from_stdin = t->from_stdin;
    p->remote = t->remote;
    p->places = yaml_places_ref(t->places);
}

int template_embed(const struct template_env *env, struct template *t, unsigned what,
                   struct err *err)
{
    _cleanup_piece_ struct piece p = PIECE_INIT;
    struct embedder x = {.env = env, .what = what, .root_base = t->base, .spent = {t->len, 0}};
    int r;

    piece_of(env, t, &p);
    /* What can't be read or is no mapping is for the check that follows to say. */
    if (piece_parse(&p, t->text, t->len, NULL) < 0 || check_root(&p, NULL) < 0)
        return 0;
    if (p.id) {
        strv_push(&x.stack, p.id);
        strv_push(&x.done, p.id);
    }
    r = embed_root(&x, &p, err);
    strv_release(&x.stack);
    strv_release(&x.done);
    if (r == 0)
        take_result(t, &p);
    return r;
}

int template_make_absolute(const struct template_env *env, struct template *t, bool images,
                           struct err *err)
{
    _cleanup_piece_ struct piece p = PIECE_INIT;
    struct spent spent = {0, 0};

    piece_of(env, t, &p);
    if (piece_parse(&p, t->text, t->len, err) < 0 ||
        piece_rewrite(&p, env, images ? REWRITE_IMAGES : 0, &spent, err) < 0)
        return -1;
    take_result(t, &p);
    return 0;
}
