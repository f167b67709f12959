/* SPDX-License-Identifier: Apache-2.0 */
#include "../ssh/fixture.h"
#include "base/fs.h"
#include "base/mem.h"
#include "mount/copy_service.h"
#include <criterion/criterion.h>
#include <sys/stat.h>

static struct fixture f;
static struct config_copy_to_host copies[3];
static char *guests[3], *hosts[3];

static void setup(void)
{
    fixture_setup(&f);
    fixture_use_stub(&f, "ssh-mux");
    memset(copies, 0, sizeof(copies));
    f.cfg.copy_to_host = copies;
}

static void teardown(void)
{
    fixture_teardown(&f);
    for (size_t i = 0; i < ARRAY_SIZE(guests); i++) {
        free(guests[i]);
        free(hosts[i]);
    }
}

TestSuite(copy, .init = setup, .fini = teardown, .timeout = 600);

static struct config_copy_to_host *add(const char *guest, const char *host)
{
    unsigned n = f.cfg.copy_to_host_count++;

    guests[n] = copies[n].guest = path_join(f.dir, guest);
    hosts[n] = copies[n].host = path_join(f.dir, host);
    return &copies[n];
}

static void run(void)
{
    fixture_start(&f, &copy_service);
    fixture_until(&f, until_released);
}

Test(copy, HA_32_byte_for_byte_and_private)
{
    static const char bytes[] = "a\0b\n\xff no newline";
    _cleanup_free_ char *path = NULL;
    struct err err = ERR_INIT;
    struct stat st;
    size_t len;

    add("it's $(here) ;", "new/dir/copy");
    cr_assert_eq(file_write_atomic(guests[0], bytes, sizeof(bytes), 0644, &err), 0);
    fixture_start(&f, &copy_service);
    cr_assert_eq(f.holds, 1, "the start waits for it");
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    path = file_read(hosts[0], 4096, &len, &err);
    cr_assert_eq(len, sizeof(bytes));
    cr_assert_eq(memcmp(path, bytes, len), 0);
    cr_assert_eq(stat(hosts[0], &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(copy, HA_32_not_through_a_link)
{
    _cleanup_free_ char *precious = path_join(f.dir, "precious");

    add("from", "to");
    fixture_write(&f, "from", "new");
    fixture_write(&f, "precious", "old");
    cr_assert_eq(symlink(precious, hosts[0]), 0);
    run();
    _cleanup_free_ char *kept = file_read(precious, 100, NULL, NULL);
    _cleanup_free_ char *copy = file_read(hosts[0], 100, NULL, NULL);
    cr_assert_str_eq(kept, "old");
    cr_assert_str_eq(copy, "new");
}

Test(copy, HA_32_a_missing_file_is_told_and_the_next_one_comes)
{
    add("nothing", "a");
    add("from", "b");
    fixture_write(&f, "from", "x");
    run();
    _cleanup_free_ char *text = err_message(&f.degraded);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert(strstr(text, "failed to copy `"), "%s", text);
    cr_assert(str_ends(text, ": it is not there"), "%s", text);
    cr_assert(path_exists(hosts[1]));
}

Test(copy, HA_32_skip_if_missing)
{
    add("nothing", "a")->skip_if_missing = TRI_TRUE;
    run();
    cr_assert_eq(f.n_degraded, 0);
    cr_assert_not(path_exists(hosts[0]));
}

Test(copy, HA_32_a_directory_is_no_file)
{
    _cleanup_free_ char *dir = path_join(f.dir, "dir");

    add("dir", "a");
    cr_assert_eq(mkdir(dir, 0700), 0);
    run();
    cr_assert_eq(f.n_degraded, 1);
    cr_assert_not(path_exists(hosts[0]));
}

Test(copy, HA_32_delete_on_stop)
{
    add("from", "a")->delete_on_stop = TRI_TRUE;
    add("from", "b");
    fixture_write(&f, "from", "x");
    run();
    f.svc->type->stop(f.svc);
    cr_assert_not(path_exists(hosts[0]));
    cr_assert(path_exists(hosts[1]));
}

Test(copy, none_no_service)
{
    cr_assert_null(copy_service.create(&f.host));
}
