#!/bin/sh
# TAP, last in each guest: after all that ran, nothing holds gmp.ko and it goes away.
echo 1..1
if msg=$(rmmod gmp 2>&1) && [ ! -e /proc/gmp ] && [ ! -e /dev/gmp ]; then
	echo 'ok 1 - rmmod gmp'
else
	echo "not ok 1 - rmmod gmp"
	echo "# $msg"
	ls -ld /proc/gmp /dev/gmp 2>/dev/null | sed 's/^/# /'
	exit 1
fi
