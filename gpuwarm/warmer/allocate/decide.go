package allocate

import (
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Decide returns what a WarmPool is to hold, pull and load now. It changes none of its arguments.
func Decide(s *Snapshot, m Memory, o Options) *Desired {
	var works []*Work
	selected := s.Selected()
	for _, fc := range selected {
		works = append(works, s.newWork(fc, selected, m))
	}
	d := &Desired{Works: works}
	d.Images = admitImages(s, works, m.Images)
	d.Overheads = addOverheads(s, works, m.Overheads)
	for _, w := range works {
		if t := w.SeenTarget(); t != nil {
			t.ShapeKey = o.ShapeKey(t)
		}
	}
	assignHolders(s, works)
	d.Shared = share(s, works, m.Errors)

	l := newLedger(s, works, o.Cap)
	l.takeOverUnread()
	subtractKept(l, works)
	l.countUnwanted()
	for _, w := range works {
		if w.Holds() {
			l.planHold(w)
			l.planPull(w)
		}
	}
	l.boundPulls()
	for _, w := range works {
		w.Hold.Placeholders = l.podsOf(w.Key, names.RolePlaceholder)
		w.Pull.Pods = l.podsOf(w.Key, names.RolePull)
	}
	d.Orphans = l.orphans()
	d.Short, d.Rooms = shortages(s, works)
	return d
}
