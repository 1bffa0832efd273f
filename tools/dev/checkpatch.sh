#!/bin/bash
# usage: checkpatch.sh [ABSOLUTE-FILE...]
# checkpatch.pl and kernel-doc of Debian's linux-source-6.1 over the module's sources (all of them when
# no FILE is given). Fails if either has anything to say. They are unpacked once, into build/checkpatch.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${O:-$top/build}/checkpatch
tarball=${KSELFTEST_SOURCE:-/usr/src/linux-source-6.1.tar.xz}
tools='checkpatch.pl spelling.txt const_structs.checkpatch kernel-doc'

# What is not asked, and why:
#   LINUX_VERSION_CODE, CONSTANT_COMPARISON   compat.h is there to know versions
#   COMPLEX_MACRO, MACRO_ARG_REUSE            lists of the form #define ALL(X) X(a) X(b)
#   CAMELCASE                                 _Static_assert
#   OPEN_ENDED_LINE, PARENTHESIS_ALIGNMENT    TRACE_EVENT() looks as everywhere in the kernel
#   UNCOMMENTED_DEFINITION                    members of structs are described in their kernel-doc
#   REPEATED_WORD                             two columns of a drawing
#   BRACKET_SPACE                             [index] = in a macro that fills an array
#   FILE_PATH_CHANGES, EMBEDDED_FILENAME      every file begins with its name
#   ENOSYS                                    what a system call that is not over has as its result
ignore=LINUX_VERSION_CODE,CONSTANT_COMPARISON,COMPLEX_MACRO,MACRO_ARG_REUSE,CAMELCASE,OPEN_ENDED_LINE
ignore+=,PARENTHESIS_ALIGNMENT,UNCOMMENTED_DEFINITION,REPEATED_WORD,BRACKET_SPACE,FILE_PATH_CHANGES,EMBEDDED_FILENAME
ignore+=,ENOSYS

unpack()
{
	[ ! "$dir/.unpacked" -nt "$tarball" ] || return 0
	[ -r "$tarball" ] || { echo "checkpatch: no $tarball (make deps)" >&2; return 1; }
	mkdir -p "$dir/include"	# it looks for names there, and finds none
	# shellcheck disable=SC2086 # a list
	tar -C "$dir" --strip-components=2 -xf "$tarball" $(printf 'linux-source-6.1/scripts/%s ' $tools) &&
		touch "$dir/.unpacked"
}

unpack || exit 1
[ $# -gt 0 ] || set -- "$top"/kmod/*.[ch] "$top"/kmod/uapi/*.h
cd "$dir" || exit 1	# it leaves a file where it runs
rc=0
text=$(perl ./checkpatch.pl --no-tree --root=. --no-summary --terse --strict --max-line-length=110 \
	--ignore "$ignore" -f "$@" 2>&1; perl ./kernel-doc -none "$@" 2>&1)
[ -z "$text" ] || rc=1
[ -z "$text" ] || printf '%s\n' "${text//"$top"\//}"
echo "checkpatch: $# files, $([ $rc -eq 0 ] && echo nothing to say || echo see above)"
exit $rc
