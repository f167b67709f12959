/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "yaml/internal.h"

static const char blanks[] = " \t";

size_t yaml_break_len(const char *text, size_t at)
{
    const unsigned char *s = (const unsigned char *)text + at;

    if (*s == '\r')
        return s[1] == '\n' ? 2 : 1;
    if (*s == '\n')
        return 1;
    if (*s == 0xc2 && s[1] == 0x85)
        return 2;
    return *s == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9) ? 3 : 0;
}

/* Bytes of the line break that ends right in front of this place. */
static size_t break_before(const char *text, size_t at)
{
    if (at >= 2 && text[at - 1] == '\n' && text[at - 2] == '\r')
        return 2;
    for (size_t n = 1; n <= 3 && n <= at; n++)
        if (yaml_break_len(text, at - n) == n)
            return n;
    return 0;
}

size_t yaml_line_start(const char *text, size_t at)
{
    while (at > 0 && !break_before(text, at))
        at--;
    return at == 0 && str_starts(text, "\xef\xbb\xbf") ? 3 : at;
}

size_t yaml_line_end(const char *text, size_t at)
{
    while (text[at] && !yaml_break_len(text, at))
        at++;
    return at;
}

size_t yaml_next_line(const char *text, size_t at)
{
    at = yaml_line_end(text, at);
    return at + yaml_break_len(text, at);
}

bool yaml_same_line(const char *text, size_t at, size_t later)
{
    return later <= yaml_line_end(text, at);
}

unsigned yaml_column(const char *text, size_t at)
{
    return (unsigned)(at - yaml_line_start(text, at));
}

size_t yaml_skip_trivia(const char *text, size_t at)
{
    while (text[at]) {
        size_t n = yaml_break_len(text, at);

        if (n)
            at += n;
        else if (text[at] == '#')
            at = yaml_line_end(text, at);
        else if (strchr(blanks, text[at]))
            at++;
        else
            break;
    }
    return at;
}

size_t yaml_property_len(const char *text, size_t at)
{
    static const char name[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
    size_t n = 1;

    if (text[at] == '&')
        return 1 + strspn(text + at + 1, name);
    if (text[at] != '!')
        return 0;
    if (text[at + 1] == '<')
        return strcspn(text + at, ">") + 1;
    while (text[at + n] > ' ' && !strchr(",[]{}", text[at + n]))
        n++;
    return n;
}

size_t yaml_value_start(const char *text, const struct yaml_node *node)
{
    size_t at = node->start;

    if (node->alias)
        return at;
    for (size_t n; at < node->end && (n = yaml_property_len(text, at)) > 0;)
        at = yaml_skip_trivia(text, at + n);
    return at < node->end ? at : node->end;
}

bool yaml_is_block_scalar(const struct yaml_node *node)
{
    return !node->alias && node->type == YAML_SCALAR &&
           (node->style == YAML_LITERAL || node->style == YAML_FOLDED);
}

static size_t spaces(const char *text, size_t at)
{
    return strspn(text + at, " ");
}

/* The indicators behind `|` or `>`. */
static bool has_indicator(const char *text, const struct yaml_node *node, const char *set)
{
    size_t at = yaml_value_start(text, node) + 1;

    return text[at + strcspn(text + at, set)] && strcspn(text + at, set) <
                                                     strcspn(text + at, " \t\r\n#");
}

bool yaml_keeps_breaks(const char *text, const struct yaml_node *node)
{
    return has_indicator(text, node, "+");
}

bool yaml_strips_breaks(const char *text, const struct yaml_node *node)
{
    return has_indicator(text, node, "-");
}

unsigned yaml_body_column(const char *text, const struct yaml_node *node)
{
    size_t at = yaml_next_line(text, yaml_value_start(text, node));

    if (has_indicator(text, node, "123456789"))
        return 0;
    for (; at < node->end; at = yaml_next_line(text, at)) {
        size_t n = spaces(text, at);

        if (text[at + n] && !yaml_break_len(text, at + n))
            return (unsigned)n;
    }
    return 0;
}

/* libyaml's end mark is behind the blank lines that follow. They belong to the text only with `+`;
 * a line of blanks that is longer than the indentation is one of it. */
static size_t block_scalar_end(const char *text, const struct yaml_node *node)
{
    size_t header = yaml_value_start(text, node), at = yaml_next_line(text, header);
    size_t end = yaml_line_end(text, header), indent = yaml_body_column(text, node);

    if (yaml_keeps_breaks(text, node))
        return node->end - (node->end > end ? break_before(text, node->end) : 0);
    for (; at < node->end; at = yaml_next_line(text, at)) {
        size_t n = spaces(text, at);

        if ((text[at + n] && !yaml_break_len(text, at + n)) || n > indent)
            end = yaml_line_end(text, at);
    }
    return end;
}

bool yaml_has_brackets(const char *text, const struct yaml_node *node)
{
    return text[yaml_value_start(text, node)] == (node->type == YAML_MAP ? '{' : '[');
}

static bool is_empty(const struct yaml_node *node)
{
    return node->type == YAML_SCALAR && node->start == node->end;
}

/* Is the colon at `at`, behind a key, the one of this value? Behind a `? key` without one comes the
 * next key, and that may begin with a colon (`::`). */
static bool is_colon(const char *text, size_t at, const struct yaml_node *value)
{
    return text[at] == ':' &&
           (!is_empty(value) || strchr(" \t,]}", text[at + 1]) || yaml_break_len(text, at + 1));
}

/* Key, colon and value; entry->start is set. */
static void place_pair(const char *text, const struct yaml_pair *pair, struct yaml_entry *ret)
{
    size_t key_end = yaml_content_end(text, pair->key), at = yaml_skip_trivia(text, key_end);

    ret->key = pair->key;
    ret->value = pair->value;
    ret->question = ret->start < pair->key->start;
    ret->colon = is_colon(text, at, pair->value);
    ret->mark = ret->colon ? at + 1 : key_end;
    ret->from = is_empty(pair->value) ? ret->mark : pair->value->start;
    ret->end = is_empty(pair->value) ? ret->mark : yaml_content_end(text, pair->value);
}

/* libyaml takes blank lines with a tab behind a plain text only: they go where it goes. */
static size_t plain_end(const char *text, const struct yaml_node *node)
{
    size_t end = node->end, n = strspn(text + end, " \t\r\n");
    const char *tab = memrchr(text + end, '\t', n);

    return tab && yaml_next_line(text, end) <= (size_t)(tab - text) ? (size_t)(tab - text) + 1 : end;
}

size_t yaml_content_end(const char *text, const struct yaml_node *node)
{
    struct yaml_entry last = {0};

    if (!node->alias && yaml_is_block_scalar(node))
        return block_scalar_end(text, node);
    if (!node->alias && node->type == YAML_SCALAR && node->style == YAML_PLAIN && !is_empty(node))
        return plain_end(text, node);
    if (node->alias || node->type == YAML_SCALAR)
        return node->end;
    if (node->flow && yaml_has_brackets(text, node))
        return node->end;
    if (node->type == YAML_MAP && node->n_own) {
        place_pair(text, &node->own[node->n_own - 1], &last);
        return last.end;
    }
    if (node->type == YAML_SEQ && node->n)
        return yaml_content_end(text, node->items[node->n - 1]);
    return node->end;
}

int yaml_entry_of(const char *text, const struct yaml_node *key, const struct yaml_node *value,
                  struct yaml_entry *ret)
{
    const struct yaml_node *first = key ? key : value;
    struct yaml_entry e = {.start = first->start};
    size_t at = first->start;

    while (at > 0 && strchr(blanks, text[at - 1]))
        at--;
    if (key) {
        if (at > 0 && text[at - 1] == '?')
            e.start = at - 1;
        place_pair(text, &(struct yaml_pair){key, value, false}, &e);
    } else {
        if (at == 0 || text[at - 1] != '-')
            return -1;
        e.start = at - 1;
        e.mark = at;
        e.value = value;
        e.from = is_empty(value) ? e.mark : value->start;
        e.end = is_empty(value) ? e.mark : yaml_content_end(text, value);
    }
    *ret = e;
    return 0;
}

size_t yaml_properties_end(const char *text, const struct yaml_node *value)
{
    size_t at = value->start, end = at;

    for (size_t n; !value->alias && at < value->end && (n = yaml_property_len(text, at)) > 0;) {
        if (!yaml_same_line(text, value->start, at))
            break;
        end = at + n;
        at = yaml_skip_trivia(text, end);
    }
    return end;
}

int yaml_entries(const char *text, const struct yaml_node *node, struct yaml_entry **ret,
                 size_t *ret_n)
{
    size_t n = node->type == YAML_MAP ? node->n_own : node->n;
    struct yaml_entry *v = n ? xcalloc(n, sizeof(*v)) : NULL;
    bool brackets = node->flow && yaml_has_brackets(text, node);
    size_t at = yaml_value_start(text, node);

    if (!brackets && node->type == YAML_MAP && n && at > node->own[0].key->start)
        at = node->own[0].key->start;
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *value = node->type == YAML_MAP ? NULL : node->items[i];

        if (brackets) {
            if (text[at] != (i ? ',' : node->type == YAML_MAP ? '{' : '['))
                goto fail;
            at++;
        }
        v[i].start = yaml_skip_trivia(text, at);
        if (node->type == YAML_MAP) {
            place_pair(text, &node->own[i], &v[i]);
            if (v[i].start > v[i].key->start || (v[i].question && text[v[i].start] != '?'))
                goto fail;
        } else {
            if (!node->flow && text[v[i].start] != '-')
                goto fail;
            v[i].value = value;
            v[i].mark = v[i].start + !node->flow;
            v[i].from = is_empty(value) ? v[i].mark : node->flow ? v[i].start : value->start;
            v[i].end = is_empty(value) ? v[i].mark : yaml_content_end(text, value);
        }
        if (v[i].end < v[i].mark || v[i].mark < v[i].start)
            goto fail;
        at = yaml_skip_trivia(text, v[i].end);
    }
    *ret = v;
    *ret_n = n;
    return 0;
fail:
    free(v);
    return -1;
}

const struct yaml_node *yaml_last_scalar(const struct yaml_node *node)
{
    while (node->type != YAML_SCALAR && !node->alias && !node->flow) {
        size_t n = node->type == YAML_MAP ? node->n_own : node->n;

        if (!n)
            return NULL;
        node = node->type == YAML_MAP ? node->own[n - 1].value : node->items[n - 1];
    }
    return node;
}
