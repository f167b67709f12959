/* SPDX-License-Identifier: Apache-2.0 */
/* A process beside a machine, as virtiofsd and swtpm are: makes its socket and waits to be ended.
 * The socket is the word behind --socket-path, or that of "type=unixio,path=PATH". How it behaves is
 * the first word of the command line:
 *
 *   run     listens           late    the same after half a second
 *   silent  makes no socket   dies    ends with status 3 before there is one
 *   bye     ends with status 0 before there is one
 *   fork    listens; so does a child of it that has its descriptors
 *   chatty  writes a line of 200,000 bytes first, and then others
 */
#include "base/mem.h"
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const char *find_socket(char **argv)
{
    for (; *argv; argv++) {
        if (streq(*argv, "--socket-path"))
            return argv[1];
        if (str_starts(*argv, "type=unixio,path="))
            return *argv + strlen("type=unixio,path=");
    }
    return NULL;
}

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (!path || strlen(path) >= sizeof(addr.sun_path))
        return -1;
    memcpy(addr.sun_path, path, strlen(path));
    return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1) ? -1 : fd;
}

static void chat(void)
{
    for (int i = 0; i < 200000; i++)
        fputc('x', stderr);
    fprintf(stderr, "\nafter the long line\n");
    printf("on its output\n");
    fflush(NULL);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "run";

    fprintf(stderr, "helper-stub: %s\n", mode);
    if (streq(mode, "dies"))
        return 3;
    if (streq(mode, "bye"))
        return 0;
    if (streq(mode, "late"))
        sleep_ms(500);
    if (streq(mode, "chatty"))
        chat();
    if (!streq(mode, "silent") && listen_at(find_socket(argv)) < 0) {
        perror("helper-stub");
        return 4;
    }
    if (streq(mode, "fork"))
        fork();
    for (;;)
        pause();
}
