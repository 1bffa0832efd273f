#!/bin/sh
# Install the Debian packages listed in tools/dev/packages that are not there yet.
# Root: installs them. Anyone else: prints the command; status 0 when nothing is missing, else 1.
set -eu

list=$(dirname "$0")/packages

wanted()
{
	sed 's/#.*//' "$list" | awk 'NF { print $1 }' | sort -u
}

# One dpkg-query for all of them: this runs before every `make check`.
installed()
{
	# shellcheck disable=SC2046 # one word a package
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(wanted) 2>/dev/null |
		awk '$1 == "installed" { print $2 }' | sort -u
}

missing()
{
	{ wanted; installed; } | sort | uniq -u | tr '\n' ' '
}

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system; what is needed stands in tools/dev/packages" >&2
	exit 1
fi

need=$(missing)
[ -n "$need" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps: missing packages; as root run:"
	echo "    apt-get install --no-install-recommends $need"
	exit 1
fi

echo "deps: installing $need"
# Nothing boots these kernels but QEMU, with an initramfs of our own: INITRD=No saves
# building one for each (a minute), and no package may stop to ask.
export DEBIAN_FRONTEND=noninteractive INITRD=No
opts="-qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io -o DPkg::Lock::Timeout=300"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # words on purpose
if ! { apt-get $opts update &&
	apt-get $opts -y --no-install-recommends install $need; } >"$log" 2>&1; then
	tail -n 40 "$log" >&2
	echo "deps: apt-get failed (is the network there? are Debian 12's main and security archives in sources.list?)" >&2
	exit 1
fi
need=$(missing)
if [ -n "$need" ]; then
	echo "deps: still missing after apt-get: $need" >&2
	exit 1
fi
