package values

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/history"
)

func TestNote(t *testing.T) {
	q := Query{Expr: "q", Source: "s"}
	entries := []entry{
		{newQueryID(named("a"), q), 0, 0},
		{newQueryID(named("b"), q), 0.1, 1500 * time.Millisecond},
		{newQueryID(named("c"), q), history.MaxDemand, time.Hour},
	}
	got, err := decodeNote(encodeNote(entries))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entries, got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("-want, +got: %s", diff)
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), -1, 1e308} {
		if got, err := decodeNote(encodeNote([]entry{{value: v}})); err != nil || len(got) != 0 {
			t.Errorf("%v is taken as demand", v)
		}
	}
	full := encodeNote(make([]entry, maxEntries))
	if len(full) > 250_000 {
		t.Errorf("a full note has %d bytes, and an annotation may have 262144 with its name", len(full))
	}
	if _, err := decodeNote(full); err != nil {
		t.Errorf("a full note cannot be read: %v", err)
	}
	for _, bad := range []string{"2:", "1:!", "1:AAAA", full + full[2:], "x"} {
		if _, err := decodeNote(bad); err == nil {
			t.Errorf("%.20q can be read", bad)
		}
	}
}

func FuzzDecodeNote(f *testing.F) {
	f.Add(encodeNote([]entry{{value: 3, age: time.Second}}))
	f.Add("1:")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := decodeNote(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if !(e.value >= 0) || math.IsInf(e.value, 0) || e.age < 0 {
				t.Errorf("%q has the entry %+v", text, e)
			}
		}
	})
}

// An observation is for one Forecast and one query: a change of either makes it one of another.
func TestQueryIDs(t *testing.T) {
	seen := map[queryID]string{}
	for _, key := range []types.NamespacedName{named("a"), named("b"), {Namespace: "other", Name: "a"}} {
		for _, q := range []Query{
			{Expr: "q", Source: "s"},
			{Expr: "p", Source: "s"},
			{Expr: "q", Source: "t"},
			{Expr: "q", Source: "s", Settle: time.Second},
		} {
			id, what := newQueryID(key, q), key.String()+strings.Join([]string{q.Expr, q.Source, q.Settle.String()}, "|")
			if other, ok := seen[id]; ok {
				t.Errorf("%s and %s have the same id", what, other)
			}
			seen[id] = what
		}
	}
}
