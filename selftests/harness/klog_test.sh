#!/bin/bash
# Does vm/klog.sh find the lines that tell of trouble in a kernel log, and only those?
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"

klog() { "$top/selftests/vm/klog.sh" -; }
bad()
{
	local line
	while read -r line; do
		check "found: $line" equal "$(echo "[    1.5] $line" | klog)" "[    1.5] $line"
	done
}
harmless()
{
	local line
	while read -r line; do
		check "let pass: $line" equal "$(echo "[    1.5] $line" | klog)" ''
	done
}

bad <<'END'
WARNING: CPU: 1 PID: 130 at kmod/main.c:26 gmp_init+0x3c/0x1000 [gmp]
WARNING: possible circular locking dependency detected
WARNING: inconsistent lock state
WARNING: suspicious RCU usage
BUG: kernel NULL pointer dereference, address: 0000000000000010
BUG: unable to handle page fault for address: ffffffffc0000000
BUG: sleeping function called from invalid context at mm/slab.h:411
BUG: scheduling while atomic: gmp/130/0x00000002
BUG: KASAN: slab-use-after-free in gmp_release+0x10/0x20 [gmp]
BUG: KCSAN: data-race in gmp_in / gmp_out
BUG kmalloc-64 (Tainted: G           OE     ): Objects remaining in kmalloc-64 on __kmem_cache_shutdown()
watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [gmp:130]
Oops: 0000 [#1] PREEMPT SMP NOPTI
Oops: general protection fault, probably for non-canonical address 0xdead000000000108
general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1]
kernel BUG at lib/list_debug.c:26!
list_del corruption, ffff888003c0 ->next is LIST_POISON1 (dead000000000100)
list_add corruption. prev->next should be next (ffff8880), but was dead. (prev=ffff).
refcount_t: underflow; use-after-free.
INFO: task gmp:130 blocked for more than 120 seconds.
INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_preempt self-detected stall on CPU
INFO: trying to register non-static key.
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
Call Trace:
Kernel panic - not syncing: sysrq triggered crash
UBSAN: array-index-out-of-bounds in kmod/pages.c:12:3
ODEBUG: free active (active state 0) object type: timer_list
Out of memory: Killed process 130 (httpd) total-vm:1000kB
END

harmless <<'END'
AMD-Vi: AMD IOMMUv2 functionality not available on this system - This is not a bug.
PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug
RCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).
rcu: Adjusting geometry for rcu_fanout_leaf=16, nr_cpu_ids=2
gmp: loading out-of-tree module taints kernel.
gmp: module verification failed: signature and/or required key missing - tainting kernel
tsc: Unable to calibrate against PIT
gmp: attached process 130, 4 slots
END

done_testing
