package capacity

import (
	"testing"
	"time"
)

func TestDefaultCountsWithoutEvidence(t *testing.T) {
	e, err := New(Options{Step: time.Minute, AtMost: 1, Attain: 0.99, Default: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Estimate(); got.Used != 5 || got.Source != SourceDefault || got.Missing != MissingLoad {
		t.Errorf("without samples: %+v", got)
	}
}
