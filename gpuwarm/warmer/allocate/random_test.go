package allocate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

const gpu = "nvidia.com/gpu"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// generator makes random snapshots of a namespace with up to five Forecasts of three targets.
type generator struct {
	*rand.Rand
	forger *rand.Rand
	pods   int
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), forger: rand.New(rand.NewPCG(seed, 2))}
}

// isForged reports whether the next pod is one that another tenant made to look like Headstart's.
func (g *generator) isForged() bool { return g.forger.IntN(100) < 20 }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// shapeKey tells targets apart by how many GPUs their replicas take.
func shapeKey(t *Target) string {
	q := t.Template.Spec.Containers[0].Resources.Limits[gpu]
	return "gpus-" + q.String()
}

// snapshot returns a random snapshot, and what is remembered from the look before.
func (g *generator) snapshot() (*Snapshot, Memory) {
	s := &Snapshot{
		Now: now, Namespace: "headstart-warm", Selector: labels.SelectorFromSet(labels.Set{"warm": "yes"}),
		Workloads: map[string]Workload{}, HPAs: map[string]Bound{}, Requests: map[string]Request{},
		CapacityBuffers: API{Served: g.chance(40)}, ProvisioningRequests: API{Served: g.chance(70)},
		ImagePullJobs: API{Served: g.chance(30)},
	}
	s.Pool = g.pool("warm", "yes")
	s.Pools = []v1alpha1.WarmPool{*s.Pool}
	if g.chance(25) {
		s.Pools = append(s.Pools, *g.pool("other", pick(g, "yes", "no")))
	}
	templates := map[string]*corev1.PodTemplateSpec{}
	for _, target := range []string{"a", "b", "c"} {
		templates[target] = g.template(target)
	}
	for i := range 1 + g.IntN(5) {
		fc := g.forecast(fmt.Sprint("forecast-", i))
		s.Forecasts = append(s.Forecasts, *fc)
		w := Workload{Template: templates[fc.Spec.TargetRef.Name], Selector: &metav1.LabelSelector{
			MatchLabels: map[string]string{"app": fc.Spec.TargetRef.Name},
		}}
		switch {
		case g.chance(8):
			w = Workload{Err: errors.New("away")}
		case g.chance(5):
			w = Workload{Ineligible: "it has volumes"}
		}
		s.Workloads[fc.Name] = w
	}
	for i := range g.IntN(5) {
		s.Nodes = append(s.Nodes, *g.node(fmt.Sprint("node-", i)))
	}
	for range g.IntN(12) {
		s.Pods = append(s.Pods, *g.pod(s, templates))
	}
	if g.chance(20) {
		s.Quotas = []corev1.ResourceQuota{{Status: corev1.ResourceQuotaStatus{
			Hard: corev1.ResourceList{"requests." + gpu: *resource.NewQuantity(int64(g.IntN(8)), resource.DecimalSI)},
		}}}
	}
	return s, g.memory(s, templates)
}

func (g *generator) pool(name, label string) *v1alpha1.WarmPool {
	p := &v1alpha1.WarmPool{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID(name),
		CreationTimestamp: metav1.NewTime(now.Add(-time.Duration(g.IntN(3)) * time.Hour)),
	}}
	p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": label}
	p.Spec.Mode = v1alpha1.WarmPoolActive
	if g.chance(10) {
		p.Spec.Mode = v1alpha1.WarmPoolDryRun
	}
	p.Spec.Nodes.Lead, p.Spec.Images.Lead = "3m", "2m"
	p.Spec.Nodes.Policy = pick(g, v1alpha1.WarmNodesAuto, v1alpha1.WarmNodesPlaceholders, v1alpha1.WarmNodesPlaceholders,
		v1alpha1.WarmNodesCapacityBuffer, v1alpha1.WarmNodesProvisioningRequest, v1alpha1.WarmNodesOff)
	p.Spec.Images.Policy = pick(g, v1alpha1.WarmImagesAuto, v1alpha1.WarmImagesPods, v1alpha1.WarmImagesOff)
	if g.chance(60) {
		p.Spec.Limits = map[string]resource.Quantity{
			pick(g, gpu, gpu, "pods", "cpu"): *resource.NewQuantity(int64(g.IntN(8)), resource.DecimalSI),
		}
	}
	if p.Spec.Limits == nil {
		p.Spec.Limits = map[string]resource.Quantity{"pods": resource.MustParse("1000")}
	}
	if g.chance(20) {
		p.Spec.Nodes.Capacity = map[string]resource.Quantity{
			gpu: *resource.NewQuantity(int64(g.IntN(8)), resource.DecimalSI),
		}
	}
	if g.chance(20) {
		p.Spec.Weights = []v1alpha1.WarmWeights{{Forecast: "forecast-0", CronJob: "load"}}
	}
	if g.chance(50) {
		p.Status.Forecasts = []v1alpha1.WarmForecast{{Name: "forecast-1", NodesBy: "Placeholders"}}
	}
	return p
}

func (g *generator) template(app string) *corev1.PodTemplateSpec {
	t := &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}}}
	t.Spec.Containers = []corev1.Container{{
		Name: "server", Image: "registry.example/" + pick(g, "one", "two") + ":1",
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("1")},
			Limits:   corev1.ResourceList{gpu: *resource.NewQuantity(int64(1+g.IntN(2)), resource.DecimalSI)},
		},
	}}
	if g.chance(15) {
		t.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}}
	}
	return t
}

func (g *generator) forecast(name string) *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, Labels: map[string]string{"warm": pick(g, "yes", "yes", "yes", "no")},
	}}
	fc.Spec.Mode = v1alpha1.ForecastActive
	if g.chance(15) {
		fc.Spec.Mode = v1alpha1.ForecastPaused
	}
	fc.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: pick(g, "a", "b", "c")}
	fc.Status.CapacityPerReplica = &v1alpha1.CapacityStatus{Value: resource.MustParse("10"), Source: "Spec"}
	values := make([]string, 10)
	level := 1 + g.IntN(5)
	for i := range values {
		if g.chance(20) {
			level = g.IntN(6)
		}
		values[i] = fmt.Sprint(10 * level)
	}
	fc.Status.Plan = &v1alpha1.Plan{Start: metav1.NewTime(now), Segments: []v1alpha1.PlanSegment{{
		Step: "1m", Values: strings.Join(values, " "),
	}}}
	if g.chance(5) {
		fc.Status.Plan = nil
	}
	return fc
}

func (g *generator) node(name string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Allocatable = corev1.ResourceList{
		"cpu": resource.MustParse("8"), "pods": resource.MustParse("20"),
		gpu: *resource.NewQuantity(int64(g.IntN(4)), resource.DecimalSI),
	}
	n.Spec.Unschedulable = g.chance(10)
	ready := corev1.ConditionTrue
	if g.chance(10) {
		ready = corev1.ConditionFalse
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	if g.chance(40) {
		n.Status.Images = []corev1.ContainerImage{{Names: []string{"registry.example/one:1"}}}
	}
	return n
}

// pod returns a replica, a placeholder or a pull pod. Placeholders and pulls can be for a Forecast
// that is gone.
func (g *generator) pod(s *Snapshot, templates map[string]*corev1.PodTemplateSpec) *corev1.Pod {
	g.pods++
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: fmt.Sprint("pod-", g.pods), UID: types.UID(fmt.Sprint("uid-", g.pods)),
		CreationTimestamp: metav1.NewTime(now.Add(-time.Duration(g.IntN(100)) * time.Second)),
	}}
	app := pick(g, "a", "b", "c")
	p.Spec = *templates[app].Spec.DeepCopy()
	if len(s.Nodes) > 0 && g.chance(60) {
		p.Spec.NodeName = s.Nodes[g.IntN(len(s.Nodes))].Name
	}
	if g.chance(10) {
		p.Status.Phase = corev1.PodFailed
	}
	forecast := fmt.Sprint("forecast-", g.IntN(7))
	switch g.IntN(3) {
	case 0:
		p.Labels = map[string]string{"app": app}
	case 1:
		g.asPlaceholder(p, forecast, app, templates)
	case 2:
		if g.isForged() {
			p.Namespace = "other"
		}
		image := p.Spec.Containers[0].Image
		p.Labels = map[string]string{
			names.LabelRole: names.RolePull, names.LabelPool: names.Pool("shop", "warm"),
			names.LabelForecast: names.Forecast("shop", forecast), names.LabelImage: names.Hash(image),
			names.LabelNode: names.Hash(fmt.Sprint("node-", g.IntN(5))),
		}
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(s.Pool,
			v1alpha1.GroupVersion.WithKind("WarmPool"))}
		p.Spec.Containers = []corev1.Container{{Name: names.PullContainer, Image: image}}
	}
	return p
}

func (g *generator) asPlaceholder(
	p *corev1.Pod, forecast, app string, templates map[string]*corev1.PodTemplateSpec,
) {
	t := &Target{Template: *templates[app]}
	of := names.Owner{Namespace: "shop", Pool: pick(g, "warm", "warm", "other"), Forecast: forecast}
	p.Labels = map[string]string{
		names.LabelRole: names.RolePlaceholder, names.LabelPool: names.Pool("shop", of.Pool),
		names.LabelForecast: of.Key(), names.LabelShape: shapeKey(t),
	}
	p.Annotations = map[string]string{names.AnnotationFor: of.String()}
	p.Namespace = "headstart-warm"
	if g.isForged() {
		p.Namespace = "other"
	}
	p.Spec.Containers = []corev1.Container{{Name: "hold", Resources: corev1.ResourceRequirements{
		Requests: gpuwarm.ShapeOf(&t.Template.Spec).Requests,
	}}}
	delete(p.Spec.Containers[0].Resources.Requests, corev1.ResourcePods)
}

// memory returns what may be remembered of the Forecasts, and adds what asks the cluster's
// autoscaler for nodes.
func (g *generator) memory(s *Snapshot, templates map[string]*corev1.PodTemplateSpec) Memory {
	m := Memory{Forecasts: map[string]Remembered{}, Errors: &gpuwarm.ForecastErrors{}}
	by := pick(g, "Placeholders", "CapacityBuffer")
	for i := range 7 {
		name := fmt.Sprint("forecast-", i)
		hold := g.IntN(4)
		if g.chance(50) {
			m.Forecasts[name] = Remembered{Status: v1alpha1.WarmForecast{Name: name, NodesBy: by, Hold: int32(hold)}}
		}
		if by == "CapacityBuffer" && g.chance(40) {
			r := Request{Replicas: hold, Template: templates[pick(g, "a", "b", "c")]}
			at := slices.IndexFunc(s.Forecasts, func(fc v1alpha1.Forecast) bool { return fc.Name == name })
			if at >= 0 {
				r.Template = templates[s.Forecasts[at].Spec.TargetRef.Name]
			}
			s.Requests[names.Forecast("shop", name)] = r
		}
	}
	return m
}
