#!/bin/bash
# Structures that more than one file knows have kernel-doc, whole: each struct of the contract
# (kmod/uapi) and of the module (kmod/internal.h) is preceded by a comment that names it and says of each
# member what it is; and what a comment names is there. What kernel-doc(1) itself would say of the rest,
# make checkpatch says.
cd "$(dirname "$0")/../.." || exit 2

awk '
function say(text) { print "check-kdoc: " text > "/dev/stderr"; bad = 1 }

# member(LINE): what a line of a struct declares; "" for none. Not for bit fields and function pointers.
function member(line) {
	sub(/\/\*.*/, "", line)
	if (line !~ /;[ \t]*$/)
		return ""
	sub(/(\[[^]]*\])*;[ \t]*$/, "", line)
	sub(/.*[ \t*]/, "", line)
	return line
}

FNR == 1 { doc = ""; name = "" }
/^\/\*\*/ { doc = ""; split("", said); in_doc = 1; next }
in_doc && /^ \* struct [a-z_0-9]+ - / { doc = $3 }
in_doc && /^ \* @[a-z_0-9]+:/ {
	m = $2
	gsub(/[@:]/, "", m)
	said[m] = $0 ~ /:[ \t]*$/ ? "nothing" : "text"
}
in_doc && /^ \*\// { in_doc = 0; after = FNR; next }
in_doc { next }

/^struct [a-z_0-9]+ \{$/ {
	name = $2
	if (doc != name || after != FNR - 1) {
		say(FILENAME ":" FNR ": struct " name " has no kernel-doc")
		split("", said)
		name = ""
	}
	next
}
/^};$/ && name {
	for (m in said)
		if (said[m] != "done")
			say(FILENAME ": struct " name " has no member " m ", which its kernel-doc names")
	name = doc = ""
}
name && (m = member($0)) {
	if (!(m in said) || said[m] == "nothing")	# not the other way: to look at said[m] makes it
		say(FILENAME ":" FNR ": struct " name ": nothing is said of " m)
	said[m] = "done"
}
END { exit bad }' kmod/uapi/*.h kmod/internal.h
