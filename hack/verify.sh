#!/usr/bin/env bash
# Generates every generated file, and fails if one changes: generated files are committed and never
# edited by hand. Every check runs, also after one has failed.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
check() {
	if "$2"; then echo "$1: current"; else failed=1; fi
}

# The files are compared with those before, not with the last commit, so that this works with
# uncommitted changes.
generated() {
	find api adapter/externalscaler/pb docs/api.md manifests/base/crds manifests/chart/headstart/files -type f \
		\( -name 'zz_generated*' -o -name '*.pb.go' -o -name '*.yaml' -o -name '*.json' -o -name api.md \) -print0 | sort -z | xargs -0 sha256sum
}
code_and_crds() {
	local before
	before=$(generated)
	make --no-print-directory generate || return 1
	diff <(echo "$before") <(generated) && return
	echo "generated files were out of date: commit what 'make generate' has just written" >&2
	return 1
}

# The synthetic traces are compared unpacked, because the output of gzip may change with the version
# of Go.
traces() {
	local dir file result=0
	dir=$(mktemp -d)
	go run ./testdata/generate "$dir" >/dev/null || return 1
	diff <(cd testdata && ls -- *.csv.gz) <(cd "$dir" && ls -- *.csv.gz) || result=1
	for file in testdata/*.csv.gz; do
		cmp <(gzip -dc "$file") <(gzip -dc "$dir/$(basename "$file")") || result=1
	done
	rm -rf "$dir"
	((result == 0)) ||
		echo "the traces in testdata differ from their generator's: go run ./testdata/generate, or undo the change" >&2
	return "$result"
}

tidy() {
	local dir result=0
	for dir in . test build; do
		(cd "$dir" && go mod tidy -diff) && continue
		echo "$dir: go.mod or go.sum is not tidy: run 'go mod tidy' there" >&2
		result=1
	done
	return "$result"
}

# Build output does not belong into the history, where it stays forever. No source file is this
# large.
sizes() {
	local large
	large=$(git ls-files -z | xargs -0 -r sh -c 'for f; do [ -f "$f" ] && find "$f" -size +512k; done' sh)
	[[ -z $large ]] && return
	echo "tracked by git, and larger than 512 KiB: remove it with git rm --cached, or say in hack/verify.sh" \
		"why it belongs here: $large" >&2
	return 1
}

# So many files and lines of a package, lines of a function, columns of a line.
limits() { go run ./hack/limits >/dev/null; }

check "generated code, CRDs, API reference and chart" code_and_crds
check "traces" traces
check "go.mod" tidy
check "tracked files" sizes
check "sizes of packages, functions and lines" limits
exit "$failed"
