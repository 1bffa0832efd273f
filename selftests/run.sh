#!/bin/bash
# Run TAP test programs, each with a time limit, and count.
#
# usage: run.sh [-t SECONDS] [-x TIMES] [-l LABEL] [-d LOG_DIR] TEST...
#        run.sh -m FILE...
#
#   TEST  an executable that prints TAP ("1..N", "ok 1 - name", "not ok 2 - name", "ok 3 # SKIP
#         why", "1..0 # SKIP why") and ends with 0 passed, 1 failed, 4 or 77 skipped
#   -t    the time limit of a test (60 s); a line "NAME SECONDS" in selftests/timeouts or a file
#         TEST.timeout with a number in it says otherwise for one test
#   -x    all time limits times this: for a debug kernel
#   -l    a name for this run, to tell the host's lines from a guest's
#   -d    where each test's whole output is kept: build/selftests/log, in a guest /results/log
#   -m    instead of running tests: add up runs whose output is in FILE..., show what failed and
#         what was skipped in any of them
#
# A line a test program, of those that failed all they said but the cases that passed (who keeps
# only a part of this still has the reason), then what failed, and what was skipped and why; the
# last line is "N passed, N failed, N skipped". These count cases (TAP lines). A program that keeps
# to its TAP but goes wrong otherwise is one failed case more: it died of a signal, ran out of
# time, broke its plan, printed no TAP, its exit status contradicts its lines, it left a process
# behind, or (in a guest, as root) the kernel had something to say meanwhile.
#
# Exit status: 1 when anything failed, else 0.
set -u

here=$(cd "$(dirname "$0")" && pwd)
out=${O:-${here%/*}/build}
default_limit=60 times=1 label='' logs='' merge=''
passed=0 failed=0 skipped=0
skips=() failures=()
# Every process of a test inherits this, however it detaches itself; so it can be found.
export GMPTEST_RUN=

usage()
{
	sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
}

# name_of TEST: its path below the folder of tests it is in, without an extension
name_of()
{
	local name=$1
	name=${name#"$out"/selftests/}
	name=${name#"$out"/san/run/}	# of san.sh: a program under Valgrind
	name=${name#"$here"/}
	name=${name#./}
	name=${name#selftests/}
	echo "${name%.sh}"
}

# limit_of TEST NAME
limit_of()
{
	local limit=''
	if [ -r "$1.timeout" ]; then
		limit=$(cat "$1.timeout")
	elif [ -r "$here/timeouts" ]; then
		limit=$(awk -v n="$2" '$1 == n { print $2 }' "$here/timeouts")
	fi
	echo $((${limit:-$default_limit} * times))
}

# The processes that carry this test's mark, whatever session they are in. Zombies have no
# environment and are not ours to reap; the runner itself was started without the mark.
leftovers()
{
	grep -lsz "^GMPTEST_RUN=$1\$" /proc/[0-9]*/environ | sed 's|/proc/||;s|/environ||'
}

describe()
{
	local pid
	for pid in "$@"; do
		printf 'process %s: %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
	done
}

# Where the threads of a hung test stand; only root sees the kernel side.
describe_threads()
{
	local pid task
	for pid in "$@"; do
		for task in /proc/"$pid"/task/*; do
			printf 'thread %s (%s): %s\n' "${task##*/}" "$(cat "$task/comm")" "$(cat "$task/wchan")"
			[ "$(id -u)" -ne 0 ] || cat "$task/stack"
		done 2>/dev/null
	done
}

# kill_all RUN: until none is left, for they may be forking
kill_all()
{
	local pids i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		pids=$(leftovers "$1")
		[ -n "$pids" ] || return 0
		# shellcheck disable=SC2086 # several pids
		kill -KILL $pids 2>/dev/null
		[ "$i" = 1 ] || sleep 0.1
	done
}

watch_kernel_log()
{
	[ "${GMP_VM:-}" = 1 ] && [ "$(id -u)" -eq 0 ] && [ -w /dev/kmsg ]
}

# What the kernel said since the marker, if it is bad; the marker may have been pushed out.
kernel_trouble()
{
	dmesg | awk -v m="gmptest: START $1" '
		index($0, m) { n = 0; next }
		{ line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }' | "$here/vm/klog.sh" -
}

# run_limited TEST LIMIT RUN LOG: sets $status (124 and $timed_out=1 when out of time)
run_limited()
{
	local test=$1 limit=$2 run=$3 log=$4 pid timer ended=''
	timed_out=''
	GMPTEST_RUN=$run setsid "$test" </dev/null >"$log" 2>&1 &
	pid=$!
	running=$run
	sleep "$limit" &
	timer=$!
	wait -n -p ended "$pid" "$timer"
	status=$?
	if [ "$ended" = "$timer" ]; then
		timed_out=1
		{
			echo "== out of time after $limit s"
			# shellcheck disable=SC2046 # several pids
			describe_threads $(leftovers "$run")
		} >>"$log"
		kill -QUIT "$pid"	# libgmprt prints its goroutines
		sleep 1
		kill_all "$run"
		wait "$pid"
		status=124
	else
		kill "$timer"
		wait "$timer"
	fi
}

# read_tap LOG: prints "PLAN OK NOT_OK SKIP BAILED", then a line for each skip
read_tap()
{
	awk '
	# sets why from "anything # SKIP reason", true when there is one
	function is_skip(line) {
		if (!match(tolower(line), /# *skip[a-z]*/))
			return 0
		why = substr(line, RSTART + RLENGTH)
		sub(/^[ :]*/, "", why)
		if (why == "")
			why = "no reason given"
		return 1
	}
	{ sub(/\r$/, "") }
	/^1\.\.[0-9]+/ {
		plan = substr($1, 4) + 0
		has_plan = 1
		if (plan == 0 && is_skip($0))
			skips[n++] = why
		next
	}
	/^Bail out!/ { bailed = 1; next }
	/^not ok([ \t]|$)/ { bad++; next }
	/^ok([ \t]|$)/ {
		if (is_skip($0)) {
			skip++
			name = $0
			sub(/^ok *[0-9]* *(- *)?/, "", name)
			sub(/ *#.*/, "", name)
			skips[n++] = (name == "" ? "" : name ": ") why
		} else
			good++
	}
	END {
		print has_plan ? plan : -1, good + 0, bad + 0, skip + 0, bailed + 0
		for (i = 0; i < n; i++)
			print skips[i]
	}' "$1"
}

# judge: sets $problem from what run_test knows of a program that has ended
judge()
{
	local skip_status=''
	case $status in
	4 | 77) skip_status=1 ;;
	esac
	problem=''
	if [ -n "$timed_out" ]; then
		problem="out of time ($limit s)"
	elif [ "$status" -gt 128 ]; then
		problem="died of signal $(kill -l $((status - 128)) 2>/dev/null || echo $((status - 128)))"
	elif [ "$bailed" -ne 0 ]; then
		problem="bailed out"
	elif [ "$lines" -eq 0 ] && [ -z "$skip_status" ] && [ "$plan" -ne 0 ]; then
		problem="no TAP, exit status $status"
	elif [ "$lines" -gt 0 ] && [ "$plan" -lt 0 ]; then
		problem="no plan"
	elif [ "$plan" -ge 0 ] && [ "$plan" -ne "$lines" ]; then
		problem="$plan cases planned, $lines run"
	elif [ "$status" -eq 0 ] && [ "$bad" -gt 0 ]; then
		problem="exit status 0, but $bad cases failed"
	elif [ "$status" -ne 0 ] && [ -z "$skip_status" ] && [ "$bad" -eq 0 ]; then
		problem="exit status $status, but no case failed"
	fi
}

# look_after: what the program left behind, in processes and in the kernel log: adds to $problem
look_after()
{
	local left trouble
	left=$(leftovers "$run")
	if [ -n "$left" ]; then
		sleep 0.3	# a child that was told to end may need a moment
		left=$(leftovers "$run")
	fi
	if [ -n "$left" ]; then
		# shellcheck disable=SC2086 # several pids
		{ echo "== left running:"; describe $left; } >>"$log"
		problem=${problem:-left $(echo "$left" | wc -l) processes running}
		kill_all "$run"
	fi
	if watch_kernel_log && ! trouble=$(kernel_trouble "$name $run"); then
		{ echo "== in the kernel log:"; echo "$trouble"; } >>"$log"
		problem=${problem:+$problem; }"the kernel complained: $(echo "$trouble" | head -n 1)"
	fi
}

# broken LOG: the names of the cases that failed, as far as a line has room
broken()
{
	sed -n 's/^not ok *[0-9]* *-* *//p' "$1" | head -n 4 | paste -sd ';' | cut -c 1-200
}

fail()
{
	failures+=("$label$name: $1")
	echo "not ok $label$name: $1"
}

run_test()
{
	local test=$1 name=$2 log limit run status timed_out problem
	local plan good bad skip bailed lines why whys text start

	if [ ! -x "$test" ]; then
		failed=$((failed + 1))
		fail "$test is not there or not executable"
		return
	fi
	limit=$(limit_of "$test" "$name")
	log=$logs/$name.log
	mkdir -p "$(dirname "$log")"
	run=$$.$((++runs)).$RANDOM
	if watch_kernel_log; then
		echo "gmptest: START $name $run" >/dev/kmsg
	fi

	start=$EPOCHREALTIME
	run_limited "$test" "$limit" "$run" "$log" 2>/dev/null	# where this shell tells of signals
	text=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1fs", b - a }')
	{ read -r plan good bad skip bailed; mapfile -t whys; } < <(read_tap "$log")
	lines=$((good + bad + skip))
	judge
	look_after
	running=''

	if [ "$lines" -eq 0 ] && [ -z "$problem" ]; then	# skipped as a whole
		why=${whys[0]:-$(tail -n 1 "$log")}
		whys=("${why:-no reason given}")
		skip=1
	fi
	for why in "${whys[@]}"; do
		skips+=("$label$name: $why")
	done
	passed=$((passed + good))
	failed=$((failed + bad))
	skipped=$((skipped + skip))

	[ "$skip" -eq 0 ] || text="$skip skipped, $text"
	text="($lines cases, $text)"
	if [ "$bad" -gt 0 ] || [ -n "$problem" ]; then
		[ -z "$problem" ] || failed=$((failed + 1))
		[ "$bad" -eq 0 ] || problem="$bad failed: $(broken "$log")${problem:+; $problem}"
		fail "$problem $text"
		grep -vE '^(ok([[:space:]]|$)|# +(RUN|OK) )' "$log" | tail -n 300 | sed "s,^,$label$name| ,"
	elif [ "$lines" -eq 0 ]; then
		echo "skip $label$name: ${whys[0]}"
	else
		echo "ok $label$name $text"
	fi
}

# The end of every run; -m reads these lines back.
summary()
{
	local line
	for line in "${failures[@]}"; do
		echo "FAILED $line"
	done
	for line in "${skips[@]}"; do
		echo "SKIPPED $line"
	done
	echo "$passed passed, $failed failed, $skipped skipped"
}

# A run that did not come to its last line has failed, once.
merge_runs()
{
	local file name last
	for file; do
		name=$(basename "$file" .log)
		last=$(tail -n 1 "$file" 2>/dev/null)
		if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
			passed=$((passed + BASH_REMATCH[1]))
			failed=$((failed + BASH_REMATCH[2]))
			skipped=$((skipped + BASH_REMATCH[3]))
			echo "$name: $last"
		else
			failed=$((failed + 1))
			fail "the run did not finish"
		fi
		mapfile -t -O ${#failures[@]} failures < <(sed -n 's/^FAILED //p' "$file" 2>/dev/null)
		mapfile -t -O ${#skips[@]} skips < <(sed -n 's/^SKIPPED //p' "$file" 2>/dev/null)
	done
}

# What runs right now ends with the runner.
interrupted()
{
	trap - INT TERM HUP
	[ -z "$running" ] || kill_all "$running"
	exit $((128 + $1))
}

running='' runs=0
while getopts t:x:l:d:mh opt; do
	case $opt in
	t) default_limit=$OPTARG ;;
	x) times=$OPTARG ;;
	l) label=$OPTARG/ ;;
	d) logs=$OPTARG ;;
	m) merge=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))

if [ -n "$merge" ]; then
	merge_runs "$@"
	summary
	[ "$failed" -eq 0 ]
	exit
fi

[ $# -gt 0 ] || usage
if [ -z "$logs" ]; then
	logs=$out/selftests/log
	[ "${GMP_VM:-}" = 1 ] && [ -d /results ] && logs=/results/log
fi
logs=$logs/${label%/}
mkdir -p "$logs" || exit 2
trap 'interrupted 2' INT
trap 'interrupted 15' TERM
trap 'interrupted 1' HUP
for test; do
	run_test "$test" "$(name_of "$test")"
done
summary
[ "$failed" -eq 0 ]
exit
