/* SPDX-License-Identifier: Apache-2.0 */
/* What cima writes to the standard input of cima-seediso: SEED_MAGIC, then the number of files,
 * then for each file its mode, the length of its name, the length of its data (all uint32,
 * little-endian), the name and the data. Nothing follows. */
#ifndef CIMA_CIDATA_SEEDSTREAM_H
#define CIMA_CIDATA_SEEDSTREAM_H

#define SEED_MAGIC     "cimaseed1\n"
#define SEED_MAGIC_LEN 10
#define SEED_FILES_MAX 100000u
#define SEED_NAME_MAX  255u
#define SEED_DATA_MAX  (64u << 20) /* of one file */
#define SEED_TOTAL_MAX (256u << 20)

#endif
