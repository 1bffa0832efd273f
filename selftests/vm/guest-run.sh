#!/bin/bash
# PID 1 of the guest once the root file system stands: run the command, leave its exit code
# for the host, end. run.sh put this file, `env` (what the host knows) and `command`
# (the words of the command, quoted) into the shared folder.

run=/run/gmpvm
. $run/env	# guest_cwd guest_out guest_tty guest_term

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=$guest_term LANG=C.UTF-8 GMP_VM=1 O=$guest_out

hostname gmpvm
ulimit -Hn 1048576	# what systemd would have set; the kernel's 4096 is little
busybox ip link set lo up
cd "$guest_cwd" || exit	# the end of PID 1: a panic, which the host reports

# Raw, so that the host sees the bytes that were written.
case $guest_tty in
/dev/ttyS0)	stty -F "$guest_tty" sane rows "$guest_rows" cols "$guest_cols"
		ctty=-c in=$guest_tty ;;
*)		stty -F "$guest_tty" raw -echo
		ctty='' in=/dev/null ;;
esac

eval "set -- $(cat $run/command)"
# A session of its own: whatever the command does to its process group does not reach PID 1.
# shellcheck disable=SC2086 # $ctty may be empty
setsid $ctty "$@" <"$in" >"$guest_tty" 2>&1 &
wait $!
code=$?

stty -F "$guest_tty" -echo	# waits until the output is out
echo $code >$run/exit
busybox reboot -f
