/* SPDX-License-Identifier: Apache-2.0 */
/* A request and facts in the form of tests: flags as the command line has them, a host with all
 * programs, files by name. */
#ifndef CIMA_TEST_RUN_FIXTURE_H
#define CIMA_TEST_RUN_FIXTURE_H

#include "run/run.h"

struct fixture {
    struct run_request request;
    struct run_facts facts;
    struct run_plan *plan;
    struct diags notes;
    struct err err;
};

/* x86_64 without KVM, image "disk.raw", fresh MAC 02:00:00:00:00:01. */
void fixture_init(struct fixture *f);
void fixture_release(struct fixture *f);
/* A file of that content (NULL: a directory). */
void fixture_file(struct fixture *f, const char *path, const char *content);
/* A path that can't be looked at. */
void fixture_error(struct fixture *f, const char *path, int error);
/* Plans; asserts success. */
void fixture_plan(struct fixture *f);
/* Plans; asserts that it is refused with a message that holds both texts (the hint included). */
void fixture_refused(struct fixture *f, const char *words, const char *more);
/* Command line as one line. */
const char *fixture_line(struct fixture *f);
/* The argument of the nth (from 0) option of that name; NULL: none. */
const char *fixture_option(struct fixture *f, const char *name, size_t nth);
size_t fixture_count(struct fixture *f, const char *name);
/* What the plan says to the user while it is executed: step texts, one per line. Caller frees. */
char *fixture_said(struct fixture *f);
/* The step of that kind, NULL: none. */
const struct run_step *fixture_step(struct fixture *f, enum run_step_kind kind);

#endif
