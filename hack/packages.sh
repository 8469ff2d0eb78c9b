#!/usr/bin/env bash
# Lists the packages that have tests by how they are tested, one a line. Each package is in exactly
# one list, and a new one is in a list without being named here.
#
#   product all packages of the product, as patterns
#   race    packages of the product with goroutines: under the race detector
#   plain   the other packages of the product
#   quick   packages of the test module that need no control plane
#   smoke   end-to-end tests of the common case
#   full    the other packages that need a control plane, the slowest first, so that none of those
#           is left over at the end
set -euo pipefail
cd "$(dirname "$0")/.."

# RACE are the patterns of the first list.
race() { go list ${RACE:-./history/... ./gpuwarm/... ./adapter/... ./controller/... ./clusters/... ./cmd/headstart/app/...}; }

# tests lists the packages of the test module that have tests, each with what the tests import.
# Those that need a control plane import the package that builds it.
tests() { cd test && go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | grep -v ' \[\] \[\]$'; }
builds='[[ ]headstart\.dev/headstart/test/binaries[] ]'

smoke=headstart.dev/headstart/test/e2e/smoke
# product lists the patterns of the product. Go leaves folders named testdata out of ./...
product() { printf '%s\n' ./... ./testdata/generate ./testdata/queues ./testdata/traces; }

case ${1-} in
product) product ;;
race) race ;;
plain) comm -23 <(product | xargs go list | sort) <(race | sort) ;;
quick) tests | grep -v "$builds" | cut -d' ' -f1 ;;
smoke) echo "$smoke" ;;
full)
	all=$(tests | grep "$builds" | cut -d' ' -f1 | grep -vx "$smoke")
	for slow in /e2e/warm /e2e/storm /e2e /e2e/capacity /e2e/keda /e2e/overflow /e2e/kinds /e2e/release; do grep "$slow\$" <<<"$all"; done
	grep -vE '/e2e/(warm|storm|capacity|keda|overflow|kinds|release)$|/e2e$' <<<"$all"
	;;
*)
	echo "usage: hack/packages.sh product|race|plain|quick|smoke|full" >&2
	exit 2
	;;
esac
