{{- define "cni.labels" -}}
app.kubernetes.io/name: "istio-cni"
istio.io/rev: {{ .Values.revision | default "default" | quote }}
{{ include "istio.ownerLabels" (dict "root" . "component" "Cni") }}
{{ include "istio.labels" . }}
{{- end -}}

{{- define "cni.inCluster" -}}{{ if ne .Values.global.resourceScope "namespace" }}true{{ end }}{{- end -}}
{{- define "cni.inNamespace" -}}{{ if ne .Values.global.resourceScope "cluster" }}true{{ end }}{{- end -}}
