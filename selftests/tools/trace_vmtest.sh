#!/bin/bash
# TAP, in a guest with gmp.ko loaded: every tracepoint has its line for bpftrace in gmp.4, and each line
# that stands there or in the README does what it says; perf and trace-cmd see all of them; the BPF
# program in gmp.4 compiles, loads and counts. All of it is taken from the documentation as it is.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/selftests/tools}
out=${O:-$top/build}
. "$here/../harness/tap.sh"
page=$top/Documentation/man/gmp.4
target=$out/selftests/tools/tracetarget
tracefs=/sys/kernel/tracing
param=/sys/module/gmp/parameters/handoff

# The text of the blocks .EX to .EE, as man(1) would show it.
examples()
{
	sed -n '/^\.EX/,/^\.EE/{/^\.E/!p}' "$page" |
		sed "s/\\\\(aq/'/g; s/\\\\-/-/g; s/\\\\&//g; s/\\\\e/\\\\/g"
}

one_liners()
{
	{ examples; cat "$top/README.md"; } | grep "^bpftrace -e '.*'\$" | sort -u
}

# All of them in one program, for each start of bpftrace takes seconds in an emulated guest: so they
# have maps of different names. It starts the target when its probes are there, and ends with it.
run_one_liners()
{
	one_liners | sed "s/^bpftrace -e '//; s/'\$//" >"$tmp/all.bt"
	bpftrace -c "$target" "$tmp/all.bt" >"$tmp/out" 2>&1
}

# printed LINE: what it says it prints: its map, or its printf
printed()
{
	local pattern
	case $1 in
	*@*)	pattern=$(sed 's/[^@]*\(@[a-z_]*\).*/^\1\\[/' <<<"$1") ;;
	*)	pattern=$(sed 's/.*printf("\([^"]*\)\\n".*/^\1$/; s/%s/.*/g; s/%d/[0-9]*/g' <<<"$1") ;;
	esac
	grep -q -e "$pattern" "$tmp/out" || { echo "no '$pattern' in:"; head -n 50 "$tmp/out"; return 1; }
}

has_line()
{
	examples | grep -q "^bpftrace -e 'tracepoint:gmp:$1 "
}

# all_in FILE [PREFIX]: each tracepoint is named there
all_in()
{
	local e rc=0
	for e in $events; do
		grep -q "${2:-}$e\\>" "$1" || { echo "no $e in: $(head -c 2000 "$1")"; rc=1; }
	done
	return $rc
}

perf_lists()
{
	perf list 'gmp:*' >"$tmp/list" 2>&1
	all_in "$tmp/list" gmp:
}

# -a: gmp_handoff is fired from interrupts, in whatever task those meet.
perf_records()
{
	perf record -q -a -o "$tmp/perf.data" -e 'gmp:*' -- "$target" >"$tmp/said" 2>&1 || { cat "$tmp/said"; return 1; }
	perf script -i "$tmp/perf.data" >"$tmp/script" 2>"$tmp/said"
	head -n 3 "$tmp/script"
	all_in "$tmp/script" gmp: &&
		grep -q 'gmp:gmp_carrier: tgid=[0-9]* tid=[0-9]* m=[0-9]* p=[-0-9]* goid=[0-9]* why=blocked' "$tmp/script" &&
		grep -q 'gmp:gmp_m_detach: tgid=.* why=\(unregister\|exit\) lived_ns=' "$tmp/script"
}

perf_traces()
{
	perf trace -a --no-syscalls -e 'gmp:*' -o "$tmp/trace" -- "$target" >"$tmp/said" 2>&1 || { cat "$tmp/said"; return 1; }
	head -n 3 "$tmp/trace"
	all_in "$tmp/trace" gmp:
}

trace_cmd_records()
{
	trace-cmd record -q -e gmp -o "$tmp/trace.dat" "$target" >"$tmp/said" 2>&1 || { cat "$tmp/said"; return 1; }
	trace-cmd report -i "$tmp/trace.dat" >"$tmp/report" 2>&1
	head -n 5 "$tmp/report"
	all_in "$tmp/report" && grep -q 'gmp_m_attach: *tgid=[0-9]* tid=[0-9]* m=[0-9]* slot=' "$tmp/report"
}

# The example of section "Functions for BPF programs": a block that begins with a comment is the file it
# names, the lines after "# " are what one types.
counts_by_kfunc()
{
	local pid rc=0
	mkdir "$tmp/kfunc"
	(cd "$tmp/kfunc" && examples | awk '
		/^\/\* [a-z.]*\.c - / { file = $2 }
		/^(# |bpftrace )/ { file = "" }
		/^# / { print substr($0, 3) > "commands" }
		file { print > file }')
	ls "$tmp/kfunc"
	"$target" 600000 &
	pid=$!
	(cd "$tmp/kfunc" && set -e && . ./commands) >"$tmp/kfunc/out" 2>&1 || rc=1
	kill -KILL $pid
	wait $pid 2>/dev/null
	cat "$tmp/kfunc/out"
	[ $rc -eq 0 ] && grep -q '^goroutine [1-9][0-9]*: [1-9]' "$tmp/kfunc/out"
}

mountpoint -q $tracefs || mount -t tracefs tracefs $tracefs
events=$(cd $tracefs/events/gmp && ls -d gmp_*)
was=$(cat $param)
echo Y >$param

check "there are tracepoints" test "$(echo "$events" | wc -l)" -ge 7
for e in $events; do
	check "$e has its line" has_line "$e"
done
check "bpftrace" run_one_liners
while IFS= read -r line; do
	check "$line" printed "$line"
done < <(one_liners)
check "perf list" perf_lists
check "perf record, perf script" perf_records
check "perf trace" perf_traces
check "trace-cmd record, trace-cmd report" trace_cmd_records
check "the BPF program of gmp.4" counts_by_kfunc
echo "$was" >$param
done_testing
