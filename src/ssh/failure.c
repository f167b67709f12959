/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/failure.h"
#include "base/mem.h"
#include "sys/spawn.h"
#include <sys/wait.h>

char *ssh_banner_problem(const struct ssh_target *t, enum banner_result result, const char *text)
{
    switch (result) {
    case BANNER_REFUSED:
        return xasprintf("connections to %s:%u are refused", t->host, t->port);
    case BANNER_CLOSED:
        return xasprintf("connections to %s:%u are closed before the ssh server says a word",
                         t->host, t->port);
    case BANNER_FOREIGN:
        return xasprintf("what answers on %s:%u is no ssh server: it says '%s'", t->host, t->port,
                         text);
    case BANNER_SILENT:
    case BANNER_OK:
    case BANNER_RESULT_COUNT:
        break;
    }
    return xasprintf("the guest has no ssh server that answers (no banner on %s:%u)", t->host,
                     t->port);
}

/* What OpenSSH's client says, and what it means here. The first that is found counts. */
static const struct {
    const char *says, *means;
} meanings[] = {
    {"Permission denied", "the guest refuses our key or has no user '%s' yet"},
    {"Too many authentication failures", "the guest refuses our key for user '%s'"},
    {"kex_exchange_identification", "the ssh server ends the connection in the key exchange"},
    {"Connection reset", "the ssh server resets the connection in the key exchange"},
    {"Connection closed", "the ssh server closes the connection in the key exchange"},
    {"Connection refused", "the connection is refused"},
    {"Unable to negotiate", "the guest's ssh server and ours have no algorithm in common"},
    {"timed out", "the ssh server stops answering in the middle of the login"},
    {"Host key verification failed", "the guest's host key is not accepted"},
    {"This account is currently not available", "user '%s' has no login shell in the guest"},
    {"System is booting up", "the guest does not let users in yet"},
};

char *ssh_exit_problem(const struct ssh_target *t, int wait_status, const char *errors)
{
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
        struct sbuf s = SBUF_INIT;
        const char *means = meanings[i].means, *user = strstr(means, "%s");

        if (!strstr(errors, meanings[i].says))
            continue;
        if (!user)
            return xstrdup(means);
        sbuf_add(&s, means, (size_t)(user - means));
        sbuf_addstr(&s, t->user);
        sbuf_addstr(&s, user + 2);
        return sbuf_detach(&s);
    }
    _cleanup_free_ char *end = wait_status_text(wait_status);
    return xasprintf("ssh %s", end);
}
