package describe

import (
	"fmt"
	"testing"

	"headstart.dev/headstart/forecaster"
)

// Status lists the 16 models with the largest weights, the largest first.
func TestModelStatusListsTheLargestWeights(t *testing.T) {
	var d forecaster.Description
	for i := range 20 {
		d.Models = append(d.Models, forecaster.Weight{Model: fmt.Sprintf("m%02d", i), Share: float64(i) / 190})
	}
	got := Model(d).Weights
	if len(got) != 16 || got[0].Name != "m19" || got[15].Name != "m04" {
		t.Errorf("weights are %+v, want m19 to m04", got)
	}
	if d.Models[0].Model != "m00" {
		t.Error("Model changed the description")
	}
}
