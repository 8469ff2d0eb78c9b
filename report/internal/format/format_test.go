package format

import (
	"math"
	"testing"
)

func TestShare(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.00001: "< 0.01 %", 0.0123: "1.23 %", 0.9996: "99.96 %", 0.5: "50.0 %",
	} {
		if got := Share(v); got != want {
			t.Errorf("Share(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for s, want := range map[float64]string{0: "0", 90: "1m30s", 3600: "1h", 90061: "1d1h", 86400 + 60: "1d"} {
		if got := Seconds(s); got != want {
			t.Errorf("Seconds(%v) = %q, want %q", s, got, want)
		}
	}
}

func TestChange(t *testing.T) {
	cases := []struct {
		now, before float64
		want        string
	}{
		{110, 100, "10 % more"},
		{90, 100, "10 % fewer"},
		{100.4, 100, "as many"},
		{99.6, 100, "as many"},
		{0, 0, "as many"},
		{5, 0, "more"},
		{1e300, 1e-9, "more"}, // no percentage that anybody reads
		{30, 1, "2,900 % more"},
		{9, 8, "13 % more"}, // 12.5 %, as More rounds it
		{7, 8, "13 % fewer"},
	}
	for _, tc := range cases {
		if got := Change(tc.now, tc.before); got != tc.want {
			t.Errorf("Change(%v, %v) = %q, want %q", tc.now, tc.before, got, tc.want)
		}
	}
}

func TestSignificant(t *testing.T) {
	if got := Significant(1234567.89); got != "1234600" {
		t.Errorf("five digits of 1234567.89 are %s", got)
	}
	if got := Rounded(math.NaN()); !math.IsNaN(got) {
		t.Errorf("five digits of NaN are %v", got)
	}
}

// Numbers for programs have no digits that are only rounding.
func TestNumbersOf(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":112.98700000000001,"b":[-0.30000000000000004,1e-7]}`: `{"a":112.987,"b":[-0.3,1e-7]}`,
		`{"text":"112.98700000000001 \" 0.30000000000000004"}`:     `{"text":"112.98700000000001 \" 0.30000000000000004"}`,
		`{"count":12345678901234,"none":null,"yes":true}`:          `{"count":12345678901234,"none":null,"yes":true}`,
		`"not ended 0.30000000000000004`:                           `"not ended 0.30000000000000004`,
		`{"small":1.2345678901234567e-09}`:                         `{"small":1.23456789e-09}`,
	} {
		if got := string(NumbersOf([]byte(in))); got != want {
			t.Errorf("NumbersOf(%s) = %s, want %s", in, got, want)
		}
	}
}
