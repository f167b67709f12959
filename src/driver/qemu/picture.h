/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_DRIVER_QEMU_PICTURE_H
#define CIMA_DRIVER_QEMU_PICTURE_H

#include "driver/tools.h"

/* A PPM of kind P6 with 8 bits for a colour, as QEMU writes it, in another format: PNG (without
 * compression) or BMP. ERR_PROTOCOL when it is none. */
int picture_convert(const char *ppm, size_t len, enum picture_format format, struct sbuf *ret,
                    struct err *err);

#endif
