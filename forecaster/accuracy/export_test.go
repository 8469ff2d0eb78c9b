package accuracy

// Held returns how many promises, estimates and periods are held.
func (t *Tracker) Held() (promises, estimates, periods int) {
	return len(t.promises), len(t.estimates), len(t.periods)
}
