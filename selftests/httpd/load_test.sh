#!/bin/bash
# The sample server under wrk: no errors, both count the same, it ends cleanly in the middle of it.
here=$(cd "$(dirname "$0")" && pwd)
O=${O:-$here/../../build}
httpd=$O/tools/samples/httpd
[ -x "$httpd" ] || { echo "1..0 # SKIP no $httpd: make tools"; exit 4; }
command -v wrk >/dev/null || { echo "1..0 # SKIP no wrk: make deps"; exit 4; }
. "$here/../harness/tap.sh"

# start PROCS: $server, $url
start()
{
	rm -f "$tmp/httpd.out"		# what the one before said must not be taken for this one's
	GMP_MAXPROCS=$1 "$httpd" -p 0 >"$tmp/httpd.out" 2>"$tmp/httpd.err" &
	server=$!
	for _ in $(seq 100); do
		url=$(sed -n 's|^httpd: listening on |http://|p' "$tmp/httpd.out" 2>/dev/null)
		[ -z "$url" ] || return
		sleep 0.05
	done
	echo "Bail out! httpd does not start"
	exit 1
}

load()
{
	wrk -t1 -c32 "-d$1" "$url/hello" >"$tmp/wrk.out" 2>&1
}

# The last line: its words, and the sum over the statuses.
last_line()
{
	tail -n 1 "$tmp/httpd.out"
}

served()
{
	last_line | sed -n 's/^httpd: served \([0-9]*\) requests on [0-9]* connections,.*/\1/p'
}

sum_of_statuses()
{
	last_line | grep -o '[0-9]*=[0-9]*' | awk -F= '{ n += $2 } END { print n }'
}

wrk_count()
{
	awk '/ requests in / { print $1 }' "$tmp/wrk.out"
}

no_errors()
{
	! grep -E 'Socket errors|Non-2xx' "$tmp/wrk.out"
}

ended_well()
{
	local status
	wait "$server"
	status=$?
	equal $status 0 && equal "$(wc -l <"$tmp/httpd.out")" 2 && equal "$(cat "$tmp/httpd.err")" '' &&
		equal "$(sum_of_statuses)" "$(served)"
}

# wrk counts what it got; the server, what it sent: at the end 32 may be on their way.
counts_agree()
{
	local ours theirs
	ours=$(served) theirs=$(wrk_count)
	echo "served $ours, wrk counted $theirs"
	[ "$theirs" -gt 0 ] && [ "$ours" -ge "$theirs" ] && [ "$ours" -le $((theirs + 32)) ]
}

for procs in 1 2 4; do
	start $procs
	load 2s
	kill -TERM "$server"
	check "ends well after load, P=$procs" ended_well
	check "wrk saw no errors, P=$procs" no_errors
	check "counts agree, P=$procs" counts_agree
done

for procs in 1 2 4; do
	start $procs
	load 2s &
	wrk=$!
	sleep 1
	kill -TERM "$server"
	check "ends well under load, P=$procs" ended_well
	check "served what it could, P=$procs" [ "$(served)" -gt 0 ]
	wait $wrk
done
done_testing
