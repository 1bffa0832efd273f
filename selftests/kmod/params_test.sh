#!/bin/bash
# TAP, in a guest with gmp.ko loaded: every parameter of the module can be set to 0 while it runs, says so,
# and goes back; gmp.4 and the ABI file describe it; and some test changes it to see what that does.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/selftests/kmod}
. "$here/../harness/tap.sh"
params=/sys/module/gmp/parameters

can_be_zero()
{
	local was now
	was=$(cat "$params/$1") && echo 0 >"$params/$1" && now=$(cat "$params/$1") &&
		echo "$was" >"$params/$1" && equal "$(cat "$params/$1")" "$was" || return
	case $now in
	0 | N) ;;
	*)	echo "it says $now"
		return 1 ;;
	esac
}

is_described()
{
	grep -qE "^\.BR? $1( |\$)" "$top/Documentation/man/gmp.4"
}

is_in_abi_file()
{
	grep -qE "^[[:space:]]+$1[[:space:]]" "$top/Documentation/ABI/testing/procfs-gmp"
}

# With its own test: selftests/kmod/*_test.c that writes it.
is_tested()
{
	grep -lE "(write_param\(|set\(self, |^[[:space:]]*|, )\"$1\"" "$top"/selftests/kmod/*_test.c
}

check "there are parameters" test "$(ls $params | wc -l)" -ge 9
for p in $(ls $params); do
	check "$p can be set to 0" can_be_zero "$p"
	check "$p is in gmp.4" is_described "$p"
	check "$p is in the ABI file" is_in_abi_file "$p"
	check "$p is changed by a test" is_tested "$p"
done
done_testing
