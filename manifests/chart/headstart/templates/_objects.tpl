{{/* The objects of a file as a JSON list. The file is a copy of a kustomize manifest. The objects get
the namespace and the labels of the release. */}}
{{- define "headstart.load" -}}
{{- $root := index . 0 -}}
{{- $file := index . 1 -}}
{{- $objects := list -}}
{{- range splitList "\n---\n" ($root.Files.Get $file | required (printf "the chart lacks %s" $file) | replace "headstart-system" $root.Release.Namespace) -}}
{{- $object := fromYaml . -}}
{{- if $object.Error }}{{ fail (printf "%s: %s" $file $object.Error) }}{{ end -}}
{{- if $object -}}
{{- include "headstart.label" (list $root $object) -}}
{{- $objects = append $objects $object -}}
{{- end -}}
{{- end -}}
{{- toJson $objects -}}
{{- end -}}

{{/* The objects of all files that match one of the patterns, as a JSON list. */}}
{{- define "headstart.loadAll" -}}
{{- $root := first . -}}
{{- $objects := list -}}
{{- range $pattern := rest . -}}
{{- range $file, $_ := $root.Files.Glob $pattern -}}
{{- $objects = concat $objects (include "headstart.load" (list $root $file) | fromJsonArray) -}}
{{- end -}}
{{- end -}}
{{- toJson $objects -}}
{{- end -}}

{{/* Adds the labels of the release to an object, in place. Labels that it already has do not change. */}}
{{- define "headstart.label" -}}
{{- $root := index . 0 -}}
{{- $object := index . 1 -}}
{{- $labels := $object.metadata.labels | default dict -}}
{{- $_ := set $object.metadata "labels" (merge $labels (include "headstart.labels" $root | fromYaml)) -}}
{{- end -}}

{{- define "headstart.labels" -}}
app.kubernetes.io/name: headstart
app.kubernetes.io/part-of: headstart
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "headstart.emit" }}
---
{{ toYaml . }}
{{- end -}}

{{- define "headstart.sources" -}}
{{- toYaml (dict "sources" .Values.sources) -}}
{{- end -}}

{{/* Fails when a metrics group has another owner. This needs a cluster: helm template finds no owner. */}}
{{- define "headstart.refuseTaken" -}}
{{- $root := index . 0 -}}
{{- $object := index . 1 -}}
{{- $found := lookup $object.apiVersion $object.kind "" $object.metadata.name -}}
{{- with $found -}}
{{- $service := (.spec.service | default dict) -}}
{{- $owner := printf "%s/%s" ($service.namespace | default "") ($service.name | default "") -}}
{{- if ne $owner (printf "%s/headstart" $root.Release.Namespace) -}}
{{- fail (printf "the API group %s is served by %s and would go to headstart, with every HorizontalPodAutoscaler that reads it. Claim another one with metricsAPIs; or, if that is meant, run first: kubectl delete apiservice %s" .spec.group $owner .metadata.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
