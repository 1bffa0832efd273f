#!/bin/bash
# usage: coverage.sh
# Which lines of lib/ do this machine's tests run? Builds everything once more, instrumented, in
# build/coverage/, runs the tests there and prints a line a source file, the least covered first.
#
# Of the tests of check-host those that run this library: not harness/ and the models, nor those that have one
# of their own (torture/, fault/, san/). Exit status 1 when one of them fails, or when less than $least percent were run.
set -euo pipefail

least=90

top=$(cd "$(dirname "$0")/../.." && pwd)
out=${O:-$top/build}/coverage
unset MAKEFLAGS MFLAGS MAKELEVEL

mkdir -p "$out"
find "$out" -name '*.gcda' -delete

# Counts are written by exit(). Tests leave their children by _exit(), so this is put before libc's.
cat >"$out/exit.c" <<'END'
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void);

void _exit(int status)
{
	__gcov_dump();
	for (;;)
		syscall(SYS_exit_group, status);
}
END
gcc -O1 -c -fPIC -o "$out/exit.o" "$out/exit.c"

# atomic: the scheduler's threads count the same lines at the same time
args=(--no-print-directory -C "$top" O="$out" LDFLAGS="--coverage $out/exit.o"
	CFLAGS='-O1 -g --coverage -fprofile-update=atomic')
make "${args[@]}" tests

# Slower than else; a user who may not write the counts (tools/ps_test) need not say so on stderr.
export O=$out GCOV_ERROR_FILE=/dev/null GMPTEST_TIMEOUT=200
rc=0
make --no-print-directory -s -C "$top/selftests" host-list | grep -vE '/(harness|san|torture|fault)/|/models_test' |
	xargs "$top/selftests/run.sh" -x 3 || rc=1

echo
echo 'lines of lib/ that the host tests ran'
# gcov writes its .gcov files where it runs; only the summary on its standard output is wanted
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
find "$out/lib" -name '*.gcda' -print0 | xargs -0 -r gcov -r -s "$top/lib" 2>/dev/null |
	awk -F"[':% ]+" -v OFS='\t' -v least=$least '
	/^File/ { file = $2 }
	/^Lines executed/ && file != "" {
		n = $5
		hit = $3 * n / 100
		# the static and the shared library are two objects of one source: the better one counts
		if (hit >= best[file]) { best[file] = hit; of[file] = n }
		file = ""
	}
	END {
		for (f in of) {
			printf "%6.1f %%  %5d  %s\n", 100 * best[f] / of[f], of[f], f | "sort -n"
			sum += best[f]; all += of[f]
		}
		close("sort -n")
		if (all)
			printf "%6.1f %%  %5d  in all\n", 100 * sum / all, all
		if (!all || 100 * sum < least * all) {
			printf "coverage: less than %d %%\n", least
			exit 1
		}
	}' || rc=1
exit $rc
