{{/* The ValidatingWebhookConfiguration: cluster-wide, so its name tells the namespace too. */}}
{{- define "prism.webhookConfiguration" -}}
{{ .Release.Namespace }}-{{ include "prism.name" . }}-webhook
{{- end }}

{{/* The pod that makes and renews certificates, once as a Job and then as a CronJob. */}}
{{- define "prism.certificatesPod" }}
{{- $prefix := include "prism.name" . }}
metadata:
  {{- include "prism.podMetadata" (dict "root" $ "component" "certificates" "values" dict) | nindent 2 }}
spec:
  serviceAccountName: {{ $prefix }}-certificates
  restartPolicy: OnFailure
  enableServiceLinks: false
  securityContext:
    {{- include "prism.podSecurity" . | nindent 4 }}
  {{- with include "prism.pullSecrets" . }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  containers:
    - name: certificates
      image: {{ include "prism.image" (dict "root" $ "image" .Values.images.operator) }}
      imagePullPolicy: {{ .Values.images.pullPolicy }}
      args:
        - certs
        - --namespace={{ .Release.Namespace }}
        - --operator-secret={{ include "prism.operatorSecret" . }}
        - --extproc-secret={{ include "prism.extprocSecret" . }}
        {{- if .Values.webhook.enabled }}
        - --webhook-secret={{ include "prism.webhookSecret" . }}
        - --webhook-configuration={{ include "prism.webhookConfiguration" . }}
        {{- end }}
      resources:
        {{- toYaml .Values.certificates.job.resources | nindent 8 }}
      securityContext:
        {{- include "prism.containerSecurity" . | nindent 8 }}
{{- end }}
