#!/bin/bash
# CPU work that goes on beside blocking calls, and how late a ticker is behind a tight loop: with gmp.ko and
# without. In a guest that counts instructions (vm/run.sh -c) a nanosecond is an instruction, so these are figures of
# the runtime and the module, not of how busy the host is. One CPU. The module is not loaded when this begins.
#
# How to read it: blocksys has as many computing goroutines as Ps and eight that sleep for 1 ms in a system call,
# again and again; "work" is what the computing ones get done, of what they do alone. handoff: from a read() that
# blocks to the next goroutine. Without the module the calls are declared.
. "$(dirname "$0")/../harness/tap.sh"

bench=$O/tools/bench/gmpbench

# figures WORKLOAD PROCS ARG...: the line without its first two words, or nothing
figures()
{
	"$bench" "$@" >"$tmp/line" 2>"$tmp/err" || { cat "$tmp/err" >&2; return 1; }
	cut -d' ' -f3- "$tmp/line"
}

# measures WITH-OR-WITHOUT: all figures, into a file; fails unless each program came to its end
measures()
{
	local procs line
	for procs in 1 2; do
		line=$(figures blocksys $procs 8 1000 1) || return
		echo "# blocksys $1, ${line/ percent/ % of the work}"
	done >"$tmp/figures"
	line=$(figures handoff 1 200) || return
	echo "# handoff $1, $line" >>"$tmp/figures"
	line=$(figures preempt 1 1) || return
	echo "# a ticker of 1 ms behind a tight loop $1, late by: $line" >>"$tmp/figures"
}

# The figures of the case before this.
show()
{
	cat "$tmp/figures"
	: >"$tmp/figures"
}

loads()
{
	insmod "$O/kmod-$(uname -r)/gmp.ko" handoff=1
}

# What the last process left is taken away a little later.
unloads()
{
	local tries=0
	while ! rmmod gmp; do
		[ $((++tries)) -lt 100 ] && sleep 0.1 || return
	done
}

check "blocking calls without the module" measures without
show
check "insmod gmp.ko" loads
check "blocking calls with the module" measures with
show
check "rmmod gmp" unloads
done_testing
