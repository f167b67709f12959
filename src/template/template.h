/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML that an instance is made from: where it is (locators), and how it becomes one text with
 * the base templates and files that it names. */
#ifndef CIMA_TEMPLATE_TEMPLATE_H
#define CIMA_TEMPLATE_TEMPLATE_H

#include "base/err.h"
#include "image/image.h"
#include "store/store.h"

struct yaml_places;

enum {
    TEMPLATE_MAX = 4 << 20,        /* bytes: more than this is no instance YAML */
    TEMPLATE_TOTAL_MAX = 16 << 20, /* of all that one template brings in … */
    TEMPLATE_COUNT_MAX = 256,      /* … files altogether … */
    TEMPLATE_DEPTH_MAX = 32,       /* … one below the other */
};

struct template
{
    char *locator; /* for messages: as given, or "<stdin>" */
    char *base; /* where relative locators start: a directory, or "https://…/", "template:…" */
    char *name; /* the instance's name that it suggests, not checked; NULL for standard input */
    char *text;
    size_t len;
    struct yaml_places *places; /* where the parts of the text come from; NULL: all of it is the
                                 * template's own */
    bool from_stdin, remote;
};

#define TEMPLATE_INIT                                                                              \
    {                                                                                              \
        NULL, NULL, NULL, NULL, 0, NULL, false, false                                              \
    }
#define _cleanup_template_ _cleanup_(template_release)
void template_release(struct template *t);

/* Borrowed. */
struct template_env {
    const struct store *store; /* for _templates and _config/base.yaml; NULL: neither */
    const struct host_facts *host;
    const struct image_report *report; /* of downloads; may be NULL */
};

/* Reads what the locator means:
 *   -                     standard input
 *   PATH, file:///PATH
 *   http://…, https://…   at most TEMPLATE_MAX; a web page is refused
 *   template:NAME         of the templates directories (search.c)
 *   github:…, SCHEME:…    what they stand for (template_resolve)
 *   an image              a YAML that has nothing but it
 * ERR_NOT_FOUND with what may have been meant. */
int template_read(const struct template_env *env, const char *locator, struct template *ret,
                  struct err *err);
/* A warning for what comes over the network in the clear, when no digest says what it must be. */
void template_warn_plain(const struct template_env *env, const char *locator);
/* What a locator stands for: github: becomes an https URL, the schemes of plugins (programs
 * cima-url-SCHEME, limactl-url-SCHEME) what their program says, template://NAME template:NAME;
 * others stay. Caller frees. */
char *template_resolve(const struct template_env *env, const char *locator, struct err *err);

/* A file of this host that is edited where it is; neither URL nor name. */
int template_read_file(const char *path, struct template *ret, struct err *err);
/* *ret is empty before. */
void template_copy(struct template *ret, const struct template *t);

enum template_embed {
    TEMPLATE_EMBED_ALL = 1 << 0,    /* also what is named as template:NAME */
    TEMPLATE_DEFAULT_BASE = 1 << 1, /* _config/base.yaml in front of the others */
};
/* Puts the base templates and the files of provision[] and probes[] into the text, and combines
 * entries of the same name (rule B). Every byte of the template's own stays, comments included, but
 * for what is replaced. Problems have their places in the files that they are in. */
int template_embed(const struct template_env *env, struct template *t, unsigned what,
                   struct err *err);
/* Relative locators of base, provision[].file, probes[].file become absolute, and those of images
 * with their kernel and initrd, too, if `images`. */
int template_make_absolute(const struct template_env *env, struct template *t, bool images,
                           struct err *err);
/* The text was changed: the parts of it that are as they were keep their places. Takes text over.
 */
void template_set_text(struct template *t, char *text, size_t len);

struct template_entry {
    char *name, *path;
    char *summary; /* the first line of its comment; "" when it has none */
};
/* Templates of all directories, by name; the one that template:NAME means. Names with a part that
 * begins with '_' are building blocks and left out, unless all. */
void template_list(const struct store *s, bool all, struct template_entry **ret, size_t *ret_n);
void template_list_free(struct template_entry *v, size_t n);
/* The file of template:NAME. Caller frees. */
char *template_find(const struct store *s, const char *name, struct err *err);

#endif
