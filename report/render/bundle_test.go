package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/verdict"
)

// bundle returns a report twice, and one that could not be made.
func bundle(r *report.Report) Document {
	return Bundle(report.NewBundle("namespace shop", []report.Bundled{
		{Name: "shop/face-fusion", Report: r},
		{Name: "shop/broken", NotRun: "no series: check the query"},
		{Name: "shop/zoom", Report: r},
	}))
}

func TestBundleGolden(t *testing.T) {
	b := bundle(fixed(t))
	t.Run("text", func(t *testing.T) {
		got := rendered(t, func(w io.Writer) error { return b.Text(w, TextOptions{NoChart: true}) })
		got, _, _ = strings.Cut(got, "What to apply") // the rest is the same as for one report
		compareGolden(t, "bundle.txt", got)
	})
	t.Run("csv", func(t *testing.T) { compareGolden(t, "bundle.csv", rendered(t, b.CSV)) })
}

// The JSON of a bundle contains the JSON of each report, and its CSV a row for each policy.
func TestBundleHoldsEach(t *testing.T) {
	r := fixed(t)
	b := bundle(r)
	var text, alone bytes.Buffer
	if err := b.JSON(&text); err != nil {
		t.Fatal(err)
	}
	if err := Report(r).JSON(&alone); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema  string
		Reports []struct {
			Name, NotRun string
			Report       any
		}
	}
	var want any
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(alone.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	if got.Schema != report.BundleSchema || len(got.Reports) != 3 {
		t.Fatalf("schema %s, %d reports", got.Schema, len(got.Reports))
	}
	if got.Reports[1].NotRun == "" || got.Reports[1].Report != nil {
		t.Errorf("the second report is %+v", got.Reports[1])
	}
	if diff := cmp.Diff(want, got.Reports[2].Report); diff != "" {
		t.Errorf("-alone, +in the bundle:\n%s", diff)
	}
	text.Reset()
	if err := b.CSV(&text); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + 2*len(r.Policies) + 1; len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
}

// The total is in the unit of the table above which it stands.
func TestBundleSumsInTheUnitOfItsTable(t *testing.T) {
	r := fixed(t)
	hours := *r.Baseline.HeadstartHours
	for gpus, want := range map[float64]string{0: "replica-hours", 2: "GPU-hours"} {
		r.Input.GPUsPerReplica, r.Decision.Advice = gpus, verdict.SwitchOn
		per := max(1, gpus)
		saved := "at least " + format.Whole(2*per*(r.Baseline.ReplicaHours-hours))
		b := bundle(r)
		text := rendered(t, func(w io.Writer) error { return b.Text(w, TextOptions{NoChart: true}) })
		text, _, _ = strings.Cut(strings.Join(strings.Fields(text), " "), "Dry run of gaps")
		if !strings.Contains(text, saved) || strings.Count(text, want) != 2 {
			t.Errorf("with %v GPUs, not %q in %s:\n%s", gpus, saved, want, text)
		}
		if page := rendered(t, b.HTML); !strings.Contains(page, want+" today") || !strings.Contains(page, saved) {
			t.Errorf("the page has another unit than %s", want)
		}
	}
}
