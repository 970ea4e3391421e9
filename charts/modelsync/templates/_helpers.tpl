{{- define "modelsync.name" -}}
{{- if contains "modelsync" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-modelsync{{ end }}
{{- end }}

{{- define "modelsync.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "modelsync.name" .) .Values.serviceAccount.name }}
{{- else }}{{ required "serviceAccount.name is needed when it is not created" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "modelsync.selector" -}}
app.kubernetes.io/name: modelsync
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "modelsync.labels" -}}
{{ include "modelsync.selector" . }}
app.kubernetes.io/component: agent
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "modelsync.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}
