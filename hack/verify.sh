#!/usr/bin/env bash
# Regenerates everything and fails when that changes a file: generated files are committed and never edited by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

# Compared with what was there before rather than with the last commit, so that it can be run with work in progress.
generated() { find api manifests/base/crds -type f \( -name 'zz_generated*' -o -name '*.yaml' \) -print0 | sort -z | xargs -0 sha256sum; }
before=$(generated)
make --no-print-directory generate
if ! diff <(echo "$before") <(generated); then
	echo "generated files were out of date: commit what 'make generate' has just written" >&2
	exit 1
fi
echo "generated files are current"
