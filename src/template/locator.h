/* SPDX-License-Identifier: Apache-2.0 */
/* What a word says about where a template is; by text only, nothing is looked at. */
#ifndef CIMA_TEMPLATE_LOCATOR_H
#define CIMA_TEMPLATE_LOCATOR_H

#include "base/err.h"

enum locator_kind {
    LOCATOR_NONE,     /* an empty text */
    LOCATOR_STDIN,    /* "-" */
    LOCATOR_PATH,     /* a path */
    LOCATOR_FILE_URL, /* file://… */
    LOCATOR_HTTP,     /* http://…, https://… */
    LOCATOR_TEMPLATE, /* template:NAME, template://NAME */
    LOCATOR_GITHUB,   /* github:ORG[/REPO[/PATH]][@BRANCH] */
    LOCATOR_SCHEME,   /* another SCHEME:REST, for a plugin */
};

enum locator_kind locator_kind(const char *text);
/* What follows "SCHEME:"; the text itself when there is no scheme. Points into text. */
const char *locator_rest(const char *text);
/* The scheme in lower case, NULL without one. Caller frees. */
char *locator_scheme(const char *text);
/* The NAME of template:NAME without slashes in front. Points into text. */
const char *locator_template_name(const char *text);
/* The path of a file://… URL; NULL when it is not absolute. Points into text. */
const char *locator_file_path(const char *text);

/* Where relative locators in this template start: a directory, "https://…/", "template:" or
 * "template:dir/"; cwd (absolute) is for paths. Caller frees. */
char *locator_base(const char *text, const char *cwd);
/* The locator as it is meant in a template whose relative locators start in base. Segments ".."
 * are refused: what a template uses stands beside or below it (S13). home is for "~/…". Caller
 * frees. */
char *locator_join(const char *base, const char *text, const char *home, struct err *err);
/* Is it a place of this host (a path, file://…)? */
bool locator_is_local(const char *text);
/* Does it come over the network in the clear, from another host? Whoever is in between could change
 * it (S08). */
bool locator_is_plain_http(const char *text);

/* The name that a YAML file suggests for its instance: its file name in lower case without .yaml or
 * .yml. Caller frees. */
char *locator_yaml_name(const char *text);

/* ---- disk images in the place of a template -------------------------------------------------- */

/* Ends as a disk image does: .img .qcow2 .raw .iso .ipsw, also compressed. */
bool locator_is_image(const char *text);
/* The architecture that a word in it names, that of all macOS guests, else NULL. */
const char *locator_image_arch(const char *text);
/* The operating system that it names, else "Linux". */
const char *locator_image_os(const char *text);
/* The name that it suggests: without what many images' names have in common, without a date, and
 * without arch when that is the host's. Caller frees. */
char *locator_image_name(const char *text, const char *arch, const char *host_arch);
/* A YAML that has nothing but this image. Caller frees. */
char *locator_image_yaml(const char *text, const char *arch);

/* ---- GitHub ---------------------------------------------------------------------------------- */

#define GITHUB_DEFAULT_FILE ".lima.yaml"

struct github_place {
    char *org, *repo, *path;
    char *branch; /* NULL: the default one */
};
#define GITHUB_PLACE_INIT                                                                          \
    {                                                                                              \
        NULL, NULL, NULL, NULL                                                                     \
    }
#define _cleanup_github_place_ _cleanup_(github_place_release)
void github_place_release(struct github_place *p);
/* Of what follows "github:". REPO is ORG when it is not there, PATH is .lima.yaml; a PATH with a
 * final slash is a directory with that file; a file name without an ending gets .yaml. */
int github_place_parse(const char *rest, struct github_place *ret, struct err *err);

#endif
