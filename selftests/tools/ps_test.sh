#!/bin/bash
# TAP: gmp ps, as root: what it shows of a process with known values and of a program with libgmprt,
# by BPF and without; what it says when there is nothing to show; that lies do not hurt it.
set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ps_lib.sh"

# ---- calls -----------------------------------------------------------------------------------

check "--version" sh -c "'$gmp' --version | grep -Eqx 'gmp [0-9.]+ abi [0-9]+'"
check "help, of all and of a verb" sh -c "'$gmp' help | grep -q doctor && '$gmp' help ps | grep -q -e '-s SOURCE'"
check "no verb" usage_error
check "unknown verb" usage_error frobnicate
check "unknown option" usage_error ps -x
check "not a pid" usage_error ps -p 12x
check "a pid out of range" usage_error ps -p 0
check "not a number of seconds" usage_error ps -i -1
check "not a number of times" usage_error ps -n 0
check "unknown source" usage_error ps -s guess
check "a word too many" usage_error ps 1
check "doctor" doctor_knows
check "doctor for nobody" doctor_knows nobody

# ---- nothing to show --------------------------------------------------------------------------

sleep 0 & dead=$!
wait $dead
sleep 1000 & foreign=$!
until grep -qx sleep /proc/$foreign/comm; do :; done
check "a dead process" ends 1 "^gmp ps: no process $dead: it has ended; .gmp ps. lists" "$gmp" ps -p $dead
check "a foreign process" ends 1 "^gmp ps: process $foreign (sleep) does not use libgmprt" "$gmp" ps -p $foreign
check "a foreign process, no BPF" ends 1 "does not use libgmprt" root_without_bpf "$gmp" ps -p $foreign
check "a kernel thread" ends 1 "does not use libgmprt" "$gmp" ps -p "$(pgrep -x kthreadd)"
kill $foreign
start "$bin/fakert"
check "somebody else's process" ends 1 "of user 0 is not yours to look into: run it as root" nobody "$gmp" ps -p "$pid"
check "-s bpf without the rights" ends 1 "no BPF (CAP_BPF, CAP_PERFMON missing); .gmp doctor." \
	root_without_bpf "$gmp" ps -s bpf -p "$pid"

# ---- known values -----------------------------------------------------------------------------

check "known values by BPF" known_values bpf
check "known values from the process" known_values process
check "no CAP_BPF, no CAP_PERFMON" falls_back 'CAP_BPF, CAP_PERFMON' root_without_bpf
check "no CAP_PERFMON" falls_back CAP_PERFMON \
	setpriv --bounding-set=-perfmon,-sys_admin --inh-caps=-perfmon,-sys_admin
check "on-CPU time" eventually oncpu_is_schedstats
check "the number of a thread" shows_json -i 0 -n 1 -p "$(ls "/proc/$pid/task" | tail -n 1)" -- "p['pid'] == $pid"
check "JSON: what it always has" eventually shows_json -p "$pid" -- "d['version'] == 1" "d['source'] == 'bpf'" \
	"d['interval_ns'] >= 5 * 10**8" "set(d['lost']) == {'dropped', 'unread', 'rows'}" \
	"set(d['lost'].values()) == {0}" "p['comm'] == 'fakert'" \
	"ms[4]['wait'] == 'chan receive'" "ms[0]['goid'] is None and ms[0]['p'] is None" \
	"all(m['oncpu_percent'] is not None for m in p['ms'])"
check "JSON without an interval" shows_json -i 0 -n 1 -s process -p "$pid" -- "d['source'] == 'process'" \
	"d['lost'] is None" "ms[0]['bpf'] is None" "ms[1]['goid'] == 7" "ms[1]['oncpu_percent'] is None"
check "-i and -n" three_pictures
check "all processes" lists_all
check "standard output is full" cannot_write
stop
check "ends with the process" ends_with_process
check "in a pid namespace, from outside and from inside" in_namespace
check "in a pid namespace, threads that have ended" forgets_threads
start "${as_nobody[@]}" "$bin/fakert"
check "an ordinary user's own process" falls_back 'CAP_BPF, CAP_PERFMON' nobody
stop

# ---- lies ---------------------------------------------------------------------------------------

for lie in cycle self allm offset link tls_off note; do
	check "lie: $lie" survives $lie 'does not use libgmprt\|cannot be read'
done
check "lie: another magic" survives magic 'does not use libgmprt'
check "another version" survives version 'of another version'
check "another size" survives size 'of another version'
check "outside gmp_run()" survives notready 'not inside gmp_run'
check "numbers that mean nothing" any_words
check "a name that steers terminals" no_control_characters

# ---- the library ----------------------------------------------------------------------------------

target "$bin/pstarget"
check "libgmprt by BPF" eventually shows_target bpf
check "libgmprt from the process" eventually shows_target process
check "both agree" eventually sources_agree
stop
cp "$bin/pstarget" "$tmp/stripped"
strip -s "$tmp/stripped"
target "$tmp/stripped"
rm "$tmp/stripped"
check "stripped and deleted" eventually shows_target bpf
stop
link=(gcc -o "$tmp/other" "$here/pstarget.c" -I"$top/lib/include" -pthread)
"${link[@]}" -L"$out/lib" -lgmprt -Wl,-rpath,"$out/lib" && target "$tmp/other"
check "linked with the shared library, by BPF" eventually shows_target bpf
check "linked with the shared library, from the process" eventually shows_target process
stop
"${link[@]}" -static "$out/lib/libgmprt.a" -lurcu-qsbr -lurcu-common && target "$tmp/other"
check "fully static" eventually shows_target bpf
stop
done_testing
