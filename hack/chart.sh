#!/usr/bin/env bash
# Copies what the Helm chart is made of from the kustomize manifests into the chart, since Helm reads nothing outside of it. The
# chart's templates lay its values over these copies, so that no rule, CRD or alert is written twice.
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
