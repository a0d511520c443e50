{{/* `-REVISION` where there is one. */}}
{{- define "istiod.suffix" -}}
{{- with .Values.revision }}-{{ . }}{{ end }}
{{- end -}}

{{- define "istiod.name" -}}
istiod{{ include "istiod.suffix" . }}
{{- end -}}

{{- define "istiod.labels" -}}
app.kubernetes.io/name: "istiod"
istio.io/rev: {{ .Values.revision | default "default" | quote }}
{{ include "istio.ownerLabels" (dict "root" . "component" "Pilot") }}
{{ include "istio.labels" . }}
{{- end -}}

{{/* What the Deployment, its budget and the Service find its pods by. */}}
{{- define "istiod.selector" -}}
app: istiod
{{- if .Values.revision }}
istio.io/rev: {{ .Values.revision | quote }}
{{- else }}
istio: pilot
{{- end }}
{{- end -}}

{{- define "istiod.inCluster" -}}{{ if ne .Values.global.resourceScope "namespace" }}true{{ end }}{{- end -}}
{{- define "istiod.inNamespace" -}}{{ if ne .Values.global.resourceScope "cluster" }}true{{ end }}{{- end -}}
