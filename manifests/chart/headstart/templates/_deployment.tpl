{{/* Changes the Deployment in place as the values say. */}}
{{- define "headstart.patchDeployment" -}}
{{- $root := index . 0 -}}
{{- $deployment := index . 1 -}}
{{- $_ := set $deployment.spec "replicas" $root.Values.replicas -}}
{{- include "headstart.patchPodMetadata" (list $root $deployment.spec.template) -}}
{{- include "headstart.patchPodSpec" (list $root $deployment.spec.template.spec) -}}
{{- include "headstart.patchContainer" (list $root (first $deployment.spec.template.spec.containers)) -}}
{{- end -}}

{{- define "headstart.patchPodMetadata" -}}
{{- $root := index . 0 -}}
{{- $pod := index . 1 -}}
{{- $labels := merge $pod.metadata.labels (dict "app.kubernetes.io/name" "headstart" "app.kubernetes.io/part-of" "headstart") -}}
{{- range $name, $_ := $root.Values.podLabels -}}
{{- if hasKey $labels $name }}{{ fail (printf "podLabels: the chart itself sets %s" $name) }}{{ end -}}
{{- end -}}
{{- $_ := set $pod.metadata "labels" (merge $labels $root.Values.podLabels) -}}
{{- /* The server reloads changed sources by itself. But new pods show at once whether the sources
are valid, while the old pods still run. */ -}}
{{- $checksum := dict "checksum/sources" (include "headstart.sources" $root | sha256sum) -}}
{{- $own := $pod.metadata.annotations -}}
{{- if ne $root.Values.image.repository "headstart.dev/headstart" -}}
{{- $own = omit $own "headstart.dev/if-the-image-is-not-found" -}}
{{- end -}}
{{- $_ := set $pod.metadata "annotations" (merge $checksum $own $root.Values.podAnnotations) -}}
{{- end -}}

{{- define "headstart.patchPodSpec" -}}
{{- $values := (index . 0).Values -}}
{{- $spec := index . 1 -}}
{{- with $values.image.pullSecrets }}{{ $_ := set $spec "imagePullSecrets" . }}{{ end -}}
{{- with $values.nodeSelector }}{{ $_ := set $spec "nodeSelector" . }}{{ end -}}
{{- with $values.tolerations }}{{ $_ := set $spec "tolerations" . }}{{ end -}}
{{- with $values.affinity }}{{ $_ := set $spec "affinity" . }}{{ end -}}
{{- with $values.priorityClassName }}{{ $_ := set $spec "priorityClassName" . }}{{ end -}}
{{- if kindIs "slice" $values.topologySpreadConstraints -}}
{{- $_ := unset $spec "topologySpreadConstraints" -}}
{{- with $values.topologySpreadConstraints }}{{ $_ := set $spec "topologySpreadConstraints" . }}{{ end -}}
{{- end -}}
{{- if $values.hostNetwork -}}
{{- $_ := set $spec "hostNetwork" true -}}
{{- $_ := set $spec "dnsPolicy" "ClusterFirstWithHostNet" -}}
{{- end -}}
{{- range $spec.volumes -}}
{{- if .configMap }}{{ $_ := set .configMap "name" "headstart-sources" }}{{ end -}}
{{- if .secret }}{{ $_ := set .secret "secretName" $values.credentialsSecret }}{{ end -}}
{{- end -}}
{{- if $values.certManager.enabled -}}
{{- $certificate := dict "name" "certificate" "secret" (dict "secretName" "headstart-certificate") -}}
{{- $_ := set $spec "volumes" (append $spec.volumes $certificate) -}}
{{- end -}}
{{- with $values.clustersSecret -}}
{{- $_ := set $spec "volumes" (append $spec.volumes (dict "name" "clusters" "secret" (dict "secretName" .))) -}}
{{- end -}}
{{- $_ := set $spec "volumes" (concat $spec.volumes $values.extraVolumes) -}}
{{- end -}}

{{- define "headstart.patchContainer" -}}
{{- $root := index . 0 -}}
{{- $container := index . 1 -}}
{{- $values := $root.Values -}}
{{- $_ := set $container "image" (include "headstart.image" $root) -}}
{{- with $values.image.pullPolicy }}{{ $_ := set $container "imagePullPolicy" . }}{{ end -}}
{{- $_ := set $container "resources" (include "headstart.resources" $values | fromYaml) -}}
{{- range $container.ports }}{{ if eq .name "https" }}{{ $_ := set . "containerPort" (int $values.securePort) }}{{ end }}{{ end -}}
{{- $mounts := $container.volumeMounts -}}
{{- if $values.certManager.enabled -}}
{{- $mounts = append $mounts (dict "name" "certificate" "mountPath" "/etc/headstart-certificate" "readOnly" true) -}}
{{- end -}}
{{- if $values.clustersSecret -}}
{{- $mounts = append $mounts (dict "name" "clusters" "mountPath" "/etc/headstart-clusters" "readOnly" true) -}}
{{- end -}}
{{- $_ := set $container "volumeMounts" (concat $mounts $values.extraVolumeMounts) -}}
{{- $_ := set $container "env" (concat $container.env $values.extraEnv) -}}
{{- $args := list -}}
{{- range $container.args -}}
{{- $args = append $args (regexReplaceAll "^--secure-port=.*" . (printf "--secure-port=%d" (int $values.securePort))) -}}
{{- end -}}
{{- if has "external" $values.metricsAPIs }}{{ $args = append $args "--external-metrics" }}{{ end -}}
{{- if has "custom" $values.metricsAPIs }}{{ $args = append $args "--custom-metrics" }}{{ end -}}
{{- with $values.keda -}}
{{- if .enabled -}}
{{- $args = concat $args (list "--external-scaler" (printf "--external-scaler-ca-configmap=%s/headstart-ca" .namespace)) -}}
{{- with .clientCA }}{{ $args = append $args (printf "--external-scaler-client-ca=/etc/headstart-credentials/%s" .) }}{{ end -}}
{{- $args = append $args "--scaled-objects" -}}
{{- $_ := set $container "ports" (append $container.ports (dict "name" "scaler" "containerPort" 9443)) -}}
{{- end -}}
{{- end -}}
{{- if $values.warm.enabled }}{{ $args = append $args "--warm-pools" }}{{ end -}}
{{- if $values.clustersSecret }}{{ $args = append $args "--clusters-config=/etc/headstart-clusters/clusters.yaml" }}{{ end -}}
{{- if $values.certManager.enabled -}}
{{- $args = append $args "--tls-cert-file=/etc/headstart-certificate/tls.crt" -}}
{{- $args = append $args "--tls-private-key-file=/etc/headstart-certificate/tls.key" -}}
{{- $args = append $args "--inject-ca=false" -}}
{{- end -}}
{{- $flags := list "--external-metrics" "--custom-metrics" "--warm-pools" "--clusters-config" -}}
{{- $flags = concat $flags (list "--external-scaler" "--external-scaler-ca-configmap" "--external-scaler-client-ca" "--scaled-objects") -}}
{{- $flags = concat $flags (list "--tls-cert-file" "--tls-private-key-file" "--inject-ca") -}}
{{- range $container.args }}{{ $flags = append $flags (splitList "=" . | first) }}{{ end -}}
{{- range $values.extraArgs -}}
{{- if has (splitList "=" . | first) $flags }}{{ fail (printf "extraArgs: the chart itself decides on %s" .) }}{{ end -}}
{{- end -}}
{{- $_ := set $container "args" (concat $args $values.extraArgs) -}}
{{- end -}}

{{- define "headstart.image" -}}
{{- with .Values.image -}}
{{- $tag := .tag | default (ternary "" $.Chart.AppVersion (ne .digest "")) -}}
{{- .repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The resources, with the memory and the processor for so many Forecasts. In MiB, the process
needs 150 and each Forecast 0.6. From three fifths of the limit on it leaves something out. Each
Forecast needs 0.1m of a core. A request of cpu that is not the default stays. */}}
{{- define "headstart.resources" -}}
{{- $resources := deepCopy .resources -}}
{{- with int .forecasts -}}
{{- $requests := merge (dict "memory" (printf "%dMi" (add 150 (div (add (mul 6 .) 9) 10)))) ($resources.requests | default dict) -}}
{{- if eq (toString $requests.cpu) "100m" -}}
{{- $_ := set $requests "cpu" (printf "%dm" (add 100 (div . 10))) -}}
{{- end -}}
{{- $limits := merge (dict "memory" (printf "%dMi" (add 250 .))) ($resources.limits | default dict) -}}
{{- $_ := set $resources "requests" $requests -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
