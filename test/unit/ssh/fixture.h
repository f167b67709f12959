/* SPDX-License-Identifier: Apache-2.0 */
/* A loop, a fake guest (a TCP port that greets, a directory for its /run, ssh-stub for its ssh), and
 * a service host that writes down what a service tells it. */
#ifndef TEST_SSH_FIXTURE_H
#define TEST_SSH_FIXTURE_H

#include "service/service.h"

enum greeting { GREET_SSH, GREET_SILENCE, GREET_CLOSE, GREET_HTTP, GREET_SLOWLY };

struct fixture {
    char *dir;               /* scratch; also the instance directory */
    struct store store;
    struct instance inst;
    struct config_instance cfg;
    struct service_host host;
    struct service *svc;
    int listener;
    struct loop_source *accept, *limit, *poll;
    int held[64];
    int64_t held_since[64];
    unsigned n_held;
    enum greeting greeting;
    int64_t greet_ms; /* GREET_SLOWLY; 0: 700 */
    enum stage reached;
    unsigned holds;
    unsigned n_degraded;
    struct err degraded;     /* the first one */
    unsigned told[GUEST_EVENT_COUNT];
    struct strv forwards;    /* "TYPE PROTOCOL GUEST HOST[: ERROR]" */
    bool (*until)(struct fixture *f);
};

void fixture_setup(struct fixture *f);
void fixture_teardown(struct fixture *f);
/* Another program of test/fake in the place of ssh. */
void fixture_use_stub(struct fixture *f, const char *name);
/* Creates and starts the service. */
void fixture_start(struct fixture *f, const struct service_type *type);
/* Runs the loop until the predicate is true; fails the test after some minutes. */
void fixture_until(struct fixture *f, bool (*until)(struct fixture *f));
/* Runs the loop for that long. */
void fixture_sleep(struct fixture *f, int64_t ms);
/* A file below the scratch directory. */
void fixture_write(struct fixture *f, const char *name, const char *text);
/* Lines of the stub's log that begin with the word; *ret_pid of the last. */
unsigned fixture_calls(struct fixture *f, const char *word, int *ret_pid);

bool until_boot_done(struct fixture *f);
bool until_user_session(struct fixture *f);
bool until_banner(struct fixture *f);
bool until_released(struct fixture *f);

#endif
