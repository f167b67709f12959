/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, consoles, the monitor, TPM. */
#include "driver/qemu/plan_internal.h"
#include "base/mem.h"

/* Lima's user network: guests and their scripts know these addresses. */
#define USER_NET        "192.168.5.0/24"
#define USER_DHCP_START "192.168.5.15"

/* ---- networks -------------------------------------------------------------------------------- */

/* A stream of packets over a socket that we connect. "stream" also tells of its end (QEMU 7.2). */
static void switch_netdev(struct builder *b, const char *id, const char *path, const char *field)
{
    int fd = plan_fd(b, path, /* listen= */ false, field);
    bool stream = strv_contains(&b->in->features->netdevs, "stream");

    cima_cmdline_opts(b->plan->cmdline, "-netdev",
                      stream ? cima_netdev_stream_fd(id, fd) : cima_netdev_socket_fd(id, fd));
}

static int user_netdev(struct builder *b, const char *id)
{
    _cleanup_free_ char *forward = xasprintf("tcp:127.0.0.1:%u-:22", b->plan->ssh_port);
    /* Port 0: QEMU binds a free one and tells it; so nobody can take it in between. */
    const char *hostfwd[] = {forward, NULL};
    const struct cima_netdev_user net = {
        .id = id, .net = USER_NET, .dhcp_start = USER_DHCP_START, .hostfwd = hostfwd};

    if (!b->in->features->netdev_user) {
        err_set(b->err, ERR_UNSUPPORTED, "'%s' is built without user networking", b->in->exe);
        return err_hint(b->err, "install a QEMU that has it (package '%s')", b->arch->package);
    }
    cima_cmdline_opts(b->plan->cmdline, "-netdev", cima_netdev_user(&net));
    return 0;
}

/* Over the network between instances when there is one: its daemon does what user networking does,
 * and forwards the ssh port. */
static int eth0(struct builder *b)
{
    const struct config_instance *cfg = b->in->cfg;
    _cleanup_free_ char *mac = config_eth0_mac(cfg, b->in->host, b->in->inst->dir);
    int own = config_eth0_network(cfg);
    const char *id = "net0";

    b->plan->ssh_port = cfg->ssh.local_port ? (uint16_t)cfg->ssh.local_port : b->in->ssh_port;
    if (own >= 0) {
        _cleanup_free_ char *path = store_network_socket(b->in->store, cfg->networks[own].lima);
        _cleanup_free_ char *field = xasprintf("networks[%d]", own);

        switch_netdev(b, id, path, field);
    } else if (user_netdev(b, id) < 0) {
        return -1;
    }
    return plan_device(b, "networks", cima_nic(b->arch->transport, id, mac));
}

/* Where the switch of a network listens; NULL: nowhere. Caller frees. */
static char *switch_path(const struct builder *b, const struct config_network *n)
{
    if (!str_empty(n->lima))
        return store_network_socket(b->in->store, n->lima);
    return str_empty(n->socket) ? NULL : xstrdup(n->socket);
}

static int network(struct builder *b, unsigned i)
{
    const struct config_network *n = &b->in->cfg->networks[i];
    _cleanup_free_ char *field = xasprintf("networks[%u]", i), *id = xasprintf("net%u", i + 1);
    _cleanup_free_ char *key = xasprintf("%s/lima.yaml#%u", b->in->inst->dir, i);
    _cleanup_free_ char *mac =
        str_empty(n->mac_address) ? config_mac_address(b->in->host, key) : config_network_mac(n);
    _cleanup_free_ char *path = switch_path(b, n);

    if ((int)i == config_eth0_network(b->in->cfg))
        return 0;
    if (!path && n->vz_nat == TRI_TRUE)
        return 0; /* of macOS; validation has said so */
    if (!path)
        return err_set(b->err, ERR_CONFIG, "field `%s` names neither `lima` nor `socket`", field);
    switch_netdev(b, id, path, field);
    return plan_device(b, field, cima_nic(b->arch->transport, id, mac));
}

int plan_networks(struct builder *b)
{
    if (eth0(b) < 0)
        return -1;
    for (unsigned i = 0; i < b->in->cfg->networks_count; i++)
        if (network(b, i) < 0)
            return -1;
    return plan_device(b, "arch", cima_virtio(b->arch->transport, "rng"));
}

/* ---- consoles -------------------------------------------------------------------------------- */

/* A character device on a socket that we make, with the log of what came out of it. */
static void console(struct builder *b, const char *id, enum inst_file sock, enum inst_file log)
{
    _cleanup_free_ char *path = plan_path(b, sock), *log_path = plan_path(b, log);
    int fd = plan_fd(b, path, /* listen= */ true, NULL);

    plan_step(b, QEMU_STEP_REMOVE, log_path);
    cima_cmdline_opts(b->plan->cmdline, "-chardev", cima_chardev_listen_fd(id, fd, log_path));
}

static void monitor(struct builder *b)
{
    _cleanup_free_ char *path = plan_path(b, INST_QMP_SOCK);
    int fd = plan_fd(b, path, /* listen= */ true, NULL);

    cima_cmdline_opts(b->plan->cmdline, "-chardev", cima_chardev_listen_fd("char-qmp", fd, NULL));
    cima_cmdline_opts(b->plan->cmdline, "-mon", cima_monitor_qmp("char-qmp"));
}

int plan_consoles(struct builder *b)
{
    console(b, "char-serial", INST_SERIAL_SOCK, INST_SERIAL_LOG);
    cima_cmdline_text(b->plan->cmdline, "-serial", "chardev:char-serial");
    if (b->arch->pci_serial) {
        console(b, "char-serial-pci", INST_SERIALP_SOCK, INST_SERIALP_LOG);
        if (plan_device(b, "arch", cima_pci_serial("char-serial-pci")) < 0)
            return -1;
    }
    if (!streq0(b->in->cfg->os, "Windows")) {
        console(b, "char-serial-virtio", INST_SERIALV_SOCK, INST_SERIALV_LOG);
        if (plan_device(b, "arch",
                        cima_virtio_serial(b->arch->transport, "virtio-serial0",
                                           b->arch->serial_ports)) < 0 ||
            plan_device(b, "arch", cima_virtconsole("console0", "char-serial-virtio")) < 0)
            return -1;
    }
    monitor(b);
    return 0;
}

/* ---- TPM ------------------------------------------------------------------------------------- */

/* With a TPM, SeaBIOS puts the ACPI tables lower than QEMU has left room for above an initrd: they
 * are overwritten (seen with QEMU 7.2, which reserves 160 KiB; the TPM's log takes them apart). */
static void note_lost_tables(struct builder *b)
{
    if (b->arch_id == ARCH_X86_64 && b->in->has_kernel && b->in->has_initrd &&
        !qemu_plan_wants_firmware(b->in->cfg))
        plan_note(b, "field `tpm`: with an initrd and `firmware.legacyBIOS` the guest will find "
                     "neither the TPM nor its power button; leave out `firmware.legacyBIOS`");
}

int plan_tpm(struct builder *b)
{
    _cleanup_free_ char *sock = plan_path(b, INST_SWTPM_SOCK), *dir = plan_path(b, INST_SWTPM_DIR);
    _cleanup_free_ char *log = xasprintf("%s.log", dir);
    struct qemu_helper *h;

    if (b->in->cfg->tpm != TRI_TRUE)
        return 0;
    if (!b->arch->tpm)
        return err_set(b->err, ERR_UNSUPPORTED,
                       "field `tpm` is not supported for architecture `%s`",
                       arch_to_string(b->arch_id));
    if (!b->in->swtpm) {
        err_set(b->err, ERR_NOT_FOUND, "field `tpm`: swtpm not found in PATH");
        return err_hint(b->err, "install swtpm");
    }
    if (strchr(dir, ','))
        return err_set(b->err, ERR_UNSUPPORTED,
                       "field `tpm`: swtpm can't use a directory with a comma: '%s'", dir);
    plan_step(b, QEMU_STEP_MKDIR, dir)->mode = 0700;
    h = plan_helper(b, "swtpm", b->in->swtpm, sock);
    strv_pushl(&h->argv, "socket", "--tpmstate", NULL);
    strv_pushf(&h->argv, "dir=%s", dir);
    strv_push(&h->argv, "--ctrl");
    strv_pushf(&h->argv, "type=unixio,path=%s", sock);
    strv_pushl(&h->argv, "--tpm2", "--terminate", "--log", NULL);
    strv_pushf(&h->argv, "level=1,file=%s", log);
    plan_step(b, QEMU_STEP_REMOVE, log);
    note_lost_tables(b);
    cima_cmdline_opts(b->plan->cmdline, "-chardev", cima_chardev_unix("chrtpm", sock));
    cima_cmdline_opts(b->plan->cmdline, "-tpmdev", cima_tpm_emulator("tpm0", "chrtpm"));
    return plan_device(b, "tpm", cima_tpm_device(b->arch->tpm, "tpm0"));
}
