{{- define "reasoning-operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* A Service's name is a label's value: of 63 characters at most. */}}
{{- define "reasoning-operator.metrics" -}}
{{- include "reasoning-operator.name" . | trunc 55 | trimSuffix "-" }}-metrics
{{- end -}}

{{- define "reasoning-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "reasoning-operator.labels" -}}
{{ include "reasoning-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "reasoning-operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "reasoning-operator.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: name the ServiceAccount that exists, or set serviceAccount.create: true" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Who reaches a job's progress and metrics, where that is narrowed: the operator, and whoever the values name. */}}
{{- define "reasoning-operator.jobPeers" -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .Release.Namespace }}}
  podSelector:
    matchLabels: {{- include "reasoning-operator.selector" . | nindent 6 }}
{{ toYaml .Values.jobs.networkPolicy.from }}
{{- end -}}

{{/* What the operator may do where jobs are: each line is a call that it makes. */}}
{{- define "reasoning-operator.rules" -}}
- apiGroups: [reasoning-operator.io]
  resources: [reasoningtrainingjobs]
  verbs: [get, list, watch, delete]  # delete: spec.limits.ttlSecondsAfterFinished
- apiGroups: [reasoning-operator.io]
  resources: [reasoningtrainingjobs/status]
  verbs: [update]
- apiGroups: [reasoning-operator.io]
  resources: [reasoningtrainingjobs/finalizers]
  verbs: [update]  # clusters that guard ownerReferences ask for it
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch, create]
{{- end -}}
