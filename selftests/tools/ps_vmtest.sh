#!/bin/bash
# TAP, in a guest with gmp.ko loaded: the BPF object fits this kernel too, and the kernel's accounting
# stands beside what BPF and the process say. The rest of gmp ps is tested on the host (ps_test.sh).
set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ps_lib.sh"

# The kernel's columns of the table, and their sense: no M was on a CPU for longer than it exists.
kernel_columns()
{
	"$gmp" ps -i 0 -n 1 -s process -p "$pid" >"$tmp/table" || return
	cat "$tmp/table"
	grep -q 'ONCPU_MS  *RUNQ_MS  *BLOCKED_MS' "$tmp/table" && grep -q 'and gmp.ko$' "$tmp/table" &&
		[ "$(cell 1 ONCPU_MS)" != - ]
}

# Each M's accounting is that of its line in /proc/gmp/<tgid>/tasks, read before and after.
same_as_proc()
{
	cat "/proc/gmp/$pid/tasks" >"$tmp/before"
	"$gmp" ps -j -i 0 -n 1 -s process -p "$pid" >"$tmp/json"
	cat "/proc/gmp/$pid/tasks" >"$tmp/after"
	/usr/bin/python3 - "$tmp/json" "$tmp/before" "$tmp/after" <<'PYTHON'
import json, sys
def rows(path):
    head, *lines = [line.split() for line in open(path)]
    return {int(r["tid"]): r for r in (dict(zip(head[1:], line)) for line in lines)}
before, after = rows(sys.argv[2]), rows(sys.argv[3])
ms = json.load(open(sys.argv[1]))["processes"][0]["ms"]
assert ms and {m["tid"] for m in ms} == set(before)
for m in ms:
    for k, v in m["kernel"].items():
        lo, hi = int(before[m["tid"]][k]), int(after[m["tid"]][k])
        assert lo <= v <= hi, (m["tid"], k, lo, v, hi)
PYTHON
}

check "doctor" doctor_knows
check "doctor finds the module" grep -q '^gmp.ko *ok' "$tmp/table"
start "$bin/fakert"
check "known values by BPF" known_values bpf
check "no CAP_BPF, no CAP_PERFMON" falls_back 'CAP_BPF, CAP_PERFMON' root_without_bpf
check "on-CPU time" eventually oncpu_is_schedstats
stop
check "in a pid namespace, from outside and from inside" in_namespace
target "$bin/pstarget"
check "libgmprt by BPF" shows_target bpf
check "libgmprt from the process" shows_target process
check "the kernel's columns" kernel_columns
check "the kernel's accounting is that of /proc/gmp" same_as_proc
stop
done_testing
