/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl/tmpl.h"
#include "yaml/emit.h"

static void write_value(struct yaml_writer *w, const struct json *j)
{
    bool list = json_is_array(j);

    if (json_is_string(j)) {
        yaml_write_text(w, json_str(j));
        return;
    }
    if ((!list && !json_is_object(j)) || json_len(j) == 0) {
        _cleanup_free_ char *text = json_dump(j);

        yaml_write_raw(w, text);
        return;
    }
    yaml_write_open(w, list);
    for (size_t i = 0; list && i < json_len(j); i++) {
        yaml_write_item(w);
        write_value(w, json_at(j, i));
    }
    for (void *it = list ? NULL : json_iter(j); it; it = json_iter_next(j, it)) {
        yaml_write_key(w, json_iter_key(it));
        write_value(w, json_iter_value(it));
    }
    yaml_write_close(w);
}

static void add(struct sbuf *out, struct yaml_writer *w, const struct json *j)
{
    write_value(w, j);
    _cleanup_free_ char *text = yaml_writer_finish(w);
    sbuf_addstr(out, text);
}

void tmpl_add_yaml(struct sbuf *out, const struct json *j)
{
    struct yaml_writer w = YAML_WRITER_INIT(false);

    add(out, &w, j);
}

void tmpl_add_coloured(struct sbuf *out, const struct json *j, bool as_json)
{
    struct yaml_writer w = {.json = as_json, .pretty = 4, .colours = true};

    add(out, &w, j);
}
