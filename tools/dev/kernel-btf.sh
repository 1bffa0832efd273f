#!/bin/sh
# usage: kernel-btf.sh KVER OUTFILE
# Write the BTF of kernel KVER (a full version) as a raw BTF file, which bpftool, pahole
# --btf_base, resolve_btfids -b and libbpf read. Status 1, and why, when it cannot be had.
# Sources: the headers' BTF-only vmlinux (Debian 6.12), else the boot image (Debian 6.1).
set -eu

ver=$1
out=$2
tmp=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

vmlinux=/lib/modules/$ver/build/vmlinux
if [ ! -r "$vmlinux" ]; then
	vmlinux=$tmp/vmlinux
	"$(dirname "$0")/unpack-kernel.sh" "/boot/vmlinuz-$ver" "$vmlinux"
fi
if ! objcopy --dump-section .BTF="$tmp/btf" "$vmlinux" "$tmp/discard" 2>"$tmp/err"; then
	echo "kernel-btf: $ver: no BTF ($(tail -n 1 "$tmp/err"))" >&2
	exit 1
fi
mv "$tmp/btf" "$out"
