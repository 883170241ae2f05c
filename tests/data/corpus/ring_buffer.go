// Package ring keeps the last readings of a sensor without allocating.
package ring

import "errors"

// ErrEmpty says that nothing has been pushed yet.
var ErrEmpty = errors.New("ring: empty")

// Buffer holds at most its capacity; a push into a full one forgets the oldest reading.
type Buffer struct {
	values []float64
	next   int
	full   bool
}

// New returns an empty buffer.
func New(capacity int) *Buffer { return &Buffer{values: make([]float64, capacity)} }

// Push adds a reading.
func (b *Buffer) Push(value float64) {
	b.values[b.next] = value
	b.next = (b.next + 1) % len(b.values)
	b.full = b.full || b.next == 0
}

// Len returns how many readings are held.
func (b *Buffer) Len() int {
	if b.full {
		return len(b.values)
	}
	return b.next
}

// Mean returns the mean of what is held.
func (b *Buffer) Mean() (float64, error) {
	if b.Len() == 0 {
		return 0, ErrEmpty
	}
	sum := 0.0
	for _, value := range b.values[:b.Len()] {
		sum += value
	}
	return sum / float64(b.Len()), nil
}
