package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
)

// Forecast has the parts of a Forecast that the demo and the tests read.
type Forecast struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Status   struct {
		Conditions []metav1.Condition `json:"conditions"`
		Observed   *Sample            `json:"observed"`
		Served     *Sample            `json:"served"`
		LeadTime   *struct {
			Value  string `json:"value"`
			Source string `json:"source"`
			Starts int    `json:"starts"`
		} `json:"leadTime"`
		Model *struct {
			Points  int      `json:"points"`
			Periods []string `json:"periods"`
			Skill   string   `json:"skill"`
		} `json:"model"`
		NextPeak *struct {
			Window string      `json:"window"`
			Start  metav1.Time `json:"start"`
			End    metav1.Time `json:"end"`
		} `json:"nextPeak"`
		CapacityPerReplica *struct {
			Value  resource.Quantity `json:"value"`
			Source string            `json:"source"`
		} `json:"capacityPerReplica"`
		Plan *Plan `json:"plan"`
	} `json:"status"`
}

// Sample is a value at an instant.
type Sample struct {
	Value resource.Quantity `json:"value"`
	Time  metav1.Time       `json:"time"`
}

// Plan is the timeline of demand to provision for.
type Plan struct {
	ComputedAt metav1.Time `json:"computedAt"`
	Start      metav1.Time `json:"start"`
	End        metav1.Time `json:"end"`
	Segments   []struct {
		Step   string `json:"step"`
		Values string `json:"values"`
	} `json:"segments"`
}

// At returns the planned demand at an instant, and false outside of the plan.
func (p *Plan) At(t time.Time) (float64, bool) {
	if p == nil || t.Before(p.Start.Time) || !t.Before(p.End.Time) {
		return 0, false
	}
	at := p.Start.Time
	for _, s := range p.Segments {
		step, err := model.ParseDuration(s.Step)
		if err != nil || step == 0 {
			return 0, false
		}
		values := strings.Fields(s.Values)
		if i := int(t.Sub(at) / time.Duration(step)); i < len(values) {
			v, err := strconv.ParseFloat(values[i], 64)
			return v, err == nil
		}
		at = at.Add(time.Duration(len(values)) * time.Duration(step))
	}
	return 0, false
}

// Condition returns the condition of a type. If there is none, its status is Unknown.
func (f *Forecast) Condition(kind string) metav1.Condition {
	for _, c := range f.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: "NotSet"}
}

// GetForecast reads a Forecast.
func GetForecast(ctx context.Context, c *controlplane.ControlPlane, namespace, name string) (*Forecast, error) {
	body, err := c.Client.Discovery().RESTClient().Get().
		AbsPath("/apis/headstart.dev/v1alpha1/namespaces", namespace, "forecasts", name).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read forecast %s/%s: %w", namespace, name, err)
	}
	var f Forecast
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("read forecast %s/%s: %w", namespace, name, err)
	}
	return &f, nil
}

// AwaitForecast polls a Forecast until ok returns true, for at most the deadline. The error has the
// last conditions.
func AwaitForecast(ctx context.Context, c *controlplane.ControlPlane, namespace, name string, deadline time.Duration,
	ok func(*Forecast) bool,
) (*Forecast, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	why := "not read"
	for {
		f, err := GetForecast(ctx, c, namespace, name)
		if err == nil {
			if ok(f) {
				return f, nil
			}
			why = ""
			for _, c := range f.Status.Conditions {
				why += fmt.Sprintf("\n  %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
			}
		} else if ctx.Err() == nil {
			why = err.Error()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("forecast %s/%s is not as wanted after %s: %s", namespace, name, deadline, why)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Ready reports whether the condition Ready of a Forecast is True.
func Ready(f *Forecast) bool { return f.Condition("Ready").Status == metav1.ConditionTrue }
