#!/bin/bash
# TAP: O= names the build folder, and never one that holds something else: make clean empties it.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*/*}
. "$here/tap.sh"

# make -n: nothing of this is built or removed
make="env -u MAKEFLAGS -u MAKELEVEL -u O make -n -C $top"

refused()
{
	! $make "$@" && grep -q 'O=.*another\|O=.*blanks' "$tmp/check.out"
}

# cleans DIR ARGUMENT...: what make clean would remove lies in DIR
cleans()
{
	local dir=$1
	shift
	$make clean "$@" | grep -q "^rm -rf $dir/lib $dir/tools "
}

from_environment() { O=$2 make -n -C "$top" "$1" | grep -q "^rm -rf $3/lib "; }

mkdir -p "$tmp/theirs/lib" "$tmp/ours/lib" "$tmp/a b"
touch "$tmp/ours/lib/.flags"
check "without O= it is build/" cleans "$top/build"
check "an empty O= is none" cleans "$top/build" O=
check "nor is one in the environment" from_environment clean '' "$top/build"
check "a new folder" cleans "$tmp/new" "O=$tmp/new"
check "one with a build in it" cleans "$tmp/ours" "O=$tmp/ours"
for target in lib clean kmod; do
	check "make $target O=/" refused "$target" O=/
	check "make $target O=., where the sources are" refused "$target" O=.
	check "make $target in a folder with another lib/" refused "$target" "O=$tmp/theirs"
	check "make $target O='a b'" refused "$target" "O=$tmp/a b"
done

done_testing
