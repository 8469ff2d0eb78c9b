{{/* Changes the NetworkPolicy in place as the values say. */}}
{{- define "headstart.patchNetworkPolicy" -}}
{{- $values := (index . 0).Values.networkPolicy -}}
{{- $spec := (index . 1).spec -}}
{{- /* The last rule is the one for Prometheus. TestChartEqualsOverlays and TestChartValues check that. */ -}}
{{- $ports := list -}}
{{- range $values.prometheusPorts }}{{ $ports = append $ports (dict "port" (int .) "protocol" "TCP") }}{{ end -}}
{{- $egress := initial $spec.egress -}}
{{- if $ports }}{{ $egress = append $egress (dict "ports" $ports) }}{{ end -}}
{{- $_ := set $spec "egress" $egress -}}
{{- end -}}
