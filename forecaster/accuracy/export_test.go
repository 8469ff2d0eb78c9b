package accuracy

// Held returns how many promises, estimates and tallies are held.
func (t *Tracker) Held() (promises, estimates, tallies int) {
	return len(t.promises), len(t.estimates), len(t.tallies)
}
