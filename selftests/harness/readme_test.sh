#!/bin/bash
# TAP: what README.md tells a newcomer to type works: its program is built by each of its cc commands, in
# C and in C++, and prints what it says; every make target it names is there.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*/*}
export O=${O:-$top/build}
. "$here/tap.sh"
make="env -u MAKEFLAGS -u MAKELEVEL make -s -C $top O=$O PREFIX=/opt/gmp DESTDIR=$tmp/dest"

# blocks LANGUAGE: what stands between ```LANGUAGE and ```
blocks()
{
	awk -v want="\`\`\`$1" '
		/^```/ { open = !open; wanted = open && $0 == want; next }
		wanted { print }' "$top/README.md"
}

# Where the README's commands are typed: a folder with lib/include and build/lib, and the installed library.
mkdir "$tmp/tree"
ln -s "$top/lib" "$tmp/tree/lib"
ln -s "$O" "$tmp/tree/build"
export PKG_CONFIG_SYSROOT_DIR=$tmp/dest PKG_CONFIG_PATH=$tmp/dest/opt/gmp/lib/pkgconfig
export LD_LIBRARY_PATH=$tmp/dest/opt/gmp/lib

runs()
{
	cd "$tmp/tree" && rm -f hello && eval "${1/hello.c/$2}" && [ "$(./hello)" = '1 + 4 + ... + 100 = 385' ]
}

blocks c >"$tmp/tree/hello.c"
check "there is a program" grep -q gmp_run "$tmp/tree/hello.c"
check "make install-lib" $make install-lib
n=0
while read -r command; do
	n=$((n + 1))
	for cc in gcc clang g++ 'clang++ -std=c++17'; do
		command -v "${cc%% *}" >/dev/null || continue
		case $cc in
		*++*) lang='-x c++ hello.c -x none' ;;
		*) lang=hello.c ;;
		esac
		check "${command#cc } by $cc" runs "$cc ${command#cc }" "$lang"
	done
done < <(blocks '' | grep '^cc ')
check "two ways to build it" equal "$n" 2
# shellcheck disable=SC2013 # words
for target in $(grep -oE '(^|`)make( [a-z-]+)+' "$top/README.md" | sed 's/.*make //' | tr ' ' '\n' | sort -u); do
	check "make $target is there" grep -qE "^([a-z-]+ )*$target( [a-z-]+)*:" "$top/Makefile"
done

done_testing
