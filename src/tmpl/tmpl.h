/* SPDX-License-Identifier: Apache-2.0 */
/* Text templates: the part of Go's text/template that instance files and `--format` use, over a
 * JSON value. Texts and trim markers, comments, fields, variables, pipelines, parentheses, Go's
 * literals, if, with, range, break, continue, define, block, template; Go's functions and Lima's
 * json, yaml, indent, missing. Lists, maps and texts only: nothing here calls code of others.
 *
 * The cost of a run is bounded: steps, length of the result, memory, depth. */
#ifndef CIMA_TMPL_TMPL_H
#define CIMA_TMPL_TMPL_H

#include "base/err.h"
#include "base/sbuf.h"
#include "json/json.h"

enum tmpl_flags {
    /* An action that names something unknown stays as it is written, a whole block if that is what
     * it decides: for texts that may hold templates of other tools. */
    TMPL_KEEP_UNKNOWN = 1 << 0,
    /* .Name finds "name", .SSHLocalPort "sshLocalPort", .Config.CACertificates "caCerts": for
     * templates that were written for Go's names of the fields. */
    TMPL_FOLD_CASE = 1 << 1,
};

struct tmpl;

/* NULL and ERR_CONFIG, "LINE:COL: why", mostly with a hint, when the text is no template. */
struct tmpl *tmpl_parse(const char *text, struct err *err);
void tmpl_free(struct tmpl *t); /* NULL is allowed */
DEFINE_CLEANUP_PTR(tmpl, tmpl_free)
#define _cleanup_tmpl_ _cleanup_(tmpl_freep)

struct tmpl_input {
    const struct json *data;
    /* The fields that data may have, with what they are when they aren't there; a list holds one
     * element that stands for all. An empty object is a map: it may have any key. NULL: the fields
     * of data are all there are, and only `Param` is a map. */
    const struct json *shape;
    unsigned flags;
};

/* The text, or NULL with ERR_CONFIG as above when something in it fails: a field or a variable that
 * is not there, a function that doesn't like its values, a limit. A key that a map does not have
 * may be asked for ({{if .Param.x}}) but not be printed.
 * With TMPL_KEEP_UNKNOWN *ret_problem (may be NULL; caller frees) says what stayed as it was, or is
 * NULL. Caller frees. */
char *tmpl_run(const struct tmpl *t, const struct tmpl_input *in, char **ret_problem,
               struct err *err);
/* Both in one. */
char *tmpl_expand(const char *text, const struct json *data, unsigned flags, char **ret_problem,
                  struct err *err);
/* May a run look at this field of its data? For who would have to work for it. */
bool tmpl_asks_for(const struct tmpl *t, const char *field);

/* A JSON value as block YAML; texts are quoted where a plain one would read as something else. */
void tmpl_add_yaml(struct sbuf *out, const struct json *j);
/* For people at a terminal: in its colours, as YAML, or as JSON over several lines. */
void tmpl_add_coloured(struct sbuf *out, const struct json *j, bool as_json);

#endif
