package fleet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueries(t *testing.T) {
	got, err := Queries("# ours\n\nshop/checkout: sum(rate(x{a=\"b: c\"}[2m]))\n search: y \n")
	want := []Query{{"shop/checkout", `sum(rate(x{a="b: c"}[2m]))`}, {"search", "y"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want, +got:\n%s", err, diff)
	}
	for text, part := range map[string]string{
		"": "no query", "x\n": "line 1", "a: b\nsum(rate(x[2m]))\n": "line 2", "sum(x{a: b})\n": "line 1", ": y\n": "line 1",
	} {
		if _, err := Queries(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want %q", text, err, part)
		}
	}
}

func FuzzQueries(f *testing.F) {
	f.Add("a: b\n# c\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Queries(text)
		if (err == nil) != (len(got) > 0) {
			t.Errorf("%d queries and %v", len(got), err)
		}
		for _, q := range got {
			if q.Service == "" || q.PromQL == "" {
				t.Errorf("%q", q)
			}
		}
	})
}
