/* SPDX-License-Identifier: Apache-2.0 */
/* Key, options, ssh.config (GS-12, GS-13, F23). What the options mean is asked of the real ssh
 * (-G). */
#include "ssh/ssh.h"
#include "store_fixture.h"
#include "base/sbuf.h"
#include "sys/spawn.h"
#include <signal.h>
#include <sys/wait.h>

TestSuite(ssh, .timeout = 600);

static struct ssh_target target(const char *identity, const char *control)
{
    return (struct ssh_target){.host = xstrdup("127.0.0.1"),
                               .port = 60022,
                               .user = xstrdup("lima"),
                               .identity = xstrdup(identity),
                               .control_path = xstrdup(control),
                               .aes = true};
}

static char *base_line(const struct ssh_target *t, enum ssh_master master)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(ssh_base_argv(t, master, &argv, &e), 0, "%s", e.msg);
    return strv_to_shell(&argv);
}

static bool have_ssh(const char *name)
{
    _cleanup_free_ char *path = find_program(name);
    if (!path)
        cr_skip_test("skipped: there is no ssh client");
    return path != NULL;
}

/* `ssh -G`: the configuration as ssh understands it, one "key value" per line. */
static char *resolved(struct strv *argv)
{
    struct spawn s = SPAWN_INIT;
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_err_ struct err e = ERR_INIT;
    s.argv = (const char *const *)strv_argv(argv);
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(run_capture(&s, NULL, 1u << 16, 20000, &r, &e), 0, "%s", e.msg);
    cr_assert_eq(r.status, 0, "%s", sbuf_str(&r.err_out));
    return xasprintf("\n%s", sbuf_str(&r.out));
}

static void expect_lines(const char *text, const char *const *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *line = xasprintf("\n%s\n", lines[i]);
        cr_expect_not_null(strstr(text, line), "no line '%s' in:%s", lines[i], text);
    }
}

/* ---- options -------------------------------------------------------------------------------- */

Test(ssh, GS13_arguments)
{
    set_env("SSH", NULL);
    _cleanup_ssh_target_ struct ssh_target t = target("/h/_config/user", "/h/vm/ssh.sock");
    _cleanup_free_ char *line = base_line(&t, SSH_MASTER_AUTO);
    cr_expect_str_eq(
        line,
        "ssh -F /dev/null -o 'IdentityFile=\"/h/_config/user\"' -o StrictHostKeyChecking=no -o "
        "UserKnownHostsFile=/dev/null -o NoHostAuthenticationForLocalhost=yes -o "
        "PreferredAuthentications=publickey -o Compression=no -o BatchMode=yes -o "
        "IdentitiesOnly=yes -o "
        "GSSAPIAuthentication=no -o 'Ciphers=\"^aes128-gcm@openssh.com,aes256-gcm@openssh.com\"' "
        "-o "
        "IdentityAgent=none -o User=lima -o ControlMaster=auto -o 'ControlPath=\"/h/vm/ssh.sock\"' "
        "-o "
        "ControlPersist=yes -p 60022");
}

Test(ssh, kinds_of_master)
{
    set_env("SSH", NULL);
    _cleanup_ssh_target_ struct ssh_target t = target("/k", "/c");
    _cleanup_free_ char *none = base_line(&t, SSH_MASTER_NONE);
    cr_expect_null(strstr(none, "Control"));
    _cleanup_free_ char *front = base_line(&t, SSH_MASTER_FOREGROUND);
    cr_expect_not_null(strstr(front, "ControlMaster=yes"));
    cr_expect_not_null(strstr(front, "ControlPersist=no"));
    _cleanup_free_ char *use = base_line(&t, SSH_MASTER_USE);
    cr_expect_not_null(strstr(use, "ControlMaster=no"));
    cr_expect_not_null(strstr(use, "ControlPath="));
}

Test(ssh, forwarding_and_ciphers_when_asked_for)
{
    _cleanup_ssh_target_ struct ssh_target t = target("/k", "/c");
    t.aes = false;
    _cleanup_free_ char *plain = base_line(&t, SSH_MASTER_NONE);
    cr_expect_null(strstr(plain, "Ciphers"));
    cr_expect_null(strstr(plain, "Forward"));
    t.forward_agent = t.forward_x11 = t.forward_x11_trusted = true;
    _cleanup_free_ char *all = base_line(&t, SSH_MASTER_NONE);
    static const char *const words[] = {"ForwardAgent=yes", "ForwardX11=yes",
                                        "ForwardX11Trusted=yes"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        cr_expect_not_null(strstr(all, words[i]));
    cr_expect_null(strstr(all, "IdentityAgent"));
}

Test(ssh, F40_F23_paths_as_ssh_reads_them)
{
    if (!have_ssh("ssh"))
        return;
    set_env("SSH", NULL);
    static const char *const dirs[] = {"/h/plain", "/h/with blank", "/h/100%h",
                                       "/h/\"q\"", "/h/b\\s",       "/h/\xc3\xbc,x:y",
                                       "/h/it's",  "/h/#x",         "/h/$HOME"};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *key = path_join(dirs[i], "user"),
                            *sock = path_join(dirs[i], "ssh.sock");
        _cleanup_ssh_target_ struct ssh_target t = target(key, sock);
        _cleanup_strv_ struct strv argv = STRV_INIT;
        cr_assert_eq(ssh_base_argv(&t, SSH_MASTER_AUTO, &argv, NULL), 0);
        strv_pushl(&argv, "-G", "127.0.0.1", NULL);
        _cleanup_free_ char *text = resolved(&argv);
        /* -G expands ControlPath and shows IdentityFile with its tokens. */
        _cleanup_sbuf_ struct sbuf tokens = SBUF_INIT;
        for (const char *p = key; *p; p++)
            sbuf_addf(&tokens, *p == '%' ? "%c%%" : "%c", *p);
        _cleanup_free_ char *want_key = xasprintf("identityfile %s", sbuf_str(&tokens));
        _cleanup_free_ char *want_sock = xasprintf("controlpath %s", sock);
        const char *const lines[] = {want_key,
                                     want_sock,
                                     "identitiesonly yes",
                                     "batchmode yes",
                                     "identityagent none",
                                     "user lima",
                                     "port 60022",
                                     "userknownhostsfile /dev/null"};
        expect_lines(text, lines, ARRAY_SIZE(lines));
    }
}

Test(ssh, S11_what_can_not_be_written_is_refused)
{
    static const char *const paths[] = {"/h/${HOME}/x", "/h/a\nb"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        _cleanup_ssh_target_ struct ssh_target t = target(paths[i], "/c");
        _cleanup_strv_ struct strv argv = STRV_INIT;
        _cleanup_err_ struct err e = ERR_INIT;
        cr_expect_eq(ssh_base_argv(&t, SSH_MASTER_NONE, &argv, &e), -1);
        cr_expect_eq(argv.n, 0);
    }
    static const char *const users[] = {
        "", "-oProxyCommand=x", "a b", "a\nb", "a;b", "$(id)", "a\"b", "%h"};
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        _cleanup_ssh_target_ struct ssh_target t = target("/k", "/c");
        free(t.user);
        t.user = xstrdup(users[i]);
        _cleanup_strv_ struct strv argv = STRV_INIT;
        _cleanup_err_ struct err e = ERR_INIT;
        cr_expect_eq(ssh_base_argv(&t, SSH_MASTER_NONE, &argv, &e), -1, "user '%s'", users[i]);
        expect_message(&e, "user name");
    }
}

Test(ssh, F41_user_names_that_are_possible)
{
    static const char *const users[] = {"lima",   "DOUGLAS", "a.b@c.com",
                                        "user-1", "root",    "j\xc3\xb6rg"};
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        _cleanup_ssh_target_ struct ssh_target t = target("/k", "/c");
        free(t.user);
        t.user = xstrdup(users[i]);
        _cleanup_strv_ struct strv argv = STRV_INIT;
        cr_expect_eq(ssh_base_argv(&t, SSH_MASTER_NONE, &argv, NULL), 0, "user '%s'", users[i]);
    }
}

Test(ssh, program_from_the_environment)
{
    _cleanup_ssh_target_ struct ssh_target t = target("/k", "/c");
    set_env("SSH", "'/opt/my ssh' -4 \"-o X=y z\"");
    _cleanup_free_ char *line = base_line(&t, SSH_MASTER_NONE);
    cr_expect(str_starts(line, "'/opt/my ssh' -4 '-o X=y z' -F /dev/null "), "%s", line);
    static const char *const bad[] = {"'open", " ", "''"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        set_env("SSH", bad[i]);
        _cleanup_strv_ struct strv argv = STRV_INIT;
        _cleanup_err_ struct err e = ERR_INIT;
        cr_expect_eq(ssh_base_argv(&t, SSH_MASTER_NONE, &argv, &e), -1, "SSH=%s", bad[i]);
        expect_message(&e, "environment variable SSH");
    }
}

Test(ssh, missing_program_is_named)
{
    _cleanup_err_ struct err none = ERR_INIT, other = ERR_INIT;
    set_env("SSH", "/nowhere/ssh -4");
    cr_assert_eq(ssh_check_program(&other), -1);
    expect_message(&other, "/nowhere/ssh");
    set_env("SSH", "/bin/sh -x");
    cr_expect_eq(ssh_check_program(NULL), 0);
    set_env("SSH", "");
    set_env("PATH", "/nowhere");
    cr_assert_eq(ssh_check_program(&none), -1);
    cr_expect_eq(none.kind, ERR_NOT_FOUND);
    expect_message(&none, "install the OpenSSH client");
}

/* ---- ssh.config ----------------------------------------------------------------------------- */

Test(ssh, config_file_works_with_ssh)
{
    if (!have_ssh("ssh"))
        return;
    _fixture_ struct fixture f = fixture_new();
    _cleanup_instance_ struct instance in = make_instance(&f, "vm");
    struct config_instance cfg = {.user = {.name = (char *)"jane"}};
    _cleanup_ssh_target_ struct ssh_target t = {0};
    ssh_target_init(&t, &f.store, &in, &cfg, 2222);
    mode_t old = umask(0);
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(ssh_write_config(&t, &in, &e), 0, "%s", e.msg);
    umask(old);
    _cleanup_free_ char *path = instance_path(&in, INST_SSH_CONFIG);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0600);
    _cleanup_strv_ struct strv argv = STRV_INIT;
    strv_pushl(&argv, "ssh", "-F", path, "-G", "lima-vm", NULL);
    _cleanup_free_ char *text = resolved(&argv);
    _cleanup_free_ char *sock = instance_path(&in, INST_SSH_SOCK);
    _cleanup_free_ char *want_sock = xasprintf("controlpath %s", sock);
    const char *const lines[] = {"hostname 127.0.0.1",
                                 "port 2222",
                                 "user jane",
                                 "controlmaster auto",
                                 "controlpersist yes",
                                 "stricthostkeychecking false",
                                 want_sock};
    expect_lines(text, lines, ARRAY_SIZE(lines));
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void expect_mode(const char *path, mode_t mode)
{
    struct stat st;
    cr_assert_eq(stat(path, &st), 0, "%s", path);
    cr_expect_eq(st.st_mode & 07777, mode, "%s has mode %o", path, st.st_mode & 07777);
}

Test(ssh, GS12_key_is_made_once)
{
    if (!have_ssh("ssh-keygen"))
        return;
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *key = store_config_path(&f.store, "user");
    _cleanup_free_ char *pub = store_config_path(&f.store, "user.pub");
    _cleanup_free_ char *dir = path_dirname(key);
    _cleanup_err_ struct err e = ERR_INIT;
    mode_t old = umask(0);
    cr_assert_eq(ssh_ensure_key(&f.store, &e), 0, "%s", e.msg);
    umask(old);
    expect_mode(key, 0600);
    expect_mode(pub, 0644);
    _cleanup_free_ char *first = file_read(pub, 4096, NULL, NULL);
    cr_expect(str_starts(first, "ssh-ed25519 ") && str_ends(first, " lima\n"), "%s", first);
    cr_assert_eq(ssh_ensure_key(&f.store, NULL), 0);
    _cleanup_free_ char *second = file_read(pub, 4096, NULL, NULL);
    cr_expect_str_eq(first, second);
    _cleanup_strv_ struct strv names = STRV_INIT;
    cr_assert_eq(dir_list(dir, &names, NULL), 0);
    cr_expect_eq(names.n, 2, "something is left in _config");
}

Test(ssh, public_half_is_restored)
{
    if (!have_ssh("ssh-keygen"))
        return;
    _fixture_ struct fixture f = fixture_new();
    _cleanup_free_ char *pub = store_config_path(&f.store, "user.pub");
    cr_assert_eq(ssh_ensure_key(&f.store, NULL), 0);
    _cleanup_free_ char *first = file_read(pub, 4096, NULL, NULL);
    cr_assert_eq(unlink(pub), 0);
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(ssh_ensure_key(&f.store, &e), 0, "%s", e.msg);
    _cleanup_free_ char *second = file_read(pub, 4096, NULL, NULL);
    cr_expect_str_eq(first, second);
}

Test(ssh, F12_parallel_starts_make_one_key)
{
    if (!have_ssh("ssh-keygen"))
        return;
    _fixture_ struct fixture f = fixture_new();
    enum { N = 6 };
    for (int i = 0; i < N; i++)
        if (fork() == 0)
            _exit(ssh_ensure_key(&f.store, NULL) == 0 ? 0 : 1);
    for (int i = 0; i < N; i++) {
        int status;
        cr_assert_gt(wait(&status), 0);
        cr_expect_eq(status, 0);
    }
    _cleanup_free_ char *key = store_config_path(&f.store, "user");
    _cleanup_free_ char *pub = store_config_path(&f.store, "user.pub");
    /* The two halves belong together. */
    _cleanup_strv_ struct strv argv = STRV_INIT;
    strv_pushl(&argv, "ssh-keygen", "-y", "-P", "", "-f", key, NULL);
    _cleanup_free_ char *computed = resolved(&argv);
    _cleanup_free_ char *stored = file_read(pub, 4096, NULL, NULL);
    cr_expect_str_eq(computed + 1, stored);
}

Test(ssh, missing_keygen_is_named)
{
    _fixture_ struct fixture f = fixture_new();
    set_env("PATH", "/nowhere");
    _cleanup_err_ struct err e = ERR_INIT;
    cr_assert_eq(ssh_ensure_key(&f.store, &e), -1);
    cr_expect_eq(e.kind, ERR_NOT_FOUND);
    expect_message(&e, "ssh-keygen");
    expect_message(&e, "install the OpenSSH client");
}

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIHFkR1l2bVZ6b2hXc0FqS0xkbmZrYWpzZGtq"

static void put_dot_ssh(const struct fixture *f, const char *name, const char *text)
{
    _cleanup_free_ char *dir = path_join(f->host.home, ".ssh"), *path = path_join(dir, name);
    cr_assert_eq(dir_make(dir, 0700, NULL), 0);
    put_file(path, text);
}

Test(ssh, public_keys)
{
    _fixture_ struct fixture f = fixture_new();
    cr_assert_eq(store_ensure(&f.store, NULL), 0);
    _cleanup_free_ char *pub = store_config_path(&f.store, "user.pub");
    put_file(pub, "ssh-ed25519 " KEY "a lima\n");
    put_dot_ssh(&f, "id_rsa.pub", "ssh-rsa " KEY "b me\n");
    put_dot_ssh(&f, "same.pub", "ssh-ed25519 " KEY "a lima\n");
    put_dot_ssh(&f, "two.pub",
                "# a comment\necdsa-sha2-nistp256 " KEY "c\r\nsk-ssh-ed25519@openssh.com " KEY
                "d x\n");
    put_dot_ssh(&f, "host-cert.pub", "ssh-rsa-cert-v01@openssh.com " KEY "e x\n");
    put_dot_ssh(&f, "cert.pub", "ssh-rsa-cert-v01@openssh.com " KEY "f x\n");
    put_dot_ssh(&f, "evil.pub",
                "ssh-rsa " KEY "\"g x\nfrom=\"x\" ssh-rsa " KEY "h\nssh-rsa " KEY "i \x1b[1m\n");
    put_dot_ssh(&f, "id_rsa", "ssh-rsa " KEY "private\n");
    struct config_instance cfg = {0};
    _cleanup_strv_ struct strv one = STRV_INIT, all = STRV_INIT;
    cr_assert_eq(ssh_public_keys(&f.store, &cfg, &f.host, &one, NULL), 0);
    cr_assert_eq(one.n, 1);
    cr_expect_str_eq(one.v[0], "ssh-ed25519 " KEY "a lima");
    cfg.ssh.load_dot_ssh_pub_keys = TRI_TRUE;
    cr_assert_eq(ssh_public_keys(&f.store, &cfg, &f.host, &all, NULL), 0);
    _cleanup_free_ char *joined = strv_join(&all, "|");
    cr_expect_str_eq(joined,
                     "ssh-ed25519 " KEY "a lima|ssh-rsa " KEY "b me|ecdsa-sha2-nistp256 " KEY
                     "c|sk-ssh-ed25519@openssh.com " KEY "d x");
}

Test(ssh, public_key_that_is_none)
{
    _fixture_ struct fixture f = fixture_new();
    cr_assert_eq(store_ensure(&f.store, NULL), 0);
    struct config_instance cfg = {0};
    _cleanup_strv_ struct strv keys = STRV_INIT;
    _cleanup_err_ struct err e = ERR_INIT, e2 = ERR_INIT;
    cr_assert_eq(ssh_public_keys(&f.store, &cfg, &f.host, &keys, &e), -1);
    cr_expect_eq(e.kind, ERR_NOT_FOUND);
    _cleanup_free_ char *pub = store_config_path(&f.store, "user.pub");
    put_file(pub, "no key\n");
    cr_assert_eq(ssh_public_keys(&f.store, &cfg, &f.host, &keys, &e2), -1);
    expect_message(&e2, "has no ssh public key");
}
