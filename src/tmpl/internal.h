/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_TMPL_INTERNAL_H
#define CIMA_TMPL_INTERNAL_H

#include "tmpl/tmpl.h"
#include "yaml/arena.h"

enum {
    TMPL_TEXT_MAX = 4 << 20,    /* of a template */
    TMPL_RESULT_MAX = 4 << 20,
    TMPL_MEMORY_MAX = 64 << 20, /* texts made on the way */
    TMPL_STEPS_MAX = 500000,
    TMPL_STEP_BYTES = 64,       /* bytes looked at that count as one step */
    TMPL_DEPTH_MAX = 64,        /* blocks, parentheses and templates within each other */
    TMPL_ACTIONS_MAX = 100000,
    TMPL_ARGS_MAX = 64,
    TMPL_WIDTH_MAX = 1000,      /* width and precision of printf */
};

/* ---- the parsed template ----------------------------------------------------------------------- */

struct tmpl_pipe;

enum tmpl_expr_kind {
    EXPR_DOT, EXPR_NIL, EXPR_BOOL, EXPR_INT, EXPR_FLOAT, EXPR_STRING, EXPR_VARIABLE, EXPR_FUNCTION,
    EXPR_PIPE,
};

/* A term with the fields behind it: .A.B is a dot with two, $x.A a variable with one. */
struct tmpl_expr {
    enum tmpl_expr_kind kind;
    size_t pos, end; /* where it stands in the text */
    bool truth;
    int64_t number;
    double real;
    const char *text; /* string, name of a variable ("$x") or of a function */
    size_t len;
    int function;     /* index in tmpl_functions */
    struct tmpl_pipe *pipe;
    const char **fields;
    size_t n_fields;
    struct tmpl_expr *next;
};

struct tmpl_cmd {
    struct tmpl_expr *args;
    size_t pos;
    struct tmpl_cmd *next;
};

struct tmpl_pipe {
    size_t pos;
    const char *vars[2]; /* $a := or $a, $b := */
    size_t n_vars;
    bool assign; /* = */
    struct tmpl_cmd *cmds;
};

enum tmpl_node_kind {
    NODE_TEXT, NODE_ACTION, NODE_IF, NODE_WITH, NODE_RANGE, NODE_TEMPLATE, NODE_BREAK,
    NODE_CONTINUE,
};

struct tmpl_node {
    enum tmpl_node_kind kind;
    size_t start, end; /* all of it in the text, from {{ to the last }} */
    size_t pos;        /* of what is to be blamed */
    size_t text_start, text_end;
    const char *name;
    struct tmpl_pipe *pipe;
    struct tmpl_node *body, *otherwise;
    bool chained; /* {{else if}}: it shares the {{end}} of the block around it */
    struct tmpl_node *next;
};

struct tmpl_define {
    const char *name;
    struct tmpl_node *body;
    struct tmpl_define *next;
};

struct tmpl {
    char *text;
    size_t len;
    struct arena arena;
    struct tmpl_node *body;
    struct tmpl_define *defines;
};

/* Sets err to "LINE:COL: why" for a place in the text. Returns -1. */
int tmpl_fail(const struct tmpl *t, size_t pos, struct err *err, const char *fmt, va_list ap)
    PRINTF_FORMAT(4, 0);

/* ---- parsing ----------------------------------------------------------------------------------- */

struct tmpl_parser {
    struct tmpl *t;
    const char *s; /* the text */
    size_t pos;
    struct err *err;
    unsigned depth, ranges, actions;
    bool trim_next; /* the text that follows loses its blanks in front */
    struct strv vars;
};

/* All return -1 with the error set. */
int tmpl_parse_fail(struct tmpl_parser *p, size_t pos, const char *fmt, ...) PRINTF_FORMAT(3, 4);
void tmpl_parse_blanks(struct tmpl_parser *p);
bool tmpl_is_name(char c);
/* At `}}` or ` -}}`. */
bool tmpl_parse_at_end(const struct tmpl_parser *p);
/* Moves behind it. */
int tmpl_parse_end(struct tmpl_parser *p);
int tmpl_parse_pipe(struct tmpl_parser *p, bool in_range, const char *what, struct tmpl_pipe **ret);
/* "text" or `text` at the place. */
int tmpl_parse_string(struct tmpl_parser *p, struct tmpl_expr *e);

/* ---- values ------------------------------------------------------------------------------------ */

enum tmpl_kind { VAL_NIL, VAL_MISSING, VAL_BOOL, VAL_INT, VAL_FLOAT, VAL_STRING, VAL_LIST, VAL_MAP };

struct tmpl_value {
    enum tmpl_kind kind;
    bool truth;
    int64_t number;
    double real;
    const char *text; /* string; not terminated. VAL_MISSING: what was asked for, terminated */
    size_t len;
    const struct json *json, *shape; /* list, map */
    size_t from, to;                 /* list: the part of it */
    bool open;                       /* map: it may have any key */
};

struct tmpl_value tmpl_value_json(const struct json *j, const struct json *shape);
struct tmpl_value tmpl_value_int(int64_t v);
struct tmpl_value tmpl_value_bool(bool v);
struct tmpl_value tmpl_value_text(const char *s, size_t len);
bool tmpl_truth(const struct tmpl_value *v);
size_t tmpl_value_len(const struct tmpl_value *v); /* string, list, map */
struct tmpl_value tmpl_value_at(const struct tmpl_value *list, size_t i);
/* Keys in their order. Caller releases. */
void tmpl_value_keys(const struct tmpl_value *map, struct strv *ret);
/* False when there is no such field. */
bool tmpl_value_get(const struct tmpl_value *map, const char *name, unsigned flags, bool root,
                    struct tmpl_value *ret);
/* The name that was probably meant, or NULL. Caller frees. */
char *tmpl_value_nearest(const struct tmpl_value *map, const char *name, unsigned flags);
struct json *tmpl_value_to_json(const struct tmpl_value *v);
/* As Go calls it: "string", "[]interface {}". */
const char *tmpl_type_name(const struct tmpl_value *v);

/* ---- running ----------------------------------------------------------------------------------- */

struct tmpl_variable {
    const char *name;
    struct tmpl_value value;
};

struct tmpl_run {
    const struct tmpl *t;
    const struct tmpl_input *in;
    struct err *err;
    struct sbuf out;
    struct arena arena;
    size_t memory, steps;
    unsigned depth;
    struct tmpl_variable *vars;
    size_t n_vars, cap_vars;
    struct tmpl_value dot;
    char *unknown; /* with TMPL_KEEP_UNKNOWN: why the evaluation has ended */
    char *problem; /* the first of them */
    bool leave, again; /* {{break}}, {{continue}} */
};

int tmpl_run_fail(struct tmpl_run *r, size_t pos, const char *fmt, ...) PRINTF_FORMAT(3, 4);
/* Something that was named is not there. */
int tmpl_run_unknown(struct tmpl_run *r, size_t pos, const char *name, const char *nearest);
/* -1 when the template has worked too long. */
int tmpl_run_step(struct tmpl_run *r, size_t pos, size_t n);
/* Moves a text into the memory of the run. */
int tmpl_run_keep(struct tmpl_run *r, size_t pos, const struct sbuf *s, struct tmpl_value *ret);
int tmpl_eval_pipe(struct tmpl_run *r, const struct tmpl_pipe *p, struct tmpl_value *ret);
/* A key that a map does not have can be asked for, but not be used. */
int tmpl_eval_used(struct tmpl_run *r, size_t pos, const struct tmpl_value *v);

/* ---- functions --------------------------------------------------------------------------------- */

struct tmpl_call {
    size_t pos;
    const struct tmpl_value *args;
    size_t n;
};

struct tmpl_function {
    const char *name;
    unsigned min, max; /* number of values; max 0: any */
    bool takes_missing; /* a key that a map doesn't have is fine */
    int (*call)(struct tmpl_run *r, const struct tmpl_call *c, struct tmpl_value *ret);
};

enum { TMPL_FN_AND, TMPL_FN_OR }; /* the first two: they evaluate only what they need */
extern const struct tmpl_function tmpl_functions[];
extern const size_t tmpl_n_functions;

/* ---- Go's fmt ---------------------------------------------------------------------------------- */

/* As %v; in an action nothing is "<no value>". */
void tmpl_format_value(struct sbuf *out, const struct tmpl_value *v);
void tmpl_format(struct sbuf *out, const struct tmpl_value *format, const struct tmpl_value *args,
                 size_t n);
/* As Go's %q. */
void tmpl_format_quoted(struct sbuf *out, const char *s, size_t len);

#endif
