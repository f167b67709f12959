/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef CIMA_CIDATA_INTERNAL_H
#define CIMA_CIDATA_INTERNAL_H

#include "cidata/cidata.h"
#include "base/sbuf.h"
#include "base/strv.h"

/* The user-mode network as every guest sees it (NW-02). */
#define SLIRP_GATEWAY "192.168.5.2"
#define SLIRP_DNS     "192.168.5.3"
#define SLIRP_GUEST   "192.168.5.15"

/* ---- embedded.c, made by embed.sh from scripts/ --------------------------------------------- */
struct embedded_file {
    const char *name;
    const char *data;
    size_t len;
};
extern const struct embedded_file embedded_files[];
extern const size_t embedded_files_count;

/* ---- encode.c: one encoder per format ------------------------------------------------------- */
/* Appends a double-quoted YAML scalar that reads back as the text. -1 with err when the text is not
 * UTF-8; `what` names it in the message. */
int yaml_add_quoted(struct sbuf *out, const char *text, const char *what, struct err *err);
/* The same as an item of a list, with its line. */
int yaml_add_item(struct sbuf *out, const char *indent, const char *text, const char *what,
                  struct err *err);
/* Appends "NAME=value\n". -1 with err when the value can't stand on one line or the name is none.
 */
int env_add(struct sbuf *out, const char *name, const char *value, struct err *err);
int env_addf(struct sbuf *out, struct err *err, const char *name, const char *fmt, ...)
    PRINTF_FORMAT(4, 5);
/* A field of fstab: blanks, tabs and backslashes as octal escapes. Caller frees. */
char *fstab_escape(const char *text);
/* Refuses control characters, and the characters of `also`. */
int check_one_line(const char *what, const char *text, const char *also, struct err *err);

/* ---- the parts of the seed ------------------------------------------------------------------ */
/* Name servers of the guest as items of a list: those of the YAML, else QEMU's. */
int cidata_add_name_servers(const struct config_instance *cfg, const char *indent, struct sbuf *out,
                            struct err *err);
int cidata_user_data(const struct cidata_input *in, struct sbuf *out, struct err *err);
int cidata_network_config(const struct cidata_input *in, struct sbuf *out, struct err *err);
/* " MAC=NAME" for every interface with a name in ASCII, as words of a shell. */
int cidata_nic_words(const struct cidata_input *in, struct sbuf *out, struct err *err);
int cidata_lima_env(const struct cidata_input *in, struct sbuf *out, struct err *err);
int cidata_param_env(const struct cidata_input *in, struct sbuf *out, struct err *err);
/* `env` of the YAML and the proxy settings (GS-12). */
int cidata_etc_environment(const struct cidata_input *in, struct sbuf *out, struct err *err);
/* Content of the one of our scripts; it exists. */
const struct embedded_file *cidata_script(const char *name);

#endif
