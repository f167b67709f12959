/* SPDX-License-Identifier: Apache-2.0 */
/* The seed: what the guest is told at boot (spec GS-01 to GS-08). Planning is pure; writing the ISO
 * is a helper program's work (libarchive stays out of the main program). */
#ifndef CIMA_CIDATA_CIDATA_H
#define CIMA_CIDATA_CIDATA_H

#include "config/config.h"

struct cidata_file {
    char *name;     /* "boot.Linux/05-guest-home.sh" */
    char *data;
    size_t len;
    unsigned mode;  /* 0644, 0755 */
};

struct cidata {
    struct cidata_file *v;
    size_t n, cap;
    char *iid;      /* LIMA_CIDATA_IID: id of this boot, what the markers must hold */
    const char *label; /* of the volume, static, at most 32 bytes; NULL: "cidata" */
};

#define _cleanup_cidata_ _cleanup_(cidata_release)
void cidata_release(struct cidata *c);

struct cidata_input {
    const struct config_instance *cfg;
    const char *instance_name;
    const char *instance_dir;
    const struct host_facts *host;
    const char *const *ssh_keys;     /* public keys, one line each */
    size_t n_ssh_keys;
    const char *boot_id;             /* unique per start; becomes iid */
    const char *const *proxy_env;    /* NAME=value of the host, NULL-terminated; may be NULL */
    uint16_t udp_dns_port, tcp_dns_port; /* 0: no DNS service on the host */
    bool debug;                      /* the boot scripts trace what they do */
};

/* All files of the seed, in order. No I/O but the caCerts files of the host that cfg names. */
int cidata_plan(const struct cidata_input *in, struct cidata *ret, struct err *err);
/* The file of that name, such as "user-data"; NULL: there is none. */
const struct cidata_file *cidata_find(const struct cidata *c, const char *name);
/* Another form of a seed, for guests that know OpenStack's: volume config-2 with
 * openstack/latest/{meta_data.json,user_data}. *ret is empty before. */
void cidata_config_drive(const char *meta_data, const char *user_data, struct cidata *ret);
/* Writes the ISO 9660 image (Rock Ridge, the seed's label, 0600) in one step (temporary file,
 * rename). */
int cidata_write_iso(const struct cidata *c, const char *path, struct err *err);

#endif
