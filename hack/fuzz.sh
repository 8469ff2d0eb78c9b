#!/usr/bin/env bash
# Runs every fuzz target of the product for the given time (20s), one after the other, because go
# test accepts one at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-20s}
found=0
while IFS=: read -r file target; do
	found=$((found + 1))
	echo "fuzz ./$(dirname "$file") $target for $time"
	go test -run='^$' -fuzz="^$target\$" -fuzztime="$time" -fuzzminimizetime=10x "./$(dirname "$file")"
done < <(grep -rnoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sed -E 's|^\./([^:]+):[0-9]+:func |\1:|' | sort)
((found > 0)) || { echo "no fuzz target found" >&2; exit 1; }
