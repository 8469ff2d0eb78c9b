package values

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/history"
)

// A note tells the other replicas what this one has observed. It goes with the Lease that each
// replica renews every few seconds anyway, so sharing needs no connections, and no rights, of its
// own. It is text: a version, and the entries in base64. An entry is the id of the query, the value
// as the bits of a float64, and the age of the poll in milliseconds, both big-endian.
const (
	noteVersion = "1:"
	entrySize   = idSize + 8 + 4
	// maxEntries bounds a note to 240 KB: the annotations of an object may have 256 KiB. What is left
	// out is polled by those who are asked for it.
	maxEntries = 7500
)

const idSize = 12

// queryID says which Forecast and query an observation is of. It is a part of a SHA-256, so nobody
// finds a query of theirs with the id of somebody else's.
type queryID [idSize]byte

func newQueryID(key types.NamespacedName, q Query) queryID {
	text := strings.Join([]string{key.Namespace, key.Name, q.Source, q.Settle.String(), q.Expr}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return queryID(sum[:idSize])
}

// entry is what a note says about one query.
type entry struct {
	id    queryID
	value float64
	age   time.Duration
}

// encodeNote returns the text of a note; "" for one without entries.
func encodeNote(entries []entry) string {
	if len(entries) == 0 {
		return ""
	}
	raw := make([]byte, 0, len(entries)*entrySize)
	for _, e := range entries {
		raw = append(raw, e.id[:]...)
		raw = binary.BigEndian.AppendUint64(raw, math.Float64bits(e.value))
		age := min(max(0, e.age.Milliseconds()), math.MaxUint32)
		raw = binary.BigEndian.AppendUint32(raw, uint32(age)) //nolint:gosec // bounded
	}
	return noteVersion + base64.StdEncoding.EncodeToString(raw)
}

var errNote = errors.New("is no note of observed demand that this version of headstart reads")

// decodeNote reads the text of a note. It leaves out values that are no demand.
func decodeNote(text string) ([]entry, error) {
	if text == "" {
		return nil, nil
	}
	encoded, ok := strings.CutPrefix(text, noteVersion)
	if !ok || base64.StdEncoding.DecodedLen(len(encoded)) > maxEntries*entrySize+2 {
		return nil, errNote
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw)%entrySize != 0 {
		return nil, errNote
	}
	out := make([]entry, 0, len(raw)/entrySize)
	for part := range slices.Chunk(raw, entrySize) {
		e := entry{
			id:    queryID(part[:idSize]),
			value: math.Float64frombits(binary.BigEndian.Uint64(part[idSize:])),
			age:   time.Duration(binary.BigEndian.Uint32(part[idSize+8:])) * time.Millisecond,
		}
		if e.value >= 0 && e.value <= history.MaxDemand {
			out = append(out, e)
		}
	}
	return out, nil
}

// Note returns what this replica has polled of the Forecasts that it owns, for the others; "" while
// there is nothing.
func (o *Observer) Note() string {
	if o.owns == nil {
		return ""
	}
	now := o.clock.Now()
	var entries []entry
	o.mu.RLock()
	for key, f := range o.queries {
		if v := o.latests[key]; v.tried && !o.tooOld(v) && v.at.After(v.sharedAt) && o.owns(key) {
			entries = append(entries, entry{f.id, v.value, now.Sub(v.at)})
		}
	}
	o.mu.RUnlock()
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.id[:], b.id[:]) })
	return encodeNote(entries[:min(len(entries), maxEntries)])
}

// Take takes the note of another replica. All that it says was so after the instant since, by the
// clock of this replica. So ages do not depend on the other's clock, and are never too low.
func (o *Observer) Take(text string, since time.Time) error {
	entries, err := decodeNote(text)
	if err != nil {
		return fmt.Errorf("the annotation %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range entries {
		if key, ok := o.byID[e.id]; ok {
			o.recordShared(key, since.Add(-e.age), e.value)
		}
	}
	return nil
}

// recordShared stores the value of a poll of another replica. The caller holds the lock.
func (o *Observer) recordShared(key types.NamespacedName, at time.Time, value float64) {
	v := o.latests[key]
	if at.After(v.sharedAt) {
		v.sharedAt = at
	}
	if !at.After(v.at) {
		o.latests[key] = v
		return
	}
	v.value, v.at, v.trail = value, at, trailAfter(v.trail, pollValue{value, at})
	sent := v.droppedSent
	v.droppedSent = sent && o.tooOld(v)
	o.latests[key] = v
	if sent && !v.droppedSent {
		o.sendChange(key)
	}
}
