/* SPDX-License-Identifier: Apache-2.0 */
/* How far an image has come, as text. */
#ifndef CIMA_CLI_TRANSFER_H
#define CIMA_CLI_TRANSFER_H

#include "base/sbuf.h"
#include "image/image.h"

struct transfer_view {
    enum image_phase phase;
    const char *name;     /* of the file, printable */
    uint64_t done, total; /* bytes; total 0: not known */
    uint64_t rate;        /* bytes per second; 0: not known */
};

/* "downloading debian-12.qcow2 45% 99/220 MB 12.3 MB/s" in at most `room` columns. What gives way,
 * in this order: the middle of the name, the rate, the amounts, the name, the verb; the percentage
 * stays. Pure. */
void transfer_render(const struct transfer_view *v, size_t room, struct sbuf *out);
/* The last part of a path or URL without its query, made printable. Caller frees. */
char *transfer_name(const char *location);

/* Bytes per second over the last seconds. */
#define SPEED_SAMPLES 16
struct speed {
    struct { int64_t ms; uint64_t bytes; } v[SPEED_SAMPLES];
    unsigned n, next;
};
/* Begins anew when there are fewer bytes than before. Samples closer than a quarter of a second are
 * ignored. */
void speed_add(struct speed *s, int64_t now_ms, uint64_t bytes);
/* 0 until a second has been seen. */
uint64_t speed_rate(const struct speed *s);

#endif
