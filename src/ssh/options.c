/* SPDX-License-Identifier: Apache-2.0 */
/* The options of every ssh of ours (GS-13), once: as arguments and as ssh.config. Nothing of the
 * user's own configuration takes part (F23): no files (-F), no agent unless it is to be forwarded,
 * only our key. */
#include "ssh/ssh.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/spawn.h"
#include <ctype.h>

#define AES_CIPHERS "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"

void ssh_target_release(struct ssh_target *t)
{
    free(t->host);
    free(t->user);
    free(t->identity);
    free(t->control_path);
    *t = (struct ssh_target){0};
}

void ssh_target_init(struct ssh_target *ret, const struct store *s, const struct instance *i,
                     const struct config_instance *cfg, uint16_t port)
{
    *ret = (struct ssh_target){
        .host = xstrdup("127.0.0.1"),
        .port = port,
        .user = xstrdup(cfg->user.name ? cfg->user.name : ""),
        .identity = store_config_path(s, "user"),
        .control_path = instance_path(i, INST_SSH_SOCK),
        .aes = host_cpu_has_aes(),
        .forward_agent = cfg->ssh.forward_agent == TRI_TRUE,
        .forward_x11 = cfg->ssh.forward_x11 == TRI_TRUE,
        .forward_x11_trusted = cfg->ssh.forward_x11_trusted == TRI_TRUE,
    };
}

struct option {
    const char *name;
    char *value; /* as it stands in a configuration file */
};

struct options {
    struct option v[32];
    size_t n;
};

static void options_release(struct options *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->v[i].value);
}

static void add(struct options *o, const char *name, char *value)
{
    if (o->n < ARRAY_SIZE(o->v))
        o->v[o->n++] = (struct option){name, value};
    else
        free(value);
}

static void add_const(struct options *o, const char *name, const char *value)
{
    add(o, name, xstrdup(value));
}

/* A path as ssh_config reads it: in quotes, "%" doubled, quote and backslash escaped. "${" can't be
 * escaped there. */
static int add_path(struct options *o, const char *name, const char *path, struct err *err)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    if (strstr(path, "${")) {
        err_set(err, ERR_UNSUPPORTED, "ssh can't use the path '%s': \"${\" means a variable there",
                path);
        return err_hint(err, "set CIMA_HOME to another directory");
    }
    sbuf_addch(&s, '"');
    for (const char *p = path; *p; p++) {
        if (iscntrl((unsigned char)*p))
            return err_set(err, ERR_UNSUPPORTED, "ssh can't use a path with control characters");
        if (*p == '%')
            sbuf_addch(&s, '%');
        if (*p == '"' || *p == '\\')
            sbuf_addch(&s, '\\');
        sbuf_addch(&s, *p);
    }
    sbuf_addch(&s, '"');
    add(o, name, sbuf_detach(&s));
    return 0;
}

/* Names go without quotes: what would need them is no user name (S11). */
static int check_user(const char *user, struct err *err)
{
    bool good = *user && *user != '-';
    for (const char *p = user; *p; p++)
        if (iscntrl((unsigned char)*p) || strchr(" \"'\\%$`;&|<>(){}*?#!,:", *p))
            good = false;
    if (good)
        return 0;
    _cleanup_sbuf_ struct sbuf shown = SBUF_INIT;
    sbuf_add_printable(&shown, user, strlen(user));
    err_set(err, ERR_CONFIG, "\"%s\" can't be used as a user name with ssh", sbuf_str(&shown));
    return err_hint(err, "set `user.name` to letters, digits, '-', '_' and '.'");
}

static void add_control(struct options *o, const struct ssh_target *t, enum ssh_master master,
                        struct err *err, int *r)
{
    static const struct {
        const char *control_master, *persist;
    } modes[] = {
        [SSH_MASTER_AUTO] = {"auto", "yes"},
        /* Not -M beside it: given twice, it asks for a confirmation of every session. */
        [SSH_MASTER_FOREGROUND] = {"yes", "no"},
        [SSH_MASTER_USE] = {"no", "no"},
    };

    if (master == SSH_MASTER_NONE)
        return;
    add_const(o, "ControlMaster", modes[master].control_master);
    *r = add_path(o, "ControlPath", t->control_path, err);
    add_const(o, "ControlPersist", modes[master].persist);
}

static int make_options(const struct ssh_target *t, enum ssh_master master, struct options *o,
                        struct err *err)
{
    if (check_user(t->user, err) < 0 || add_path(o, "IdentityFile", t->identity, err) < 0)
        return -1;
    /* The host key of a guest is made at its first boot, and the port belongs to another instance
     * tomorrow; nobody but QEMU listens on it. */
    add_const(o, "StrictHostKeyChecking", "no");
    add_const(o, "UserKnownHostsFile", "/dev/null");
    add_const(o, "NoHostAuthenticationForLocalhost", "yes");
    add_const(o, "PreferredAuthentications", "publickey");
    add_const(o, "Compression", "no");
    add_const(o, "BatchMode", "yes");
    add_const(o, "IdentitiesOnly", "yes");
    add_const(o, "GSSAPIAuthentication", "no");
    if (t->aes)
        add(o, "Ciphers", xasprintf("\"%s\"", AES_CIPHERS));
    /* With IdentitiesOnly ssh still asks the agent which keys it has, and waits for the answer. */
    if (t->forward_agent)
        add_const(o, "ForwardAgent", "yes");
    else
        add_const(o, "IdentityAgent", "none");
    if (t->forward_x11)
        add_const(o, "ForwardX11", "yes");
    if (t->forward_x11_trusted)
        add_const(o, "ForwardX11Trusted", "yes");
    add_const(o, "User", t->user);
    int r = 0;
    add_control(o, t, master, err, &r);
    return r;
}

int ssh_program(struct strv *ret, struct err *err)
{
    const char *set = getenv("SSH");
    if (str_empty(set)) {
        strv_push(ret, "ssh");
        return 0;
    }
    _cleanup_strv_ struct strv words = STRV_INIT;
    if (strv_split_shell(&words, set) < 0 || words.n == 0 || !*words.v[0]) {
        err_set(err, ERR_USAGE, "cannot understand the environment variable SSH: '%s'", set);
        return err_hint(err, "write the command as in a shell, with its quotes closed");
    }
    strv_extend(ret, &words);
    return 0;
}

int ssh_check_program(struct err *err)
{
    _cleanup_strv_ struct strv words = STRV_INIT;

    if (ssh_program(&words, err) < 0)
        return -1;
    _cleanup_free_ char *path = find_program(words.v[0]);
    if (path)
        return 0;
    err_set(err, ERR_NOT_FOUND, "the program '%s' was not found or can't be executed", words.v[0]);
    return err_hint(err, "install the OpenSSH client, or set SSH to the program to use");
}

int ssh_base_argv(const struct ssh_target *t, enum ssh_master master, struct strv *ret,
                  struct err *err)
{
    _cleanup_(options_release) struct options o = {.n = 0};
    _cleanup_strv_ struct strv argv = STRV_INIT;
    if (ssh_program(&argv, err) < 0 || make_options(t, master, &o, err) < 0)
        return -1;
    strv_pushl(&argv, "-F", "/dev/null", NULL);
    for (size_t i = 0; i < o.n; i++) {
        strv_push(&argv, "-o");
        strv_pushf(&argv, "%s=%s", o.v[i].name, o.v[i].value);
    }
    strv_push(&argv, "-p");
    strv_pushf(&argv, "%u", t->port);
    strv_extend(ret, &argv);
    return 0;
}

int ssh_options(const struct ssh_target *t, struct strv *ret, struct err *err)
{
    _cleanup_(options_release) struct options o = {.n = 0};
    if (make_options(t, SSH_MASTER_AUTO, &o, err) < 0)
        return -1;
    for (size_t i = 0; i < o.n; i++)
        strv_pushf(ret, "%s=%s", o.v[i].name, o.v[i].value);
    strv_pushf(ret, "Hostname=%s", t->host);
    strv_pushf(ret, "Port=%u", t->port);
    return 0;
}

int ssh_write_config(const struct ssh_target *t, const struct instance *i, struct err *err)
{
    _cleanup_(options_release) struct options o = {.n = 0};
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;
    _cleanup_free_ char *path = instance_path(i, INST_SSH_CONFIG);
    if (make_options(t, SSH_MASTER_AUTO, &o, err) < 0)
        return err_wrap(err, "cannot write '%s'", path);
    sbuf_addf(&text,
              "# For programs that want to reach this instance: ssh -F '%s' lima-%s\n"
              "# cima writes this file anew at every start and does not read it.\n",
              path, i->name);
    sbuf_addf(&text, "Host lima-%s\n", i->name);
    for (size_t k = 0; k < o.n; k++)
        sbuf_addf(&text, "  %s %s\n", o.v[k].name, o.v[k].value);
    sbuf_addf(&text, "  Hostname %s\n  Port %u\n", t->host, t->port);
    /* Made anew at every start. */
    return file_write_unsynced(path, text.buf, text.len, 0600, err);
}
