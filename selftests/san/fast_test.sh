#!/bin/bash
# A few of the programs that check-asan, check-tsan and check-valgrind run, so that the way there is
# known to work: each tool finds its seeded faults and is silent about the rest. At P = 2 only.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"
export GMPTEST_PROCS=2

for tool in asan tsan valgrind; do
	check "$tool: seeded faults are found, nothing else is" \
		"$top/selftests/san/san.sh" "$tool" unit/waitq_test api/once_test api/select_test api/label_test
done
done_testing
