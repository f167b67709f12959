/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml/edit.h"
#include "base/mem.h"
#include "yaml/emit.h"

void yaml_edit_release(struct yaml_edit *e)
{
    for (size_t i = 0; i < e->n; i++)
        free(e->v[i].text);
    free(e->v);
    *e = (struct yaml_edit){.doc = e->doc};
}

/* Behind the anchor and the tag, which may stand on lines of their own. */
static size_t value_start(const char *text, const struct yaml_node *node)
{
    size_t at = node->start;

    while (!node->alias && at < node->end) {
        if (text[at] == '&' || text[at] == '!')
            at += strcspn(text + at, " \t\r\n");
        else if (text[at] == '#')
            at += strcspn(text + at, "\r\n");
        else if (strchr(" \t\r\n", text[at]))
            at++;
        else
            break;
    }
    return at < node->end ? at : node->end;
}

/* A block scalar's end mark is the next token's line: the value ends with its last line that is not
 * blank, and the comments and blank lines behind it are nobody's. */
static size_t block_end(const char *text, size_t start, size_t end)
{
    while (end > start && strchr(" \t\r\n", text[end - 1]))
        end--;
    return end;
}

static bool fits_single_quotes(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f || *p >= 0x80)
            return false;
    return true;
}

static char *as_scalar(const struct yaml_node *node, const char *text)
{
    struct sbuf out = SBUF_INIT;

    if (node->style == YAML_SINGLE && !node->alias && fits_single_quotes(text)) {
        sbuf_addch(&out, '\'');
        for (; *text; text++)
            sbuf_addf(&out, *text == '\'' ? "''" : "%c", *text);
        sbuf_addch(&out, '\'');
    } else if (node->style == YAML_DOUBLE && !node->alias) {
        yaml_add_json_string(&out, text);
    } else {
        yaml_add_scalar(&out, text, node->in_flow);
    }
    return sbuf_detach(&out);
}

static int refuse(const struct yaml_edit *e, const struct yaml_pair *pair, const char *why,
                  struct err *err)
{
    struct diag *d;

    err_set(err, ERR_CONFIG, "cannot change the value of '%s'", pair->key->value);
    if (err) {
        d = diags_add(&err->diags, DIAG_ERROR, NULL, "the value of '%s' can't be changed: %s",
                      pair->key->value, why);
        yaml_doc_place(e->doc, pair->value, d);
    }
    return -1;
}

static void put(struct yaml_edit *e, size_t start, size_t end, char *text)
{
    size_t i = e->n;

    for (size_t k = 0; k < e->n; k++)
        if (e->v[k].start == start && e->v[k].end == end) {
            free(e->v[k].text);
            e->v[k].text = text;
            return;
        }
    GROW_ARRAY(e->v, e->n, e->cap);
    for (; i > 0 && e->v[i - 1].start > start; i--)
        e->v[i] = e->v[i - 1];
    e->v[i].start = start;
    e->v[i].end = end;
    e->v[i].text = text;
    e->n++;
}

int yaml_edit_set(struct yaml_edit *e, const struct yaml_pair *pair, const char *text,
                  struct err *err)
{
    const struct yaml_node *node = pair->value;
    const char *doc = yaml_doc_text(e->doc, NULL);
    size_t start = value_start(doc, node), end = node->end;
    _cleanup_free_ char *value = NULL;

    if (!yaml_doc_is_editable(e->doc))
        return refuse(e, pair, "the file is UTF-16", err);
    if (node->type != YAML_SCALAR && !node->alias)
        return refuse(e, pair, "it is not a single value", err);
    if (pair->merged)
        return refuse(e, pair, "it comes from another mapping, by a merge key '<<'", err);
    if (node->style == YAML_LITERAL || node->style == YAML_FOLDED)
        end = node->alias ? end : block_end(doc, start, end);
    value = as_scalar(node, text);
    if (start == node->end && start > 0 && !strchr(" \t\n", doc[start - 1])) {
        /* Nothing there yet: behind the colon, or behind a tag. */
        char *spaced = xasprintf(" %s", value);

        put(e, start, end, spaced);
    } else {
        put(e, start, end, TAKE_PTR(value));
    }
    return 0;
}

char *yaml_edit_apply(const struct yaml_edit *e, size_t *ret_len)
{
    struct sbuf out = SBUF_INIT;
    size_t len, at = 0;
    const char *text = yaml_doc_text(e->doc, &len);

    for (size_t i = 0; i < e->n; i++) {
        sbuf_add(&out, text + at, e->v[i].start - at);
        sbuf_addstr(&out, e->v[i].text);
        at = e->v[i].end;
    }
    sbuf_add(&out, text + at, len - at);
    if (ret_len)
        *ret_len = out.len;
    return sbuf_detach(&out);
}
