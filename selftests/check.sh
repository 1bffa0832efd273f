#!/bin/bash
# Run the tests and add up: `make check` is "check.sh host 6.1 6.12".
#
# usage: check.sh [host] [KVER...]
#   host  the tests that need no module, here: those that compute for a minute beside the others
#   KVER  the tests with the module, in a guest with that kernel; several guests run at the
#         same time, after the host's tests. Then, in a guest that counts instructions, what the module adds to a switch.
#         What was measured is shown: the lines "# KVER: ..."
#         The folder of a kernel that finds bugs (tools/dev/debugkernel.sh) is a KVER, too: its
#         time limits are ten times as long, and it is asked whether its checks were on all the time
#
# The last line is the total of all runs: "N passed, N failed, N skipped"; the one before says how long it took.
# What is left to read is in build/selftests/: host.log, long.log, KVER.log, count-KVER.log, log/, guest-KVER/.
set -u

here=$(cd "$(dirname "$0")" && pwd)
export O=${O:-${here%/*}/build}
dir=$O/selftests
unset MAKEFLAGS MFLAGS MAKELEVEL	# of the make that runs this: not for the tests
runs=() counts=''
long='/(torture|san|harness)/|/models_test'	# of the host's: little but the CPU's time matters to them

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

# run_host TESTS LOG
run_host()
{
	# shellcheck disable=SC2086 # a list
	"$here/run.sh" -l host $1 2>&1 | show "$2"
}

# The time limits allow for emulation; that of the whole is for a guest that hangs.
run_guest()
{
	local kver=$1 label=${1##*/} results limit=1500 mem=1024 times=1 before='' after=''
	results=$dir/guest-$label
	case $kver in
	*/*)	limit=9000 mem=2048 times=10
		before=$here/vm/debug-begin.sh after=$here/vm/debug-end.sh ;;
	esac
	rm -rf "$results"
	# pdeathsig: it ends, with its guest, when this shell is told to end
	# shellcheck disable=SC2086 # lists
	setpriv --pdeathsig TERM "$here/vm/run.sh" -k "$kver" -t $limit -m $mem -r "$results" -- \
		"$here/run.sh" -t 120 -x $times -l "$label" \
		$before "$here/vm/load.sh" $tests "$here/vm/unload.sh" $after 2>&1
}

# In a guest of its own, which counts instructions. These figures are what the test is for: they are shown.
run_count()
{
	local kver=$1 label=count-$1 results=$dir/guest-count-$1
	rm -rf "$results"
	# shellcheck disable=SC2086 # a list
	setpriv --pdeathsig TERM "$here/vm/run.sh" -c -k "$kver" -t 600 -r "$results" -- \
		"$here/run.sh" -t 300 -l "$label" $counts 2>&1 | show "$dir/$label.log"
	sed "s/^# /# $kver: /;/^#/!d" "$results/log/$label"/count/*.log
}

# What those tests measured that are there to show it; not what the harness or a failed case says.
show_figures()
{
	local log=$dir/guest-$1/log/$1
	sed -nE "/^# ( |(Starting|PASSED|FAILED|Totals|exit)|[^ ]+:[0-9]+:)/d; s/^# /# $1: /p" \
		"$log"/kern/{handoff,blocksys,acct}_test.log "$log/kmod/soak_test.log" 2>/dev/null
}

# The tests with the module, then the counts; a debug kernel's instructions tell nothing.
run_kernel()
{
	run_guest "$1" | show "$dir/${1##*/}.log"
	case $1 in
	*/*) ;;
	*) show_figures "$1"; run_count "$1" ;;
	esac
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
	# In the background, so that a signal is acted upon at once.
	run_host "$(grep -vE "$long" <<<"$tests")" "$dir/host.log" &
	run_host "$(grep -E "$long" <<<"$tests")" "$dir/long.log" &
	wait
	runs+=("$dir/host.log" "$dir/long.log")
fi

if [ $# -gt 0 ]; then
	tests_of count-list
	counts=$tests
	tests_of vm-list
fi
for kver; do
	run_kernel "$kver" &
	runs+=("$dir/${kver##*/}.log")
	[[ $kver == */* ]] || runs+=("$dir/count-$kver.log")
done
wait

for kver; do
	check_console "$kver"
done
"$here/run.sh" -m "${runs[@]}" | sed "\$i check: $((SECONDS / 60)) min $((SECONDS % 60)) s"
exit "${PIPESTATUS[0]}"
