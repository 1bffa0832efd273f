#!/bin/sh
# TAP, last in the guest of a debug kernel, gmp.ko unloaded: were its checks on to the end, and does
# kmemleak know of anything that nobody points to?
. "$(dirname "$0")/debug-lib.sh"

case $(uname -r) in
*-kasan)
	echo 1..2
	check 'lockdep was alive to the end' lockdep_is_alive
	check 'kmemleak finds nothing' no_leak
	;;
*-kcsan)
	echo 1..1
	check 'KCSAN was on to the end, and reported nothing' kcsan_is_on quiet
	;;
*)
	echo '1..0 # SKIP not a debug kernel'
	exit 4
	;;
esac
exit $failed
