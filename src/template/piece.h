/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share; nobody else includes it. A template on its way to be part of
 * another one. */
#ifndef CIMA_TEMPLATE_PIECE_H
#define CIMA_TEMPLATE_PIECE_H

#include "base/err.h"
#include "template/template.h"
#include "yaml/doc.h"
#include "yaml/edit.h"
#include "yaml/places.h"

struct piece {
    char *locator; /* for messages */
    char *base;    /* where relative locators start (locator_base) */
    char *id;      /* the same for the same file, however it was written; NULL: can't come again */
    bool from_stdin;
    bool remote; /* came over the network: no business with the files of this host */
    struct yaml_doc *doc;
    struct yaml_places *places; /* NULL: doc is as it was read */
};

#define PIECE_INIT                                                                                 \
    {                                                                                              \
        NULL, NULL, NULL, false, false, NULL, NULL                                                 \
    }
#define _cleanup_piece_ _cleanup_(piece_release)
void piece_release(struct piece *p);

/* The text becomes the piece's document. */
int piece_parse(struct piece *p, const char *text, size_t len, struct err *err);
/* The root as a mapping; NULL for a document without content. */
const struct yaml_node *piece_root(const struct piece *p);

/* Finds out for each node of the new document where it comes from. */
typedef void piece_places_fn(struct yaml_places *to, const struct yaml_node *root, void *arg);
/* The new text takes the place of the old one. */
int piece_replace(struct piece *p, const char *text, size_t len, piece_places_fn *fn, void *arg,
                  struct err *err);
/* The node in the new document comes from the node of the piece, with all that is in it. Keys and
 * items that the old one does not have get no place. False when the two do not say the same. */
bool piece_follow(struct yaml_places *to, const struct yaml_node *at, const struct piece *from,
                  const struct yaml_node *old);
/* The node itself, not what is in it. */
void piece_place(struct yaml_places *to, const struct yaml_node *at, const struct piece *from,
                 const struct yaml_node *old);
/* Where a node of the piece comes from, through all that was done to it. */
const struct yaml_node *piece_origin(const struct piece *p, const struct yaml_node *node,
                                     struct yaml_doc **ret_doc);

/* Pairs of a mapping by their keys, for mappings that may be large. */
struct pairs {
    const struct yaml_node *map;
    const struct yaml_pair **v; /* sorted; NULL for a small mapping */
};
#define _cleanup_pairs_ _cleanup_(pairs_release)
void pairs_init(struct pairs *p, const struct yaml_node *map);
void pairs_release(struct pairs *p);
const struct yaml_pair *pairs_find(const struct pairs *p, const char *key);

/* For each of the texts the index of the first one that is the same, its own for the first one and
 * for NULL. Caller frees. */
size_t *first_of_same(const char *const *texts, size_t n);

/* sha256:…, sha384:…, sha512:… of exactly these bytes (digest.c). */
int template_check_digest(const char *digest, const char *text, size_t len, struct err *err);

/* What a locator means as bytes: as template_read, but a name that looks like a disk image is a
 * file as any other, and nothing is said about an empty one. */
int template_fetch(const struct template_env *env, const char *locator, struct template *ret,
                   struct err *err);

/* ---- what a template refers to (refs.c) ------------------------------------------------------ */

/* A text, or a mapping with url and digest. */
struct ref {
    struct yaml_doc *doc;         /* the one that has it, whatever becomes of its template … */
    const struct yaml_node *node; /* … and the locator in it; NULL for _config/base.yaml */
    char *path;                   /* "base[1]" */
    char *locator;                /* absolute */
    char *digest;                 /* NULL: none */
};
struct refs {
    struct ref *v;
    size_t n, cap;
};
#define REFS_INIT                                                                                  \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }
#define _cleanup_refs_ _cleanup_(refs_release)
void refs_release(struct refs *r);
/* Adds what the node says. *err gets a place in p. */
int refs_add(struct refs *r, const struct template_env *env, const struct piece *p,
             const struct yaml_node *node, const char *path, struct err *err);
/* Of `base`: nothing, one, or a list. */
int refs_of_base(struct refs *r, const struct template_env *env, const struct piece *p,
                 struct err *err);
/* What a template from the net (remote) must not do: bring files of this host into the text.
 * ERR_PERMISSION. To be asked again of what a plugin has made of a locator. */
int refs_check_source(bool remote, const char *locator, struct err *err);
/* why becomes an error that has the place of the reference. Returns -1. */
int refs_problem(const struct ref *ref, struct err *why, struct err *err);

/* ---- the text of one template (rewrite.c) ---------------------------------------------------- */

/* What one template has brought in so far, itself included. */
struct spent {
    size_t bytes, files;
};

enum rewrite {
    REWRITE_BASE = 1 << 0,   /* `base` goes; without it, its locators become absolute */
    REWRITE_IMAGES = 1 << 1, /* relative locations of images become absolute */
    REWRITE_FILES = 1 << 2,  /* files of provision[] and probes[] come into the text … */
    REWRITE_ALL = 1 << 3,    /* … also those that are named as template:NAME */
};
/* Files whose texts are not taken in get absolute locators. */
int piece_rewrite(struct piece *p, const struct template_env *env, unsigned what,
                  struct spent *spent, struct err *err);

/* Neither keys nor comments are in it. */
bool piece_is_blank(const struct piece *p);
/* Rule B: what a lacks comes from b (merge.c); all of its text if a is blank. */
int piece_merge(struct piece *a, const struct piece *b, struct err *err);
/* Later entries of additionalDisks, mounts and networks fill earlier ones of the same name
 * (combine.c). */
int piece_combine(struct piece *p, struct err *err);

#endif
