#!/bin/sh
# usage: klog.sh FILE (or - for standard input)
# Does a kernel log tell of trouble? Prints the lines that do and ends with 1, else 0.
#
# Debian's 6.1 and 6.12 boot to a shell without a single such line: what is found came from what ran.
# A harmless line has an entry in $allow and its reason here:
#   RCU callback ... debug is enabled   the boot of a kernel with CONFIG_DEBUG_OBJECTS_RCU_HEAD
set -u

allow='RCU callback double-/use-after-free debug is enabled'

# Case matters: a boot says "this is not a bug" and "report a bug".
trouble='WARNING:|BUG:|BUG |kernel BUG at|Oops|Kernel panic|Call Trace:|RIP: 0010'
trouble="$trouble|general protection fault|stack segment|double fault|divide error|invalid opcode"
trouble="$trouble|[Uu]nable to handle|unchecked MSR"
trouble="$trouble|possible circular|possible recursive|possible irq lock|inconsistent lock state|bad unlock balance"
trouble="$trouble|held lock freed|lock held when returning|still has locks held|suspicious RCU"
trouble="$trouble|INFO: (rcu|task .* blocked|trying to register non-static key|lockdep)|rcu:? .*detected .*stall|RCU not watching"
trouble="$trouble|scheduling while atomic|sleeping function called|soft lockup|hard LOCKUP|workqueue lockup|hung task"
trouble="$trouble|KASAN|KCSAN|KFENCE|KMSAN|UBSAN|kmemleak: [0-9]+ new|ODEBUG"
trouble="$trouble|refcount_t:|list_(add|del) corruption|slab-out-of-bounds|use-after-free"
trouble="$trouble|(Object|Redzone|Poison|Padding) (already free|overwritten|corrupt)|slab .*(corrupt|[Oo]bjects remaining)|Bad page|bad page state"
trouble="$trouble|page allocation failure|Out of memory:|DEBUG_LOCKS_WARN_ON|INTERNAL ERROR"

found=$(cat -- "$1") || exit 2
found=$(printf '%s\n' "$found" | tr -d '\000\r' | grep -E -e "$trouble" | grep -v -E -e "$allow")
[ -n "$found" ] || exit 0
printf '%s\n' "$found"
exit 1
