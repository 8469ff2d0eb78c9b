package simulator

import "time"

// Account has the sums over a period of what was offered to one service, served and paid.
type Account struct {
	// Offered, Served and Dropped are numbers of requests.
	Offered, Served, Dropped float64
	// Elapsed is the length of the period. DroppingTime is the part of it in which requests were
	// dropped.
	Elapsed, DroppingTime time.Duration
	// Paid is the sum over all replicas of the time from creation to end. Ready is the sum of the
	// time in which they served.
	Paid, Ready time.Duration
	// Missed is the part of Elapsed in which the latency was above the objective of the service.
	Missed time.Duration
	// Capacity of one replica in requests per second.
	Capacity float64
}

// Unserved returns the share of the requests that was dropped.
func (a Account) Unserved() float64 { return share(a.Dropped, a.Offered) }

// Attained returns the share of the time in which the objective was met.
func (a Account) Attained() float64 { return 1 - share(a.Missed.Seconds(), a.Elapsed.Seconds()) }

// ReplicaHours returns Paid in hours.
func (a Account) ReplicaHours() float64 { return a.Paid.Hours() }

// Utilisation returns the share of the paid capacity that served requests.
func (a Account) Utilisation() float64 { return share(a.Served, a.Paid.Seconds()*a.Capacity) }

// Sub returns the sums since an earlier account of the same service.
func (a Account) Sub(b Account) Account {
	a.Offered -= b.Offered
	a.Served -= b.Served
	a.Dropped -= b.Dropped
	a.Elapsed -= b.Elapsed
	a.DroppingTime -= b.DroppingTime
	a.Paid -= b.Paid
	a.Ready -= b.Ready
	a.Missed -= b.Missed
	return a
}

// add adds a period of length d, in which demand and replicas were constant.
func (a *Account) add(d time.Duration, offered float64, ready, paid int) {
	seconds := d.Seconds()
	served := min(offered, float64(ready)*a.Capacity*seconds)
	a.Offered += offered
	a.Served += served
	a.Dropped += offered - served
	a.Elapsed += d
	if offered-served > 1e-6*offered { // more than a rounding error
		a.DroppingTime += d
	}
	a.Paid += time.Duration(paid) * d
	a.Ready += time.Duration(ready) * d
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}
