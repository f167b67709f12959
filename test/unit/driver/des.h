/* SPDX-License-Identifier: Apache-2.0 */
/* DES of one block (FIPS 46-3), for the VNC handshake of a test. */
#ifndef CIMA_TEST_DES_H
#define CIMA_TEST_DES_H

#include <stdint.h>

uint64_t des_encrypt(uint64_t key, uint64_t block);
/* The answer to a VNC server's challenge of 16 bytes (RFC 6143, 7.2.2). */
void vnc_response(const char *password, const uint8_t challenge[16], uint8_t ret[16]);

#endif
