/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cli/progress.h"
#include <sys/ioctl.h>

void cli_release(struct cli *cli)
{
    if (!cli->ready)
        return;
    host_facts_release(&cli->host);
    store_release(&cli->store);
    free(cli->self);
    *cli = (struct cli){0};
}

const struct inst_env *cli_env(struct cli *cli, struct err *err)
{
    if (cli->ready)
        return &cli->env;
    host_facts_gather(&cli->host);
    if (store_open(&cli->store, &cli->host, err) < 0) {
        host_facts_release(&cli->host);
        return NULL;
    }
    cli->self = realpath("/proc/self/exe", NULL);
    if (!cli->self)
        cli->self = xstrdup("cima");
    cli->env = (struct inst_env){
        .store = &cli->store,
        .host = &cli->host,
        .self = cli->self,
        .debug = cli->debug,
    };
    cli->ready = true;
    return &cli->env;
}

int cli_find(struct cli *cli, const char *name, struct instance *ret, struct err *err)
{
    return cli_env(cli, err) ? store_find(cli->env.store, name ? name : "default", ret, err) : -1;
}

unsigned cli_columns(int fd)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 0;
    return size.ws_col;
}

void cli_warn_root(void)
{
    if (geteuid() == 0)
        log_warn("running as root: the guest's user is `lima` with uid 1000");
}

int64_t cli_timeout(const struct args *args)
{
    int64_t ms = (int64_t)10 * 60 * 1000;
    const char *text = args_str(args, "timeout");

    if (text)
        (void)parse_duration_ms(text, &ms); /* the parser has checked it */
    return ms;
}

/* ---- what operations report ------------------------------------------------------------------ */

static void note(void *arg, enum log_level level, const char *text)
{
    (void)arg;
    log_at(level, "%s", text);
}

void cli_warn_diag(void *arg, const struct diag *d)
{
    (void)arg;
    log_diag(d);
}

static void step(void *arg, const char *what)
{
    (void)arg;
    if (progress_active())
        progress_step(0, what);
    else
        log_debug("%s", what);
}

const struct inst_report cli_report = {
    .note = note,
    .warning = cli_warn_diag,
    .step = step,
    .transfer = cli_transfer,
};

int cli_for_each(struct cli *cli, const struct strv *words, bool flag, cli_each_fn *fn,
                 struct err *err)
{
    bool interrupted = false;
    int r = 0;

    for (size_t i = 0; i < words->n && !interrupted; i++) {
        _cleanup_err_ struct err why = ERR_INIT;

        if (fn(cli, words->v[i], flag, &why) == 0)
            continue;
        interrupted = why.kind == ERR_INTERRUPTED; /* meant for all of them */
        /* In JSON each problem is a line of its own, at once. */
        for (size_t k = 0; log_get_format() == LOG_FORMAT_JSON && k < why.diags.n; k++)
            log_diag(&why.diags.v[k]);
        if (log_get_format() == LOG_FORMAT_JSON)
            diags_release(&why.diags);
        if (r == 0) {
            r = err_move(err, &why);
        } else {
            _cleanup_free_ char *text = err_text(&why);

            err_detail(err, text);
        }
    }
    return r;
}
