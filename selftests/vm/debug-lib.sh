# Shell functions for debug-begin.sh and debug-end.sh. shellcheck shell=sh
n=0
failed=0

# check NAME COMMAND...: a TAP line; what the command printed, if it failed
check()
{
	name=$1
	shift
	n=$((n + 1))
	if text=$("$@" 2>&1); then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		printf '%s\n' "$text" | sed 's/^/# /'
		failed=1
	fi
}

boot_said()
{
	dmesg | grep -q -e "$1"
}

# Any report of lockdep, and some failures that it says nothing of, switch it off for good.
lockdep_is_alive()
{
	grep 'debug_locks' /proc/lockdep_stats
	grep -q 'debug_locks: *1$' /proc/lockdep_stats
}

# gmp_calls NAME: the compiler has put that sanitizer's calls into gmp.ko
gmp_calls()
{
	nm "$O/kmod-$(uname -r)/gmp.ko" | grep " U __$1_"
}

# An object is reported only when it is some seconds old, and a register or a stale word on a stack
# can hide one from a scan: so several scans, some time apart.
no_leak()
{
	for i in 1 2 3; do
		sleep 6
		echo scan >/sys/kernel/debug/kmemleak || return
	done
	cat /sys/kernel/debug/kmemleak
	[ -z "$(cat /sys/kernel/debug/kmemleak)" ]
}

# kcsan_is_on [quiet]: watchpoints were set; with "quiet": and no race was seen
kcsan_is_on()
{
	cat /sys/kernel/debug/kcsan
	awk -v quiet="${1:-}" '
		$1 == "enabled:" { on = $2 }
		$1 == "setup_watchpoints:" { set = $2 }
		$1 == "data_races:" { races = $2 }
		END { exit !(on == 1 && (!quiet || (set > 0 && races == 0))) }' /sys/kernel/debug/kcsan
}
