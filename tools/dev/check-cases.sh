#!/bin/bash
# Every test case that Documentation/*.rst names as ``folder/file_test.c: case`` must exist, and so must
# every ``folder/name_test`` or script that is named alone.
cd "$(dirname "$0")/../.." || exit 2
rc=0
# shellcheck disable=SC2016 # the quotes of reStructuredText
names='``[a-z]+/[a-z0-9A-Z_]+_(vm)?test\.(c|sh)(: [^`]+)?``'

say()
{
	echo "check-cases: $*" >&2
	rc=1
}

# C: TEST(case), GTEST(case), ON(4, case), a row X(case, ...); shell: words of the line that is the case
has_case()
{
	case $1 in
	*.c)
		grep -qE -e "^[A-Z_]+\(([a-z0-9_]+, )?$2\)" -e "^	X\($2," "selftests/$1" ;;
	*)
		grep -qF -- "$2" "selftests/$1" ;;
	esac
}

while IFS=: read -r doc file name; do
	name=${name# }
	if [ ! -e "selftests/$file" ]; then
		say "$doc names selftests/$file, which is not there"
	elif [ -n "$name" ] && ! has_case "$file" "$name"; then
		say "$doc names $file: $name, which is not there"
	fi
done < <(grep -oE "$names" Documentation/*.rst | tr -d '`')
exit $rc
