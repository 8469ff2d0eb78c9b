package v1alpha1

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a Prometheus duration such as "1h30m": whole numbers with the units y, w, d, h, m, s
// and ms, from large to small, each at most once. A day is 24 h, a week 7 d, a year 365 d.
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?$`
// +kubebuilder:validation:MinLength=2
type Duration string

var durationUnits = []struct {
	name string
	size time.Duration
}{
	{"y", 365 * 24 * time.Hour},
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// Parse returns the length of d. These are errors: the empty string, a unit that is repeated or out
// of order, and anything above 292 years.
func (d Duration) Parse() (time.Duration, error) {
	text, total, unit := string(d), time.Duration(0), 0
	if text == "" {
		return 0, errors.New(`duration is empty: write for example "90s", "5m" or "28d"`)
	}
	for text != "" {
		i := 0
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		j := i
		for j < len(text) && (text[j] < '0' || text[j] > '9') {
			j++
		}
		n, err := strconv.ParseInt(text[:i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf(`duration %q is not a number and a unit: write for example "90s", "5m" or "28d"`, d)
		}
		for unit < len(durationUnits) && durationUnits[unit].name != text[i:j] {
			unit++
		}
		if unit == len(durationUnits) {
			return 0, fmt.Errorf("duration %q: unit %q is unknown, repeated or out of order "+
				"(y, w, d, h, m, s, ms from large to small)", d, text[i:j])
		}
		size := durationUnits[unit].size
		if n > (math.MaxInt64-int64(total))/int64(size) {
			return 0, fmt.Errorf("duration %q is too long", d)
		}
		total += time.Duration(n) * size
		unit++
		text = text[j:]
	}
	return total, nil
}

// FormatDuration returns d as a Prometheus duration, to the millisecond. It returns "0s" for zero
// and for a negative d.
func FormatDuration(d time.Duration) Duration {
	d = d.Truncate(time.Millisecond)
	if d <= 0 {
		return "0s"
	}
	var out strings.Builder
	for _, u := range durationUnits {
		if u.name == "y" || u.name == "w" {
			continue // 7d and 365d are easier to read
		}
		if n := d / u.size; n > 0 {
			out.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d -= n * u.size
		}
	}
	return Duration(out.String())
}

// Decimal is a plain decimal number as a string, such as "0.99" or "20".
//
// +kubebuilder:validation:MaxLength=20
// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?$`
type Decimal string

// Parse returns the number. Signs, exponents, NaN and infinities are errors.
func (d Decimal) Parse() (float64, error) {
	for _, c := range d {
		if (c < '0' || c > '9') && c != '.' {
			return 0, fmt.Errorf("%q is not a plain decimal number such as \"0.99\"", string(d))
		}
	}
	f, err := strconv.ParseFloat(string(d), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a plain decimal number such as \"0.99\"", string(d))
	}
	return f, nil
}

// FormatDecimal returns f with at most digits significant digits and without an exponent.
func FormatDecimal(f float64, digits int) Decimal {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', digits, 64), 64)
	if err != nil {
		rounded = f
	}
	return Decimal(strconv.FormatFloat(rounded, 'f', -1, 64))
}

// TimeZone is the name of a zone in the IANA time zone database, such as "Asia/Shanghai" or "UTC".
// "Local", offsets and the empty string are invalid, because a schedule must mean the same on every
// machine.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`
// +kubebuilder:validation:XValidation:rule="self != 'Local'",message="timeZone must be an IANA name such as Europe/Berlin or UTC; Local depends on the machine"
type TimeZone string

// machineZones are names in a machine's zone database that are not IANA zones: the zone of the
// machine, and zones that count leap seconds. A name that ends in a slash stands for a folder.
var machineZones = []string{"Local", "localtime", "posixrules", "Factory", "posix/", "right/"}

// Location loads the zone.
func (z TimeZone) Location() (*time.Location, error) {
	depends := z == ""
	for _, name := range machineZones {
		depends = depends || string(z) == name || strings.HasSuffix(name, "/") && strings.HasPrefix(string(z), name)
	}
	if depends {
		return nil, fmt.Errorf("time zone %q is refused because it depends on the machine: "+
			"name an IANA zone such as Europe/Berlin or UTC", string(z))
	}
	if c := z[0]; (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
		return nil, fmt.Errorf("time zone %q is not a name: "+
			"write an IANA zone such as Europe/Berlin or UTC, not an offset", string(z))
	}
	loc, err := time.LoadLocation(string(z))
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q: name an IANA zone such as Europe/Berlin or UTC", string(z))
	}
	return loc, nil
}
