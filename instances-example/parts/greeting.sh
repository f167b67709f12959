#!/bin/sh
# A provision script of its own file: shellcheck and editors know what it is.
set -eu
printf '%s\n' "${PARAM_greeting:?}" >/etc/greeting
