/* SPDX-License-Identifier: Apache-2.0 */
/* A program that plays QEMU: it answers the probe (`-M none`) and is a machine as far as its
 * monitor goes. How it behaves is in the file NAME.mode beside it (NAME: its own path):
 *
 *   run       follows the power button          reject    "invalid option", status 1
 *   stubborn  only follows `quit`               die       greets, then ends with status 3
 *   deaf      follows nothing                   mute      accepts, never greets
 *   slow      misses the first power button     guest     powers itself off when it runs
 *   crash     kills itself when it runs         noport    forwards no port
 *   nohelp    no QMP when it is probed          old       is QEMU 3.1.0
 *   deaf-term as deaf, and ignores SIGTERM      noaccept  never takes the monitor's connection
 *   half      half a line for an answer         long      10 MiB in one line for an answer
 *   hangup    closes the monitor for an answer  slowpid   takes its pid file's lock when NAME.go exists
 *   drop      closes the monitor when it runs, and greets nobody afterwards
 *   lapse     closes the monitor when it runs, and serves the next connection as "run"
 *   fickle    closes every connection of the monitor at once
 *   nobutton  closes the monitor for an answer to the power button
 *
 * loadvm and snapshot-load go on from any snapshot, but for these: "bad" fails, "refused" does not even
 * begin, after "still" the machine stands still.
 *
 * NAME.version: what it answers to query-version. NAME.ssh: when that file exists it forwards a port
 * where a banner of an ssh server is heard.
 */
#include "base/fs.h"
#include "base/mem.h"
#include "json/json.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

static char *mode, *version, *usernet;
static int out_fd;
static unsigned presses;

static bool is(const char *m)
{
    return streq(mode, m);
}

static void say(const char *text)
{
    (void)fd_write_all(out_fd, text, strlen(text));
}

static void reply(const struct json *request, const char *content)
{
    _cleanup_free_ char *text = xasprintf("{\"return\": %s, \"id\": %lld}\r\n", content,
                                          (long long)json_get_int(request, "id", 0));

    say(text);
}

static void refuse(const struct json *request)
{
    _cleanup_free_ char *text =
        xasprintf("{\"error\": {\"class\": \"GenericError\", \"desc\": \"refused\"}, \"id\": %lld}\r\n",
                  (long long)json_get_int(request, "id", 0));

    say(text);
}

static const char *types_of(const struct json *args)
{
    const char *implements = json_get_str(args, "implements");

    return streq0(implements, "accel") ? "[{\"name\": \"tcg-accel\"}]" : "[]";
}

/* Events come first, and the answer is one of the human monitor. */
static const char *load_by_line(const char *tag)
{
    if (streq(tag, "bad"))
        return "\"Error: Snapshot 'bad' does not exist in one or more devices\\r\\n\"";
    if (!streq(tag, "still"))
        say("{\"event\": \"RESUME\"}\r\n");
    return "\"\"";
}

static void tell_job(const char *id, const char *status)
{
    _cleanup_free_ char *text = xasprintf("{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": "
                                          "\"%s\", \"status\": \"%s\"}}\r\n",
                                          id, status);

    say(text);
}

static void load_by_job(const struct json *args)
{
    const char *id = json_get_str(args, "job-id"), *tag = json_get_str(args, "tag");

    tell_job(id, "running");
    if (streq(tag, "bad"))
        tell_job(id, "aborting");
    else if (!streq(tag, "still"))
        say("{\"event\": \"RESUME\"}\r\n");
    tell_job(id, "concluded");
}

/* Answers for the probe, and for a machine that runs. */
static const char *content_of(const char *command, const struct json *args)
{
    if (streq(command, "query-version"))
        return version   ? version
               : is("old")
                   ? "{\"qemu\": {\"major\": 3, \"minor\": 1, \"micro\": 0}, \"package\": \"\"}"
                   : "{\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 0}, \"package\": \"\"}";
    if (streq(command, "query-machines"))
        return "[{\"name\": \"pc-q35-7.2\", \"alias\": \"q35\", \"cpu-max\": 288},"
               " {\"name\": \"virt-7.2\", \"alias\": \"virt\", \"cpu-max\": 8}]";
    if (streq(command, "qom-list-types"))
        return types_of(args);
    if (streq(command, "query-cpu-definitions"))
        return "[{\"name\": \"max\"}, {\"name\": \"qemu64\"}]";
    if (streq(command, "query-command-line-options"))
        return "[{\"option\": \"sandbox\", \"parameters\": [{}, {}]}]";
    if (streq(command, "qom-list-properties"))
        return "[]";
    if (streq(command, "query-status"))
        return "{\"status\": \"running\", \"running\": true}";
    if (streq(command, "human-monitor-command") &&
        str_starts(json_get_str(args, "command-line"), "loadvm "))
        return load_by_line(json_get_str(args, "command-line") + strlen("loadvm "));
    if (streq(command, "human-monitor-command"))
        return is("noport") ? "\"\""
               : usernet    ? usernet
                            : "\"  TCP[HOST_FORWARD]  12  127.0.0.1 40022  10.0.2.15  22  0  0\\r\\n\"";
    return "{}";
}

static void shut_down(const char *reason)
{
    _cleanup_free_ char *text = xasprintf("{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, "
                                          "\"reason\": \"%s\"}}\r\n",
                                          reason);

    say(text);
    _exit(0); /* a leak checker would only find what the stack holds */
}

static void powerdown(void)
{
    say("{\"event\": \"POWERDOWN\"}\r\n");
    presses++;
    if (is("run") || (is("slow") && presses == 2))
        shut_down("guest-shutdown");
}

/* Answers that are none. False: the connection is over. */
static bool answer_badly(void)
{
    _cleanup_free_ char *filler = is("long") ? xmalloc((10 << 20) + 1) : NULL;

    if (is("half"))
        say("{\"return\": {\"status");
    if (filler) {
        memset(filler, 'x', 10 << 20);
        filler[10 << 20] = '\0';
        say("{\"return\": \"");
        say(filler);
        say("\"}\r\n");
    }
    return !is("hangup");
}

static bool answer(const struct json *request)
{
    const char *command = json_get_str(request, "execute");

    if (!command)
        return true;
    if (!streq(command, "qmp_capabilities") && (is("half") || is("long") || is("hangup")))
        return answer_badly();
    if (str_starts(mode, "deaf") && streq(command, "quit"))
        return true;
    if (is("nobutton") && streq(command, "system_powerdown"))
        return false;
    if (streq(command, "snapshot-load") &&
        streq(json_get_str(json_get(request, "arguments"), "tag"), "refused")) {
        refuse(request);
        return true;
    }
    if (streq(command, "cont"))
        say("{\"event\": \"RESUME\"}\r\n");
    reply(request, content_of(command, json_get(request, "arguments")));
    if (streq(command, "system_powerdown"))
        powerdown();
    else if (streq(command, "snapshot-load"))
        load_by_job(json_get(request, "arguments"));
    else if (streq(command, "quit"))
        shut_down("host-qmp-quit");
    else if (streq(command, "query-status") && is("guest"))
        shut_down("guest-shutdown");
    else if (streq(command, "query-status") && is("crash"))
        raise(SIGABRT);
    else if (streq(command, "query-status") && (is("drop") || is("lapse")))
        return false;
    return true;
}

static void serve(int in_fd, int fd)
{
    struct sbuf in = SBUF_INIT;

    out_fd = fd;
    say("{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 0}, "
        "\"package\": \"\"}, "
        "\"capabilities\": []}}\r\n");
    if (is("die")) {
        fprintf(stderr, "qemu-stub: something dreadful\n");
        _exit(3);
    }
    for (;;) {
        ssize_t n = read(in_fd, sbuf_reserve(&in, 4096), 4096);
        const char *nl;

        if (n <= 0)
            break;
        sbuf_grown(&in, (size_t)n);
        while (in.len && (nl = memchr(in.buf, '\n', in.len))) {
            struct err err = ERR_INIT;
            struct json *j = json_parse(in.buf, (size_t)(nl - in.buf), "client", &err);

            sbuf_consume(&in, (size_t)(nl - in.buf) + 1);
            if (!j)
                exit(9);
            bool go_on = answer(j);
            json_free(j);
            if (!go_on) {
                sbuf_release(&in);
                return;
            }
        }
    }
    sbuf_release(&in);
}

static const char *value_of(char **argv, const char *option, const char *begins)
{
    for (; argv[0] && argv[1]; argv++)
        if (streq(argv[0], option) && str_starts(argv[1], begins))
            return argv[1];
    return NULL;
}

/* As QEMU does: a record lock for as long as it lives. */
static void lock_pidfile(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    _cleanup_free_ char *text = xasprintf("%d\n", (int)getpid());

    if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0) {
        fprintf(stderr, "qemu-stub: cannot lock pid file: %s\n", strerror(errno));
        exit(1);
    }
    (void)fd_write_all(fd, text, strlen(text));
}

/* ---- a port with the banner of an ssh server ------------------------------------------------- */

static void *greet(void *arg)
{
    static const char banner[] = "SSH-2.0-stub\r\n";
    int listener = *(int *)arg;

    for (;;) {
        int c = accept(listener, NULL, NULL);

        if (c < 0)
            continue;
        (void)fd_write_all(c, banner, strlen(banner));
        close(c);
    }
    return NULL;
}

static int open_port(void)
{
    static int listener;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    pthread_t thread;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(listener, 16) || getsockname(listener, (struct sockaddr *)&addr, &len))
        return -1;
    usernet = xasprintf("\"  TCP[HOST_FORWARD]  12  127.0.0.1 %u  10.0.2.15  22  0  0\\r\\n\"",
                        ntohs(addr.sin_port));
    return pthread_create(&thread, NULL, greet, &listener);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void read_orders(const char *name)
{
    _cleanup_free_ char *mode_file = xasprintf("%s.mode", name);
    _cleanup_free_ char *version_file = xasprintf("%s.version", name);

    mode = file_read(mode_file, 64, NULL, NULL);
    version = file_read(version_file, 4096, NULL, NULL);
}

/* The machine: takes its lock, and its monitor's connections one after the other. */
static int run(const char *name, const char *pidfile, int listener)
{
    _cleanup_free_ char *ssh_file = xasprintf("%s.ssh", name), *go_file = xasprintf("%s.go", name);

    if (is("deaf-term"))
        signal(SIGTERM, SIG_IGN);
    if (is("slowpid")) {
        while (!path_exists(go_file))
            usleep(5000);
        strcpy(mode, "run");
    }
    lock_pidfile(pidfile);
    if (path_exists(ssh_file) && open_port() != 0)
        return 5;
    for (;;) {
        struct pollfd p = {.fd = listener, .events = POLLIN}; /* it does not block */
        int fd;

        if (is("noaccept"))
            pause();
        fd = poll(&p, 1, -1) == 1 ? accept(listener, NULL, NULL) : -1;
        if (fd < 0)
            return 6;
        if (is("mute"))
            pause();
        if (!is("fickle"))
            serve(fd, fd);
        close(fd);
        if (is("drop"))
            strcpy(mode, "mute");
        else if (is("lapse"))
            strcpy(mode, "run");
    }
}

int main(int argc, char **argv)
{
    const char *chardev, *pidfile;

    (void)argc;
    signal(SIGPIPE, SIG_IGN);
    alarm(900); /* a test that failed leaves nobody behind for long */
    read_orders(argv[0]);
    if (!mode)
        return 8;
    if (value_of(argv, "-M", "none")) {
        if (is("nohelp")) {
            fprintf(stderr, "qemu-stub: error while loading shared libraries\n");
            return 127;
        }
        /* Only the machine behaves badly. */
        if (is("die") || is("half") || is("long") || is("hangup"))
            mode[0] = 'D';
        serve(STDIN_FILENO, STDOUT_FILENO);
        return 0;
    }
    if (is("reject")) {
        fprintf(stderr, "qemu-stub: -sandbox: invalid option\n");
        return 1;
    }
    chardev = value_of(argv, "-chardev", "socket,id=char-qmp,fd=");
    pidfile = value_of(argv, "-pidfile", "/");
    if (!chardev || !pidfile)
        return 7;
    return run(argv[0], pidfile, atoi(chardev + strlen("socket,id=char-qmp,fd=")));
}
