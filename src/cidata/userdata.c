/* SPDX-License-Identifier: Apache-2.0 */
/* user-data for cloud-init (GS-04). Block style throughout, one key per line and every text from
 * outside in double quotes: a guest without cloud-init (test/guest/mini) reads it line by line. */
#include "cidata/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"

#define CA_CERT_MAX (1u << 20)

const struct embedded_file *cidata_script(const char *name)
{
    for (size_t i = 0; i < embedded_files_count; i++)
        if (streq(embedded_files[i].name, name))
            return &embedded_files[i];
    return NULL;
}

int cidata_add_name_servers(const struct config_instance *cfg, const char *indent, struct sbuf *out,
                            struct err *err)
{
    if (!cfg->dns_count)
        return yaml_add_item(out, indent, SLIRP_DNS, "dns", err);
    for (unsigned i = 0; i < cfg->dns_count; i++)
        if (yaml_add_item(out, indent, cfg->dns[i], "dns", err) < 0)
            return -1;
    return 0;
}

/* "KEY: "VALUE"\n" */
static int add_pair(struct sbuf *out, const char *indent, const char *key, const char *value,
                    struct err *err)
{
    sbuf_addf(out, "%s%s: ", indent, key);
    if (yaml_add_quoted(out, value, key, err) < 0)
        return -1;
    sbuf_addch(out, '\n');
    return 0;
}

/* A script of ours as a literal block: it has no tab or blank at the start of its first line. */
static void add_literal(struct sbuf *out, const char *indent, const struct embedded_file *f)
{
    sbuf_addstr(out, "|\n");
    for (const char *p = f->data, *end = f->data + f->len; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        size_t n = eol ? (size_t)(eol - p) : (size_t)(end - p);
        if (n) {
            sbuf_addstr(out, indent);
            sbuf_add(out, p, n);
        }
        sbuf_addch(out, '\n');
        p += n + 1;
    }
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

/* ---- user-data ------------------------------------------------------------------------------ */

static int add_user(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    const struct config_user *u = &in->cfg->user;
    /* These become a line of passwd. */
    if (check_one_line("user.name", or_empty(u->name), ": \t,", err) < 0 ||
        check_one_line("user.comment", or_empty(u->comment), ":", err) < 0 ||
        check_one_line("user.home", or_empty(u->home), ":", err) < 0 ||
        check_one_line("user.shell", or_empty(u->shell), ":", err) < 0)
        return -1;
    sbuf_addstr(out, "users:\n");
    sbuf_addstr(out, "  - name: ");
    if (yaml_add_quoted(out, or_empty(u->name), "user.name", err) < 0)
        return -1;
    sbuf_addf(out, "\n    uid: %lld\n", (long long)u->uid);
    if ((!str_empty(u->comment) && add_pair(out, "    ", "gecos", u->comment, err) < 0) ||
        add_pair(out, "    ", "homedir", or_empty(u->home), err) < 0 ||
        add_pair(out, "    ", "shell", or_empty(u->shell), err) < 0)
        return -1;
    sbuf_addf(out, "    sudo: \"ALL=(ALL) %sALL\"\n",
              u->passwordless_sudo == TRI_FALSE ? "" : "NOPASSWD:");
    sbuf_addstr(out, "    lock_passwd: true\n");
    if (in->n_ssh_keys)
        sbuf_addstr(out, "    ssh_authorized_keys:\n");
    for (size_t i = 0; i < in->n_ssh_keys; i++)
        if (check_one_line("the ssh public key", in->ssh_keys[i], "", err) < 0 ||
            yaml_add_item(out, "      ", in->ssh_keys[i], "the ssh public key", err) < 0)
            return -1;
    return 0;
}

static char *ninep_options(const struct config_mount *m, struct err *err)
{
    bool rw = m->writable == TRI_TRUE;
    uint64_t msize;
    const char *text = m->ninep.msize ? m->ninep.msize : "128KiB";
    if (parse_size(text, &msize) < 0) {
        err_set(err, ERR_CONFIG, "field `msize` has an invalid value: `%s`", text);
        return NULL;
    }
    return xasprintf("%s,trans=virtio,version=%s,msize=%llu,cache=%s,nofail", rw ? "rw" : "ro",
                     m->ninep.protocol_version ? m->ninep.protocol_version : "9p2000.L",
                     (unsigned long long)msize,
                     m->ninep.cache ? m->ninep.cache
                     : rw           ? "mmap"
                                    : "fscache");
}

/* One line of fstab as cloud-init's list of its fields. */
static int add_mount(const struct config_mount *m, bool ninep, struct sbuf *out, struct err *err)
{
    _cleanup_free_ char *tag = config_mount_tag(m);
    _cleanup_free_ char *point = fstab_escape(or_empty(m->mount_point));
    _cleanup_free_ char *options =
        ninep ? ninep_options(m, err)
              : xasprintf("%s,nofail", m->writable == TRI_TRUE ? "rw" : "ro");
    if (!options || check_one_line("the options of a mount", options, " ", err) < 0)
        return -1;
    const char *const fields[] = {tag, point, ninep ? "9p" : "virtiofs", options, "0", "0"};
    sbuf_addstr(out, "  - [");
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        sbuf_addstr(out, i ? ", " : "");
        if (yaml_add_quoted(out, fields[i], "a mount", err) < 0)
            return -1;
    }
    sbuf_addstr(out, "]\n");
    return 0;
}

static int add_mounts(const struct config_instance *c, struct sbuf *out, struct err *err)
{
    bool ninep = streq0(c->mount_type, "9p");
    if (c->mounts_count == 0 || (!ninep && !streq0(c->mount_type, "virtiofs")))
        return 0;
    sbuf_addstr(out, "mounts:\n");
    for (unsigned i = 0; i < c->mounts_count; i++)
        if (add_mount(&c->mounts[i], ninep, out, err) < 0)
            return err_wrap(err, "mounts[%u]", i);
    return 0;
}

static int add_ca_certs(const struct config_instance *c, struct sbuf *out, struct err *err)
{
    const struct config_ca_certs *ca = &c->ca_certs;
    bool any = ca->files_count || ca->certs_count;
    if (!any && ca->remove_defaults != TRI_TRUE)
        return 0;
    sbuf_addf(out, "ca_certs:\n  remove_defaults: %s\n",
              ca->remove_defaults == TRI_TRUE ? "true" : "false");
    if (any)
        sbuf_addstr(out, "  trusted:\n");
    for (unsigned i = 0; i < ca->files_count; i++) {
        _cleanup_free_ char *pem = file_read(ca->files[i], CA_CERT_MAX, NULL, err);
        if (!pem || yaml_add_item(out, "    ", pem, ca->files[i], err) < 0)
            return err_wrap(err, "caCerts.files[%u]", i);
    }
    for (unsigned i = 0; i < ca->certs_count; i++)
        if (yaml_add_item(out, "    ", ca->certs[i], "the certificate", err) < 0)
            return err_wrap(err, "caCerts.certs[%u]", i);
    return 0;
}

static bool has_boot_provision(const struct config_instance *c)
{
    for (unsigned i = 0; i < c->provision_count; i++)
        if (c->provision[i].mode == PROVISION_BOOT)
            return true;
    return false;
}

static void add_entry(struct sbuf *out, const char *script)
{
    sbuf_addstr(out, "  - ");
    add_literal(out, "    ", cidata_script(script));
}

/* The interfaces' names are set before anything runs that might use one. */
static int add_bootcmd(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    sbuf_addstr(out, "bootcmd:\n");
    add_entry(out, "lima.nics.sh");
    sbuf_addstr(out, "    lima_name_nics");
    if (cidata_nic_words(in, out, err) < 0)
        return -1;
    sbuf_addch(out, '\n');
    /* An upgrade of packages comes in cloud-init's last stage, and before our scripts. */
    if (in->cfg->upgrade_packages != TRI_TRUE)
        add_entry(out, "lima.early.sh");
    if (has_boot_provision(in->cfg))
        add_entry(out, "lima.bootcmd.sh");
    return 0;
}

static void add_boot_script(struct sbuf *out)
{
    sbuf_addstr(out, "write_files:\n"
                     "  - path: /var/lib/cloud/scripts/per-boot/00-lima.boot.sh\n"
                     "    owner: root:root\n"
                     "    permissions: \"0755\"\n"
                     "    content: ");
    add_literal(out, "      ", cidata_script("lima.boot.sh"));
}

int cidata_user_data(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    const struct config_instance *c = in->cfg;
    sbuf_addstr(out, "#cloud-config\n"
                     "growpart:\n"
                     "  mode: auto\n"
                     "  devices:\n"
                     "    - /\n");
    if (c->upgrade_packages == TRI_TRUE)
        sbuf_addstr(out, "package_update: true\npackage_upgrade: true\n");
    if (add_mounts(c, out, err) < 0)
        return -1;
    if (!str_empty(c->timezone) && add_pair(out, "", "timezone", c->timezone, err) < 0)
        return -1;
    if (add_user(in, out, err) < 0)
        return -1;
    sbuf_addstr(out, "manage_resolv_conf: true\nresolv_conf:\n  nameservers:\n");
    if (cidata_add_name_servers(c, "    ", out, err) < 0 || add_ca_certs(c, out, err) < 0)
        return -1;
    add_boot_script(out);
    return add_bootcmd(in, out, err);
}
