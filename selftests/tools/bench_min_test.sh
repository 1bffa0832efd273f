#!/bin/bash
# TAP: the exit status of run.py, from two programs that print what they are told: a minimum that is missed
# beyond the spread is an error, but where that is known.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"

# program NAME LINE...: prints these by turns
program()
{
	local file=$tmp/tools/bench/$1 name=$1
	shift
	printf '%s\n' "$@" >"$file.lines"
	rm -f "$file.n"
	cat >"$file" <<-END
		#!/bin/bash
		echo >>"$file.n"
		n=\$(wc -l <"$file.n")
		sed -n "\$(((n - 1) % $# + 1))s/^/$name \$1 procs=\$2 /p" "$file.lines"
	END
	chmod +x "$file"
}

# ends STATUS WORKLOAD ROUNDS
ends()
{
	O=$tmp "$top/tools/bench/run.py" -b -n "$3" -w "$2" >"$tmp/out" 2>&1
	equal $? "$1" || { cat "$tmp/out"; return 1; }
}

mkdir -p "$tmp/tools/bench"
program gmpbench '10 ns'
program gobench '31 ns'
check 'at the minimum' ends 0 yield 2
program gobench '29 ns'
check 'below it' ends 1 yield 2
check 'and said' grep -q '^minimum missed: yield 5000000 procs=1$' "$tmp/out"
program gobench '25 ns' '31 ns'
check 'below it, within the spread' ends 0 yield 2
program gmpbench '4300 bytes release_ns=10'
program gobench '2700 bytes release_ns=20'
check 'below it, and known' ends 0 park 1
check 'that is said, too' grep -q '^minimum missed: park 100000 procs=1 (known: ' "$tmp/out"
program gobench '2700 bytes release_ns=5'
check 'another number of the same workload' ends 1 park 1
program gmpbench '40 percent calls_per_s=900'
program gobench '30 percent calls_per_s=1000'
check 'where more is better' ends 0 blocksys 1
done_testing
