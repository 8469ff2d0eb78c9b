package warmer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// Labels of what the warmer makes. Names of Forecasts and WarmPools can be longer than a label's value, so the labels have hashes and the
// annotation has the names.
const (
	labelRole     = "headstart.dev/role"
	labelPool     = "headstart.dev/warmpool-hash"
	labelForecast = "headstart.dev/forecast-hash"
	labelShape    = "headstart.dev/shape-hash"
	annotationFor = "headstart.dev/for"

	rolePlaceholder = "placeholder"
	rolePull        = "image-pull"
)

const (
	// deadline is after how many seconds a placeholder ends by itself. While its WarmPool is looked after a new one takes its place; otherwise this
	// is what lets its node go.
	deadline = 3600
	// burst is how many pods are made for one Forecast at one look.
	burst = 25
)

func hash(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p + "\x00")) // never fails
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

func poolHash(namespace, name string) string { return hash("pool", namespace, name) }

func forecastHash(namespace, name string) string { return hash("forecast", namespace, name) }

// placeholder is a pod of the target's shape that does nothing.
func (r *Reconciler) placeholder(pool *v1alpha1.WarmPool, fc string, t *target, index int, others metav1.LabelSelector) *corev1.Pod {
	zero, seconds, no, yes, user := int64(0), int64(deadline), false, true, int64(65534)
	requests := requestsBeside(&t.template.Spec)
	limits := corev1.ResourceList{}
	for name, q := range requests {
		if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage {
			limits[name] = q // extended resources must be limited to what is requested
		}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.opts.Namespace,
			Name:      fmt.Sprintf("hold-%s-%d", hash(pool.Namespace, pool.Name, fc, shapeHash(t)), index),
			Labels: map[string]string{
				labelRole: rolePlaceholder, labelPool: poolHash(pool.Namespace, pool.Name), labelForecast: forecastHash(pool.Namespace, fc),
				labelShape: shapeHash(t),
			},
			Annotations: map[string]string{
				annotationFor: pool.Namespace + "/" + fc + " by " + pool.Name,
				// Karpenter would take the node away before it has been of use.
				"karpenter.sh/do-not-disrupt": "true",
			},
		},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "hold", Image: r.opts.PauseImage,
				Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits},
				Env:       []corev1.EnvVar{{Name: "NVIDIA_VISIBLE_DEVICES", Value: "void"}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes, RunAsUser: &user, ReadOnlyRootFilesystem: &yes,
					Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
			}},
			RuntimeClassName:  t.template.Spec.RuntimeClassName,
			PriorityClassName: r.opts.PriorityClass, TerminationGracePeriodSeconds: &zero, ActiveDeadlineSeconds: &seconds,
			RestartPolicy: corev1.RestartPolicyAlways, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			NodeSelector: t.template.Spec.NodeSelector, Affinity: among(gather(placing(t.template.Spec.Affinity, pool.Namespace), t, pool.Namespace, others), t, pool.Namespace, others),
			TopologySpreadConstraints: spread(t, others),
			Tolerations:               t.template.Spec.Tolerations, SchedulerName: t.template.Spec.SchedulerName,
		},
	}
}

// shapeHash changes with everything about the template that a placeholder copies, and with nothing else, such as what admission is seen to add: it is of the JSON, since printed
// pointers would be other ones each time that the template is read.
func shapeHash(t *target) string {
	s := t.template.Spec
	parts := []any{
		gpuwarm.ShapeOf(&s).Requests, s.NodeSelector, s.Affinity, s.Tolerations, s.SchedulerName,
		among(nil, t, t.namespace, metav1.LabelSelector{}), spread(t, metav1.LabelSelector{}),
	}
	if together := t.togetherTerms(t.namespace); len(together) > 0 {
		parts = append(parts, together)
	}
	if class := s.RuntimeClassName; class != nil {
		parts = append(parts, "runtime class "+*class)
	}
	shape, err := json.Marshal(parts)
	if err != nil {
		shape = []byte(err.Error()) // types of the API always marshal
	}
	return hash(string(shape))
}

// requestsBeside is what a placeholder asks for beside what its runtime class adds: admission takes that from the class, and refuses any other.
func requestsBeside(of *corev1.PodSpec) corev1.ResourceList {
	spec := *of
	if spec.RuntimeClassName != nil {
		spec.Overhead = nil
	}
	requests := gpuwarm.ShapeOf(&spec).Requests
	delete(requests, corev1.ResourcePods)
	return requests
}

// hold makes the placeholders of one Forecast as many as want, and returns how many there are. Those that are of no use go first, then those that wait
// for a node, then the newest. The names are numbered, so that a stale cache makes none twice.
func (r *Reconciler) hold(ctx context.Context, l *look, fc string, t *target, have []corev1.Pod, want int) (int, error) {
	shape := ""
	if t != nil {
		shape = shapeHash(t)
	}
	slices.SortFunc(have, func(a, b corev1.Pod) int {
		return cmp.Or(
			cmp.Compare(l.rank(&a, shape), l.rank(&b, shape)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name),
		)
	})
	taken, kept := map[string]bool{}, 0
	var needless []corev1.Pod
	for i := range have {
		p := &have[i]
		if p.DeletionTimestamp != nil {
			taken[p.Name] = true
			continue
		}
		if kept < want && l.rank(p, shape) < useless {
			kept++
			taken[p.Name] = true
			continue
		}
		needless = append(needless, *p)
	}
	denied := r.dropAll(ctx, needless)
	if denied != nil {
		if slices.ContainsFunc(each(denied), func(err error) bool { return !refused(err) }) {
			return kept, denied
		}
		want -= live(needless) // as far as they stay: the next look knows
	}
	others := othersOf(forecastHash(l.pool.Namespace, fc), have)
	for i, made := 0, 0; kept < want && made < burst; i++ {
		p := r.placeholder(l.pool, fc, t, i, others)
		if taken[p.Name] {
			continue
		}
		made++
		err := r.opts.Client.Create(ctx, p)
		if apierrors.IsAlreadyExists(err) {
			continue // one that the cache does not show yet, or no more
		}
		if err != nil {
			return kept, errors.Join(denied, err)
		}
		kept++
	}
	return kept, denied
}

// ofUse is how many of the placeholders hold what is wanted, or wait to.
func (l *look) ofUse(have []corev1.Pod, shape string) int {
	n := 0
	for i := range have {
		if l.rank(&have[i], shape) < useless {
			n++
		}
	}
	return n
}

// live is how many of the pods are not gone or going.
func live(pods []corev1.Pod) int {
	n := 0
	for i := range pods {
		if alive(&pods[i]) {
			n++
		}
	}
	return n
}

// What placeholders are worth, the best first.
const (
	bound   = iota
	waiting // for a node
	useless // ended, of another shape, or on a node that takes no pods any more
)

func (l *look) rank(p *corev1.Pod, shape string) int {
	n := l.node(p.Spec.NodeName)
	switch {
	case !alive(p), p.Labels[labelShape] != shape, n != nil && n.Spec.Unschedulable:
		return useless
	case p.Spec.NodeName == "":
		return waiting
	}
	return bound
}
