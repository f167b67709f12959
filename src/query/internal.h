/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: words, scopes, and the reader that writes a program of jq while
 * it reads an expression. */
#ifndef CIMA_QUERY_INTERNAL_H
#define CIMA_QUERY_INTERNAL_H

#include "base/sbuf.h"
#include "query/query.h"

/* ---- tokens (lex.c) ---------------------------------------------------------------------------
 * A text in quotes is one token only up to its opening quote: what is in it is read by the one who
 * asked, because expressions may stand in it. */

enum query_token_kind {
    QTOK_END,
    QTOK_WORD,   /* name, also of the form a::b */
    QTOK_FIELD,  /* .name */
    QTOK_VAR,    /* $name */
    QTOK_FORMAT, /* @name */
    QTOK_NUMBER, /* also .5, which is an index behind a value */
    QTOK_STRING, /* the opening quote */
    QTOK_OP,
    QTOK_BAD, /* what can't begin any token */
};

struct query_token {
    enum query_token_kind kind;
    size_t at, len; /* in the expression */
};

/* The token at or behind `at`, blanks and comments left out. */
struct query_token query_lex(const char *text, size_t at);
/* "`+=`", "a text", for messages; not of the end. Caller frees. */
char *query_token_words(const char *text, const struct query_token *t);
/* A key may go on here without a quote: letters, digits, _ and everything beyond ASCII. */
bool query_is_key_char(char c);

/* ---- functions (functions.c) ------------------------------------------------------------------ */

struct query_function {
    const char *name;
    unsigned arity;
    const char *jq; /* the name in jq or of the prelude; NULL: the same */
};

/* Of a function that may be called; NULL when there is none with so many arguments. */
const struct query_function *query_function_find(const char *name, unsigned arity);
/* Some function has this name. ret gets "1 or 2" when that is not NULL. */
bool query_function_known(const char *name, struct sbuf *ret_arities);
/* Why a word that jq or yq knows can't be used here, or NULL. */
const char *query_refusal(const char *word);
/* Names for suggestions, *ret_n of them. */
const char *const *query_function_names(size_t *ret_n);
/* The whole table, for tests. */
const struct query_function *query_functions(size_t *ret_n);

/* Definitions in jq of what the translation calls (prelude.c). */
extern const char query_prelude[];

/* ---- reading (parse.c, terms.c, text.c) ------------------------------------------------------- */

/* A part of the program that is being written. */
struct query_code {
    char *text;
    bool open;     /* needs parentheses as an operand */
    char *literal; /* the text that it is, when it is nothing else; or NULL */
};

#define _cleanup_query_code_ _cleanup_(query_code_release)
void query_code_release(struct query_code *c);

struct query_name {
    char *name;
    unsigned arity;
    bool variable;
};

struct query_parser {
    const char *text;
    struct query_token token; /* the one that comes next */
    unsigned depth;           /* expressions that are open */
    unsigned steps;           /* how much was read, also in vain */
    struct query_name *names; /* functions and variables in scope */
    size_t n_names, cap_names;
    struct err *err;
};

/* All of these return -1 with the error set. */

/* An error at a place of the expression. */
int query_fail(struct query_parser *p, size_t at, const char *fmt, ...) PRINTF_FORMAT(3, 4);
/* "unexpected …, …" at the next token, or that nothing comes any more; why may be NULL. */
int query_unexpected(struct query_parser *p, const char *why);
/* Adds to the error that was set. */
int query_fail_hint(struct query_parser *p, const char *fmt, ...) PRINTF_FORMAT(2, 3);

void query_next(struct query_parser *p);
/* Continues behind a place, with the token there. */
void query_seek(struct query_parser *p, size_t at);
bool query_at_op(const struct query_parser *p, const char *op);
bool query_at_word(const struct query_parser *p, const char *word);
int query_expect_op(struct query_parser *p, const char *op, const char *why);
int query_expect_word(struct query_parser *p, const char *word, const char *why);
/* Text of the next token, `skip` bytes left out. Caller frees. */
char *query_token_text(const struct query_parser *p, size_t skip);

/* One level deeper; every expression that can hold another does it. */
int query_enter(struct query_parser *p);
void query_leave(struct query_parser *p);

void query_define(struct query_parser *p, const char *name, unsigned arity, bool variable);
bool query_is_defined(const struct query_parser *p, const char *name, unsigned arity,
                      bool variable);
void query_forget(struct query_parser *p, size_t n_names);

void query_code_set(struct query_code *c, bool open, const char *fmt, ...) PRINTF_FORMAT(3, 4);
/* As an operand: in parentheses if it needs them. Caller frees. */
char *query_operand(const struct query_code *c);

/* a | b, definitions, bindings. */
int query_read_pipe(struct query_parser *p, struct query_code *ret);
/* Without | and commas. */
int query_read_assignment(struct query_parser *p, struct query_code *ret);
/* The value of an entry of a map: | but no commas. */
int query_read_entry_value(struct query_parser *p, struct query_code *ret);
/* A value with what follows it: keys, indices, ?. */
int query_read_source(struct query_parser *p, struct query_code *ret);
/* The same, and what `as` gives a name to it for. */
int query_read_postfix(struct query_parser *p, struct query_code *ret);
/* terms.c: one value. */
int query_read_term(struct query_parser *p, struct query_code *ret);
/* bind.c: behind `as`, and whole constructs that bind. */
int query_read_as(struct query_parser *p, const struct query_code *source, struct query_code *ret);
int query_read_reduce(struct query_parser *p, bool foreach, struct query_code *ret);
int query_read_def(struct query_parser *p, struct query_code *ret);
int query_read_label(struct query_parser *p, struct query_code *ret);
/* call.c: a word that is no keyword. */
int query_read_call(struct query_parser *p, struct query_code *ret);
/* object.c: behind `{`. */
int query_read_object(struct query_parser *p, struct query_code *ret);
/* text.c: a text in quotes. format: "@base64" or NULL. */
int query_read_string(struct query_parser *p, const char *format, struct query_code *ret);
/* A text as a JSON string. */
void query_add_quoted(struct sbuf *out, const char *text, size_t len);

bool query_is_keyword(const char *word);

#endif
