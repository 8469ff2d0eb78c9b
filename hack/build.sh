#!/usr/bin/env bash
# Builds headstart, one static binary, into the given file (bin/headstart by default; relative to
# the top of the repository), for this machine or for GOOS and GOARCH. Make, the image, releases and
# the end-to-end tests all build with this script, so they run the same binary.
#
# The same commit gives the same bytes, on any machine with the same version of Go.
# HEADSTART_LDFLAGS are more flags of the linker, for builds that tests need.
set -euo pipefail
if (($# > 1)) || [[ ${1-} == -* ]]; then
	echo "usage: hack/build.sh [FILE]" >&2
	exit 2
fi
cd "$(dirname "$0")/.."
version=${VERSION:-$(sed -n 's/^appVersion: *//p' manifests/chart/headstart/Chart.yaml)}
# The commit and its date, or those that are given. Source without git has none.
commit=${COMMIT-} date=
if [[ -z $commit ]] && commit=$(git rev-parse HEAD 2>/dev/null); then
	git diff --quiet HEAD -- || commit+=-dirty
fi
export TZ=UTC
epoch=${SOURCE_DATE_EPOCH:-$(git show -s --format=%ct HEAD 2>/dev/null || true)}
[[ -z $epoch ]] || printf -v date '%(%Y-%m-%dT%H:%M:%SZ)T' "$epoch"
# The flags are those of test/binaries, which explains them: so the packages that are shared with
# the control plane compile once. What go build finds out about git by itself, it leaves out: that
# depends on the kind of checkout.
export CGO_ENABLED=0
exec go build -trimpath -buildvcs=false -gcflags=all=-dwarf=false \
	-ldflags "-s -w -X main.version=$version -X main.commit=$commit -X main.date=$date ${HEADSTART_LDFLAGS-}" \
	-o "${1:-bin/headstart}" ./cmd/headstart
