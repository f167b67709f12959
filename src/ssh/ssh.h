/* SPDX-License-Identifier: Apache-2.0 */
/* The system's OpenSSH as cima uses it: key, options (GS-13), ssh.config, command lines. */
#ifndef CIMA_SSH_SSH_H
#define CIMA_SSH_SSH_H

#include "config/config.h"
#include "store/store.h"

struct ssh_target {
    char *host;      /* "127.0.0.1" */
    uint16_t port;
    char *user;
    char *identity;  /* path of the private key */
    char *control_path; /* <dir>/ssh.sock */
    bool aes;        /* the CPU has AES: prefer AES-GCM */
    bool forward_agent, forward_x11, forward_x11_trusted;
};

#define _cleanup_ssh_target_ _cleanup_(ssh_target_release)
void ssh_target_release(struct ssh_target *t);
void ssh_target_init(struct ssh_target *ret, const struct store *s, const struct instance *i,
                     const struct config_instance *cfg, uint16_t port);

/* Makes _config/user and user.pub (ssh-keygen -t ed25519, under a lock) when missing. */
int ssh_ensure_key(const struct store *s, struct err *err);
/* Public keys for the guest: _config/user.pub, and ~/.ssh/ *.pub with loadDotSSHPubKeys. */
int ssh_public_keys(const struct store *s, const struct config_instance *cfg,
                    const struct host_facts *host, struct strv *ret, struct err *err);

enum ssh_master {
    SSH_MASTER_AUTO,       /* use the master; without one become one that stays (ControlPersist) */
    SSH_MASTER_NONE,       /* a connection of its own, which nobody shares */
    SSH_MASTER_FOREGROUND, /* be the master, while the session lasts. The caller adds a command or
                            * -N */
    SSH_MASTER_USE,        /* use the master if there is one, never become one: for our own jobs */
};
/* Is there an ssh program to run? Asked before a machine boots that nobody could reach. */
int ssh_check_program(struct err *err);
/* The ssh program ($SSH split as a shell would, else "ssh") and `-F /dev/null -o … -p PORT`. */
int ssh_base_argv(const struct ssh_target *t, enum ssh_master master, struct strv *ret,
                  struct err *err);
/* The words of the ssh program: $SSH split as a shell would, else "ssh". */
int ssh_program(struct strv *ret, struct err *err);
/* What stands in ssh.config, as "Name=value" texts, Hostname and Port last. */
int ssh_options(const struct ssh_target *t, struct strv *ret, struct err *err);
/* ssh.config of the instance, host alias lima-NAME (0600). */
int ssh_write_config(const struct ssh_target *t, const struct instance *i, struct err *err);

#endif
