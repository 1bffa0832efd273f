#!/bin/bash
# TAP: the benchmarks, ours and Go's: each workload runs with small arguments, gives right results and
# prints its line. No time is judged: that is `make bench`.
exec "$(dirname "$0")/../../tools/bench/run.py" -bq
