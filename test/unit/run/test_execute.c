/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of a real directory and plans that are executed, with scripts in the place of QEMU. */
#include "run/run.h"
#include "../tmpdir.h"
#include "base/fs.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/stat.h>

static char *dir;

/* All happens in a directory of its own, whose programs are found first. */
static void begin(void)
{
    dir = tmpdir_new();
    cr_assert(chdir(dir) == 0);
    _cleanup_free_ char *path = xasprintf("%s/bin:%s", dir, getenv("PATH"));
    cr_assert(mkdir("bin", 0755) == 0 && setenv("PATH", path, 1) == 0);
    unsetenv("LINUXKIT_QEMU_ACCEL");
}

static void end(void)
{
    cr_assert(chdir("/") == 0);
    tmpdir_remove(&dir);
}

TestSuite(run_execute, .init = begin, .fini = end, .timeout = 600);

static void write_file(const char *path, const char *content, mode_t mode)
{
    cr_assert(file_write_unsynced(path, content, strlen(content), mode, NULL) == 0);
}

static char *read_file(const char *path)
{
    return file_read(path, 1u << 20, NULL, NULL);
}

/* A program in PATH; `body` is for the shell. */
static void program(const char *name, const char *body)
{
    _cleanup_free_ char *path = xasprintf("bin/%s", name), *text = xasprintf("#!/bin/sh\n%s", body);

    write_file(path, text, 0755);
}

static void request(struct run_request *r)
{
    write_file("disk.raw", "x\n", 0644);
    r->image = xstrdup("disk.raw");
    r->arch = xstrdup("s390x"); /* its QEMU is the script: a real one may be there for others */
    r->accel = xstrdup("tcg");
}

/* As the command does it. */
static int run(const struct run_request *r, struct err *err)
{
    _cleanup_run_facts_ struct run_facts facts = {0};
    _cleanup_run_plan_ struct run_plan *plan = NULL;
    _cleanup_diags_ struct diags notes = DIAGS_INIT;
    pid_t pid = 0;

    if (run_facts_gather(r, NULL, &facts, err) < 0 ||
        run_plan_build(r, &facts, &plan, &notes, err) < 0)
        return -1;
    return run_execute(plan, &pid, err);
}

#define QEMU "qemu-system-s390x"
/* Asked what it can do it says nothing and ends; else it writes its words, one per line. */
#define NOTE_WORDS "[ \"$2\" = none ] && exit 1\nprintf '%s\\n' \"$@\" >words\n"

Test(run_execute, S0_23_image_of_a_real_directory)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    program(QEMU, NOTE_WORDS);
    cr_assert(unlink("disk.raw") == 0);
    cr_assert(run(&r, &err) == -1);
    cr_assert(strstr(err.msg, "Boot disk image disk.raw does not exist"), "%s", err.msg);
    cr_assert(!path_exists("words"), "QEMU was started");
}

Test(run_execute, S0_43_programs_of_the_path)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    cr_assert(setenv("PATH", "bin", 1) == 0);
    cr_assert(run(&r, &err) == -1);
    cr_assert(streq(err.msg, "Unable to find qemu-system-s390x within the $PATH"), "%s", err.msg);
    err_clear(&err);
    program(QEMU, "exit 0");
    cr_assert(run(&r, &err) == -1);
    cr_assert(streq(err.msg, "Unable to find qemu-img within the $PATH"), "%s", err.msg);
}

Test(run_execute, S0_15_73_fresh_ones_every_time)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    program(QEMU, NOTE_WORDS);
    cr_assert(run(&r, &err) == 0);
    _cleanup_free_ char *first = read_file("words");
    cr_assert(run(&r, &err) == 0);
    _cleanup_free_ char *second = read_file("words");
    char *mac = strstr(first, ",mac="), *uuid = strstr(first, "-uuid\n");
    cr_assert(mac && uuid);
    mac[22] = uuid[42] = '\0';
    cr_assert(!strstr(second, mac), "the MAC address is the same: %s", mac);
    cr_assert(!strstr(second, uuid), "the UUID is the same: %s", uuid);
}

Test(run_execute, S0_38_39_42_disks)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    program(QEMU, NOTE_WORDS);
    program("qemu-img", "[ \"$3\" = bad ] && { echo 'no such format' >&2; : >\"$4\"; exit 3; }\n"
                        "echo \"$@\" >>img-words; : >\"$4\"");
    cr_assert(run_request_add_disk(&r, "one.img,size=1G", &err) == 0);
    cr_assert(run(&r, &err) == 0);
    _cleanup_free_ char *words = read_file("img-words");
    cr_assert(streq(words, "create -f qcow2 one.img 1024M\n"), "%s", words);
    cr_assert(unlink("words") == 0);
    cr_assert(run_request_add_disk(&r, "two.img,size=2M", &err) == 0);
    cr_assert(run_request_add_disk(&r, "three.img,size=1,format=bad", &err) == 0);
    cr_assert(run(&r, &err) == -1);
    _cleanup_free_ char *line = err_message(&err);
    cr_assert(strstr(line, "Error creating disk [three.img] format bad: "), "%s", line);
    cr_assert(strstr(err.detail, "no such format"));
    cr_assert(!path_exists("words"), "QEMU was started");
    cr_assert(path_exists("one.img"), "a disk of an earlier run was taken away");
    cr_assert(!path_exists("two.img") && !path_exists("three.img"), "empty disks are left");
}

Test(run_execute, S0_41_46_47_48_the_console_is_ours)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    program(QEMU, NOTE_WORDS "echo to-stdout; echo to-stderr >&2; read -r line; echo \"<$line>\"");
    FILE *in = fopen("input", "w+");
    cr_assert(fputs("typed\n", in) >= 0 && fflush(in) == 0);
    rewind(in);
    cr_assert(dup2(fileno(in), 0) == 0);
    FILE *out = fopen("output", "w+");
    int was = dup(1);
    fflush(stdout);
    cr_assert(dup2(fileno(out), 1) == 1);
    int code = run(&r, &err);
    dup2(was, 1);
    cr_assert(code == 0, "%s", err.msg);
    _cleanup_free_ char *text = read_file("output");
    cr_assert(streq(text, "to-stdout\n<typed>\n"), "%s", text);
    fclose(in);
    fclose(out);
}

Test(run_execute, S0_48_status_of_qemu)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    program(QEMU, "exit 3");
    cr_assert(run(&r, &err) == -1);
    cr_assert(strstr(err.msg, QEMU "' exited with status 3"), "%s", err.msg);
    cr_assert(err_exit_code(&err) == 1);
}

Test(run_execute, S0_48_signal_of_qemu)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    program(QEMU, "kill -KILL $$");
    cr_assert(run(&r, &err) == -1);
    cr_assert(strstr(err.msg, "killed by signal 9"), "%s", err.msg);
    cr_assert(err_exit_code(&err) == 1);
}

Test(run_execute, S0_47_48_window_keeps_the_last_words)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    r.gui = true;
    program(QEMU, "[ \"$2\" = none ] && exit 1\necho 'gtk initialization failed' >&2; exit 1");
    cr_assert(run(&r, &err) == -1);
    cr_assert(err.detail && strstr(err.detail, "gtk initialization failed"));
}

/* Warnings that a guest can cause must neither hide them nor fill the memory. */
Test(run_execute, S0_48_window_with_many_words)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    r.gui = true;
    program(QEMU, "[ \"$2\" = none ] && exit 1\n"
                  "i=0; while [ $i -lt 500 ]; do i=$((i + 1))\n"
                  "echo 'qemu-system-x86_64: warning: the guest did something odd' >&2; done\n"
                  "echo 'failed to initialize kvm: No such device' >&2; exit 1");
    cr_assert(run(&r, &err) == -1);
    cr_assert(err.detail && strstr(err.detail, "failed to initialize kvm"), "%s", err.detail);
    cr_assert(strlen(err.detail) < 5000, "%zu", strlen(err.detail));
    cr_assert(err.hint && strcasestr(err.hint, "tcg"), "%s", err.hint);
}

/* However much it says, it is not held up, and the last of it is kept. */
Test(run_execute, S0_48_window_without_end)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    r.gui = true;
    program(QEMU, "[ \"$1\" = -smp ] || exit 1\n"
                  "head -c 20000000 /dev/zero | tr '\\0' 'x' >&2 && echo all >taken\n"
                  "printf 'the\\0end\\n' >&2; exit 1");
    cr_assert(run(&r, &err) == -1);
    cr_assert_eq(access("taken", F_OK), 0, "it could not say all of it");
    cr_assert(err.detail && strlen(err.detail) < 5000);
    cr_assert(str_ends(err.detail, "the?end\n") || str_ends(err.detail, "the?end"), "%s", err.detail);
}

Test(run_execute, S0_L3_state_directory)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    struct stat st;

    request(&r);
    r.state = xstrdup("a/st");
    program(QEMU, NOTE_WORDS);
    cr_assert(run(&r, &err) == 0, "%s", err.msg);
    cr_assert(stat("a/st", &st) == 0 && (st.st_mode & 0777) == 0700, "%o", st.st_mode & 0777);
    _cleanup_free_ char *mac = read_file("a/st/mac-addr"), *want = xasprintf(",mac=%s\n", mac);
    cr_assert(strlen(mac) == 17, "'%s'", mac);
    for (int i = 0; i < 2; i++) {
        _cleanup_free_ char *words = read_file("words");
        cr_assert(strstr(words, want), "run %d: not %s", i, mac);
        cr_assert(run(&r, &err) == 0);
    }
}

Test(run_execute, S0_L4_content_of_the_cd)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    size_t len;

    request(&r);
    r.data_file = xstrdup("meta");
    write_file("meta", "the metadata, \xff\x01 as it is", 0644);
    program(QEMU, NOTE_WORDS);
    cr_assert(run(&r, &err) == 0, "%s", err.msg);
    _cleanup_free_ char *iso = file_read("disk.raw-state/data.iso", 4u << 20, &len, NULL);
    cr_assert(iso && len > 32774 && memcmp(iso + 32769, "CD001", 5) == 0);
    cr_assert(memmem(iso, len, "the metadata, \xff\x01 as it is", 24), "the text is not there");
    cr_assert(memmem(iso, len, "config", 6), "the name is not there");
}

Test(run_execute, S0_L5_virtiofsd_that_dies)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    cr_assert(mkdir("share", 0755) == 0);
    strv_push(&r.virtiofs, "share");
    program(QEMU, NOTE_WORDS);
    program("virtiofsd", "[ \"$1\" = --version ] && exit\necho 'no rights' >&2; exit 0");
    cr_assert(run(&r, &err) == -1);
    cr_assert(strstr(err.msg, "virtiofsd never created vhost socket"), "%s", err.msg);
    cr_assert(strstr(err.detail, "no rights"));
    cr_assert(!path_exists("words"), "QEMU was started");
}

Test(run_execute, S0_10_37_background_that_fails)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    r.detached = true;
    program(QEMU, "[ \"$2\" = none ] && exit 1\necho 'cannot set up guest memory' >&2; exit 1");
    cr_assert(run(&r, &err) == -1);
    cr_assert(strstr(err.msg, "exited with status 1"), "%s", err.msg);
    cr_assert(strstr(err.detail, "cannot set up guest memory"));
    cr_assert(!path_exists("disk.raw-state/console.sock"), "a socket is left");
}

/* The name of a socket has an end; that is known before a directory is made for it. */
Test(run_execute, S0_10_state_with_a_long_name)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    char state[121] = "";

    request(&r);
    r.detached = true;
    memset(state, 'x', sizeof(state) - 1);
    r.state = xstrdup(state);
    program(QEMU, "exit 0");
    cr_assert(run(&r, &err) == -1);
    cr_assert(strstr(err.msg, "console.sock' is too long"), "%s", err.msg);
    cr_assert(strstr(err.hint, "--state"), "%s", err.hint);
    cr_assert(!path_exists(state), "a directory is left");
}

Test(run_execute, S0_48_asked_to_end)
{
    _cleanup_run_request_ struct run_request r = RUN_REQUEST_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    request(&r);
    /* The script stands for QEMU: it tells its parent to end, and gets the signal handed on. */
    program(QEMU, "[ \"$2\" = none ] && exit 1\ntrap 'echo told >told; exit 0' TERM\n"
                  "kill -TERM $PPID\nn=0\nwhile [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done");
    cr_assert(run(&r, &err) == -1);
    cr_assert(err.kind == ERR_INTERRUPTED, "%s", err.msg);
    cr_assert(path_exists("told"), "QEMU was not asked to end");
}
