# To be sourced by the tests of gmp ps: starting something to look at, and cases for `check`.
# Wants $here, the folder of the test.

top=${here%/selftests/tools}
out=${O:-$top/build}
gmp=$out/tools/gmp
bin=$out/selftests/tools
. "$here/../harness/tap.sh"

exec 8>&1
# Started programs end when the pipe they read from is closed, that is with this script.
mkfifo "$tmp/stdin"
exec 7<>"$tmp/stdin"

# start PROGRAM ARG...: sets $pid once it has printed "ready", and $words to what else it printed
start()
{
	local i
	: >"$tmp/out"
	"$@" <"$tmp/stdin" >"$tmp/out" &
	pid=$!
	for i in {1..200}; do
		if read -r _ words <"$tmp/out"; then
			return
		fi
		sleep 0.05
	done
	echo "Bail out! $* does not start" >&8	# not into what `check` keeps
	exit 1
}

stop()
{
	kill -KILL "$pid"
	wait "$pid"
	return 0
} 2>/dev/null

# eventually COMMAND...: it may fail a few times: a busy machine may give a thread no CPU for a while,
# and a goroutine that is being preempted is on no M in one picture out of thousands
eventually()
{
	local i
	for i in 1 2 3 4 5; do
		"$@" && return
	done
	return 1
}

# ends STATUS PATTERN GMP-ARGS...: that exit status, and one line on stderr like PATTERN
ends()
{
	local want=$1 pattern=$2 status
	shift 2
	"$@" >"$tmp/stdout" 2>"$tmp/stderr"
	status=$?
	cat "$tmp/stdout" "$tmp/stderr"
	[ $status -eq "$want" ] || { echo "exit status $status, wanted $want"; return 1; }
	[ "$(wc -l <"$tmp/stderr")" -eq 1 ] || { echo "more or less than a line on stderr"; return 1; }
	grep -q -e "$pattern" "$tmp/stderr" || { echo "no '$pattern' in it"; return 1; }
}

# usage_error GMP-ARGS...
usage_error()
{
	"$gmp" "$@" >"$tmp/stdout" 2>"$tmp/stderr"
	[ $? -eq 2 ] && [ ! -s "$tmp/stdout" ] && grep -q '^usage:' "$tmp/stderr"
}

# json EXPRESSION...: what gmp ps -j left in $tmp/json, one object a line, satisfies each of them
# (Python). ms: rows of the first process by number of the M; row(goid).
json()
{
	/usr/bin/python3 - "$tmp/json" "$@" <<'PYTHON'
import json, sys
docs = [json.loads(line) for line in open(sys.argv[1])]
d = docs[-1]
p = d["processes"][0] if d["processes"] else None
ms = {m["m"]: m for m in p["ms"]} if p else {}
class NoRow(dict):
    def __missing__(self, key):
        return "no such row"
def row(goid):
    return next((m for m in p["ms"] if m["goid"] == goid), NoRow())
for text in sys.argv[2:]:
    if not eval(text):
        print("not so:", text)
        print(json.dumps(d, indent=1))
        sys.exit(1)
PYTHON
}

# shows_json GMP-ARGS... -- EXPRESSION...
shows_json()
{
	local args=()
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	"$gmp" ps -j "${args[@]}" >"$tmp/json" || return
	json "$@"
}

# cell M COLUMN: of the table in $tmp/table; columns are where their titles are
cell()
{
	awk -v m="$1" -v want="$2" '
		$1 == "TID" {
			for (i = 1; i <= NF; i++)
				name[i] = $i
			n = NF
			next
		}
		/^lost:/ { exit }
		n && $2 == m {
			# WAIT alone may hold spaces: count from the left up to it, from the right after it
			for (w = 1; name[w] != "WAIT"; w++)
				;
			extra = NF - n
			for (i = 1; i <= n; i++) {
				text = ""
				if (i < w)
					text = $i
				else if (i > w)
					text = $(i + extra)
				else
					for (k = w; k <= w + extra; k++)
						text = text (k > w ? " " : "") $k
				if (name[i] == want)
					print text
			}
		}' "$tmp/table"
}

cells()
{
	equal "$(for c in GOID GSTATE P WAIT SWITCHES; do cell "$1" $c; done | paste -sd,)" "$2"
}

known_values()
{
	"$gmp" ps -p "$pid" -i 0.1 -n 1 -s "$1" >"$tmp/table" || return
	cat "$tmp/table"
	cells 0 "-,-,-,idle,100" && cells 1 "7,running,0,-,101" &&
		cells 2 "9,running,1,in kernel,102" && cells 3 "-,-,-,netpoll,103" &&
		cells 4 "11,waiting,2,chan receive,104" && equal "$(cell 0 TID)" "$pid"
}

# Without BPF rights: the rows are there all the same, and one line says how.
falls_back()
{
	local missing=$1
	shift
	"$@" "$gmp" ps -p "$pid" >"$tmp/table" 2>"$tmp/stderr" || { cat "$tmp/stderr"; return 1; }
	equal "$(cat "$tmp/stderr")" "gmp ps: no BPF ($missing missing): reading the process instead" &&
		cells 1 "7,running,0,-,101"
}

# What BPF counted lies within what schedstat says of a longer time.
oncpu_is_schedstats()
{
	local before after busy
	busy=$("$gmp" ps -j -i 0 -n 1 -p "$pid" | tee "$tmp/json" | sed -n 's/.*"tid": \([0-9]*\), "m": 1,.*/\1/p')
	read -r before _ <"/proc/$pid/task/$busy/schedstat"
	"$gmp" ps -j -s bpf -i 0.4 -n 1 -p "$pid" >"$tmp/json"
	read -r after _ <"/proc/$pid/task/$busy/schedstat"
	json "0 < ms[1]['bpf']['oncpu_ns'] <= $after - $before + 8000000" \
		"ms[1]['bpf']['carried_ns'] <= ms[1]['bpf']['oncpu_ns']" \
		"ms[1]['bpf']['last_goid'] in (7, None)" "ms[0]['oncpu_percent'] < 5"
}

# rows of a program that holds still, without what changes
still_rows()
{
	"$gmp" ps -j -s "$1" -i 0.2 -n 1 -p "$pid" >"$tmp/json" || return
	/usr/bin/python3 -c 'import json, sys
for m in json.load(sys.stdin)["processes"][0]["ms"]:
    spins = m["state"] == "R"
    print([m[k] for k in ("tid", "m", "goid", "gstatus", "mstate")], not spins and [m[k] for k in ("p", "switches", "wait")])' <"$tmp/json"
}

sources_agree()
{
	local bpf process
	bpf=$(still_rows bpf) && process=$(still_rows process) && equal "$bpf" "$process" && [ -n "$bpf" ]
}

# The three goroutines of pstarget; a program that was made another way shows the same.
shows_target()
{
	local in_syscall in_kernel spin
	read -r in_syscall in_kernel spin <<<"$words"
	shows_json -i 0 -n 1 -s "$1" -p "$pid" -- "d['source'] == '$1'" "p['maxprocs'] == 4" "len(ms) >= 4" \
		"row($in_syscall)['gstatus'] == 'syscall'" "row($in_syscall)['state'] == 'S'" \
		"row($in_kernel)['gstatus'] == 'running'" "row($in_kernel)['wait'] == 'in kernel'" \
		"row($spin)['gstatus'] == 'running'" "row($spin)['state'] == 'R'" "row($spin)['p'] is not None" \
		"ms[0]['tid'] == $pid"
}

target()
{
	start env GMP_MAXPROCS=4 "$@"
}

# A lie may cost rows, never a crash or a hang; it ends in 0 with rows, or in 1 with a line that says why.
survives()
{
	local source status
	start "$bin/fakert" "$1"
	for source in bpf process; do
		timeout 10 "$gmp" ps -j -s $source -i 0.1 -n 1 -p "$pid" >"$tmp/json" 2>"$tmp/stderr"
		status=$?
		cat "$tmp/stderr"
		if [ $status -eq 0 ]; then
			json "len(p['ms']) <= 5" || return
		elif [ $status -ne 1 ] || ! grep -q -e "$2" "$tmp/stderr" || [ "$(wc -l <"$tmp/stderr")" -ne 1 ]; then
			echo "$source: exit status $status, wanted a line like '$2'"
			return 1
		fi
	done
	stop
}

no_control_characters()
{
	start "$bin/fakert" name
	"$gmp" ps -i 0 -n 1 -p "$pid" >"$tmp/table" && ! grep -q '[^ -~]' "$tmp/table" &&
		shows_json -i 0 -n 1 -p "$pid" -- "p['comm'].startswith('?[31m')" "len(ms) == 5"
	local status=$?
	stop
	return $status
}

any_words()
{
	start "$bin/fakert" words
	shows_json -i 0 -n 1 -p "$pid" -- "ms[0]['goid'] == 2**63 - 1" "ms[0]['gstatus'] == '?'" \
		"ms[0]['mstate'] == '?'" "ms[0]['p'] is None"
	local status=$?
	stop
	return $status
}

three_pictures()
{
	equal "$("$gmp" ps -p "$pid" -i 0.1 -n 3 | grep -c TID)" 3 &&
		equal "$("$gmp" ps -j -p "$pid" -i 0.1 -n 3 | wc -l)" 3
}

# When what it watches ends, so does it, and that is no error.
ends_with_process()
{
	local ps
	start "$bin/fakert"
	: >"$tmp/table"	# an earlier case's is not what is waited for below
	"$gmp" ps -p "$pid" -i 0.1 >"$tmp/table" 2>"$tmp/stderr" &
	ps=$!
	until grep -q SWITCHES "$tmp/table"; do sleep 0.05; done
	stop
	wait $ps || { cat "$tmp/stderr"; return 1; }
	grep -q 'has ended' "$tmp/stderr"
}

lists_all()
{
	local first=$pid
	start "$bin/fakert"
	"$gmp" ps -i 0 -n 1 -j >"$tmp/json" &&
		json "{$first, $pid} <= {q['pid'] for q in d['processes']}"
	local status=$?
	stop
	pid=$first
	return $status
}

seen_from_inside()
{
	nsenter -t "$pid" -p -m "$gmp" ps -i 0.5 -n 1 -s bpf -j -p 1 >"$tmp/json" &&
		json "p['pid'] == 1" "len(ms) == 5" "ms[0]['tid'] == 1" "ms[1]['bpf']['oncpu_ns'] > 0"
}

start_inside()
{
	: >"$tmp/out"
	unshare --pid --fork --mount-proc "$bin/fakert" <"$tmp/stdin" >"$tmp/out" 2>/dev/null &
	outside=$!
	until grep -q ready "$tmp/out"; do sleep 0.05; done
	pid=$(pgrep -P $outside)
}

# In a pid namespace of their own: numbers are those of whoever reads.
in_namespace()
{
	local outside
	start_inside
	shows_json -i 0 -n 1 -s bpf -p "$pid" -- "p['pid'] == $pid" "len(ms) == 5" "ms[0]['tid'] == $pid" &&
		shows_json -i 0 -n 1 -s process -p "$pid" -- "len(ms) == 5" "ms[0]['tid'] == $pid" \
			"ms[1]['goid'] == 7" "len({m['tid'] for m in p['ms']}) == 5" &&
		eventually seen_from_inside
	local status=$?
	stop
	wait $outside 2>/dev/null
	return $status
}

# Entries of the map of tasks in the BPF programs that process $1 has loaded.
watched_tasks()
{
	local id
	for id in $(cat /proc/"$1"/fdinfo/* | sed -n 's/^map_id:[[:space:]]*//p' | sort -u); do
		bpftool map show id "$id" | grep -q 'name stats ' && bpftool map dump id "$id" | grep -c key
	done
}

# A thread that has ended leaves no entry in the map, though the kernel takes its number from it first.
forgets_threads()
{
	local outside ps entries
	start_inside
	: >"$tmp/table"
	nsenter -t "$pid" -p -m "$gmp" ps -s bpf -i 0.1 -p 1 >"$tmp/table" &
	ps=$!
	until grep -q SWITCHES "$tmp/table"; do sleep 0.05; done
	echo -n x >&7
	until grep -q 'done' "$tmp/out"; do sleep 0.05; done
	entries=$(watched_tasks "$(pgrep -P $ps || echo $ps)")
	echo "$entries entries after 200 threads"
	stop
	wait $ps $outside 2>/dev/null
	[ "$entries" -ge 1 ] && [ "$entries" -le 10 ]
}

as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

nobody()
{
	"${as_nobody[@]}" "$@"
}

root_without_bpf()
{
	setpriv --bounding-set=-bpf,-perfmon,-sys_admin --inh-caps=-bpf,-perfmon,-sys_admin "$@"
}

cannot_write()
{
	"$gmp" ps -i 0 -n 1 -p "$pid" >/dev/full 2>"$tmp/stderr"
	[ $? -eq 1 ] && grep -q 'cannot write' "$tmp/stderr"
}

doctor_knows()
{
	"$@" "$gmp" doctor >"$tmp/table" || return
	cat "$tmp/table"
	grep -q '^library *ok' "$tmp/table" && grep -q '^bpf' "$tmp/table" && grep -q '^gmp.ko' "$tmp/table"
}

