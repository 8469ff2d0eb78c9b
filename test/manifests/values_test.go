package manifests_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// Where most values go, as flatten writes it.
const (
	deployment = "Deployment/headstart-system/headstart"
	pod        = deployment + " spec.template."
	container  = pod + "spec.containers.0."
	network    = "NetworkPolicy/headstart-system/headstart"
	checksum   = pod + "metadata.annotations.checksum/sources"
	notFound   = pod + "metadata.annotations.headstart.dev/if-the-image-is-not-found"
	sources    = "ConfigMap/headstart-system/headstart-sources data.sources.yaml"
)

// chartValues lists what each value changes in the objects that the defaults render. An added or
// removed object is listed by its key alone.
var chartValues = map[string]struct {
	values string
	want   map[string]string
}{
	"other API": {"{metricsAPIs: [custom]}", map[string]string{
		container + "args.7":                            "--custom-metrics",
		"APIService/v1beta1.external.metrics.k8s.io":    "removed",
		"ClusterRole/headstart-external-metrics":        "removed",
		"ClusterRoleBinding/headstart-external-metrics": "removed",
		"APIService/v1beta1.custom.metrics.k8s.io":      "added",
		"ClusterRole/headstart-custom-metrics":          "added",
		"ClusterRoleBinding/headstart-custom-metrics":   "added",
	}},
	"KEDA": {"{keda: {enabled: true, namespace: scaling, clientCA: keda-ca.crt}}", map[string]string{
		container + "args.8": "--external-scaler",
		container + "args.9": "--external-scaler-ca-configmap=scaling/headstart-ca",
		container + "args.10": "--external-scaler-client-ca=" +
			"/etc/headstart-credentials/keda-ca.crt",
		container + "args.11":                             "--scaled-objects",
		container + "ports.1.name":                        "scaler",
		container + "ports.1.containerPort":               "9443",
		"Service/headstart-system/headstart-scaler":       "added",
		"NetworkPolicy/headstart-system/headstart-scaler": "added",
		"ConfigMap/scaling/headstart-ca":                  "added",
		"Role/scaling/headstart-ca":                       "added",
		"RoleBinding/scaling/headstart-ca":                "added",
		"ClusterRole/headstart-scaledobjects":             "added",
		"ClusterRoleBinding/headstart-scaledobjects":      "added",
	}},
	"tag": {
		"{image: {repository: 'mirror:5000/headstart', tag: v9}}",
		map[string]string{container + "image": "mirror:5000/headstart:v9", notFound: "removed"},
	},
	"digest": {
		"{image: {digest: 'sha256:" + digest + "'}}",
		map[string]string{container + "image": "headstart.dev/headstart@sha256:" + digest},
	},
	"tag and digest": {
		"{image: {tag: v9, digest: 'sha256:" + digest + "'}}",
		map[string]string{container + "image": "headstart.dev/headstart:v9@sha256:" + digest},
	},
	"pull": {"{image: {pullPolicy: Always, pullSecrets: [{name: a}, {name: b}]}}", map[string]string{
		container + "imagePullPolicy":        "Always",
		pod + "spec.imagePullSecrets.0.name": "a",
		pod + "spec.imagePullSecrets.1.name": "b",
	}},
	"replicas": {"{replicas: 3}", map[string]string{deployment + " spec.replicas": "3"}},
	"sources": {
		"{sources: [{name: a, url: 'https://a', namespaces: [shop], " +
			"httpClientConfig: {authorization: {credentials_file: /etc/headstart-credentials/token}}}]}",
		map[string]string{
			sources: "sources:\n- httpClientConfig:\n    authorization:\n" +
				"      credentials_file: /etc/headstart-credentials/token\n" +
				"  name: a\n  namespaces:\n  - shop\n  url: https://a\n",
			checksum: "changed",
		},
	},
	"credentials": {"{credentialsSecret: tokens}", map[string]string{pod + "spec.volumes.1.secret.secretName": "tokens"}},
	"clusters": {"{clustersSecret: far}", map[string]string{
		container + "args.8":              "--clusters-config=/etc/headstart-clusters/clusters.yaml",
		container + "volumeMounts.2.name": "clusters", container + "volumeMounts.2.mountPath": "/etc/headstart-clusters",
		container + "volumeMounts.2.readOnly": "true",
		pod + "spec.volumes.2.name":           "clusters", pod + "spec.volumes.2.secret.secretName": "far",
	}},
	"arguments": {"{extraArgs: [--log-format=json, --plan-writes-per-hour=6]}", map[string]string{
		container + "args.8": "--log-format=json", container + "args.9": "--plan-writes-per-hour=6",
	}},
	"environment": {"{extraEnv: [{name: HTTPS_PROXY, value: 'http://proxy'}]}", map[string]string{
		container + "env.2.name": "HTTPS_PROXY", container + "env.2.value": "http://proxy",
	}},
	"volumes": {
		"{extraVolumes: [{name: cas, configMap: {name: company-cas}}], extraVolumeMounts: [{name: cas, mountPath: /cas}]}",
		map[string]string{
			pod + "spec.volumes.2.name": "cas", pod + "spec.volumes.2.configMap.name": "company-cas",
			container + "volumeMounts.2.name": "cas", container + "volumeMounts.2.mountPath": "/cas",
		},
	},
	"resources for Forecasts": {"{forecasts: 1001}", map[string]string{
		container + "resources.requests.memory": "751Mi", // 150 + 0.6 for each, rounded up
		container + "resources.requests.cpu":    "200m",  // 100 + 0.1 for each
		container + "resources.limits.memory":   "1251Mi",
	}},
	"an administrator's request of cpu": {"{forecasts: 1001, resources: {requests: {cpu: 2}}}", map[string]string{
		container + "resources.requests.cpu":    "2",
		container + "resources.requests.memory": "751Mi",
		container + "resources.limits.memory":   "1251Mi",
	}},
	"host network": {"{hostNetwork: true, securePort: 8443}", map[string]string{
		pod + "spec.hostNetwork": "true", pod + "spec.dnsPolicy": "ClusterFirstWithHostNet",
		container + "args.2": "--secure-port=8443", container + "ports.0.containerPort": "8443",
	}},
	"cert-manager": {"{certManager: {enabled: true}}", with(certManager, map[string]string{
		"Issuer/headstart-system/headstart":             "added",
		"Issuer/headstart-system/headstart-self-signed": "added",
		"Certificate/headstart-system/headstart-ca":     "added",
	})},
	"cert-manager with an issuer": {
		"{certManager: {enabled: true, issuerRef: {kind: ClusterIssuer, name: company}}}", certManager,
	},
	"resources": {
		"{resources: {requests: {cpu: 2}, limits: {memory: 4Gi, cpu: '4'}, claims: [{name: a}]}}",
		map[string]string{
			container + "resources.requests.cpu":  "2",
			container + "resources.limits.memory": "4Gi",
			container + "resources.limits.cpu":    "4",
			container + "resources.claims.0.name": "a",
		},
	},
	"node selector": {
		"{nodeSelector: {kubernetes.io/arch: arm64}}",
		map[string]string{pod + "spec.nodeSelector.kubernetes.io/arch": "arm64"},
	},
	"tolerations": {"{tolerations: [{key: a, operator: Exists}]}", map[string]string{
		pod + "spec.tolerations.0.key": "a", pod + "spec.tolerations.0.operator": "Exists",
	}},
	"affinity": {"{affinity: {nodeAffinity: {a: b}, podAffinity: {c: d}, podAntiAffinity: {e: f}}}", map[string]string{
		pod + "spec.affinity.nodeAffinity.a": "b", pod + "spec.affinity.podAffinity.c": "d",
		pod + "spec.affinity.podAntiAffinity.e": "f",
	}},
	"no spread": {"{topologySpreadConstraints: []}", removed(
		spread+"0.labelSelector.matchLabels.app.kubernetes.io/component",
		spread+"0.labelSelector.matchLabels.app.kubernetes.io/name", spread+"0.matchLabelKeys.0",
		spread+"0.maxSkew", spread+"0.topologyKey", spread+"0.whenUnsatisfiable",
		spread+"1.labelSelector.matchLabels.app.kubernetes.io/component",
		spread+"1.labelSelector.matchLabels.app.kubernetes.io/name", spread+"1.matchLabelKeys.0",
		spread+"1.maxSkew", spread+"1.topologyKey", spread+"1.whenUnsatisfiable",
	)},
	"priority": {
		"{priorityClassName: system-cluster-critical}",
		map[string]string{pod + "spec.priorityClassName": "system-cluster-critical"},
	},
	"pod metadata": {"{podLabels: {team: a}, podAnnotations: {note: b}}", map[string]string{
		pod + "metadata.labels.team": "a", pod + "metadata.annotations.note": "b",
	}},
	"service account": {
		"{serviceAccount: {annotations: {role: a}}}",
		map[string]string{"ServiceAccount/headstart-system/headstart metadata.annotations.role": "a"},
	},
	"no network policy": {"{networkPolicy: {enabled: false}}", map[string]string{network: "removed"}},
	"network": {
		"{networkPolicy: {prometheusPorts: [8428, 8481]}}",
		map[string]string{
			network + " spec.egress.2.ports.0.port":     "8428",
			network + " spec.egress.2.ports.1.port":     "8481",
			network + " spec.egress.2.ports.1.protocol": "TCP",
		},
	},
	"warm": {"{warm: {enabled: true, namespaces: [shop, web]}}", map[string]string{
		container + "args.8":                          "--warm-pools",
		"Namespace/headstart-warm":                    "added",
		"PriorityClass/headstart-placeholder":         "added",
		"ResourceQuota/headstart-warm/headstart-warm": "added",
		"LimitRange/headstart-warm/headstart-warm":    "added",
		"ClusterRole/headstart-warm":                  "added",
		"ClusterRoleBinding/headstart-warm":           "added",
		"ClusterRole/headstart-warm-namespace":        "added",
		"Role/headstart-warm/headstart-warm":          "added",
		"RoleBinding/headstart-warm/headstart-warm":   "added",
		"RoleBinding/shop/headstart-warm-namespace":   "added",
		"RoleBinding/web/headstart-warm-namespace":    "added",
	}},
	"warm everywhere": {"{warm: {enabled: true, allNamespaces: true}}", map[string]string{
		container + "args.8":                          "--warm-pools",
		"Namespace/headstart-warm":                    "added",
		"PriorityClass/headstart-placeholder":         "added",
		"ResourceQuota/headstart-warm/headstart-warm": "added",
		"LimitRange/headstart-warm/headstart-warm":    "added",
		"ClusterRole/headstart-warm":                  "added",
		"ClusterRoleBinding/headstart-warm":           "added",
		"ClusterRole/headstart-warm-namespace":        "added",
		"ClusterRoleBinding/headstart-warm-namespace": "added",
		"Role/headstart-warm/headstart-warm":          "added",
		"RoleBinding/headstart-warm/headstart-warm":   "added",
	}},
	"service monitor": {
		"{monitoring: {serviceMonitor: {enabled: true}}}",
		map[string]string{"ServiceMonitor/headstart-system/headstart": "added"},
	},
	"alerts": {
		"{monitoring: {alerts: {enabled: true}}}",
		map[string]string{"PrometheusRule/headstart-system/headstart": "added"},
	},
	"dashboard": {
		"{monitoring: {dashboard: {enabled: true}}}",
		map[string]string{"ConfigMap/headstart-system/headstart-dashboard": "added"},
	},
	"no CRDs": {"{crds: {install: false}}", map[string]string{
		"CustomResourceDefinition/calendars.headstart.dev":     "removed",
		"CustomResourceDefinition/forecasts.headstart.dev":     "removed",
		"CustomResourceDefinition/peakschedules.headstart.dev": "removed",
		"CustomResourceDefinition/warmpools.headstart.dev":     "removed",
	}},
	"CRDs go too": {"{crds: {keep: false}}", removed(
		"CustomResourceDefinition/calendars.headstart.dev"+keep, "CustomResourceDefinition/forecasts.headstart.dev"+keep,
		"CustomResourceDefinition/peakschedules.headstart.dev"+keep, "CustomResourceDefinition/warmpools.headstart.dev"+keep,
	)},
	"namespace":             {"{createNamespace: true}", map[string]string{"Namespace/headstart-system": "added"}},
	"part of another chart": {"{global: {a: b}}", map[string]string{}},
}

// certManager is what every certificate by cert-manager changes.
var certManager = map[string]string{
	"Certificate/headstart-system/headstart": "added",
	"APIService/v1beta1.external.metrics.k8s.io metadata.annotations." +
		"cert-manager.io/inject-ca-from": "headstart-system/headstart",
	container + "args.8":                     "--tls-cert-file=/etc/headstart-certificate/tls.crt",
	container + "args.9":                     "--tls-private-key-file=/etc/headstart-certificate/tls.key",
	container + "args.10":                    "--inject-ca=false",
	container + "volumeMounts.2.name":        "certificate",
	container + "volumeMounts.2.mountPath":   "/etc/headstart-certificate",
	container + "volumeMounts.2.readOnly":    "true",
	pod + "spec.volumes.2.name":              "certificate",
	pod + "spec.volumes.2.secret.secretName": "headstart-certificate",
}

// with returns both.
func with(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

const (
	digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	spread = pod + "spec.topologySpreadConstraints."
	keep   = " metadata.annotations.helm.sh/resource-policy"
)

func removed(paths ...string) map[string]string {
	m := map[string]string{}
	for _, p := range paths {
		m[p] = "removed"
	}
	return m
}

func TestChartValues(t *testing.T) {
	defaults, err := template(t, "headstart-system", "{}")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range chartValues {
		t.Run(name, func(t *testing.T) {
			objects, err := template(t, "headstart-system", tc.values)
			if err != nil {
				t.Fatal(err)
			}
			got := changes(defaults, objects)
			if got[checksum] != "" {
				got[checksum] = "changed" // Helm computes it
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s changes (-want +got):\n%s", tc.values, diff)
			}
		})
	}
}

// TestChartMonitoringValues tests values of objects that the defaults do not render.
func TestChartMonitoringValues(t *testing.T) {
	const on = "{monitoring: {serviceMonitor: {enabled: true}, alerts: {enabled: true}, dashboard: {enabled: true}}}"
	before, err := template(t, "headstart-system", on)
	if err != nil {
		t.Fatal(err)
	}
	after, err := template(t, "headstart-system", monitoringValues)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ServiceMonitor/headstart-system/headstart metadata.labels.release":      "a",
		"ServiceMonitor/headstart-system/headstart spec.endpoints.0.interval":    "15s",
		"PrometheusRule/headstart-system/headstart metadata.labels.release":      "b",
		"ConfigMap/headstart-system/headstart-dashboard metadata.labels.grafana": "c",
	}
	if diff := cmp.Diff(want, changes(before, after)); diff != "" {
		t.Errorf("%s changes (-want +got):\n%s", monitoringValues, diff)
	}
}

const monitoringValues = `{monitoring: {serviceMonitor: {enabled: true, labels: {release: a}, interval: 15s},
	alerts: {enabled: true, labels: {release: b}}, dashboard: {enabled: true, labels: {grafana: c}}}}`

// TestChartValuesAreComplete: a value without a default is not documented, and one without a test
// may have no effect.
func TestChartValuesAreComplete(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(read(t, chart+"/values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	known := schemaPaths("", schema)
	tested := map[string]bool{}
	for _, tc := range chartValues {
		maps.Copy(tested, valuePaths(t, tc.values, known))
	}
	maps.Copy(tested, valuePaths(t, monitoringValues, known))
	documented := valuePaths(t, string(read(t, chart+"/values.yaml")), known)
	documented["global"] = true // Helm's own
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("values.schema.json (-) and values.yaml (+) know different values:\n%s", diff)
	}
	if diff := cmp.Diff(known, tested); diff != "" {
		t.Errorf("values.schema.json (-) and the tests (+) know different values:\n%s", diff)
	}
}

// schemaPaths returns the values that a user may set: those of named properties. It does not go
// into lists and free-form maps.
func schemaPaths(at string, schema map[string]any) map[string]bool {
	properties, ok := schema["properties"].(object)
	// A value of one of Kubernetes' own types is passed on as a whole.
	if !ok || slices.Contains([]string{"resources", "affinity"}, at) {
		return map[string]bool{at: true}
	}
	paths := map[string]bool{}
	for name, p := range properties {
		maps.Copy(paths, schemaPaths(strings.TrimPrefix(at+"."+name, "."), p.(object)))
	}
	return paths
}

// valuePaths returns the paths that have a value, down to the known ones.
func valuePaths(t *testing.T, values string, known map[string]bool) map[string]bool {
	t.Helper()
	var tree object
	if err := yaml.UnmarshalStrict([]byte(values), &tree); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		m, ok := v.(object)
		if !ok || known[at] {
			paths[at] = true
			return
		}
		for name, inner := range m {
			walk(strings.TrimPrefix(at+"."+name, "."), inner)
		}
	}
	walk("", tree)
	return paths
}

// changes returns what is different in after: the new value of each path, or that it was removed.
func changes(before, after map[string]object) map[string]string {
	result := map[string]string{}
	for k := range before {
		if after[k] == nil {
			result[k] = "removed"
		}
	}
	for k, o := range after {
		if before[k] == nil {
			result[k] = "added"
			continue
		}
		was, is := map[string]string{}, map[string]string{}
		flatten(k+" ", before[k], was)
		flatten(k+" ", o, is)
		for path := range was {
			if _, ok := is[path]; !ok {
				result[path] = "removed"
			}
		}
		for path, v := range is {
			if old, ok := was[path]; !ok || old != v {
				result[path] = v
			}
		}
	}
	return result
}

// flatten returns every scalar, and every empty list or map, by its path.
func flatten(at string, v any, into map[string]string) {
	switch v := v.(type) {
	case object:
		for name, inner := range v {
			flatten(join(at, name), inner, into)
		}
		if len(v) > 0 {
			return
		}
	case []any:
		for i, inner := range v {
			flatten(join(at, fmt.Sprint(i)), inner, into)
		}
		if len(v) > 0 {
			return
		}
	}
	into[at] = fmt.Sprint(v)
}

func join(at, name string) string {
	if strings.HasSuffix(at, " ") {
		return at + name
	}
	return at + "." + name
}

// Only the CA goes to KEDA's namespace, whatever the namespaces are called.
func TestChartKEDANamespaces(t *testing.T) {
	for name, tc := range map[string]struct{ reason, release, keda string }{
		"defaults":        {"each has its own", "headstart-system", "keda"},
		"other names":     {"both are changed", "scaling", "kedacore"},
		"release in keda": {"KEDA runs elsewhere, and Headstart's own objects stay", "keda", "scaling"},
		"same":            {"they share one", "keda", "keda"},
		"name in a name":  {"text is replaced nowhere", "keda-tools", "my-keda"},
		"longer name":     {"it contains the name of the manifests", "my-headstart-system", "keda"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := template(t, tc.release, "{metricsAPIs: [], keda: {enabled: true, namespace: "+tc.keda+"}}")
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{
				"ConfigMap/" + tc.keda + "/headstart-ca": true, "Role/" + tc.keda + "/headstart-ca": true,
				"RoleBinding/" + tc.keda + "/headstart-ca":          true,
				"Service/" + tc.release + "/headstart-scaler":       true,
				"NetworkPolicy/" + tc.release + "/headstart-scaler": true,
			}
			got := map[string]bool{}
			for k := range objects {
				if strings.HasSuffix(k, "/headstart-ca") || strings.HasSuffix(k, "/headstart-scaler") {
					got[k] = true
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			for k, part := range map[string]string{
				"RoleBinding/" + tc.keda + "/headstart-ca":          `"namespace":"` + tc.release + `"`,
				"NetworkPolicy/" + tc.release + "/headstart-scaler": `"kubernetes.io/metadata.name":"` + tc.keda + `"`,
				"Deployment/" + tc.release + "/headstart":           "--external-scaler-ca-configmap=" + tc.keda + "/headstart-ca",
			} {
				text, err := json.Marshal(objects[k])
				if err != nil || !strings.Contains(string(text), part) {
					t.Errorf("%s: %s does not contain %s (%v):\n%s", tc.reason, k, part, err, text)
				}
			}
		})
	}
}
