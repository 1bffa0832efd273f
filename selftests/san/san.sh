#!/bin/bash
# The tests of the library under a sanitizer, or Valgrind: what it reports is a failure.
#
# usage: san.sh asan|tsan|valgrind [PROGRAM...]
#
#   PROGRAM  api/chan_test, unit/timers_test, ...; without any: all that need no module (san-list of
#            selftests/Makefile). TORTURE_T is 20 seconds here
#
# Builds lib/ and the programs once more, instrumented, in $O/TOOL. Then selftests/san/seeded.sh, to
# know that the tool finds what it is there for, then the programs. What cannot be run under a tool
# stands in selftests/san/skips, with the reason, and counts as skipped; memory that is left on purpose, in
# selftests/san/leaks. Reports go to files, for a process that was meant to die would take them along. Last
# line as of run.sh.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*/*}
plain=${O:-$top/build}
tool=${1:-}
export O=$plain/$tool
dir=$O/san
unset MAKEFLAGS MFLAGS MAKELEVEL

case $tool in
asan) flags='-O1 -g -fno-omit-frame-pointer -fsanitize=address' ;;
# TSan knows no fences; where we have one, atomics give the order it can see
tsan) flags='-O1 -g -fsanitize=thread -Wno-tsan' ;;
valgrind) flags='-O1 -g -DRT_VALGRIND=1' ;;
*)
	sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
	;;
esac
shift

build()
{
	local args=(--no-print-directory -s "O=$O" CC=gcc "CFLAGS=$flags")
	make -C "$top/lib" "${args[@]}" && make -C "$top/selftests" "${args[@]}" "SAN=$*" san
}

# set_options NAME: for a program, whose reports are to be told from another's
set_options()
{
	local log=$dir/reports/${1##*/}
	# at once, and known by its status: what comes after a wild write means nothing
	export ASAN_OPTIONS=log_path=$log:detect_stack_use_after_return=1:allocator_may_return_null=1:handle_segv=0
	export LSAN_OPTIONS=suppressions=$here/leaks:print_suppressions=0
	# the threads that outlive a run are there because a test left a goroutine in a system call
	export TSAN_OPTIONS=log_path=$log:report_signal_unsafe=0:report_thread_leaks=0:history_size=4:handle_segv=0
	export VALGRIND_LOG=$log.%p
}

# under_valgrind PROGRAM: prints a script that runs it; what it runs of the machine's, a compiler, runs plain
under_valgrind()
{
	local script=$dir/run/$1
	mkdir -p "$(dirname "$script")"
	cat >"$script" <<-END
		#!/bin/sh
		exec valgrind -q --trace-children=yes --trace-children-skip='/bin/*,/usr/*' \\
			--vgdb=no --fair-sched=try --log-file=\$VALGRIND_LOG --leak-check=no --max-stackframe=8000000 $O/selftests/$1 "\$@"
	END
	chmod +x "$script"
	echo "$script"
}

# A run.sh for each program; its lines, but for the sum, which comes at the end.
run_one()
{
	local test=$O/selftests/$1
	set_options "$1"
	[ "$tool" != valgrind ] || test=$(under_valgrind "$1")
	[ "$1" != seeded ] || test=$here/seeded.sh
	"$top/selftests/run.sh" -t 300 -x 5 -l "$tool" -d "$dir/log" "$test" >"$dir/out/${1##*/}.log" 2>&1
	sed -E '/^(FAILED|SKIPPED) /d; /^[0-9]+ passed, /d' "$dir/out/${1##*/}.log"
}

# Every report is one failed case more, and is shown.
count_reports()
{
	local file n=0
	for file in "$dir"/reports/*; do
		[ -s "$file" ] || continue
		n=$((n + 1))
		sed "s,^,$tool: ${file##*/}| ," "$file" | head -n 60
		echo "FAILED $tool: a report in $file" >>"$dir/out/reports.log"
	done
	echo "0 passed, $n failed, 0 skipped" >>"$dir/out/reports.log"
}

rm -rf "$dir"
mkdir -p "$dir/reports" "$dir/out" || exit 2
build "$@" || exit 2
[ $# -gt 0 ] || mapfile -t all < <(make --no-print-directory -s -C "$top/selftests" "O=$O" san-list)
awk -v t="$tool" '$1 == t { sub("^[^ \t]+[ \t]+", ""); print }' "$here/skips" >"$dir/skips"
export GMPTEST_SKIPS=$dir/skips SAN_TOOL=$tool GMPTEST_TIMEOUT=600 TORTURE_T=${TORTURE_T:-20}
for test in seeded "${@:-${all[@]}}"; do
	run_one "$test"
done
count_reports
"$top/selftests/run.sh" -m "$dir"/out/*.log
