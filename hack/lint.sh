#!/usr/bin/env bash
# Runs the linter over all modules, or with --changed over the folders whose Go files differ from
# main's: from the commit before where main itself is checked out. Other flags go to the linter.
set -euo pipefail
cd "$(dirname "$0")/.."
linter=$PWD/bin/golangci-lint
config=$PWD/.golangci.yml

# changed lists folders with a Go file that was changed, below a folder, and without its deleted
# ones.
changed() {
	local base
	base=$(git merge-base HEAD main 2>/dev/null || git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD~)
	[[ $base != $(git rev-parse HEAD) ]] || base=$(git rev-parse HEAD~)
	{
		git diff --name-only --diff-filter=d "$base" -- '*.go'
		git ls-files --others --exclude-standard -- '*.go'
	} | xargs -r -n1 dirname | sort -u | sed 's|^|./|'
}

# Go leaves folders named testdata out of ./...
mapfile -t product < <(hack/packages.sh product)
tests=(./...)
release=(./...)
if [[ ${1-} == --changed ]]; then
	shift
	folders=$(changed)
	mapfile -t product < <(grep -vE '^\./(test|build)(/|$)' <<<"$folders" | grep .)
	mapfile -t tests < <(sed -n 's|^\./test/|./|p' <<<"$folders")
	mapfile -t release < <(sed -nE 's|^\./build(/.*)?$|.\1|p' <<<"$folders")
fi
failed=0
if ((${#product[@]})); then "$linter" run --config "$config" "$@" "${product[@]}" || failed=1; fi
if ((${#tests[@]})); then (cd test && "$linter" run --config "$config" "$@" "${tests[@]}") || failed=1; fi
if ((${#release[@]})); then (cd build && "$linter" run --config "$config" "$@" "${release[@]}") || failed=1; fi
exit "$failed"
