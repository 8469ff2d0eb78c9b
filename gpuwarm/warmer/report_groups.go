package warmer

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
)

// units returns an amount of a resource.
func units(v float64) resource.Quantity {
	return *resource.NewMilliQuantity(int64(math.Round(1000*v)), resource.DecimalSI)
}

// sharedStatus returns what status says of services that share a node pool.
func sharedStatus(groups []allocate.Shared, errs *gpuwarm.ForecastErrors, now time.Time) []v1alpha1.WarmShared {
	var out []v1alpha1.WarmShared
	for _, g := range groups[:min(len(groups), mostGroups)] {
		s := v1alpha1.WarmShared{
			Forecasts: g.Forecasts[:min(mostShared, len(g.Forecasts))], Resource: string(g.Resource),
			Hold: units(g.Joint.Units), Alone: units(g.Joint.Alone),
			Correlation: v1alpha1.FormatDecimal(g.Correlation, 2), Samples: int32(g.Samples),
		}
		if g.Samples > 0 {
			at := errs.MeasuredAt(g.Forecasts, now).Truncate(time.Hour) // so that status is not written for that alone
			s.MeasuredAt = new(metav1.NewTime(at))
		}
		out = append(out, s)
	}
	return out
}

// mostMembers is how many Forecasts of a group status names.
const mostMembers = 64

// boundNames are the names in status of what bounds replicas.
var boundNames = map[string]string{"nodes": "Nodes", "pool": "Pool", "quota": "Quota"}

// roomStatus returns what services can have together that share nodes. A group that is too large to
// be listed is left out: a part of it would get what the rest needs.
func roomStatus(rooms []allocate.Room) []v1alpha1.WarmRoom {
	var out []v1alpha1.WarmRoom
	for _, r := range rooms {
		if len(out) == mostGroups || len(r.Members) > mostMembers {
			continue
		}
		room := v1alpha1.WarmRoom{Resource: string(r.Resource), Most: units(r.Most), By: boundNames[r.By]}
		for _, m := range r.Members {
			room.Members = append(room.Members, v1alpha1.WarmRoomMember{Forecast: m.Forecast, Units: units(m.Units)})
		}
		out = append(out, room)
	}
	return out
}
