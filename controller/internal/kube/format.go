package kube

import (
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MetaTime returns a time of a status, in whole seconds as the API server stores it.
func MetaTime(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// Newest returns the last n times of a list, as a status has them.
func Newest(times []time.Time, n int) []metav1.Time {
	var out []metav1.Time
	for _, at := range times[max(0, len(times)-n):] {
		out = append(out, MetaTime(at))
	}
	return out
}

// OneLine returns the text of an error, its lines joined by semicolons.
func OneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// maxMilli is the largest number of milli-units that is used. Above it an int64 would overflow.
const maxMilli = 9.2e18

// QuantityOf returns a demand in milli-units, rounded up. So 0.9 stays 900m.
func QuantityOf(demand float64) resource.Quantity {
	milli := math.Ceil(demand*1000 - 1e-6)
	switch {
	case math.IsNaN(milli) || milli < 0:
		milli = 0
	case milli > maxMilli:
		milli = maxMilli
	}
	return *resource.NewMilliQuantity(int64(milli), resource.DecimalSI)
}

// RoundUp keeps three significant digits of a demand, rounded up. So a forecast that hardly changes
// causes no write.
func RoundUp(demand float64) float64 {
	if !(demand > 0) || math.IsInf(demand, 0) {
		return demand
	}
	unit := math.Pow(10, math.Floor(math.Log10(demand))-2)
	return math.Ceil(demand/unit-1e-9) * unit
}
