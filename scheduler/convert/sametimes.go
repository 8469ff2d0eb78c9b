package convert

// maxCompared is how many matches of two cron expressions are compared.
const maxCompared = 20_000

// sameTimes reports whether two cron expressions match at the same times, however they are written.
// It reports false for an expression that is not valid.
func sameTimes(a, b string) bool {
	first, err := matchSchedule(a)
	if err != nil {
		return false
	}
	second, err := matchSchedule(b)
	if err != nil {
		return false
	}
	end := monday.AddDate(cycleYears, 0, 0)
	for at, n := monday, 0; n < maxCompared && at.Before(end); n++ {
		next, other := first.Next(at, 1), second.Next(at, 1)
		if len(next) == 0 || len(other) == 0 {
			return len(next) == len(other)
		}
		if !next[0].Start.Equal(other[0].Start) {
			return false
		}
		at = next[0].Start
	}
	return true
}
