package shards

import (
	"crypto/sha256"
	"encoding/binary"
)

// Owner returns the member that owns a key, and "" without members. It is rendezvous hashing:
// Thaler and Ravishankar, Using Name-Based Mappings to Increase Hit Rates, IEEE/ACM Transactions on
// Networking 6(1), 1998. The order of the members does not matter.
//
// The hash is SHA-256, so that nobody finds names that all belong to one member.
func Owner(members []string, key string) string {
	owner, highest := "", uint64(0)
	for _, member := range members {
		score := weight(member, key)
		if owner == "" || score > highest || score == highest && member < owner {
			owner, highest = member, score
		}
	}
	return owner
}

func weight(member, key string) uint64 {
	sum := sha256.Sum256([]byte(member + "\x00" + key)) // a member's name has no NUL
	return binary.BigEndian.Uint64(sum[:])
}
