#!/bin/sh
# TAP, first in the guest of a debug kernel: are its checks on? A check that is off finds nothing.
# selftests/kmod/seeded_test.sh shows that they find something.
. "$(dirname "$0")/debug-lib.sh"

case $(uname -r) in
*-kasan)
	echo 1..5
	check 'KASAN is on' boot_said 'KernelAddressSanitizer initialized'
	check 'gmp.ko asks KASAN' gmp_calls asan
	check 'lockdep is alive' lockdep_is_alive
	check 'kmemleak takes commands' sh -c 'echo clear >/sys/kernel/debug/kmemleak'
	check 'object debugging is on' grep -q pool_free /sys/kernel/debug/debug_objects/stats
	;;
*-kcsan)
	echo 1..2
	check 'KCSAN is on' kcsan_is_on
	check 'gmp.ko asks KCSAN' gmp_calls tsan
	;;
*)
	echo '1..0 # SKIP not a debug kernel'
	exit 4
	;;
esac
exit $failed
