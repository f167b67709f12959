/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the rooms around instance/: a driver, the client side of the host agent, images.
 * What counts as alive is real: processes of the test that hold the real locks. */
#ifndef CIMA_TEST_INSTANCE_FAKES_H
#define CIMA_TEST_INSTANCE_FAKES_H

#include "../tmpdir.h"
#include "driver/tools.h"
#include "instance/instance.h"
#include <criterion/criterion.h>

struct fakes {
    /* What the fakes do. */
    const char *image_error, *disk_error, *plan_error; /* NULL: success */
    const char *plan_note;
    const char *adopt_error;
    uint64_t disk_bytes; /* of the disk that the driver made */
    const char *spawn_error, *ssh_error;
    const struct event *events; /* handed out by agent_follow, then… */
    size_t n_events;
    unsigned ticks; /* … so many ticks, then a time-out */
    pid_t dies;     /* not 0: the first agent_follow sees this agent end without a word */
    bool info_hangs;
    int info_waited_ms;  /* … so long in all */
    bool stop_takes_long; /* an agent that was asked to stop goes on for a while */
    bool console_taken;
    /* What was asked of them. */
    char tools_asked[512];
    unsigned spawned, followed, stopped, prepared;
    void (*on_spawn)(void);
    char base_dir[256];
};
extern struct fakes fakes;
extern const struct driver_tools fake_tools; /* fake_tools.c */

/* A home with nothing in it, and an environment for operations. */
struct world {
    char *dir;
    struct store store;
    struct host_facts host;
    struct inst_env env;
    struct inst_report report; /* collects: */
    struct sbuf notes, warnings;
    unsigned events;
    bool interrupt; /* what interrupted() says */
};

void world_init(struct world *w);
void world_release(struct world *w);
#define _cleanup_world_ _cleanup_(world_release)

/* A template with one image, at base_dir = the world's directory. */
void world_template(const struct world *w, const char *yaml, struct template *ret);
/* Creates an instance by inst_create. */
void world_create(struct world *w, const char *name, struct instance *ret);
/* "" or the names in the home, blank between, without _config. */
char *world_ls(const struct world *w);

/* A process that holds what a living agent or machine (POSIX lock) holds; until the test ends. */
pid_t live_agent(const struct instance *i);
/* One that ends when it has been asked twice by SIGINT, and leaves the file LAST_WORD then. */
#define LAST_WORD "last-word"
pid_t live_slow_agent(const struct instance *i);
pid_t live_machine(const struct instance *i);
/* One that holds the operation lock. */
pid_t live_command(const struct instance *i);
void end_process(pid_t pid);
bool is_alive(pid_t pid);

/* Writes ha.stdout.log. */
void write_events(const struct instance *i, const char *lines);

#define SIMPLE_YAML "images:\n- location: disk.img # ours\n  arch: x86_64\n"

#endif
