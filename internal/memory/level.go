package memory

// Level is how much the process goes without because of its memory. Each level includes those
// before it.
type Level int

// The levels.
const (
	// Enough means that nothing is left out.
	Enough Level = iota
	// FewerModels means that the next fits leave out the largest models.
	FewerModels
	// RarerFits means that models are fitted less often.
	RarerFits
	// NoNewForecasts means that history is not read for Forecasts that have none in memory.
	NoNewForecasts
)

// Use is the memory that a process uses.
type Use struct {
	// Live is what the last garbage collection left, and what is not on the heap, in bytes. A
	// collector that is left less than that cannot help.
	Live uint64
	// Limit of the process in bytes; 0 when it has none.
	Limit uint64
}

// share returns the share of the limit that is used; 0 without a limit.
func (u Use) share() float64 {
	if u.Limit == 0 {
		return 0
	}
	return float64(u.Live) / float64(u.Limit)
}

// hysteresis is how far below its threshold use must fall, as a share of the limit, before a level
// ends. Otherwise the memory that a level saves would end it.
const hysteresis = 0.08

// from returns the share of the limit from which on a level begins. The collector needs the rest:
// it runs the more often the less there is.
func from(l Level) float64 {
	switch l {
	case FewerModels:
		return 0.60
	case RarerFits:
		return 0.68
	case NoNewForecasts:
		return 0.75
	case Enough:
	}
	return 0
}

// Next returns the level after the level now, at this use. It rises at once, and falls one level at
// a time.
func Next(now Level, use Use) Level {
	share := use.share()
	for l := NoNewForecasts; l > now; l-- {
		if share >= from(l) {
			return l
		}
	}
	if now > Enough && share < from(now)-hysteresis {
		return now - 1
	}
	return now
}
