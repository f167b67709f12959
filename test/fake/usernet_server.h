/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon of a user-v2 network, as far as its REST interface goes (NW-04), in a thread. */
#ifndef CIMA_TEST_USERNET_SERVER_H
#define CIMA_TEST_USERNET_SERVER_H

#include <stdbool.h>

struct usernet_orders {
    const char *leases;   /* the answer to /services/dhcp/leases; NULL: {} */
    unsigned looks;       /* so many times there is no lease first */
    bool exposed_already; /* the first expose is refused: the port is forwarded */
    const char *refuse;   /* a path that is answered with status 500 */
    const char *mute;     /* a path that is not answered */
    const char *garbage;  /* a path that is answered with no HTTP */
};

struct usernet_server;
/* Listens at path and writes every request as one line "PATH BODY" into log. */
struct usernet_server *usernet_server_new(const char *path, const char *log,
                                          const struct usernet_orders *orders);
/* How many connections are over: answered, or closed by the client. */
unsigned usernet_server_over(const struct usernet_server *s);
void usernet_server_free(struct usernet_server *s);

#endif
