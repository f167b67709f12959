/* SPDX-License-Identifier: Apache-2.0 */
/* The VNC display of a machine: its password, and the files by which people and programs find it:
 * `vncpassword` (the password and nothing else) and `vncdisplay` ("HOST:N"), both 0600. */
#ifndef CIMA_DRIVER_QEMU_VNC_H
#define CIMA_DRIVER_QEMU_VNC_H

#include "json/json.h"
#include "store/store.h"

/* Makes a new password (eight characters: DES knows no more) and writes vncpassword. Before QEMU
 * starts: it reads the file (B-VNC), so that there is no moment without one. */
int vnc_make_password(const struct instance *inst, struct err *err);
/* What vncpassword says; NULL with err. Caller frees. */
char *vnc_read_password(const struct instance *inst, struct err *err);
/* Reads the answer of query-vnc (S1-44). *ret_display: "127.0.0.1:1", or "unix:PATH"; *ret_service:
 * the port as text, NULL for a socket. Both allocated. ERR_QEMU when no display is there. */
int vnc_display_of(const struct json *answer, char **ret_display, char **ret_service,
                   struct err *err);
int vnc_write_display(const struct instance *inst, const char *display, struct err *err);
/* S1-45: vncdisplay, then vncpassword; files that are not there are fine. */
void vnc_remove_files(const struct instance *inst);

#endif
