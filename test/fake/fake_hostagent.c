/* SPDX-License-Identifier: Apache-2.0 */
/* The real host agent with the fake driver, with the command line of `cima hostagent`.
 * $FAKE_AGENT makes it fail: silent (ends with a line on stderr), hang (says nothing). */
#include "base/log.h"
#include "base/mem.h"
#include "fake_driver.h"
#include "hostagent/hostagent.h"
#include <signal.h>
#include <stdlib.h>

/* The agent asks for a driver by name only when the options bring none. */
const struct driver *driver_find(const char *vm_type)
{
    (void)vm_type;
    return NULL;
}

int main(int argc, char **argv)
{
    struct store store = {.home = NULL};
    struct instance inst = INSTANCE_INIT;
    struct host_facts host;
    struct err err = ERR_INIT;
    struct hostagent_options o = {.driver = &fake_driver};
    const char *patience = getenv("FAKE_PATIENCE_MS");

    if (streq0(getenv("FAKE_AGENT"), "silent")) {
        fputs("no words of any format\n", stderr);
        return 3;
    }
    if (streq0(getenv("FAKE_AGENT"), "hang"))
        pause();
    o.patience_ms = patience ? atoi(patience) : 240000;
    if (getenv("TEST_VERBOSE"))
        log_set_level(LOG_TRACE);
    host_facts_gather(&host);
    int r = store_open(&store, &host, &err) || store_find(&store, argv[argc - 1], &inst, &err) ||
            hostagent_run(&store, &inst, &host, &o, &err);
    if (r) {
        _cleanup_free_ char *text = err_text(&err);

        log_msg(LOG_FATAL, "%s", text);
    }
    err_clear(&err);
    instance_release(&inst);
    store_release(&store);
    host_facts_release(&host);
    return r != 0;
}
