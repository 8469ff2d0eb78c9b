package reads

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"headstart.dev/headstart/history"
)

// instantReader has new values at once, and counts its reads.
type instantReader struct {
	fresh int
	reads *int
}

func (instantReader) Notes() history.Notes { return history.Notes{} }

func (r instantReader) Read(context.Context) (history.Series, int, error) {
	*r.reads++
	return history.Series{}, r.fresh, nil
}

// First reads, of long histories, do not run ahead of the fits that need them. Later ones may.
func TestLongHistoriesWaitForTheirUse(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		fresh  int
		want   int // reads before anything is taken
	}{
		"Long":  {"each worker keeps its result until it is taken", largeResult + 1, readersPerSource},
		"Short": {"results of a few values do not fill the memory", largeResult, 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := started(t)
				reads := make([]int, 100)
				total := func() (n int) {
					for _, r := range reads {
						n += r
					}
					return n
				}
				for i := range reads {
					f.Request(demandOf(fmt.Sprint(i), "fc"), "s", instantReader{c.fresh, &reads[i]})
				}
				synctest.Wait()
				if n := total(); n != c.want {
					t.Errorf("%s: %d reads before anything is taken, want %d", c.reason, n, c.want)
				}
				for range reads {
					e := <-f.Done()
					if _, ok := f.Take(demandOf(e.Object.GetNamespace(), "fc")); !ok {
						t.Fatalf("no result of %s", e.Object.GetNamespace())
					}
				}
				if n := total(); n != len(reads) {
					t.Errorf("%d reads in the end, want %d", n, len(reads))
				}
			})
		})
	}
}

// A result that nobody takes, as of a Forecast that is paused meanwhile, delays others for a while.
// One that is dropped delays nobody.
func TestUntakenResultsDelayOthersForAWhile(t *testing.T) {
	for name, forget := range map[string]bool{"Left": false, "Forgotten": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := started(t)
				reads := make([]int, readersPerSource)
				for i := range reads {
					f.Request(demandOf(fmt.Sprint(i), "paused"), "s", instantReader{largeResult + 1, &reads[i]})
				}
				synctest.Wait()
				began, other := time.Now(), 0
				f.Request(demandOf("shop", "fc"), "s", instantReader{largeResult + 1, &other})
				if forget {
					f.Forget(demandOf("0", "paused").Forecast)
				}
				for e := range f.done {
					if e.Object.GetNamespace() == "shop" {
						break
					}
				}
				want := handOver
				if forget {
					want = 0
				}
				if took := time.Since(began); took != want {
					t.Errorf("the other read took %s, want %s", took, want)
				}
			})
		})
	}
}
