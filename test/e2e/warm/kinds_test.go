package warm

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/test/controlplane"
)

// The optional APIs, in the groups, versions and fields that their projects publish, as far as the
// warmer uses them.
const (
	capacityBufferSpec = `
              podTemplateRef: {type: object, required: [name], properties: {name: {type: string}}}
              replicas: {type: integer, format: int32, minimum: 0}
              limits: {type: object, additionalProperties: {x-kubernetes-int-or-string: true}}
              provisioningStrategy: {type: string}`
	provisioningRequestSpec = `
              provisioningClassName: {type: string, maxLength: 253}
              parameters: {type: object, additionalProperties: {type: string}}
              podSets:
                type: array
                minItems: 1
                maxItems: 32
                items:
                  type: object
                  required: [count, podTemplateRef]
                  properties:
                    count: {type: integer, format: int32, minimum: 1}
                    podTemplateRef: {type: object, properties: {name: {type: string}}}`
	imagePullJobSpec = `
              image: {type: string}
              pullSecrets: {type: array, items: {type: string}}
              parallelism: {x-kubernetes-int-or-string: true}
              imagePullPolicy: {type: string}
              selector:
                type: object
                properties:
                  names: {type: array, items: {type: string}}
                  matchLabels: {type: object, additionalProperties: {type: string}}
              pullPolicy:
                type: object
                properties:
                  timeoutSeconds: {type: integer, format: int32}
                  backoffLimit: {type: integer, format: int32}
              completionPolicy:
                type: object
                properties:
                  type: {type: string}
                  activeDeadlineSeconds: {type: integer, format: int64}
                  ttlSecondsAfterFinished: {type: integer, format: int32}`
	localModelCacheSpec = `
              sourceModelUri: {type: string}
              modelSize: {x-kubernetes-int-or-string: true}
              nodeGroups: {type: array, items: {type: string}}`
	dataLoadSpec = `
              dataset: {type: object, required: [name], properties: {name: {type: string}, namespace: {type: string}}}
              loadMetadata: {type: boolean}
              policy: {type: string, enum: [Once, Cron, OnEvent]}
              target:
                type: array
                items:
                  type: object
                  required: [path]
                  properties: {path: {type: string}, replicas: {type: integer, format: int32}}`
)

// crd returns a CustomResourceDefinition with these fields in spec and no others. So the API server
// drops a misspelt field, and a test misses it.
func crd(group, version, kind, scope, spec string) string {
	plural := strings.ToLower(kind) + "s"
	return fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[4]s.%[1]s
  annotations: {api-approved.kubernetes.io: "https://github.com/kubernetes/autoscaler/pull/8151"}
spec:
  group: %[1]s
  names: {kind: %[3]s, listKind: %[3]sList, plural: %[4]s, singular: %[5]s}
  scope: %[6]s
  versions:
  - name: %[2]s
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:%[7]s
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
    subresources: {status: {}}
---
`, group, version, kind, plural, strings.ToLower(kind), scope, spec)
}

func allCRDs() string {
	return crd("autoscaling.x-k8s.io", "v1beta1", "CapacityBuffer", "Namespaced", capacityBufferSpec) +
		crd("autoscaling.x-k8s.io", "v1", "ProvisioningRequest", "Namespaced", provisioningRequestSpec) +
		crd("apps.kruise.io", "v1alpha1", "ImagePullJob", "Namespaced", imagePullJobSpec) +
		crd("serving.kserve.io", "v1alpha1", "LocalModelCache", "Cluster", localModelCacheSpec) +
		crd("data.fluid.io", "v1alpha1", "DataLoad", "Namespaced", dataLoadSpec)
}

const loadWeights = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: load-weights, namespace: shop, labels: {headstart.dev/load-weights: "true"}}
spec:
  suspend: true
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec:
      ttlSecondsAfterFinished: 1
      template:
        spec:
          restartPolicy: Never
          containers: [{name: load, image: registry.example/load:1}]
`

// kube runs kubectl in the service's namespace.
func (w *warmWorld) kube(args ...string) string {
	w.t.Helper()
	out, err := w.Kubectl(w.t.Context(), nil, append(args, "-n", namespace)...)
	w.must(err)
	return out
}

// spec merges a patch into the WarmPool's spec.
func (w *warmWorld) spec(patch string) {
	w.t.Helper()
	w.kube("patch", "warmpool", "warm", "--type=merge", "-p", `{"spec":`+patch+`}`)
}

// field returns one field of the only object of a kind, and "" if there is no object.
func (w *warmWorld) field(kind, path string) string {
	w.t.Helper()
	return w.kube("get", kind, "-o", "jsonpath={.items[*]"+path+"}")
}

// setStatus sets the status of the only object of a kind, as its controller does.
func (w *warmWorld) setStatus(kind, status string) {
	w.t.Helper()
	w.kube("patch", kind, w.field(kind, ".metadata.name"), "--subresource=status", "--type=merge", "-p",
		`{"status":`+status+`}`)
}

// Every optional API is used as its project publishes it, and its objects are deleted when they are
// no longer desired. The permissions are those of the manifests: each is used, and none is missing.
func TestWarmKinds(t *testing.T) {
	t.Parallel() // waits most of the time
	w := newWarmWorld(t, warmOptions{nodes: 6, before: allCRDs()})
	w.apply(loadWeights)
	begin := time.Now()
	w.plan(begin, repeat(6, 20*time.Minute))

	t.Run("CapacityBuffer", func(t *testing.T) {
		w := w.in(t)
		w.await("a buffer of 6", func() bool { return w.field("capacitybuffers", ".spec.replicas") == "6" })
		if w.field("podtemplates", ".metadata.name") != w.field("capacitybuffers", ".spec.podTemplateRef.name") {
			t.Error("the buffer names no PodTemplate that there is")
		}
		w.scale(2)
		w.await("two replicas are on their way", func() bool { return w.field("capacitybuffers", ".spec.replicas") == "4" })
		w.kube("set", "resources", "deployment/model", "--requests=cpu=3")
		w.await("the template follows a rollout", func() bool {
			return w.field("podtemplates", ".template.spec.containers[0].resources.requests.cpu") == "3"
		})
		w.scale(0)
	})
	t.Run("ImagePullJob", func(t *testing.T) {
		w := w.in(t)
		w.await("a job for six nodes",
			func() bool { return len(strings.Fields(w.field("imagepulljobs", ".spec.selector.names[*]"))) == 6 })
		image, policy := w.field("imagepulljobs", ".spec.image"), w.field("imagepulljobs", ".spec.completionPolicy.type")
		if image != warmImage || policy != "Always" {
			t.Errorf("the job is for %q with the policy %q", image, policy)
		}
		// A node is removed and another created while the job runs. The job is changed, and not created
		// again.
		job := w.field("imagepulljobs", ".metadata.uid")
		w.must(w.Client.CoreV1().Nodes().Delete(t.Context(), "gpu-5", metav1.DeleteOptions{}))
		capacity := controlplane.GPUNodes(1, 1).Capacity
		_, err := w.Client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "gpu-6"}, Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
		}, metav1.CreateOptions{})
		w.must(err)
		w.await("the job is for the node that came up", func() bool {
			return w.field("imagepulljobs", ".spec.selector.names[*]") == "gpu-0 gpu-1 gpu-2 gpu-3 gpu-4 gpu-6"
		})
		if now := w.field("imagepulljobs", ".metadata.uid"); now != job {
			t.Errorf("the job %s was replaced by %s", job, now)
		}
		for _, i := range []int{0, 1, 2, 3, 4, 6} {
			patch := fmt.Sprintf(`{"status":{"images":[{"names":[%q],"sizeBytes":20000000000}]}}`, warmImage)
			_, err := w.Client.CoreV1().Nodes().Patch(t.Context(), fmt.Sprint("gpu-", i), types.StrategicMergePatchType,
				[]byte(patch), metav1.PatchOptions{}, "status")
			w.must(err)
		}
		w.await("all nodes have the image, and the job is gone", func() bool {
			return w.status().reason("ImagesWarm") == "True AsPlanned" && w.field("imagepulljobs", ".metadata.name") == ""
		})
	})
	t.Run("Weights", func(t *testing.T) {
		w := w.in(t)
		weights := func(by string) { w.spec(`{"weights":[{"forecast":"model","lead":"1m",` + by + `}]}`) }
		weights(`"dataLoad":{"dataset":"llama","paths":["/70b"]}`)
		w.await("a DataLoad", func() bool {
			spec := w.field("dataloads", ".spec.dataset.name") + w.field("dataloads", ".spec.target[0].path") +
				w.field("dataloads", ".spec.policy")
			return spec == "llama/70bOnce"
		})
		w.setStatus("dataloads", `{"phase":"Complete"}`)
		w.await("its weights are warm", func() bool { return w.status().reason("WeightsWarm") == "True AsPlanned" })
		weights(`"cronJob":"load-weights"`)
		w.await("a Job has run, and the DataLoad is gone", func() bool {
			s := w.status()
			return s.reason("WeightsWarm") == "True AsPlanned" && s.Forecasts[0].WeightsBy == "Job" &&
				w.field("dataloads", ".metadata.name") == "" && w.field("jobs", ".status.succeeded") == "1"
		})
		weights(`"localModelCache":"llama"`)
		w.await("a missing cache is reported", func() bool {
			return w.status().reason("WeightsWarm") == "False LoadFails" && w.field("jobs", ".metadata.name") == ""
		})
		w.apply(`{apiVersion: serving.kserve.io/v1alpha1, kind: LocalModelCache, metadata: {name: llama},
			spec: {sourceModelUri: "hf://llama", modelSize: 1Gi, nodeGroups: [gpu]}}`)
		w.setStatus("localmodelcaches", `{"copies":{"total":6,"available":6},"nodeStatus":{"gpu-0":"NodeDownloaded"}}`)
		w.await("a cache that is full is warm", func() bool { return w.status().reason("WeightsWarm") == "True AsPlanned" })
		_, err := w.Kubectl(t.Context(), nil, "delete", "crd", "localmodelcaches.serving.kserve.io")
		w.must(err)
		w.await("an API that is gone is reported, and not the cache",
			func() bool { return w.status().reason("WeightsWarm") == "False MissingAPI" })
	})
	t.Run("ProvisioningRequest", func(t *testing.T) {
		w := w.in(t)
		w.spec(`{"nodes":{"policy":"ProvisioningRequest"}}`)
		w.await("one request for all six, and no buffer", func() bool {
			return w.field("provisioningrequests", ".spec.podSets[0].count") == "6" &&
				w.field("capacitybuffers", ".metadata.name") == ""
		})
		w.setStatus("provisioningrequests",
			`{"conditions":[{"type":"Failed","status":"True","reason":"CapacityIsNotFound","message":"none left",`+
				`"lastTransitionTime":"2026-01-01T00:00:00Z"}]}`)
		w.await("its failure is reported", func() bool { return w.status().reason("NodesWarm") == "False NotProvisioned" })
	})
	t.Run("Fallback", func(t *testing.T) {
		w := w.in(t)
		w.spec(`{"nodes":{"policy":"Placeholders"},"images":{"policy":"Pods"},"weights":[]}`)
		w.await("six placeholders, and no request", func() bool {
			all, _ := w.placeholders()
			return all == 6 && w.field("provisioningrequests", ".metadata.name") == "" &&
				w.field("podtemplates", ".metadata.name") == ""
		})
		// A quota on CPU and memory rejects pods without requests for them.
		w.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: tight, namespace: shop},
			spec: {hard: {requests.cpu: "1", limits.cpu: "1", requests.memory: 1Gi, limits.memory: 1Gi}}}`)
		w.await("the quota is in force", func() bool { return w.field("resourcequotas", ".status.hard.limits\\.cpu") == "1" })
		_, err := w.Client.CoreV1().Nodes().Patch(t.Context(), "gpu-0", types.StrategicMergePatchType,
			[]byte(`{"status":{"images":null}}`), metav1.PatchOptions{}, "status")
		w.must(err)
		w.await("a pod pulls onto the node that lost the image",
			func() bool { return len(w.pods(namespace, "headstart.dev/role=image-pull")) == 1 })
		// No nodes are held for replicas that the quota would reject.
		w.await("the quota bounds what is held", func() bool {
			all, _ := w.placeholders()
			return all == 0 && w.status().reason("NodesWarm") == "False Limited"
		})
		w.kube("delete", "resourcequota", "tight")
	})
	t.Run("DryRun", func(t *testing.T) {
		w := w.in(t)
		w.spec(`{"mode":"DryRun"}`)
		w.await("nothing is held, and status says what would be", func() bool {
			all, _ := w.placeholders()
			s := w.status()
			return all == 0 && len(w.pods(namespace, "headstart.dev/role=image-pull")) == 0 &&
				s.reason("NodesWarm") == "False DryRun" && s.Forecasts[0].Hold == 6
		})
	})
	t.Run("Rights", func(t *testing.T) { w.in(t).checkRights(begin) })
}

// checkRights compares the requests with the permissions that the component for warming grants.
// Each verb must be used, and none may be missing.
func (w *warmWorld) checkRights(begin time.Time) {
	used := map[string]bool{}
	for _, a := range w.proxy.since(begin.Add(-time.Minute)) {
		scope := ""
		if a.namespace == warmNamespace {
			scope = warmNamespace
		}
		used[strings.Join([]string{scope, a.verb, a.group, a.resource}, " ")] = true
		if a.status == 403 && !strings.Contains(a.body, "exceeded quota") {
			w.t.Errorf("%s of %s in %q was denied: %s", a.verb, a.resource, a.namespace, a.body)
		}
	}
	data, err := os.ReadFile(filepath.Join(env.layout.Root, "manifests/components/warm/rbac.yaml"))
	w.must(err)
	for doc := range strings.SplitSeq(string(data), "\n---\n") {
		var role rbacv1.ClusterRole
		w.must(yaml.Unmarshal([]byte(doc), &role))
		if role.Kind != "ClusterRole" && role.Kind != "Role" {
			continue
		}
		for _, rule := range role.Rules {
			for _, verb := range rule.Verbs {
				for _, resource := range rule.Resources {
					if resource == "warmpools/finalizers" {
						continue // admission checks it, and no request names it
					}
					if !used[strings.Join([]string{role.Namespace, verb, rule.APIGroups[0], resource}, " ")] {
						w.t.Errorf("%s grants %s on %s, which is not used", role.Kind, verb, resource)
					}
				}
				if verb == "*" || slices.Contains(rule.Resources, "*") {
					w.t.Errorf("%s grants *", role.Kind)
				}
			}
		}
	}
}
