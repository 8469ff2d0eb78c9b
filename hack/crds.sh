#!/usr/bin/env bash
# Generates the CRDs, and bounds the quantities in them. The schema of a quantity takes any exponent.
# One such as 1e-2000000000 takes gigabytes to read, wherever the object is read.
set -euo pipefail
cd "$(dirname "$0")/.."
crds=manifests/base/crds
go tool -modfile=go.tools.mod controller-gen crd paths=./api/... output:crd:artifacts:config=$crds

any='(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'
bounded='(([0-9]{1,30}(\.[0-9]{0,30})?)|(\.[0-9]{1,30}))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]{1,2}))?$'
for file in "$crds"/*.yaml; do
	text=$(<"$file")
	printf '%s\n' "${text//"$any"/"$bounded"}" >"$file"
done
