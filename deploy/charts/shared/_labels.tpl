{{/* Labels of everything a chart makes. The argument is the root. */}}
{{- define "istio.labels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/part-of: "istio"
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Labels that say which installation and which component an object belongs to; uninstalling goes by them. */}}
{{- define "istio.ownerLabels" -}}
install.operator.istio.io/owning-resource: {{ .root.Values.ownerName | default "unknown" | quote }}
operator.istio.io/component: {{ .component | quote }}
release: {{ .root.Release.Name | quote }}
{{- end -}}

{{/* Requests and limits; what is set to null is left out. */}}
{{- define "istio.resources" -}}
{{- $kept := dict }}
{{- range $kind, $amounts := . }}
{{- $some := dict }}
{{- range $name, $amount := $amounts }}
{{- if $amount }}{{ $_ := set $some $name $amount }}{{ end }}
{{- end }}
{{- if $some }}{{ $_ := set $kept $kind $some }}{{ end }}
{{- end }}
{{- toYaml $kept }}
{{- end -}}

{{/* hub/image:tag-variant; an image with a slash is a whole reference. Argument: image, hub, tag, variant. */}}
{{- define "istio.image" -}}
{{- if contains "/" .image -}}
{{ .image }}
{{- else -}}
{{ required "hub is not set" .hub }}/{{ .image }}:{{ required "tag is not set" .tag }}{{ with .variant }}-{{ . }}{{ end }}
{{- end -}}
{{- end -}}
