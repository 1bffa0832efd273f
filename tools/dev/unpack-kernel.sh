#!/bin/sh
# usage: unpack-kernel.sh BZIMAGE OUTFILE
# Write the ELF file that an x86 boot image carries compressed. Status 1, and why, when not.
#
# The boot protocol says where it lies, so there is no searching for magic numbers. The last
# 4 bytes are the unpacked size; gzip's own stream ends with it, the others' do not.
set -eu

image=$1
out=$2
tmp=$(mktemp "$out.XXXXXX")
trap 'rm -f "$tmp"' EXIT

die()
{
	echo "unpack-kernel: $image: $*" >&2
	exit 1
}

# number OFFSET SIZE: an unsigned little-endian field of the setup header
number()
{
	od -An -tu"$2" -j "$1" -N "$2" "$image" | tr -d ' '
}

payload()
{
	tail -c +$((start + 1)) "$image" | head -c "$len"
}

[ -r "$image" ] || die "cannot read it"
[ "$(od -An -c -j 514 -N 4 "$image" | tr -d ' ')" = HdrS ] || die "not an x86 boot image"
start=$((($(number 497 1) + 1) * 512 + $(number 584 4)))	# setup_sects, payload_offset
len=$(($(number 588 4) - 4))					# payload_length

case $(payload | od -An -tx1 -N 4 | tr -d ' ') in
fd377a58) tool=xz ;;
28b52ffd) tool=zstd ;;
1f8b*) tool=gzip len=$((len + 4)) ;;
*) die "unknown compression" ;;
esac
command -v $tool >/dev/null || die "needs $tool to be unpacked"
payload | $tool -dc >"$tmp" || die "$tool failed"
mv "$tmp" "$out"
