/* SPDX-License-Identifier: Apache-2.0 */
/* argv-case CASE.json: one case of test/golden/argv-cases, or one of the same form, turned into what
 * the product would do. Each kind of case has a function in a file of its own; it hands input and
 * facts to the planner or the library and has no rules about QEMU itself. */
#ifndef CIMA_TEST_ARGV_CASE_H
#define CIMA_TEST_ARGV_CASE_H

#include "json/json.h"

/* Each returns the object that is printed: {"argv": […], "fds": {…}, "helpers": […], "runs": […]},
 * or {"exit": 1, "message": "…"}. facts may be NULL. */
struct json *case_lima(const struct json *input, const struct json *facts);  /* input.yaml */
struct json *case_run(const struct json *input, const struct json *facts);   /* input.args */
struct json *case_govmm(const struct json *input, const struct json *facts); /* input.config */

#endif
