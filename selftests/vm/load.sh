#!/bin/sh
# TAP, first in each guest: gmp.ko of this kernel loads. The tests that follow find it loaded.
echo 1..1
if msg=$(insmod "$O/kmod-$(uname -r)/gmp.ko" 2>&1); then
	echo 'ok 1 - insmod gmp.ko'
else
	echo "not ok 1 - insmod gmp.ko"
	echo "# $msg"
	exit 1
fi
