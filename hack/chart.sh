#!/usr/bin/env bash
# Copies the kustomize manifests into the Helm chart, because Helm reads nothing outside of the
# chart. The chart's templates apply its values to these copies, so no rule, CRD or alert is written
# twice.
set -euo pipefail
cd "$(dirname "$0")/../manifests"

files=chart/headstart/files
rm -rf "$files"
for dir in base base/crds prepare monitoring components/*; do
	mkdir -p "$files/$dir"
	for file in "$dir"/*.yaml "$dir"/*.json; do
		case ${file##*/} in
		kustomization.yaml | sources.yaml | '*.json') ;; # the sources are a value
		*.yaml) { echo "# Generated from manifests/$file by make generate. Edit that."; cat "$file"; } >"$files/$file" ;;
		*) cp "$file" "$files/$file" ;;
		esac
	done
done
