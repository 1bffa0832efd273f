#!/bin/bash
# Is a seeded fault found? A tool that says nothing may be one that looks at nothing.
# SAN_TOOL and O as san.sh sets them.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"

# The program's own status is that of a clean run, unless the tool changes it.
run()
{
	local cmd=("$O/selftests/san/seeded/$1")
	[ "$SAN_TOOL" != valgrind ] ||
		cmd=(valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite
			--errors-for-leak-kinds=definite --fair-sched=try "${cmd[@]}")
	ASAN_OPTIONS=detect_stack_use_after_return=1 TSAN_OPTIONS='' "${cmd[@]}" >"$tmp/out" 2>&1
	code=$?
}

# found PROGRAM TEXT
found()
{
	run "$1"
	check "$1: ends with an error" [ $code -ne 0 ]
	check "$1: '$2'" grep -q -e "$2" "$tmp/out"
	check "$1: in the goroutine's function" grep -q -e "$3" "$tmp/out"
}

case $SAN_TOOL in
asan)
	found use_after_return 'ERROR: AddressSanitizer: stack-use-after-return' 'in reader '
	found use_after_free 'ERROR: AddressSanitizer: heap-use-after-free' 'in reader '
	found leak '4321 byte(s) leaked in 1 allocation' 'in loser '
	;;
tsan)
	found race 'WARNING: ThreadSanitizer: data race' ' bump '
	;;
valgrind)
	found use_after_free 'Invalid read of size 4' ': reader '
	found leak '4,321 bytes in 1 blocks are definitely lost' ': loser '
	;;
*)
	echo "Bail out! SAN_TOOL is '$SAN_TOOL'"
	exit 1
	;;
esac
run fine
check "fine: nothing is reported" equal "$code $(cat "$tmp/out")" '0 '
done_testing
