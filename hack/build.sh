#!/usr/bin/env bash
# Builds headstart, one static binary, into the given file (bin/headstart by default; relative to
# the top of the repository), for this machine or for GOOS and GOARCH. Make, the image and the
# end-to-end tests all build with this script, so they run the same binary.
set -euo pipefail
if (($# > 1)) || [[ ${1-} == -* ]]; then
	echo "usage: hack/build.sh [FILE]" >&2
	exit 2
fi
cd "$(dirname "$0")/.."
version=${VERSION:-$(sed -n 's/^appVersion: *//p' manifests/chart/headstart/Chart.yaml)}
# The flags are those of test/binaries, which explains them: so the packages that are shared with
# the control plane compile once.
export CGO_ENABLED=0
exec go build -trimpath -gcflags=all=-dwarf=false -ldflags "-s -w -X main.version=$version" \
	-o "${1:-bin/headstart}" ./cmd/headstart
