package spend

// Keep says how much of a forecast is planned with, from 0 to [All]. Up to [Expected] it is the
// share of what is expected beyond observed demand. What it is above that is the share of what the
// service level asks for beyond expected demand. Observed demand is served at any Keep.
type Keep float64

// Some values of Keep.
const (
	// Nothing plans with no forecast: a reactive policy.
	Nothing Keep = 0
	// Expected plans with the demand that is expected, without a margin.
	Expected Keep = 1
	// All plans with the whole forecast.
	All Keep = 2
)

// Of returns the part of a forecast that is planned with. full is the forecast at the service
// level, and expected the demand that is expected, which is not above full. observed is demand now.
func (k Keep) Of(observed, expected, full float64) float64 {
	switch {
	case k >= All:
		return full
	case k >= Expected:
		return expected + float64(k-Expected)*(full-expected)
	}
	return expected - float64(Expected-k)*max(0, expected-observed)
}

// needed returns the least Keep with which a demand is covered; above All where none does.
func needed(demand float64, w Window) Keep {
	expected := min(w.Expected, w.Full)
	switch {
	case demand <= w.Observed || demand <= 0:
		return Nothing
	case demand <= expected:
		return Keep((demand - w.Observed) / (expected - w.Observed))
	case demand <= w.Full:
		return Expected + Keep((demand-expected)/(w.Full-expected))
	}
	return All + 1
}
