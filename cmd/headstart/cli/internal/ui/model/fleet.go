package model

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// Fleet is all Forecasts, those that need attention first.
type Fleet struct {
	Rows   []Row    `json:"rows"`
	Access []Access `json:"access"`
}

// Row is one Forecast in the fleet.
type Row struct {
	// ID is NAMESPACE/NAME.
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Mode      string `json:"mode"`
	// Target is what is scaled, and Autoscaler what reads the Forecast. It is empty if nothing does.
	Target     string `json:"target"`
	Autoscaler string `json:"autoscaler,omitempty"`

	Observed *Sample `json:"observed"`
	Served   *Sample `json:"served"`
	// Planned is the value of the plan now.
	Planned *float64 `json:"planned"`
	// Capacity is the demand that one replica serves.
	Capacity *float64 `json:"capacity"`
	// Wanted is how many replicas the autoscaler wants, or the workload where there is none, and Ready
	// how many serve. Max is the most that the autoscaler may ask for.
	Wanted *int `json:"wanted"`
	Ready  *int `json:"ready"`
	Max    *int `json:"max"`

	// Lead is in seconds, and LeadSource says where it is from.
	Lead       *float64 `json:"lead"`
	LeadSource string   `json:"leadSource,omitempty"`
	Skill      *float64 `json:"skill"`
	// Skilled reports whether the forecast is served, as the condition says; nil while that is not known.
	// A skill of 0 may be served: then the last season is repeated.
	Skilled  *bool   `json:"skilled"`
	NextPeak *Window `json:"nextPeak"`

	// Attention is what is not as it should be, the worst first. Level is that of the worst.
	Attention []Issue `json:"attention"`
	Level     Level   `json:"level"`
	// Ahead is the rest of the plan, until AheadEnd, in equal steps.
	Ahead    []*float64 `json:"ahead"`
	AheadEnd int64      `json:"aheadEnd,omitempty"`
}

// Sample is a demand at a time.
type Sample struct {
	Value float64 `json:"value"`
	Time  int64   `json:"time"`
}

// Window is an occurrence of a declared peak.
type Window struct {
	Schedule string `json:"schedule"`
	Window   string `json:"window"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
	// Demand says what the window declares, in words.
	Demand string `json:"demand,omitempty"`
}

// Fleet returns all Forecasts.
func (b *Builder) Fleet(o Objects, now time.Time) Fleet {
	out := Fleet{Rows: make([]Row, len(o.Forecasts)), Access: some(o.Access)}
	beside := byNamespace(o)
	for i := range o.Forecasts {
		fc := &o.Forecasts[i]
		out.Rows[i] = b.row(fc, beside[fc.Namespace], o.Targets, now)
	}
	slices.SortFunc(out.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// row returns one Forecast with what scales it.
func (b *Builder) row(fc *v1alpha1.Forecast, beside *inNamespace, targets map[TargetKey]Target, now time.Time) Row {
	r := Row{
		ID: fc.Namespace + "/" + fc.Name, Namespace: fc.Namespace, Name: fc.Name,
		Mode:     cmp.Or(string(fc.Spec.Mode), string(v1alpha1.ForecastActive)),
		Target:   fc.Spec.TargetRef.Kind + "/" + fc.Spec.TargetRef.Name,
		Observed: sampleOf(fc.Status.Observed), Served: sampleOf(fc.Status.Served),
	}
	if c := fc.Status.CapacityPerReplica; c != nil {
		r.Capacity = number(c.Value)
	}
	if l := fc.Status.LeadTime; l != nil {
		r.LeadSource = string(l.Source)
		r.Lead = seconds(l.Value)
	}
	if m := fc.Status.Model; m != nil {
		r.Skill = decimal(m.Skill)
	}
	r.Skilled = known(fc.Status.Conditions, v1alpha1.ConditionSkilled)
	if p := fc.Status.NextPeak; p != nil && p.End.After(now) {
		r.NextPeak = &Window{Schedule: p.Schedule, Window: p.Window, From: p.Start.Unix(), To: p.End.Unix()}
	}
	r.scaling(fc, beside.autoscalers, targets)
	timeline, err := decodePlan(fc)
	r.plan(timeline, now)
	r.Ahead, r.Attention = some(r.Ahead), some(b.attention(fc, r, timeline, err, now))
	if len(r.Attention) > 0 {
		r.Level = r.Attention[0].Level
	}
	return r
}

// scaling sets what scales the target of the Forecast, and how many replicas there are.
func (r *Row) scaling(fc *v1alpha1.Forecast, all planner.Autoscalers, targets map[TargetKey]Target) {
	ref := fc.Spec.TargetRef
	scaling := planner.ReadAutoscalers(all, fc, planner.DefaultSync)
	if scaling.Kind != "" {
		r.Autoscaler = scaling.Who()
	}
	if hpa := hpaOf(fc, scaling.HPA, all.HPAs); hpa != nil {
		most := int(hpa.Spec.MaxReplicas)
		r.Max = &most
		if hpa.Status.LastScaleTime != nil || hpa.Status.DesiredReplicas > 0 {
			wanted := int(hpa.Status.DesiredReplicas)
			r.Wanted = &wanted
		}
		if r.Capacity == nil && scaling.Capacity > 0 {
			r.Capacity = &scaling.Capacity
		}
	}
	target, ok := targets[TargetKey{fc.Namespace, ref.APIVersion, ref.Kind, ref.Name}]
	if !ok {
		return
	}
	if target.Ready >= 0 {
		r.Ready = &target.Ready
	}
	if r.Wanted == nil && target.Wanted >= 0 {
		r.Wanted = &target.Wanted
	}
}

// hpaOf returns the HPA that reads the Forecast, or else the one on its target.
func hpaOf(
	fc *v1alpha1.Forecast, name string, all []autoscalingv2.HorizontalPodAutoscaler,
) *autoscalingv2.HorizontalPodAutoscaler {
	var found *autoscalingv2.HorizontalPodAutoscaler
	for i := range all {
		ref, want := all[i].Spec.ScaleTargetRef, fc.Spec.TargetRef
		switch {
		case name != "" && all[i].Name == name:
			return &all[i]
		case ref.Kind == want.Kind && ref.Name == want.Name && (found == nil || all[i].Name < found.Name):
			found = &all[i]
		}
	}
	return found
}

// aheadSteps is the number of parts of a plan in Row.Ahead.
const aheadSteps = 48

// plan sets what the plan says about now and later.
func (r *Row) plan(p *plan.Plan, now time.Time) {
	if p == nil || !p.End().After(now) {
		return
	}
	if v, ok := p.At(now); ok {
		r.Planned = finite(v)
	}
	r.AheadEnd = p.End().Unix()
	r.Ahead = ahead(p, now)
}

// ahead returns the largest values of the plan in equal parts of it, from the part that has the
// time now on. The parts do not move with the time, so a row changes only with its plan.
func ahead(p *plan.Plan, now time.Time) []*float64 {
	step := p.End().Sub(p.Start) / aheadSteps
	if step <= 0 {
		return nil
	}
	var out []*float64
	for i := max(0, int(now.Sub(p.Start)/step)); i < aheadSteps; i++ {
		begin := p.Start.Add(time.Duration(i) * step)
		var largest *float64
		if v, ok := p.Max(begin, begin.Add(step-1)); ok {
			largest = rounded(v)
		}
		out = append(out, largest)
	}
	return out
}

// decodePlan returns the plan in the status; nil if there is none. The error says why it cannot be
// read.
func decodePlan(fc *v1alpha1.Forecast) (*plan.Plan, error) {
	if fc.Status.Plan == nil {
		return nil, nil //nolint:nilnil // no plan is no error
	}
	p, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		return nil, err
	}
	return &p, nil
}

func sampleOf(s *v1alpha1.Sample) *Sample {
	if s == nil {
		return nil
	}
	return &Sample{Value: s.Value.AsApproximateFloat64(), Time: s.Time.Unix()}
}

// known returns the status of a condition; nil while it is not known.
func known(all []metav1.Condition, condition string) *bool {
	c := meta.FindStatusCondition(all, condition)
	if c == nil || c.Status != metav1.ConditionTrue && c.Status != metav1.ConditionFalse {
		return nil
	}
	is := c.Status == metav1.ConditionTrue
	return &is
}

func number(q resource.Quantity) *float64 { return finite(q.AsApproximateFloat64()) }

// finite returns a number, or nil for one that JSON does not have.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// rounded returns a number with four significant digits, as plans have them.
func rounded(v float64) *float64 {
	if finite(v) == nil {
		return nil
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return nil
	}
	return &r
}

func decimal(text string) *float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return finite(v)
}

func seconds(d v1alpha1.Duration) *float64 {
	parsed, err := d.Parse()
	if err != nil {
		return nil
	}
	s := parsed.Seconds()
	return &s
}

// unix returns the seconds of a time that may be missing; 0 for none.
func unix(t *metav1.Time) int64 {
	if t == nil {
		return 0
	}
	return t.Unix()
}
