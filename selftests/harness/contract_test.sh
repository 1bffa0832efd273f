#!/bin/bash
# TAP: a program that uses all of the public headers is C11 and C++17, for gcc and clang, without a warning.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*/*}
out=${O:-$top/build}
. "$here/tap.sh"

# built COMPILER FLAGS...
built()
{
	local cc=$1
	shift
	"$cc" -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror "$@" -I"$top/lib/include" -I"$top/selftests" \
		-c "$top/selftests/api/contract_test.c" -o "$tmp/x.o" &&
		"$cc" -o "$tmp/x" "$tmp/x.o" "$out/lib/libgmprt.a" -lurcu-qsbr -lurcu-common -pthread
}

# for COMPILER LANGUAGE STANDARD FLAGS...
for_compiler()
{
	local cc=$1 lang=$2 std=$3
	shift 3
	command -v "$cc" >/dev/null || return 0
	check "$cc: $std" built "$cc" -x "$lang" -std="$std" "$@"
	check "$cc: $std: it runs" "$tmp/x"
}

# gcc remarks with -Wpedantic upon the transparent unions of typed channels (chan.h).
for_compiler gcc c c11 -Wno-pedantic
for_compiler clang c c11
for_compiler g++ c++ c++17
for_compiler clang++ c++ c++17

# looked_up LANGUAGE HEADER...: errno is the library's (gmprt/errno.h), and may be declared as of old.
looked_up()
{
	local lang=$1 header
	shift
	for header; do
		echo "#include <$header>"
	done >"$tmp/errno"
	[ "$lang" = c++ ] || echo 'extern int errno;' >>"$tmp/errno"
	echo 'int of_a_call(void); int of_a_call(void) { errno = 1; return errno; }' >>"$tmp/errno"
	gcc -x "$lang" -Wall -Wextra -Werror -O2 -I"$top/lib/include" -c "$tmp/errno" -o "$tmp/x.o" &&
		nm "$tmp/x.o" | grep -q 'U gmp_errno_location_' && ! nm "$tmp/x.o" | grep -q __errno_location
}
for lang in c c++; do
	check "errno, $lang: <errno.h> first" looked_up "$lang" errno.h gmprt.h
	check "errno, $lang: <errno.h> last" looked_up "$lang" gmprt.h errno.h
	check "errno, $lang: between others" looked_up "$lang" stdlib.h gmprt.h string.h errno.h gmprt.h
done
check "errno, c++: <cerrno>" looked_up c++ gmprt.h cerrno string system_error

# Older C++ has all but GMP_GO().
check "g++: c++11, but for GMP_GO()" sh -c "echo '#include <gmprt.h>' |
	g++ -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I'$top/lib/include' -fsyntax-only -"

done_testing
