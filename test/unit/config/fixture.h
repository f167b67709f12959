/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up host and the way of a text to a configuration, for the tests of src/config. */
#ifndef CIMA_TEST_CONFIG_FIXTURE_H
#define CIMA_TEST_CONFIG_FIXTURE_H

#include "base/mem.h"
#include "config/config.h"
#include <criterion/criterion.h>

/* x86_64, 8 CPUs, 16 GiB, user kim (1000), home /home/kim, Europe/Lisbon. */
const struct host_facts *test_host(void);
/* Nothing of the real host: *.txt are files, *.sock sockets, /missing/… is not there, the rest are
 * directories. */
enum config_path_kind test_path_kind(const char *path);
/* Instance "demo" in /cima/demo. */
struct config_context test_context(void);

/* parse, merge, fill and validate a single text; diagnostics of all stages in d. -1 with errors. */
int test_load(const char *yaml, const struct config_context *ctx, struct config *ret,
              struct diags *d);
/* As test_load, must succeed, without a look at the warnings. */
void test_load_ok(const char *yaml, const struct config_context *ctx, struct config *ret);
/* The message of the first diagnostic at this path, or NULL. */
const char *test_message_at(const struct diags *d, const char *path);
/* Text of all diagnostics. Caller frees. */
char *test_diags_text(const struct diags *d);

/* The smallest instance with `rest` added. */
#define WITH_IMAGE(rest) "images: [{location: /img/a.raw}]\n" rest

#endif
