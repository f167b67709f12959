#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The examples that stand on the mini guest do what they say.
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest

# Beside them is the build directory with the guest, as in a checkout.
examples=$scratch/x/instances-example
mkdir "$scratch/x"
cp -R "$srcdir/instances-example" "$examples"
chmod -R u+w "$examples"
ln -s "$builddir" "$scratch/x/build"

# Those that don't say how many processors they want get one, which is there sooner (lib.sh).
one_processor() {
    mkdir -p "$CIMA_HOME/_config"
    echo 'cpus: 1' >"$CIMA_HOME/_config/default.yaml"
}
one_processor

began=$(date +%s)

# ahead NAME: starts it while the test goes on; one at a time.
ahead() {
    {
        "$cima" start "$examples/$1.yaml" >"$scratch/$1.out" 2>"$scratch/$1.err" </dev/null
        echo $? >"$scratch/$1.code"
    } &
}
# begin NAME [NEXT]: it has started; what it said stays in $out and $err. The next one is started.
begin() {
    [ "$1" = "$started" ] || ahead "$1"
    wait
    code=$(cat "$scratch/$1.code") out=$(cat "$scratch/$1.out") err=$(cat "$scratch/$1.err")
    check "$1.yaml starts" is "$code" 0
    started=${2-}
    [ -z "$started" ] || ahead "$started"
}
started=
# end NAME: it may leave nothing behind.
end() {
    succeeds '… and is deleted' "$cima" delete -f "$1"
    check '… without a rest' absent "$CIMA_HOME/$1"
}
inside() {
    name=$1
    shift
    run "$cima" shell --workdir / "$name" "$@"
}

begin base copy-to-host
inside base cat /etc/greeting
check '… the layer on top wins' is "$out" 'hello from base.yaml'
inside base awk '/^MemTotal:/ { print ($2 > 512 * 1024) }' /proc/meminfo
check '… also over the machine below' is "$out" 1
end base

begin copy-to-host
copied=$CIMA_HOME/copy-to-host/from-guest/made-in-guest
check '… the host has the file' grep -q '^Linux ' "$copied"
check '… and not the one that is missing' absent "$CIMA_HOME/copy-to-host/from-guest/perhaps-there"
succeeds '… is stopped' "$cima" stop copy-to-host
check '… then it is gone' absent "$copied"
end copy-to-host

export https_proxy=http://127.0.0.1:3128
begin env
unset https_proxy
inside env cat /etc/environment
check '… the guest has the environment' prints 'GREETING=hello, with spaces'
check '… and the proxy, by an address it can reach' prints 'https_proxy=http://192.168.5.2:3128'
end env

if command -v python3 >/dev/null && command -v curl >/dev/null; then
    port=$(free_ports 1 24000)
    range=$(free_ports 3 25000)
    sed -i -e "s/18080/$port/" -e "s/\[13001, 13003\]/[$range, $((range + 2))]/" "$examples/forwards.yaml"
    begin forwards kernel
    check '… a port' within 30 sh -c "curl -s http://127.0.0.1:$port/ | grep -q 'hello from forwards'"
    check '… the ports are those that were asked for' grep -q "\[$range, " "$examples/forwards.yaml"
    check '… one of a range' within 30 sh -c "curl -s http://127.0.0.1:$range/ | grep -q 'hello from'"
    check '… a socket' within 30 sh -c \
        "curl -s --unix-socket '$CIMA_HOME/forwards/sock/web.sock' http://guest/ | grep -q 'hello from'"
    end forwards
else
    echo 'not run: forwards.yaml (python3 or curl is not installed)'
fi

begin kernel
inside kernel cat /proc/cmdline
check '… with its command line' prints 'example=kernel'
inside kernel test -d /sys/firmware/efi
check '… by UEFI' is "$code" 0
end kernel

cp -R "$examples/layers/_config/." "$CIMA_HOME/_config/"
begin layers
inside layers sh -c 'grep -e ^FROM -e ^WHO /etc/environment | sort; nproc'
check '… has something of every layer' is "$out" 'FROM_BASE=base.yaml
FROM_DEFAULT=default.yaml
FROM_OVERRIDE=override.yaml
WHO=the machine
1'
end layers
rm "$CIMA_HOME/_config/base.yaml" "$CIMA_HOME/_config/default.yaml" "$CIMA_HOME/_config/override.yaml"
one_processor

mark=cima-example-$$
echo "of the host" >"/var/tmp/$mark"
begin mounts-sshfs params
inside mounts-sshfs cat "/mnt/exchange/$mark"
check '… reads' is "$out" 'of the host'
inside mounts-sshfs sh -c "echo of the guest >/mnt/exchange/$mark"
check '… writes' is "$(cat "/var/tmp/$mark")" 'of the guest'
inside mounts-sshfs sh -c "touch /mnt/host-etc/$mark"
check '… and not where it may not' test "$code" -ne 0 -a ! -e "/etc/$mark"
end mounts-sshfs
rm -f "/var/tmp/$mark"

begin params plain
check '… with its message' sh -c "grep -qF 'params says \"good morning\":' '$scratch/params.out' '$scratch/params.err'"
user=$(inside params id -un && echo "$out")
inside params cat /srv/params/greeting
check '… and what the script made of the parameters' is "$out" "good morning, $user"
end params

begin plain probes
inside plain sh -c 'test ! -e /run/lima-ssh-ready && cat /proc/mounts'
check '… none of our boot scripts ran' is "$code" 0
check '… nothing is mounted from the host' sh -c "! grep -q -e sshfs -e 9p '$scratch/out'"
end plain

begin probes provision
inside probes cat /run/slow-service
check '… the start waited for the service' is "$out" up
end probes

begin provision user
user=$(inside provision id -un && echo "$out")
inside provision cat /etc/example/order
check '… everything in its order' is "$out" "boot
dependency
system
user $user"
inside provision sudo sh -c 'stat -c %a:%U /etc/example/data.conf; cat /etc/example/data.conf'
check '… and the file' is "$out" "640:root
name = provision
user = $user"
end provision

begin user
inside user sh -c 'id -un; id -u; echo "$HOME"; grep ^ada: /etc/passwd'
check '… is who was asked for' is "$out" "ada
1815
/home/ada
ada:x:1815:$(inside user id -g && echo "$out"):Ada Lovelace:/home/ada:/bin/sh"
end user

echo "$(($(date +%s) - began)) s"
finish
