/* SPDX-License-Identifier: Apache-2.0 */
#include "config/internal.h"
#include "base/mem.h"
#include "yaml/places.h"

void config_release(struct config *c)
{
    config_arena_free(c->arena);
    config_origin_free(c->origin);
    *c = (struct config)CONFIG_INIT;
}

/* The stream is our own work: an error of libcyaml's is a mistake of ours, but it still says which
 * line of the user's file it was about. */
static int load_stream(const struct yaml_doc *doc, const struct normalised *n, struct config *c,
                       struct diags *d)
{
    _cleanup_free_ char *text = NULL;
    size_t line = 0;
    struct diag *p;

    if (config_schema_load(n, c->arena, &c->v, &line, &text) == 0)
        return 0;
    p = config_problem(d, RULE_TYPE, NULL, "the value can't be loaded: %s", text);
    if (line && line <= n->n_lines)
        yaml_doc_place(doc, n->lines[line - 1], p);
    else
        diag_set_position(p, yaml_doc_name(doc), 0, 0, NULL);
    return -1;
}

static int parse_doc(struct yaml_doc *doc, struct config *c, struct diags *d)
{
    const struct yaml_node *root = yaml_doc_root(doc);
    struct normalised n;
    unsigned index;
    int r;

    if (root->type != YAML_MAP && !yaml_is_null(root)) {
        struct diag *p = config_problem(d, RULE_NO_MAPPING, NULL, "the file must hold a mapping "
                                        "(`key: value` lines), but this is %s",
                                        yaml_describe(root));

        yaml_doc_place(doc, root, p);
        return -1;
    }
    index = config_origin_add_doc(c->origin, doc, LAYER_INSTANCE);
    config_normalise(doc, index, c->origin, d, &n);
    r = load_stream(doc, &n, c, d);
    normalised_release(&n);
    return r;
}

int config_parse(const struct config_layer *layer, struct config *ret, struct diags *d,
                 struct err *err)
{
    _cleanup_yaml_doc_ struct yaml_doc *doc = NULL;
    _cleanup_config_ struct config c = {.arena = config_arena_new(),
                                        .origin = config_origin_new()};

    size_t first = d->n;

    doc = yaml_doc_parse(layer->name, layer->text, layer->len, d);
    config_name_problems(d, first);
    if (!doc || parse_doc(doc, &c, d) < 0)
        return err_set(err, ERR_CONFIG, "'%s' is not valid", layer->name);
    *ret = c;
    c = (struct config)CONFIG_INIT;
    return 0;
}

static int parse_layer(const struct config_layer *layer, struct config *ret, struct diags *d)
{
    _cleanup_err_ struct err ignored = ERR_INIT; /* all of it is in d */

    return config_parse(layer, ret, d, &ignored);
}

/* path is `of` or something in it. */
static bool is_within(const char *path, const char *of)
{
    size_t n = of ? strlen(of) : 0;

    return n && path && strncmp(path, of, n) == 0 && (!path[n] || path[n] == '.' || path[n] == '[');
}

/* A value that was left out because it is wrong must not be called missing as well. */
static void drop_echoes(struct diags *d, size_t first)
{
    size_t kept = first;

    for (size_t i = first; i < d->n; i++) {
        bool echo = false;

        for (size_t k = 0; k < first && !echo; k++)
            echo = d->v[k].severity == DIAG_ERROR && is_within(d->v[i].path, d->v[k].path);
        if (echo) {
            struct diags one = {&d->v[i], 1, 0};

            one.v = xmemdup(&d->v[i], sizeof(d->v[i]));
            diags_release(&one);
        } else {
            d->v[kept++] = d->v[i];
        }
    }
    d->n = kept;
}

struct order {
    size_t file, at;
    unsigned line, col;
};

static int by_place(const void *a, const void *b)
{
    const struct order *x = a, *y = b;

    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->col != y->col)
        return x->col < y->col ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* In the order of the files' lines; the instance's own file comes first. */
static void sort_by_place(struct diags *d, const char *own)
{
    _cleanup_free_ struct order *order = xreallocarray(NULL, d->n ? d->n : 1, sizeof(*order));
    struct diag *sorted = xreallocarray(NULL, d->n ? d->n : 1, sizeof(*sorted));
    size_t files[32], n_files = 0;

    for (size_t i = 0; i < d->n; i++) {
        size_t f = 0;

        while (f < n_files && !streq0(d->v[files[f]].file, d->v[i].file))
            f++;
        if (f == n_files && n_files < ARRAY_SIZE(files))
            files[n_files++] = i;
        f = streq0(d->v[i].file, own) ? 0 : f + 1;
        order[i] = (struct order){f, i, d->v[i].line, d->v[i].col};
    }
    qsort(order, d->n, sizeof(*order), by_place);
    for (size_t i = 0; i < d->n; i++)
        sorted[i] = d->v[order[i].at];
    free(d->v);
    d->v = sorted;
    d->cap = d->n ? d->n : 1;
}

/* Warnings go to the caller; when there are errors all go into err, warnings first as they came. */
static int split(const struct config_input *in, struct diags *d, struct diags *ret_warnings,
                 struct err *err)
{
    size_t errors = diags_count(d, DIAG_ERROR);

    if (in->instance.places)
        yaml_places_apply(in->instance.places, in->instance.name, d);
    sort_by_place(d, in->instance.name);
    if (errors) {
        err_set(err, ERR_CONFIG, "'%s' is not valid: %zu problem%s", in->instance.name, errors,
                errors == 1 ? "" : "s");
        if (err) {
            diags_release(&err->diags);
            err->diags = *d;
            *d = (struct diags)DIAGS_INIT;
        }
        return -1;
    }
    if (ret_warnings) {
        diags_release(ret_warnings);
        *ret_warnings = *d;
        *d = (struct diags)DIAGS_INIT;
    }
    return 0;
}

static int load(const struct config_input *in, const struct config_context *ctx, bool check,
                struct config *ret, struct diags *ret_warnings, struct err *err)
{
    _cleanup_config_ struct config c = CONFIG_INIT, over = CONFIG_INIT, under = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    int r = parse_layer(&in->instance, &c, &d);

    /* The other layers are read also when this one is broken: all mistakes in one run. */
    if (in->override.text)
        r |= parse_layer(&in->override, &over, &d);
    if (in->default_.text)
        r |= parse_layer(&in->default_, &under, &d);
    size_t parsed = d.n;

    if (r == 0) {
        config_merge(&c, in->override.text ? &over : NULL, in->default_.text ? &under : NULL, &d);
        config_fill(&c, ctx, &d);
        if (check) {
            config_settle_driver(&c);
            config_validate(&c, ctx, &d);
            drop_echoes(&d, parsed);
        } else {
            config_validate_param_use(&c, ctx, &d);
        }
    }
    if (split(in, &d, ret_warnings, err) < 0)
        return -1;
    *ret = c;
    c = (struct config)CONFIG_INIT;
    return 0;
}

int config_load(const struct config_input *in, const struct config_context *ctx, struct config *ret,
                struct diags *ret_warnings, struct err *err)
{
    return load(in, ctx, true, ret, ret_warnings, err);
}

int config_load_filled(const struct config_input *in, const struct config_context *ctx,
                       struct config *ret, struct diags *ret_warnings, struct err *err)
{
    return load(in, ctx, false, ret, ret_warnings, err);
}
