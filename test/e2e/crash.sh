#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whatever dies, the next command finds its way (F01 to F06, F12).
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest
mini_yaml "$scratch/crash.yaml" </dev/null
dir=$CIMA_HOME/crash

agent_pid() { "$cima" list --format json crash 2>/dev/null | sed -n 's/.*"hostAgentPID":\([0-9]*\).*/\1/p'; }
driver_pid() { "$cima" list --format json crash 2>/dev/null | sed -n 's/.*"driverPID":\([0-9]*\).*/\1/p'; }

succeeds 'start' "$cima" start "$scratch/crash.yaml"
agent=$(agent_pid) driver=$(driver_pid)
"$cima" shell crash sh -c 'echo before | sudo tee /run/mark >/dev/null' 2>/dev/null

kill_hard "$agent"
check 'F01 the machine outlives its agent' alive "$driver"
succeeds 'F01 list still works' "$cima" list
check 'F01 … and tells' sh -c "'$cima' list --format json crash | grep -q 'agent lost'"
succeeds 'F01 the next command re-adopts it' "$cima" shell crash cat /run/mark
check 'F01 … the same boot' is "$out" before
check 'F01 … the same machine' is "$(driver_pid)" "$driver"
check 'F01 … a new agent' sh -c "[ -n '$(agent_pid)' ] && [ '$(agent_pid)' != '$agent' ]"

kill_hard "$(agent_pid)"
succeeds 'F01 start re-adopts too' "$cima" start crash
check 'F01 … the same machine still' is "$(driver_pid)" "$driver"
kill_hard "$(agent_pid)"
succeeds 'F01 stop works without an agent' "$cima" stop crash
check 'F01 … gracefully' within 20 has_status crash Stopped

succeeds 'start' "$cima" start crash
agent=$(agent_pid) driver=$(driver_pid)
kill_hard "$driver"
check 'F02 a killed machine is noticed' within 10 has_status crash Stopped
check 'F02 … the agent ends' within 10 gone "$agent"
succeeds 'F02 start just works' "$cima" start crash

agent=$(agent_pid) driver=$(driver_pid)
kill_hard "$agent" "$driver"
check 'F03 both killed: stopped' within 20 has_status crash Stopped
# F04: the stale files name a living process that is none of ours.
sleep 6000 &
bystander=$!
echo "$bystander" >"$dir/ha.pid"
echo "$bystander" >"$dir/qemu.pid"
succeeds 'F03 F04 start just works' "$cima" start crash
check 'F04 the bystander got no signal' alive "$bystander"
succeeds 'F04 stop -f' "$cima" stop -f crash
check 'F04 the bystander still lives' alive "$bystander"
kill "$bystander"

rm -f "$dir/ha.sock"
mkdir "$dir/ha.sock"
echo precious >"$dir/ha.sock/file"
run "$cima" start crash
check 'F06 a directory in the way of the socket is not removed' is "$(cat "$dir/ha.sock/file" 2>&1)" precious
check 'F06 … and is named' sh -c "[ $code -eq 0 ] || grep -q ha.sock '$scratch/err'"
"$cima" stop -f crash >/dev/null 2>&1
rm -rf "$dir/ha.sock"

# F12: two starts at once. One machine, and nobody is told a lie.
"$cima" start crash >"$scratch/one" 2>&1 &
one=$!
"$cima" start crash >"$scratch/two" 2>&1
two_code=$?
wait "$one"
one_code=$?
check 'F12 at least one start succeeds' sh -c "[ $one_code -eq 0 ] || [ $two_code -eq 0 ]"
check 'F12 one machine runs' is "$(processes_with "qemu-system.*$dir/")" 1
check 'F12 the other says who is busy, or that it runs' sh -c "[ $((one_code + two_code)) -eq 0 ] || grep -qi busy '$scratch/one' '$scratch/two'"
succeeds 'shell after the race' "$cima" shell crash true

# F07: the guest powers itself off.
"$cima" shell crash sudo poweroff >/dev/null 2>&1
check 'F07 poweroff in the guest: stopped' within 30 has_status crash Stopped
succeeds 'start after poweroff' "$cima" start crash
# F07: the guest reboots.
driver=$(driver_pid)
reboot_guest crash
check 'F07 after a reboot the shell works again' within 120 booted_again crash
check 'F07 … in the same machine' is "$(driver_pid)" "$driver"
succeeds 'delete -f' "$cima" delete -f crash
check 'nothing is left' none_with "$CIMA_HOME/"
finish
