#!/bin/bash
# What the runtime calls of other libraries is fenced in (lib/os/callout.c), or is on the list here, with the
# reason why it needs no fence: gmp.ko must not let the P of an M go that sleeps in a call of the runtime.
. "$(dirname "$0")/tap.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
out=${O:-$top/build}

# Before the first and after the last goroutine, or the M's own thread before it is one.
start='dl_iterate_phdr|sched_getaffinity|__sched_cpucount|getenv|sigaction|sigaltstack|pthread_sigmask|pthread_self|
urcu_qsbr_(register|unregister)_thread|sigemptyset|sigaddset|sigfillset|sigprocmask|strtoul|strtol|strtok_r|strncpy|
strerrordesc_np|prctl|sigdelset|sigismember|pthread_sigqueue'
# Only on g0, in sysmon or in threads that are no Ms; or the address alone is used.
g0='clock_nanosleep|__isoc99_sscanf|strstr|urcu_qsbr_(gp|reader|synchronize_rcu)|compat_futex_async|__errno_location|epoll_.*|eventfd'
# The process ends, or all other threads are halted.
dump='_Unwind_.*|__sigsetjmp|siglongjmp|_exit|abort|alarm|clone|fstat|getuid|kill|pause|process_vm_readv|strcpy|waitpid|
unsetenv|dlopen|dlsym|dladdr|sigsuspend|raise'
# Called with nothing of a P or a lock in hand.
free_hand='inet_ntop|inet_pton|if_indextoname|if_nametoindex'
# Not calls.
none='_GLOBAL_OFFSET_TABLE_|__tls_get_addr|_ITM_.*|__cxa_.*|__gmon_start__|__start_.*|
__stop_.*|__gcov.*|__asan.*|__tsan.*|__ubsan.*|__sanitizer.*|__stack_chk_fail'

undefined()
{
	nm "$1" | sed -n 's/^ *[Uwv] \([^@]*\).*/\1/p' | sort -u
}

# What is neither fenced in nor on the list.
strangers()
{
	local allowed
	allowed=$(echo "$start|$g0|$dump|$free_hand|$none" | tr -d '\n ')
	undefined "$out/lib/libgmprt.o.unfenced" | grep -vxE "$allowed|rt_out_.*"
}

nobody_else()
{
	local s
	s=$(strangers)
	[ -z "$s" ] || { echo "neither in lib/os/callout.syms nor on the list of this test: $s"; return 1; }
}

all_fenced()
{
	local s
	for s in $(cat "$top/lib/os/callout.syms"); do
		undefined "$out/lib/libgmprt.o.unfenced" | grep -qx "$s" && { echo "$s is called directly"; return 1; }
	done
	return 0
}

# In a program as it is linked: what a call of the runtime reaches without the GOT is the runtime's, too. The
# compiler's helpers once were not: in __udivti3() a signal stopped goroutines that held a lock of ours.
none_leaves()
{
	local prog=$out/selftests/api/chan_test bad
	bad=$(objdump -d --no-show-raw-insn -j gmprt_text "$prog" | awk -v bounds="$(nm "$prog")" '
		BEGIN {
			n = split(bounds, line, "\n")
			for (i = 1; i <= n; i++) {
				split(line[i], f, " ")
				if (f[3] == "__start_gmprt_text") lo = f[1]
				if (f[3] == "__stop_gmprt_text") hi = f[1]
			}
		}
		match($0, /\t(addr32 )?(call|jmp|j[a-z]+) +[0-9a-f]+ </) {
			split(substr($0, RSTART), f, / +|</)
			calls++
			at = substr("0000000000000000" f[2 + (f[1] ~ /addr32/)], length(f[2 + (f[1] ~ /addr32/)]) + 1)
			if (at < lo || at >= hi) print
		}
		END { if (!lo || !hi || calls < 1000) print "cannot read the program" }')
	[ -z "$bad" ] || { echo "$bad"; return 1; }
}

check 'no call of a library that nobody thought of' nobody_else
check 'what is to be fenced in is' all_fenced
check 'no direct call leaves the code of the runtime' none_leaves
done_testing
