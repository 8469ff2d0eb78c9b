package clusters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// maxForecasts bounds the Forecasts of one list.
	maxForecasts = 10000
	// maxElements bounds each list within a Forecast, above what the API lets it have.
	maxElements = 256
)

// remoteForecast decodes no more of a Forecast than is read. Above all it decodes no quantity: a
// server that means ill writes one in a few bytes that takes gigabytes to decode.
type remoteForecast struct{ v1alpha1.Forecast }

// DeepCopyObject implements runtime.Object.
func (r *remoteForecast) DeepCopyObject() runtime.Object {
	return &remoteForecast{Forecast: *r.Forecast.DeepCopy()}
}

// remoteList is a list of Forecasts of another cluster.
type remoteList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []remoteForecast
}

// DeepCopyObject implements runtime.Object.
func (l *remoteList) DeepCopyObject() runtime.Object {
	out := &remoteList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		out.Items = append(out.Items, remoteForecast{Forecast: *l.Items[i].Forecast.DeepCopy()})
	}
	return out
}

// few is a list of at most maxElements.
type few[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (f *few[T]) UnmarshalJSON(data []byte) error {
	return elements(data, maxElements, func(d *json.Decoder) error {
		var one T
		err := d.Decode(&one)
		*f = append(*f, one)
		return err
	})
}

// elements calls decode for each element of a list, and refuses more than most: an element of a few
// bytes may take many when it is decoded.
func elements(data []byte, most int, decode func(*json.Decoder) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	switch open, err := d.Token(); {
	case err != nil:
		return err
	case open == nil: // null
		return nil
	case open != json.Delim('['):
		return errors.New("a list was expected")
	}
	for n := 0; d.More(); n++ {
		if n == most {
			return fmt.Errorf("a list has more than %d elements", most)
		}
		if err := decode(d); err != nil {
			return err
		}
	}
	return nil
}

// wirePlan is what is read of a plan.
type wirePlan struct {
	ComputedAt metav1.Time               `json:"computedAt"`
	Start      metav1.Time               `json:"start"`
	End        metav1.Time               `json:"end"`
	Segments   few[v1alpha1.PlanSegment] `json:"segments"`
}

// wireForecast is what is read of a Forecast.
type wireForecast struct {
	Metadata struct {
		Namespace       string    `json:"namespace"`
		Name            string    `json:"name"`
		UID             types.UID `json:"uid"`
		ResourceVersion string    `json:"resourceVersion"`
	} `json:"metadata"`
	Spec struct {
		Unit string `json:"unit"`
	} `json:"spec"`
	Status struct {
		Conditions few[metav1.Condition] `json:"conditions"`
		Plan       *wirePlan             `json:"plan"`
		Overflow   *struct {
			Version      int32             `json:"version"`
			Unit         string            `json:"unit"`
			From         metav1.Time       `json:"from"`
			Reason       string            `json:"reason"`
			PeakReplicas int32             `json:"peakReplicas"`
			PeakAt       metav1.Time       `json:"peakAt"`
			Lead         v1alpha1.Duration `json:"lead"`
			Timeline     wirePlan          `json:"timeline"`
		} `json:"overflow"`
		OverflowOf *struct {
			Chain few[string] `json:"chain"`
		} `json:"overflowOf"`
		RecentWrites few[metav1.Time] `json:"recentWrites"`
	} `json:"status"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *remoteForecast) UnmarshalJSON(data []byte) error {
	var in wireForecast
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	r.Forecast = in.forecast()
	return nil
}

// forecast returns what is kept.
func (in *wireForecast) forecast() v1alpha1.Forecast {
	var out v1alpha1.Forecast
	m, s := &in.Metadata, &in.Status
	out.Namespace, out.Name, out.UID, out.ResourceVersion = m.Namespace, m.Name, m.UID, m.ResourceVersion
	out.Spec.Unit = in.Spec.Unit
	for _, c := range s.Conditions {
		if c.Type == v1alpha1.ConditionFitsCluster {
			out.Status.Conditions = []metav1.Condition{c}
		}
	}
	if p := s.Plan; p != nil {
		out.Status.Plan = &v1alpha1.Plan{ComputedAt: p.ComputedAt, Start: p.Start, End: p.End}
	}
	if o := s.Overflow; o != nil {
		t := &o.Timeline
		out.Status.Overflow = &v1alpha1.Overflow{
			Version: o.Version, Unit: o.Unit, From: o.From, Reason: o.Reason,
			PeakReplicas: o.PeakReplicas, PeakAt: o.PeakAt, Lead: o.Lead,
			Timeline: v1alpha1.Plan{ComputedAt: t.ComputedAt, Start: t.Start, End: t.End, Segments: t.Segments},
		}
	}
	if s.OverflowOf != nil {
		out.Status.OverflowOf = &v1alpha1.OverflowSource{Chain: s.OverflowOf.Chain}
	}
	if n := len(s.RecentWrites); n > 0 {
		out.Status.RecentWrites = []metav1.Time{s.RecentWrites[n-1]}
	}
	return out
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *remoteList) UnmarshalJSON(data []byte) error {
	in := struct {
		metav1.TypeMeta
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
			Continue        string `json:"continue"`
		} `json:"metadata"`
		Items forecasts `json:"items"`
	}{}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	l.TypeMeta, l.Items = in.TypeMeta, in.Items
	l.ResourceVersion, l.Continue = in.Metadata.ResourceVersion, in.Metadata.Continue
	return nil
}

// forecasts are the items of a list.
type forecasts []remoteForecast

// UnmarshalJSON implements json.Unmarshaler.
func (f *forecasts) UnmarshalJSON(data []byte) error {
	return elements(data, maxForecasts, func(d *json.Decoder) error {
		var one remoteForecast
		err := d.Decode(&one)
		*f = append(*f, one)
		return err
	})
}

// keep drops what is around what was decoded.
func keep(obj any) (any, error) {
	if r, ok := obj.(*remoteForecast); ok {
		return &r.Forecast, nil
	}
	return obj, nil
}
