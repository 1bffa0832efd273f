#!/bin/bash
# Rooms stay small and tidy: files over 600 lines are named, over 800 they fail; functions over 60 lines
# are named, over 100 they fail; no line over 132 columns (100 is the aim; 150 in shell, where patterns
# cannot be broken), no blanks at the ends of lines, a licence in the first lines of each C source.
#
# usage: check-style.sh [-v]	-v: names what is long, too
cd "$(dirname "$0")/../.." || exit 2
verbose=0
[ "${1:-}" != -v ] || verbose=1

# Longer than a room should be, by choice: cases that belong together.
large='selftests/kmod/proc_test.c'	# one case a field of /proc/gmp

# Under revision, or all there is, but what was built.
sources()
{
	if [ -e .git ]; then
		git ls-files -- '*.c' '*.h' '*.S' '*.sh' '*Makefile' '*.mk'
	else
		find lib kmod tools selftests -type f \
			\( -name '*.[chS]' -o -name '*.sh' -o -name Makefile -o -name '*.mk' \)
	fi | grep -vE '(^|/)build/' | while read -r f; do [ ! -e "$f" ] || echo "$f"; done
}

# shellcheck disable=SC2046 # a list of names without blanks
awk -v verbose="$verbose" -v large="$large" '
function say(text) { print "check-style: " text > "/dev/stderr"; bad = 1 }
function hint(text) { if (verbose) print "check-style: " text }

# Columns with tabs of 8.
function width(s,	n, i, c) {
	n = 0
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		n = c == "\t" ? n + 8 - n % 8 : n + 1
	}
	return n
}

function end_of_file() {
	if (!file)
		return
	if (lines > 800 && !index(" " large " ", " " file " "))
		say(file ": " lines " lines (800 at most: split it by noun)")
	else if (lines > 600)
		hint(file ": " lines " lines")
	if (is_c && !licence)
		say(file ": no SPDX-License-Identifier")
}

FNR == 1 {
	end_of_file()
	file = FILENAME
	is_c = file ~ /\.[chS]$/
	limit = file ~ /\.sh$/ ? 150 : 132
	licence = start = 0
}
{ lines = FNR }
FNR <= 3 && /SPDX-License-Identifier/ { licence = 1 }
/[ \t]$/ { say(file ":" FNR ": blanks at the end of a line") }
length * 8 > limit && width($0) > limit { say(file ":" FNR ": a line of " width($0) " columns") }
!is_c { next }
/^[A-Za-z_].*\(/ { name = $0 }
/^{/ { start = FNR }	# a body begins and ends in column 0
/^}/ && start {
	n = FNR - start - 1
	if (n > 100)
		say(file ":" start ": a function of " n " lines: " name)
	else if (n > 60)
		hint(file ":" start ": a function of " n " lines: " name)
	start = 0
}
END { end_of_file(); exit bad }' $(sources)
