/* SPDX-License-Identifier: Apache-2.0 */
/* Between cima and cima-query. On standard input: "program LEN\n" and as many bytes, then for each
 * value "input LEN\n" and the bytes, then "end\n". On standard output, in the order of the inputs:
 *   value LEN\n + bytes     a result, one line of JSON
 *   next\n                  the results of the next input follow
 *   fail TEXT\n             the end: why not, for a person (one line)
 *   done\n                  the end, and all is well */
#ifndef CIMA_QUERY_PROTOCOL_H
#define CIMA_QUERY_PROTOCOL_H

enum {
    QUERY_CPU_SECONDS = 5,
    QUERY_MEMORY_MAX = 1 << 30, /* bytes of address space */
    QUERY_DEPTH_MAX = 64,       /* of a result; json_parse takes no more */
    QUERY_WALL_MS = 120 * 1000, /* a machine may be busy; the CPU time is what counts */
};

#endif
