#!/bin/bash
# Every public call of lib/include/gmprt/ must occur in one of selftests/api/badinput_*_test.c, and have a row in
# badinput_signal_test.c.
cd "$(dirname "$0")/../.." || exit 2
rc=0
# The compiler's own view: names only, without what the macros need.
calls=$(gcc -std=gnu11 -E -Ilib/include -x c - <<<'#include <gmprt.h>' | grep -v '^#' |
	grep -oE '\bgmp_[a-z_]+ ?\(' | tr -d ' (' | grep -v '_$' | sort -u)
[ -n "$calls" ] || { echo "check-badinput: no calls found in the headers" >&2; exit 2; }
for call in $calls; do
	if ! grep -qE "^	X\($call, " selftests/api/badinput_signal_test.c; then
		echo "check-badinput: no test makes $call() in a signal handler" >&2
		rc=1
	fi
	if ! ls selftests/api/badinput_*_test.c | grep -v signal | xargs grep -qE "\b$call\("; then
		echo "check-badinput: no test gives $call() bad input" >&2
		rc=1
	fi
done
exit $rc
