{{/* Names and labels. Everything is called after the release: RELEASE-gateway, RELEASE-operator. */}}
{{- define "prism.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "prism.selector" -}}
app.kubernetes.io/name: prism
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "prism.labels" -}}
{{ include "prism.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: prism-router
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* {"root": $, "image": .Values.images.extproc} -> the reference of a Prism image. */}}
{{- define "prism.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.images.registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end -}}
{{- include "prism.reference" (dict "repository" $repository "tag" (default .root.Chart.AppVersion .image.tag) "digest" .image.digest) -}}
{{- end }}

{{- define "prism.reference" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{/* The namespaces that the operator watches, as a JSON list. */}}
{{- define "prism.watched" -}}
{{- default (list .Release.Namespace) .Values.operator.watch.namespaces | uniq | toJson -}}
{{- end }}

{{- define "prism.operatorSecret" -}}
{{- default (printf "%s-operator-tls" (include "prism.name" .)) .Values.certificates.operatorSecret -}}
{{- end }}

{{- define "prism.extprocSecret" -}}
{{- default (printf "%s-extproc-tls" (include "prism.name" .)) .Values.certificates.extprocSecret -}}
{{- end }}

{{- define "prism.webhookSecret" -}}
{{- default (printf "%s-webhook-tls" (include "prism.name" .)) .Values.certificates.webhookSecret -}}
{{- end }}
