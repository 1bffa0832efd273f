#!/bin/bash
# TAP: tools/gdb/gmp-gdb.py in batch mode: on a live process, on a core file, on a stripped program.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*/*}
out=${O:-$top/build}
. "$here/../harness/tap.sh"

target=$out/selftests/gdb/target
script=$top/tools/gdb/gmp-gdb.py

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 4
}

command -v gdb >/dev/null || skip_all "no gdb"
gdb -q -nx -batch -ex 'python print("yes")' 2>/dev/null | grep -q yes || skip_all "this gdb has no Python"
[ -x "$target" ] || skip_all "$target is not built"

pid=''
cleanup()
{
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

# start PROGRAM: until it says that it is ready
start()
{
	mkfifo "$tmp/says"
	GMP_MAXPROCS=2 "$1" wait >"$tmp/says" 2>/dev/null &
	pid=$!
	read -r _ <"$tmp/says"
	rm "$tmp/says"
}

stop()
{
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	pid=''
}

# on WHAT... -- COMMAND...: gdb's words about a process (-p PID) or a core file (PROGRAM CORE)
on()
{
	local what=() commands=()
	while [ "$1" != -- ]; do what+=("$1"); shift; done
	shift
	for c; do commands+=(-ex "$c"); done
	timeout 60 gdb -q -nx -batch -ex 'set debuginfod enabled off' -x "$script" "${what[@]}" \
		"${commands[@]}" 2>&1
}

# number REGEX FILE: the goroutine of the line in a list that matches
number()
{
	sed -n -E "/$1/{s/^[* ] ([0-9]+) .*/\1/;p;q}" "$2"
}

# says FILE REGEX...
says()
{
	local file=$1 re
	shift
	for re; do
		grep -Eq "$re" "$file" || { echo "nothing like: $re"; cat "$file"; return 1; }
	done
}

# lacks FILE REGEX
lacks()
{
	! grep -E "$2" "$1"
}

list_is_complete()
{
	says "$1" '^  1 +sleep +' \
		'^  [0-9]+ +chan receive +receiver receiver at .*target\.c:[0-9]+: ' \
		'^  [0-9]+ +sleep +sleeper at .*target\.c:' \
		'^\* [0-9]+ +syscall +in_call at .*on M[0-9]+, LWP [0-9]+' \
		'^\* [0-9]+ +running +runner at .*on M[0-9]+, LWP [0-9]+' \
		'made by make_all.* at .*target\.c:'
}

# part N FILE: what lies between the marks N and N + 1 that gdb was told to print; to $tmp/part
part()
{
	awk -v n="$1" '/^== /{on = $2 == n; next} on' "$2" >"$tmp/part"
}

start "$target"
on -p "$pid" -- 'info goroutines' >"$tmp/list"
check "info goroutines" list_is_complete "$tmp/list"
on -p "$pid" -- 'python print("<%s>" % text(int(gdb.parse_and_eval("(long)&rude"))))' >"$tmp/out"
check "a name steers no terminal" says "$tmp/out" '^<a\?\[31m\?ä>$'
goid=$(number ' receiver ' "$tmp/list")
runner=$(number ' runner ' "$tmp/list")
on -p "$pid" -- 'echo == 1\n' "goroutine $goid bt" 'echo == 2\n' "goroutine $runner bt" \
	'echo == 3\n' 'goroutine 1 bt' 'echo == 4\n' 'goroutine all bt' 'echo == 5\n' 'bt 3' \
	'echo == 6\n' "goroutine $goid bt 1" 'bt 3' >"$tmp/out"
part 1 "$tmp/out"
check "a parked one" says "$tmp/part" '^#0 .* (rt_switch|rt_leave|wait_on)' '^#[0-9]+ .*gmp_chan_recv' \
	'^#[0-9]+ .* wait_here \(local_number=' '^#[0-9]+ .* receiver \(' '^#[0-9]+ .* rt_g_entry '
check "its stack ends there" lacks "$tmp/part" 'Backtrace stopped|corrupt|\?\?'
frame=$(sed -n -E 's/^#([0-9]+) .* wait_here .*/\1/p' "$tmp/part")
part 2 "$tmp/out"
check "a running one" says "$tmp/part" '^#0 .*spin \(' '^#1 .* runner \('
part 3 "$tmp/out"
check "the main goroutine" says "$tmp/part" '^#[0-9]+ .*main_g \(' 'main_entry'
part 4 "$tmp/out"
check "all of them" says "$tmp/part" '^goroutine 1 \[sleep\]:$' '^goroutine [0-9]+ \[chan receive\]: receiver$' \
	'^goroutine [0-9]+ \[running\]: m=[0-9]+ tid=[0-9]+$' ' wait_here \(' ' sleeper \(' ' in_call \(' \
	' runner \('
part 5 "$tmp/out"
grep '^#' "$tmp/part" >"$tmp/before"
part 6 "$tmp/out"
check "one frame" equal "$(grep -c '^#' "$tmp/part")" "$(($(grep -c '^#' "$tmp/before") + 1))"
check "gdb's own frames are back" sh -c "grep '^#' '$tmp/part' | tail -n +2 | cmp - '$tmp/before'"
on -p "$pid" -- "goroutine $goid frame $frame" "goroutine $goid info registers rip" 'goroutine 99999 bt' >"$tmp/out"
on -p "$pid" -- 'goroutine' >>"$tmp/out"
check "a frame by its number" says "$tmp/out" "^#[0-9]+ .* wait_here \(local_number="
check "any other command" says "$tmp/out" '^rip +0x[0-9a-f]+ .*<(rt_switch|wait_on)'
check "bad numbers" says "$tmp/out" '^no goroutine 99999$' '^usage: goroutine <number \| all> <command>$'
check "the process goes on" sh -c "kill -0 $pid && ! grep -q 'State:.*t' /proc/$pid/status"
stop

strip -o "$tmp/stripped" "$target"
start "$tmp/stripped"
on -p "$pid" -- 'info goroutines' 'goroutine all bt 2' >"$tmp/out"
check "stripped: found through the note" says "$tmp/out" '^  1 +sleep +' '^  [0-9]+ +chan receive +receiver 0x' \
	'^\* [0-9]+ +running ' '^goroutine [0-9]+ \[chan receive\]: receiver$' '^#0 .* in \?\? \(\)'
stop

sleep 100 & pid=$!
on -p "$pid" -- 'info goroutines' >"$tmp/out"
check "not a program of ours" says "$tmp/out" '^this program does not use libgmprt'
stop

# The texts of wait reasons stand in the script and in the ABI header: in the same order.
check "wait reasons as in gmp_abi.h" sh -c "
	sed -n 's/^\tX(GMP_WAIT_[A-Z_]*,[\t ]*\(\"[^\"]*\"\)).*/\1/p' '$top/kmod/uapi/gmp_abi.h' >'$tmp/abi'
	sed -n '/^WAIT = \[/,/\]/p' '$script' | grep -o '\"[^\"]*\"' >'$tmp/py'
	test -s '$tmp/abi' && diff '$tmp/abi' '$tmp/py'"

case $(cat /proc/sys/kernel/core_pattern) in
'|'* | */*)	echo "ok $((tap_n += 1)) - core file # SKIP core_pattern leads elsewhere" ;;
*)
	(cd "$tmp" && ulimit -c unlimited && GMP_MAXPROCS=2 GMP_TRACEBACK=crash "$target" crash; :) >"$tmp/out" 2>&1
	core=$(ls "$tmp"/core* 2>/dev/null | head -n 1)
	if [ -n "$core" ]; then
		on "$target" "$core" -- 'info goroutines' >"$tmp/list"
		goid=$(number ' receiver ' "$tmp/list")
		on "$target" "$core" -- "goroutine $goid bt" 'goroutine 1 bt' 'goroutine all bt' >"$tmp/bt"
		check "core: who died" says "$tmp/list" '^\* 1 +running '
		check "core: stacks" says "$tmp/bt" ' wait_here \(' ' receiver \(' ' gmp_mutex_unlock|unlock_slow' \
			' main_g \(' ' sleeper \(' ' spin \('
		on "$tmp/stripped" "$core" -- 'info goroutines' >"$tmp/out"
		check "core: of a stripped program" says "$tmp/out" '^  [0-9]+ +chan receive +receiver 0x'
	else
		echo "ok $((tap_n += 1)) - core file # SKIP none was written here"
	fi ;;
esac

done_testing
