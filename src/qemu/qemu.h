/* SPDX-License-Identifier: Apache-2.0 */
/* libcima-qemu for the rooms of cima: its public headers, and what goes with cima's own types. */
#ifndef CIMA_QEMU_ROOM_H
#define CIMA_QEMU_ROOM_H

#include "base/err.h"
#include "cima/qemu/cmdline.h"
#include "cima/qemu/opts.h"
#include "cima/qemu/qmp.h"
#include "json/json.h"

DEFINE_CLEANUP_PTR(cima_opts, cima_opts_free)
#define _cleanup_opts_ _cleanup_(cima_opts_freep)
DEFINE_CLEANUP_PTR(cima_cmdline, cima_cmdline_free)
#define _cleanup_cmdline_ _cleanup_(cima_cmdline_freep)
DEFINE_CLEANUP_PTR(cima_qmp, cima_qmp_free)
#define _cleanup_qmp_ _cleanup_(cima_qmp_freep)

#endif
