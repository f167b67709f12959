/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that prints an error and the only place that exits. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/lima.h"
#include "cli/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

/* A standard descriptor that the caller has closed would be taken by the first file we open. It is
 * filled with one that fails in the direction that matters: writing to a closed standard output
 * stays an error. */
static void fill_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* A log line ends at its line end, so further lines (source, caret, output of a script) follow it
 * as they are; in JSON each problem is a line before it, and the rest in the one message. On a
 * terminal the hint has its own line. */
static void print_error(struct err *err)
{
    if (err->kind == ERR_CHILD)
        return;
    if (log_get_format() == LOG_FORMAT_JSON) {
        for (size_t i = 0; i < err->diags.n; i++)
            log_diag(&err->diags.v[i]);
        diags_release(&err->diags);
    }
    _cleanup_free_ char *line = err_line(err), *message = err_message(err), *text = err_text(err);
    if (log_get_format() == LOG_FORMAT_JSON) {
        log_msg(LOG_FATAL, "%s", text);
        return;
    }
    if (!err->diags.n && !err->detail && !(err->hint && isatty(STDERR_FILENO))) {
        log_msg(LOG_FATAL, "%s", line);
        return;
    }
    log_msg(LOG_FATAL, "%s", message);
    fprintf(stderr, "%s\n", text + strlen(message) + (text[strlen(message)] == '\n'));
}

/* The reader of standard output has gone: errno of the write that noticed may be lost by now. */
static bool reader_has_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

/* Buffered output may fail only now. A reader that went away (`cima list | head -1`) has what it
 * wanted. */
static int flush_output(int code)
{
    bool failed = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return code;
    int why = errno;
    if (why == EPIPE || (!why && reader_has_gone()))
        return code;
    log_msg(LOG_FATAL, "cannot write to standard output: %s",
            why ? strerror(why) : "not all of it could be written");
    return code ? code : 1;
}

static int set_globals(struct cli *cli, const struct args *args, struct err *err)
{
    enum log_level level = LOG_INFO;
    const char *name = args_str(args, "log-level");

    if (name)
        (void)log_level_from_string(name, &level);
    if (args_flag(args, "debug") && level > LOG_DEBUG)
        level = LOG_DEBUG;
    log_set_level(level);
    cli->debug = level <= LOG_DEBUG;
    if (streq0(args_str(args, "log-format"), "json"))
        log_set_format(LOG_FORMAT_JSON);
    if (args_has(args, "tty") && args_has(args, "yes")) {
        err_set(err, ERR_USAGE, "cannot use both --tty and --yes flags at the same time");
        return err_hint(err, "--yes is --tty=false");
    }
    cli->tty = args_has(args, "tty") ? args_flag(args, "tty") : isatty(STDOUT_FILENO) == 1;
    cli->tty_asked = args_flag(args, "tty");
    if (args_flag(args, "yes"))
        cli->tty = false;
    cli->live = log_get_format() == LOG_FORMAT_TEXT && !args_flag(args, "yes") &&
                (cli->tty || !args_has(args, "tty"));
    return 0;
}

static int run(struct cli *cli, int argc, char *const *argv, struct err *err)
{
    _cleanup_args_ struct args args = ARGS_INIT;
    _cleanup_sbuf_ struct sbuf help = SBUF_INIT;

    if (args_parse(argc, argv, &args, err) < 0 || set_globals(cli, &args, err) < 0)
        return -1;
    if (args.command && args.command->run && !args.help)
        return args.command->run(cli, &args, err);
    if (!args.help && args_flag(&args, "version")) {
        printf("cima version %s\n", PACKAGE_VERSION);
        return 0;
    }
    if (args.command)
        help_command(args.command, &help);
    else
        help_overview(&help);
    fputs(sbuf_str(&help), stdout);
    return 0;
}

/* The second name: what is meant, in our own words. */
static int run_as_lima(struct cli *cli, int argc, char *const *argv, struct err *err)
{
    const char *instance = getenv("LIMA_INSTANCE");
    _cleanup_strv_ struct strv words = STRV_INIT;

    if (lima_wants_help(argc, argv)) {
        _cleanup_free_ char *text = lima_help(instance);

        fputs(text, stdout);
        return 0;
    }
    lima_argv(argc, argv, instance, getenv("LIMA_SHELL"), getenv("LIMA_WORKDIR"), &words);
    return run(cli, (int)words.n, strv_argv(&words), err);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    _cleanup_err_ struct err err = ERR_INIT;
    bool lima = argc > 0 && lima_is_name(argv[0]);
    int code = 0;

    fill_standard_fds();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write */
    if ((lima ? run_as_lima : run)(&cli, argc, argv, &err) < 0) {
        progress_end();
        print_error(&err);
        code = err_exit_code(&err);
    }
    cli_release(&cli);
    return flush_output(code);
}
