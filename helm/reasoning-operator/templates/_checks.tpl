{{/* What the schema cannot say, because it takes two values or a name of the chart's own. */}}
{{- define "reasoning-operator.checks" -}}
{{- if and .Values.image.tag .Values.image.digest }}
{{- fail "image: give tag or digest, not both" }}
{{- end }}
{{- range $name, $_ := .Values.podLabels }}
{{- if has $name (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart") }}
{{- fail (printf "podLabels: %s is the chart's own: remove it" $name) }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if hasPrefix "REASONING_OPERATOR_" .name }}
{{- fail (printf "extraEnv: %s is made from the chart's values: set the value instead" .name) }}
{{- end }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) .Values.serviceAccount.annotations }}
{{- fail "serviceAccount.annotations: have no effect on a ServiceAccount that the chart does not make: remove them" }}
{{- end }}
{{- if and .Values.dashboards.enabled (not .Values.dashboards.labels) }}
{{- fail "dashboards.labels: without one the sidecar finds none of them: set {grafana_dashboard: \"1\"}" }}
{{- end }}
{{- with .Values.networkPolicy }}
{{- if and (not .enabled) (or .metricsFrom .apiServer.cidrs .extraEgress) }}
{{- fail "networkPolicy: metricsFrom, apiServer.cidrs and extraEgress have no effect unless networkPolicy.enabled is true" }}
{{- end }}
{{- end }}
{{- $policy := .Values.jobs.policy }}
{{- $hostPath := and $policy.volumes (has "hostPath" $policy.volumes) }}
{{- if and $hostPath (not $policy.hostPaths) }}
{{- fail "jobs.policy.volumes: has hostPath: name the folders that jobs may mount in jobs.policy.hostPaths" }}
{{- end }}
{{- if and $policy.hostPaths (not $hostPath) }}
{{- fail "jobs.policy.hostPaths: has no effect unless jobs.policy.volumes has hostPath" }}
{{- end }}
{{- if and .Values.cache.enabled .Values.watchNamespaces }}
{{- range .Values.cache.namespaces }}
{{- if not (has . $.Values.watchNamespaces) }}
{{- fail (printf "cache.namespaces: no job of namespace %s is run: add it to watchNamespaces or remove it here" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (not .Values.cache.enabled) .Values.cache.namespaces }}
{{- fail "cache.namespaces: have no effect unless cache.enabled is true" }}
{{- end }}
{{- end -}}
