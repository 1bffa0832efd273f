# To be sourced: TAP for tests written in bash. done_testing ends the script.

tap_n=0 tap_failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# check NAME COMMAND...: a case that passes when the command does; what it printed, when not
check()
{
	local name=$1 not=''
	shift
	if ! "$@" >"$tmp/check.out" 2>&1; then
		not='not '
		tap_failed=1
	fi
	tap_n=$((tap_n + 1))
	echo "${not}ok $tap_n - $name"
	[ -z "$not" ] || { echo "$*"; cat "$tmp/check.out"; } | sed 's/^/# /'
}

# equal A B
equal()
{
	[ "$1" = "$2" ] || { echo "got '$1', want '$2'"; return 1; }
}

done_testing()
{
	echo "1..$tap_n"
	exit $tap_failed
}
