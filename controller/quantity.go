package controller

import (
	"math"

	"k8s.io/apimachinery/pkg/api/resource"
)

// maxMilli is where milli-units would overflow an int64.
const maxMilli = 9.2e18

// quantityOf writes a demand in milli-units, rounded up, so that 0.9 stays 900m.
func quantityOf(demand float64) resource.Quantity {
	milli := math.Ceil(demand*1000 - 1e-6)
	switch {
	case math.IsNaN(milli) || milli < 0:
		milli = 0
	case milli > maxMilli:
		milli = maxMilli
	}
	return *resource.NewMilliQuantity(int64(milli), resource.DecimalSI)
}
