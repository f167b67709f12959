/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "instance/tools.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define DEFAULT_KEY "ctrl-]"
#define PIECE       65536
#define LOOK_MS     200

/* ---- the log --------------------------------------------------------------------------------- */

/* 0 when there is nothing more for now. */
static int copy_more(int fd, struct err *err)
{
    _cleanup_free_ char *buf = xmalloc(PIECE);

    for (;;) {
        ssize_t n = read(fd, buf, PIECE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, ERR_IO, "could not read the log of the console");
        if (n == 0)
            return 0;
        if (fd_write_all(STDOUT_FILENO, buf, (size_t)n) < 0)
            return errno == EPIPE ? 1 : err_set_errno(err, ERR_IO, "could not write the log");
    }
}

/* Whoever reads our output may have gone. */
static bool reader_left(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};

    return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLNVAL);
}

static int show_log(const struct instance *inst, enum inst_console console, bool follow,
                    struct err *err)
{
    _cleanup_free_ char *path = inst_console_log(inst, console);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int r = 0;

    if (fd < 0 && errno == ENOENT) {
        err_set(err, ERR_NOT_FOUND, "instance `%s` has no log of its %s console", inst->name,
                inst_console_to_string(console));
        return err_hint(err, "it is made at a start; see `cima console --help` for other consoles");
    }
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "could not open '%s'", path);
    for (;;) {
        bool alive = follow && inst_has_machine(inst); /* before the last look */

        r = copy_more(fd, err);
        if (r || !alive || reader_left())
            return r < 0 ? -1 : 0;
        poll(NULL, 0, LOOK_MS);
    }
}

/* ---- attached -------------------------------------------------------------------------------- */

static int tell_end(const struct instance *inst, enum terminal_end end, int signo, struct err *err)
{
    switch (end) {
    case TERMINAL_SIGNAL:
        if (err) {
            err_set(err, ERR_CHILD, "signal %d", signo);
            err->exit_code = 128 + signo;
        }
        return -1;
    case TERMINAL_CLOSED:
        /* The socket is closed some moments before the process is gone. */
        for (int i = 0; i < 25 && inst_has_machine(inst); i++)
            poll(NULL, 0, LOOK_MS);
        if (inst_has_machine(inst))
            return err_set(err, ERR_NET, "the machine has closed the connection to its console");
        return err_set(err, ERR_STATE, "the machine of instance `%s` has ended", inst->name);
    default:
        log_info("Detached from the console of `%s`", inst->name);
        return 0;
    }
}

static int attach(struct cli *cli, const struct instance *inst, enum inst_console console, int key,
                  struct err *err)
{
    _cleanup_close_ int fd = -1, lock = -1;
    _cleanup_free_ char *name = key < 0 ? NULL : terminal_key_name(key);
    enum terminal_end end = TERMINAL_DETACHED;
    bool on_terminal = isatty(STDIN_FILENO) == 1;
    int signo = 0;

    if (inst_console_open(&cli->env, inst, console, &fd, &lock, err) < 0)
        return -1;
    if (on_terminal && name)
        log_info("Connected to the %s console of `%s`; %s detaches (Enter may show a prompt)",
                 inst_console_to_string(console), inst->name, name);
    else if (on_terminal)
        log_info("Connected to the %s console of `%s`; no key detaches",
                 inst_console_to_string(console), inst->name);
    int r = terminal_attach(fd, key, &end, &signo, err);
    if (on_terminal)
        (void)!write(STDERR_FILENO, "\n", 1); /* below what the guest wrote last */
    return r < 0 ? -1 : tell_end(inst, end, signo, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    const char *port = args_str(args, "port"), *escape = args_str(args, "escape");
    enum inst_console console = CONSOLE_SERIAL;
    int key = -1;

    if (args_flag(args, "follow") && !args_flag(args, "log"))
        return err_set(err, ERR_USAGE, "option --follow only works with --log");
    if (args_has(args, "escape") && args_flag(args, "log"))
        return err_set(err, ERR_USAGE, "option --escape does not work with --log");
    if (terminal_parse_key(escape ? escape : DEFAULT_KEY, &key, err) < 0 ||
        cli_find(cli, args_pos(args, 0), &inst, err) < 0)
        return -1;
    if (port)
        (void)inst_console_from_string(port, &console); /* the parser knows the choices */
    return args_flag(args, "log") ? show_log(&inst, console, args_flag(args, "follow"), err)
                                  : attach(cli, &inst, console, key, err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const char *const ports[] = {"serial", "virtio", "pci", NULL};

static const struct cli_option options[] = {
    {.name = "escape",
     .kind = VALUE_TEXT,
     .metavar = "KEY",
     .default_text = DEFAULT_KEY,
     .help = "Key that detaches: ctrl-a to ctrl-z, ctrl-], …, or none"},
    {.name = "follow",
     .short_name = 'f',
     .kind = VALUE_BOOL,
     .help = "With --log: go on with what comes, until the machine ends"},
    {.name = "log",
     .kind = VALUE_BOOL,
     .help = "Show what came out of the console since the last start, without connecting to it"},
    {.name = "port",
     .kind = VALUE_ENUM,
     .metavar = "PORT",
     .choices = ports,
     .default_text = "serial",
     .help = "Which console: the first serial port, the one of virtio, or the serial port on PCI"},
    {.name = NULL},
};

const struct command cmd_console = {
    .name = "console",
    .group = GROUP_ADVANCED,
    .summary = "Connect to the serial console of an instance",
    .description =
        "Connect the terminal to the serial console of a running instance (`default` when none is "
        "named): where its kernel writes, and where many guests have a login prompt. It works "
        "without a network, and before and after ssh does.\n\n"
        "Every key goes to the guest, but for the one that detaches. The machine and its log "
        "(serial.log in the directory of the instance) go on after that. One client can be "
        "connected at a time. When standard input is no terminal it is copied to the guest to its "
        "end, and the output until nothing has come for two seconds.\n\n"
        "The exit code is 0 after detaching and 1 when the machine has ended.",
    .examples = "cima console mini\n"
                "cima console --escape ctrl-q mini\n"
                "cima console --log -f mini\n",
    .positional = positional,
    .options = options,
    .run = run,
};
