package adapter

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

// sharesPath is below which the planned shares of clusters are served. Who may read them is decided
// by the path, as a non-resource URL: by namespace, for example.
const sharesPath = "/overflow/v1/"

// SharesReader knows the planned shares of clusters.
type SharesReader interface {
	// Shares returns what a Forecast plans to serve here, and what overflows. The error is an
	// [*Unavailable].
	Shares(namespace, name string, now time.Time) (Shares, error)
}

// Shares say how the planned demand of a Forecast is divided between this cluster and others.
type Shares struct {
	Forecast string `json:"forecast"`
	// Unit of the demand, as the Forecast names it.
	Unit string `json:"unit,omitempty"`
	// Now, and a lead ahead: the time by which a replica that is requested now serves.
	Now       Share `json:"now"`
	LeadAhead Share `json:"leadAhead"`
	// OverflowOf is the cluster whose overflow is part of the demand.
	OverflowOf string `json:"overflowOf,omitempty"`
}

// Share is how the demand of one instant is divided.
type Share struct {
	At time.Time `json:"at"`
	// Demand that is planned for, and the part of it that overflows.
	Demand         float64 `json:"demand"`
	OverflowDemand float64 `json:"overflowDemand"`
	// Here and Overflow are shares of the demand. Together they are 1.
	Here     float64 `json:"here"`
	Overflow float64 `json:"overflow"`
}

// sharesHandler serves GET /overflow/v1/namespaces/NAMESPACE/forecasts/NAME.
func sharesHandler(reader SharesReader, c clock.PassiveClock) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := strings.Split(strings.TrimPrefix(r.URL.Path, sharesPath), "/")
		if len(part) != 4 || part[0] != "namespaces" || part[2] != "forecasts" {
			http.Error(w, "ask for "+sharesPath+"namespaces/NAMESPACE/forecasts/NAME", http.StatusNotFound)
			return
		}
		if r.Method != http.MethodGet {
			http.Error(w, "only GET is served", http.StatusMethodNotAllowed)
			return
		}
		shares, err := reader.Shares(part[1], part[3], c.Now())
		if err != nil {
			code := http.StatusServiceUnavailable
			if why, ok := errors.AsType[*Unavailable](err); ok && why.Reason == ReasonNotFound {
				code = http.StatusNotFound
			}
			http.Error(w, err.Error(), code)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(shares)
	})
}
