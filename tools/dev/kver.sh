#!/bin/sh
# usage: kver.sh [-i] [KVER]
# Print the full version (as `uname -r` says it) of the kernel that KVER names: "6.1" is the
# newest installed 6.1, a full version is itself, nothing is the newest of all, and anything with a
# slash in it is a folder that a kernel was built in (tools/dev/debugkernel.sh).
# Without -i its headers must be installed, with -i its image (for the guest).
set -eu

mode=headers
if [ "${1:-}" = -i ]; then
	mode=image
	shift
fi
want=${1:-}

installed()
{
	if [ $mode = image ]; then
		for f in /boot/vmlinuz-*; do
			v=${f#/boot/vmlinuz-}
			[ -e "$f" ] && [ -d "/lib/modules/$v" ] && echo "$v"
		done
	else
		for d in /lib/modules/*/build/Makefile; do
			[ -e "$d" ] || continue
			d=${d%/build/Makefile}
			echo "${d##*/}"
		done
	fi
}

# A short version means Debian's plain kernel: the -rt and -cloud ones have to be named in full.
newest()
{
	installed | grep -v -e '-rt-' -e '-cloud-' | sort -V | tail -n 1
}

case $want in
*/*)	if ! cat "$want/include/config/kernel.release" 2>/dev/null; then
		echo "kver: no kernel was built in $want" >&2
		exit 1
	fi
	exit 0 ;;
'')	ver=$(newest) ;;
*.*.*)	ver=$(installed | grep -Fx -e "$want" || true) ;;
*)	ver=$(installed | grep -v -e '-rt-' -e '-cloud-' |
		awk -v p="$want." 'index($0, p) == 1' | sort -V | tail -n 1) ;;
esac

if [ -n "$ver" ]; then
	echo "$ver"
	exit 0
fi

echo "kver: no kernel $mode installed for '${want:-any version}' (installed: $(installed | tr '\n' ' '))" >&2
case $want in
'' | 6.1)  pkg=linux-$mode-amd64 ;;
6.12)      pkg=linux-$mode-6.12-amd64 ;;
*.*.*)     pkg=linux-$mode-$want ;;
*)         pkg= ;;
esac
if [ -n "$pkg" ]; then
	echo "kver: install it with: make deps, or apt-get install --no-install-recommends $pkg" >&2
fi
exit 1
