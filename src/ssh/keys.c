/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/ssh.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/lock.h"
#include "sys/spawn.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#define KEYGEN_TIMEOUT_MS 60000
#define PUBLIC_KEY_MAX    (64u << 10)

static int run_keygen(const char *const *argv, char **ret_out, struct err *err)
{
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH | SPAWN_DIE_WITH_PARENT | SPAWN_NO_CORE;
    _cleanup_run_result_ struct run_result r = {0};
    if (run_capture(&s, NULL, PUBLIC_KEY_MAX, KEYGEN_TIMEOUT_MS, &r, err) < 0) {
        if (err && err->kind == ERR_NOT_FOUND)
            err_hint(err, "install the OpenSSH client");
        return -1;
    }
    if (r.status != 0) {
        _cleanup_free_ char *how = wait_status_text(r.status);
        err_set(err, ERR_IO, "ssh-keygen %s", how);
        return err_detail(err, sbuf_str(&r.err_out));
    }
    if (ret_out)
        *ret_out = sbuf_detach(&r.out);
    return 0;
}

/* A private key without its public half: the latter can be computed. */
static int restore_public(const char *key, const char *pub, struct err *err)
{
    const char *const argv[] = {"ssh-keygen", "-y", "-P", "", "-f", key, NULL};
    _cleanup_free_ char *line = NULL;
    if (run_keygen(argv, &line, err) < 0)
        return err_wrap(err, "cannot compute '%s'", pub);
    return file_write_atomic(pub, line, strlen(line), 0644, err);
}

static int sync_mode(const char *path, mode_t mode)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ? -1 : 0;
}

/* Made under temporary names in a private directory of their own; the public half is renamed first,
 * so that a key that is there always has it. */
static int generate_in(const char *dir, const char *key, const char *pub, struct err *err)
{
    _cleanup_free_ char *tmp = path_join(dir, "key"), *tmp_pub = path_join(dir, "key.pub");
    const char *const argv[] = {"ssh-keygen", "-t",   "ed25519", "-q", "-N", "",
                                "-C",         "lima", "-f",      tmp,  NULL};
    if (run_keygen(argv, NULL, err) < 0)
        return -1;
    if (sync_mode(tmp, 0600) < 0 || sync_mode(tmp_pub, 0644) < 0 || rename(tmp_pub, pub) < 0 ||
        rename(tmp, key) < 0)
        return err_set_errno(err, ERR_IO, "cannot put the key at '%s'", key);
    return 0;
}

static int generate(const struct store *s, const char *key, const char *pub, struct err *err)
{
    _cleanup_free_ char *dir = store_config_path(s, ".keygen-XXXXXX");
    if (!mkdtemp(dir))
        return err_set_errno(err, ERR_IO, "cannot make '%s'", dir);
    int r = generate_in(dir, key, pub, err);
    (void)dir_remove(dir, NULL);
    _cleanup_free_ char *parent = path_dirname(key);
    (void)dir_sync(parent, NULL);
    return r;
}

static int ensure_locked(const struct store *s, const char *key, const char *pub, struct err *err)
{
    if (access(key, F_OK) < 0) {
        if (errno != ENOENT)
            return err_set_errno(err, ERR_IO, "cannot look at '%s'", key);
        log_debug("making the ssh key '%s'", key);
        return generate(s, key, pub, err);
    }
    return access(pub, F_OK) == 0 ? 0 : restore_public(key, pub, err);
}

int ssh_ensure_key(const struct store *s, struct err *err)
{
    _cleanup_free_ char *key = store_config_path(s, "user"),
                        *pub = store_config_path(s, "user.pub");
    if (access(key, F_OK) == 0 && access(pub, F_OK) == 0)
        return 0;
    if (store_ensure(s, err) < 0)
        return -1;
    /* Beside the directory: the place where Lima's lock on _config is. */
    _cleanup_free_ char *lock_path = path_join(s->home, "_config.lock");
    _cleanup_close_ int lock = lock_take(lock_path, KEYGEN_TIMEOUT_MS, err);
    if (lock < 0 || ensure_locked(s, key, pub, err) < 0)
        return err_wrap(err, "cannot make the ssh key '%s'", key);
    return 0;
}

/* ---- public keys ---------------------------------------------------------------------------- */

/* "TYPE BASE64[ comment]" on one line of printable text. */
static bool is_public_key(const char *line)
{
    size_t type = strcspn(line, " "), n = 0;
    if (type == 0 || line[type] != ' ')
        return false;
    for (const char *p = line + type + 1; *p && *p != ' '; p++, n++)
        if (!isalnum((unsigned char)*p) && !strchr("+/=", *p))
            return false;
    for (const char *p = line; *p; p++)
        if (iscntrl((unsigned char)*p))
            return false;
    bool known = str_starts(line, "ssh-") || str_starts(line, "ecdsa-") || str_starts(line, "sk-");
    return known && n >= 32 && !memmem(line, type, "-cert-", 6);
}

/* Adds the keys of one file; returns how many it had. */
static size_t add_keys(struct strv *keys, char *text)
{
    size_t found = 0;
    for (char *save = NULL, *line = strtok_r(text, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        if (!is_public_key(line))
            continue;
        found++;
        if (!strv_contains(keys, line))
            strv_push(keys, line);
    }
    return found;
}

static void add_dot_ssh(const struct host_facts *host, struct strv *keys)
{
    _cleanup_free_ char *dir = path_join(host->home, ".ssh");
    _cleanup_strv_ struct strv names = STRV_INIT;
    if (dir_list(dir, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        if (!str_ends(names.v[i], ".pub") || str_ends(names.v[i], "-cert.pub"))
            continue;
        _cleanup_free_ char *path = path_join(dir, names.v[i]);
        _cleanup_err_ struct err e = ERR_INIT;
        _cleanup_free_ char *text = file_read(path, PUBLIC_KEY_MAX, NULL, &e);
        if (!text || add_keys(keys, text) == 0)
            log_warn("'%s' has no public key that can be used, ignoring", path);
    }
}

int ssh_public_keys(const struct store *s, const struct config_instance *cfg,
                    const struct host_facts *host, struct strv *ret, struct err *err)
{
    _cleanup_free_ char *path = store_config_path(s, "user.pub");
    _cleanup_free_ char *text = file_read(path, PUBLIC_KEY_MAX, NULL, err);
    if (!text)
        return -1;
    _cleanup_strv_ struct strv keys = STRV_INIT;
    if (add_keys(&keys, text) == 0) {
        err_set(err, ERR_IO, "'%s' has no ssh public key", path);
        return err_hint(err, "remove it: it is made again from the private key beside it");
    }
    if (cfg->ssh.load_dot_ssh_pub_keys == TRI_TRUE)
        add_dot_ssh(host, &keys);
    strv_extend(ret, &keys);
    return 0;
}
