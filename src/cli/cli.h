/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: the environment they run in, opened when first asked for. */
#ifndef CIMA_CLI_CLI_H
#define CIMA_CLI_CLI_H

#include "cli/args.h"
#include "instance/instance.h"

struct cli {
    bool tty;  /* --tty, else standard output is a terminal: questions, columns cut to its width */
    bool tty_asked; /* --tty was given */
    bool live; /* a live progress line is welcome: not with --tty=false, --yes, JSON logs */
    bool debug;
    bool config_told; /* warnings of the configuration are shown by somebody else */
    /* below: only through cli_env */
    bool ready;
    struct host_facts host;
    struct store store;
    char *self;
    struct inst_env env;
};

void cli_release(struct cli *cli);
/* Home, host facts and our own path. NULL and err when the home can't be used. */
const struct inst_env *cli_env(struct cli *cli, struct err *err);

/* The instance of that name, "default" for NULL. */
int cli_find(struct cli *cli, const char *name, struct instance *ret, struct err *err);

/* One warning when we run as root, which is allowed. */
void cli_warn_root(void);

/* Report functions of the commands: notes become log lines, warnings show their place. */
extern const struct inst_report cli_report;
/* One warning as a log line: "file:line:col: message; hint: …". */
void cli_warn_diag(void *arg, const struct diag *d);

/* Calls fn for every word, also after a failure, but not after ERR_INTERRUPTED. The error is the
 * first one; the texts of others are its detail. */
typedef int cli_each_fn(struct cli *cli, const char *word, bool flag, struct err *err);
int cli_for_each(struct cli *cli, const struct strv *words, bool flag, cli_each_fn *fn,
                 struct err *err);

/* What [NAME|FILE] means. */
struct cli_target {
    bool is_template;
    struct instance inst;           /* an existing instance */
    struct template template_;      /* else what to make one from */
    char *name;                     /* … and its name */
};

#define CLI_TARGET_INIT                                                                            \
    {                                                                                              \
        false, INSTANCE_INIT, TEMPLATE_INIT, NULL                                                  \
    }
#define _cleanup_cli_target_ _cleanup_(cli_target_release)
void cli_target_release(struct cli_target *t);
/* For create: arg is a locator, NULL for template:default; name is --name, NULL or "" for the one
 * that the template suggests. The template is read, with its base templates in it. */
int cli_target_new(struct cli *cli, const char *arg, const char *name, struct cli_target *ret,
                   struct err *err);
/* For start: arg may also be the name of an instance. An unknown name is an error, never a new
 * instance; but for "default", which is made from template:default. */
int cli_target_find(struct cli *cli, const char *arg, const char *name, struct cli_target *ret,
                    struct err *err);

/* Shows how an image comes: in the live line, else as log lines. */
void cli_transfer(void *arg, const struct image_progress *p);
/* Makes an instance, with live progress on a terminal. */
int cli_create(struct cli *cli, const char *name, const struct template *t,
               struct instance *ret, struct err *err);
/* Starts the instance and says how it goes: live progress on a terminal, log lines elsewhere, the
 * READY line and the instance's message. */
int cli_start(struct cli *cli, const struct instance *i, int64_t timeout_ms, bool progress,
              struct err *err);
/* Stops it, with live progress on a terminal. */
int cli_stop(struct cli *cli, const struct instance *i, bool force, struct err *err);
/* Gracefully, and by force what has not ended after limit_ms (0: no such limit). */
int cli_stop_within(struct cli *cli, const struct instance *i, int64_t limit_ms, struct err *err);
/* The value of --timeout. */
int64_t cli_timeout(const struct args *args);
/* Columns of the terminal on fd; 0 when it is none. */
unsigned cli_columns(int fd);

/* Options and positionals that several commands share, for their tables. */
#define CLI_OPTION_FORCE_STOP                                                                      \
    {                                                                                              \
        .name = "force", .short_name = 'f', .kind = VALUE_BOOL,                                    \
        .help = "Kill the machine instead of asking its guest to shut down"                        \
    }
#define CLI_OPTION_NAME                                                                            \
    {                                                                                              \
        .name = "name", .kind = VALUE_TEXT, .metavar = "NAME", .default_text = "the file's name",  \
        .help = "Name of the instance"                                                             \
    }
#define CLI_OPTION_PROGRESS                                                                        \
    {                                                                                              \
        .name = "progress", .kind = VALUE_BOOL,                                                    \
        .help = "Log every stage of the start as a line, also on a terminal"                       \
    }
#define CLI_OPTION_TIMEOUT                                                                         \
    {                                                                                              \
        .name = "timeout", .kind = VALUE_DURATION, .metavar = "TIME", .default_text = "10m0s",     \
        .help = "How long to wait for the instance to be ready"                                    \
    }

#endif
