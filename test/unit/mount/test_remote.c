/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/remote.h"
#include "base/mem.h"
#include "mount/sshfs.h"
#include "sys/spawn.h"
#include <criterion/criterion.h>

Test(remote, S09_the_command_is_one_argument_with_words_that_a_shell_reads_back)
{
    _cleanup_free_ char *command = remote_sshfs_command("/a'b $x\n;", "/p\\q", "slave");
    _cleanup_strv_ struct strv words = STRV_INIT;

    cr_assert_eq(strv_split_shell(&words, command), 0);
    cr_assert_eq(words.n, 7);
    cr_assert_str_eq(words.v[0], "sh");
    cr_assert_str_eq(words.v[1], "-c");
    cr_assert_str_eq(words.v[3], "sshfs");
    cr_assert_str_eq(words.v[4], "/a'b $x\n;");
    cr_assert_str_eq(words.v[5], "/p\\q");
    cr_assert_str_eq(words.v[6], "slave");
}

/* Is the text a script that the shell can read? */
static void assert_script(const char *text)
{
    _cleanup_run_result_ struct run_result r = {0};
    const char *const argv[] = {"sh", "-n", NULL};
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;

    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(run_capture(&s, text, 4096, 30000, &r, &err), 0, "%s", err.msg);
    cr_assert_eq(wait_status_exit_code(r.status), 0, "%s in\n%s", sbuf_str(&r.err_out), text);
}

Test(remote, scripts_are_scripts)
{
    _cleanup_strv_ struct strv points = STRV_INIT, words = STRV_INIT;

    strv_pushl(&points, "/a", "/it's\n$(here)", NULL);
    _cleanup_free_ char *check = remote_check_9p_script(&points);
    _cleanup_free_ char *unmount = remote_unmount_script(&points);
    _cleanup_free_ char *command = remote_sshfs_command("/l", "/p", "slave");
    assert_script(check);
    assert_script(unmount);
    cr_assert_eq(strv_split_shell(&words, command), 0);
    assert_script(words.v[2]);
}
