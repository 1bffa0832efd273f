#!/bin/bash
# TAP, in a guest with gmp.ko loaded: without BTF of this kernel, as where it cannot be built, the module says so
# once and loads; all but the kfuncs is there. O= is the build folder.
set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../harness/tap.sh"
whole=$O/kmod-$(uname -r)/gmp.ko
says='gmp: built without BTF of this kernel: no kfuncs for BPF'

# Whatever a test before this one has left goes in a moment.
unload()
{
	local i
	for i in $(seq 100); do
		rmmod gmp 2>"$tmp/rmmod" && return
		sleep 0.1
	done
	cat "$tmp/rmmod"
	return 1
}

times_said()
{
	dmesg | grep -cF "$says"
}

# loads_and_says MODULE TIMES: what it says is new since $said
loads_and_says()
{
	insmod "$1" || return
	equal $(($(times_said) - said)) "$2"
}

attaches()
{
	"$O/selftests/kmod/dev_test" >"$tmp/dev_test" || { grep -v '^ok' "$tmp/dev_test"; return 1; }
}

objcopy -R .BTF -R .BTF.base "$whole" "$tmp/gmp.ko"
said=$(times_said)
check "the module goes" unload
check "without BTF it loads, and says so" loads_and_says "$tmp/gmp.ko" 1
check "without BTF the device works" attaches
check "the module without BTF goes" unload
check "with BTF it says nothing" loads_and_says "$whole" 1
done_testing
