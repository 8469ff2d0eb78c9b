package icalendar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const secondsPerDay = 24 * 60 * 60

// moment is a date, or a date and time of day. day is a midnight in UTC that stands for the date on
// the wall clock.
type moment struct {
	day     time.Time
	seconds int // of the day
	isDate  bool
	isUTC   bool
	// zoneID is the TZID; empty for a date, for UTC, and for the clock of the reader.
	zoneID string
}

// parseMoment reads the value of a property such as DTSTART.
func parseMoment(text, zoneID string) (moment, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	date, clock, hasTime := strings.Cut(text, "T")
	day, err := time.Parse("20060102", strings.ReplaceAll(date, "-", ""))
	if err != nil || day.Year() < 1 || day.Year() > lastYear {
		return moment{}, fmt.Errorf("%q is not a date up to the year %d", text, lastYear)
	}
	if !hasTime {
		return moment{day: day, isDate: true}, nil
	}
	m := moment{day: day, zoneID: zoneID}
	if clock, m.isUTC = strings.CutSuffix(clock, "Z"); m.isUTC {
		m.zoneID = ""
	}
	clock = strings.ReplaceAll(clock, ":", "")
	if len(clock) == 4 {
		clock += "00"
	}
	if clock == "240000" { // the end of a day, as ISO 8601 has it
		m.day = day.AddDate(0, 0, 1)
		return m, nil
	}
	if strings.HasSuffix(clock, "60") { // a leap second
		clock = clock[:len(clock)-2] + "59"
	}
	at, err := time.Parse("150405", clock)
	if err != nil {
		return moment{}, fmt.Errorf("%q is not a date and a time of day", text)
	}
	m.seconds = at.Hour()*3600 + at.Minute()*60 + at.Second()
	return m, nil
}

// momentOf reads the value of a property with its TZID.
func momentOf(p property) (moment, error) { return parseMoment(p.value, p.params["TZID"]) }

// wall returns the moment as if the wall clock was UTC.
func (m moment) wall() time.Time { return m.day.Add(time.Duration(m.seconds) * time.Second) }

// fromWall is the inverse of wall.
func fromWall(wall time.Time, zoneID string) moment {
	day := time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
	return moment{day: day, seconds: int(wall.Sub(day) / time.Second), zoneID: zoneID}
}

// length is a parsed DURATION. Days follow the wall clock, seconds are elapsed time.
type length struct{ days, seconds int }

var errDuration = errors.New("it is not a duration such as P1D or PT24H")

// maxDuration bounds the numbers of a duration, so that sums stay exact.
const maxDuration = 1_000_000_000

func parseLength(text string) (length, error) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "+"), "P")
	if !ok || rest == "" {
		return length{}, errDuration
	}
	var out length
	date, clock, hasTime := strings.Cut(rest, "T")
	if hasTime && clock == "" {
		return length{}, errDuration
	}
	units := map[byte]int{'W': 7, 'D': 1}
	for _, part := range []struct {
		text string
		sum  *int
	}{{date, &out.days}, {clock, &out.seconds}} {
		for text := part.text; text != ""; {
			end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
			if end < 1 {
				return length{}, errDuration
			}
			n, err := strconv.Atoi(text[:end])
			unit := units[text[end]]
			if err != nil || unit == 0 || n > maxDuration || *part.sum > maxDuration {
				return length{}, errDuration
			}
			*part.sum += n * unit
			text = text[end+1:]
		}
		units = map[byte]int{'H': 3600, 'M': 60, 'S': 1}
	}
	return out, nil
}

// wholeDays returns how many whole days a number of elapsed seconds is. A last minute or second of
// the day that is left out counts, because some programs end a day there.
func wholeDays(seconds int) (int, bool) {
	for _, short := range []int{0, 1, 60} {
		if (seconds+short)%secondsPerDay == 0 {
			return (seconds + short) / secondsPerDay, true
		}
	}
	return 0, false
}
