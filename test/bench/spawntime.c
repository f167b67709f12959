/* SPDX-License-Identifier: Apache-2.0 */
/* Times commands from spawn to exit, in turns: A B C A B C …, so that a machine that gets slower or
 * faster meanwhile does so for all of them.
 *
 *   spawntime [-n RUNS] [-w WARMUP] [-c DIR] [-o FILE] COMMAND... [:: COMMAND...]...
 *
 * Each counted run is one line on stdout:
 *   index wall_ns cpu_us maxrss_kib written_bytes exit_code
 * index: of the command, from 0. written_bytes: what the process and the children that it has
 * waited for gave to file systems (getrusage(2), ru_oublock). exit_code: 128 + signal when killed.
 * Standard input and output of the commands are /dev/null, standard error goes to FILE (-o). In an
 * argument, @@ is replaced by the number of the run: names that may be used only once. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16

extern char **environ;

struct result {
    int64_t wall_ns, cpu_us;
    struct rusage usage;
    int code;
};

static void fail(const char *what, int number)
{
    fprintf(stderr, "spawntime: %s: %s\n", what, strerror(number));
    exit(2);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t microseconds(const struct timeval *t)
{
    return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

/* A copy of arg with the first @@ replaced. */
static char *expand(const char *arg, unsigned run)
{
    const char *at = strstr(arg, "@@");
    char *s = NULL;

    if (!at)
        s = strdup(arg);
    else if (asprintf(&s, "%.*s%u%s", (int)(at - arg), arg, run, at + 2) < 0)
        s = NULL;
    if (!s)
        fail("memory", ENOMEM);
    return s;
}

static void run_once(char *const *command, unsigned run, const posix_spawn_file_actions_t *files,
                     struct result *ret)
{
    size_t n = 0;
    int status, r;
    pid_t pid;

    while (command[n])
        n++;
    char **argv = calloc(n + 1, sizeof(*argv));
    if (!argv)
        fail("memory", ENOMEM);
    for (size_t i = 0; i < n; i++)
        argv[i] = expand(command[i], run);

    int64_t since = now_ns();
    r = posix_spawnp(&pid, argv[0], files, NULL, argv, environ);
    if (r)
        fail(argv[0], r);
    while (wait4(pid, &status, 0, &ret->usage) < 0)
        if (errno != EINTR)
            fail("wait4", errno);
    ret->wall_ns = now_ns() - since;

    ret->cpu_us = microseconds(&ret->usage.ru_utime) + microseconds(&ret->usage.ru_stime);
    ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    for (size_t i = 0; i < n; i++)
        free(argv[i]);
    free(argv);
}

static unsigned number(const char *text)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (!*text || *end || v > 1000000)
        fail(text, EINVAL);
    return (unsigned)v;
}

/* Splits at "::" in place. */
static size_t split(char **words, char **commands[COMMANDS_MAX])
{
    size_t n = 0;

    commands[n++] = words;
    for (; *words; words++)
        if (strcmp(*words, "::") == 0) {
            *words = NULL;
            if (n == COMMANDS_MAX)
                fail("commands", E2BIG);
            commands[n++] = words + 1;
        }
    for (size_t i = 0; i < n; i++)
        if (!commands[i][0])
            fail("a command is empty", EINVAL);
    return n;
}

int main(int argc, char **argv)
{
    unsigned runs = 20, warmup = 2;
    const char *errors = "/dev/null";
    posix_spawn_file_actions_t files;
    char **commands[COMMANDS_MAX];
    int opt;

    while ((opt = getopt(argc, argv, "+n:w:c:o:")) != -1) {
        if (opt == 'n')
            runs = number(optarg);
        else if (opt == 'w')
            warmup = number(optarg);
        else if (opt == 'o')
            errors = optarg;
        else if (opt != 'c' || chdir(optarg) < 0)
            return 2;
    }
    size_t n = split(argv + optind, commands);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (unsigned run = 0; run < warmup + runs; run++)
        for (size_t i = 0; i < n; i++) {
            struct result r;

            run_once(commands[i], run, &files, &r);
            if (run >= warmup)
                printf("%zu %lld %lld %ld %lld %d\n", i, (long long)r.wall_ns, (long long)r.cpu_us,
                       r.usage.ru_maxrss, (long long)r.usage.ru_oublock * 512, r.code);
        }
    return 0;
}
