/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance asks of the daemon of its user-v2 network (S1-41, S1-48, NW-04): find out the
 * guest's address by its lease, forward the ssh port to it, and give it its names.
 *
 *   LEASES ──the guest has an address──► EXPOSE ──► ZONES (one after the other) ──► done
 *      │ again every half second             │ the port is taken: UNEXPOSE, and once more
 *      └── at the end of the patience, or at any refusal: done with an error */
#ifndef CIMA_DRIVER_QEMU_USERNET_H
#define CIMA_DRIVER_QEMU_USERNET_H

#include "driver/driver.h"

struct usernet_zone_host {
    char *name, *address; /* the address may be another host's name */
};

struct usernet_target {
    char *network;                   /* name, for messages */
    char *endpoint;                  /* path of its NAME_ep.sock */
    char *gateway;                   /* address of the host in that network */
    struct strv macs;                /* of the guest's card, any of these */
    char *hostname;                  /* "lima-NAME" */
    uint16_t ssh_port;               /* of the host; 0: nothing is forwarded */
    struct usernet_zone_host *hosts; /* further names: hostResolver.hosts */
    size_t n_hosts;
    int patience_ms; /* until the guest must have an address */
};

/* The first user-v2 network of the configuration; NULL when there is none. Its addresses are those
 * of networks.yaml, or of the one that Lima makes (NW-01). */
struct usernet_target *usernet_target_of(const struct driver_ctx *ctx, uint16_t ssh_port);
void usernet_target_free(struct usernet_target *t);
DEFINE_CLEANUP_PTR(usernet_target, usernet_target_free)
/* Is its daemon there? ERR_NOT_FOUND or ERR_NET with the next step otherwise. */
int usernet_target_check(const struct usernet_target *t, struct err *err);

struct usernet;

/* Once: everything is set up (err NULL), or what is in the way. May free the usernet. */
typedef void usernet_done_fn(void *arg, const char *address, const struct err *err);
/* Works from the loop. Takes over the target. */
struct usernet *usernet_new(struct usernet_target *target, struct loop *loop, usernet_done_fn *done,
                            void *arg);
/* Takes the ssh port back, from the loop; a failure is a warning in the log (S1-48). What is still
 * being set up ends. Again: nothing. */
void usernet_unexpose(struct usernet *u);
/* The machine has ended: what usernet_unexpose() could not finish, or was not called for, is done
 * at once; waits for it half a second at most. */
void usernet_end(struct usernet *u);
/* Forgets it; what was set up stays. NULL is allowed. */
void usernet_free(struct usernet *u);

/* The DNS zones for these names, as the daemon takes them: an array of {Name, Records, DefaultIP}.
 * The last label of a name is its zone; a name without one is a zone with a DefaultIP. Names whose
 * chain leads to no address are left out. */
struct json *usernet_zones(const struct usernet_zone_host *hosts, size_t n);

#endif
