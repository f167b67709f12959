/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml/emit.h"
#include "base/mem.h"
#include "base/utf8.h"
#include <strings.h>

/* ---- texts ----------------------------------------------------------------------------------- */

/* Words and shapes that YAML 1.1 readers (and 1.2 ones) do not take for a text. */
static bool looks_typed(const char *s)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false",
                                        "null", "nan", "inf"};
    static const char number_chars[] = "0123456789abcdefABCDEFoxXOb_+-.:eEtTzZ ";
    const char *digits = s + (*s == '-' || *s == '+' || *s == '.');

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasecmp(s, words[i]) == 0 || (*s && strcasecmp(digits, words[i]) == 0))
            return true;
    /* Numbers, dates, sexagesimal numbers: anything that starts with a digit and holds nothing
     * but what those are made of. */
    digits += *digits == '.';
    return *digits >= '0' && *digits <= '9' && s[strspn(s, number_chars)] == '\0';
}

static bool is_safe_plain(const char *s, bool in_flow)
{
    static const char punctuation[] = "_-./@+=~$();^!*%&'\"<>|?\\#:,[]{}` ";
    static const char bad_first[] = "-?:,[]{}#&*!|>'\"%@`=<~ ";
    size_t len = strlen(s);

    if (!len || strchr(bad_first, *s) || s[len - 1] == ' ' || s[len - 1] == ':' || looks_typed(s))
        return false;
    if (strstr(s, ": ") || strstr(s, " #") || str_starts(s, "...") || str_starts(s, "---"))
        return false;
    if (in_flow && (strpbrk(s, ",[]{}") || strchr(s, ':')))
        return false;
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(s + i, len - i, &c);

        if (!n || !utf8_is_printable(c) || c == 0xfeff)
            return false;
        if (c < 0x80 && !strchr(punctuation, (int)c) && !(c >= '0' && c <= '9') &&
            !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
            return false;
        i += n;
    }
    return true;
}

void yaml_add_json_string(struct sbuf *out, const char *s)
{
    size_t len = strlen(s);

    sbuf_addch(out, '"');
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(s + i, len - i, &c);

        if (c == '"' || c == '\\')
            sbuf_addf(out, "\\%c", (char)c);
        else if (c == '\n')
            sbuf_addstr(out, "\\n");
        else if (c == '\t')
            sbuf_addstr(out, "\\t");
        else if (!n)
            sbuf_addstr(out, "\\ufffd");
        else if (!utf8_is_printable(c) && c < 0x10000)
            sbuf_addf(out, "\\u%04x", c);
        else
            sbuf_add(out, s + i, n);
        i += n ? n : 1;
    }
    sbuf_addch(out, '"');
}

void yaml_add_scalar(struct sbuf *out, const char *text, bool in_flow)
{
    if (is_safe_plain(text, in_flow))
        sbuf_addstr(out, text);
    else
        yaml_add_json_string(out, text);
}

bool yaml_can_be_lines(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(s + i, len - i, &c);

        if (!n || (!utf8_is_printable(c) && c != '\n' && c != '\t') || c == 0xfeff)
            return false;
        i += n;
    }
    return true;
}

void yaml_add_lines(struct sbuf *out, const char *s, unsigned col)
{
    sbuf_addstr(out, !str_ends(s, "\n") ? "-" : str_ends(s, "\n\n") ? "+" : "");
    while (*s) {
        size_t n = strcspn(s, "\n");

        sbuf_addch(out, '\n');
        if (n)
            sbuf_addf(out, "%*s", (int)col, "");
        sbuf_add(out, s, n);
        s += n + (s[n] == '\n');
    }
}

/* A text of several lines that a literal block can hold as it is, without a word on its columns. */
static bool is_block(const char *s)
{
    return strchr(s, '\n') && !strchr("\n \t", *s) && yaml_can_be_lines(s);
}

/* ---- colours --------------------------------------------------------------------------------- */

enum colour { COLOUR_KEY = 36, COLOUR_TEXT = 32, COLOUR_RAW = 35 };

static void begin(struct yaml_writer *w, enum colour colour)
{
    if (w->colours)
        sbuf_addf(&w->out, "\033[%dm", (int)colour);
}

static void end(struct yaml_writer *w)
{
    if (w->colours)
        sbuf_addstr(&w->out, "\033[0m");
}

/* ---- structure ------------------------------------------------------------------------------- */

static void start_entry(struct yaml_writer *w)
{
    bool first = !w->stack[w->depth].any;

    w->stack[w->depth].any = true;
    if (w->json) {
        if (!first)
            sbuf_addch(&w->out, ',');
        if (w->pretty)
            sbuf_addf(&w->out, "\n%*s", (int)(w->depth * w->pretty), "");
    } else if (w->after_dash) {
        w->after_dash = false;
    } else if (w->out.len) {
        sbuf_addf(&w->out, "\n%*s", (int)w->stack[w->depth].indent, "");
    }
}

static void start_value(struct yaml_writer *w)
{
    if (!w->json && w->after_key)
        sbuf_addch(&w->out, ' ');
    w->after_key = w->after_dash = false;
}

void yaml_write_open(struct yaml_writer *w, bool list)
{
    unsigned indent = w->stack[w->depth].indent;

    if (w->json)
        sbuf_addch(&w->out, list ? '[' : '{');
    else if (w->depth && (w->after_dash || !list))
        indent += 2;
    if (w->depth + 1 < YAML_WRITER_DEPTH)
        w->depth++;
    w->stack[w->depth].indent = indent;
    w->stack[w->depth].list = list;
    w->stack[w->depth].any = false;
    w->after_key = false;
}

void yaml_write_close(struct yaml_writer *w)
{
    bool list = w->stack[w->depth].list;

    w->depth--;
    if (w->json && w->pretty)
        sbuf_addf(&w->out, "\n%*s", (int)(w->depth * w->pretty), "");
    if (w->json)
        sbuf_addch(&w->out, list ? ']' : '}');
}

void yaml_write_key(struct yaml_writer *w, const char *key)
{
    start_entry(w);
    begin(w, COLOUR_KEY);
    if (w->json)
        yaml_add_json_string(&w->out, key);
    else
        yaml_add_scalar(&w->out, key, true);
    end(w);
    sbuf_addstr(&w->out, w->json && w->pretty ? ": " : ":");
    w->after_key = true;
}

void yaml_write_item(struct yaml_writer *w)
{
    start_entry(w);
    if (w->json)
        return;
    sbuf_addstr(&w->out, "- ");
    w->after_dash = true;
}

void yaml_write_text(struct yaml_writer *w, const char *text)
{
    unsigned indent = w->stack[w->depth].indent + 2;

    start_value(w);
    begin(w, COLOUR_TEXT);
    if (w->json) {
        yaml_add_json_string(&w->out, text);
    } else if (is_block(text)) {
        sbuf_addch(&w->out, '|');
        yaml_add_lines(&w->out, text, indent);
    } else {
        yaml_add_scalar(&w->out, text, false);
    }
    end(w);
}

void yaml_write_raw(struct yaml_writer *w, const char *raw)
{
    start_value(w);
    begin(w, COLOUR_RAW);
    sbuf_addstr(&w->out, raw);
    end(w);
}

void yaml_write_node(struct yaml_writer *w, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR) {
        if (yaml_core_type(node) == YAML_STR) {
            yaml_write_text(w, node->value);
        } else {
            start_value(w);
            begin(w, COLOUR_RAW);
            yaml_add_json_scalar(&w->out, node);
            end(w);
        }
        return;
    }
    if (!node->n) {
        yaml_write_raw(w, node->type == YAML_MAP ? "{}" : "[]");
        return;
    }
    yaml_write_open(w, node->type == YAML_SEQ);
    for (size_t i = 0; i < node->n; i++) {
        if (node->type == YAML_MAP)
            yaml_write_key(w, node->pairs[i].key->value);
        else
            yaml_write_item(w);
        yaml_write_node(w, node->type == YAML_MAP ? node->pairs[i].value : node->items[i]);
    }
    yaml_write_close(w);
}

char *yaml_writer_finish(struct yaml_writer *w)
{
    sbuf_addch(&w->out, '\n');
    return sbuf_detach(&w->out);
}
