/* SPDX-License-Identifier: Apache-2.0 */
/* A private home with one instance, the fake host agent (the real one with a fake driver), and the
 * fake ssh. */
#ifndef TEST_HOSTAGENT_HOME_H
#define TEST_HOSTAGENT_HOME_H

#include "hostagent/client.h"

/* Milliseconds for what has to happen, on any machine. */
enum { LONG_MS = 240000 };

struct home {
    char *dir;
    struct store store;
    struct instance inst;
    char *self; /* path of fake_hostagent */
};

void home_setup(struct home *h);
/* Kills what is left. */
void home_teardown(struct home *h);
void home_write(struct home *h, const char *name, const char *text);
/* A file of the instance directory. */
char *home_read(struct home *h, enum inst_file file);
bool home_has(struct home *h, enum inst_file file);
/* Follows events until running or exiting; the event is kept. Fails the test after LONG_MS. */
void home_wait_up(struct home *h, struct event *ret);
/* agent_spawn and home_wait_up; it has to be running then. */
void home_start(struct home *h, struct event *ret);
void home_stop(struct home *h);
pid_t home_agent(struct home *h);
pid_t home_machine(struct home *h);
/* Waits until there is one. */
pid_t home_wait_machine(struct home *h);
void home_kill(pid_t pid, int sig);
/* Waits for the end of a process that need not be our child. */
void home_wait_gone(pid_t pid);
/* The last event in the log. */
void home_last_event(struct home *h, struct event *ret);
void home_vm_event(struct home *h, const char *name);

#endif
