package manifests_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const repository = "../.."

// overlays that a user may apply, with the API groups that each claims.
var overlays = map[string][]string{
	"manifests/overlays/external-metrics": {"external.metrics.k8s.io"},
	"manifests/overlays/custom-metrics":   {"custom.metrics.k8s.io"},
	"manifests/overlays/both":             {"custom.metrics.k8s.io", "external.metrics.k8s.io"},
	"manifests/overlays/keda":             nil,
}

func TestOverlays(t *testing.T) {
	present, err := filepath.Glob(repository + "/manifests/overlays/*")
	if err != nil || len(present) != len(overlays) {
		t.Fatalf("manifests/overlays has %q (error %v): test each of them", present, err)
	}
	for dir, groups := range overlays {
		t.Run(dir, func(t *testing.T) {
			objects := render(t, dir)
			var claimed, flags []string
			for _, obj := range objects {
				checkNamespace(t, obj)
				checkWildcards(t, obj)
				switch obj := obj.(type) {
				case *appsv1.Deployment:
					checkRestricted(t, obj)
					flags = obj.Spec.Template.Spec.Containers[0].Args
				case *apiregistrationv1.APIService:
					claimed = append(claimed, obj.Spec.Group)
					checkAPIService(t, obj)
				}
			}
			slices.Sort(claimed)
			if diff := cmp.Diff(groups, claimed); diff != "" {
				t.Errorf("claimed API groups (-want +got):\n%s", diff)
			}
			for _, group := range []string{"external", "custom"} {
				want := slices.Contains(groups, group+".metrics.k8s.io")
				if got := slices.Contains(flags, "--"+group+"-metrics"); got != want {
					t.Errorf("serve has --%s-metrics: %t, want %t as the group is claimed", group, got, want)
				}
			}
		})
	}
}

// TestWarm adds the component for warming to an overlay, as docs/install.md says.
func TestWarm(t *testing.T) {
	dir := together(t, []string{"overlays/both"}, []string{"components/warm", "components/warm-all-namespaces"})
	warms := false
	var everywhere []string // roles that are bound in all namespaces
	for _, obj := range render(t, dir) {
		checkNamespace(t, obj)
		checkWildcards(t, obj)
		if d, ok := obj.(*appsv1.Deployment); ok {
			checkRestricted(t, d)
			warms = slices.Contains(d.Spec.Template.Spec.Containers[0].Args, "--warm-pools")
		}
		if b, ok := obj.(*rbacv1.ClusterRoleBinding); ok && strings.HasPrefix(b.Name, "headstart-warm") {
			everywhere = append(everywhere, b.RoleRef.Name)
		}
	}
	if !warms {
		t.Error("serve is started without --warm-pools")
	}
	if diff := cmp.Diff([]string{"headstart-warm", "headstart-warm-namespace"}, everywhere); diff != "" {
		t.Errorf("bound for all namespaces (-want +got):\n%s", diff)
	}
}

// together writes a kustomization of resources and components, both below manifests, and returns
// its folder, relative to the repository.
func together(t *testing.T, resources, components []string) string {
	t.Helper()
	// Kustomize accepts relative paths only, and does not follow links on the way.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	up, err := filepath.Rel(dir, root)
	if err != nil {
		t.Fatal(err)
	}
	down, err := filepath.Rel(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for field, paths := range map[string][]string{"resources": resources, "components": components} {
		fmt.Fprintf(&text, "%s:\n", field)
		for _, path := range paths {
			fmt.Fprintf(&text, "- %s/manifests/%s\n", up, path)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return down
}

// TestWarmIsNamespaced: an account that may create pods in all namespaces may do nearly anything.
// So that permission is granted in named namespaces only.
func TestWarmIsNamespaced(t *testing.T) {
	data, err := os.ReadFile(repository + "/manifests/components/warm/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	bound := map[string]bool{}
	roles := map[string][]rbacv1.PolicyRule{}
	for doc := range strings.SplitSeq(string(data), "\n---\n") {
		var o rbacv1.ClusterRole
		var b rbacv1.ClusterRoleBinding
		if err := errors.Join(yaml.Unmarshal([]byte(doc), &o), yaml.Unmarshal([]byte(doc), &b)); err != nil {
			t.Fatal(err)
		}
		switch o.Kind {
		case "ClusterRole":
			roles[o.Name] = o.Rules
		case "ClusterRoleBinding":
			bound[b.RoleRef.Name] = true
		}
	}
	if len(roles["headstart-warm-namespace"]) == 0 || bound["headstart-warm-namespace"] {
		t.Errorf("headstart-warm-namespace is to be there for RoleBindings: %v, bound: %v", roles, bound)
	}
	for name := range bound {
		for _, rule := range roles[name] {
			if !slices.Equal(rule.Resources, []string{"localmodelcaches"}) {
				t.Errorf("%s grants %v on %v in all namespaces", name, rule.Verbs, rule.Resources)
			}
		}
	}
}

// TestBaseClaimsNothing: a claim takes over every HPA that reads the group.
func TestBaseClaimsNothing(t *testing.T) {
	for _, dir := range []string{"manifests/base", "manifests/prepare"} {
		for _, obj := range render(t, dir) {
			switch obj := obj.(type) {
			case *apiregistrationv1.APIService:
				t.Errorf("%s claims %s", dir, obj.Spec.Group)
			case *rbacv1.ClusterRole:
				for _, rule := range obj.Rules {
					if slices.Contains(rule.APIGroups, apiregistrationv1.GroupName) {
						t.Errorf("%s: %s may touch APIServices without having claimed a group", dir, obj.Name)
					}
				}
			}
		}
	}
}

// TestPrepareGuards: the guard must be bound before any claim.
func TestPrepareGuards(t *testing.T) {
	var crds, policies, bindings int
	for _, obj := range render(t, "manifests/prepare") {
		switch obj.(type) {
		case *apiextensionsv1.CustomResourceDefinition:
			crds++
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			policies++
		case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
			bindings++
		}
	}
	if crds != 4 || policies != 1 || bindings != 1 {
		t.Errorf("manifests/prepare has %d CRDs, %d policies, %d bindings; want 4, 1, 1", crds, policies, bindings)
	}
}

// render builds a kustomization and decodes every object strictly.
func render(t *testing.T, dir string) []runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientscheme.AddToScheme, apiextensionsv1.AddToScheme,
		apiregistrationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []runtime.Object
	for _, resource := range build(t, dir).Resources() {
		data, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		obj, _, err := decoder.Decode(data, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", resource.CurId(), err)
			continue
		}
		objects = append(objects, obj)
	}
	return objects
}

// build renders a kustomization. Its folder is relative to the repository.
func build(t *testing.T, dir string) resmap.ResMap {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(),
		filepath.Join(repository, dir))
	if err != nil {
		t.Fatalf("kustomize build %s: %v", dir, err)
	}
	return built
}

// checkNamespace checks that every namespaced object is in a namespace of Headstart, except the one
// that must be elsewhere.
func checkNamespace(t *testing.T, obj runtime.Object) {
	t.Helper()
	o, err := meta.Accessor(obj)
	if err != nil {
		t.Fatal(err)
	}
	switch ns := o.GetNamespace(); {
	case ns == "" || ns == "headstart-system" || ns == "headstart-warm":
	case ns == "kube-system" && o.GetName() == "headstart-auth-reader":
	case ns == "keda" && o.GetName() == "headstart-ca":
	default:
		t.Errorf("%T %s is in namespace %s", obj, o.GetName(), ns)
	}
}

// checkWildcards looks for * in RBAC rules. Everything that the server needs has a name.
func checkWildcards(t *testing.T, obj runtime.Object) {
	t.Helper()
	var rules []rbacv1.PolicyRule
	switch obj := obj.(type) {
	case *rbacv1.ClusterRole:
		rules = obj.Rules
	case *rbacv1.Role:
		rules = obj.Rules
	}
	for _, rule := range rules {
		for _, s := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs,
			rule.ResourceNames) {
			if strings.Contains(s, "*") {
				t.Errorf("%T has a wildcard in %v", obj, rule)
			}
		}
	}
}

// checkRestricted checks the pods with the API server's own evaluator of the Pod Security Standard
// "restricted", and with rules that are stricter.
func checkRestricted(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, &d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec) {
		if !result.Allowed {
			t.Errorf("pod security: %s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("container %s can write to its root file system", c.Name)
		}
		if c.ReadinessProbe == nil || c.LivenessProbe == nil || c.StartupProbe == nil {
			t.Errorf("container %s has no probe", c.Name)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("container %s has no CPU request or no memory limit", c.Name)
		}
	}
}

// checkAPIService checks that the API server verifies certificates from the start.
func checkAPIService(t *testing.T, a *apiregistrationv1.APIService) {
	t.Helper()
	if a.Spec.InsecureSkipTLSVerify {
		t.Errorf("%s does not check the server's certificate", a.Name)
	}
	if a.Spec.Service == nil || a.Spec.Service.Namespace != "headstart-system" || a.Spec.Service.Name != "headstart" {
		t.Errorf("%s goes to %v", a.Name, a.Spec.Service)
	}
}

// TestServeKnowsTheFlags: with an unknown flag the pods do not start.
func TestServeKnowsTheFlags(t *testing.T) {
	source, err := os.ReadFile(repository + "/cmd/headstart/app/serve.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, obj := range render(t, "manifests/overlays/both") {
		d, ok := obj.(*appsv1.Deployment)
		if !ok {
			continue
		}
		for _, arg := range d.Spec.Template.Spec.Containers[0].Args[1:] {
			name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
			if !strings.Contains(string(source), `"`+name+`"`) {
				t.Errorf("headstart serve has no flag --%s", name)
			}
		}
	}
}
