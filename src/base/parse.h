/* SPDX-License-Identifier: Apache-2.0 */
/* Text to values. All return 0, or -1 and leave *ret alone; no errno, no message: the caller
 * knows what the text was for. */
#ifndef CIMA_BASE_PARSE_H
#define CIMA_BASE_PARSE_H

#include "base/macro.h"

/* Integers as YAML 1.2 writes them: decimal (a leading zero means nothing), 0x, 0o, also 0b;
 * optional sign. Whole text or nothing. */
int parse_int64(const char *s, int64_t *ret);
/* As parse_int64, and a number with a point or an exponent whose value is an integer: 3.0, 6e3. */
int parse_integral(const char *s, int64_t *ret);
int parse_uint(const char *s, uint64_t max, uint64_t *ret);
/* A bool as Go reads it: 1, t, T, true, True, TRUE, and 0, f, F, false, False, FALSE. */
int parse_bool(const char *s, bool *ret);
/* Port 1 to 65535. */
int parse_port(const char *s, uint16_t *ret);
/* Bytes: a number (fraction allowed) with an optional unit k, m, g, t, p, each alone, with `B` or
 * with `iB`, any case, one blank allowed before it; all units are powers of 1024 (as Docker's
 * RAMInBytes). Refuses negatives and what does not fit in 63 bits. */
int parse_size(const char *s, uint64_t *ret);
/* The reverse for people: "4GiB", "1.5GiB", "512B". Caller frees. */
char *format_size(uint64_t bytes);
/* A Go duration: "10m0s", "1h30m", "500ms". Milliseconds. */
int parse_duration_ms(const char *s, int64_t *ret);

struct semver {
    uint64_t major, minor, patch;
    char pre[64]; /* pre-release without the dash; build metadata is dropped */
};

/* MAJOR.MINOR.PATCH[-pre][+build] as semver.org 2.0.0, but leading zeros are allowed; `v` in front
 * is refused. */
int parse_semver(const char *s, struct semver *ret);
/* A version as `git describe` writes it: a `v` in front and everything from the first `-` on (and
 * the mark ".m" of a modified tree) do not count: v1.2.3-16-gabcdef.m is 1.2.3. */
int parse_described_version(const char *s, struct semver *ret);
/* -1, 0, 1 by the precedence rules of semver.org. */
int semver_cmp(const struct semver *a, const struct semver *b);

/* Six octets of two hex digits with `:` or `-` between, or 0200.0000.0001, or no separators. */
int parse_mac(const char *s, uint8_t ret[6]);
char *format_mac(const uint8_t mac[6]);
/* Family of a textual IP address: 4, 6 or 0 when it is none. */
int parse_ip_family(const char *s);
/* Octal file mode, 0 to 07777; "644" and "0644" and "0o644". */
int parse_octal_mode(const char *s, unsigned *ret);

/* Damerau-Levenshtein distance, at most `limit` + 1. */
unsigned str_distance(const char *a, const char *b, unsigned limit);
/* The entry of names[] nearest to s, or NULL when none is near enough to be a likely typo. */
const char *str_nearest(const char *s, const char *const *names, size_t n);

#endif
