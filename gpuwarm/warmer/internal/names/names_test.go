package names

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Objects in clusters have these names and labels. A change of the hash gives them all new names, so
// that they are deleted and created again, as when SHA-256 replaced FNV-1a with 64 bits.
func TestHashesAreGolden(t *testing.T) {
	for got, want := range map[string]string{
		Pool("shop", "warm"):             "zegu5klk2mtvzer3igigtlmcur",
		Forecast("shop", "demand"):       "f4c7nzydtyinehzcxjo6attyzb",
		Object("shop", "warm", "demand"): "headstart-3kjwizkoivg3w53o4vmgjotkip",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
		for _, problem := range append(validation.IsValidLabelValue(got), validation.IsDNS1123Label(got)...) {
			t.Errorf("%s: %s", got, problem)
		}
	}
}

// Parts are told apart, whatever they contain.
func TestHashOfParts(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"a\x00", "bc"}, {"a", "\x00bc"}, {"a\x00bc"},
	} {
		h := Hash(parts...)
		if other, twice := seen[h]; twice {
			t.Errorf("%q and %q have the same hash", parts, other)
		}
		if seen[h] = parts; len(h) != hashLength {
			t.Errorf("%q has %d characters", h, len(h))
		}
	}
}

// The annotation names the owner unambiguously, also with the longest names.
func TestOwnerRoundTrip(t *testing.T) {
	long := strings.Repeat("a.b-", 63) + "c"
	for _, o := range []Owner{{"shop", "warm", "demand"}, {"by", "by", "by"}, {"a", long, long}} {
		if got, ok := OwnerIn(map[string]string{AnnotationFor: o.String()}); !ok || got != o {
			t.Errorf("%q reads as %+v, %t", o.String(), got, ok)
		}
	}
	for _, value := range []string{"", "shop/demand", "demand by warm", "by"} {
		if o, ok := OwnerIn(map[string]string{AnnotationFor: value}); ok {
			t.Errorf("%q reads as %+v", value, o)
		}
	}
}
