#!/bin/bash
# HTTP with the sample server, see talk.c.
here=$(cd "$(dirname "$0")" && pwd)
O=${O:-$here/../../build}
export HTTPD=$O/tools/samples/httpd GMP_MAXPROCS=${GMP_MAXPROCS:-2}
[ -x "$HTTPD" ] || { echo "1..0 # SKIP no $HTTPD: make tools"; exit 4; }
exec "$O/selftests/httpd/talk" "$@"
