#!/bin/bash
# Run the tests and add up: `make check` is "check.sh host 6.1 6.12".
#
# usage: check.sh [host] [KVER...]
#   host  the tests that need no module, here
#   KVER  the tests with the module, in a guest with that kernel; several guests run at the
#         same time, after the host's tests, which look at times and want the machine to themselves.
#         The folder of a kernel that finds bugs (tools/dev/debugkernel.sh) is a KVER, too: its
#         time limits are ten times as long, and it is asked whether its checks were on all the time
#
# The last line is the total of all runs: "N passed, N failed, N skipped".
# What is left to read is in build/selftests/: host.log, KVER.log, log/, guest-KVER/.
set -u

here=$(cd "$(dirname "$0")" && pwd)
export O=${O:-${here%/*}/build}
dir=$O/selftests
unset MAKEFLAGS MFLAGS MAKELEVEL	# of the make that runs this: not for the tests
runs=()

# tests_of LIST: sets $tests to what selftests/Makefile names
tests_of()
{
	if ! tests=$(make --no-print-directory -s -C "$here" "$1") || [ -z "$tests" ]; then
		echo "check: make -C selftests $1 names no tests" >&2
		exit 2
	fi
}

# show LOG: what run.sh prints, but for its end, which comes once, for all runs together
show()
{
	tee "$1" | sed -u -E '/^(FAILED|SKIPPED) /d; /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/d'
}

# The time limits allow for emulation; that of the whole is for a guest that hangs.
run_guest()
{
	local kver=$1 label=${1##*/} results limit=600 mem=1024 times=1 before='' after=''
	results=$dir/guest-$label
	case $kver in
	*/*)	limit=6000 mem=2048 times=10
		before=$here/vm/debug-begin.sh after=$here/vm/debug-end.sh ;;
	esac
	rm -rf "$results"
	# pdeathsig: it ends, with its guest, when this shell is told to end
	# shellcheck disable=SC2086 # lists
	setpriv --pdeathsig TERM "$here/vm/run.sh" -k "$kver" -t $limit -m $mem -r "$results" -- \
		"$here/run.sh" -t 120 -x $times -l "$label" \
		$before "$here/vm/load.sh" $tests "$here/vm/unload.sh" $after 2>&1
}

# Each test is answered for by run.sh; this is for what the kernel said before and after them.
# A run that has failed for that reason, or did not finish, counts once.
check_console()
{
	local kver=${1##*/} console trouble
	console=$dir/guest-$kver/console.log
	rm -f "$dir/$kver-console.log"
	if ! trouble=$("$here/vm/klog.sh" "$console") &&
		grep -q 'passed,.*failed,.*skipped$' "$dir/$kver.log" &&
		! grep -q 'the kernel complained' "$dir/$kver.log"; then
		printf '%s\n' "FAILED $kver: $console: $(echo "$trouble" | head -n 1)" \
			'0 passed, 1 failed, 0 skipped' >"$dir/$kver-console.log"
		runs+=("$dir/$kver-console.log")
	fi
}

cleanup()
{
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086 # several pids
	[ -z "$pids" ] || kill $pids 2>/dev/null
	wait
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$dir" || exit 2

if [ "${1:-}" = host ]; then
	shift
	tests_of host-list
	# shellcheck disable=SC2086 # a list
	"$here/run.sh" -l host $tests 2>&1 | show "$dir/host.log" &
	wait	# in the background, so that a signal is acted upon at once
	runs+=("$dir/host.log")
fi

[ $# -eq 0 ] || tests_of vm-list
for kver; do
	run_guest "$kver" | show "$dir/${kver##*/}.log" &
	runs+=("$dir/${kver##*/}.log")
done
wait

for kver; do
	check_console "$kver"
done
"$here/run.sh" -m "${runs[@]}"
