package status

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// On a terminal no line is wider than it, and nothing is lost. Without one there is no limit, and a
// condition is one line, so that grep finds it whole.
func TestDetailsFitTheTerminal(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	message := "the query gives no series in the whole history: check the metric's name, its labels\nand its scraping"
	estimate := resource.MustParse("5500m")
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "face-fusion"}}
	fc.Status.Capacity = &v1alpha1.LearnedCapacity{Estimate: &estimate, Lower: &estimate, Steps: 4032, Missed: 21}
	fc.Status.Conditions = []metav1.Condition{
		{Type: "WithinMaxReplicas", Status: "Unknown", Reason: "NoHPA", Message: "nothing reads it"},
		{Type: "Ready", Status: "False", Reason: "NoSeries", Message: message},
	}
	texts := map[int]string{}
	for _, width := range []int{40, 80, 100, math.MaxInt} {
		var out strings.Builder
		writeDetails(&out, fc, now, width)
		texts[width] = out.String()
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns, more than %d: %s", n, width, line)
			}
		}
		if got, want := strings.Fields(out.String()), strings.Fields(texts[40]); !slices.Equal(got, want) {
			t.Errorf("at %d columns the words are %q, and %q at 40", width, got, want)
		}
	}
	// Ready comes first.
	want := "Conditions:\n  Ready              False    NoSeries  " + strings.ReplaceAll(message, "\n", " ") + "\n"
	if !strings.Contains(texts[math.MaxInt], want) {
		t.Errorf("without a terminal, %q is missing in\n%s", want, texts[math.MaxInt])
	}
	if !strings.Contains(texts[80], "NoSeries\n      the query gives") {
		t.Errorf("at 80 columns, the message is not below its condition:\n%s", texts[80])
	}
}
