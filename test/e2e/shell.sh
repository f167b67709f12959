#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Row `shell` on the mini guest: words, environment, directories, exit codes, terminals, the second
# name `lima`, and a machine that is not there or not up.
# shellcheck disable=SC1003,SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest
unset LIMA_SHELLENV_BLOCK LIMA_SHELLENV_ALLOW LIMA_INSTANCE LIMA_SHELL LIMA_WORKDIR COLORTERM CI
ln -s "$cima" "$scratch/lima"
lima=$scratch/lima

# ---- before it runs ----------------------------------------------------------------------------

fails 'an instance that does not exist' 1 "$cima" shell nobody true
check '… is named' says 'instance `nobody` does not exist'
check '… and how to make it' says 'cima create'
mini_yaml "$scratch/box.yaml" </dev/null
succeeds 'create' "$cima" create "$scratch/box.yaml"
fails 'F47 a stopped one without a terminal asks nothing' 1 "$cima" shell box true
check '… and says what to do' says 'instance `box` is stopped, run `cima start box` to start the instance'
fails 'a stopped one on a terminal: a no' 1 answering n "$cima" shell box true
check '… was asked for' prints 'Do you want to start the instance now? [Y/n]'
check '… and nothing was started' has_status box Stopped
fails 'F47 CI=1: no question on a terminal either' 1 env CI=1 "$builddir/cima" shell box true
fails '--yes: no question' 1 answering n "$cima" --yes shell box true
check '… indeed' sh -c "! grep -q 'Y/n' '$scratch/out'"
succeeds 'a stopped one on a terminal: a yes starts it and runs the command' \
    answering y "$cima" shell box echo it-runs
check '… with its output' prints 'it-runs'
check '… and it stays' has_status box Running

# ---- words and exit codes ----------------------------------------------------------------------

shell() { "$cima" shell box "$@"; }

succeeds 'S09 every byte of every word arrives' shell printf '<%s>' '' ' ' "'" '"' '\' '$(id)' '`id`' '*' '~' \
    '-n' '--' ';' '&' '=ls' 'A=1' 'ü' 'a
b' '{a,b}' '#' '!!' '--help'
check '… unchanged' is "$out" "<>< ><'><\"><\\><\$(id)><\`id\`><*><~><-n><--><;><&><=ls><A=1><ü><a
b><{a,b}><#><!!><--help>"
succeeds 'leading assignments are assignments' shell A='1 2' B='$x' sh -c 'echo "$A|$B"'
check '… with their values' is "$out" '1 2|$x'
succeeds 'a word that looks like our option is the command'\''s' shell echo --workdir /
check '… indeed' is "$out" '--workdir /'
succeeds 'one -- behind the name is skipped' shell -- echo -- x
check '… only one' is "$out" '-- x'
for c in 0 1 37 255; do
    fails "exit code $c" $c shell sh -c "exit $c"
done
fails 'a command that is not there' 127 shell no-such-command
fails 'a command killed by a signal' 137 shell sh -c 'kill -9 $$'
succeeds 'standard input' sh -c "printf 'a\\nb' | '$cima' shell box cat"
check '… arrives whole' is "$out" "a
b"
succeeds 'standard error stays apart' shell sh -c 'echo out; echo err >&2'
check '… on its own' is "$out$err" 'outerr'
succeeds 'binary output' sh -c "head -c 300000 /dev/urandom >'$scratch/blob'; '$cima' shell box cat <'$scratch/blob' | cmp - '$scratch/blob'"
fails 'a command longer than a process can take' 1 "$cima" shell box echo "$(head -c 70000 /dev/zero | tr '\0' x)" "$(head -c 70000 /dev/zero | tr '\0' x)"
check '… says so' says 'too long'
succeeds 'a long command' shell sh -c 'echo ${#1}' x "$(head -c 7000 /dev/zero | tr '\0' x)"
check '… arrives' is "$out" 7000
fails 'S09 a name that looks like an option' 1 "$cima" shell -- --help true
check '… is looked for' says '`--help`'

# ---- a login shell, with and without a terminal --------------------------------------------------

succeeds 'a profile is written' shell sh -c 'echo "export FROM_PROFILE=yes; ONLY_HERE=too" >~/.profile'
succeeds 'its settings reach the command' shell sh -c 'echo "$FROM_PROFILE|$ONLY_HERE"'
check '… what is exported' is "$out" 'yes|'
succeeds 'it is also read by a shell that was asked for' "$cima" shell --shell /bin/sh box sh -c 'echo "$FROM_PROFILE"'
check '… indeed' is "$out" yes
succeeds 'without a terminal there is none in the guest' shell sh -c 'tty || :'
check '… indeed' prints 'not a tty'
succeeds 'with one there is' answering '' "$cima" shell box sh -c 'tty; stty size >/dev/null && echo sized'
check '… indeed' prints '/dev/pts'
fails 'exit codes come through a terminal' 5 answering '' "$cima" shell box sh -c 'exit 5'
check 'an interactive shell is a login shell' sh -c \
    "printf 'shopt -q login_shell && echo login-\$FROM_PROFILE\\n' | '$cima' shell box 2>/dev/null | grep -qx login-yes"
succeeds 'the profile goes' shell rm .profile

# ---- environment -------------------------------------------------------------------------------

export CIMA_TEST_A='a  b' CIMA_TEST_B='quotes '\'' " and $HOME `id` \' CIMA_TEST_C='first
second'
show='printf "%s|%s|%s" "${CIMA_TEST_A-none}" "${CIMA_TEST_B-none}" "${CIMA_TEST_C-none}"'
succeeds 'without --preserve-env nothing goes along' shell sh -c "$show"
check '… nothing' is "$out" 'none|none|none'
succeeds '--preserve-env' "$cima" shell --preserve-env box sh -c "$show"
check '… takes values byte for byte' is "$out" "$CIMA_TEST_A|$CIMA_TEST_B|$CIMA_TEST_C"
succeeds '… but not what belongs to this host' "$cima" shell --preserve-env box sh -c 'echo "$HOME:$USER:$PATH"'
check '… such as PATH' is "$out" "$(shell sh -c 'echo "$HOME:$USER:$PATH"' 2>/dev/null)"
export LIMA_SHELLENV_BLOCK='+CIMA_*_A'
succeeds 'LIMA_SHELLENV_BLOCK with a plus' "$cima" shell --preserve-env box sh -c "$show"
check '… blocks more' is "$out" "none|$CIMA_TEST_B|$CIMA_TEST_C"
export LIMA_SHELLENV_BLOCK='*' LIMA_SHELLENV_ALLOW='CIMA_TEST_A'
succeeds 'LIMA_SHELLENV_ALLOW' "$cima" shell --preserve-env box sh -c "$show"
check '… wins' is "$out" "a  b|none|none"
export LIMA_SHELLENV_ALLOW='A-B'
fails 'a pattern that is none' 1 "$cima" shell --preserve-env box true
check '… is named' says 'invalid LIMA_SHELLENV_ALLOW pattern'
unset LIMA_SHELLENV_BLOCK LIMA_SHELLENV_ALLOW
succeeds 'what is no identifier stays here' env 'A.B=1' 'X-Y=2' "$builddir/cima" shell --preserve-env box sh -c 'env | grep -c "^[AX][.-]" || :'
check '… indeed' is "$out" 0

# ---- directories -------------------------------------------------------------------------------

succeeds '--workdir' "$cima" shell --workdir '/usr/local' box pwd
check '… goes there' is "$out" /usr/local
fails '--workdir that is not there' 1 "$cima" shell --workdir "/no/such'dir" box pwd
check '… is an error of the guest'\''s shell' says "/no/such'dir"
succeeds 'nothing is mounted: the guest'\''s home' shell pwd
check '… without a word' is "$err" ''
check '… indeed' is "$out" "$(shell sh -c 'echo $HOME')"

# ---- lima --------------------------------------------------------------------------------------

export LIMA_INSTANCE=box
succeeds 'lima is shell of LIMA_INSTANCE' "$lima" echo 'a  b' --help
check '… with its words' is "$out" 'a  b --help'
succeeds 'LIMA_WORKDIR and LIMA_SHELL' env LIMA_WORKDIR=/usr LIMA_SHELL=/bin/sh "$lima" sh -c 'pwd; ps -o args | grep -c "[/]bin/sh -l" || :'
check '… are honoured' sh -c "head -n 1 '$scratch/out' | grep -qx /usr"
succeeds 'an option in front wins' env LIMA_WORKDIR=/usr "$lima" --workdir /tmp pwd
check '… indeed' is "$out" /tmp
fails 'lima passes the exit code on' 9 "$lima" sh -c 'exit 9'
succeeds 'lima --help' "$lima" --help
check '… names the instance' prints 'cima shell box'
succeeds 'lima --version' "$lima" --version
check '… is ours' prints 'cima version'
unset LIMA_INSTANCE
fails 'without LIMA_INSTANCE it is `default`' 1 "$lima" true
check '… which is not there' says '`default`'
fails 'lima start' 1 "$lima" start
check '… is probably something else' says 'Perhaps you meant `cima start`?'

# ---- a new connection --------------------------------------------------------------------------

groups() { shell id -Gn 2>/dev/null; }
succeeds 'the user joins a group' shell sh -c 'me=$(id -un); grep -q "^disk:" /etc/group || echo "disk:x:6:" | sudo tee -a /etc/group >/dev/null
    sudo sed -i "s/^\(disk:.*:.*:\).*/\1$me/" /etc/group; grep "disk.*$me" /etc/group'
succeeds '--reconnect' "$cima" shell --reconnect box id -Gn
check '… is a session that knows' prints disk
later() { groups | grep -qw disk; }
check 'and so do later ones' within 30 later
check 'the agent has a new master' within 30 test -S "$CIMA_HOME/box/ssh.sock"
succeeds '--reconnect again' "$cima" shell --reconnect box true

# ---- ended by a signal ---------------------------------------------------------------------------

"$cima" shell box sleep 1000 </dev/null >/dev/null 2>&1 &
pid=$!
sleeping() { shell sh -c 'ps | grep -q "[s]leep 1000"' >/dev/null 2>&1; }
check 'a command runs in the guest' within 20 sleeping
kill -TERM $pid
wait $pid 2>/dev/null
code=$?
# One that the master has not yet told of its session has no handler: it is killed.
[ $code -ne 143 ] || code=255
check 'SIGTERM ends our side, with the code of ssh' is $code 255

succeeds 'stop' "$cima" stop box
fails '--start=false on a terminal asks nothing' 1 answering n "$cima" shell --start=false box true
check '… indeed' sh -c "! grep -q 'Y/n' '$scratch/out'"
succeeds '--start' "$cima" shell --start box echo up
check '… starts it and runs the command' is "$out" up
succeeds 'delete' "$cima" delete -f box
finish
