package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// row is what was measured with n Forecasts.
type row struct {
	n                  int
	rss, heap, cpu     float64 // of the replica that plans the most: MiB, MiB, cores
	follower           float64 // resident memory of another replica, MiB
	queries            float64 // of all replicas, a second
	requests, writes   float64 // of all replicas to the API server, a second
	cold, death        time.Duration
	outage             time.Duration
	overloaded         int
	planned, plannedOf int
	owned, held        int   // planned by the replica that plans the most: now, and when it was measured
	shares             []int // planned by each replica when it was measured
	polls              float64
	takeover           time.Duration // until others had all Forecasts of the dead replica
	oldest             time.Duration // age of the oldest plan since the death of a replica
	peak               int           // most resident memory of a replica, MiB
	served             served
}

func (r row) String() string {
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + " s" }
	text := fmt.Sprintf("%d Forecasts: resident %.0f MiB (heap %.0f, another replica %.0f, peak %d), %.3f of a core, "+
		"%.1f queries/s, %.2f polls of each Forecast in 30 s, %.1f API requests/s of which %.2f status writes/s; "+
		"%d of %d planned %s after a cold start (%d overloaded)",
		r.n, r.rss, r.heap, r.follower, r.peak, r.cpu, r.queries, r.polls, r.requests, r.writes,
		r.planned, r.plannedOf, seconds(r.cold), r.overloaded)
	if r.outage > 0 {
		text += fmt.Sprintf("; %s after the outage of Prometheus", seconds(r.outage))
	}
	if len(r.shares) > 1 {
		text += fmt.Sprintf("; shares %v, the largest %.2f times the smallest", r.shares,
			float64(slices.Max(r.shares))/float64(max(1, slices.Min(r.shares))))
	}
	if r.death > 0 {
		text += fmt.Sprintf("; after the death of a replica others had its Forecasts within %s, and planned all from "+
			"new history within %s; the oldest plan was of %s before", seconds(r.takeover), seconds(r.death),
			seconds(r.oldest))
	}
	if r.served.checked > 0 {
		text += fmt.Sprintf("; %s", r.served)
	}
	return text
}

// line returns slope and intercept of a replica's resident memory over the Forecasts that it plans:
// the least squares.
func line(rows []row) (slope, intercept float64) {
	var n, x, y, xx, xy float64
	for _, r := range rows {
		f := float64(r.held)
		n, x, y, xx, xy = n+1, x+f, y+r.rss, xx+f*f, xy+f*r.rss
	}
	slope = (n*xy - x*y) / (n*xx - x*x)
	return slope, (y - slope*x) / n
}
